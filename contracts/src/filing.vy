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

# What the rulebook says for filings alike, so that a batch reads it once
struct Rules:
    key: uint256             # first filing << 64 | office, mode and dispatch country as in the transport word
    hour: uint256            # of the first filing
    usd: uint256             # exchange rate of the US dollar, in which the limits are set; 0 unknown
    dispatch: uint256        # row of country and mode
    until: uint256           # time until which the office has targets

MAX_WORDS: constant(uint256) = 2048              # of a batch
RULES_KEY: constant(uint256) = 255 << 48 | 255 << 32 | 65535
USD: constant(uint256) = 840
# what stays of an order when a filing binds it: seller and whom it was handed to
SALE: constant(uint256) = (2**24 - 1) << 32 | (2**24 - 1) << 72
# what a correction keeps of a parcel: findings that facts have no part in, generation, opener, holds, inspections,
# stops and both times
STAYS: constant(uint256) = (
    table.KEPT | (table.FINDINGS & ~table.FROM_FACTS) | 255 << 64 | (2**24 - 1) << 72 | (2**24 - 1) << 104
    | (2**34 - 1) << 128 | (2**34 - 1) << 162
)
ORIGIN: constant(uint256) = 65535 << 240
NEWEST: constant(uint256) = 2**64 - 1            # newest pair of a rule row's slot
ORDER_TAG: constant(bytes32) = keccak256("clearance.order/v1")
FILING_TAG: constant(bytes32) = keccak256("clearance.filing/v1")


# ------------------------------------------------------------------------------------------- goods of a filing
@internal
@view
def _class_findings(goods_class: uint256, hour: uint256, quantity: uint256) -> uint256:
    """
    @return Findings of the class's rule row; bit 0 set where the class is excluded from the list
    """
    row: uint256 = rulebook._value(rulebook.CLASS_ROW | goods_class, hour)
    if row == 0:
        return 0
    if row == rulebook.ABSENT:
        return table.F_RULE_UNKNOWN
    findings: uint256 = row & 1
    if row & 2 != 0:
        findings |= table.F_PERMIT_MISSING
    if row >> 8 != 0 and quantity > row >> 8:
        findings |= table.F_QUANTITY_OVER_PERSONAL_USE
    return findings


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
def _declared(found: uint256, total: uint256, company: uint256, rules: Rules) -> uint256:
    """
    @notice Judges the track DECLARED: exempt, simplified or general.
    @param total Sum of price x rate
    @return Finding or status bit
    """
    if (
        total <= unsafe_mul((rules.dispatch >> 18) & (2**18 - 1), rules.usd)
        and company == 0
        and found & table.F_QUANTITY_OVER_PERSONAL_USE == 0
    ):
        return table.B_DUTY_OK
    simplified: uint256 = rulebook._value(rulebook.TRACK_ROW, rules.hour)
    if simplified == rulebook.ABSENT:
        return table.F_RULE_UNKNOWN
    return table.B_GENERAL if total > unsafe_mul(simplified, rules.usd) else 0


