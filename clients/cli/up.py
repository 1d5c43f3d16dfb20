"""`clearance up`: sealer, follower and gateway on one machine, kept running until Ctrl-C."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.live import Live
from rich.table import Table

from clients.cli.console import err, errors, out, passphrase, say_json
from clients.cli.supervision import Program, Signals, Supervised, end_stale, only_one
from ledger.domain.errors import LedgerError

NAMES: Final = ("sealer", "follower", "gateway")
"""In the order they start; they stop in the other one."""
PORTS: Final = {"sealer": 8545, "follower": 8546, "gateway": 8000}
"""Ports that are taken when they are free and none is given."""
DEMO_DAYS: Final = 84
ASK_SECONDS: Final = 2.0
DEMO: Final = "demo.json"
"""File with the seed of a demo's keys: with it the gateway runs the identity authority too."""
DRAFT: Final = ".demo"
LOOK: Final = 0.1
SHOW: Final = 1.0
HEAL: Final = 5.0
RESTART_FOR: Final = frozenset({"store.full", "store.unusable", "node.stopped"})
"""Troubles of a node that a restart may heal, once the disk has room. A second block, say, it must not hide."""


class NoHome(LedgerError):
    """The folder holds no service."""

    code = "home.missing"


def lay_out_demo(home: Path, seed: int) -> None:
    """Make the folders of a demo sealer and follower whose chain begins now; keys come from the seed.

    The sealer's folder comes last: what a kill left half made is made anew.
    """
    import os
    import shutil

    from clients.sample.members import Keyring, sample_genesis
    from node.home import FOLLOWER_KEYS, SEALER_KEYS, Home

    keyring = Keyring(seed)
    genesis = sample_genesis(keyring, int(time.time()), DEMO_DAYS)
    draft = home / DRAFT
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    (draft / DEMO).write_text(json.dumps({"seed": seed}) + "\n")
    for name, keys in (("follower", FOLLOWER_KEYS), ("sealer", SEALER_KEYS)):
        folder = Home(draft / name)
        word = os.urandom(16).hex()
        folder.make(genesis, {key: keyring.signer(key) for key in keys}, word)
        folder.write_secret(folder.passphrase_file, word)
    shutil.rmtree(home / "follower", ignore_errors=True)
    for name in (DEMO, "follower", "sealer"):
        (draft / name).replace(home / name)
    draft.rmdir()


def check_home(home: Path, *, demo: bool, seed: int) -> None:
    """Check that there is a service in the folder; a demo's is made.

    Raises:
        LedgerError: missing, or a demo of a service that is none.
    """
    from node.home import Home

    sealer = Home(home / "sealer")
    if not sealer.genesis_file.exists():
        if not demo:
            raise NoHome(
                f"There is no sealer in {home}.",
                hint="Make one with `clearance node init --role sealer --home DIR/sealer`, or try --demo.",
            )
        others = {each.name for each in home.iterdir()} - {"up.lock", DRAFT, DEMO, "follower"}
        if others or (home / "follower" / "chain").exists():
            raise NoHome(f"{home} holds something else.", hint="Give --demo an empty or new folder.")
        lay_out_demo(home, seed)
    elif demo and not sealer.genesis().demo:
        raise NoHome(f"{home} holds a real chain.", hint="Start it without --demo.")


def check_complete(home: Path) -> None:
    """Check that what a backup did not hold was put back: a gateway would make a fresh key and read nothing with it.

    Raises:
        NoHome: something is still missing.
    """
    from clients.cli.backup import NEEDS

    if not (home / NEEDS).exists():
        return
    missing = [name for name in json.loads((home / NEEDS).read_text()) if not (home / name).exists()]
    if missing:
        raise NoHome(
            f"{home} was restored without {', '.join(missing)}.", hint="Put copies back; no backup holds them."
        )
    (home / NEEDS).unlink()


def choose_ports(home: Path, host: str, given: dict[str, int | None]) -> dict[str, int]:
    """Return a port for each process: given, else that of the last run, else the usual one, else a free one.

    Raises:
        PortTaken: another process listens on a given port, or on that of the last run.
    """
    from clients.cli.node import PortTaken, bind

    try:
        before = {name: each["port"] for name, each in json.loads((home / "addresses.json").read_text()).items()}
    except (OSError, ValueError, KeyError, TypeError):
        before = {}
    chosen: dict[str, int] = {}
    with contextlib.ExitStack() as held:  # all at once, so that two of ours never get one port
        for name, port in given.items():
            wanted = port or before.get(name)
            try:
                listener = held.enter_context(bind(host, wanted or PORTS[name]))
            except PortTaken as error:
                if wanted:
                    raise PortTaken(
                        f"{name}: {error.detail}", hint=f"Stop what listens there, or give another --{name}-port."
                    ) from error
                listener = held.enter_context(bind(host, 0))
            chosen[name] = listener.getsockname()[1]
    return chosen


