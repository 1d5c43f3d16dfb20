# pragma version ~=0.4.3
# pragma evm-version cancun
"""
@title Decisions: kinds that do more than set bits, and the rule that clears
@license Apache-2.0
@notice Yards carry in, officers hold and decide, anyone sweeps what waited too long, an agency observes. The entry
        that completes the clearing set clears the parcel in the same transaction.
"""
import table
import members
import rulebook
import subjects
import filing

uses: members
uses: rulebook
uses: subjects
uses: filing

LANDED: constant(uint256) = table.B_ARRIVED | table.B_UNLOADED


@internal
@view
def _targets_until(office: uint256) -> uint256:
    """
    @notice Time until which an office has targets; 0 for a writer without an office.
    """
    if office == 0:
        return 0
    return rulebook.overlays[office << 40]


@internal
@view
def _carry_in(st: uint256, meta: uint256, who: subjects.Writer) -> uint256:
    """
    @notice Carries a parcel in: the yard's office is competent from now on, and may have picked what comes. Nothing
            clears from a flight whose arrival nobody reported: a stop may still be under way to it.
    """
    new: uint256 = st | table.B_CARRIED_IN | who.t << 162
    if who.office != 0:
        new = (new & ~(255 << 96)) | who.office << 96
    if (meta >> 8) & subjects.M40 < who.late:
        new |= table.F_LATE
    if who.until >= who.t or who.office == 0:
        if filing._is_target(new, who.t):
            new |= table.F_OFFICE_TARGET
    master: uint256 = (st >> 200) & subjects.M24
    if master != 0 and subjects.words[subjects.masters[master]] & LANDED == 0:
        new |= table.F_ARRIVAL_UNREPORTED
    return new


@internal
@view
def _decide(id: uint256, st: uint256, meta: uint256, sets: uint256) -> (uint256, uint256):
    if subjects.filings[id] != meta >> 96 or (st >> 120) & 255 != (meta >> 64) & 255:
        return table.C_STALE_DECISION, 0
    if sets & table.B_CLEARED != 0:
        return 0, (st & ~(table.B_STOP_OPEN | table.B_REFUSED)) | sets
    return 0, st | sets


@internal
@pure
def _hold(st: uint256) -> (uint256, uint256):
    """
    @return Rejection or 0, and the new word; the hold's number is the count of those placed before
    """
    placed: uint256 = (st >> 112) & 15
    if placed == table.MAX_HOLDS:
        return table.C_LIMIT, 0
    return 0, unsafe_add(st, 1 << 112) | table.B_HELD | 1 << unsafe_add(104, placed)


@internal
@pure
def _lift(st: uint256, number: uint256) -> (uint256, uint256):
    if number >= table.MAX_HOLDS or (st >> unsafe_add(104, number)) & 1 == 0:
        return table.C_HOLD_UNKNOWN, 0
    new: uint256 = st ^ (1 << unsafe_add(104, number))
    if (new >> 104) & 255 == 0:
        new ^= table.B_HELD
    return 0, new


@internal
@view
def _sweep(st: uint256, t: uint256) -> (uint256, uint256):
    row: uint256 = rulebook._value(rulebook.LATENESS_ROW, t // 3600)
    since: uint256 = max((st >> 162) & subjects.M34, (st >> 128) & subjects.M34)
    if row == rulebook.ABSENT or t < unsafe_add(since, row >> 20):
        return table.C_TOO_EARLY, 0
    return 0, st | table.B_REFERRED | table.F_NOT_CHECKED_IN_TIME


@internal
@view
def _observe(st: uint256, meta: uint256, g: uint256, t: uint256) -> (uint256, uint256):
    """
    @notice Takes a row of somebody else's record under the guards of the kind it reports; it never clears.
    @param g Guard word of that kind
    """
    kind: uint256 = (meta >> 56) & 255
    if g & table.G_OBSERVABLE == 0:
        return table.C_NOT_OBSERVABLE, 0
    mask: uint256 = g & subjects.M32 & ~table.B_OBSERVED
    missing: uint256 = (st ^ (g >> 128)) & mask
    if missing != 0:
        return (table.C_STATE_MISSING if missing & (g >> 128) != 0 else table.C_STATE_BARRED), 0
    new: uint256 = st | (g >> 160) & subjects.M32
    if kind == table.K_CARRIED_IN:
        new |= t << 162
    elif kind == table.K_FILED:
        new |= t << 128
    return 0, new


@internal
def _special(
    kind: uint256, id: uint256, st: uint256, meta: uint256, sets: uint256, inner: uint256, t: uint256
) -> (uint256, uint256):
    """
    @notice Kinds that do more than set their bits, filings and carry-ins apart.
    @param inner Guard word of the kind that an OBSERVED entry reports
    @return Rejection or 0, and the new word
    """
    if kind == table.K_DECIDED_CLEAR or kind == table.K_DECIDED_REFUSE:
        return self._decide(id, st, meta, sets)
    if kind == table.K_IDENTITY_STOPPED:
        new: uint256 = st | sets | table.F_IDENTITY_STOPPED
        if (st >> 120) & 255 != 255:
            new = unsafe_add(new, 1 << 120)
        return 0, new
    if kind == table.K_HELD:
        return self._hold(st)
    if kind == table.K_HOLD_LIFTED:
        return self._lift(st, (meta >> 56) & 255)
    if kind == table.K_SWEPT:
        return self._sweep(st, t)
    if kind == table.K_RECALLED:
        return 0, st | sets
    if kind == table.K_ORDER_REASSIGNED:
        return 0, (st & ~(subjects.M24 << 32)) | ((meta >> 56) & subjects.M24) << 32
    return self._observe(st, meta, inner, t)            # K_OBSERVED, the last of the special kinds


@internal
@view
def _complete(word: uint256) -> uint256:
    """
    @notice Clears or refers a parcel that is carried in. Clears only from the whole clearing set with no finding,
            hold or stop, and only for an opener in good standing.
    @return The word, CLEARED or REFERRED added, or unchanged
    """
    if word & table.CLEAR_MASK == table.CLEAR_NEEDS:
        if (members.orgs[(word >> 72) & subjects.M24] >> 32) & 255 == 1:
            return word | table.B_CLEARED | table.B_AUTO
        return word | table.B_REFERRED | table.F_WATCHED_PARTY
    if word & table.FINDINGS != 0 and word & (table.B_CLEARED | table.B_REFERRED | table.B_DECIDED) == 0:
        return word | table.B_REFERRED
    return word
