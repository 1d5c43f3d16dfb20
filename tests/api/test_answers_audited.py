"""A holder's receipt shows on chain whether the authority kept its word; only the authority's own word counts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete
from sqlmodel import col
from typer.testing import CliRunner

from clients.cli.console import USAGE
from clients.cli.main import app
from clients.sdk.problems import Unexpected
from clients.sdk.receipts import Authorities, check_receipt
from ledger.answers import STOP_WITHIN, AnswerReceipt, BadReceipt
from ledger.domain.error_texts import ERROR_TEXTS
from ledger.store.tables.identity import SayingRow
from tests.api.journey import Journey
from tests.api.test_buyer import Buyer, filed
from tests.api.world import KEYRING, World
from tests.node.serving import TOKEN


def audited(service: World, *files: Path) -> tuple[int, dict[str, Any]]:
    words = ["audit", "answers", *map(str, files), "--rpc", service.sealer.url, "--token", TOKEN, "--json"]
    result = CliRunner().invoke(app, words)
    document: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return result.exit_code, document


def denied(service: World, number: int) -> tuple[Journey, dict[str, Any]]:
    journey = filed(service, f"audited-{number}", number).settled("IDENTITY_CHECKED")
    buyer = Buyer(service, number)
    answer = buyer.answer(buyer.use(journey), "denied", signed=True)
    assert answer.status_code == 201, answer.text
    return journey, answer.json()


def moved_on(service: World) -> None:
    """Let the chain go past every promise."""
    service.clock.move_to(service.clock.now() + STOP_WITHIN + 1)
    service.party("courier-2").write()


def test_a_kept_and_a_dropped_denial(service: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journey, kept = denied(service, 61)
    journey.settled("IDENTITY_STOPPED")
    (tmp_path / "kept.json").write_text(json.dumps(kept))
    journey = filed(service, "audited-62", 62).settled("IDENTITY_CHECKED")
    buyer = Buyer(service, 62)
    use = buyer.use(journey)
    monkeypatch.setattr(service.desk.authority, "cut", lambda: 0)
    dropped = buyer.answer(use, "denied", signed=True).json()
    with service.gateway.database.write() as session:
        session.connection().execute(delete(SayingRow).where(col(SayingRow.batch).is_(None)))
    (tmp_path / "dropped.json").write_text(json.dumps(dropped["receipt"]))
    assert audited(service, tmp_path)[0] == 0, "it is not due yet"
    monkeypatch.undo()
    moved_on(service)
    status, found = audited(service, tmp_path / "kept.json")
    assert (status, found["findings"]) == (0, [])
    assert (found["subject"]["stops_owed"], found["subject"]["stops_on_chain"]) == (1, 1)
    status, found = audited(service, tmp_path)
    assert status == 1
    assert [(each["code"], each["sentence"].split(":")[0]) for each in found["findings"]] == [
        ("answer.dropped", "dropped.json")
    ]


def test_a_stop_that_came_late_is_found(service: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journey = filed(service, "audited-64", 64).settled("IDENTITY_CHECKED")
    buyer = Buyer(service, 64)
    use = buyer.use(journey)
    with monkeypatch.context() as slow:
        slow.setattr(service.desk.authority, "cut", lambda: 0)
        (tmp_path / "late.json").write_text(buyer.answer(use, "denied", signed=True).text)
        moved_on(service)
    journey.settled("IDENTITY_STOPPED")
    status, found = audited(service, tmp_path)
    assert (status, [each["code"] for each in found["findings"]]) == (1, ["answer.late"])
    [stop] = [each for each in journey.seen_by("courier-1")["entries"] if each["kind"] == "IDENTITY_STOPPED"]  # type: ignore[attr-defined]
    assert found["findings"][0]["height"] == stop["block"]
    assert found["subject"]["stops_on_chain"] == 1
    assert {"answer.signer", "answer.dropped", "answer.late"} <= ERROR_TEXTS.keys()


@pytest.mark.parametrize("content", ["", "[]", "{}", None])
def test_what_is_no_receipt_is_wrong_usage_and_no_finding(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "receipt.json"
    if content is not None:
        path.write_text(content)
    result = CliRunner().invoke(app, ["audit", "answers", str(path), "--rpc", "http://127.0.0.1:9", "--token", "x"])
    assert result.exit_code == USAGE
    assert "answer.receipt" in result.stderr


def test_another_members_word_and_an_altered_one_are_none(service: World, tmp_path: Path) -> None:
    _, told = denied(service, 63)
    receipt = AnswerReceipt.of(told["receipt"])
    domain = service.genesis.domain
    by_courier = replace(receipt, signature=KEYRING.signer("courier-1").sign_digest(receipt.digest(domain)))
    fewer = replace(receipt, stops=())
    for number, wrong in enumerate((by_courier, fewer)):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(wrong.as_dict()))
        status, found = audited(service, path)
        assert (status, [each["code"] for each in found["findings"]]) == (1, ["answer.signer"])
    known = Authorities.of_genesis(service.genesis)
    assert known == Authorities.of_chain(service.client().get("/v1/chain").json())
    text, signature = receipt.statement, receipt.device_signature
    assert check_receipt(told["receipt"], text, signature, known) == KEYRING.signer("identity").address
    for document, said, by in (
        (by_courier.as_dict(), text, signature),
        (fewer.as_dict(), text, signature),
        (told["receipt"], text + " ", signature),
        (told["receipt"], text, None),
    ):
        with pytest.raises(Unexpected):
            check_receipt(document, said, by, known)
    with pytest.raises(BadReceipt):
        AnswerReceipt.of(told["receipt"] | {"signed_by_buyer": False})
