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

app = typer.Typer(no_args_is_help=True, help="Customs: what waits for the office, decisions, holds, recalls.")

Parcel = Annotated[str, typer.Argument(help="Id of the parcel, 0x and 64 hex digits.")]
OwnKey = Annotated[Path | None, typer.Option("--key", envvar="CLEARANCE_KEY", help="Keystore of the officer's key.")]
Name = Annotated[str, typer.Option("--as", help="Demo chains: which office.")]
OFFICE = "office-040"


def _write(parcel: str, make: Any, where: tuple[str, str, str], who: tuple[Any, ...], *, as_json: bool) -> None:
    """Write one entry about a parcel: `make` gets the party and the parcel, and writes."""
    with errors(), party(*where, signer_of(*who)) as at:
        make(at, read_id(parcel))
        write(at, as_json=as_json)


@app.command("list")
def customs_list(
    clearance: Annotated[list[str] | None, typer.Option(help="referred, pending, cleared, refused, recalled; may be "
                                                             "repeated. Without it: referred and pending.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Parcels at most.")] = 100,
    api: Api = API, key: OwnKey = None, passphrase_file: Pass = None, demo_seed: Seed = None, name: Name = OFFICE,
    as_json: Json = False,
) -> None:  # fmt: skip
    """List the parcels that wait for the office, with findings, what they lack, and why screening referred them.

    Example: clearance customs list --key officer.json --api https://gateway.example
    """
    with errors(), party(api, "", "", signer_of(key, passphrase_file, demo_seed, name)) as at:
        found: list[dict[str, Any]] = []
        query: dict[str, Any] = {"clearance": clearance or []}
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
        if found["open_holds"]:
            out.print(f"  open holds: {', '.join(map(str, found['open_holds']))}", highlight=False)


@app.command("decide")
def customs_decide(
    parcel: Parcel,
    decision: Annotated[str, typer.Argument(help="clear or refuse.")],
    ground: Annotated[int, typer.Option(min=1, max=255, help="Ground of the decision; the buyer is told it.")],
    api: Api = API, node: NodeInstead = "", token: Token = "", key: OwnKey = None, passphrase_file: Pass = None,
    demo_seed: Seed = None, name: Name = OFFICE, as_json: Json = False,
) -> None:  # fmt: skip
    """Decide a parcel on the filing and the stops that stand now; if one changes meanwhile, the decision is rejected.

    Example: clearance customs decide 0x1f... refuse --ground 3 --key officer.json
    """
    from ledger.chain.batch import Entry, detail
    from ledger.domain.kinds import KindNumber

    kinds = {"clear": KindNumber.DECIDED_CLEAR, "refuse": KindNumber.DECIDED_REFUSE}

    def make(at: Any, number: int) -> None:
        if decision not in kinds:
            raise LedgerError(f"{decision[:20]} is no decision.", hint="Use clear or refuse.")
        found = at.look(number)
        if not int(found["filing"] or "0x0", 16):
            raise LedgerError("The parcel was never filed.", hint="There is nothing to decide yet.")
        fields = detail(kinds[decision], ground=ground, stops=found["stops"])
        entry = Entry(number, kinds[decision], at.now(), detail=fields, names=int(found["filing"], 16))
        at.writer.write(entry)

    _write(parcel, make, (api, node, token), (key, passphrase_file, demo_seed, name), as_json=as_json)


@app.command("hold")
def customs_hold(
    parcel: Parcel,
    ground: Annotated[int, typer.Option(min=1, max=6, help="Ground, by the number of Customs Act art. 237.")],
    days: Annotated[int, typer.Option(min=1, max=365, help="Days from now until customs must answer.")] = 30,
    api: Api = API, node: NodeInstead = "", token: Token = "", key: OwnKey = None, passphrase_file: Pass = None,
    demo_seed: Seed = None, name: Name = OFFICE, as_json: Json = False,
) -> None:  # fmt: skip
    """Hold a parcel (통관보류); its number, which `lift` needs, is shown by `show`.

    Example: clearance customs hold 0x1f... --ground 2 --days 30 --key officer.json
    """

    def make(at: Any, number: int) -> None:
        from clients.customs import Officer

        Officer(at.writer, 0).hold(number, ground, at.now() // 3600 + 24 * days, at.now())

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
    from ledger.domain.kinds import KindNumber

    def make(at: Any, number: int) -> None:
        fields = detail(KindNumber.HOLD_LIFTED, number=hold)
        at.writer.write(Entry(number, KindNumber.HOLD_LIFTED, at.now(), detail=fields))

    _write(parcel, make, (api, node, token), (key, passphrase_file, demo_seed, name), as_json=as_json)


@app.command("recall")
def customs_recall(
    parcel: Parcel,
    ground: Annotated[int, typer.Option(min=1, max=255, help="Ground of the order, Customs Act art. 238.")],
    api: Api = API, node: NodeInstead = "", token: Token = "", key: OwnKey = None, passphrase_file: Pass = None,
    demo_seed: Seed = None, name: Name = OFFICE, as_json: Json = False,
) -> None:  # fmt: skip
    """Order a parcel back into the bonded area (보세구역 반입명령).

    Example: clearance customs recall 0x1f... --ground 1 --key officer.json
    """

    def make(at: Any, number: int) -> None:
        from clients.customs import Officer

        Officer(at.writer, 0).recall(number, ground, at.now())

    _write(parcel, make, (api, node, token), (key, passphrase_file, demo_seed, name), as_json=as_json)
