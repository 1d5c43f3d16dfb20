"""JSON-RPC of a node: `ethereum.py` has the `eth_` methods, `ledger.py` the `clearance_` ones, `app.py` serves them.

The only package that imports `fastapi`.
"""
