"""The `clearance` command run inside the test's process: its output, its status, nothing of another test's."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import typer.main

from clients.cli import console
from clients.cli.main import app

COMMAND = typer.main.get_command(app)


@dataclass(frozen=True)
class Done:
    """What a command said and how it ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        """The line of JSON; a service in the same process may log between."""
        (line,) = [each for each in self.stdout.splitlines() if each.startswith("{")]
        found: dict[str, Any] = json.loads(line)
        return found


def clearance(*words: str, typed: Any = "", env: Mapping[str, str] | None = None) -> Done:
    """Run a command; `typed` is a text, or an object that gives lines when they are asked for."""
    told, why = io.StringIO(), io.StringIO()
    keys = io.StringIO(typed) if isinstance(typed, str) else typed
    console.out.width = console.err.width = 220
    with (
        redirect_stdout(told),
        redirect_stderr(why),
        patch.object(sys, "stdin", keys),
        patch.dict(os.environ, env or {}),
    ):
        try:
            COMMAND(list(words), prog_name="clearance")
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
    return Done(status, told.getvalue(), why.getvalue())
