"""The smart contracts and their compiled artefact.

May import `ledger.domain` only. Start with `src/batches.vy`; `table.py` renders the domain's tables for it, `build.py`
compiles (and alone imports Vyper), `artifact.py` loads what was compiled.
"""