@internal
@view
def _rules(key: uint256) -> Rules:
    """
    @param key See Rules
    """
    return Rules(
        key=key,
        hour=(key >> 64) // 3600,
        usd=rulebook._rate(USD, key >> 64),
        dispatch=rulebook._dispatch(key & 65535, (key >> 32) & 255, (key >> 64) // 3600),
        until=rulebook.overlays[((key >> 48) & 255) << 40],
    )


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
def _is_target(word: uint256, t: uint256) -> bool:
    """
    @notice Whether the office of a parcel that is filed and carried in picked its class, origin or courier.
    """
    office: uint256 = (word >> 96) & 255
    if rulebook.overlays[office << 40] < t:
        return False
    return (
        rulebook._targeted(office, rulebook.BY_CLASS, (word >> 224) & 65535, t)
        or rulebook._targeted(office, rulebook.BY_ORIGIN, word >> 240, t)
        or rulebook._targeted(office, rulebook.BY_COURIER, (word >> 72) & subjects.M24, t)
    )


@internal
@view
def _sellers_target(
    data: DynArray[uint256, MAX_WORDS], begin: uint256, orders: uint256, office: uint256, t: uint256
) -> bool:
    """
    @dev The parcel's word has no room for its sellers, so their targets are judged when it is filed.
    """
    for i: uint256 in range(orders, bound=8):
        oid: uint256 = data[unsafe_add(begin, unsafe_mul(i, 4))]
        if rulebook._targeted(office, rulebook.BY_SELLER, (subjects.words[oid] >> 72) & subjects.M24, t):
            return True
    return False


@internal
@view
def _may_open_for(opener: uint256, org: uint256) -> uint256:
    """
    @return Rejection, or 0 where a courier let the org file in its name
    """
    if (members.masks[opener << 24 | org] >> table.K_FILED) & 1 == 0:
        return table.C_NOT_YOURS
    if (members.orgs[opener] >> 40) & table.R_COURIER == 0:
        return table.C_ROLE
    return 0


@internal
@view
def _after_arrival(st: uint256, master: uint256) -> uint256:
    """
    @return Finding of a correction, where the parcel or one of its masters has arrived
    """
    arrived: uint256 = subjects.words[subjects.masters[(st >> 200) & subjects.M24]]
    if master != 0:
        arrived |= subjects.words[subjects.masters[master]]
    if st & table.B_CARRIED_IN != 0 or arrived & table.B_ARRIVED != 0:
        return table.F_CORRECTED_AFTER_ARRIVAL
    return 0


@internal
def _file(
    data: DynArray[uint256, MAX_WORDS], entry: subjects.Entry, who: subjects.Writer, w: uint256, rules: Rules
) -> (uint256, uint256):
    """
    @notice Takes a filing (nothing stands before), which opens the parcel in the signer's own name, or a broker's
            for a courier that let it; or a correction. Recomputes what comes from facts and match, and binds the
            orders if none is refused.
    @param data Words of the batch
    @param w Transport word
    @return Rejection or 0, and the parcel's new word
    @dev One function, rare cases apart: a call with its arguments costs a parcel 1 to 2 % of its opcodes each
         (docs/performance.md). `data` is copied, which is one opcode.
    """
    # who files
    st: uint256 = entry.st
    opener: uint256 = (entry.meta >> 56) & subjects.M24
    group: uint256 = who.group
    if entry.st != 0:
        opener = (st >> 72) & subjects.M24
        if (st >> 64) & 255 == table.MAX_GENERATION:
            return table.C_LIMIT, 0
    elif opener == 0 or opener == who.org:
        opener = who.org
        if who.roles & table.R_COURIER == 0:
            return table.C_ROLE, 0
    else:
        refused: uint256 = self._may_open_for(opener, who.org)
        if refused != 0:
            return refused, 0
    if entry.st == 0:
        if subjects._id(table.K_FILED, opener, data[unsafe_add(entry.at, 2)]) != entry.id:
            return table.C_BAD_ID, 0
        st = table.B_PARCEL | table.B_FILED | opener << 72 | who.t << 128
    if opener != who.org:
        group = members.orgs[opener] & subjects.M24
    master: uint256 = (w >> 64) & subjects.M24
    if master != 0 and master > subjects.master_count:
        return table.C_MASTER_UNKNOWN, 0

    # what is in the box: match, value, rule rows
    orders: uint256 = ((entry.meta >> 48) & 127) >> 2
    oid: uint256 = 0
    binding: uint256 = 0                         # word to write to the order, 0 where it is bound already
    bound: uint256 = 0
    oids: uint256[8] = empty(uint256[8])
    bindings: uint256[8] = empty(uint256[8])
    classes: uint256[8] = empty(uint256[8])
    quantities: uint256[8] = empty(uint256[8])
    findings: uint256 = 0                        # bit 0: a class is excluded from the list
    total: uint256 = 0                           # price x rate, millionths of a won
    dearer: uint256 = 0                          # more than the dearest goods
    main: uint256 = 0                            # their class
    company: uint256 = 0
    at: uint256 = unsafe_add(entry.at, 4)
    for i: uint256 in range(table.MAX_ORDERS):
        if orders != 0:
            named: uint256 = data[at]
            if named <= oid:
                return table.C_ORDERS_UNSORTED, 0
            oid = named
            at = unsafe_add(at, 1)
        goods: uint256 = data[at]
        if orders != 0:                          # is it the order that its seller opened, and may it be named
            o: uint256 = subjects.words[oid]
            seller: uint256 = (o >> 72) & subjects.M24
            if o & table.B_CONSUMED == 0:
                if o & table.B_ORDER == 0:
                    return table.C_ORDER_NOT_OPEN, 0
                if (o >> 32) & subjects.M24 != opener:
                    return table.C_ORDER_NOT_HANDED, 0
                binding = (o & SALE) | table.B_ORDER | table.B_CONSUMED | (entry.id & subjects.M160) << 96
                if entry.st != 0 and self._comes_late(st, o, who.t):
                    findings |= table.F_LATE_ORDER
            elif o >> 96 == entry.id & subjects.M160:
                bound = unsafe_add(bound, 1)
                binding = 0
            else:
                return table.C_ORDER_NOT_OPEN, 0
            sold: uint256 = members.orgs[seller]
            if sold & subjects.M24 == group:
                return table.C_ORDER_SAME_GROUP, 0
            if (sold >> 32) & 255 != 1:
                findings |= table.F_WATCHED_PARTY
            commitment: bytes32 = keccak256(
                abi_encode(ORDER_TAG, goods, data[unsafe_add(at, 1)], data[unsafe_add(at, 2)])
            )
            if subjects._id(table.K_ORDER_OPENED, seller, convert(commitment, uint256)) != oid:
                findings |= table.F_FACTS_MISMATCH
        at = unsafe_add(at, 3)
        rate: uint256 = rules.usd
        if (goods >> 40) & 65535 != USD:
            rate = rulebook._rate((goods >> 40) & 65535, rules.key >> 64)
        if rate == 0:
            findings |= table.F_RULE_UNKNOWN
        value: uint256 = unsafe_mul(goods & subjects.M40, rate)
        total = unsafe_add(total, value)
        goods_class: uint256 = (goods >> 56) & 65535
        if value >= dearer:
            dearer = unsafe_add(value, 1)
            main = goods_class
        quantity: uint256 = (goods >> 72) & subjects.M24
        if orders > 1:                           # personal-use quantities are summed over the box
            oids[i] = oid
            bindings[i] = binding
            classes[i] = goods_class
            quantities[i] = quantity
            for n: uint256 in range(i, bound=8):
                if classes[n] == goods_class:
                    quantity = unsafe_add(quantity, quantities[n])
        pair: uint256 = rulebook.rows[(rulebook.CLASS_ROW | goods_class) << 2]
        if pair & NEWEST > rules.hour or pair == 0:      # else the newest pair is in force and says 0: nothing
            findings |= self._class_findings(goods_class, rules.hour, quantity)
        company |= (goods >> 104) & 255
        if unsafe_add(i, 1) >= orders:
            break
    if bound != (st >> 196) & 15:
        return table.C_ORDER_DROPPED, 0
    if orders > 1:
        for i: uint256 in range(orders, bound=8):
            if bindings[i] != 0:
                subjects.words[oids[i]] = bindings[i]
    elif binding != 0:
        subjects.words[oid] = binding

    # the track that is claimed
    word: uint256 = findings & ~1
    if rules.dispatch == rulebook.ABSENT or rules.usd == 0:
        word |= table.F_RULE_UNKNOWN
    else:
        if orders == 0 and (rules.dispatch >> 36) & 1 != 0:
            word |= table.F_ORDER_MISSING
        if (w >> 56) & 255 != 0:
            word |= self._declared(findings, total, company, rules)
        else:
            word |= table.B_LIST | table.B_DUTY_OK
            if findings & 1 != 0:
                word |= table.F_CLASS_EXCLUDED
            if total > unsafe_mul(rules.dispatch & (2**18 - 1), rules.usd):
                word |= table.F_VALUE_OVER_LIMIT
            if company != 0:
                word |= table.F_COMMERCIAL_USE

    # the parcel's word
    if (entry.meta >> 80) & 1 != 0:
        word |= table.F_MANY_ORDERS
    if (entry.meta >> 8) & subjects.M40 < who.late:
        word |= table.F_LATE
    office: uint256 = (w >> 48) & 255
    until: uint256 = rules.until
    if entry.st != 0:
        if st & (table.B_CARRIED_IN | table.B_HELD) != 0:
            office = (st >> 96) & 255            # whoever has or holds it stays competent
            until = rulebook.overlays[office << 40]
        word |= self._after_arrival(st, master)
    word |= (
        (unsafe_add(st, 1 << 64) & STAYS)
        | office << 96 | orders << 196 | master << 200 | main << 224 | (w << 224 & ORIGIN)
    )
    if until >= who.t:
        if self._sellers_target(data, unsafe_add(entry.at, 4), orders, office, who.t):
            word |= table.F_OFFICE_TARGET
        if word & table.B_CARRIED_IN != 0 and self._is_target(word, who.t):
            word |= table.F_OFFICE_TARGET
    return 0, word
