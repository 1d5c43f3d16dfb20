# pragma version ~=0.4.3
# pragma evm-version cancun
"""
@title Members: organisations, keys, roles and what one lets another write
@license Apache-2.0
@notice Governors admit organisations and change them, k of n, after a delay. An organisation's cold key
        enrols and retires keys within the roles it was given. Any one governor, or the cold key, suspends
        at once. There is no single administrator: no call of one party gives a role.
@dev Words are laid out in ledger/domain/words.py (KEY, ORG). Every call carries `t`, the time that rules
     go by, so that equal transactions give equal roots whatever the block boundaries.
"""
import table

event Changed:
    what: indexed(uint256)
    by: indexed(address)
    a: uint256
    b: uint256

M24: constant(uint256) = 2**24 - 1
M40: constant(uint256) = 2**40 - 1
M160: constant(uint256) = 2**160 - 1
STANDING: constant(uint256) = 255 << 32
SUSPENDED_ORG: constant(uint256) = 3 << 32
SUSPENDED_KEY: constant(uint256) = 1 << 120

# what of Changed: 1 org, 2 key, 3 quorum (governed); 4 rule row, 5 exchange rate, 6 overlay (rulebook);
# 7 key suspended, 8 org suspended, 9 key enrolled, 10 key retired, 11 let
ORG: constant(uint256) = 1
KEY: constant(uint256) = 2
QUORUM: constant(uint256) = 3

keys: public(HashMap[address, uint256])
orgs: public(HashMap[uint256, uint256])
# owner << 24 | writer -> one bit for each kind the writer may write in the owner's name
masks: public(HashMap[uint256, uint256])
quorum: public(uint256)
# hash of the proposal -> seats that agreed (64) | time it can be carried out << 64
votes: public(HashMap[bytes32, uint256])


@deploy
def __init__(quorum: uint256, orgs: DynArray[uint256[2], 4096], keys: DynArray[uint256[2], 4096]):
    """
    @notice Seeds what genesis names.
    @param quorum Votes that a proposal needs
    @param orgs Pairs of org handle and org word
    @param keys Pairs of address and key word
    """
    assert quorum != 0, "members: quorum"
    self.quorum = quorum
    for pair: uint256[2] in orgs:
        self.orgs[pair[0]] = pair[1]
    for pair: uint256[2] in keys:
        self.keys[convert(pair[0], address)] = pair[1]


@internal
@view
def _check_clock(t: uint256):
    """
    @dev `t` may lie behind block time, never ahead of it.
    """
    assert t <= block.timestamp and block.timestamp <= t + table.CLOCK_BEHIND, "batch: clock"


@internal
@view
def _member(key: address, t: uint256) -> (uint256, uint256):
    """
    @notice Finds the member behind a key, or reverts.
    @return Word of the key with its roles cut to those of its org, and word of the org
    """
    w: uint256 = self.keys[key]
    o: uint256 = self.orgs[w & M24]
    standing: uint256 = (o >> 32) & 255
    assert (
        w >> 120 == 0 and (w >> 40) & M40 <= t and t <= (w >> 80) & M40 and (standing == 1 or standing == 2)
    ), "members: not a member"
    return w & ((o & (65535 << 40)) >> 16 | ~(65535 << 24)), o


@internal
def _agreed(t: uint256, role: uint256, proposal: bytes32, delay: uint256) -> bool:
    """
    @notice Counts the caller's vote. The first call after the k-th vote and the delay carries the proposal out.
    @return Whether the proposal is to be carried out now
    """
    w: uint256 = 0
    o: uint256 = 0
    w, o = self._member(msg.sender, t)
    assert (w >> 24) & role != 0, "members: role"
    v: uint256 = self.votes[proposal]
    if v >> 64 == 0:
        v |= 1 << ((o >> 56) & 63)
        count: uint256 = 0
        seats: uint256 = v
        for i: uint256 in range(64):
            count += seats & 1
            seats >>= 1
        if count >= self.quorum:
            v |= (t + delay) << 64
    done: bool = v >> 64 != 0 and t >= v >> 64
    self.votes[proposal] = 0 if done else v
    return done


