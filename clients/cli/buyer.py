"""`clearance buyer ...`: the holder of an identity number sees its uses, stops misuse, by a key of this computer."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from clients.cli.buyer_receipts import Receipts, keep
from clients.cli.buyer_shown import show_answer, show_number, show_use, show_uses
from clients.cli.buyer_texts import Words
from clients.cli.certificates import Out
from clients.cli.certificates import keep as keep_certificate
from clients.cli.console import err, errors, out, say_json
from clients.cli.session import API, Api, Json
from ledger.domain.errors import LedgerError

app = typer.Typer(
    no_args_is_help=True,
    help="The buyer: who used my identity number (개인통관고유부호), and what I say of it. Start with `sign-in`.",
)
HOME: Final = Path(".clearance/buyer")
Home = Annotated[
    Path, typer.Option("--home", envvar="CLEARANCE_BUYER_HOME", help="Folder of this computer's key and the receipts.")
]
Lang = Annotated[str, typer.Option("--lang", envvar="CLEARANCE_LANG", help="ko or en; else the terminal's language.")]
Pass = Annotated[Path | None, typer.Option("--passphrase-file", help="File with the key's passphrase; else asked.")]
Use = Annotated[str, typer.Argument(help="Id of the use, as `clearance buyer uses` lists it.")]
KOREA: Final = dt.timezone(dt.timedelta(hours=9))
Running = tuple[Any, Callable[[Any], Any]]
"""A client, and what runs one call of it to its end."""


# -------------------------------------------------------------------------------------------------------------- session
@app.command("sign-in")
def sign_in(
    api: Api = API, home: Home = HOME,
    number_file: Annotated[Path | None, typer.Option(
        help="JSON with pccc and phone, readable by you only; else both are asked. Never given as arguments.")] = None,
    genesis: Annotated[Path | None, typer.Option(
        help="Reviewed genesis file: says who may sign receipts; else the gateway says so.")] = None,
    passphrase_file: Pass = None, lang: Lang = "",
) -> None:  # fmt: skip
    """Sign in by a one-time code sent to the registered telephone; this computer's key is made and bound.

    Example: clearance buyer sign-in --api https://gateway.example
    """
    from clients.sdk.buyer import BuyerClient
    from ledger.genesis import load

    say = Words(lang)
    with errors():
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        device = _device(home, passphrase_file, say, make=True)
        number, phone = _number(number_file, say)
        if genesis:
            load(genesis)
        with _running(BuyerClient(api, device=device)) as (client, call):
            ticket = call(client.send_code(number, phone))
            err.print(say("sign_in.sent"), highlight=False, soft_wrap=True)
            code = typer.prompt(say("sign_in.code"), err=True)
            token = call(client.enter(ticket, code.strip()))
        kept = {"api": api, "token": token, "genesis": str(genesis.resolve()) if genesis else ""}
        keep(home / "session.json", json.dumps(kept))
        out.print(say("signed_in"), highlight=False)


@app.command("sign-out")
def sign_out(home: Home = HOME, lang: Lang = "") -> None:
    """Forget the session. Key and receipts stay."""
    with errors():
        (home / "session.json").unlink(missing_ok=True)
        out.print(Words(lang)("signed_out"), highlight=False)


def _number(file: Path | None, say: Words) -> tuple[str, str]:
    """Read number and telephone from a file or prompts; neither is ever repeated."""
    if file is None:
        return typer.prompt(say("sign_in.pccc"), err=True), typer.prompt(say("sign_in.phone"), err=True)
    try:
        if file.stat().st_mode & 0o077:
            raise LedgerError(f"{file} can be read by other users.", hint=f"Run: chmod 600 {file}")
        told = json.loads(file.read_text())
        return str(told["pccc"]), str(told["phone"])
    except OSError as error:
        raise LedgerError(f"{file}: {error.strerror}.", hint="Check the path.") from error
    except (ValueError, KeyError, TypeError):
        raise LedgerError(f"{file} holds no JSON with pccc and phone.", hint="Write both as texts.") from None


def _device(home: Path, file: Path | None, say: Words, *, make: bool = False) -> Any:
    from clients.device import DeviceKey

    path = home / "device.pem"
    fresh = make and not path.exists()
    if fresh:
        err.print(say("new_device"), highlight=False)
    named = file or (Path(found) if (found := os.environ.get("CLEARANCE_PASSPHRASE_FILE")) else None)
    if named is None:
        phrase = typer.prompt(say("passphrase"), hide_input=True, err=True, confirmation_prompt=fresh)
    else:
        try:
            phrase = named.read_text().rstrip("\n")
        except OSError as error:
            raise LedgerError(f"{named}: {error.strerror}.", hint="Give a file with the passphrase.") from error
    return DeviceKey.make(path, phrase) if fresh else DeviceKey.load(path, phrase)


@contextlib.contextmanager
def _running(client: Any) -> Iterator[Running]:
    """Yield a client and what runs one call of it to its end."""
    with asyncio.Runner() as runner:
        try:
            yield client, runner.run
        finally:
            runner.run(client.close())


@contextlib.contextmanager
def _session(home: Path, device: Any = None, receipts: Receipts | None = None) -> Iterator[Running]:
    """Open the session that sign-in kept; `receipts` keep the answers before they are checked.

    Raises:
        LedgerError: nobody is signed in.
    """
    from clients.sdk.buyer import BuyerClient
    from clients.sdk.receipts import Authorities
    from ledger.genesis import load

    try:
        kept = json.loads((home / "session.json").read_text())
        api, token, genesis = str(kept["api"]), str(kept["token"]), str(kept["genesis"])
    except (OSError, ValueError, KeyError, TypeError):
        raise NotSignedIn("Nobody is signed in here.", hint="Run: clearance buyer sign-in") from None
    known = Authorities.of_genesis(load(Path(genesis))) if genesis else None
    kept_by = receipts.keep if receipts else lambda _: None
    with _running(BuyerClient(api, token, device, authorities=known, keep=kept_by)) as running:
        yield running


class NotSignedIn(LedgerError):
    """There is no session in the folder."""

    code = "auth.required"


# -------------------------------------------------------------------------------------------------------------- reading
@app.command("uses")
def uses(home: Home = HOME, lang: Lang = "", as_json: Json = False) -> None:
    """List every use of my number, newest first: shop, goods, courier, status, why it is stopped."""
    with errors(), _session(home) as (client, call):
        found = call(_documents(client.uses()))
        if as_json:
            say_json({"uses": found})
        else:
            show_uses(found, Words(lang))


async def _documents(pages: Any) -> list[Any]:
    return [each.document async for each in pages]


@app.command("show")
def show(use: Use, home: Home = HOME, lang: Lang = "", as_json: Json = False) -> None:
    """Show one use with its reasons and everything that happened to the parcel so far."""
    with errors(), _session(home) as (client, call):
        found = call(client.use(use)).document
        if as_json:
            say_json(found)
        else:
            show_use(found, Words(lang))


@app.command("certificate")
def certificate(use: Use, file: Out, home: Home = HOME) -> None:
    """Fetch the clearance certificate of a use's parcel; it names nobody, and `clearance verify` checks it.

    Example: clearance buyer certificate use_1a2b --out certificate.json
    """
    with errors(), _session(home) as (client, call):
        keep_certificate(file, call(client.certificate(use)))


@app.command("number")
def number(home: Home = HOME, lang: Lang = "", as_json: Json = False) -> None:
    """Say how my number stands, and which parcels are under way: those a freeze would meet."""
    with errors(), _session(home) as (client, call):
        found = call(client.number()).document
        if as_json:
            say_json(found)
        else:
            show_number(found, Words(lang))


# -------------------------------------------------------------------------------------------------------------- answers
def _say(
    home: Path, passphrase_file: Path | None, lang: str, as_json: bool, act: Callable[[Any], Any], key: str
) -> None:
    """Say something with the device's signature; print the receipt and keep it."""
    say, receipts = Words(lang), Receipts(home)
    with errors(), _session(home, _device(home, passphrase_file, say), receipts) as running:
        _said(running, act, receipts, say, key, as_json=as_json)


