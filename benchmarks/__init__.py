"""Benchmarks: never a timed test. Start with `__main__.py` (`make bench`)."""
