"""Holders of a number sign in by a one-time code sent to the telephone of the register.

Whether the number exists and the telephone fits shows in nothing that comes back: not in the answer, not in its time
(both ways make a code and write a row), only in whether a message arrives.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec

from api.gateway import Gateway
from api.identity import familiar
from api.identity.answers import Holder
from api.problems import APIError
from ledger.domain.errors import InvalidPCCC
from ledger.store import buyers, people
from ledger.store.sealing import Seals

log = logging.getLogger("clearance.codes")


class CodeSender(Protocol):
    """Sends a code to a telephone of the register."""

    def send(self, phone: str, code: str) -> None:
        """Send it."""
        ...


class LogSender:
    """Writes codes to the log: for demos only, where all people are made up."""

    def __init__(self) -> None:
        """Keep the newest code by telephone, for the demo's own clients."""
        self.newest: dict[str, str] = {}

    def send(self, phone: str, code: str) -> None:
        """Log it, with the last four digits of the telephone."""
        if len(self.newest) > 10_000:
            self.newest.clear()
        self.newest[phone] = code
        log.warning("DEMO: no message is sent; the code for the phone ending in %s is %s", phone[-4:], code)


class SignIn:
    """Codes and sessions."""

    def __init__(self, gateway: Gateway, seals: Seals, sender: CodeSender) -> None:
        """Take the gateway, the register's keys and who sends codes."""
        self._gateway, self._seals, self._sender = gateway, seals, sender
        self._post = ThreadPoolExecutor(1, "codes")  # sending takes time that would tell whom it was sent to

    def send_code(self, number: str, phone: str, digits: int = familiar.DIGITS) -> str:
        """Send a code if number and telephone fit the register; return a ticket either way."""
        now = self._gateway.now()
        with self._gateway.database.write() as session:
            try:
                found = people.holder(session, self._seals, number)
            except InvalidPCCC:
                found = None
            fits = found is not None and not found.retired and found.has_phone(phone)
            person = found.person if found is not None and fits else None
            ticket, code = buyers.make_code(
                session, self._seals, person, now, familiar.tag(self._gateway.secret, number), digits
            )
        if found is not None and fits:
            self._post.submit(self._sender.send, found.phone, code)
        return ticket

    def enter(self, ticket: str, code: str, device: bytes | None) -> str:
        """Return a session's token.

        Raises:
            APIError: wrong code, too old, too many tries, or no public key.
        """
        if device is not None:
            try:
                ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), device)
            except ValueError as error:
                raise APIError(
                    "api.malformed", "That is no public key of a device.", hint="Send an uncompressed P-256 point."
                ) from error
        now = self._gateway.now()
        with self._gateway.database.write() as session:
            person = buyers.take_code(session, self._seals, ticket, code, now)
            token = buyers.open_session(session, person, device, now) if person else None
        if token is None:
            raise APIError("identity.sign-in", "The code is wrong or too old.", hint="Ask for a new code.")
        return token

    def proof(self, ticket: str) -> str:
        """Return a proof of the sign-in by a ticket: its bearer may ask for codes whatever strangers spend."""
        return familiar.proof(self._gateway.secret, ticket)

    def holder(self, token: str) -> Holder:
        """Return whose session a token is.

        Raises:
            APIError: nobody's, or it is over.
        """
        with self._gateway.database.read() as session:
            found = buyers.session_of(session, token, self._gateway.now())
            if found is None:
                raise APIError("auth.required", "You are not signed in.", hint="Sign in with a one-time code.")
            row, device = found
            return Holder(row.person, device, row.csrf)

    def leave(self, token: str) -> None:
        """End a session."""
        with self._gateway.database.write() as session:
            buyers.close_session(session, token)
