"""What the holder of a number says: confirm, gift, deny, consent, freeze, thaw, consent-first; each gives a receipt.

The receipt is the authority's signature over the answer and over the stops it owes for it: whoever holds it can show
what he said and when, and `clearance audit answers` whether it stands on chain, so the authority cannot drop an answer
unseen. Consent and thaw need the signature of the holder's device; denial and freeze
carry it where the device can, else they take effect on the one-time code and are marked unsigned.
"""

from __future__ import annotations

import datetime as dt
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from eth_hash.auto import keccak

from api.gateway import Gateway
from api.identity.authority import IdentityAuthority
from api.identity.judgement import Cause
from api.problems import APIError, not_found
from ledger.answers import FRESH_SECONDS, STOP_WITHIN, AnswerReceipt, Mark, OwedStop, parcel_text, statement
from ledger.keys import LocalSigner
from ledger.store import history, people, screenings, uses
from ledger.store.database import Session
from ledger.store.tables.chain import ParcelRow
from ledger.store.tables.identity import AnswerRow, JudgedRow

ANSWERS: Final = ("confirmed", "gift", "denied", "consented")
NEEDS_DEVICE: Final = frozenset({"consented", "thawed", "consent_first", "no_consent_first"})
MAX_THAW: Final = dt.timedelta(days=90)
BEHIND_RETRY: Final = 30
"""Seconds after which a holder tries again while the read model is made anew."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A signed-in holder of a number, with the public key of his device if one was bound."""

    person: bytes
    device: bytes | None
    csrf: str


@dataclass(frozen=True, slots=True)
class Said:
    """How an answer was said: the device's signature, and time and nonce of the statement it signed."""

    signature: bytes | None = None
    at: int | None = None
    nonce: str | None = None

    def mark(self, now: dt.datetime) -> Mark:
        """Return time and nonce of the statement: as the device gave them, else fresh ones for what nobody signed.

        Raises:
            APIError: a signature comes without them.
        """
        if self.at is None or self.nonce is None:
            if self.signature is not None:
                raise APIError("api.malformed", "A signature comes with at and nonce.", hint="Send all three.")
            return Mark(int(now.timestamp()), secrets.token_hex(16))
        return Mark(self.at, self.nonce)


