# pragma version ~=0.4.3
# pragma evm-version cancun
"""
@title Parcels: signed batches, guards, the three-way match and the decision
@license Apache-2.0
@notice Sellers open orders, couriers file parcels, yards carry them in, authorities give results, officers
        decide. The entry that completes the clearing set clears the parcel in the same transaction. A batch
        never fails because one entry is bad; what anyone can see without state refuses the batch.
@dev Words are laid out in ledger/domain/words.py, kinds in ledger/domain/kinds.py. Unchecked arithmetic is
     used where the operands are cut to fields that cannot overflow 256 bits, or bounded by the batch's size.
"""
import table
import members
import rulebook

uses: members
uses: rulebook

event Recorded:
    key: indexed(address)
    place: indexed(uint256)              # org << 192 | lane << 128 | seq << 64 | t
    outcomes: DynArray[uint256, 1024]    # value << 32 | index << 8 | code; see ledger/domain/rejections.py

# What the goods of one filing come to
struct Box:
    code: uint256            # rejection, 0 none
    findings: uint256
    value: uint256           # sum of price x rate, millionths of a won
    excluded: uint256
    company: uint256
    goods_class: uint256     # of the dearest order
    bound: uint256           # orders bound before and presented again

M24: constant(uint256) = 2**24 - 1
M32: constant(uint256) = 2**32 - 1
M34: constant(uint256) = 2**34 - 1
M40: constant(uint256) = 2**40 - 1
M48: constant(uint256) = 2**48 - 1
M128: constant(uint256) = 2**128 - 1
M160: constant(uint256) = 2**160 - 1
NO_ROLES: constant(uint256) = ~(65535 << 232)
# rows whose entries do more than set bits; words that the completing entry may still decide
HAS_CODE: constant(uint256) = table.G_NAMES | table.G_OPENING | table.G_SPECIAL
UNDECIDED: constant(uint256) = table.B_CARRIED_IN | table.B_OBSERVED | table.B_CLEARED
ABSENT: constant(uint256) = 2**40
USD: constant(uint256) = 840
MAX_ENTRY: constant(uint256) = 96 + 32 * (1 + 4 * 8)
HALF_N: constant(uint256) = 57896044618658097711785492504343953926418782139537452191302581570759080747168
BATCH_TYPE: constant(bytes32) = keccak256("Batch(uint64 lane,uint64 seq,uint64 notAfter,bytes entries)")
DOMAIN_TYPE: constant(bytes32) = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
ID_TAG: constant(bytes32) = keccak256("clearance.id/v1")
ORDER_TAG: constant(bytes32) = keccak256("clearance.order/v1")
FILING_TAG: constant(bytes32) = keccak256("clearance.filing/v1")

DOMAIN: immutable(bytes32)
SELF: immutable(bytes32)

# id of order, parcel or master -> packed word
words: public(HashMap[uint256, uint256])
# id of parcel -> low 160 bits of the newest filing's digest
filings: public(HashMap[uint256, uint256])
# lane << 160 | key -> next sequence number
nexts: public(HashMap[uint256, uint256])
# handle -> id of master
masters: public(HashMap[uint256, uint256])
master_count: public(uint256)


@deploy
def __init__():
    DOMAIN = keccak256(
        abi_encode(DOMAIN_TYPE, keccak256(table.DOMAIN_NAME), keccak256(table.DOMAIN_VERSION), chain.id, self)
    )
    SELF = keccak256(abi_encode(ID_TAG, chain.id, self))


# ------------------------------------------------------------------------------------------------- identifiers
@internal
@view
def _id(kind: uint256, opener: uint256, digest: bytes32) -> uint256:
    """
    @notice Id of a subject: only its opener can open it, so nobody can squat it.
    """
    return convert(keccak256(abi_encode(SELF, kind, opener, digest)), uint256)


