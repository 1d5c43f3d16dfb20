"""`clearance courier|seller certificate`: fetches the clearance certificate of a parcel from the gateway."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from clients.cli.console import errors, out
from clients.cli.listen import Name, OwnKey, Seed, signer_of
from clients.cli.session import API, Api, Pass, read_id
from ledger.domain.errors import LedgerError

Subject = Annotated[str, typer.Argument(metavar="PARCEL", help="Id of the parcel, 0x and 64 digits.")]
Out = Annotated[Path, typer.Option("--out", help="Where to write the certificate.")]


def of_courier(
    subject: Subject, file: Out,
    api: Api = API, key: OwnKey = None, passphrase_file: Pass = None, demo_seed: Seed = None, name: Name = "courier-1",
) -> None:  # fmt: skip
    """Fetch the clearance certificate of a parcel from the gateway; check it with `clearance verify`.

    Example: clearance courier certificate 0x1f... --out certificate.json --key courier.json
    """
    fetch(subject, file, api, (key, passphrase_file, demo_seed, name))


def fetch(subject: str, file: Path, api: str, who: tuple[Any, ...]) -> None:
    """Fetch a certificate by a member's key and write it."""
    from clients.cli.party import party

    with errors():
        number = read_id(subject)
        with party(api, "", "", signer_of(*who)) as at:
            keep(file, at.gate.call(at.client.certificate(number)))


def keep(file: Path, certificate: Any) -> None:
    """Write a certificate, and say which block it shows.

    Raises:
        LedgerError: it cannot be written.
    """
    told = certificate.as_dict()
    try:
        file.write_text(json.dumps(told, indent=1) + "\n")
    except OSError as error:
        raise LedgerError(f"{file}: {error.strerror}.", hint="Give another file with --out.") from error
    out.print(f"{file} shows block {told['says']['height']}", highlight=False, soft_wrap=True)
