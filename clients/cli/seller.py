"""`clearance seller ...`: what a shop or marketplace does by its own key, through the gateway or straight at a node."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from clients.cli import certificates
from clients.cli.console import errors
from clients.cli.declared import goods_of, person_of, reading
from clients.cli.desk import make_home
from clients.cli.listen import Seed, signer_of
from clients.cli.party import party, write
from clients.cli.session import API, Api, Json, NodeInstead, Pass, SpoolFolder, Token
from ledger.domain.errors import LedgerError

app = typer.Typer(no_args_is_help=True, help="The seller: record orders, hand them to couriers.")

File = Annotated[
    Path,
    typer.Argument(
        help="JSON: reference, price, currency, goods_class, quantity, use, description, hs6, courier (org), buyer."
    ),
]
OwnKey = Annotated[Path | None, typer.Option("--key", envvar="CLEARANCE_KEY", help="Keystore of the shop's key.")]
Name = Annotated[str, typer.Option("--as", help="Demo chains: which shop.")]
HomeFolder = Annotated[
    Path,
    typer.Option("--home", envvar="CLEARANCE_SELLER_HOME", help="Folder of the shop's secret and its list of orders."),
]
HOME: Final = Path(".clearance/seller")
SECRET_BYTES: Final = 32


class Records:
    """What a shop must keep to hand an order on: its secret, and when each reference was recorded. Nothing personal."""

    def __init__(self, home: Path) -> None:
        """Use a folder; it and the secret are made if missing.

        Raises:
            LedgerError: it cannot be used.
        """
        self._list = make_home(home) / "orders.jsonl"
        with contextlib.suppress(FileExistsError):
            _write_private(home / "secret", os.urandom(SECRET_BYTES), os.O_EXCL)
        self.secret = (home / "secret").read_bytes()
        if len(self.secret) != SECRET_BYTES:
            raise LedgerError(f"{home / 'secret'} is no secret.", hint="Put the copy of it back.")

    def noted(self, reference: str) -> Iterator[dict[str, Any]]:
        """Yield what was recorded under a reference."""
        if self._list.exists():
            for line in self._list.read_text().splitlines():
                told = json.loads(line)
                if told["reference"] == reference:
                    yield told

    def note(self, reference: str, order: int, ordered_at: int) -> None:
        """Note an order, before it is sent: sent again it is the same order."""
        told = {"reference": reference, "order": f"0x{order:064x}", "ordered_at": ordered_at}
        _write_private(self._list, json.dumps(told).encode() + b"\n", os.O_APPEND)


def _write_private(path: Path, data: bytes, how: int) -> None:
    number = os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o600)
    with os.fdopen(number, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def _shop(file: Path, home: Path, where: tuple[Any, ...], who: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """Open the way to the ledger and read the sale; yield party, records, sale and what was noted of it."""
    from clients.seller import Sale

    api, node, token, spool = where
    records = Records(home)
    with party(api, node, token, signer_of(*who), spool) as at:
        if at.payloads is None:
            raise LedgerError("At a node, payloads go into a folder.", hint="Give it with --spool, or use --api.")
        with reading(file) as told:
            noted = list(records.noted(told["reference"]))
            ordered_at = noted[0]["ordered_at"] if noted else at.now()
            sale = Sale(
                str(told["reference"]), goods_of(told), str(told["description"]), str(told["hs6"]), ordered_at,
                int(told["courier"]), person_of(told["buyer"]),
            )  # fmt: skip
        yield at, records, sale, noted


@app.command("order")
def seller_order(
    file: File, api: Api = API, node: NodeInstead = "", token: Token = "", spool: SpoolFolder = None,
    key: OwnKey = None, passphrase_file: Pass = None, demo_seed: Seed = None, name: Name = "shop-01",
    home: HomeFolder = HOME, as_json: Json = False,
) -> None:  # fmt: skip
    """Record an order and hand it to its courier; the buyer's data travels encrypted.

    Running it again with the same file is safe: it is the same order, which the ledger takes once; it says that the
    order stands already. Another courier in the file changes nothing: see `reassign`.
    Example: clearance seller order order.json --key shop.json --api https://gateway.example
    """
    from clients.seller import Seller

    who = (key, passphrase_file, demo_seed, name)
    with errors(), _shop(file, home, (api, node, token, spool), who) as (at, records, sale, _):
        seller = Seller(at.writer, records.secret, at.payloads, at.public(sale.courier))
        records.note(sale.reference, seller.order(sale), sale.ordered_at)
        seller.record(sale, at.readers)
        write(at, as_json=as_json)


@app.command("reassign")
def seller_reassign(
    file: File,
    to: Annotated[int, typer.Option(min=1, help="Org of the courier that carries it now.")],
    api: Api = API, node: NodeInstead = "", token: Token = "", spool: SpoolFolder = None,
    key: OwnKey = None, passphrase_file: Pass = None, demo_seed: Seed = None, name: Name = "shop-01",
    home: HomeFolder = HOME, as_json: Json = False,
) -> None:  # fmt: skip
    """Hand an order that no parcel has used yet to another courier, its data sealed anew; the file is that of `order`.

    Example: clearance seller reassign order.json --to 19 --key shop.json --api https://gateway.example
    """
    from clients.seller import Seller

    who = (key, passphrase_file, demo_seed, name)
    with errors(), _shop(file, home, (api, node, token, spool), who) as (at, records, sale, noted):
        seller = Seller(at.writer, records.secret, at.payloads, at.public(to))
        if f"0x{seller.order(sale):064x}" not in [each["order"] for each in noted]:
            raise LedgerError(
                "No order with these facts was recorded from here.",
                hint="Give the file it was recorded with, and --home.",
            )
        seller.reassign(replace(sale, courier=to), at.readers, at.now())
        write(at, as_json=as_json)


@app.command("certificate")
def seller_certificate(
    subject: certificates.Subject, file: certificates.Out,
    api: Api = API, key: OwnKey = None, passphrase_file: Pass = None, demo_seed: Seed = None, name: Name = "shop-01",
) -> None:  # fmt: skip
    """Fetch the clearance certificate of a parcel that one of my orders is in; check it with `clearance verify`.

    Example: clearance seller certificate 0x1f... --out certificate.json --key shop.json
    """
    certificates.fetch(subject, file, api, (key, passphrase_file, demo_seed, name))
