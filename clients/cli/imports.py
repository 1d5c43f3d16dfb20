"""`clearance import ...`: records of other systems as observed entries."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from clients.cli.console import FINDING, errors, out, passphrase, say_json

app = typer.Typer(no_args_is_help=True, help="Bring records of other systems onto the chain, as observed.")


@app.callback()
def imports() -> None:
    """Bring records of other systems onto the chain, as observed."""


@app.command()
def unipass(
    files: Annotated[list[Path], typer.Argument(help="UNI-PASS cargo progress answers (API001), XML.")],
    node: Annotated[str | None, typer.Option(help="Node to write to; without it a private chain replays them.")] = None,
    token: Annotated[str, typer.Option(envvar="CLEARANCE_TOKEN", help="Access token of the node.")] = "",
    key: Annotated[Path | None, typer.Option(help="Keystore of an agency's key, with --node.")] = None,
    passphrase_file: Annotated[Path | None, typer.Option(help="File with its passphrase.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Record UNI-PASS rows as OBSERVED entries, under the same guards as the kinds they report."""
    from ledger.unipass.progress import read_files

    with errors():
        cargos = [cargo for _, found in read_files(files) for cargo in found]
        result = _to_node(cargos, node, token, key, passphrase_file) if node else _to_private_chain(cargos)
    rows = sum(len(cargo.rows) for cargo in cargos)
    summary = {"files": len(files), "rows": rows, **result}
    if as_json:
        say_json(summary)
    else:
        table = Table(title="UNI-PASS rows as observed entries", title_justify="left")
        table.add_column("what")
        table.add_column("value", justify="right")
        for name, value in summary.items():
            table.add_row(name, str(value))
        out.print(table)
    if summary["audit"] not in ("ok", "not made"):
        raise typer.Exit(FINDING)


def _count(batches: Any, observer: Any) -> dict[str, Any]:
    from ledger.domain.kinds import KindNumber

    reasons: Counter[str] = Counter()
    accepted = 0
    for batch in batches:
        if batch.org != observer.writer.org:
            continue
        for each in batch.entries():
            if each.kind is KindNumber.OBSERVED:
                accepted += each.rejection is None
                if each.rejection is not None:
                    reasons[each.rejection.name] += 1
    return {
        "accepted": accepted,
        "rejected": sum(reasons.values()),
        "reasons": dict(sorted(reasons.items())),
        "parcels": len(observer.parcels),
        "masters": len(observer.masters),
    }


def _to_private_chain(cargos: list[Any]) -> dict[str, Any]:
    """Replay on a chain of our own, under a clock replayed from the rows."""
    from clients.agency import Observer, replay
    from clients.cli.demo import audit_embedded
    from clients.cli.embedded import EmbeddedNode
    from clients.sample.members import HANDLES, Keyring, sample_genesis
    from ledger.chain.writer import Writer
    from node.chain import Chain
    from node.clock import LogicalClock
    from node.sealer import Sealer, SealerKeys
    from node.store import RocksStore

    times = [int(row.at.timestamp()) for cargo in cargos for row in cargo.rows]
    start = min(times, default=int(time.time())) - 60
    keyring = Keyring(0)
    genesis = sample_genesis(keyring, start, 1)
    with tempfile.TemporaryDirectory(prefix="clearance-import-") as folder:
        chain = Chain(RocksStore(Path(folder) / "chain"), genesis)
        clock = LogicalClock(start)
        keys = SealerKeys(keyring.signer("sealer"), keyring.signer("relayer"), keyring.signer("stop-relayer"))
        node = EmbeddedNode(Sealer(chain, keys, clock), clock)
        writer = Writer(keyring.signer("agency"), HANDLES["agency"], genesis.domain, node)
        observer = Observer(writer, keyring.secret("agency"))

        def step(moment: int) -> None:
            node.move_to(moment)
            writer.flush(moment)
            list(node.seal_all())

        replay(observer, cargos, start, step)
        result = _count(node.included(1), observer)
        result["audit"] = audit_embedded(chain, quiet=True)
        chain.store.close()
        return result


def _to_node(cargos: list[Any], url: str, token: str, key: Path | None, passphrase_file: Path | None) -> dict[str, Any]:
    """Write to a running node with an agency's own key."""
    import os

    from clients.agency import Observer, replay
    from clients.cli.session import wait_included
    from ledger.chain.writer import Writer
    from ledger.domain.errors import LedgerError
    from ledger.keys import LocalSigner
    from node.remote import RemoteNode

    if key is None:
        raise LedgerError("Writing to a node needs an agency's key.", hint="Give --key and its passphrase.")
    signer = LocalSigner.load(key, passphrase(passphrase_file))
    node = RemoteNode(url, token)
    genesis = node.genesis()
    member = node.state().member(signer.address)
    if member is None:
        raise LedgerError(f"{signer.hex_address} is no key of a member.", hint="Let the org's cold key enrol it.")
    writer = Writer(signer, member.org, genesis.domain, node)
    observer = Observer(writer, os.urandom(32))
    start = node.status()["height"] + 1
    now = int(time.time())
    replay(observer, cargos, now, lambda _: None)
    writer.flush(now)
    wait_included(node)
    return _count(node.included(start), observer) | {"audit": "not made"}
