"""Orders, parcels and masters, in the model: one field for each thing that can be asked of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from ledger.domain.findings import Finding


@dataclass
class Order:
    """What a seller recorded as sold."""

    opener: int
    handed: int
    claimed: int
    recorded: int
    parcel: int | None = None
    """Id of the parcel that it is bound to for good."""

    observed = False


@dataclass
class Master:
    """A flight or voyage bill."""

    opener: int
    office: int
    handle: int
    observed: bool = False
    arrived: bool = False
    unloaded: bool = False


@dataclass
class Parcel:
    """A house bill: what was said of it, found against it and decided."""

    opener: int
    observed: bool = False
    # what was recorded
    filed: bool = False
    generation: int = 0
    filing: int = 0
    """Digest of the newest filing, which results must name."""
    first_filing: int = 0
    orders: set[int] = field(default_factory=set)
    office: int = 0
    master: int = 0
    goods_class: int = 0
    origin: int = 0
    carried_in: bool = False
    carried: int = 0
    released: bool = False
    # the track
    on_list: bool = False
    general: bool = False
    duty_ok: bool = False
    # results
    identity_ok: bool = False
    screened: bool = False
    findings: set[Finding] = field(default_factory=set)
    stops: int = 0
    stop_open: bool = False
    holds_placed: int = 0
    holds_open: set[int] = field(default_factory=set)
    # decisions
    referred: bool = False
    cleared: bool = False
    by_rule: bool = False
    decided: bool = False
    refused: bool = False
    recalled: bool = False

    def holds_its_clearing_set(self) -> bool:
        """Whether everything that clears by rule is there and nothing that bars it."""
        complete = self.filed and self.duty_ok and self.identity_ok and self.screened and self.carried_in
        touched = self.referred or self.cleared or self.decided or self.refused or self.recalled or self.released
        return complete and not (touched or self.findings or self.holds_open or self.stop_open or self.observed)


Subject = Order | Master | Parcel
