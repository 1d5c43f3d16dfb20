"""`clearance customs ...`: what a customs officer does by his own key, through the gateway or straight at a node."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from clients.cli.console import errors, out, say_json
from clients.cli.listen import Seed, signer_of
from clients.cli.party import party, write
from clients.cli.session import API, Api, Json, NodeInstead, Pass, Token, read_id
from ledger.domain.errors import LedgerError
from ledger.domain.grounds import GROUNDS, ground_number
from ledger.domain.kinds import KindNumber

app = typer.Typer(no_args_is_help=True, help="Customs: what waits for the office, decisions, holds, recalls.")

Parcel = Annotated[str, typer.Argument(help="Id of the parcel, 0x and 64 hex digits.")]
OwnKey = Annotated[Path | None, typer.Option("--key", envvar="CLEARANCE_KEY", help="Keystore of the officer's key.")]
Name = Annotated[str, typer.Option("--as", help="Demo chains: which office.")]
OFFICE = "office-040"
Evidence = Annotated[
    Path | None, typer.Option(help="File with what it rests on: its Keccak-256 is recorded, the file stays with you.")
]


def _grounds(*kinds: KindNumber) -> str:
    """Return the help text of a ground: what each of a kind's grounds is called."""
    listed = "; ".join(f"{kind.name}: {', '.join(each.slug for each in GROUNDS[kind])}" for kind in kinds)
    return f"Ground, which the buyer is told in words. {listed}."


def _evidence(path: Path | None) -> bytes:
    from eth_hash.auto import keccak

    if path is None:
        return bytes(32)
    try:
        return bytes(keccak(path.read_bytes()))
    except OSError as error:
        raise LedgerError(
            f"The evidence cannot be read: {error.strerror}.", hint="Name a file you may read."
        ) from error


def _write(parcel: str, make: Any, where: tuple[str, str, str], who: tuple[Any, ...], *, as_json: bool) -> None:
    """Write one entry about a parcel: `make` gets the party and the parcel, and writes."""
    with errors(), party(*where, signer_of(*who)) as at:
        make(at, read_id(parcel))
        write(at, as_json=as_json)


@app.command("list")
def customs_list(
    clearance: Annotated[list[str] | None, typer.Option(help="referred, pending, cleared, refused, recalled; may be "
                                                             "repeated. Without it: referred and pending.")] = None,
    denied: Annotated[bool, typer.Option(help="Only what the number's holder says is not his.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Parcels at most.")] = 100,
    api: Api = API, key: OwnKey = None, passphrase_file: Pass = None, demo_seed: Seed = None, name: Name = OFFICE,
    as_json: Json = False,
) -> None:  # fmt: skip
    """List the parcels that wait for the office, with findings, what they lack, and why screening referred them.

    Example: clearance customs list --key officer.json --api https://gateway.example
    """
    with errors(), party(api, "", "", signer_of(key, passphrase_file, demo_seed, name)) as at:
        found: list[dict[str, Any]] = []
        query: dict[str, Any] = {"clearance": clearance or []} | ({"denied": "true"} if denied else {})
        while len(found) < limit:
            page = at.gate.call(at.client.page("/v1/customs/parcels", limit=min(100, limit - len(found)), **query))
            found += page["data"]
            if not page["has_more"]:
                break
            query["cursor"] = page["next_cursor"]
        if as_json:
            say_json({"parcels": found})
            return
        table = Table(title="Parcels of the office", title_justify="left")
        for column in ("parcel", "clearance", "why", "lacks", "open holds"):
            table.add_column(column, overflow="fold")
        for each in found:
            holds = ", ".join(map(str, each["open_holds"]))
            table.add_row(each["id"], each["clearance"], "\n".join(_why(each)), ", ".join(each["absences"]), holds)
        out.print(table)


def _why(parcel: dict[str, Any]) -> list[str]:
    """Return findings, and what screening said where the officer may see it."""
    lines = [f"{each['code']}: {each['ko']} / {each['en']}" for each in parcel["findings"]]
    for result in parcel.get("screening", ()):
        for each in result.get("reasons", ()):  # a reason found elsewhere has no sentence here
            said = f"{each['ko']} / {each['en']}" if each["ko"] else "found by the identity authority"
            lines.append(f"{each['code']}: {said}")
    return lines


@app.command("show")
def customs_show(
    parcel: Parcel, api: Api = API, node: NodeInstead = "", token: Token = "", key: OwnKey = None,
    passphrase_file: Pass = None, demo_seed: Seed = None, name: Name = OFFICE, as_json: Json = False,
) -> None:  # fmt: skip
    """Show where a parcel stands: status, findings in Korean and English, what it lacks, open holds by number."""
    with errors():
        number = read_id(parcel)
        if node:  # a node's state is open to whoever has its token: no key is needed
            from clients.cli.party import parcel_at
            from node.remote import RemoteNode

            with contextlib.closing(RemoteNode(node, token)) as remote:
                found = parcel_at(remote, number)
        else:
            with party(api, "", "", signer_of(key, passphrase_file, demo_seed, name)) as at:
                found = at.gate.call(at.client.page(f"/v1/customs/parcels/0x{number:064x}"))
        if as_json:
            say_json(found)
            return
        out.print(f"{found['clearance']} (office {found['office']:03})", highlight=False)
        for line in _why(found):
            out.print(f"  {line}", highlight=False, soft_wrap=True)
        if found["absences"]:
            out.print(f"  still absent: {', '.join(found['absences'])}", highlight=False)
        for each in found.get("entries", ()):
            if ground := each["ground"]:
                due = f", customs answers by {ground['answer_due']}" if ground["answer_due"] else ""
                text = f"  {each['kind']} for {ground['code']}: {ground['ko']} / {ground['en']}{due}"
                out.print(text, highlight=False, soft_wrap=True)
        if found["open_holds"]:
            out.print(f"  open holds: {', '.join(map(str, found['open_holds']))}", highlight=False)