@external
def govern(t: uint256, until: uint256, what: uint256, a: uint256, b: uint256):
    """
    @notice Votes for a change of an org, a key or the quorum; k of n governors, then a delay.
    @param until Time after which the proposal is dead
    @param what 1 org, 2 key, 3 quorum
    @param a Org handle, address of the key, or the new quorum
    @param b New word
    """
    self._check_clock(t)
    assert t <= until, "members: expired"
    assert what == ORG or what == KEY or what == QUORUM, "members: proposal"
    assert a != 0, "members: proposal"
    if not self._agreed(t, table.R_GOVERNOR, keccak256(abi_encode(until, what, a, b)), table.GOVERNANCE_DELAY):
        return
    if what == ORG:
        self.orgs[a] = b
    elif what == KEY:
        self.keys[convert(a & M160, address)] = b
    else:
        self.quorum = a
    log Changed(what=what, by=msg.sender, a=a, b=b)


@internal
@view
def _check_may_suspend(t: uint256, o: uint256):
    if convert(o >> 96, address) != msg.sender:
        w: uint256 = 0
        governor: uint256 = 0
        w, governor = self._member(msg.sender, t)
        assert (w >> 24) & table.R_GOVERNOR != 0, "members: role"
        # else one governor could suspend the others, and nobody could be reinstated
        assert (o >> 40) & table.R_GOVERNOR == 0, "members: governor"


@external
def suspend_key(t: uint256, key: address):
    """
    @notice Suspends a key at once; by its org's cold key or any one governor (a governor's by its cold key alone).
    """
    self._check_clock(t)
    w: uint256 = self.keys[key]
    assert w != 0, "members: unknown key"
    self._check_may_suspend(t, self.orgs[w & M24])
    self.keys[key] = w | SUSPENDED_KEY
    log Changed(what=7, by=msg.sender, a=convert(key, uint256), b=0)


@external
def suspend_org(t: uint256, org: uint256):
    """
    @notice Suspends an organisation at once; by its cold key or any one governor (a governor by its cold key alone).
    """
    self._check_clock(t)
    o: uint256 = self.orgs[org]
    assert o != 0, "members: unknown org"
    self._check_may_suspend(t, o)
    self.orgs[org] = (o & ~(STANDING)) | SUSPENDED_ORG
    log Changed(what=8, by=msg.sender, a=org, b=0)


@internal
@view
def _check_cold(org: uint256) -> uint256:
    o: uint256 = self.orgs[org]
    assert convert(o >> 96, address) == msg.sender, "members: cold key"
    return o


@external
def enrol(t: uint256, key: address, word: uint256):
    """
    @notice Enrols a key of the caller's org, within the roles the org was given.
    """
    self._check_clock(t)
    o: uint256 = self._check_cold(word & M24)
    assert self.keys[key] == 0, "members: key known"
    assert word >> 120 == 0 and (word >> 24) & 65535 & ~(o >> 40) == 0, "members: role"
    self.keys[key] = word
    log Changed(what=9, by=msg.sender, a=convert(key, uint256), b=word)


@external
def retire(t: uint256, key: address):
    """
    @notice Ends the validity of a key of the caller's org at `t`.
    """
    self._check_clock(t)
    w: uint256 = self.keys[key]
    self._check_cold(w & M24)
    assert (w >> 80) & M40 > t, "members: key ended"
    self.keys[key] = (w & ~(M40 << 80)) | t << 80
    log Changed(what=10, by=msg.sender, a=convert(key, uint256), b=t)


@external
def let(t: uint256, org: uint256, writer: uint256, kinds: uint256):
    """
    @notice Lets another org write kinds in the name of the caller's org; a standing mask, 0 ends it.
    """
    self._check_clock(t)
    self._check_cold(org)
    assert org <= M24 and writer <= M24 and kinds < 2**32, "members: let"
    self.masks[org << 24 | writer] = kinds
    log Changed(what=11, by=msg.sender, a=org << 24 | writer, b=kinds)