# ------------------------------------------------------------------------------------------- goods of a filing
@internal
@view
def _class_findings(goods_class: uint256, hour: uint256, quantity: uint256) -> (uint256, uint256):
    """
    @return Findings of the class's rule row, and whether the class is excluded from the list
    """
    row: uint256 = rulebook._value(rulebook.CLASS_ROW | goods_class, hour)
    if row == 0:
        return 0, 0
    if row == ABSENT:
        return table.F_RULE_UNKNOWN, 0
    findings: uint256 = 0
    if row & 2 != 0:
        findings = table.F_PERMIT_MISSING
    if row >> 8 != 0 and quantity > row >> 8:
        findings |= table.F_QUANTITY_OVER_PERSONAL_USE
    return findings, row & 1


@internal
@view
def _order(
    oid: uint256, o: uint256, commitment: bytes32, id: uint256, opener: uint256, group: uint256
) -> (uint256, uint256, uint256):
    """
    @notice Matches one presented order with the one its seller opened.
    @param o Word of the order
    @param commitment Hash of the goods word, rest digest and salt that were presented
    @return Rejection or 0, findings, and the order's word to write, 0 where it is bound already
    """
    if o & table.B_ORDER == 0:
        return table.C_ORDER_NOT_OPEN, 0, 0
    seller: uint256 = (o >> 72) & M24
    bound: uint256 = 0
    if o & table.B_CONSUMED == 0:
        if (o >> 32) & M24 != opener:
            return table.C_ORDER_NOT_HANDED, 0, 0
        bound = (o & (M24 << 32 | M24 << 72)) | table.B_ORDER | table.B_CONSUMED | (id & M160) << 96
    elif o >> 96 != id & M160:
        return table.C_ORDER_NOT_OPEN, 0, 0
    word: uint256 = members.orgs[seller]
    if word & M24 == group:
        return table.C_ORDER_SAME_GROUP, 0, 0
    findings: uint256 = 0
    if (word >> 32) & 255 != 1:
        findings = table.F_WATCHED_PARTY
    if self._id(table.K_ORDER_OPENED, seller, commitment) != oid:
        findings |= table.F_FACTS_MISMATCH
    return 0, findings, bound


@internal
def _box(entry: Bytes[MAX_ENTRY], orders: uint256, id: uint256, st: uint256, usd: uint256, t: uint256) -> Box:
    """
    @notice Goes through the goods of a filing: match, rule rows, value. Binds the orders only if none is refused.
    @param st Word of the parcel, its first-filing time set
    """
    box: Box = empty(Box)
    first: uint256 = (st >> 128) & M34
    hour: uint256 = first // 3600
    opener: uint256 = (st >> 72) & M24
    group: uint256 = members.orgs[opener] & M24
    oids: uint256[8] = empty(uint256[8])
    bindings: uint256[8] = empty(uint256[8])
    classes: uint256[8] = empty(uint256[8])
    quantities: uint256[8] = empty(uint256[8])
    dearest: uint256 = 0
    last: uint256 = 0
    at: uint256 = 128
    for i: uint256 in range(table.MAX_ORDERS):
        if orders != 0:
            oid: uint256 = extract32(entry, at, output_type=uint256)
            if oid <= last:
                box.code = table.C_ORDERS_UNSORTED
                return box
            last = oid
            at = unsafe_add(at, 32)
            o: uint256 = self.words[oid]
            commitment: bytes32 = keccak256(concat(ORDER_TAG, slice(entry, at, 96)))
            found: uint256 = 0
            binding: uint256 = 0
            box.code, found, binding = self._order(oid, o, commitment, id, opener, group)
            if box.code != 0:
                return box
            box.findings |= found
            if binding == 0:
                box.bound = unsafe_add(box.bound, 1)
            elif (st >> 64) & 255 != 0 and self._comes_late(st, o, t):
                box.findings |= table.F_LATE_ORDER
            oids[i] = oid
            bindings[i] = binding
        goods: uint256 = extract32(entry, at, output_type=uint256)
        at = unsafe_add(at, 96)
        rate: uint256 = usd
        if (goods >> 40) & 65535 != USD:
            rate = rulebook._rate((goods >> 40) & 65535, first)
        if rate == 0:
            box.findings |= table.F_RULE_UNKNOWN
        value: uint256 = unsafe_mul(goods & M40, rate)
        box.value = unsafe_add(box.value, value)
        goods_class: uint256 = (goods >> 56) & 65535
        quantity: uint256 = (goods >> 72) & M24
        if i == 0 or value > dearest:
            dearest = value
            box.goods_class = goods_class
        if orders > 1:                           # personal-use quantities are summed over the box
            classes[i] = goods_class
            quantities[i] = quantity
            for k: uint256 in range(i, bound=8):
                if classes[k] == goods_class:
                    quantity = unsafe_add(quantity, quantities[k])
        findings: uint256 = 0
        excluded: uint256 = 0
        findings, excluded = self._class_findings(goods_class, hour, quantity)
        box.findings |= findings
        box.excluded |= excluded
        box.company |= (goods >> 104) & 255
        if unsafe_add(i, 1) >= orders:
            break
    if box.bound != (st >> 196) & 15:
        box.code = table.C_ORDER_DROPPED
        return box
    for i: uint256 in range(orders, bound=8):
        if bindings[i] != 0:
            self.words[oids[i]] = bindings[i]
    return box


