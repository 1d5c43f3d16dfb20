# pragma version ~=0.4.3
# pragma evm-version cancun
"""
@title Clearance Ledger
@license Apache-2.0
@notice The one deployment: Members, Rulebook and Parcels. A call between contracts would cost as much as two
        entries, so they are modules. It is immutable and has no administrator: see members.vy for who can do
        what, docs/upgrade.md for the move to a new version.
"""
import members
import rulebook
import parcels

initializes: members
initializes: rulebook[members := members]
initializes: parcels[members := members, rulebook := rulebook]

exports: members.__interface__
exports: rulebook.__interface__
exports: parcels.__interface__


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
    parcels.__init__()
