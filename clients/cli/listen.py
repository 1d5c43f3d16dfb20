"""`clearance courier listen` and `clearance courier trigger`: try out a courier's programs against a gateway."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from clients.cli.console import err, errors, out, passphrase, say_json
from clients.cli.session import API, Api, Json, Pass
from ledger.domain.errors import LedgerError

OwnKey = Annotated[Path | None, typer.Option("--key", envvar="CLEARANCE_KEY", help="Keystore of the courier's key.")]
Seed = Annotated[int | None, typer.Option("--demo-seed", help="Demo chains: take the key from the chain's seed.")]
Name = Annotated[str, typer.Option("--as", help="Demo chains: which courier.")]


def signer_of(key: Path | None, passphrase_file: Path | None, seed: int | None, name: str) -> Any:
    """Return a member's key, from its keystore or from a demo's seed.

    Raises:
        LedgerError: neither is given, or the name is no member's.
    """
    from clients.sample.members import HANDLES, Keyring
    from ledger.keys import LocalSigner

    if key is not None:
        return LocalSigner.load(key, passphrase(passphrase_file))
    if seed is None:
        raise LedgerError("No key was given.", hint="Give --key, or --demo-seed on a demo chain.")
    if name not in HANDLES:
        raise LedgerError(f"{name} is no member of the demo.", hint=f"Use one of {', '.join(HANDLES)}.")
    return Keyring(seed).signer(name)


def listen(
    api: Api = API,
    key: OwnKey = None, passphrase_file: Pass = None, demo_seed: Seed = None, name: Name = "courier-1",
    forward_to: Annotated[str, typer.Option(help="Send each event there as a signed webhook.")] = "",
    print_json: Annotated[bool, typer.Option("--print-json", help="Print each event as one line of JSON.")] = False,
    types: Annotated[list[str] | None, typer.Option("--type", help="Only this type; may be repeated.")] = None,
    after: Annotated[str, typer.Option(help="Resume behind this event's id; `start` for all there is.")] = "",
    count: Annotated[int, typer.Option(min=0, help="Stop after so many events; 0: never.")] = 0,
) -> None:  # fmt: skip
    """Show events as they become final, one line each; forward them as webhooks with a secret made for this run.

    Example: clearance courier listen --key courier.json --forward-to http://127.0.0.1:9000/hooks
    """
    with errors():
        signer = signer_of(key, passphrase_file, demo_seed, name)
        listening = Listener(api, signer, forward_to, print_json=print_json)
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(listening.run(after, tuple(types or ()), count))
        if listening.cursor:
            err.print(f"resume with --after {listening.cursor}", highlight=False, soft_wrap=True)


class Listener:
    """Shows and forwards the events of one key."""

    def __init__(self, url: str, signer: Any, forward_to: str, *, print_json: bool) -> None:
        """Take the gateway, the key, and where events go."""
        from api.webhooks.signing import new_secret

        self._url, self._signer, self._to, self._print_json = url, signer, forward_to, print_json
        self._secret = new_secret()
        self.cursor = ""

    async def run(self, after: str, types: tuple[str, ...], count: int) -> None:
        """Listen until it is interrupted, or `count` events came.

        Raises:
            LedgerError: the gateway refuses.
        """
        import httpx

        from clients.sdk.client import Client

        if self._to:
            err.print(f"signing secret {self._secret.text}", highlight=False, soft_wrap=True)
        async with Client(self._url, self._signer) as client, httpx.AsyncClient(trust_env=False, timeout=15) as http:
            domain = (await client.chain()).domain
            source = f"eip155:{domain.chain_id}:0x{domain.contract.hex()}"
            err.print(f"listening at {self._url}", highlight=False, soft_wrap=True)
            seen = 0
            async for event in client.events(after=after, types=types):
                status = await self._forward(http, document(event, source)) if self._to else ""
                self._show(document(event, source), status)
                self.cursor = event.id
                seen += 1
                if count and seen >= count:
                    return

    def _show(self, told: dict[str, Any], status: str) -> None:
        if self._print_json:
            say_json(told)
            return
        place = f"{told['data']['block']}/{told['data']['place']}/{told['data']['number']}"
        first = "" if told["data"]["first_of_kind"] else "  again"
        line = f"{told['time']}  {told['type']:26} {told['subject'][:18]}  block {place}{first}"
        out.print(line + (f"  -> {status}" if status else ""), highlight=False, soft_wrap=True)

    async def _forward(self, http: Any, told: dict[str, Any]) -> str:
        """Send an event as the gateway's webhooks would; once, this is a tool to try things out."""
        import datetime as dt
        import hashlib

        import httpx

        from api.webhooks.signing import headers

        body = json.dumps(told | {"timestamp": told["time"]}, separators=(",", ":"), ensure_ascii=False)
        name = "msg_" + hashlib.sha256(told["id"].encode()).hexdigest()[:32]
        signed = headers([self._secret], name, dt.datetime.now(dt.UTC), body)
        try:
            answer = await http.post(self._to, content=body.encode(), headers=signed)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return type(error).__name__
        return str(answer.status_code)


def document(event: Any, source: str) -> dict[str, Any]:
    """Return an event as it came, in names of CloudEvents."""
    moment = None if event.time is None else event.time.isoformat().replace("+00:00", "Z")
    return {
        "id": event.id, "source": source, "type": event.type, "subject": f"0x{event.subject:064x}", "time": moment,
        "data": dict(event.data),
    }  # fmt: skip


def trigger(
    paths: Annotated[list[str] | None, typer.Argument(help="cleared, referred, held, stopped, refused, late.")] = None,
    api: Api = API,
    key: OwnKey = None, passphrase_file: Pass = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed the demo chain was made from.")] = 1,
    name: Name = "courier-1", as_json: Json = False,
    home: Annotated[Path | None, typer.Option(help="Note the parcels in the book of this folder, for `scans`.")] = None,
) -> None:  # fmt: skip
    """Send six test parcels through a demo chain, each along one fixed path; real chains are refused.

    Example: clearance courier trigger cleared held --seed 1 --home courier
    """
    from clients.sample.trigger import PATHS
    from clients.sample.trigger import trigger as send

    with errors():
        unknown = [each for each in paths or () if each not in PATHS]
        if unknown:
            raise LedgerError(f"There is no path {unknown[0]}.", hint=f"Paths: {', '.join(PATHS)}.")
        signer = signer_of(key, passphrase_file, seed, name)

        def told(row: dict[str, Any]) -> None:
            if not as_json:
                found = ", ".join(row["findings"]) or "no finding"
                line = f"{row['house_bill']}  {row['parcel']}  {row['clearance']}: {found}"
                out.print(line, highlight=False, soft_wrap=True)

        found = send(api, seed, name, signer, paths=tuple(paths or ()), told=told)
        if home is not None:
            _note(home, found)
        if as_json:
            say_json({"parcels": found})


def _note(home: Path, parcels: list[dict[str, Any]]) -> None:
    from clients.cli.desk import make_home
    from clients.convert.book import Book

    book = Book(make_home(home) / "book.db")
    book.note_parcels((each["house_bill"], int(each["parcel"], 16), "") for each in parcels)
    book.close()