def _said(
    running: Running, act: Callable[[Any], Any], receipts: Receipts, say: Words, key: str, *, as_json: bool
) -> None:
    client, call = running
    try:
        found = call(act(client)).document
    except LedgerError as error:
        if receipts.path:  # the answer came, its receipt is not what it must be
            error.hint = f"{error.hint} {say('kept')} {receipts.path}".strip()
        raise
    receipts.keep(found)
    if as_json:
        say_json(found | {"kept": str(receipts.path)})
    else:
        show_answer(found, receipts.path, say, key)


@app.command("confirm")
def confirm(use: Use, home: Home = HOME, passphrase_file: Pass = None, lang: Lang = "", as_json: Json = False) -> None:
    """Say that a parcel is mine.

    Example: clearance buyer confirm use_1a2b
    """
    _say(home, passphrase_file, lang, as_json, lambda client: client.answer(use, "confirmed"), "answer.confirmed")


@app.command("gift")
def gift(use: Use, home: Home = HOME, passphrase_file: Pass = None, lang: Lang = "", as_json: Json = False) -> None:
    """Say that a parcel is a gift, to me or from me."""
    _say(home, passphrase_file, lang, as_json, lambda client: client.answer(use, "gift"), "answer.gift")


@app.command("deny")
def deny(use: Use, home: Home = HOME, passphrase_file: Pass = None, lang: Lang = "", as_json: Json = False) -> None:
    """Say that a parcel is not mine: it cannot clear by itself any more. This cannot be taken back here."""
    _say(home, passphrase_file, lang, as_json, lambda client: client.answer(use, "denied"), "answer.denied")


