"""`clearance customs ...`: what a customs officer does by his own key."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from clients.cli.console import errors, out, say_json
from clients.cli.session import Json, Key, Node, Pass, Token, now_of, open_session, read_id, send
from ledger.domain.errors import LedgerError

app = typer.Typer(no_args_is_help=True, help="Customs: status, decisions, holds, recalls.")


@app.command("show")
def customs_show(
    parcel: Annotated[str, typer.Argument(help="Id of the parcel.")], node: Node, token: Token = "",
    as_json: Json = False,
) -> None:  # fmt: skip
    """Show where a parcel stands: status, findings in Korean and English, what it lacks."""
    from ledger.domain.findings import FINDING_TEXTS
    from node.remote import RemoteNode

    with errors():
        found = RemoteNode(node, token).state().parcel(read_id(parcel))
        document: dict[str, Any] = {
            "status": found.clearance,
            "bits": [status.name for status in found.status],
            "findings": [
                {"name": each.name, "ko": FINDING_TEXTS[each].ko, "en": FINDING_TEXTS[each].en}
                for each in found.findings
            ],
            "absent": [status.name for status in found.absences],
            "office": found.field("office"),
            "stops": found.field("stops"),
        }
        if as_json:
            say_json(document)
            return
        out.print(f"{document['status']} (office {document['office']:03})", highlight=False)
        for each in document["findings"]:
            out.print(f"  {each['name']}: {each['ko']} / {each['en']}", highlight=False, soft_wrap=True)
        if document["absent"]:
            out.print(f"  still absent: {', '.join(document['absent'])}", highlight=False)


@app.command("decide")
def customs_decide(
    parcel: Annotated[str, typer.Argument(help="Id of the parcel.")],
    decision: Annotated[str, typer.Argument(help="clear or refuse.")],
    ground: Annotated[int, typer.Option(min=1, max=255, help="Ground of the decision.")],
    node: Node, key: Key, token: Token = "", passphrase_file: Pass = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Decide a referred or pending parcel, on the filing and stops that stand now."""
    from ledger.chain.batch import Entry, detail
    from ledger.domain.kinds import KindNumber

    with errors():
        kinds = {"clear": KindNumber.DECIDED_CLEAR, "refuse": KindNumber.DECIDED_REFUSE}
        if decision not in kinds:
            raise LedgerError(f"{decision} is no decision.", hint="Use clear or refuse.")
        session = open_session(node, token, key, passphrase_file)
        number = read_id(parcel)
        stops = session.node.state().parcel(number).field("stops")
        fields = detail(kinds[decision], ground=ground, stops=stops)
        names = session.node.filing(number)
        session.writer.write(Entry(number, kinds[decision], now_of(session), detail=fields, names=names))
        send(session, as_json=as_json)


@app.command("hold")
def customs_hold(
    parcel: Annotated[str, typer.Argument(help="Id of the parcel.")],
    ground: Annotated[int, typer.Option(min=1, max=6, help="Ground, Customs Act art. 237.")],
    node: Node, key: Key, days: Annotated[int, typer.Option(min=1, max=365, help="Days until customs answers.")] = 30,
    token: Token = "", passphrase_file: Pass = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Hold a parcel (통관보류)."""
    from clients.customs import Officer

    with errors():
        session = open_session(node, token, key, passphrase_file)
        now = now_of(session)
        Officer(session.writer, 0).hold(read_id(parcel), ground, now // 3600 + 24 * days, now)
        send(session, as_json=as_json)


@app.command("lift")
def customs_lift(
    parcel: Annotated[str, typer.Argument(help="Id of the parcel.")],
    number: Annotated[int, typer.Argument(min=0, max=7, help="Number of the hold.")],
    node: Node, key: Key, token: Token = "", passphrase_file: Pass = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Lift a hold by its number (통관보류 해제)."""
    from ledger.chain.batch import Entry, detail
    from ledger.domain.kinds import KindNumber

    with errors():
        session = open_session(node, token, key, passphrase_file)
        fields = detail(KindNumber.HOLD_LIFTED, number=number)
        session.writer.write(Entry(read_id(parcel), KindNumber.HOLD_LIFTED, now_of(session), detail=fields))
        send(session, as_json=as_json)


@app.command("recall")
def customs_recall(
    parcel: Annotated[str, typer.Argument(help="Id of the parcel.")],
    ground: Annotated[int, typer.Option(min=1, max=255, help="Ground, Customs Act art. 238.")],
    node: Node, key: Key, token: Token = "", passphrase_file: Pass = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Order a parcel back into the bonded area (보세구역 반입명령)."""
    from clients.customs import Officer

    with errors():
        session = open_session(node, token, key, passphrase_file)
        Officer(session.writer, 0).recall(read_id(parcel), ground, now_of(session))
        send(session, as_json=as_json)
