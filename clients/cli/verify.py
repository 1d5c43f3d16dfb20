"""`clearance verify`: checks a clearance certificate offline; exit 0 it holds, 1 it does not, 2 usage.

`clearance courier|seller|buyer certificate` fetch one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table

from clients.cli.buyer import Lang
from clients.cli.buyer_shown import korean_time
from clients.cli.buyer_texts import Words
from clients.cli.console import FINDING, USAGE, fail, out, say_json
from clients.cli.session import Json
from ledger.domain.error_texts import ERROR_TEXTS
from ledger.domain.errors import LedgerError
from ledger.domain.findings import FINDING_TEXTS, Finding, Sentence

if TYPE_CHECKING:
    from ledger.certificate import Certificate
    from ledger.trust import Trust

TEXTS: Final[dict[str, Sentence]] = {
    "holds": Sentence("통관 증명이 맞습니다.", "The certificate holds."),
    "fails": Sentence("통관 증명이 맞지 않습니다", "The certificate does not hold"),
    "parcel": Sentence("화물", "parcel"),
    "clearance": Sentence("통관 상태", "clearance"),
    "decided": Sentence("결정", "decided"),
    "by.rule": Sentence("규칙에 따라 계약이 자동으로", "by rule: the contract, no person looked"),
    "by.officer": Sentence("세관 담당자", "by an officer of customs"),
    "by.nobody": Sentence("아직 결정 없음", "not yet"),
    "also": Sentence("함께 적힌 것", "also"),
    "findings": Sentence("확인 사유", "findings"),
    "none": Sentence("없음", "none"),
    "filing": Sentence("신고", "filing"),
    "block": Sentence("블록", "at block"),
    "sealed": Sentence("봉인", "sealed by"),
    "countersigned": Sentence("함께 서명", "countersigned by"),
    "chain": Sentence("체인", "chain"),
    "demo": Sentence("시험용, 누구나 서명할 수 있음", "a demo: anybody can sign there"),
    "digest": Sentence("증명의 해시", "digest"),
    "not": Sentence("증명하지 않는 것", "does not prove"),
    "later": Sentence("이 블록 뒤에 일어난 일", "what happened later"),
    "declared": Sentence("신고된 내용이 사실인지", "that what was declared is true"),
    "STOP_OPEN": Sentence("명의 확인으로 정지됨", "stopped: the number's use is in question"),
    "HELD": Sentence("보류됨", "held by customs"),
    "INSPECTING": Sentence("검사 중", "under inspection"),
    "RELEASED": Sentence("반출됨", "released from the yard"),
}
ALSO: Final = ("STOP_OPEN", "HELD", "INSPECTING", "RELEASED")
"""Bits of the status that people must know beside the clearance."""


def verify(
    proof: Annotated[Path, typer.Argument(metavar="PROOF", help="The certificate, a JSON file.")],
    trust: Annotated[Path, typer.Option(help="Trust file, once from somebody you trust.")],
    demo: Annotated[bool, typer.Option("--demo", help="Take a demo chain too, whose keys are public.")] = False,
    lang: Lang = "",
    as_json: Json = False,
) -> None:
    """Check a clearance certificate without node, gateway or network.

    Example: clearance verify certificate.json --trust trust.json
    """
    from ledger.certificate import Certificate
    from ledger.certificate import verify as check
    from ledger.trust import MOST_BYTES, Trust

    text = read(proof, MOST_BYTES + 1)
    try:
        trusted = Trust.loads(read(trust, MOST_BYTES))
        if not demo:
            trusted.for_real()
    except LedgerError as error:
        fail(error, USAGE)
    say = Words(lang)
    try:
        certificate = Certificate.loads(text)
        check(certificate, trusted)
    except LedgerError as error:
        if as_json:
            say_json({"verified": False, "error": error.as_dict()})
            raise typer.Exit(FINDING) from error
        out.print(f"[red]FAIL[/red] {say.of(TEXTS['fails'])}: {say.of(ERROR_TEXTS[error.code])}", highlight=False)
        fail(error)
    if as_json:
        say_json(told(certificate, trusted))
    else:
        show(certificate, trusted, say)


def read(path: Path, most: int) -> bytes:
    """Return up to so many bytes of a file; end the command if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        fail(LedgerError(f"{path}: {error.strerror}.", hint="Check the path."), USAGE)


def told(certificate: Certificate, trust: Trust) -> dict[str, Any]:
    """Return what a certificate that holds says, for machines."""
    document = certificate.as_dict()
    return {
        "verified": True,
        "demo": trust.demo,
        "parcel": document["parcel"],
        "filing": document["filing"],
        **document["says"],
        "sealed_by": "0x" + trust.sealer.hex(),
        "countersigned_by": [
            {"follower": head["follower"], "height": head["height"]}
            for head in document["countersigned"]["heads"]
            if bytes.fromhex(head["follower"][2:]) in trust.followers
        ],
        "digest": "0x" + certificate.digest.hex(),
    }


def show(certificate: Certificate, trust: Trust, say: Words) -> None:
    """Show what a certificate that holds says, and what it does not prove."""
    found = told(certificate, trust)
    rows = [
        *((("chain", say.of(TEXTS["demo"])),) if trust.demo else ()),
        ("parcel", found["parcel"]),
        ("clearance", say.status(found["clearance"])),
        ("decided", say.of(TEXTS[f"by.{found['decided_by'] or 'nobody'}"])),
        *(("also", say.of(TEXTS[name])) for name in ALSO if name in found["status"]),
        *(("findings", say.of(FINDING_TEXTS[Finding[name]])) for name in found["findings"] or ()),
        *(() if found["findings"] else (("findings", say.of(TEXTS["none"])),)),
        ("filing", f"{found['filing']} ({found['generation']})" if found["filing"] else say.of(TEXTS["none"])),
        ("block", f"{found['height']}, {korean_time(found['time'])} ({say('kst')})"),
        ("sealed", found["sealed_by"]),
        *(("countersigned", f"{each['follower']} ({each['height']})") for each in found["countersigned_by"]),
        ("not", say.of(TEXTS["later"])),
        ("not", say.of(TEXTS["declared"])),
        ("digest", found["digest"]),
    ]
    table = Table(title=say.of(TEXTS["holds"]), title_justify="left", show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    before = ""
    for name, value in rows:
        table.add_row("" if name == before else say.of(TEXTS[name]), value)
        before = name
    out.print(table)
