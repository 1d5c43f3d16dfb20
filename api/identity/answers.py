"""What the holder of a number says: confirm, gift, deny, consent, freeze, thaw, consent-first; each gives a receipt.

The receipt is the authority's signature over the answer: whoever holds it can show what he said and when, so the
authority cannot drop an answer unseen. Consent and thaw need the signature of the holder's device; denial and freeze
carry it where the device can, else they take effect on the one-time code and are marked unsigned.
"""

from __future__ import annotations

import datetime as dt
import json
import secrets
from dataclasses import dataclass
from typing import Any, Final

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from eth_hash.auto import keccak

from api.gateway import Gateway
from api.identity.authority import IdentityAuthority
from api.identity.judgement import Cause
from api.problems import APIError, not_found
from ledger.chain.batch import Signer
from ledger.store import history, people, screenings, uses
from ledger.store.database import Session
from ledger.store.tables.chain import ParcelRow
from ledger.store.tables.identity import AnswerRow, JudgedRow

ANSWERS: Final = ("confirmed", "gift", "denied", "consented")
NEEDS_DEVICE: Final = frozenset({"consented", "thawed", "consent_first", "no_consent_first"})
MAX_THAW: Final = dt.timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Holder:
    """A signed-in holder of a number, with the public key of his device if one was bound."""

    person: bytes
    device: bytes | None
    csrf: str


def statement(what: str, about: str, details: dict[str, Any] | None = None) -> str:
    """Return what a device signs: canonical JSON (RFC 8785), the same in browser, SDK and here."""
    return rfc8785.dumps({"statement": "clearance.answer/v1", "what": what, "about": about} | (details or {})).decode()