@app.command("consent")
def consent(use: Use, home: Home = HOME, passphrase_file: Pass = None, lang: Lang = "", as_json: Json = False) -> None:
    """Agree to the clearance of a parcel that waits for it (with consent-first on)."""
    _say(home, passphrase_file, lang, as_json, lambda client: client.answer(use, "consented"), "answer.consented")


@app.command("freeze")
def freeze(
    exempt: Annotated[list[str] | None, typer.Option(help="Id of a use to let through; may be repeated.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; stop everything under way but for --exempt.")] = False,
    preview: Annotated[bool, typer.Option("--preview", help="Only show what a freeze would meet.")] = False,
    home: Home = HOME, passphrase_file: Pass = None, lang: Lang = "", as_json: Json = False,
) -> None:  # fmt: skip
    """Freeze my number (사용 정지): nothing newly declared with it clears. Asks which parcels under way to let through.

    Example: clearance buyer freeze --exempt use_1a2b --yes
    """
    say, receipts = Words(lang), Receipts(home)
    with errors():
        if as_json and not (yes or preview):
            raise LedgerError("With --json nothing is asked.", hint="Give --yes, or --preview to look first.")
        device = None if preview else _device(home, passphrase_file, say)
        with _session(home, device, receipts) as (client, call):
            moving = call(client.number()).document["under_way"]
            if preview:
                say_json({"under_way": moving}) if as_json else show_uses(moving, say, "freeze.under_way")
                return
            let = list(exempt or ())
            if not yes:
                show_uses(moving, say, "freeze.under_way")
                let += _chosen(moving, say)
                if not typer.confirm(say("sure"), err=True):
                    out.print(say("nothing_done"), highlight=False)
                    return
            chosen = sorted(set(let))
            _said((client, call), lambda it: it.freeze(chosen), receipts, say, "frozen", as_json=as_json)


def _chosen(moving: list[dict[str, Any]], say: Words) -> list[str]:
    """Ask which rows of the preview to let through."""
    if not moving:
        return []
    text = typer.prompt(say("which"), default="", show_default=False, err=True)
    picked = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isdecimal() and 1 <= int(part) <= len(moving) for part in picked):
        raise LedgerError("That is no list of rows.", hint=f"Write numbers from 1 to {len(moving)}, for example 1,3.")
    return [str(moving[int(part) - 1]["id"]) for part in picked]


@app.command("thaw")
def thaw(
    until: Annotated[str, typer.Option(help="Last day in Korea, as 2026-12-31; or a time with zone. 90 days at most.")],
    home: Home = HOME, passphrase_file: Pass = None, lang: Lang = "", as_json: Json = False,
) -> None:  # fmt: skip
    """Let my number be used until a day (일시 해제). What was stopped before stays stopped.

    Example: clearance buyer thaw --until 2026-12-31
    """
    with errors():
        moment = _moment(until)
    _say(home, passphrase_file, lang, as_json, lambda client: client.thaw(moment), "thawed")


def _moment(text: str) -> dt.datetime:
    """Read a day, which ends as it does in Korea, or a time with its zone.

    Raises:
        LedgerError: neither.
    """
    wrong = LedgerError(f"{text[:40]} is no day.", hint="Write 2026-12-31, or 2026-12-31T18:00:00+09:00.")
    try:
        if len(text) == 10:
            return dt.datetime.combine(dt.date.fromisoformat(text), dt.time(23, 59, 59), KOREA)
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        raise wrong from None
    if found.tzinfo is None:
        raise wrong
    return found


@app.command("consent-first")
def consent_first(
    state: Annotated[str, typer.Argument(help="on: nothing clears before I agree to it; off: it may.")],
    home: Home = HOME, passphrase_file: Pass = None, lang: Lang = "", as_json: Json = False,
) -> None:  # fmt: skip
    """Have nothing cleared that I have not agreed to, or take that back.

    Example: clearance buyer consent-first on
    """
    with errors():
        if state not in ("on", "off"):
            raise LedgerError(f"{state[:20]} is neither on nor off.", hint="Write on or off.")
    key = f"consent_first.is_{state}"
    _say(home, passphrase_file, lang, as_json, lambda client: client.consent_first(on=state == "on"), key)
