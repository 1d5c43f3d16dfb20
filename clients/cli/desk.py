"""A courier's desk: its spool and book in one folder, and the way out to a gateway or a node."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from ledger.domain.errors import LedgerError

HomeFolder = Annotated[
    Path,
    typer.Option("--home", envvar="CLEARANCE_COURIER_HOME", help="Folder of the spool and the book of bills."),
]
HOME: Final = Path(".clearance/courier")
Chain = tuple[Any, bool]
"""Chain and contract that are signed for, and whether it is a demo."""


@dataclass
class Desk:
    """What a courier's commands work with: the way out, the spool, the book, the ledger's time."""

    gate: Any
    spool: Any
    book: Any
    demo: bool

    def now(self) -> int:
        """Return the time that claims are measured by: the machine's, or a demo chain's own while somebody tells it."""
        with contextlib.suppress(LedgerError):
            if self.demo:
                return int(self.gate.time())
        return int(time.time())


@contextlib.contextmanager
def desk(home: Path, api: str, node: str, token: str, signer: Any) -> Iterator[Desk]:
    """Open spool and book, and the way out; which chain it is, is remembered for hours without a network.

    Raises:
        LedgerError: the folder cannot be used, or the chain was never seen and nobody answers.
    """
    from clients.convert.book import Book
    from clients.spool import Spool

    with contextlib.ExitStack() as stack:
        known = _remembered(make_home(home))
        gate, domain, demo = _to_node(stack, node, token, known) if node else _to_api(stack, api, signer, known)
        if known is None:
            _remember(home, domain, demo=demo)
        spool = Spool(home / "spool.db", domain, signer)
        stack.callback(spool.close)
        book = Book(home / "book.db")
        stack.callback(book.close)
        yield Desk(gate, spool, book, demo)


def make_home(home: Path) -> Path:
    """Make the folder, for its owner only.

    Raises:
        LedgerError: it cannot be made.
    """
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise LedgerError(f"{home}: {error.strerror}.", hint="Give another folder with --home.") from error
    return home


def _to_node(stack: contextlib.ExitStack, url: str, token: str, known: Chain | None) -> tuple[Any, Any, bool]:
    from clients.gate import NodeGate
    from node.remote import RemoteNode

    remote = RemoteNode(url, token)
    stack.callback(remote.close)
    if known is None:
        genesis = remote.genesis()
        known = genesis.domain, genesis.demo
    domain, demo = known
    # the head of a follower is old in a quiet hour: only on a demo chain is the node's time the ledger's
    return NodeGate(remote, None if demo else lambda: int(time.time())), domain, demo


def _to_api(stack: contextlib.ExitStack, url: str, signer: Any, known: Chain | None) -> tuple[Any, Any, bool]:
    from clients.sdk.client import Client
    from clients.sdk.gate import ApiGate

    gate = stack.enter_context(ApiGate(Client(url, signer, domain=known[0] if known else None)))
    if known is None:
        told = gate.call(gate.client.chain())
        known = told.domain, told.demo
    return gate, *known


def _remember(home: Path, domain: Any, *, demo: bool) -> None:
    draft = home / "chain.draft"
    draft.write_text(json.dumps({"chain_id": domain.chain_id, "contract": domain.contract.hex(), "demo": demo}))
    draft.replace(home / "chain.json")


def _remembered(home: Path) -> Chain | None:
    """Return chain and contract as they were first seen: a gateway of another chain gets no signature."""
    from ledger.commitments import LedgerDomain

    path = home / "chain.json"
    try:
        told = json.loads(path.read_text())
        return LedgerDomain(int(told["chain_id"]), bytes.fromhex(told["contract"])), bool(told["demo"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LedgerError(f"{path} cannot be read.", hint="Remove it; it is written again.") from error


class Clock:
    """The ledger's time for threads that must not use the way out: a demo chain's as last seen, else the machine's."""

    def __init__(self, at: Desk) -> None:
        """Look once."""
        self._at = at
        self._seen = at.now()

    def look(self) -> None:
        """Look at a demo chain's clock."""
        if self._at.demo:
            self._seen = self._at.now()

    def now(self) -> int:
        """Return seconds UTC."""
        return self._seen if self._at.demo else int(time.time())