@app.command("decide")
def customs_decide(
    parcel: Parcel,
    decision: Annotated[str, typer.Argument(help="clear or refuse.")],
    ground: Annotated[str, typer.Option(help=_grounds(KindNumber.DECIDED_CLEAR, KindNumber.DECIDED_REFUSE))],
    evidence: Evidence = None,
    api: Api = API, node: NodeInstead = "", token: Token = "", key: OwnKey = None, passphrase_file: Pass = None,
    demo_seed: Seed = None, name: Name = OFFICE, as_json: Json = False,
) -> None:  # fmt: skip
    """Decide a parcel on the filing and the stops that stand now; if one changes meanwhile, the decision is rejected.

    Example: clearance customs decide 0x1f... refuse --ground breach --key officer.json
    """
    from ledger.chain.batch import Entry, detail

    kinds = {"clear": KindNumber.DECIDED_CLEAR, "refuse": KindNumber.DECIDED_REFUSE}

    def make(at: Any, number: int) -> None:
        if decision not in kinds:
            raise LedgerError(f"{decision[:20]} is no decision.", hint="Use clear or refuse.")
        found = at.look(number)
        if not int(found["filing"] or "0x0", 16):
            raise LedgerError("The parcel was never filed.", hint="There is nothing to decide yet.")
        kind = kinds[decision]
        fields = detail(kind, ground=ground_number(kind, ground), stops=found["stops"])
        entry = Entry(number, kind, at.now(), _evidence(evidence), fields, int(found["filing"], 16))
        at.writer.write(entry)

    _write(parcel, make, (api, node, token), (key, passphrase_file, demo_seed, name), as_json=as_json)


@app.command("hold")
def customs_hold(
    parcel: Parcel,
    ground: Annotated[str, typer.Option(help=_grounds(KindNumber.HELD))],
    days: Annotated[int, typer.Option(min=1, max=365, help="Days from now until customs must answer.")] = 30,
    evidence: Evidence = None,
    api: Api = API, node: NodeInstead = "", token: Token = "", key: OwnKey = None, passphrase_file: Pass = None,
    demo_seed: Seed = None, name: Name = OFFICE, as_json: Json = False,
) -> None:  # fmt: skip
    """Hold a parcel (통관보류); its number, which `lift` needs, is shown by `show`.

    Example: clearance customs hold 0x1f... --ground documents-missing --days 30 --key officer.json
    """

    def make(at: Any, number: int) -> None:
        from clients.customs import Officer

        cause, due = ground_number(KindNumber.HELD, ground), at.now() // 3600 + 24 * days
        Officer(at.writer, 0).hold(number, cause, due, at.now(), _evidence(evidence))

    _write(parcel, make, (api, node, token), (key, passphrase_file, demo_seed, name), as_json=as_json)


@app.command("lift")
def customs_lift(
    parcel: Parcel,
    hold: Annotated[int, typer.Argument(min=0, max=7, help="Number of the hold, as `show` tells it.")],
    api: Api = API, node: NodeInstead = "", token: Token = "", key: OwnKey = None, passphrase_file: Pass = None,
    demo_seed: Seed = None, name: Name = OFFICE, as_json: Json = False,
) -> None:  # fmt: skip
    """Lift a hold by its number (통관보류 해제).

    Example: clearance customs lift 0x1f... 0 --key officer.json
    """
    from ledger.chain.batch import Entry, detail

    def make(at: Any, number: int) -> None:
        fields = detail(KindNumber.HOLD_LIFTED, number=hold)
        at.writer.write(Entry(number, KindNumber.HOLD_LIFTED, at.now(), detail=fields))

    _write(parcel, make, (api, node, token), (key, passphrase_file, demo_seed, name), as_json=as_json)


@app.command("recall")
def customs_recall(
    parcel: Parcel,
    ground: Annotated[str, typer.Option(help=_grounds(KindNumber.RECALLED))],
    evidence: Evidence = None,
    api: Api = API, node: NodeInstead = "", token: Token = "", key: OwnKey = None, passphrase_file: Pass = None,
    demo_seed: Seed = None, name: Name = OFFICE, as_json: Json = False,
) -> None:  # fmt: skip
    """Order a parcel back into the bonded area (보세구역 반입명령).

    Example: clearance customs recall 0x1f... --ground public-health --key officer.json
    """

    def make(at: Any, number: int) -> None:
        from clients.customs import Officer

        cause = ground_number(KindNumber.RECALLED, ground)
        Officer(at.writer, 0).recall(number, cause, at.now(), _evidence(evidence))

    _write(parcel, make, (api, node, token), (key, passphrase_file, demo_seed, name), as_json=as_json)