@internal
@view
def _comes_late(st: uint256, o: uint256, t: uint256) -> bool:
    """
    @notice An order that a correction adds counts as made before the filing only if it was claimed before the
            first filing, stands on chain long enough, and the parcel is not carried in.
    """
    return (
        st & table.B_CARRIED_IN != 0
        or (o >> 128) & M34 >= (st >> 128) & M34
        or unsafe_add((o >> 162) & M34, table.LATE_ORDER_LEAD) > t
    )


# ------------------------------------------------------------------------------------------------------ filings
@internal
@view
def _track(w: uint256, hour: uint256, usd: uint256, orders: uint256, box: Box) -> (uint256, uint256):
    """
    @notice Checks the track that the courier claims.
    @param w Transport word
    @param usd Exchange rate of the US dollar, in which the limits are set
    @return Findings and status bits
    """
    row: uint256 = rulebook._dispatch(w & 65535, (w >> 32) & 255, hour)
    if row == ABSENT or usd == 0:
        return table.F_RULE_UNKNOWN, 0
    findings: uint256 = 0
    if orders == 0 and (row >> 36) & 1 != 0:
        findings = table.F_ORDER_MISSING
    if (w >> 56) & 255 == 0:
        if box.excluded != 0:
            findings |= table.F_CLASS_EXCLUDED
        if box.value > unsafe_mul(row & (2**18 - 1), usd):
            findings |= table.F_VALUE_OVER_LIMIT
        if box.company != 0:
            findings |= table.F_COMMERCIAL_USE
        return findings, table.B_LIST | table.B_DUTY_OK
    if (
        box.value <= unsafe_mul((row >> 18) & (2**18 - 1), usd)
        and box.company == 0
        and box.findings & table.F_QUANTITY_OVER_PERSONAL_USE == 0
    ):
        return findings, table.B_DUTY_OK
    simplified: uint256 = rulebook._value(rulebook.TRACK_ROW, hour)
    if simplified == ABSENT:
        return findings | table.F_RULE_UNKNOWN, 0
    if box.value > unsafe_mul(simplified, usd):
        return findings, table.B_GENERAL
    return findings, 0


