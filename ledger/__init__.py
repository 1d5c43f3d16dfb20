"""The ledger's own knowledge: domain, commitments, keys, payloads, and the codec of what stands on chain.

Start with `domain/kinds.py`; `chain/` packs and reads it. `domain` needs the standard library only.
"""

import os
from importlib.util import find_spec

# eth_hash picks pycryptodome first, which is four times slower; every root is the same with either
if find_spec("sha3"):
    os.environ.setdefault("ETH_HASH_BACKEND", "pysha3")
