# pragma version ~=0.4.3
# pragma evm-version cancun
"""
@title Subjects: orders, parcels and masters
@license Apache-2.0
@notice One packed word for each, under an id that only its opener can make, so that nobody can squat it.
@dev Words are laid out in ledger/domain/words.py.
"""
import table

M24: constant(uint256) = 2**24 - 1
M32: constant(uint256) = 2**32 - 1
M34: constant(uint256) = 2**34 - 1
M40: constant(uint256) = 2**40 - 1
M128: constant(uint256) = 2**128 - 1
M160: constant(uint256) = 2**160 - 1
ID_TAG: constant(bytes32) = keccak256("clearance.id/v1")

# Who writes a batch, and when
struct Writer:
    org: uint256
    group: uint256           # relation group of the org
    office: uint256          # customs office of the org, 0 none
    roles: uint256           # of the key
    t: uint256
    late: uint256            # what is claimed for an earlier time is late
    until: uint256           # time until which the office has targets

# An entry, and what stands of its subject before it
struct Entry:
    id: uint256
    meta: uint256            # header word
    st: uint256              # word of the subject
    at: uint256              # where its words begin in the batch

SELF: immutable(bytes32)

# id of order, parcel or master -> packed word
words: public(HashMap[uint256, uint256])
# id of parcel -> low 160 bits of the newest filing's digest
filings: public(HashMap[uint256, uint256])
# handle -> id of master
masters: public(HashMap[uint256, uint256])
master_count: public(uint256)


@deploy
def __init__():
    SELF = keccak256(abi_encode(ID_TAG, chain.id, self))


@internal
@view
def _id(kind: uint256, opener: uint256, digest: uint256) -> uint256:
    """
    @notice Id of a subject: only its opener can open it, so nobody can squat it.
    """
    return convert(keccak256(abi_encode(SELF, kind, opener, digest)), uint256)


@internal
@pure
def _sale(meta: uint256, org: uint256, t: uint256) -> uint256:
    """
    @return What stands in the word of a fresh order: to whom it is handed, opener, claimed time, time
    """
    return (meta >> 24) & (M24 << 32) | org << 72 | min((meta >> 8) & M40, M34) << 128 | t << 162


@internal
def _open(kind: uint256, id: uint256, digest: uint256, sets: uint256, who: Writer) -> (uint256, uint256):
    """
    @notice Opens a master or an observed parcel.
    @return Rejection or 0, and the new word
    """
    if self._id(kind, who.org, digest) != id:
        return table.C_BAD_ID, 0
    word: uint256 = sets | who.org << 72
    if who.roles & table.R_AGENCY != 0:
        word |= table.B_OBSERVED                 # what an agency opens is observed, and never cleared by rule
    if kind == table.K_MASTER_OPENED:
        if self.master_count == M24:
            return table.C_LIMIT, 0
        self.master_count = unsafe_add(self.master_count, 1)
        self.masters[self.master_count] = id
        word |= self.master_count << 32 | who.office << 96
    return 0, word
