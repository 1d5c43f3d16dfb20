"""Audits: each executes or recomputes, trusts no node, and ends in a deterministic report. Start with `chain.py`."""
