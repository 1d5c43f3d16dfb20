"""The second EVM of the audit: anvil (revm, Rust), fed the same transactions block by block.

It must give the same transaction and receipt roots as py-evm in every block, and the same state root at the head. anvil
1.7.1 keeps words of storage that are zero, and accounts that were only called, so the state root is computed from its
dump without them. It is installed by `make anvil`, or named by CLEARANCE_ANVIL.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import httpx
import rlp
from eth_hash.auto import keccak
from trie import HexaryTrie

from ledger.domain.errors import LedgerError
from ledger.genesis import Genesis
from node.audit.report import Found
from node.blocks import COINBASE, ExecutedBlock, Header
from node.genesis import geth_genesis

DEFAULT: Final = Path(__file__).parents[2] / "tools/anvil/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"
START_SECONDS: Final = 20.0
FIELDS: Final = {"transactionsRoot": "transactions_root", "receiptsRoot": "receipts_root"}


class NoSecondEvm(LedgerError):
    """anvil is not there."""

    code = "audit.no-second-evm"


def anvil_path() -> Path:
    """Return where anvil is.

    Raises:
        NoSecondEvm: nowhere.
    """
    path = Path(os.environ.get("CLEARANCE_ANVIL", str(DEFAULT)))
    if not path.exists():
        raise NoSecondEvm("anvil is not installed.", hint="Run: make anvil (needs npm), or set CLEARANCE_ANVIL.")
    return path


class SecondEvm:
    """A running anvil at the genesis state."""

    name = "anvil"

    def __init__(self, genesis: Genesis) -> None:
        """Start it on a free loopback port.

        Raises:
            NoSecondEvm: it is not installed or does not come up.
        """
        program = anvil_path()
        self.findings: list[Found] = []
        self._last: Header | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="clearance-anvil-")
        file = Path(self._folder.name) / "genesis.json"
        file.write_text(json.dumps(geth_genesis(genesis)))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._process = subprocess.Popen(
            [
                str(program), "--host", "127.0.0.1", "--port", str(port), "--init", str(file), "--no-mining",
                "--hardfork", "cancun", "--accounts", "0", "--base-fee", "0", "--gas-price", "0", "--silent",
                "--disable-min-priority-fee", "--disable-default-create2-deployer", "--gas-limit", "4000000000",
                "--chain-id", str(genesis.chain_id), "--order", "fifo", "--timestamp", str(genesis.timestamp),
                "--code-size-limit", "24576",
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120, trust_env=False)
        self._wait()
        self._call("anvil_setCoinbase", "0x" + COINBASE.hex())

    def _wait(self) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            with contextlib.suppress(httpx.HTTPError):
                self._call("eth_chainId")
                return
            time.sleep(0.05)
        self.close()
        raise NoSecondEvm("anvil did not come up.", hint="Run it by hand to see why.")

    def _call(self, method: str, *parameters: Any) -> Any:
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}
        document = self._http.post("/", json=request).json()
        if "error" in document:
            raise LedgerError(f"anvil refuses {method}: {document['error'].get('message')}", hint="Report it.")
        return document["result"]

    def execute(self, executed: ExecutedBlock) -> None:
        """Execute a block there and compare the roots; block 0 is only loaded."""
        header = executed.block.header
        self._last = header
        if header.number == 0 or self.findings:
            return
        for raw in executed.block.transactions:
            self._call("eth_sendRawTransaction", "0x" + raw.hex())
        self._call("evm_setNextBlockTimestamp", hex(header.timestamp))
        self._call("anvil_setNextBlockBaseFeePerGas", "0x0")
        self._call("evm_mine")
        block = self._call("eth_getBlockByNumber", "latest", False)
        if int(block["number"], 16) != header.number or len(block["transactions"]) != len(executed.block.transactions):
            self.findings.append(
                Found("evm.block", header.number, f"block {header.number}: anvil did not take all transactions.")
            )
            return
        for theirs, ours in FIELDS.items():
            if block[theirs] != "0x" + getattr(header, ours).hex():
                self.findings.append(
                    Found("evm.root", header.number, f"block {header.number}: anvil has another {ours}.")
                )

    def finish(self) -> None:
        """Compare the state at the last block executed."""
        if self._last is not None and not self.findings and self._state_root() != self._last.state_root:
            height = self._last.number
            self.findings.append(Found("evm.root", height, f"block {height}: anvil has another state_root."))

    def _state_root(self) -> bytes:
        dump = json.loads(gzip.decompress(bytes.fromhex(self._call("anvil_dumpState")[2:])))
        state = HexaryTrie({})
        for address, account in dump["accounts"].items():
            storage = HexaryTrie({})
            with storage.squash_changes() as batch:
                for slot, word in account["storage"].items():
                    if int(word, 16):
                        batch[keccak(bytes.fromhex(slot[2:]))] = rlp.encode(int(word, 16))
            code = keccak(bytes.fromhex(account["code"][2:]))
            fields = [account["nonce"], int(account["balance"], 16), storage.root_hash, code]
            if fields == [0, 0, storage.root_hash, keccak(b"")]:
                continue  # an account that was only called, a precompile for one (EIP-161)
            state[keccak(bytes.fromhex(address[2:]))] = rlp.encode(fields)
        root: bytes = state.root_hash
        return root

    def close(self) -> None:
        """Stop it."""
        self._http.close()
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self._folder.cleanup()