@dataclass(slots=True)
class Service:
    """What runs, and where.

    Attributes:
        urls: addresses by name.
        tokens: access tokens of the nodes by name.
    """

    home: Path
    urls: dict[str, str]
    tokens: dict[str, str] = field(repr=False)
    processes: list[Supervised] = field(default_factory=list)

    def ask(self, name: str) -> dict[str, Any] | None:
        """Ask a process how it is; None: it does not answer."""
        import httpx

        url = self.urls[name]
        try:
            if name == "gateway":
                found: dict[str, Any] = httpx.get(f"{url}/readyz", timeout=ASK_SECONDS, trust_env=False).json()
                return found
            request = {"jsonrpc": "2.0", "id": 1, "method": "clearance_status", "params": []}
            headers = {"Authorization": f"Bearer {self.tokens[name]}"}
            answer = httpx.post(url, json=request, headers=headers, timeout=ASK_SECONDS, trust_env=False)
            status: dict[str, Any] = answer.json()["result"]
        except (httpx.HTTPError, ValueError, KeyError):
            return None
        return status

    def answers(self, name: str) -> Callable[[], bool]:
        """Return what asks whether a process serves."""
        if name == "gateway":
            return lambda: (self.ask(name) or {}).get("status") in ("ok", "lagging")
        return lambda: self.ask(name) is not None

    def heal(self) -> None:
        """Start nodes again that answer but have stopped working."""
        for each in self.processes:
            name = each.program.name
            told = self.ask(name) if each.pid and name != "gateway" else None
            trouble = told["trouble"] if told else None
            if trouble and trouble["code"] in RESTART_FOR:
                err.print(f"{name} has stopped working: {trouble['detail']}", highlight=False)
                each.restart(trouble["code"])

    def forget_peers(self) -> None:
        """A sealer that has heard its followers once starts again without them: they may be restarting too."""
        sealer = self.processes[0]
        parts = list(sealer.program.arguments)
        while "--peer" in parts:
            at = parts.index("--peer")
            del parts[at : at + 2]
        sealer.program = replace(sealer.program, arguments=tuple(parts))

    def table(self) -> Table:
        """Return the state of everything as a table."""
        table = Table(title=f"clearance up, {self.home}", title_justify="left")
        for column in ("process", "address", "pid", "starts", "state"):
            table.add_column(column, justify="right" if column in ("pid", "starts") else "left")
        for each in self.processes:
            name = each.program.name
            table.add_row(name, self.urls[name], str(each.pid or "-"), str(each.starts), self._state(each))
        return table

    def _state(self, each: Supervised) -> str:
        if each.pid is None:
            return f"[red]ended ({each.last_end}), is started again[/red]"
        told = self.ask(each.program.name)
        if told is None:
            return "[yellow]starting[/yellow]"
        if each.program.name == "gateway":
            place = f", block {told['height']}, lag {told['lag']}, waiting {told['waiting']}" if "lag" in told else ""
            return f"{told['status']} {told.get('code', '')}".strip() + place
        trouble = f" [red]{told['trouble']['code']}[/red]" if told["trouble"] else ""
        return f"block {told['height']}, final {told['final']}, queued {told['queued']}{trouble}"


def demo_options(home: Path) -> list[str]:
    """Return what the gateway of a demo is told besides."""
    if not (home / DEMO).exists():
        return []
    return ["--demo-seed", str(json.loads((home / DEMO).read_text())["seed"])]


def assemble(
    home: Path, host: str, given: dict[str, int | None], peers: list[str], peer_token: str, driver: str,
    database: str, word: str | None,
) -> Service:  # fmt: skip
    """Put the programs together; write where they listen."""
    from node.home import Home

    names = [name for name in NAMES if name == "gateway" or (home / name / "genesis.json").exists()]
    ports = choose_ports(home, host, {name: given[name] for name in names})
    urls = {name: f"http://{host}:{port}" for name, port in ports.items()}
    tokens = {name: Home(home / name).token() for name in names if name != "gateway"}
    service = Service(home, urls, tokens)
    arguments = {
        "sealer": ["node", "run", "--driver", driver, *(part for peer in peers for part in ("--peer", peer))],
        "follower": ["node", "run", "--driver", driver, "--follow", urls["sealer"]],
        "gateway": ["api", "run", *demo_options(home)],
    }
    environments = {
        "sealer": {"CLEARANCE_FOLLOW_TOKEN": peer_token},
        "follower": {"CLEARANCE_FOLLOW_TOKEN": tokens["sealer"]},
        "gateway": {
            "CLEARANCE_NODE": urls["sealer"], "CLEARANCE_TOKEN": tokens["sealer"], "CLEARANCE_DATABASE": database
        },
    }  # fmt: skip
    for name in names:
        placed = ["--home", str(home / name), "--host", host, "--port", str(ports[name])]
        program = Program(
            name, home, (*arguments[name], *placed), environments[name], service.answers(name),
            word if name != "gateway" else None,
        )  # fmt: skip
        service.processes.append(Supervised(program))
    addresses = {name: {"url": urls[name], "port": ports[name]} for name in names}
    draft = home / "addresses.json.new"
    draft.write_text(json.dumps(addresses, indent=1) + "\n")
    draft.replace(home / "addresses.json")
    return service


