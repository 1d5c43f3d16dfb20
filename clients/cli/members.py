"""`clearance members ...`: make a key, suspend a key or org at once, enrol and retire keys."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from clients.cli.audit_said import read_address, read_time
from clients.cli.console import errors, out, passphrase, say_json
from clients.cli.session import Json, Key, Node, Pass, Token
from ledger.domain.errors import LedgerError

app = typer.Typer(
    no_args_is_help=True, help="Members: make a key, suspend a key or org at once, enrol and retire keys."
)

Address = Annotated[str, typer.Argument(help="Address of the key, 0x and 40 digits.")]


def make(node: str, token: str, keystore: Any, file: Any, as_json: bool, name: str, *arguments: Any) -> None:
    """Sign and send one change; say in which block it stands."""
    from clients.governance import change
    from ledger.keys import LocalSigner
    from node.remote import RemoteNode

    signer = LocalSigner.load(keystore, passphrase(file))
    remote = RemoteNode(node, token)
    height = change(remote, signer, remote.genesis().chain_id, name, *arguments)
    remote.close()
    if as_json:
        say_json({"change": name, "block": height})
    else:
        out.print(f"{name} stands in block {height}", highlight=False)


@app.command("key")
def key_file(
    file: Annotated[Path, typer.Argument(help="Keystore to write; never overwritten.")], passphrase_file: Pass = None
) -> None:
    """Make a ledger key in an encrypted keystore, and print the address that the org's cold key enrols.

    Example: clearance members key courier.json --passphrase-file passphrase
    """
    from ledger.keys import LocalSigner

    with errors():
        signer = LocalSigner(os.urandom(32))
        signer.save(file, passphrase(passphrase_file))
        out.print(f"{file} holds the key of {signer.hex_address}", highlight=False, soft_wrap=True)


@app.command("suspend")
def suspend(
    address: Address, node: Node, key: Key, token: Token = "", passphrase_file: Pass = None, as_json: Json = False
) -> None:
    """Suspend a key at once, by the key of any one governor or the cold key of its org. Only a vote takes it back."""
    with errors():
        make(node, token, key, passphrase_file, as_json, "suspend_key", "0x" + read_address(address).hex())


@app.command("suspend-org")
def suspend_org(
    org: Annotated[int, typer.Argument(min=1, help="Handle of the org (`clearance audit roles`).")],
    node: Node, key: Key, token: Token = "", passphrase_file: Pass = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Suspend an organisation with all its keys at once, by the key of any one governor or its own cold key."""
    with errors():
        make(node, token, key, passphrase_file, as_json, "suspend_org", org)


@app.command("enrol")
def enrol(
    address: Address,
    org: Annotated[int, typer.Option(min=1, help="Handle of the org whose cold key signs.")],
    role: Annotated[list[str], typer.Option(help="Role of the key, one the org holds; may be given several times.")],
    node: Node, key: Key, token: Token = "", passphrase_file: Pass = None, as_json: Json = False,
    until: Annotated[str, typer.Option(help="The key ends then, RFC 3339; else never.")] = "",
) -> None:  # fmt: skip
    """Enrol a key of the org, within the roles it was given; signed by its cold key (`--key`)."""
    from ledger.domain.roles import Role
    from ledger.genesis import FOREVER, MemberKey
    from node.remote import RemoteNode

    with errors():
        known = {each.name: each for each in Role if each.name}
        asked = [each.upper().replace("-", "_") for each in role]
        if set(asked) - set(known):
            raise LedgerError("There is no such role.", hint=f"Use {', '.join(sorted(known)).lower()}.")
        roles = sum({known[each].value for each in asked})
        remote = RemoteNode(node, token)
        begins = int(remote.status()["time"])
        remote.close()
        member = MemberKey(address, org, roles, begins, read_time(until) or FOREVER)
        arguments = ("0x" + read_address(address).hex(), member.word())
        make(node, token, key, passphrase_file, as_json, "enrol", *arguments)


@app.command("retire")
def retire(
    address: Address, node: Node, key: Key, token: Token = "", passphrase_file: Pass = None, as_json: Json = False
) -> None:
    """End a key of the org now; signed by its cold key (`--key`). What it said before stands."""
    with errors():
        make(node, token, key, passphrase_file, as_json, "retire", "0x" + read_address(address).hex())
