"""Execution by py-evm; the only package that imports `eth.*`, and no type of it leaves.

May import `node.blocks` and `ledger`. Start with `executor.py`.
"""

import os
from importlib.util import find_spec

# eth_hash picks pycryptodome first, which is four times slower; roots are the same with either
if find_spec("sha3"):
    os.environ.setdefault("ETH_HASH_BACKEND", "pysha3")
