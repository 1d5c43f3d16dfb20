"""What every `clearance audit` command shares: where blocks come from, who signs the report, how it is shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from clients.cli.console import FINDING, USAGE, fail, out, passphrase, say_json
from ledger.domain.errors import LedgerError

Rpc = Annotated[str | None, typer.Option(help="Address of a node.")]
Token = Annotated[str, typer.Option(envvar="CLEARANCE_TOKEN", help="Access token of that node.")]
Home = Annotated[Path | None, typer.Option(help="Folder of a stopped node: audits the files themselves.")]
GenesisFile = Annotated[Path | None, typer.Option("--genesis", help="Reviewed genesis file; else the node's own.")]
Key = Annotated[Path | None, typer.Option("--key", help="Keystore that signs the report.")]
Pass = Annotated[Path | None, typer.Option("--passphrase-file", help="File with its passphrase.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@dataclass(frozen=True, slots=True)
class Source:
    """A chain to audit.

    Attributes:
        blocks: raw blocks from height 0 on.
        store: the node's store, None over RPC.
    """

    genesis: Any
    blocks: Any
    store: Any


@contextmanager
def source(rpc: str | None, token: str, home: Path | None, genesis: Path | None) -> Iterator[Source]:
    """Open a chain, by RPC or from the files of a stopped node."""
    from ledger.genesis import load
    from node.audit.chain import blocks_of_node, blocks_of_store
    from node.remote import RemoteNode
    from node.store import RocksStore

    if (rpc is None) == (home is None):
        fail(LedgerError("Give either --rpc or --home.", hint="See clearance audit --help."), USAGE)
    if rpc is not None:
        node = RemoteNode(rpc, token)
        yield Source(load(genesis) if genesis else node.genesis(), blocks_of_node(node), None)
        node.close()
    elif home is not None:
        store = RocksStore(home / "chain", read_only=True)
        yield Source(load(genesis or home / "genesis.json"), blocks_of_store(store), store)
        store.close()


def auditor(key: Path | None, passphrase_file: Path | None) -> Any:
    """Open the key that signs the report, before the long work begins; None if nobody signs.

    Raises:
        LedgerError: keystore or passphrase is no good.
    """
    from ledger.keys import LocalSigner

    return LocalSigner.load(key, passphrase(passphrase_file)) if key else None


def finish(report: Any, *, as_json: bool, signer: Any) -> None:
    """Print a report, signed if somebody signs, and exit by what was found; lists are for `--json` alone."""
    document = report.signed(signer)
    if as_json:
        say_json(document)
    else:
        table = Table(title=f"audit {report.kind}", title_justify="left")
        table.add_column("what")
        table.add_column("value", overflow="fold")
        for name, value in document["subject"].items():
            if isinstance(value, dict) and all(isinstance(each, int) for each in value.values()):
                table.add_row(name, ", ".join(f"{each} {count}" for each, count in value.items()))
            elif not isinstance(value, list | dict):
                table.add_row(name, str(value))
        table.add_row("digest of the report", document["digest"])
        for name in ("signer", "signature"):
            if name in document:
                table.add_row(name, document[name])
        out.print(table)
        for found in report.findings:
            out.print(f"[red]FAIL[/red] {found.code}: {found.sentence}", highlight=False, soft_wrap=True)
        if report.ok:
            out.print("[green]OK[/green] nothing found", highlight=False)
    if not report.ok:
        raise typer.Exit(FINDING)
