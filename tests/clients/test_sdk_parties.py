"""The SDK of officers, of webhooks and of holders of a number, against the real gateway over HTTP."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.documented import buyer_shapes, shapes
from clients import sdk
from clients.device import DeviceKey
from clients.sdk import BuyerClient, Client, Problem, Unexpected, Unreachable
from clients.sdk.office import read_office_parcel
from clients.sdk.uses import Happened, read_number
from clients.sdk.webhooks import read_delivery
from ledger.chain.batch import Entry, detail
from ledger.domain.kinds import KindNumber as K
from node.service import wait_until
from tests.api.journey import Journey
from tests.api.receiver import receiving
from tests.api.test_buyer import Buyer, filed, person
from tests.api.world import KEYRING, World, world
from tests.commands import clearance

PATIENCE = 60
"""Seconds that two slow cores may need."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("gateway")) as made:
        yield made


def member(service: World, name: str) -> Client:
    return Client(service.url, KEYRING.signer(name), domain=service.genesis.domain)


async def test_an_officer_reads_what_waits_for_the_office(service: World) -> None:
    number = (await asyncio.to_thread(lambda: Journey(service, "sdk-office").ordered().filed().checked())).parcel
    async with member(service, "office-040") as officer, member(service, "courier-1") as courier:
        (listed,) = [each async for each in officer.customs_parcels() if each.parcel.id == number]
        found = await officer.customs_parcel(number)
        assert (listed.filing, listed.stops, listed.open_holds) == (service.sealer.filing(number), 0, ())
        (result,) = found.screening
        assert (result.kind, result.filing, len(result.digest)) == ("SCREENED_PASSED", found.filing, 32)
        assert "FILED" in [each.kind for each in found.parcel.entries]
        assert number not in [each.parcel.id async for each in officer.customs_parcels(["cleared"])]
        with pytest.raises(Problem, match="nothing here for you"):
            await courier.customs_parcel(number)


async def test_a_webhook_from_its_registration_to_its_end(service: World) -> None:
    with receiving() as receiver:
        async with member(service, "courier-2") as courier:
            made = await courier.register_webhook(receiver.url, ["entry.rejected"])
            assert made.secret.startswith("whsec_")
            assert made.secret not in repr(made)
            assert (made.types, made.state, made.key) == (("entry.rejected",), "active", courier.signer.address)
            assert [each.id for each in await courier.webhooks()] == [made.id]
            assert (await courier.webhook(made.id)).secret == ""
            assert (await courier.rotate_webhook(made.id, overlap_hours=1)).secret not in ("", made.secret)
            await asyncio.to_thread(reject, service)
            assert await asyncio.to_thread(wait_until, lambda: len(receiver.came) == 1, 15)

            async def delivered() -> list[Any]:
                return [each async for each in courier.deliveries(made.id, "delivered")]

            async with asyncio.timeout(15):
                while not (told := await delivered()):  # noqa: ASYNC110  the dispatcher notes it after the answer
                    await asyncio.sleep(0.05)
            assert (told[0].id, told[0].subject, told[0].attempts[0].status) == (receiver.ids()[0], 1 << 202, 204)
            assert (await courier.resend(made.id, told[0].id)).id == told[0].id
            assert await asyncio.to_thread(wait_until, lambda: len(receiver.came) == 2, 15)
            await courier.delete_webhook(made.id)
            with pytest.raises(Problem, match="nothing here for you"):
                await courier.webhook(made.id)
            with pytest.raises(Problem, match="nothing here for you"):
                await courier.webhook("../orders?limit=1")


def reject(service: World) -> None:
    party = service.party("courier-2")
    party.write(Entry(1 << 202, K.RELEASED, party.now()))


async def test_a_holder_sees_uses_and_says_whose_they_are(service: World, tmp_path: Path) -> None:
    holder, device = 43, DeviceKey.make(tmp_path / "device.pem", "four quiet made-up words")
    await asyncio.to_thread(filed, service, "sdk-holder", holder)
    newest = service.desk.sign_in._sender.newest
    async with BuyerClient(service.url, device=device) as client:
        told = person(holder)
        ticket = await client.send_code(told["pccc"], told["phone"])
        assert await asyncio.to_thread(wait_until, lambda: told["phone"] in newest, PATIENCE)
        with pytest.raises(Problem):
            await client.enter(ticket, "000000x")
        await client.enter(ticket, newest.pop(told["phone"]))
        async with asyncio.timeout(PATIENCE):
            while not (uses := [each async for each in client.uses()]):  # noqa: ASYNC110  the authority judges meanwhile
                await asyncio.sleep(0.2)
        (use,) = uses
        assert (use.may_answer, use.answer, use.timeline) == (True, "", ())
        assert "FILED" in [each.kind for each in (await client.use(use.id)).timeline]
        said, number = await asyncio.gather(client.answer(use.id, "denied"), client.number())
        assert (said.answer, said.about, said.signed) == ("denied", use.id, True)
        assert said.receipt_signer == KEYRING.signer("identity").address
        assert said.document["receipt_signer"] == KEYRING.signer("identity").hex_address.lower()
        assert (number.state, number.thawed_until, number.consent_first) == ("active", None, False)
        assert (await client.freeze()).answer == "frozen"
        until = dt.datetime.fromtimestamp(service.clock.now() + 86_400, dt.UTC)
        await client.thaw(until)
        assert (await client.number()).thawed_until == until
        await client.consent_first(on=True)
        assert (await client.number()).consent_first is True
        with pytest.raises(Unexpected, match="no id of a use"):
            await client.use("../number")


