"""What stands on chain: batches and entries, calldata and logs, state words. Knows no node.

Start with `batch.py`; `included.py` joins calldata and log, `state.py` reads storage.
"""
