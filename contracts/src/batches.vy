# pragma version ~=0.4.3
# pragma evm-version cancun
"""
@title Batches: who signed, which guards hold, what became of each entry
@license Apache-2.0
@notice Sellers open orders, couriers file parcels, yards carry them in, authorities give results, officers decide.
        A batch never fails because one entry is bad; what anyone can see without state refuses the batch.
@dev Kinds are in ledger/domain/kinds.py. Unchecked arithmetic is used where the operands are cut to fields that
     cannot overflow 256 bits, or bounded by the batch's size.
"""
import table
import members
import subjects
import filing
import decision

uses: members
uses: subjects
uses: filing
uses: decision

event Recorded:
    key: indexed(address)
    place: indexed(uint256)              # org << 192 | lane << 128 | seq << 64 | t
    outcomes: DynArray[uint256, 1024]    # value << 32 | index << 8 | code; see ledger/domain/rejections.py

M48: constant(uint256) = 2**48 - 1
SHAPE: constant(uint256) = 255 << 48 | 255
NO_ROLES: constant(uint256) = ~(65535 << 232)
# rows whose entries do more than set bits; words that the completing entry may still decide
HAS_CODE: constant(uint256) = table.G_NAMES | table.G_OPENING | table.G_SPECIAL
OTHER_THAN_OPENER: constant(uint256) = ~((2**24 - 1) << 72)
UNDECIDED: constant(uint256) = table.B_CARRIED_IN | table.B_OBSERVED | table.B_CLEARED
HALF_N: constant(uint256) = 57896044618658097711785492504343953926418782139537452191302581570759080747168
BATCH_TYPE: constant(bytes32) = keccak256("Batch(uint64 lane,uint64 seq,uint64 notAfter,bytes entries)")
DOMAIN_TYPE: constant(bytes32) = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)

DOMAIN: immutable(bytes32)

# lane << 160 | key -> next sequence number
nexts: public(HashMap[uint256, uint256])


@deploy
def __init__():
    DOMAIN = keccak256(
        abi_encode(DOMAIN_TYPE, keccak256(table.DOMAIN_NAME), keccak256(table.DOMAIN_VERSION), chain.id, self)
    )


@internal
@pure
def _why(x: uint256, g: uint256, kind: uint256, lane: uint256) -> uint256:
    """
    @notice The code of a guard that failed; looked for only then.
    """
    if (x >> 126) & 1 != 0:
        assert (g >> 192) & 255 != table.NO_WORDS_FIT, "batch: kind"
        return table.C_WRONG_LANE if (g & table.G_STOP != 0) == (lane != 0) else table.C_ROLE
    if x >> 127 != 0:
        return table.C_FUTURE
    if x & subjects.M32 == 0:
        return table.C_NOT_YOURS
    return table.C_STATE_MISSING if x & (g >> 128) & subjects.M32 != 0 else table.C_STATE_BARRED


