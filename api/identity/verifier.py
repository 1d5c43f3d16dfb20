"""Asks whether a number, a name and a telephone belong together: the own register, or UNI-PASS API028.

Three answers only: checked, mismatch, unknown. A fault of the service (tCnt -1), no answer, or one that cannot be read
is unknown: it says nothing of the person, and the filing waits to be asked about again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

import httpx

from ledger.domain.errors import InvalidPCCC, LedgerError
from ledger.domain.identifiers import PCCC
from ledger.store import people
from ledger.store.database import Database
from ledger.store.people import Registered
from ledger.store.sealing import Seals
from ledger.unipass.errors import ProgressFault, ProgressRefused
from ledger.unipass.identity import KEY, NAME, NUMBER, PATH, PHONE, POSTCODE, Reason, read_number_answer

log = logging.getLogger("clearance.verifier")

TIMEOUT: Final = 2.0
"""Seconds that one step of a call may take: connecting, and each piece of the answer."""
LONGEST: Final = 3.0
"""Seconds that a whole answer may take."""
ATTEMPTS: Final = 2
PAUSE: Final = 0.1
PATIENCE: Final = 4.0
"""Seconds after which no further call of a round is begun; the rest stays unknown and is asked in the next."""
AT_ONCE: Final = 8
MAX_ANSWER: Final = 65_536


class Outcome(StrEnum):
    """What comes of asking."""

    CHECKED = "checked"
    MISMATCH = "mismatch"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the register says of a claim; reasons go with a mismatch."""

    outcome: Outcome
    reasons: tuple[Reason, ...] = ()


CHECKED: Final = Answer(Outcome.CHECKED)
UNKNOWN: Final = Answer(Outcome.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Claim:
    """A number and whose it is said to be. Personal: it is in no repr."""

    number: str = field(repr=False)
    name: str = field(repr=False)
    phone: str = field(repr=False)
    postcode: str = field(repr=False, default="")


class Verifier(Protocol):
    """A register that can be asked."""

    def verify(self, claims: Sequence[Claim]) -> list[Answer]:
        """Answer each claim, in their order. It never raises for what a register or the way to it does."""
        ...


def answer_of(holder: Registered | None, claim: Claim) -> Answer:
    """Answer a claim from what a register holds under its number; all that is claimed must match."""
    if holder is None:
        return Answer(Outcome.MISMATCH, (Reason.NOT_FOUND,))
    if not holder.has_name(claim.name):
        return Answer(Outcome.MISMATCH, (Reason.NAME,))
    if not holder.has_phone(claim.phone):
        return Answer(Outcome.MISMATCH, (Reason.PHONE,))
    if claim.postcode and holder.zip and claim.postcode != holder.zip:
        return Answer(Outcome.MISMATCH, (Reason.POSTCODE,))
    return Answer(Outcome.MISMATCH, (Reason.SUSPENDED,)) if holder.retired else CHECKED


class OwnRegister:
    """The register in the authority's own database."""

    def __init__(self, database: Database, seals: Seals) -> None:
        """Take the database and its keys."""
        self._database, self._seals = database, seals

    def verify(self, claims: Sequence[Claim]) -> list[Answer]:
        """Answer each claim."""
        with self._database.read() as session:
            found = people.holders(session, self._seals, [claim.number for claim in claims])
        return [answer_of(found.get(claim.number), claim) for claim in claims]


class UnipassRegister:
    """UNI-PASS API028 (수입신고 개인통관고유부호 검증) over HTTP."""

    def __init__(self, url: str, key: str, *, timeout: float = TIMEOUT, patience: float = PATIENCE) -> None:
        """Take the address before `/ext/rest`, the key of the API, and how many seconds to wait.

        Raises:
            LedgerError: no http address.
        """
        if not url.startswith(("https://", "http://")):
            raise LedgerError("The verifier's address is no http address.", hint="Give https://HOST:PORT.")
        self._key, self._patience = key, patience
        self._http = httpx.Client(
            base_url=url.rstrip("/"), timeout=timeout, trust_env=False, follow_redirects=False,
            limits=httpx.Limits(max_connections=AT_ONCE),
        )  # fmt: skip
        # httpx logs addresses at INFO, and the number stands in them
        logging.getLogger("httpx").setLevel(logging.WARNING)
        self._workers = ThreadPoolExecutor(AT_ONCE, "verifier")

    def verify(self, claims: Sequence[Claim]) -> list[Answer]:
        """Answer each claim, some at once; what is not begun within the patience stays unknown."""
        end = time.monotonic() + self._patience
        return list(self._workers.map(lambda claim: self._one(claim, end), claims))

    def close(self) -> None:
        """Close every connection."""
        self._workers.shutdown()
        self._http.close()

    def _one(self, claim: Claim, end: float) -> Answer:
        try:
            fields = self._fields(claim)
        except InvalidPCCC:
            return Answer(Outcome.MISMATCH, (Reason.NOT_FOUND,))
        for attempt in range(ATTEMPTS):
            if time.monotonic() >= end:
                break
            if attempt:
                time.sleep(PAUSE)
            try:
                found = read_number_answer(self._asked(fields))
            except (httpx.HTTPError, ProgressFault, ProgressRefused) as error:
                log.warning("the register gave no answer: %s", type(error).__name__)  # its text may hold the number
                continue
            return CHECKED if found.matches else Answer(Outcome.MISMATCH, found.reasons)
        return UNKNOWN

    def _fields(self, claim: Claim) -> dict[str, str]:
        fields = {
            KEY: self._key,
            NUMBER: PCCC.parse(claim.number).value,
            NAME: claim.name,
            PHONE: "".join(letter for letter in claim.phone if letter.isdigit()),
        }
        return fields | ({POSTCODE: claim.postcode} if claim.postcode else {})

    def _asked(self, fields: Mapping[str, str]) -> bytes:
        """Return the bytes of an answer.

        Raises:
            httpx.HTTPError: none, or a broken one.
            ProgressFault: of another status, too long, or too slow.
        """
        end, read = time.monotonic() + LONGEST, bytearray()
        with self._http.stream("GET", PATH, params=fields) as response:
            if response.status_code != httpx.codes.OK:
                raise ProgressFault(f"Status {response.status_code}.", hint="Ask again later.")
            for piece in response.iter_bytes():
                read += piece
                if len(read) > MAX_ANSWER or time.monotonic() > end:
                    raise ProgressFault("The answer is too long or too slow.", hint="Ask again later.")
        return bytes(read)
