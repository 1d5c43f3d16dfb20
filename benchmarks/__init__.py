"""Benchmarks: never a timed test. `make bench`, or `python -m benchmarks PART`; parts stand in `__main__.py`."""