def passphrase_of(home: Path, file: Path | None) -> str | None:
    """Return the passphrase of the keystores; None where every folder keeps its own in a file.

    Raises:
        LedgerError: the file cannot be read.
    """
    from node.home import Home

    folders = [Home(home / name) for name in ("sealer", "follower") if (home / name).exists()]
    if file is None and all(folder.passphrase_file.exists() for folder in folders):
        return None
    return passphrase(file)


def up(
    home: Annotated[Path, typer.Option(help="Folder of the service.")] = Path(".clearance/up"),
    demo: Annotated[bool, typer.Option(help="Make a demo chain that begins now, if the folder is empty.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the demo's keys.")] = 1,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    gateway_port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port of the gateway.")] = None,
    sealer_port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port of the sealer's RPC.")] = None,
    follower_port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port of the follower's RPC.")] = None,
    peer: Annotated[list[str] | None, typer.Option(help="Followers a restored sealer takes newer blocks from.")] = None,
    peer_token: Annotated[str, typer.Option(envvar="CLEARANCE_PEER_TOKEN", help="Their access token.")] = "",
    driver: Annotated[str, typer.Option(help="plain: py-evm as it is; fast: its opcode loop replaced.")] = "fast",
    database: Annotated[
        str, typer.Option(envvar="CLEARANCE_DATABASE", help="SQLAlchemy address; else SQLite in the folder.")
    ] = "",
    passphrase_file: Annotated[Path | None, typer.Option(help="File with the passphrase of the keystores.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the addresses as one JSON object.")] = False,
) -> None:
    """Run sealer, follower and gateway until Ctrl-C; one that dies is started again.

    After a kill -9 of this command itself, run it again on the same folder: it ends what is left and takes over.
    """
    given = {"sealer": sealer_port, "follower": follower_port, "gateway": gateway_port}
    with errors():
        if not demo and not home.is_dir():
            raise NoHome(f"There is no folder {home}.", hint="Check --home, or try --demo.")
        home.mkdir(parents=True, exist_ok=True)
        with only_one(home):
            signals = Signals()
            check_home(home, demo=demo, seed=seed)
            check_complete(home)
            stale = end_stale(home, tuple(reversed(NAMES)))
            if stale:
                err.print(f"ended what was left running: {', '.join(stale)}", highlight=False)
            word = passphrase_of(home, passphrase_file)
            service = assemble(home, host, given, peer or [], peer_token, driver, database, word)
            try:
                for number, each in enumerate(service.processes):
                    each.bring_up(partial(stopped, signals, service.processes[:number]))
                if not signals():
                    service.forget_peers()
                    tell(service, as_json=as_json)
                    supervise(service, signals, live=out.is_terminal and not as_json)
            finally:
                for each in reversed(service.processes):
                    each.stop()


def tell(service: Service, *, as_json: bool) -> None:
    """Print where everything is."""
    if as_json:
        say_json({"home": str(service.home)} | service.urls)
        import sys

        sys.stdout.flush()
    elif not out.is_terminal:
        out.print(service.table())
    if not as_json:
        out.print(
            f"access tokens in {service.home}/*/token, logs in {service.home}/*.log; Ctrl-C stops", soft_wrap=True
        )


def tend(processes: list[Supervised]) -> None:
    """Start again what died, and say so."""
    for each in processes:
        happened = each.tend()
        if happened:
            err.print(happened, highlight=False)


def stopped(signals: Signals, processes: list[Supervised]) -> bool:
    """Look after what runs already; return whether a signal came."""
    tend(processes)
    return signals()


def supervise(service: Service, signals: Signals, *, live: bool) -> None:
    """Keep everything running until a signal comes."""
    shown = healed = time.monotonic()
    with Live(service.table(), console=out, auto_refresh=False) if live else contextlib.nullcontext() as display:
        while not signals():
            tend(service.processes)
            if time.monotonic() - shown >= SHOW:
                shown = time.monotonic()
                for each in service.processes:
                    each.turn_log()
                if display:
                    display.update(service.table(), refresh=True)
            if time.monotonic() - healed >= HEAL:
                healed = time.monotonic()
                service.heal()
            time.sleep(LOOK)
