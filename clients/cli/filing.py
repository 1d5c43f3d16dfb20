"""`clearance courier file|correct`: filings drafted from the inbox, or declared where there is no order."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from clients.cli.begun import open_noted, refuse_known, resume
from clients.cli.console import errors, out, say_json
from clients.cli.declared import goods_of, person_of, reading
from clients.cli.desk import HOME, HomeFolder, make_home
from clients.cli.listen import Name, OwnKey, Seed, signer_of
from clients.cli.party import Party, party, write
from clients.cli.session import API, Api, Json, NodeInstead, OpenKey, Pass, SpoolFolder, Token, load_open_key, read_id
from ledger.domain.errors import LedgerError

Opener = Annotated[int, typer.Option(help="Broker: org of the courier in whose name you file; 0: you are the courier.")]
Office = Annotated[int, typer.Option(help="Customs office, for example 40.")]
Dispatch = Annotated[str, typer.Option(help="Dispatch country, ISO 3166-1.")]
Origin = Annotated[str, typer.Option(help="Country of origin, ISO 3166-1; else the dispatch country.")]
How = Annotated[str, typer.Option("--mode", help="air, sea or postal.")]
Weight = Annotated[int, typer.Option(min=0, help="Weight class.")]
Master = Annotated[
    int, typer.Option(min=0, help="Handle of the flight or voyage, as `master open` prints it; 0: none.")
]
Declared = Annotated[bool, typer.Option("--declared", help="File on a declaration instead of the list.")]
More = Annotated[bool, typer.Option("--more-orders", help="The box holds more orders than the filing names.")]
Declaration = Annotated[
    Path | None,
    typer.Option(
        "--declare",
        help="JSON: price, currency, goods_class, quantity, use, description, shop, consignee. Goods of a box without "
        "order; with orders, its goods are declared instead of theirs, and all but shop and consignee may be left out.",
    ),
]


@dataclass(frozen=True, slots=True)
class Way:
    """How a parcel travels, as the options say it."""

    dispatch: str
    office: int
    origin: str
    mode: str
    weight: int
    master: int
    declared: bool

    def transport(self) -> Any:
        """Return the courier's facts.

        Raises:
            LedgerError: an option is not what it must be.
        """
        from ledger.domain.facts import Mode, Track, Transport, country_number
        from ledger.domain.identifiers import CountryCode

        modes = {"air": Mode.EXPRESS_AIR, "sea": Mode.EXPRESS_SEA, "postal": Mode.POSTAL}
        if self.mode not in modes:
            raise LedgerError(f"{self.mode[:20]} is no mode.", hint="Use air, sea or postal.")
        dispatch, origin = (
            country_number(CountryCode.parse(each).value) for each in (self.dispatch, self.origin or self.dispatch)
        )
        track = Track.DECLARED if self.declared else Track.LIST
        found = Transport(dispatch, origin, modes[self.mode], self.office, track, self.weight, self.master)
        try:
            found.word()
        except ValueError as error:
            raise LedgerError(f"{error}.", hint="Check office, weight class and master.") from error
        return found


@contextlib.contextmanager
def courier_at(
    where: tuple[str, str, str, Path | None], who: tuple[Any, ...], open_key: Path | None, opener: int, home: Path
) -> Iterator[tuple[Party, Any]]:
    """Open the way to the ledger; yield the party, and the courier with its inbox as a node tells it.

    Args:
        where: gateway, node, its token, folder of payloads.
        who: what names the party's key.
        open_key: opens orders.
        opener: the courier for which a broker acts, else 0.
        home: folder where it is kept what was opened.

    Raises:
        LedgerError: a key or the folder is missing, or nobody answers.
    """
    from clients.courier import Courier
    from clients.opened import Opened

    api, node, token, spool = where
    with party(api, node, token, signer_of(*who), spool) as at:
        if at.payloads is None:
            raise LedgerError("At a node, payloads lie in a folder.", hint="Give it with --spool, or use --api.")
        key = _opening_key(open_key, who[2], who[3], opener)
        readers = list(at.public().values())
        with contextlib.closing(Opened(make_home(home) / "inbox.db")) as kept:
            courier = Courier(at.writer, os.urandom(32), at.payloads, key, readers, opener or None, kept)
            if at.node is not None:
                for batch in at.node.included(1):
                    courier.watch(batch)
            yield at, courier


def read_inbox(at: Party, courier: Any, *, used: bool = False) -> None:
    """Ask a gateway which orders wait in the inbox, or are used too; what a node tells is read already.

    Raises:
        LedgerError: a broker asks: a gateway shows orders to their seller and their courier only.
    """
    if at.node is not None:
        return
    if courier.opener != courier.writer.org:
        raise LedgerError(
            "A gateway shows an inbox to its own courier only.", hint="As a broker read it at a node: --node, --spool."
        )
    for order in at.gate.call(_all(at.client.orders(None if used else "open"))):
        _take(courier, order)


def _take(courier: Any, order: Any) -> None:
    if order.handed_to == courier.opener and order.payload:
        courier.inbox.take(order.id, order.seller, order.payload, order.parcel)


async def _all(pages: Any) -> list[Any]:
    return [each async for each in pages]


def _bound_to(at: Party, courier: Any, parcel: int) -> list[Any]:
    """Return the orders that a parcel has, opened.

    Raises:
        LedgerError: one cannot be opened: a correction has to present them all.
    """
    from clients.inbox import Unreadable

    if at.node is None:
        for order in at.gate.call(at.client.parcel(parcel)).orders:
            _take(courier, order)
    inbox, found = courier.inbox, []
    for order in [each for each in inbox.handed if inbox.used.get(each) == parcel]:
        item = inbox.item(order)
        if isinstance(item, Unreadable):
            raise LedgerError(
                f"Order 0x{order:064x} of the parcel: {item.value.en}",
                hint="A correction presents every order again. A broker reads them at a node: --node, --spool.",
            )
        found.append(item)
    return found


def _opening_key(file: Path | None, seed: int | None, name: str, opener: int) -> Any:
    """Return the key that opens orders; on a demo chain that of the courier the seed gives."""
    from clients.sample.members import HANDLES, Keyring

    if file is not None:
        return load_open_key(file)
    if seed is None:
        raise LedgerError("No key that opens orders was given.", hint="Give --open-key.")
    return Keyring(seed).opener(next((each for each, org in HANDLES.items() if org == opener), name))


def file(
    house_bill: Annotated[str, typer.Argument(help="House bill (HBL) of the parcel.")],
    dispatch: Dispatch, office: Office,
    orders: Annotated[list[str] | None, typer.Argument(help="Orders in the box, as `inbox` shows them: reference, "
                                                            "org/reference or id. None: see --declare.")] = None,
    origin: Origin = "", mode: How = "air", weight: Weight = 0, master: Master = 0, declared: Declared = False,
    more: More = False, declare: Declaration = None, opener: Opener = 0,
    draft: Annotated[bool, typer.Option(help="Show the filing and who signed each field; send nothing.")] = False,
    api: Api = API, node: NodeInstead = "", token: Token = "", spool: SpoolFolder = None, open_key: OpenKey = None,
    key: OwnKey = None, passphrase_file: Pass = None, demo_seed: Seed = None, name: Name = "courier-1",
    home: HomeFolder = HOME, as_json: Json = False,
) -> None:  # fmt: skip
    """File a parcel from the inbox: nothing is keyed in again. Its house bill is noted in the book before it is sent.

    If it ended before it said what became of the parcel, run it again: it follows what it began, and files no other.
    Example: clearance courier file HB1 REF1 --dispatch US --office 40 --key courier.json --open-key courier.pem
    """
    from clients.convert.book import Book

    where, who = (api, node, token, spool), (key, passphrase_file, demo_seed, name)
    way = Way(dispatch, office, origin, mode, weight, master, declared)
    with errors(), contextlib.closing(Book(make_home(home) / "book.db")) as book:
        begun = None if draft else book.begun("parcel", house_bill)
        if begun is not None:
            with party(api, node, token, signer_of(*who), spool) as at:
                resume(at, book, "parcel", house_bill, begun, as_json=as_json)
            return
        refuse_known(book.parcel(house_bill))
        with courier_at(where, who, open_key, opener, home) as (at, courier):
            if orders:
                read_inbox(at, courier)
            items = [courier.inbox.find(each) for each in orders or ()]
            shipment = _shipment(house_bill, items, way, declare, at.now(), more=more)
            if draft:
                show_draft(shipment, courier.writer.org, as_json=as_json)
                return
            courier.file(shipment)
            open_noted(at, book, "parcel", house_bill, as_json=as_json)


def correct(
    house_bill: Annotated[str, typer.Argument(help="House bill (HBL) of the parcel.")],
    dispatch: Dispatch, office: Office,
    orders: Annotated[list[str] | None, typer.Argument(help="Orders to add; those it has are presented again.")] = None,
    parcel: Annotated[str, typer.Option(help="Id of the parcel, where the book does not know it.")] = "",
    origin: Origin = "", mode: How = "air", weight: Weight = 0, master: Master = 0, declared: Declared = False,
    more: More = False, declare: Declaration = None, opener: Opener = 0,
    api: Api = API, node: NodeInstead = "", token: Token = "", spool: SpoolFolder = None, open_key: OpenKey = None,
    key: OwnKey = None, passphrase_file: Pass = None, demo_seed: Seed = None, name: Name = "courier-1",
    home: HomeFolder = HOME, as_json: Json = False,
) -> None:  # fmt: skip
    """Correct a filed parcel (정정): the whole filing is stated anew, and checked and screened anew.

    Example: clearance courier correct HB1 --dispatch US --origin CN --office 40 --key courier.json
    """
    from clients.convert.book import Book
    from clients.courier import Filed

    where, who = (api, node, token, spool), (key, passphrase_file, demo_seed, name)
    way = Way(dispatch, office, origin, mode, weight, master, declared)
    with errors(), contextlib.closing(Book(make_home(home) / "book.db")) as book:
        noted = book.parcel(house_bill)
        if noted is None and not parcel:
            raise LedgerError("The book knows no parcel of this bill.", hint="Give its id with --parcel.")
        number = read_id(parcel) if parcel else noted.parcel  # type: ignore[union-attr]
        with courier_at(where, who, open_key, opener, home) as (at, courier):
            bound = _bound_to(at, courier, number)
            if orders:
                read_inbox(at, courier)
            added = [item for each in orders or () if (item := courier.inbox.find(each)) not in bound]
            shipment = _shipment(house_bill, bound + added, way, declare, at.now(), more=more)
            courier.parcels[house_bill] = Filed(number, shipment)
            courier.correct(shipment)
            write(at, as_json=as_json)


def _shipment(house_bill: str, items: list[Any], way: Way, declare: Path | None, now: int, *, more: bool) -> Any:
    """Put a shipment together: facts from the orders, the courier's own from the options and the declaration.

    Raises:
        LedgerError: nothing says what is in the box, or for whom.
    """
    from clients.courier import Shipment

    goods, consignee, shop = None, items[0].buyer if items else {}, str(items[0].signed_by) if items else ""
    description: tuple[str, ...] = ()
    if declare is not None:
        with reading(declare) as told:
            goods = goods_of(told) if not items or "price" in told else None
            consignee = person_of(told["consignee"]) if not items or "consignee" in told else consignee
            shop = str(told.get("shop", shop))
            description = (str(told["description"]),) if not items else ()
    elif not items:
        raise LedgerError("Nothing says what is in the box.", hint="Name its orders, or give --declare.")
    return Shipment(
        house_bill, tuple(items), way.transport(), now, shop, goods, more, description, consignee
    )  # fmt: skip


def show_draft(shipment: Any, own_org: int, *, as_json: bool) -> None:
    """Show every field of a filing with the org that signs it."""
    names = ("price", "currency", "goods_class", "quantity", "use")
    rows: list[tuple[str, str, int]] = []
    for item in shipment.orders:
        goods, org = (shipment.goods, own_org) if shipment.goods else (item.goods, item.signed_by)
        rows += [(f"{item.reference} {name}", str(int(getattr(goods, name))), org) for name in names]
        rows.append((f"{item.reference} description", item.rest["description"], item.signed_by))
    if not shipment.orders:
        rows += [(name, str(int(getattr(shipment.goods, name))), own_org) for name in names]
        rows += [("description", each, own_org) for each in shipment.description]
    rows += [
        (name, str(int(getattr(shipment.transport, name))), own_org)
        for name in ("dispatch", "origin", "mode", "office", "track", "weight", "master")
    ]
    if as_json:
        say_json({"draft": [{"field": field, "value": value, "signed_by": org} for field, value, org in rows]})
        return
    table = Table(title=Text(f"Draft of {shipment.house_bill}"), title_justify="left")
    for column in ("field", "value", "signed by org"):
        table.add_column(column)
    for field, value, org in rows:
        table.add_row(Text(field), Text(value), str(org))  # texts of others: no markup of theirs is obeyed
    out.print(table)
