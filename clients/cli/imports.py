"""`clearance import ...`: records of other systems as observed entries."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from clients.cli.console import FINDING, errors, out, say_json
from clients.cli.listen import Seed, signer_of
from clients.cli.session import Json, Pass, Token

OwnKey = Annotated[Path | None, typer.Option("--key", envvar="CLEARANCE_KEY", help="Keystore of the agency's key.")]
app = typer.Typer(no_args_is_help=True, help="Bring records of other systems onto the chain, as observed.")


@app.callback()
def imports() -> None:
    """Bring records of other systems onto the chain, as observed."""


@app.command()
def unipass(
    files: Annotated[list[Path], typer.Argument(help="UNI-PASS cargo progress answers (API001), XML.")],
    api: Annotated[str, typer.Option(help="Gateway to write to; with neither, a private chain replays them.")] = "",
    node: Annotated[str, typer.Option(help="Node to write to.")] = "",
    token: Token = "", key: OwnKey = None, passphrase_file: Pass = None, demo_seed: Seed = None,
    name: Annotated[str, typer.Option("--as", help="Demo chains: which agency.")] = "agency", as_json: Json = False,
) -> None:  # fmt: skip
    """Record UNI-PASS rows as OBSERVED entries, under the same guards as the kinds they report.

    Example: clearance import unipass answer.xml --key agency.json --api https://gateway.example
    """
    from ledger.unipass.progress import read_files

    with errors():
        cargos = [cargo for _, found in read_files(files) for cargo in found]
        if api or node:
            signer = signer_of(key, passphrase_file, demo_seed, name)
            result = _by_own_key(cargos, (api, node, token), signer)
        else:
            result = _to_private_chain(cargos)
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


def _counted(outcomes: Iterable[tuple[int, str]], observer: Any) -> dict[str, Any]:
    """Count rows (kind, slug of why it was rejected) that were accepted, and the others by reason."""
    from ledger.domain.kinds import KindNumber
    from ledger.domain.rejections import REJECTION_TEXTS

    names = {text.slug: rejection.name for rejection, text in REJECTION_TEXTS.items()}
    rows = Counter(code for kind, code in outcomes if kind == KindNumber.OBSERVED)
    accepted = rows.pop("", 0)
    reasons = {names.get(code, code): count for code, count in rows.items()}
    return {
        "accepted": accepted,
        "rejected": rows.total(),
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
    from ledger.domain.rejections import REJECTION_TEXTS
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
        rows = (
            (each.entry.kind, REJECTION_TEXTS[each.rejection].slug if each.rejection else "")
            for batch in node.included(1) if batch.org == writer.org
            for each in batch.entries()
        )  # fmt: skip
        result = _counted(rows, observer)
        result["audit"] = audit_embedded(chain, quiet=True)
        chain.store.close()
        return result


def _by_own_key(cargos: list[Any], where: tuple[str, str, str], signer: Any) -> dict[str, Any]:
    """Write with an agency's own key, through the gateway or straight at a node."""
    import os

    from clients.agency import Observer, replay
    from clients.cli.party import ended, party

    with party(*where, signer) as at:
        observer = Observer(at.writer, os.urandom(32))
        replay(observer, cargos, at.now(), lambda _: None)
        return _counted(((entry.kind, found.code) for entry, found in ended(at)), observer) | {"audit": "not made"}
