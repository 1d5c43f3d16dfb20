"""Screening at a gateway: of a demo chain by its seed, of a real one by its key files; rate of the sample, model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from clients.cli.authority import opener_of
from clients.cli.console import passphrase
from ledger.domain.errors import LedgerError

MASTER: Final = "screening.key"
"""What reasons are sealed and day keys derived by. Without it committed days cannot be revealed: keep a copy."""
PER_CENT: Final = 10_000
DEMO_PAUSE: Final = 20
"""Milliseconds between two cuts on a demo chain, unless told: its day is played quickly."""


class ScreeningKeyFault(LedgerError):
    """A key of screening cannot be used here."""

    code = "screening.key"


@dataclass(frozen=True, slots=True)
class ScreeningSettings:
    """How a gateway screens.

    Attributes:
        rate: of the random sample, per cent.
        seed: of the demo chain whose screening works here; None for a real one's, or none.
        keystore: encrypted keystore of its ledger key.
        open_key: X25519 key that opens payloads, PEM.
        passphrase_file: file with the passphrase of both; None: asked for.
        model: file of a trained scorer; None: the rules.
        pause: milliseconds between two cuts of a demo chain's.
    """

    rate: float = 0.0
    seed: int | None = None
    keystore: Path | None = None
    open_key: Path | None = None
    passphrase_file: Path | None = None
    model: Path | None = None
    pause: int = DEMO_PAUSE


def screening_of(made: Any, home: Path, settings: ScreeningSettings) -> Any:
    """Put screening together; None where no key was given.

    Raises:
        LedgerError: a key cannot be opened, does not hold the role, or is not the one that payloads are sealed to.
    """
    import datetime as dt
    import random

    from api.screening.knowledge import Knowledge
    from api.screening.sampling import Sampling
    from api.screening.scorer import TrainedScorer
    from api.screening.screening import CUT, Screening
    from clients.cli.api import master_key
    from clients.sample.members import Keyring
    from ledger.domain.roles import Role
    from ledger.keys import LocalSigner
    from ledger.payloads import derive
    from ledger.store.sealing import Seals

    dice, pause = None, CUT
    if settings.seed is not None:
        keyring = Keyring(settings.seed)
        signer, opener = keyring.signer("screening"), keyring.opener("screening")
        dice, pause = random.Random(settings.seed), dt.timedelta(milliseconds=settings.pause)
    elif settings.keystore and settings.open_key:
        word = passphrase(settings.passphrase_file)
        signer, opener = LocalSigner.load(settings.keystore, word), opener_of(settings.open_key, word)
    else:
        return None
    member = made.node.state().member(signer.address)
    if member is None or not member.roles & Role.SCREENING or (not made.genesis.demo and settings.seed is not None):
        raise ScreeningKeyFault(
            f"{signer.hex_address} is no key of an organisation that screens on this chain.",
            hint="Let its cold key enrol it; on a demo chain give the seed it was made from.",
        )
    if made.genesis.encryption.get(member.org) != opener.public_key().public_bytes_raw().hex():
        raise ScreeningKeyFault(
            "Payloads of this chain are not sealed to the opening key.",
            hint="Give the key whose public half the genesis file names for screening.",
        )
    master = master_key(home, MASTER)
    seals = Seals(master)
    shops = (org.name for org in made.genesis.orgs if org.roles & Role.SELLER)
    sampling = Sampling(made, member.org, derive(master, "sampling"), round(settings.rate * PER_CENT))
    return Screening(
        made, seals, signer, member.org, opener, sampling, Knowledge(made, seals, shops),
        scorer=TrainedScorer.load(settings.model) if settings.model else None, dice=dice, pause=pause,
    )  # fmt: skip
