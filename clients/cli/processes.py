"""Processes of a service on one machine: nodes and gateways on ports of loopback, and waiting until they answer."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from ledger.domain.errors import LedgerError

KEEP_ALIVE: Final = 65
"""Seconds a server keeps an idle connection: longer than any client does (httpx: 5), so that a request never meets its
closing."""
READY_SECONDS: Final = 60.0


def start(home: Path, port: int, *options: str) -> subprocess.Popen[bytes]:
    """Start a node process on a port."""
    command = [sys.executable, "-m", "clients.cli", "node", "run", "--home", str(home), "--port", str(port), *options]
    with (home / "log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log)


def free_port() -> int:
    """Return a port that is free now."""
    from clients.cli.node import bind

    with bind("127.0.0.1", 0) as listener:
        port: int = listener.getsockname()[1]
        return port


def wait_ready(node: Any, process: subprocess.Popen[bytes], home: Path, seconds: float = READY_SECONDS) -> None:
    """Wait until a node answers.

    Raises:
        LedgerError: its process ended, or it does not answer in time.
    """
    from node.remote import Unreachable

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            last = (home / "log").read_text().strip().splitlines()[-1:]
            raise LedgerError(f"The node of {home} ended: {' '.join(last)}", hint=f"See {home / 'log'}.")
        with contextlib.suppress(Unreachable):
            node.status()
            return
        time.sleep(0.05)
    raise LedgerError(f"The node of {home} does not answer.", hint=f"See {home / 'log'}.")


def start_gateway(
    home: Path, port: int, node: str, token: str, *options: str, database: str = ""
) -> subprocess.Popen[bytes]:
    """Start a gateway process on a port; its token travels in the environment, where no process list shows it."""
    home.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "clients.cli", "api", "run", "--home", str(home), "--port", str(port), *options]
    environment = os.environ | {"CLEARANCE_NODE": node, "CLEARANCE_TOKEN": token, "CLEARANCE_DATABASE": database}
    with (home / "log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, env=environment)


def wait_gateway(url: str, process: subprocess.Popen[bytes], home: Path, seconds: float = READY_SECONDS) -> None:
    """Wait until a gateway is ready.

    Raises:
        LedgerError: its process ended, or it is not ready in time.
    """
    import httpx

    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(url + "/readyz", trust_env=False).status_code == 200:
                return
        time.sleep(0.05)
    raise LedgerError(f"The gateway of {home} does not get ready.", hint=f"See {home / 'log'}.")