class Answers:
    """Takes answers. Each commits with all that follows from it."""

    def __init__(self, gateway: Gateway, authority: IdentityAuthority, signer: Signer) -> None:
        """Take the gateway, the authority that acts on answers, and the key that signs receipts."""
        self._gateway, self._authority, self._signer = gateway, authority, signer

    def about_use(self, holder: Holder, identifier: str, what: str, signature: bytes | None) -> AnswerRow:
        """Take an answer about one use.

        Raises:
            APIError: not his use, too late, or a signature that is needed is missing or wrong.
        """
        if what not in ANSWERS:
            raise APIError("api.malformed", "No such answer.", hint=f"Answer {', '.join(ANSWERS)}.")
        text = statement(what, identifier)
        signed = check_signature(holder, what, text, signature)
        now = self._gateway.chain_now()
        with self._gateway.database.write() as session:
            people.person(session, holder.person)
            found = uses.one(session, holder.person, identifier)
            if found is None:
                raise not_found()
            use, parcel = found
            if use.answer == "denied" and what != "denied":
                raise APIError(
                    "api.conflict", "You said that it is not yours; customs is looking into it.",
                    hint="Tell customs if you were wrong.",
                )  # fmt: skip
            is_new = use.answer != what
            use.answer = what
            use.consented = use.consented or what == "consented"
            session.add(use)
            if what == "denied":
                history.forget(session, [use.parcel])
            if what == "denied" and parcel is not None and parcel.released_at is None:
                self._authority.stop(session, parcel, f"denied {identifier}", Cause.DENIED, now)
            elif what == "denied" and parcel is not None and is_new:
                screenings.count_denied(session, parcel.id)  # it has left: who declared it is looked at from now on
            if what == "consented" and parcel is not None:
                _judge_again(session, parcel, now)
            return self._keep(session, holder, what, identifier, text, signed, signature, now)

    def freeze(self, holder: Holder, exempt: list[str], signature: bytes | None) -> AnswerRow:
        """Freeze the number (사용 정지): parcels under way are stopped, all but those let through.

        Raises:
            APIError: an exemption is none of his parcels, or the signature is wrong.
        """
        text = statement("frozen", "number", {"exempt": sorted(exempt)})
        signed = check_signature(holder, "frozen", text, signature)
        now = self._gateway.chain_now()
        with self._gateway.database.write() as session:
            person = people.person(session, holder.person)
            moving = uses.under_way(session, holder.person)
            if not set(exempt) <= {use.id for use, _ in moving}:
                raise not_found()
            person.state, person.thawed_until = "frozen", None
            session.add(person)
            row = self._keep(session, holder, "frozen", "number", text, signed, signature, now)
            for use, parcel in moving:
                use.exempt = use.id in exempt
                session.add(use)
                if parcel is not None and not use.exempt:
                    self._authority.stop(session, parcel, f"frozen {row.id}", Cause.FROZEN, now)
            return row

    def thaw(self, holder: Holder, until: dt.datetime, signature: bytes | None) -> AnswerRow:
        """Let the number be used until a moment, never for ever. A thaw clears nothing by itself.

        Raises:
            APIError: no device's signature, or a moment that is past or too far.
        """
        moment = until.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        text = statement("thawed", "number", {"until": moment})
        signed = check_signature(holder, "thawed", text, signature)
        now = self._gateway.chain_now()
        if not now < until <= now + MAX_THAW:
            raise APIError("api.malformed", "A thaw ends within 90 days.", hint="Choose a day within that time.")
        with self._gateway.database.write() as session:
            person = people.person(session, holder.person)
            person.state, person.thawed_until = "thawed", until
            session.add(person)
            return self._keep(session, holder, "thawed", "number", text, signed, signature, now)

    def consent_first(self, holder: Holder, signature: bytes | None, *, on: bool) -> AnswerRow:
        """Have nothing cleared that the holder has not agreed to, or take that back.

        Raises:
            APIError: no device's signature.
        """
        what = "consent_first" if on else "no_consent_first"
        text = statement(what, "number")
        signed = check_signature(holder, what, text, signature)
        now = self._gateway.chain_now()
        with self._gateway.database.write() as session:
            person = people.person(session, holder.person)
            person.consent_first = on
            session.add(person)
            for _, parcel in uses.under_way(session, holder.person):
                if parcel is not None and not on:
                    _judge_again(session, parcel, now)
            return self._keep(session, holder, what, "number", text, signed, signature, now)

    def _keep(
        self, session: Session, holder: Holder, what: str, about: str, text: str, signed: bool,
        signature: bytes | None, now: dt.datetime,
    ) -> AnswerRow:  # fmt: skip
        at = int(now.timestamp())
        digest = keccak(text.encode())
        seal = self._signer.sign_digest(self._gateway.genesis.domain.answer_digest(digest, at, signed=signed))
        receipt = {
            "type": "Answer",
            "statement": text,
            "digest": "0x" + digest.hex(),
            "at": at,
            "signed_by_buyer": signed,
            "signature": "0x" + seal.hex(),
        }
        row = AnswerRow(
            id="ans_" + secrets.token_hex(12), person=holder.person, what=what, about=about, statement=text,
            signed=signed, signature=signature if signed else None, receipt=json.dumps(receipt), at=now,
        )  # fmt: skip
        session.add(row)
        session.flush()
        session.refresh(row)
        session.expunge(row)
        self._gateway.bells.answered.ring()
        return row


def _judge_again(session: Session, parcel: ParcelRow, now: dt.datetime) -> None:
    judged = session.get(JudgedRow, parcel.filing) if parcel.filing else None
    if judged is not None and judged.outcome == "waiting":
        judged.retry_at = now
        session.add(judged)


def check_signature(holder: Holder, what: str, text: str, signature: bytes | None) -> bool:
    """Check a device's signature (ECDSA P-256, SHA-256, r and s as WebCrypto gives them); return whether there is one.

    Raises:
        APIError: it is wrong, or it is missing where it is needed.
    """
    if signature is None:
        if what in NEEDS_DEVICE:
            raise APIError(
                "identity.device-needed", "This needs the signature of your device.",
                hint="Turn JavaScript on and sign in again, or use the clearance buyer command.",
            )  # fmt: skip
        return False
    wrong = APIError("identity.signature", "The device's signature is not valid.", hint="Sign in again on this device.")
    if holder.device is None or len(signature) != 64:
        raise wrong
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), holder.device)
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        key.verify(encode_dss_signature(r, s), text.encode(), ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError) as error:
        raise wrong from error
    return True
