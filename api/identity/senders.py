"""Who sends one-time codes outside of a demo: a program of the operator's, or nobody."""

from __future__ import annotations

import json
import logging
import subprocess
from pathlib import Path
from typing import Final

log = logging.getLogger("clearance.codes")

SECONDS: Final = 20
"""How long the program may take."""


class CommandSender:
    """Runs a program for each code. It reads one JSON object, phone and code, from standard input."""

    def __init__(self, command: Path) -> None:
        """Take the program; it gets no arguments, which other users could read."""
        self._command = command

    def send(self, phone: str, code: str) -> None:
        """Run it. A failure is logged without saying whom the code was for; the holder asks again."""
        told = json.dumps({"phone": phone, "code": code}).encode()
        try:
            done = subprocess.run([self._command], input=told, timeout=SECONDS, check=False, capture_output=True)
        except (OSError, subprocess.TimeoutExpired) as error:
            log.error("the program that sends codes does not run: %s", type(error).__name__)
            return
        if done.returncode:
            log.error("the program that sends codes ended with %d", done.returncode)


class NoSender:
    """Sends nothing: then nobody can sign in, and the log says why."""

    def send(self, phone: str, code: str) -> None:  # noqa: ARG002
        """Say that nothing is sent."""
        log.error("a code was asked for, and no program sends codes: see --code-command")
