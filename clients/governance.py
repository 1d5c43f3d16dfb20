"""Changes of members that one signature makes: keys and orgs suspended at once, keys enrolled and retired.

A change is tried on the node's head before it is sent, so that a refusal comes back as a reason.
"""

from __future__ import annotations

import time
from typing import Any, Final, Protocol

from ledger.chain.calls import call_data
from ledger.chain.transaction import sign_legacy, transaction_hash
from ledger.domain.errors import LedgerError
from ledger.genesis import CONTRACT
from ledger.keys import LocalSigner

GAS: Final = 1_000_000
PATIENCE: Final = 30.0
HINTS: Final = {
    "members: not a member": "Sign with a governor's key, or with the cold key of the key's own org.",
    "members: role": "Sign with a governor's key or the org's cold key; roles must be those the org was given.",
    "members: governor": "A governor is suspended by its own cold key alone, or by a vote.",
    "members: unknown key": "Check the address.",
    "members: unknown org": "Check the handle.",
    "members: cold key": "Sign with the cold key of the org.",
    "members: key known": "A key is enrolled once; make a fresh one.",
    "members: key ended": "It is over already.",
    "batch: clock": "Check the clocks; try again.",
}
"""What to do about each reason the contract gives (contracts/src/members.vy)."""


class ChangeRefused(LedgerError):
    """The contract does not take a change of members."""

    code = "members.refused"


class Node(Protocol):
    """What a change asks of a node."""

    def call(self, method: str, *parameters: Any) -> Any:
        """Call an RPC method."""
        ...

    def send_raw(self, raw: bytes) -> bytes:
        """Send a raw transaction; return its hash."""
        ...

    def status(self) -> dict[str, Any]:
        """Return where the node stands."""
        ...


def change(node: Node, signer: LocalSigner, chain_id: int, name: str, *arguments: Any) -> int:
    """Call a function of the contract, its first argument being the time, and wait; return the height of its block.

    Raises:
        ChangeRefused: the contract says why not.
        LedgerError: the node does not take it, or it stands in no block within half a minute.
    """
    head = int(node.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
    tried = call_data(name, head, *arguments)  # a call is executed under the head's time
    told = {"from": signer.hex_address, "to": "0x" + CONTRACT.hex(), "data": "0x" + tried.hex()}
    try:
        node.call("eth_call", told, "latest")
    except LedgerError as error:
        reason = error.detail.removeprefix("execution reverted: ")
        if reason == error.detail:
            raise
        raise ChangeRefused(f"The contract says: {reason}.", hint=HINTS.get(reason, "")) from error
    data = call_data(name, int(node.status()["time"]), *arguments)
    nonce = int(node.call("eth_getTransactionCount", signer.hex_address, "latest"), 16)
    raw = sign_legacy(signer, nonce=nonce, to=CONTRACT, data=data, chain_id=chain_id, gas=GAS)
    node.send_raw(raw)
    return _included(node, transaction_hash(raw))


def _included(node: Node, name: bytes) -> int:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        receipt = node.call("eth_getTransactionReceipt", "0x" + name.hex())
        if receipt is not None:
            if int(receipt["status"], 16) != 1:
                raise ChangeRefused("The contract reverted it: something changed meanwhile.", hint="Try again.")
            return int(receipt["blockNumber"], 16)
        time.sleep(0.05)
    raise LedgerError("The change waits for a block.", hint="Ask `clearance audit roles` later.")
