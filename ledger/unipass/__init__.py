"""UNI-PASS open API: reads cargo progress answers (API001). May import `ledger.domain`.

Start with `progress.py`; `records.py` reads the XML within bounds.
"""
