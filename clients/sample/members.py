"""Members of the sample day and the genesis file they make. Every key comes from the seed."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from ledger.domain.roles import Role
from ledger.domain.rules import BASE_RATES, SEED_ROWS, packed, sample_rate, week_of, with_order_required
from ledger.genesis import Genesis, MemberKey, Org
from ledger.keys import LocalSigner
from ledger.payloads import derive

CHAIN_ID: Final = 820_250
"""EIP-155 id of every demo chain."""
ORDER_REQUIRED: Final = ("VN",)
"""Countries from which the sample genesis asks for a recorded order."""
OFFICES: Final = (40, 20, 16)
"""Incheon Airport, Incheon, Pyeongtaek (인천공항 040, 인천 020, 평택 016)."""
SHOPS: Final = 20
MEMBER_SHOPS: Final = 14
"""30 % of the shops are no members."""

ROSTER: Final[tuple[tuple[str, Role, int], ...]] = (
    *((f"governor-{n}", Role.GOVERNOR | Role.RULE_MAKER, 0) for n in (1, 2, 3)),
    *((f"shop-{n:02}", Role.SELLER, 0) for n in range(1, MEMBER_SHOPS + 1)),
    *((f"courier-{n}", Role.COURIER, 0) for n in (1, 2, 3, 4)),
    ("courier-suspended", Role.COURIER, 0),
    ("broker-1", Role.BROKER, 0),
    *((f"yard-{office:03}", Role.WAREHOUSE, office) for office in OFFICES),
    *((f"office-{office:03}", Role.CUSTOMS_OFFICER, office) for office in OFFICES),
    ("identity", Role.IDENTITY_AUTHORITY, 0),
    ("screening", Role.SCREENING, 0),
    ("agency", Role.AGENCY, 0),
    ("oversight", Role.OVERSIGHT, 0),
)
HANDLES: Final = {name: number for number, (name, _, _) in enumerate(ROSTER, 1)}
COURIERS: Final = tuple(name for name, role, _ in ROSTER if role is Role.COURIER and name != "courier-suspended")
READERS: Final = tuple(
    name for name, role, _ in ROSTER if role in (Role.COURIER, Role.BROKER, Role.IDENTITY_AUTHORITY, Role.SCREENING)
)


def seed_bytes(seed: int) -> bytes:
    """Return the bytes that every demo key and salt derives from."""
    return b"clearance demo seed %d" % seed


@dataclass(frozen=True, slots=True)
class Keyring:
    """Keys of all sample members: only a replay holds them together."""

    seed: int

    def signer(self, name: str) -> LocalSigner:
        """Return the key a member signs batches with."""
        return LocalSigner.from_seed(seed_bytes(self.seed), name)

    def cold(self, name: str) -> LocalSigner:
        """Return the cold key of a member's org."""
        return LocalSigner.from_seed(seed_bytes(self.seed), f"{name} cold")

    def secret(self, name: str) -> bytes:
        """Return the secret a member derives salts from."""
        return derive(seed_bytes(self.seed), f"{name} salts")

    def opener(self, name: str) -> X25519PrivateKey:
        """Return the key a member opens payloads with."""
        return X25519PrivateKey.from_private_bytes(derive(seed_bytes(self.seed), f"{name} payloads"))


def sample_genesis(keyring: Keyring, start: int, days: int) -> Genesis:
    """Make the genesis of a sample day that starts at `start` (seconds UTC) and lasts some days."""
    orgs = tuple(
        Org(
            handle=HANDLES[name],
            name=name,
            roles=int(role),
            group=HANDLES[name],
            cold=keyring.cold(name).hex_address,
            office=office,
            seat=HANDLES[name] if role & Role.GOVERNOR else 0,
        )
        for name, role, office in ROSTER
    )
    keys = tuple(MemberKey(keyring.signer(name).hex_address, HANDLES[name], int(role)) for name, role, _ in ROSTER)
    weeks = range(week_of(start), week_of(start + days * 86_400) + 1)
    rates = tuple(
        (currency << 16 | week, sample_rate(currency, week)) for currency in sorted(BASE_RATES) for week in weeks
    )
    rows = with_order_required(SEED_ROWS, ORDER_REQUIRED, dt.date(2025, 1, 1))
    genesis = Genesis(
        chain_id=CHAIN_ID,
        timestamp=start - 3_600,
        demo=True,
        quorum=2,
        sealer=keyring.signer("sealer").hex_address,
        followers=(keyring.signer("follower").hex_address,),
        orgs=orgs,
        keys=keys,
        rows=packed(rows),
        rates=rates,
        encryption={HANDLES[name]: keyring.opener(name).public_key().public_bytes_raw().hex() for name in READERS},
    )
    genesis.check()
    return genesis
