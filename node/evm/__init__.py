"""Execution by py-evm; the only package that imports `eth.*`, and no type of it leaves.

May import `node.blocks` and `ledger`. Start with `executor.py`.
"""
