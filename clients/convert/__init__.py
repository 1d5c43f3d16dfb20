"""Scans as couriers' systems write them, CSV and EPCIS 2.0 JSON, turned into entries; nothing here signs or sends.

Start with `clients.convert.scans`. It imports `ledger` only.
"""
