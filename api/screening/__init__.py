"""Screening (위험 심사): which parcels an officer looks at, and why; a random sample that anybody can recompute."""
