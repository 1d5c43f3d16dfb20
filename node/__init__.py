"""The node: chain, sealer, follower, RPC and audit. May import `ledger` and `contracts`; `eth.*` only in `node.evm`.

Start with `sealer.py` and `follower.py`; `chain.py` is what they share, `service.py` the process around them.
"""
