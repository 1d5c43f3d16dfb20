"""The `clearance` command: one composition root a process, imports inside functions. Start with `main.py`."""
