"""`audit roles`, `audit parcel` and signed reports by the command, over a chain whose members and rules change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import rfc8785
import typer.main
from eth_hash.auto import keccak

import ledger.keys
from clients.cli.audit import app
from clients.sample.members import HANDLES
from clients.sample.plan import START
from ledger.chain.batch import Entry
from ledger.domain.kinds import KindNumber as K
from ledger.genesis import FOREVER, SUSPENDED, load
from ledger.keys import LocalSigner, recover
from node.chain import Chain
from node.store import MemoryStore, RocksStore
from tests.node.audit_world import DAY, FRESH, KEYRING, OVER, SOON, AuditWorld, audit, audit_text


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> AuditWorld:
    made = AuditWorld(tmp_path_factory.mktemp("audited"))
    made.change_members()
    made.file_parcels()
    assert made.findings("early") == {"OFFICE_TARGET", "LATE"}
    assert made.findings("late") == {"OFFICE_TARGET", "VALUE_OVER_LIMIT"}
    made.chain.store.close()
    return made


def members(world: AuditWorld, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = audit(world.home, "roles", *arguments)["subject"]["members"]
    return found


def states(told: dict[str, Any]) -> dict[str, str]:
    return {each["key"]: each["state"] for each in told["keys"]}


def address(name: str) -> str:
    return KEYRING.signer(name).hex_address


# ------------------------------------------------------------------------------------------------------------- roles
def test_every_key_has_its_state_at_the_block(world: AuditWorld) -> None:
    before = members(world, "--at", str(world.heights["before"]))
    assert {name: states(before)[address(name)] for name in ("shop-03", "shop-07", "courier-3")} == dict.fromkeys(
        ("shop-03", "shop-07", "courier-3"), "in use"
    )
    assert FRESH.hex_address not in states(before)
    assert (states(before)[SOON.hex_address], states(before)[OVER.hex_address]) == ("not valid yet", "in use")
    told = members(world, "--at", str(world.heights["granted"]))
    found = states(told)
    assert found[address("shop-03")] == "suspended"
    assert found[address("shop-07")] == "org suspended"
    assert found[address("courier-3")] == "retired"
    assert found[OVER.hex_address] == "expired"
    assert found[FRESH.hex_address] == found[address("shop-01")] == "in use"
    window = next(each for each in told["keys"] if each["key"] == FRESH.hex_address)
    assert (window["valid_from"], window["valid_to"]) == (START, START + 20 * DAY)


def test_orgs_votes_and_permissions_are_those_of_the_block(world: AuditWorld) -> None:
    changed, granted = (members(world, "--at", str(world.heights[name])) for name in ("changed", "granted"))
    courier, told = ({each["name"]: each for each in found["orgs"]}["courier-4"] for found in (changed, granted))
    assert (courier["roles"], told["roles"]) == (["COURIER"], ["COURIER", "BROKER"])
    assert (changed["quorum"], granted["quorum"]) == (2, 3)
    orgs = {each["name"]: each for each in granted["orgs"]}
    assert orgs["shop-07"]["standing"] == "suspended"
    assert (orgs["yard-040"]["office"], orgs["governor-2"]["seat"]) == (40, HANDLES["governor-2"])
    assert orgs["shop-01"]["cold"] == KEYRING.cold("shop-01").hex_address
    assert orgs["shop-01"]["group"] == HANDLES["shop-01"]
    assert granted["let"] == [
        {"org": HANDLES["courier-1"], "writer": HANDLES["broker-1"], "kinds": ["FILED", "CORRECTED"]}
    ]


def test_a_block_above_the_head_is_an_error_that_names_the_head(world: AuditWorld) -> None:
    head = audit(world.home, "roles")["subject"]["height"]
    assert f"the head is {head}" in audit(world.home, "roles", "--at", str(head + 1), status=2)


def test_people_read_states_and_permissions(world: AuditWorld) -> None:
    text = audit_text(world.home, "roles")
    assert f"{address('courier-1')} courier-1: COURIER, suspended" in text
    assert f"{SOON.hex_address} courier-1: COURIER, not valid yet from 2025-11-19T00:00:00Z" in text
    assert f"org {HANDLES['courier-1']} lets org {HANDLES['yard-040']} write CARRIED_IN" in text
    assert "by 3 votes" in text


def test_the_successors_genesis_holds_the_members_and_rules_as_they_stand(world: AuditWorld, tmp_path: Path) -> None:
    audit(world.home, "roles", "--successor", str(tmp_path / "next.json"))
    made = load(tmp_path / "next.json")
    old = Chain(RocksStore(world.home / "chain"), world.genesis)
    new = Chain(MemoryStore(), made)
    try:
        before, after = old.state(), new.state()
        for org in world.genesis.orgs:
            assert after._of("orgs", org.handle) == before._of("orgs", org.handle) != 0
        gone = {address("shop-03"), address("courier-1"), address("courier-3"), OVER.hex_address}
        kept = {each.address for each in made.keys}
        assert kept == {each.address for each in world.genesis.keys} - gone | {FRESH.hex_address}
        for key in kept:
            assert after._of("keys", bytes.fromhex(key[2:])) == before._of("keys", bytes.fromhex(key[2:]))
        for row, _ in made.rows:
            for place in range(4):
                assert after._of("rows", row << 2 | place) == before._of("rows", row << 2 | place)
        assert set(world.genesis.rows) < set(made.rows)
        assert (made.quorum, made.chain_id) == (3, world.genesis.chain_id + 1)
        assert next(org for org in made.orgs if org.name == "shop-07").standing == SUSPENDED
        assert any(key.valid_to == FOREVER for key in made.keys)
    finally:
        old.store.close()
    audit(world.home, "roles", "--successor", str(tmp_path / "next.json"), status=1)


# ------------------------------------------------------------------------------------------------------------ parcel
def events(world: AuditWorld, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = audit(world.home, "parcel", f"0x{world.subjects[name]:064x}")["subject"]["events"]
    return found


def rule(event: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [each for each in event["rules"] if each["rule"].startswith(name)]
    return dict(found)


def test_what_was_said_stands_in_the_order_of_the_chain_traces_too(world: AuditWorld) -> None:
    told = events(world, "early")
    assert [(each["kind"], each["name"]) for each in told] == [
        ("ORDER_OPENED", "shop-01"), ("ORDER_REASSIGNED", "shop-01"), ("PACKED", "shop-01"), ("FILED", "courier-1"),
        ("CORRECTED", "courier-1"), ("CARRIED_IN", "yard-040"), ("DELIVERED", "courier-1"), ("RETURNED", "shop-02"),
    ]  # fmt: skip
    assert {each["kind"]: each["outcome"] for each in told if each["outcome"] != "recorded"} == {"RETURNED": "ROLE"}
    assert {each["block"] for each in told[:4]} == {told[0]["block"]}
    assert [each["trace"] for each in told] == [False, False, True, False, False, False, True, True]
    assert told[5]["effects"] == ["REFERRED"]


def test_the_keys_state_is_that_of_the_entry_not_of_the_end(world: AuditWorld) -> None:
    told = {each["kind"]: each for each in events(world, "early")}
    assert told["FILED"]["key"] == address("courier-1")
    assert told["FILED"]["key_then"] == "in use"
    assert states(members(world))[address("courier-1")] == "suspended"


def test_a_country_has_any_countrys_row_until_its_own_has_a_value(world: AuditWorld) -> None:
    early = [each for each in events(world, "early") if each["kind"] in ("FILED", "CORRECTED")]
    for each in early:  # a correction stays under the rules of the first filing
        assert rule(each, "dispatch")["rule"] == "dispatch JP as any other country, express air"
        assert "list up to USD 150.00" in rule(each, "dispatch")["says"]
    (filed,) = [each for each in events(world, "late") if each["kind"] == "FILED"]
    assert rule(filed, "dispatch")["rule"] == "dispatch JP, express air"
    assert "list up to USD 50.00" in rule(filed, "dispatch")["says"]
    assert rule(filed, "dispatch")["since"] == "2025-10-22T00:00:00+00:00"


def test_lateness_is_read_at_each_entrys_own_time(world: AuditWorld) -> None:
    told = {each["kind"]: each for each in events(world, "early")}
    assert "late after 259200 s" in rule(told["FILED"], "lateness")["says"]
    assert "late after 3600 s" in rule(told["CORRECTED"], "lateness")["says"]
    assert "late after 3600 s" in rule(told["CARRIED_IN"], "lateness")["says"]


def test_an_office_target_stands_beside_the_entry_that_met_it(world: AuditWorld) -> None:
    told = {each["kind"]: each for each in events(world, "late")}
    assert rule(told["CARRIED_IN"], "target of office 040")["says"].startswith("refer origin CN until 2025-10-2")
    assert not [each for each in told["FILED"]["rules"] if each["rule"].startswith("target")]


def test_people_read_who_signed_when_and_by_which_rules(world: AuditWorld) -> None:
    text = audit_text(world.home, "parcel", f"0x{world.subjects['late']:064x}")
    assert f"signed by courier-1 (org {HANDLES['courier-1']}), key {address('courier-1')}, in use then" in text
    assert "claimed 2025-10-22T01:00:00Z, received 2025-10-22T01:00:00Z, block 2025-10-22T01:00:00Z" in text
    assert "rule dispatch JP, express air: list up to USD 50.00, exempt up to USD 50.00, no order required" in text
    assert "rule class" in text
    assert "rule rate USD: 13." in text


# ----------------------------------------------------------------------------------------------------- signed reports
@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> AuditWorld:
    """A chain of one order."""
    made = AuditWorld(tmp_path_factory.mktemp("quiet"))
    entry, _ = made.order(1)
    made.subjects["order"] = entry.subject
    made.send("shop-01", Entry(entry.subject, K.ORDER_OPENED, START, entry.digest, entry.detail, extra=(1,)))
    made.seal()
    made.chain.store.close()
    return made


@pytest.fixture(scope="module")
def keystore(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    folder = tmp_path_factory.mktemp("auditor")
    work, ledger.keys.SCRYPT_WORK = ledger.keys.SCRYPT_WORK, 2  # type: ignore[misc]
    AUDITOR.save(folder / "key.json", "a passphrase for tests")
    ledger.keys.SCRYPT_WORK = work  # type: ignore[misc]
    (folder / "word").write_text("a passphrase for tests\n")
    (folder / "receipts").mkdir()
    return ("--key", str(folder / "key.json"), "--passphrase-file", str(folder / "word"), str(folder / "receipts"))


AUDITOR = LocalSigner.from_seed(b"auditor", "of reports")
COMMANDS = ("chain", "parcel", "roles", "samples", "receipts", "answers", "orders", "key")


def test_every_audit_takes_a_key_to_sign_with() -> None:
    listed = typer.main.get_group(app).commands  # type: ignore[attr-defined]
    assert set(listed) == {*COMMANDS, "projection"}
    for name, command in listed.items():
        options = {option for parameter in command.params for option in parameter.opts}
        assert {"--key", "--passphrase-file", "--json"} <= options, name


@pytest.mark.parametrize("command", COMMANDS)
def test_a_report_is_signed_and_two_runs_give_equal_bytes(
    quiet: AuditWorld, keystore: tuple[str, ...], command: str
) -> None:
    given = {
        "parcel": [f"0x{quiet.subjects['order']:064x}"], "receipts": [keystore[-1]], "answers": [keystore[-1]],
        "key": [address("shop-01")],
    }.get(command, [])  # fmt: skip
    document = audit(quiet.home, command, *given, *keystore[:-1])
    assert document == audit(quiet.home, command, *given, *keystore[:-1])
    body = {name: document[name] for name in ("audit", "ok", "subject", "findings")}
    assert body["audit"] == command
    digest = keccak(keccak(b"clearance.audit-report/v1") + rfc8785.dumps(body))
    assert document["digest"] == "0x" + digest.hex()
    assert recover(digest, bytes.fromhex(document["signature"][2:])) == AUDITOR.address
    assert document["signer"] == AUDITOR.hex_address
    assert recover(keccak(rfc8785.dumps(body)), bytes.fromhex(document["signature"][2:])) != AUDITOR.address
