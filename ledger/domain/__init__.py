"""The domain: what the law and the trade say, as data and pure functions. Needs the standard library only.

Start with `kinds.py` (the table of entry kinds), then `words.py` (where each field stands) and `findings.py`.
"""
