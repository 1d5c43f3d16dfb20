# pragma version ~=0.4.3
# pragma evm-version cancun
"""
@title Clearance Ledger
@license Apache-2.0
@notice The one deployment. A call between contracts would cost as much as two entries, so members, rulebook,
        subjects, filing, decision and batches are modules of it. It is immutable and has no administrator: see
        members.vy for who can do what, docs/upgrade.md for the move to a new version.
"""
import members
import rulebook
import subjects
import filing
import decision
import batches

initializes: members
initializes: rulebook[members := members]
initializes: subjects
initializes: filing[members := members, rulebook := rulebook, subjects := subjects]
initializes: decision[members := members, rulebook := rulebook, subjects := subjects, filing := filing]
initializes: batches[members := members, subjects := subjects, filing := filing, decision := decision]

exports: members.__interface__
exports: rulebook.__interface__
exports: subjects.__interface__
exports: batches.__interface__


@deploy
def __init__(
    quorum: uint256,
    orgs: DynArray[uint256[2], 4096],
    keys: DynArray[uint256[2], 4096],
    rows: DynArray[uint256[2], 4096],
    rates: DynArray[uint256[2], 8192],
):
    """
    @notice Seeds members and rules from the genesis file.
    """
    members.__init__(quorum, orgs, keys)
    rulebook.__init__(rows, rates)
    subjects.__init__()
    batches.__init__()
