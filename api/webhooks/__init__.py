"""Webhooks out: Standard Webhooks 1.0 to addresses that members register."""