class Answers:
    """Takes answers. Each commits with all that follows from it."""

    def __init__(self, gateway: Gateway, authority: IdentityAuthority, signer: LocalSigner) -> None:
        """Take the gateway, the authority that acts on answers, and the key that signs receipts."""
        self._gateway, self._authority, self._signer = gateway, authority, signer

    @property
    def signed_by(self) -> str:
        """Address of the key that signs receipts, 0x and 40 digits."""
        return "0x" + self._signer.address.hex()

    def about_use(self, holder: Holder, identifier: str, what: str, said: Said) -> AnswerRow:
        """Take an answer about one use.

        Raises:
            APIError: not his use, too late, a signature that is needed is missing or wrong, or a consent while the read
                model is made anew.
        """
        if what not in ANSWERS:
            raise APIError("api.malformed", "No such answer.", hint=f"Answer {', '.join(ANSWERS)}.")
        now = self._gateway.chain_now()
        with self._gateway.database.write() as session:
            people.person(session, holder.person)
            found = uses.one(session, holder.person, identifier)
            if found is None:
                raise not_found()
            use, parcel = found
            mark = said.mark(self._gateway.now())
            text = statement(what, identifier, mark, {"parcel": parcel_text(use.parcel)})
            if kept := self._kept(session, holder, what, text, mark, said):
                return kept
            if use.answer == "denied" and what != "denied":
                raise APIError(
                    "api.conflict", "You said that it is not yours; customs is looking into it.",
                    hint="Tell customs if you were wrong.",
                )  # fmt: skip
            if what == "consented":
                _check_whole(session)
            is_new = use.answer != what
            use.answer = what
            use.consented = use.consented or what == "consented"
            session.add(use)
            stops = []
            if what == "denied":
                history.forget(session, [use.parcel])
                # a read model that is made anew has no row yet; the chain takes a stop in any state of the parcel
                if parcel is None or parcel.released_at is None:
                    stops = [self._authority.stop(session, use.parcel, f"denied {identifier}", Cause.DENIED, now)]
                elif is_new:
                    screenings.count_denied(session, parcel.id)  # it has left: who declared it is looked at from now on
            if what == "consented" and parcel is not None:
                _judge_again(session, parcel, now)
            return self._keep(session, holder, what, identifier, text, said, now, stops)

    def freeze(self, holder: Holder, exempt: list[str], said: Said) -> AnswerRow:
        """Freeze the number (사용 정지): parcels under way are stopped, all but those let through.

        Raises:
            APIError: an exemption is none of his parcels under way, the signature is wrong, or the read model is made
                anew: it does not tell yet which parcels are under way.
        """
        now = self._gateway.chain_now()
        with self._gateway.database.write() as session:
            person = people.person(session, holder.person)
            named = uses.some(session, holder.person, exempt)
            if len(named) != len(set(exempt)):
                raise not_found()
            let = sorted(parcel_text(use.parcel) for use in named)
            mark = said.mark(self._gateway.now())
            text = statement("frozen", "number", mark, {"exempt": let})
            if kept := self._kept(session, holder, "frozen", text, mark, said):
                return kept
            _check_whole(session)
            moving = uses.under_way(session, holder.person)
            if not {use.id for use in named} <= {use.id for use, _ in moving}:
                raise not_found()
            person.state, person.thawed_until = "frozen", None
            session.add(person)
            name, stops = answer_id(holder, text), []
            for use, _ in moving:
                use.exempt = use.id in exempt
                session.add(use)
                if not use.exempt:
                    stops.append(self._authority.stop(session, use.parcel, f"frozen {name}", Cause.FROZEN, now))
            return self._keep(session, holder, "frozen", "number", text, said, now, stops)

    def thaw(self, holder: Holder, until: dt.datetime, said: Said) -> AnswerRow:
        """Let the number be used until a moment, never for ever. A thaw clears nothing by itself.

        Raises:
            APIError: no device's signature, or a moment that is past or too far.
        """
        moment = until.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        mark = said.mark(self._gateway.now())
        text = statement("thawed", "number", mark, {"until": moment})
        now = self._gateway.chain_now()
        with self._gateway.database.write() as session:
            person = people.person(session, holder.person)
            if kept := self._kept(session, holder, "thawed", text, mark, said):
                return kept
            if not now < until <= now + MAX_THAW:
                raise APIError("api.malformed", "A thaw ends within 90 days.", hint="Choose a day within that time.")
            person.state, person.thawed_until = "thawed", until
            session.add(person)
            return self._keep(session, holder, "thawed", "number", text, said, now)

    def consent_first(self, holder: Holder, said: Said, *, on: bool) -> AnswerRow:
        """Have nothing cleared that the holder has not agreed to, or take that back.

        Raises:
            APIError: no device's signature, or it is taken back while the read model is made anew.
        """
        what = "consent_first" if on else "no_consent_first"
        mark = said.mark(self._gateway.now())
        text = statement(what, "number", mark)
        now = self._gateway.chain_now()
        with self._gateway.database.write() as session:
            person = people.person(session, holder.person)
            if kept := self._kept(session, holder, what, text, mark, said):
                return kept
            if not on:
                _check_whole(session)
            person.consent_first = on
            session.add(person)
            for _, parcel in uses.under_way(session, holder.person):
                if parcel is not None and not on:
                    _judge_again(session, parcel, now)
            return self._keep(session, holder, what, "number", text, said, now)

    def _kept(
        self, session: Session, holder: Holder, what: str, text: str, mark: Mark, said: Said
    ) -> AnswerRow | None:  # fmt: skip
        """Return the answer that this very statement got before: said again, it changes nothing. Else None.

        Raises:
            APIError: the signature is wrong or missing, or the statement is not of now.
        """
        check_signature(holder, what, text, said.signature)
        row = uses.answer_of(session, answer_id(holder, text), holder.person)
        if row is not None:
            session.expunge(row)
        elif abs(mark.at - self._gateway.now().timestamp()) > FRESH_SECONDS:
            raise APIError(
                "identity.signature", "The statement is not of now.", hint="Set the device's clock, and say it again."
            )
        return row

    def _keep(
        self, session: Session, holder: Holder, what: str, about: str, text: str, said: Said, now: dt.datetime,
        stops: Sequence[OwedStop] = (),
    ) -> AnswerRow:  # fmt: skip
        at = int(now.timestamp())
        receipt = AnswerReceipt(text, at, said.signature, tuple(stops), at + STOP_WITHIN if stops else 0)
        receipt = replace(receipt, signature=self._signer.sign_digest(receipt.digest(self._gateway.genesis.domain)))
        row = AnswerRow(
            id=answer_id(holder, text), person=holder.person, what=what, about=about, statement=text,
            signed=said.signature is not None, signature=said.signature, receipt=json.dumps(receipt.as_dict()), at=now,
        )  # fmt: skip
        session.add(row)
        session.flush()
        session.refresh(row)
        session.expunge(row)
        self._gateway.bells.answered.ring()
        return row


def answer_id(holder: Holder, text: str) -> str:
    """Return the id of the answer that a holder gives by a statement: said again, it is the same answer."""
    return "ans_" + keccak(holder.person + text.encode())[:12].hex()


def _check_whole(session: Session) -> None:
    """Check that the read model tells what became of every parcel that was judged.

    Raises:
        APIError: it is being made anew.
    """
    if uses.is_read_model_behind(session):
        raise APIError(
            "projection.behind", "The parcels are being read from the chain anew.",
            hint="Try again as Retry-After says. That a parcel is not yours you can say at once.",
            retry_after=BEHIND_RETRY,
        )  # fmt: skip


def _judge_again(session: Session, parcel: ParcelRow, now: dt.datetime) -> None:
    judged = session.get(JudgedRow, parcel.filing) if parcel.filing else None
    if judged is not None and judged.outcome == "waiting":
        judged.retry_at = now
        session.add(judged)


def check_signature(holder: Holder, what: str, text: str, signature: bytes | None) -> None:
    """Check a device's signature (ECDSA P-256, SHA-256, r and s as WebCrypto gives them), where there is one.

    Raises:
        APIError: it is wrong, or it is missing where it is needed.
    """
    if signature is None:
        if what in NEEDS_DEVICE:
            raise APIError(
                "identity.device-needed", "This needs the signature of your device.",
                hint="Turn JavaScript on and sign in again, or use the clearance buyer command.",
            )  # fmt: skip
        return
    wrong = APIError("identity.signature", "The device's signature is not valid.", hint="Sign in again on this device.")
    if holder.device is None or len(signature) != 64:
        raise wrong
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), holder.device)
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        key.verify(encode_dss_signature(r, s), text.encode(), ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError) as error:
        raise wrong from error
