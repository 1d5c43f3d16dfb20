"""`python -m clients.cli` is the `clearance` command."""

from clients.cli.main import app

app()
