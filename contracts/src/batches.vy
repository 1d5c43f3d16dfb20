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
NO_ROLES: constant(uint256) = ~(65535 << 232)
# rows whose entries do more than set bits; words that the completing entry may still decide
HAS_CODE: constant(uint256) = table.G_NAMES | table.G_OPENING | table.G_SPECIAL
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
@view
def _may_write(st: uint256, x: uint256, g: uint256, kind: uint256, org: uint256, roles: uint256) -> bool:
    """
    @notice Whether a writer that is not the opener may write all the same: customs, or an org that was let.
    """
    if x & ~(subjects.M24 << 72) != 0:
        return False
    if g & table.G_CUSTOMS_TOO != 0 and roles & table.R_CUSTOMS_OFFICER != 0:
        return True
    return (members.masks[((st >> 72) & subjects.M24) << 24 | org] >> kind) & 1 != 0


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
    org: uint256 = member & subjects.M24
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
    late: uint256 = filing._late_before(t)
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
        st: uint256 = subjects.words[id]
        x: uint256 = (
            ((st ^ me ^ (g >> 128)) & g & subjects.M128)
            | convert(meta & M48 > limit, uint256) << 127
            | convert(g & role == 0, uint256) << 126
        )
        if x != 0:
            if not self._may_write(st, x, g, kind, org, roles):
                outcomes.append(i << 8 | self._why(x, g, kind, convert(lane, uint256)))
                continue
        code: uint256 = 0
        new: uint256 = st | ((g >> 160) & subjects.M32)
        if g & HAS_CODE != 0:
            if g & table.G_NAMES != 0:
                if subjects.filings[id] != meta >> 96:
                    code = table.C_STALE_FILING
                elif kind == table.K_SCREENED_REFERRED:
                    new |= table.F_SCREENING_REFERRED
            elif kind == table.K_CARRIED_IN:
                new = decision._carry_in(st, (meta >> 8) & subjects.M40 < late, office, t)
            elif g & table.G_FILING != 0:
                code, new = filing._file(
                    convert(slice(entries, at, unsafe_sub(j, at)), Bytes[filing.MAX_ENTRY]),
                    id, meta, st, org, roles, late, t
                )
            elif g & table.G_OPENING != 0:
                digest: bytes32 = extract32(entries, unsafe_add(at, 64))
                code, new = subjects._open(kind, id, digest, meta, new, org, office, roles, t)
                if kind == table.K_MASTER_OPENED and code == 0:
                    outcomes.append(((new >> 32) & subjects.M24) << 32 | i << 8 | table.C_MASTER_HANDLE)
            else:
                inner: uint256 = guards[min((meta >> 56) & 255, 31)]
                code, new = decision._special(kind, id, st, meta, (g >> 160) & subjects.M32, inner, t)
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
        subjects.words[id] = new
    assert j == size, "batch: size"
    log Recorded(key=key, place=place, outcomes=outcomes)
