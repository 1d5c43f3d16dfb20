# pragma version ~=0.4.3
# pragma evm-version cancun
"""
@title Filings: the three-way match of order, filing and goods, and what the rules make of it
@license Apache-2.0
@notice A filing presents the orders it delivers; their sellers' records decide whether it tells the truth. What
        does not fit is a finding, never a revert.
@dev Unchecked arithmetic is used where the operands are cut to fields that cannot overflow 256 bits.
"""
import table
import members
import rulebook
import subjects

uses: members
uses: rulebook
uses: subjects

# What the goods of one filing come to
struct Box:
    code: uint256            # rejection, 0 none
    findings: uint256
    value: uint256           # sum of price x rate, millionths of a won
    excluded: uint256
    company: uint256
    goods_class: uint256     # of the dearest order
    bound: uint256           # orders bound before and presented again

MAX_ENTRY: constant(uint256) = 96 + 32 * (1 + 4 * 8)
USD: constant(uint256) = 840
# what stays of an order when a filing binds it: seller and whom it was handed to
SALE: constant(uint256) = (2**24 - 1) << 32 | (2**24 - 1) << 72
# what a correction keeps of a parcel: opener, holds, inspections, stops and both times
STAYS: constant(uint256) = table.KEPT | (2**24 - 1) << 72 | (2**24 - 1) << 104 | (2**34 - 1) << 128 | (2**34 - 1) << 162
ORDER_TAG: constant(bytes32) = keccak256("clearance.order/v1")
FILING_TAG: constant(bytes32) = keccak256("clearance.filing/v1")


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
    if row == rulebook.ABSENT:
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
    seller: uint256 = (o >> 72) & subjects.M24
    bound: uint256 = 0
    if o & table.B_CONSUMED == 0:
        if (o >> 32) & subjects.M24 != opener:
            return table.C_ORDER_NOT_HANDED, 0, 0
        bound = (o & SALE) | table.B_ORDER | table.B_CONSUMED | (id & subjects.M160) << 96
    elif o >> 96 != id & subjects.M160:
        return table.C_ORDER_NOT_OPEN, 0, 0
    word: uint256 = members.orgs[seller]
    if word & subjects.M24 == group:
        return table.C_ORDER_SAME_GROUP, 0, 0
    findings: uint256 = 0
    if (word >> 32) & 255 != 1:
        findings = table.F_WATCHED_PARTY
    if subjects._id(table.K_ORDER_OPENED, seller, commitment) != oid:
        findings |= table.F_FACTS_MISMATCH
    return 0, findings, bound


@internal
def _box(entry: Bytes[MAX_ENTRY], orders: uint256, id: uint256, st: uint256, usd: uint256, t: uint256) -> Box:
    """
    @notice Goes through the goods of a filing: match, rule rows, value. Binds the orders only if none is refused.
    @param st Word of the parcel, its first-filing time set
    """
    box: Box = empty(Box)
    first: uint256 = (st >> 128) & subjects.M34
    hour: uint256 = first // 3600
    opener: uint256 = (st >> 72) & subjects.M24
    group: uint256 = members.orgs[opener] & subjects.M24
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
            o: uint256 = subjects.words[oid]
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
        value: uint256 = unsafe_mul(goods & subjects.M40, rate)
        box.value = unsafe_add(box.value, value)
        goods_class: uint256 = (goods >> 56) & 65535
        quantity: uint256 = (goods >> 72) & subjects.M24
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
            subjects.words[oids[i]] = bindings[i]
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
        or (o >> 128) & subjects.M34 >= (st >> 128) & subjects.M34
        or unsafe_add((o >> 162) & subjects.M34, table.LATE_ORDER_LEAD) > t
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
    if row == rulebook.ABSENT or usd == 0:
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
    if simplified == rulebook.ABSENT:
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
    if row == rulebook.ABSENT:
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
        or rulebook._targeted(office, rulebook.BY_COURIER, (word >> 72) & subjects.M24, t)
    )


@internal
@view
def _sellers_target(entry: Bytes[MAX_ENTRY], orders: uint256, office: uint256, t: uint256) -> bool:
    """
    @dev The parcel's word has no room for its sellers, so their targets are judged when it is filed.
    """
    for i: uint256 in range(orders, bound=8):
        oid: uint256 = extract32(entry, unsafe_add(128, unsafe_mul(i, 128)), output_type=uint256)
        if rulebook._targeted(office, rulebook.BY_SELLER, (subjects.words[oid] >> 72) & subjects.M24, t):
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
    opener: uint256 = (meta >> 56) & subjects.M24
    if opener == 0 or opener == org:
        opener = org
        if roles & table.R_COURIER == 0:
            return table.C_ROLE, 0
    elif (members.masks[opener << 24 | org] >> table.K_FILED) & 1 == 0:
        return table.C_NOT_YOURS, 0
    elif (members.orgs[opener] >> 40) & table.R_COURIER == 0:
        return table.C_ROLE, 0
    if subjects._id(table.K_FILED, opener, digest) != id:
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
    master: uint256 = (w >> 64) & subjects.M24
    if master > subjects.master_count:
        return table.C_MASTER_UNKNOWN, 0
    orders: uint256 = ((meta >> 48) & 127) >> 2
    first: uint256 = (st >> 128) & subjects.M34
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
    if (meta >> 8) & subjects.M40 < late:
        findings |= table.F_LATE
    office: uint256 = (w >> 48) & 255
    if generation != 0:
        if st & (table.B_CARRIED_IN | table.B_HELD) != 0:
            office = (st >> 96) & 255            # whoever has or holds it stays competent
        arrived: uint256 = subjects.words[subjects.masters[(st >> 200) & subjects.M24]]
        if master != 0:
            arrived |= subjects.words[subjects.masters[master]]
        if st & table.B_CARRIED_IN != 0 or arrived & table.B_ARRIVED != 0:
            findings |= table.F_CORRECTED_AFTER_ARRIVAL
    if rulebook.overlays[office << 40] >= t and self._sellers_target(entry, orders, office, t):
        findings |= table.F_OFFICE_TARGET
    word: uint256 = (st & STAYS) | status | findings
    word |= unsafe_add(generation, 1) << 64 | office << 96 | orders << 196 | master << 200
    word |= box.goods_class << 224 | ((w >> 16) & 65535) << 240
    if word & table.B_CARRIED_IN != 0 and self._is_target(word, office, t):
        word |= table.F_OFFICE_TARGET
    digest: bytes32 = keccak256(concat(FILING_TAG, convert(generation, bytes32), entry))
    subjects.filings[id] = convert(digest, uint256) & subjects.M160
    return 0, word
