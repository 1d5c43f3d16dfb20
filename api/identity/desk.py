"""Everything the buyer's routes work with, put together once by the composition root."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from api.identity.answers import Answers
from api.identity.authority import IdentityAuthority
from api.identity.sign_in import SignIn
from ledger.genesis import Org
from ledger.store.sealing import Seals


@dataclass(frozen=True, slots=True)
class Desk:
    """The authority's public side."""

    seals: Seals
    authority: IdentityAuthority
    sign_in: SignIn
    answers: Answers
    orgs: Mapping[int, Org]