@internal
@view
def _late_before(t: uint256) -> uint256:
    """
    @notice What is claimed for an earlier time is late at `t`; without a rule everything is.
    """
    row: uint256 = rulebook._value(rulebook.LATENESS_ROW, t // 3600)
    if row == ABSENT:
        return max_value(uint256)
    return t - min(t, row & (2**20 - 1))


@internal
@view
def _is_target(word: uint256, office: uint256, t: uint256) -> bool:
    """
    @notice Whether the office of a parcel that is filed and carried in picked its class, origin or courier.
    """
    if rulebook.overlays[office << 40] < t:
        return False
    return (
        rulebook._targeted(office, rulebook.BY_CLASS, (word >> 224) & 65535, t)
        or rulebook._targeted(office, rulebook.BY_ORIGIN, word >> 240, t)
        or rulebook._targeted(office, rulebook.BY_COURIER, (word >> 72) & M24, t)
    )


@internal
@view
def _sellers_target(entry: Bytes[MAX_ENTRY], orders: uint256, office: uint256, t: uint256) -> bool:
    """
    @dev The parcel's word has no room for its sellers, so their targets are judged when it is filed.
    """
    for i: uint256 in range(orders, bound=8):
        oid: uint256 = extract32(entry, unsafe_add(128, unsafe_mul(i, 128)), output_type=uint256)
        if rulebook._targeted(office, rulebook.BY_SELLER, (self.words[oid] >> 72) & M24, t):
            return True
    return False


@internal
@view
def _opening(
    id: uint256, meta: uint256, digest: bytes32, org: uint256, roles: uint256, t: uint256
) -> (uint256, uint256):
    """
    @notice Opens the parcel with its first filing: in the signer's own name, or a broker's for a courier that let it.
    @return Rejection or 0, and the parcel's fresh word
    """
    opener: uint256 = (meta >> 56) & M24
    if opener == 0 or opener == org:
        opener = org
        if roles & table.R_COURIER == 0:
            return table.C_ROLE, 0
    elif (members.masks[opener << 24 | org] >> table.K_FILED) & 1 == 0:
        return table.C_NOT_YOURS, 0
    elif (members.orgs[opener] >> 40) & table.R_COURIER == 0:
        return table.C_ROLE, 0
    if self._id(table.K_FILED, opener, digest) != id:
        return table.C_BAD_ID, 0
    return 0, table.B_PARCEL | table.B_FILED | opener << 72 | t << 128


@internal
def _file(
    entry: Bytes[MAX_ENTRY], id: uint256, meta: uint256, before: uint256, org: uint256, roles: uint256, late: uint256,
    t: uint256
) -> (uint256, uint256):
    """
    @notice Takes a filing (`before` is 0) or a correction and recomputes what comes from facts and match.
    @param late Time before which a claimed time is late
    @return Rejection or 0, and the parcel's new word
    """
    code: uint256 = 0
    st: uint256 = before
    if before == 0:
        code, st = self._opening(id, meta, extract32(entry, 64), org, roles, t)
        if code != 0:
            return code, 0
    generation: uint256 = (st >> 64) & 255
    if generation == table.MAX_GENERATION:
        return table.C_LIMIT, 0
    w: uint256 = extract32(entry, 96, output_type=uint256)
    master: uint256 = (w >> 64) & M24
    if master > self.master_count:
        return table.C_MASTER_UNKNOWN, 0
    orders: uint256 = ((meta >> 48) & 127) >> 2
    first: uint256 = (st >> 128) & M34
    usd: uint256 = rulebook._rate(USD, first)
    box: Box = self._box(entry, orders, id, st, usd, t)
    if box.code != 0:
        return box.code, 0
    findings: uint256 = 0
    status: uint256 = 0
    findings, status = self._track(w, first // 3600, usd, orders, box)
    findings |= box.findings | (st & table.FINDINGS & ~table.FROM_FACTS)
    if (meta >> 80) & 1 != 0:
        findings |= table.F_MANY_ORDERS
    if (meta >> 8) & M40 < late:
        findings |= table.F_LATE
    office: uint256 = (w >> 48) & 255
    if generation != 0:
        if st & table.B_CARRIED_IN != 0:
            office = (st >> 96) & 255
            findings |= table.F_CORRECTED_AFTER_ARRIVAL
        elif self.words[self.masters[(st >> 200) & M24]] & table.B_ARRIVED != 0:
            findings |= table.F_CORRECTED_AFTER_ARRIVAL
    if rulebook.overlays[office << 40] >= t and self._sellers_target(entry, orders, office, t):
        findings |= table.F_OFFICE_TARGET
    # opener, holds, inspections, stops and both times stay
    word: uint256 = (st & (table.KEPT | M24 << 72 | 2**24 - 1 << 104 | M34 << 128 | M34 << 162)) | status | findings
    word |= unsafe_add(generation, 1) << 64 | office << 96 | orders << 196 | master << 200
    word |= box.goods_class << 224 | ((w >> 16) & 65535) << 240
    if word & table.B_CARRIED_IN != 0 and self._is_target(word, office, t):
        word |= table.F_OFFICE_TARGET
    self.filings[id] = convert(keccak256(concat(FILING_TAG, convert(generation, bytes32), entry)), uint256) & M160
    return 0, word


# --------------------------------------------------------------------------------------------- kinds with code
@internal
@view
def _carry_in(st: uint256, late: bool, office: uint256, t: uint256) -> uint256:
    new: uint256 = st | table.B_CARRIED_IN | t << 162
    at: uint256 = (st >> 96) & 255
    if office != 0 and office != at:
        at = office
        new = (new & ~(255 << 96)) | office << 96
    if late:
        new |= table.F_LATE
    if self._is_target(new, at, t):
        new |= table.F_OFFICE_TARGET
    return new


@internal
@view
def _decide(id: uint256, st: uint256, meta: uint256, sets: uint256) -> (uint256, uint256):
    if self.filings[id] != meta >> 96 or (st >> 120) & 255 != (meta >> 64) & 255:
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
    since: uint256 = max((st >> 162) & M34, (st >> 128) & M34)
    if row == ABSENT or t < unsafe_add(since, row >> 20):
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
    mask: uint256 = g & M32 & ~table.B_OBSERVED
    missing: uint256 = (st ^ (g >> 128)) & mask
    if missing != 0:
        return (table.C_STATE_MISSING if missing & (g >> 128) != 0 else table.C_STATE_BARRED), 0
    new: uint256 = st | (g >> 160) & M32
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
    if kind == table.K_ORDER_REASSIGNED:
        return 0, (st & ~(M24 << 32)) | ((meta >> 56) & M24) << 32
    return self._observe(st, meta, inner, t)            # K_OBSERVED, the last of the special kinds


@internal
def _open(kind: uint256, id: uint256, digest: bytes32, meta: uint256, sets: uint256, org: uint256, office: uint256,
          roles: uint256, t: uint256) -> (uint256, uint256):
    """
    @notice Opens an order, a master or an observed parcel.
    @return Rejection or 0, and the new word
    """
    if self._id(kind, org, digest) != id:
        return table.C_BAD_ID, 0
    word: uint256 = sets | org << 72
    if kind == table.K_ORDER_OPENED:
        return 0, word | ((meta >> 56) & M24) << 32 | (min((meta >> 8) & M40, M34)) << 128 | t << 162
    if roles & table.R_AGENCY != 0:
        word |= table.B_OBSERVED                 # what an agency opens is observed, and never cleared by rule
    if kind == table.K_MASTER_OPENED:
        if self.master_count == M24:
            return table.C_LIMIT, 0
        self.master_count = unsafe_add(self.master_count, 1)
        self.masters[self.master_count] = id
        word |= self.master_count << 32 | office << 96
    return 0, word


# ------------------------------------------------------------------------------------------------- the decision
@internal
@view
def _complete(word: uint256) -> uint256:
    """
    @notice Clears or refers a parcel that is carried in. Clears only from the whole clearing set with no finding,
            hold or stop, and only for an opener in good standing.
    @return The word, CLEARED or REFERRED added, or unchanged
    """
    if word & table.CLEAR_MASK == table.CLEAR_NEEDS:
        if (members.orgs[(word >> 72) & M24] >> 32) & 255 == 1:
            return word | table.B_CLEARED | table.B_AUTO
        return word | table.B_REFERRED | table.F_WATCHED_PARTY
    if word & table.FINDINGS != 0 and word & (table.B_CLEARED | table.B_REFERRED | table.B_DECIDED) == 0:
        return word | table.B_REFERRED
    return word


@internal
@view
def _may_write(st: uint256, x: uint256, g: uint256, kind: uint256, org: uint256, roles: uint256) -> bool:
    """
    @notice Whether a writer that is not the opener may write all the same: customs, or an org that was let.
    """
    if x & ~(M24 << 72) != 0:
        return False
    if g & table.G_CUSTOMS_TOO != 0 and roles & table.R_CUSTOMS_OFFICER != 0:
        return True
    return (members.masks[((st >> 72) & M24) << 24 | org] >> kind) & 1 != 0


@internal
@pure
def _why(x: uint256, g: uint256, kind: uint256, lane: uint256) -> uint256:
    """
    @notice The code of a guard that failed; looked for only then.
    """
    if (x >> 126) & 1 != 0:
        assert (g >> 192) & 255 != table.NO_WORDS_FIT, "batch: kind"
        stop: bool = kind == table.K_IDENTITY_STOPPED or kind == table.K_HELD or kind == table.K_RECALLED
        return table.C_WRONG_LANE if stop == (lane != 0) else table.C_ROLE
    if x >> 127 != 0:
        return table.C_FUTURE
    if x & M32 == 0:
        return table.C_NOT_YOURS
    return table.C_STATE_MISSING if x & (g >> 128) & M32 != 0 else table.C_STATE_BARRED


# ------------------------------------------------------------------------------------------------------ batches
@internal
def _signer(lane: uint64, seq: uint64, notAfter: uint64, v: uint256, r: uint256, s: uint256, entries: bytes32) -> address:
    """
    @notice Recovers the key of an EIP-712 batch and takes its sequence number.
    """
    assert s <= HALF_N, "batch: high s"
    digest: bytes32 = keccak256(
        concat(b"\x19\x01", DOMAIN, keccak256(abi_encode(BATCH_TYPE, lane, seq, notAfter, entries)))
    )
    key: address = ecrecover(digest, v, r, s)
    assert key != empty(address), "batch: signature"
    place: uint256 = convert(lane, uint256) << 160 | convert(key, uint256)
    assert self.nexts[place] == convert(seq, uint256), "batch: sequence"
    self.nexts[place] = unsafe_add(convert(seq, uint256), 1)
    return key


@external
def submit(
    lane: uint64, seq: uint64, notAfter: uint64, t: uint256, v: uint256, r: uint256, s: uint256,
    entries: Bytes[table.MAX_BATCH_BYTES],
):
    """
    @notice Takes a batch that a member signed; anyone may relay it.
    @param lane 0 stops, from 2**63 on traces, else the writer's choice
    @param seq Next number of the key in the lane
    @param notAfter Time after which the batch is dead
    @param t Time of wrapping, set by the relayer: the time every rule goes by
    @param entries First word: number of entries; then entries of three words and the extra words they name
    """
    members._check_clock(t)
    assert t <= convert(notAfter, uint256), "batch: expired"
    key: address = self._signer(lane, seq, notAfter, v, r, s, keccak256(entries))
    member: uint256 = 0
    ow: uint256 = 0
    member, ow = members._member(key, t)
    org: uint256 = member & M24
    place: uint256 = org << 192 | convert(lane, uint256) << 128 | convert(seq, uint256) << 64 | t
    outcomes: DynArray[uint256, 1024] = []
    if convert(lane, uint256) >= table.TRACE_LANE:
        # who may write which trace is a rule of the decoder that read model and audit share
        log Recorded(key=key, place=place, outcomes=outcomes)
        return
    roles: uint256 = (member >> 24) & 65535
    guards: uint256[32] = table.GUARDS
    if lane == 0:
        assert roles & table.STOP_LANE_ROLES != 0, "batch: stop lane"
        for i: uint256 in range(32):
            guards[i] = guards[i] & NO_ROLES     # other kinds: nobody may write them here, their shape holds
        guards[table.K_IDENTITY_STOPPED] = table.STOP_IDENTITY_STOPPED
        guards[table.K_HELD] = table.STOP_HELD
        guards[table.K_RECALLED] = table.STOP_RECALLED
    office: uint256 = (ow >> 24) & 255
    me: uint256 = org << 72 | office << 96
    role: uint256 = roles << 232
    limit: uint256 = unsafe_add(t, table.CLAIM_AHEAD) << 8 | 255
    late: uint256 = self._late_before(t)
    size: uint256 = len(entries)
    count: uint256 = extract32(entries, 0, output_type=uint256)
    assert count <= table.MAX_ENTRIES, "batch: entries"
    assert size >= unsafe_add(32, unsafe_mul(count, 96)), "batch: size"
    j: uint256 = 32
    for i: uint256 in range(count, bound=table.MAX_ENTRIES):
        at: uint256 = j
        id: uint256 = extract32(entries, at, output_type=uint256)
        meta: uint256 = extract32(entries, unsafe_add(at, 32), output_type=uint256)
        kind: uint256 = meta & 255
        assert kind < 32, "batch: kind"
        g: uint256 = guards[kind]
        j = unsafe_add(at, unsafe_add(96, (meta >> 43) & 4064))
        if (meta >> 48 ^ g >> 192) & 255 != 0:   # other extra words than the row says
            extra: uint256 = (meta >> 48) & 255
            assert g & table.G_FILING != 0 and extra & 3 == 1 and extra > 1 and extra <= 33, "batch: shape"
        st: uint256 = self.words[id]
        x: uint256 = (
            ((st ^ me ^ (g >> 128)) & g & M128)
            | convert(meta & M48 > limit, uint256) << 127
            | convert(g & role == 0, uint256) << 126
        )
        if x != 0:
            if not self._may_write(st, x, g, kind, org, roles):
                outcomes.append(i << 8 | self._why(x, g, kind, convert(lane, uint256)))
                continue
        code: uint256 = 0
        new: uint256 = st | ((g >> 160) & M32)
        if g & HAS_CODE != 0:
            if g & table.G_NAMES != 0:
                if self.filings[id] != meta >> 96:
                    code = table.C_STALE_FILING
                elif kind == table.K_SCREENED_REFERRED:
                    new |= table.F_SCREENING_REFERRED
            elif kind == table.K_CARRIED_IN:
                new = self._carry_in(st, (meta >> 8) & M40 < late, office, t)
            elif g & table.G_FILING != 0:
                code, new = self._file(
                    convert(slice(entries, at, unsafe_sub(j, at)), Bytes[MAX_ENTRY]), id, meta, st, org, roles, late, t
                )
            elif g & table.G_OPENING != 0:
                code, new = self._open(kind, id, extract32(entries, unsafe_add(at, 64)), meta, new, org, office, roles, t)
                if kind == table.K_MASTER_OPENED and code == 0:
                    outcomes.append(((new >> 32) & M24) << 32 | i << 8 | table.C_MASTER_HANDLE)
            else:
                inner: uint256 = guards[min((meta >> 56) & 255, 31)]
                code, new = self._special(kind, id, st, meta, (g >> 160) & M32, inner, t)
                if kind == table.K_HELD and code == 0:
                    outcomes.append(unsafe_sub((new >> 112) & 15, 1) << 32 | i << 8 | table.C_HOLD_NUMBER)
            if code != 0:
                outcomes.append(i << 8 | code)
                continue
        if new & UNDECIDED == table.B_CARRIED_IN:
            judged: uint256 = self._complete(new)
            if judged != new:
                outcomes.append(i << 8 | (table.C_CLEARED if judged & table.B_CLEARED != 0 else table.C_REFERRED))
                new = judged
        self.words[id] = new
    assert j == size, "batch: size"
    log Recorded(key=key, place=place, outcomes=outcomes)