@internal
def _signer(
    lane: uint64, seq: uint64, notAfter: uint64, v: uint256, r: uint256, s: uint256, entries: bytes32
) -> address:
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
    @notice Takes a batch that a member signed; anyone may relay it, in a transaction of its own: who reads blocks
            finds it in the calldata, and stops stand first.
    @param lane 0 stops, from 2**63 on traces, else the writer's choice
    @param seq Next number of the key in the lane
    @param notAfter Time after which the batch is dead
    @param t Time of wrapping, set by the relayer: the time every rule goes by
    @param entries First word: number of entries; then entries of three words and the extra words they name
    """
    assert msg.sender == tx.origin, "batch: forwarded"
    members._check_clock(t)
    assert t <= convert(notAfter, uint256), "batch: expired"
    key: address = self._signer(lane, seq, notAfter, v, r, s, keccak256(entries))
    member: uint256 = 0
    ow: uint256 = 0
    member, ow = members._member(key, t)
    who: subjects.Writer = empty(subjects.Writer)
    who.org = member & subjects.M24
    place: uint256 = who.org << 192 | convert(lane, uint256) << 128 | convert(seq, uint256) << 64 | t
    outcomes: DynArray[uint256, 1024] = []
    if convert(lane, uint256) >= table.TRACE_LANE:
        # who may write which trace is a rule of the decoder that read model and audit share
        log Recorded(key=key, place=place, outcomes=outcomes)
        return
    who.roles = (member >> 24) & 65535
    guards: uint256[32] = table.GUARDS
    if lane == 0:
        assert who.roles & table.STOP_LANE_ROLES != 0, "batch: stop lane"
        for i: uint256 in range(32):
            guards[i] = guards[i] & NO_ROLES     # other kinds: nobody may write them here, their shape holds
        guards[table.K_IDENTITY_STOPPED] = table.STOP_IDENTITY_STOPPED
        guards[table.K_HELD] = table.STOP_HELD
        guards[table.K_RECALLED] = table.STOP_RECALLED
    who.group = ow & subjects.M24
    who.office = (ow >> 24) & 255
    who.t = t
    who.late = filing._late_before(t)
    who.until = decision._targets_until(who.office)
    me: uint256 = who.org << 72 | who.office << 96
    role: uint256 = who.roles << 232
    limit: uint256 = unsafe_add(t, table.CLAIM_AHEAD) << 8 | 255
    rules: filing.Rules = empty(filing.Rules)
    rules.key = max_value(uint256)
    # the same bytes as words: reading a word of bytes costs nearly twice as much
    data: DynArray[uint256, filing.MAX_WORDS] = abi_decode(
        concat(convert(32, bytes32), convert(len(entries) >> 5, bytes32), entries), DynArray[uint256, filing.MAX_WORDS]
    )
    count: uint256 = data[0]
    assert count <= table.MAX_ENTRIES, "batch: entries"
    assert len(entries) >= unsafe_add(32, unsafe_mul(count, 96)), "batch: size"
    shape: uint256 = max_value(uint256)          # kind and extra words of the entry before
    kind: uint256 = 0
    g: uint256 = 0                               # guard word of the kind, and what it comes to for this writer:
    mask: uint256 = 0                            # bits of the subject's word that are compared,
    want: uint256 = 0                            # what they must be,
    sets: uint256 = 0                            # bits that are set,
    barred: uint256 = 0                          # bit 126 if the writer's roles do not fit
    step: uint256 = 0                            # words of the entry
    e: subjects.Entry = empty(subjects.Entry)
    k: uint256 = 1                               # where the next entry begins
    for i: uint256 in range(count, bound=table.MAX_ENTRIES):
        e.id = data[k]
        e.meta = data[unsafe_add(k, 1)]
        if e.meta & SHAPE != shape:              # entries of a kind come in runs
            shape = e.meta & SHAPE
            kind = e.meta & 255
            assert kind < 32, "batch: kind"
            g = guards[kind]
            extra: uint256 = shape >> 48
            if extra != (g >> 192) & 255:
                assert g & table.G_FILING != 0 and extra & 3 == 1 and extra > 1 and extra <= 33, "batch: shape"
            step = unsafe_add(3, extra & 127)
            mask = g & subjects.M128
            want = g >> 128 ^ me
            sets = (g >> 160) & subjects.M32
            barred = 1 << 126 if g & role == 0 else 0
        k = unsafe_add(k, step)
        e.st = subjects.words[e.id]
        x: uint256 = ((e.st ^ want) & mask) | barred | convert(e.meta & M48 > limit, uint256) << 127
        # who is not the opener may write all the same: an org that was let, or customs
        if x != 0 and (
            x & OTHER_THAN_OPENER != 0
            or (
                (members.masks[(e.st >> 48) & (subjects.M24 << 24) | who.org] >> kind) & 1 == 0
                and (g & table.G_CUSTOMS_TOO == 0 or who.roles & table.R_CUSTOMS_OFFICER == 0)
            )
        ):
            outcomes.append(i << 8 | self._why(x, g, kind, convert(lane, uint256)))
            continue
        new: uint256 = e.st | sets
        if g & HAS_CODE != 0:
            if g & table.G_NAMES != 0:
                if subjects.filings[e.id] != e.meta >> 96:
                    outcomes.append(i << 8 | table.C_STALE_FILING)
                    continue
                if kind == table.K_SCREENED_REFERRED:
                    new |= table.F_SCREENING_REFERRED
            elif kind == table.K_CARRIED_IN:
                new = decision._carry_in(e.st, e.meta, who)
            elif kind == table.K_ORDER_OPENED:
                if subjects._id(kind, who.org, data[unsafe_add(unsafe_sub(k, step), 2)]) != e.id:
                    outcomes.append(i << 8 | table.C_BAD_ID)
                    continue
                new |= subjects._sale(e.meta, who.org, t)
            else:
                e.at = unsafe_sub(k, step)
                code: uint256 = 0
                if g & table.G_FILING != 0:
                    w: uint256 = data[unsafe_add(e.at, 3)]
                    # the rules are those of the parcel's first filing
                    under: uint256 = (t if e.st == 0 else (e.st >> 128) & subjects.M34) << 64 | w & filing.RULES_KEY
                    if under != rules.key:
                        rules = filing._rules(under)
                    digest: bytes32 = keccak256(concat(
                        filing.FILING_TAG,
                        convert((e.st >> 64) & 255, bytes32),
                        slice(entries, e.at << 5, step << 5)
                    ))
                    code, new = filing._file(data, e, who, w, rules)
                    if code == 0:
                        subjects.filings[e.id] = convert(digest, uint256) & subjects.M160
                elif g & table.G_OPENING != 0:
                    code, new = subjects._open(kind, e.id, data[unsafe_add(e.at, 2)], new, who)
                    if kind == table.K_MASTER_OPENED and code == 0:
                        outcomes.append(((new >> 32) & subjects.M24) << 32 | i << 8 | table.C_MASTER_HANDLE)
                elif g & table.G_GROUND != 0 and (e.meta >> 56) & 255 == 0:
                    code = table.C_GROUND_MISSING
                else:
                    inner: uint256 = guards[min((e.meta >> 56) & 255, 31)]
                    code, new = decision._special(kind, e.id, e.st, e.meta, sets, inner, t)
                    if kind == table.K_HELD and code == 0:
                        outcomes.append(unsafe_sub((new >> 112) & 15, 1) << 32 | i << 8 | table.C_HOLD_NUMBER)
                if code != 0:
                    outcomes.append(i << 8 | code)
                    continue
        if new & UNDECIDED == table.B_CARRIED_IN:
            judged: uint256 = decision._complete(new)
            if judged != new:
                outcomes.append(i << 8 | (table.C_CLEARED if judged & table.B_CLEARED != 0 else table.C_REFERRED))
                new = judged
        subjects.words[e.id] = new
    assert k << 5 == len(entries), "batch: size"
    log Recorded(key=key, place=place, outcomes=outcomes)
