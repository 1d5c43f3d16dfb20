# pragma version ~=0.4.3
# pragma evm-version cancun
"""
@title Rulebook: every legal figure is a dated row
@license Apache-2.0
@notice A row is an append-only list of at most 16 pairs (valid from, value), read from the newest back. Legal
        rows need k of n rule makers and a delay; exchange rates are written once for a currency and week.
        An office overlay is set by two officers of the office and can only refer, never clear.
@dev A pair is hour (24) | value (40): KST midnights are whole hours of UTC. Four pairs a slot, newest lowest.
     Values are laid out in ledger/domain/words.py.
"""
import table
import members

uses: members

M24: constant(uint256) = 2**24 - 1
M40: constant(uint256) = 2**40 - 1
M64: constant(uint256) = 2**64 - 1
ABSENT: constant(uint256) = 2**40

# row ids: kind << 40 | what it is about
DISPATCH_ROW: constant(uint256) = 1 << 40        # country << 8 | mode; country 0: any other
CLASS_ROW: constant(uint256) = 2 << 40           # goods class
TRACK_ROW: constant(uint256) = 3 << 40           # highest value of the simplified track, US cents
LATENESS_ROW: constant(uint256) = 4 << 40

# overlay targets
BY_CLASS: constant(uint256) = 1
BY_ORIGIN: constant(uint256) = 2
BY_SELLER: constant(uint256) = 3
BY_COURIER: constant(uint256) = 4

WEEK: constant(uint256) = 604800
FIRST_SUNDAY: constant(uint256) = 226800     # 1970-01-04 00:00 KST

# row << 2 | slot -> 4 pairs
rows: public(HashMap[uint256, uint256])
# currency << 16 | week -> millionths of a won for one minor unit
rates: public(HashMap[uint256, uint256])
# office << 40 | target << 32 | id -> until; office << 40 -> latest until of the office
overlays: public(HashMap[uint256, uint256])


@deploy
def __init__(rows: DynArray[uint256[2], 4096], rates: DynArray[uint256[2], 8192]):
    """
    @notice Seeds what genesis names.
    @param rows Row id and pair; the pairs of one row in rising order
    @param rates Rate id and rate
    """
    for pair: uint256[2] in rows:
        self._append(pair[0], pair[1])
    for pair: uint256[2] in rates:
        self.rates[pair[0]] = pair[1]


@internal
def _append(row: uint256, pair: uint256):
    assert pair <= M64 and pair & M24 > self.rows[row << 2] & M24, "rules: valid from"
    assert self.rows[row << 2 | 3] >> 192 == 0, "rules: row is full"
    carry: uint256 = pair
    for i: uint256 in range(4):
        slot: uint256 = self.rows[row << 2 | i]
        self.rows[row << 2 | i] = slot << 64 | carry
        carry = slot >> 192
        if carry == 0:
            break


@internal
@view
def _older(row: uint256, hour: uint256) -> uint256:
    for i: uint256 in range(4):
        slot: uint256 = self.rows[row << 2 | i]
        for j: uint256 in range(4):
            if slot == 0:
                return ABSENT
            if slot & M24 <= hour:
                return (slot >> 24) & M40
            slot >>= 64
    return ABSENT


@internal
@view
def _value(row: uint256, hour: uint256) -> uint256:
    """
    @notice Value of a row at an hour, or ABSENT.
    """
    slot: uint256 = self.rows[row << 2]
    if slot & M24 > hour or slot == 0:
        return self._older(row, hour)
    return (slot >> 24) & M40


@internal
@view
def _dispatch(country: uint256, mode: uint256, hour: uint256) -> uint256:
    """
    @dev A country without a row of its own at that hour has that of country 0.
    """
    value: uint256 = self._value(DISPATCH_ROW | country << 8 | mode, hour)
    if value == ABSENT:
        return self._value(DISPATCH_ROW | mode, hour)
    return value


@internal
@view
def _rate(currency: uint256, t: uint256) -> uint256:
    """
    @notice Customs exchange rate of the KST week (Sunday to Saturday) of `t`, 0 if unknown.
    """
    return self.rates[currency << 16 | unsafe_sub(t, FIRST_SUNDAY) // WEEK]


@internal
@view
def _targeted(office: uint256, target: uint256, id: uint256, t: uint256) -> bool:
    return self.overlays[office << 40 | target << 32 | id] >= t


@external
def rule(t: uint256, until: uint256, row: uint256, pair: uint256):
    """
    @notice Votes for a new pair of a rule row; k of n rule makers, then a delay. It cannot reach back.
    """
    members._check_clock(t)
    assert t <= until, "rules: expired"
    assert row >> 48 == 0 and (pair & M24) * 3600 >= t, "rules: valid from"
    if not members._agreed(
        t, table.R_RULE_MAKER, keccak256(abi_encode(until, convert(4, uint256), row, pair)), table.GOVERNANCE_DELAY
    ):
        return
    self._append(row, pair)
    log members.Changed(what=4, by=msg.sender, a=row, b=pair)


@external
def set_rate(t: uint256, until: uint256, currency: uint256, week: uint256, rate: uint256):
    """
    @notice Votes for the exchange rate of a currency and week; k of n rule makers, no delay, written once.
    @param rate Millionths of a won for one minor unit
    """
    members._check_clock(t)
    assert t <= until, "rules: expired"
    id: uint256 = currency << 16 | week
    assert currency < 1000 and week < 65536 and rate != 0 and rate <= M40, "rules: rate"
    assert self.rates[id] == 0, "rules: rate known"
    if not members._agreed(t, table.R_RULE_MAKER, keccak256(abi_encode(until, convert(5, uint256), id, rate)), 0):
        return
    self.rates[id] = rate
    log members.Changed(what=5, by=msg.sender, a=id, b=rate)


@external
def overlay(t: uint256, target: uint256, id: uint256, until: uint256):
    """
    @notice Two officers of one office refer a class, origin, seller or courier there, for at most 30 days.
    @param target 1 class, 2 origin, 3 seller org, 4 courier org
    """
    members._check_clock(t)
    w: uint256 = 0
    o: uint256 = 0
    w, o = members._member(msg.sender, t)
    assert (w >> 24) & table.R_CUSTOMS_OFFICER != 0, "members: role"
    assert target >= BY_CLASS and target <= BY_COURIER and id <= M24, "rules: overlay"
    assert until > t and until <= t + table.OVERLAY_SECONDS, "rules: overlay"
    office: uint256 = (o >> 24) & 255
    proposal: bytes32 = keccak256(abi_encode(office, target, id, until))
    me: uint256 = convert(msg.sender, uint256)
    first: uint256 = members.votes[proposal]
    if first == 0 or first == me:
        members.votes[proposal] = me
        return
    members.votes[proposal] = 0
    self.overlays[office << 40 | target << 32 | id] = until
    self.overlays[office << 40] = max(self.overlays[office << 40], until)
    log members.Changed(what=6, by=msg.sender, a=office << 40 | target << 32 | id, b=until)