async def test_a_gateway_that_is_away_or_says_something_else() -> None:
    async with BuyerClient("http://127.0.0.1:9") as client:
        with pytest.raises(Unreachable):
            await client.number()
    for body in ("<html>", "[]", "{}"):
        transport = httpx.MockTransport(lambda _, body=body: httpx.Response(200, text=body))
        async with BuyerClient("http://gateway.example", "token", transport=transport) as client:
            with pytest.raises(Unexpected):
                await client.number()
            with pytest.raises(Unexpected):
                await client.send_code("P000000000001", "01000000000")
            with pytest.raises(Unexpected):
                [each async for each in client.uses()]


@pytest.mark.parametrize("read", [read_office_parcel, read_number, read_delivery])
def test_another_shape_is_said_to_be_one(read: Any) -> None:
    with pytest.raises(Unexpected):
        read({})


OMITTED: dict[tuple[Any, Any], set[str]] = {
    (sdk.Chain, shapes.Chain): {"chain_id", "contract"},  # in `domain`
    (sdk.Entry, shapes.Entry): {"key", "outcome"},
    (sdk.Ground, shapes.Ground): set(),
    (sdk.Order, shapes.Order): set(),
    (sdk.Parcel, shapes.Parcel): {"generation", "stops", "open_holds", "filing", "payload"},
    (sdk.ScreeningResult, shapes.ScreeningResult): set(),
    (sdk.Use, buyer_shapes.Use): {"link"},
    (sdk.Number, buyer_shapes.Number): set(),
    (Happened, buyer_shapes.Happened): {"ko", "en"},  # in `text`
}
"""Fields of the documented shapes that the SDK's values leave out, on purpose."""


@pytest.mark.parametrize(("model", "shape"), OMITTED, ids=lambda each: each.__name__)
def test_nothing_that_is_documented_is_dropped_unseen(model: Any, shape: Any) -> None:
    assert set(shape.model_fields) - {each.name for each in fields(model)} - {"object"} == OMITTED[model, shape]


async def test_a_hold_tells_members_and_holder_its_ground_and_when_customs_answers(
    service: World, tmp_path: Path
) -> None:
    journey = await asyncio.to_thread(lambda: filed(service, "sdk-held", 44).checked())
    office = service.party("office-040")
    due = office.now() // 3600 + 720
    held = Entry(journey.parcel, K.HELD, office.now(), bytes([7]) * 32, detail(K.HELD, ground=2, answer_due=due))
    await asyncio.to_thread(lambda: office.send(office.batch([held], lane=0)))
    answers_by = dt.datetime.fromtimestamp(due * 3600, dt.UTC)
    async with member(service, "courier-1") as courier:
        assert (await courier.chain()).identity_keys == (KEYRING.signer("identity").address,)
        ground = (await courier.parcel(journey.parcel)).entries[-1].ground
        assert ground
        assert (ground.code, ground.evidence, ground.answer_due) == ("documents-missing", bytes([7]) * 32, answers_by)
        certificate = await courier.certificate(journey.parcel)
    holder = await asyncio.to_thread(Buyer, service, 44)
    async with BuyerClient(service.url, holder.http.headers["Authorization"].removeprefix("Bearer ")) as client:
        name = (await asyncio.to_thread(holder.use, journey))["id"]
        last = (await client.use(name)).timeline[-1]
        assert (last.kind, last.ground and last.ground.en, last.answer_due) == (
            "HELD", "Documents are missing.", answers_by,
        )  # fmt: skip
        assert (await client.certificate(name)).parcel == certificate.parcel == journey.parcel
        kept = {"api": service.url, "token": client.token, "genesis": ""}
        (tmp_path / "session.json").write_text(json.dumps(kept))
        shown = await asyncio.to_thread(clearance, "buyer", "show", name, "--home", str(tmp_path), "--lang", "en")
    assert "Ground: Documents are missing." in shown.stdout, shown
    assert "Customs answers by: " in shown.stdout
    async with member(service, "office-040") as officer:
        assert not [each async for each in officer.customs_parcels(denied=True) if each.parcel.id == journey.parcel]
        await asyncio.to_thread(lambda: holder.answer(holder.use(journey), "denied", signed=True))
        assert [each async for each in officer.customs_parcels(denied=True) if each.parcel.id == journey.parcel]


def test_models_are_frozen_values() -> None:
    models = [each for name in sdk.__all__ if is_dataclass(each := getattr(sdk, name))]
    assert len(models) >= 11
    for model in models:
        assert model.__dataclass_params__.frozen, model  # type: ignore[attr-defined]
        document = [each for each in fields(model) if each.name == "document"]
        assert not any(each.repr for each in document), "what is personal is in no repr"
