"""The SDK against the real gateway over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from clients.sdk import Client, ForeignChain, Problem, Unreachable
from clients.sdk.gate import ApiGate
from clients.sender import Sender
from clients.spool import SCAN_LANE, SCAN_TRACE_LANE, Item, Spool
from ledger.chain.batch import Batch, Entry
from ledger.commitments import LedgerDomain
from ledger.domain.kinds import KindNumber
from tests.api.journey import Journey
from tests.api.world import KEYRING, World, world

K = KindNumber


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("gateway")) as made:
        yield made


def client(service: World, name: str = "courier-1", **options: object) -> Client:
    return Client(service.url, KEYRING.signer(name), domain=service.genesis.domain, **options)  # type: ignore[arg-type]


async def batch(service: World, member: Client, *entries: Entry, lane: int = 5) -> Batch:
    seq = await member.next_seq(lane)
    not_after = (await member.chain()).time + 7_200
    return Batch.signed(service.genesis.domain, member.signer, lane=lane, seq=seq, not_after=not_after, entries=entries)


async def test_a_batch_is_posted_twice_and_waited_for(service: World) -> None:
    parcel = await asyncio.to_thread(lambda: Journey(service, "sdk-1").ordered().filed().parcel)
    async with client(service) as member:
        signed = await batch(service, member, Entry(parcel, K.CARRIED_IN, (await member.chain()).time))
        first = await member.submit(signed)
        assert first.batch == signed.hash(service.genesis.domain)
        again = await member.submit(signed, wait=20)
        assert (again.id, again.state) == (first.id, "visible")
        found = await member.wait(first.batch)
        (entry,) = found.entries
        assert (entry.subject, entry.kind, entry.rejection) == (parcel, "CARRIED_IN", None)
        seen = await member.parcel(parcel)
        assert "CARRIED_IN" in [each.kind for each in seen.entries]
        assert seen.orders[0].state == "bound"
        assert parcel in [each.id async for each in member.parcels()]
        assert seen.orders[0].id in [each.id async for each in member.orders()]
        assert (parcel, "CARRIED_IN") in [(each.subject, each.kind) async for each in member.entries()]
        assert first.id in [each.id async for each in member.submissions("visible")]


async def test_rejections_are_explained_in_both_languages(service: World) -> None:
    async with client(service) as member:
        signed = await batch(service, member, Entry(1 << 200, K.RELEASED, (await member.chain()).time))
        found = await member.submit(signed, wait=20)
        rejection = found.entries[0].rejection
        assert rejection
        assert rejection.code == "entry.state-missing"
        assert rejection.ko
        assert rejection.en
        assert rejection.hint


async def test_a_refusal_carries_the_gateways_code(service: World) -> None:
    async with client(service) as member:
        signed = await batch(service, member)
        wrong = Batch.signed(
            service.genesis.domain, member.signer, lane=5, seq=signed.seq + 3, not_after=signed.not_after, entries=()
        )
        with pytest.raises(Problem) as caught:
            await member.submit(wrong)
        assert (caught.value.code, caught.value.status) == ("batch.sequence", 409)
        assert caught.value.hint
        assert caught.value.request_id
        with pytest.raises(Problem, match="nothing here for you"):
            await member.submission("sub_" + "0" * 24)


async def test_a_gateway_of_another_chain_gets_no_signature(service: World) -> None:
    other = LedgerDomain(service.genesis.domain.chain_id + 1, service.genesis.domain.contract)
    async with Client(service.url, KEYRING.signer("courier-1"), domain=other) as member:
        with pytest.raises(ForeignChain):
            await member.chain()
        with pytest.raises(ForeignChain):
            await member.next_seq(1)


async def test_a_session_that_ended_is_opened_anew(service: World) -> None:
    async with client(service) as member:
        await member.next_seq(1)
        header = await member.authorization()
        async with httpx.AsyncClient(trust_env=False) as http:
            await http.delete(f"{service.url}/v1/auth/tokens", headers=header)
        found = await asyncio.gather(*(member.next_seq(1) for _ in range(5)))
        assert len(set(found)) == 1
        assert await member.authorization() != header
        await member.sign_out()
        assert await member.next_seq(1) == found[0]


async def test_payloads_go_to_their_readers_only(service: World) -> None:
    journey = await asyncio.to_thread(lambda: Journey(service, "sdk-payload").ordered())
    async with client(service) as courier, client(service, "courier-2") as stranger:
        order = next(iter([each async for each in courier.orders() if each.id == journey.order]))
        assert order.payload
        envelope = await courier.payload(order.payload)
        assert envelope
        assert await stranger.payload(order.payload) is None
        await courier.put_payload(order.payload, envelope)
        assert await courier.payload(order.payload) == envelope


async def test_events_resume_behind_the_last_one_handled(service: World) -> None:
    async with client(service) as member:
        stream = member.events(types=["entry.rejected"])
        heard: list[str] = []

        async def listen() -> None:
            async for event in stream:
                heard.append(event.id)
                if len(heard) == 2:
                    return

        listening = asyncio.create_task(listen())
        while not stream.cursor:  # noqa: ASYNC110  the stream tells nobody when it is welcomed
            await asyncio.sleep(0.02)
        start = stream.cursor
        for _ in range(2):
            bad = Entry(1 << 201, K.RELEASED, (await member.chain()).time)
            await member.submit(await batch(service, member, bad), wait=20)
        await asyncio.wait_for(listening, 20)
        again = [event.id async for event in _first(member.events(after=start, types=["entry.rejected"]), 2)]
        assert again == heard
        rest = [event.id async for event in _first(member.events(after=heard[0], types=["entry.rejected"]), 1)]
        assert rest == heard[1:]


async def _first(stream, count):  # type: ignore[no-untyped-def]
    left = count
    async for event in stream:
        yield event
        left -= 1
        if not left:
            return


async def test_a_gateway_that_is_away(service: World) -> None:
    async with Client("http://127.0.0.1:9", KEYRING.signer("courier-1"), domain=service.genesis.domain) as member:
        with pytest.raises(Unreachable):
            await member.next_seq(1)
        with pytest.raises(Unreachable):
            await _first(member.events(patience=0.0), 1).__anext__()


class Pushing(httpx.AsyncHTTPTransport):
    """A gateway that pushes back some times before it answers."""

    def __init__(self, times: int, told: str, status: int) -> None:
        super().__init__()
        self.left, self._told, self._status = times, told, status

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.left and "/v1/lanes/" in request.url.path:
            self.left -= 1
            headers = {"Retry-After": self._told} if self._told else {}
            return httpx.Response(self._status, headers=headers, json={"code": "api.rate-limited", "detail": "-"})
        return await super().handle_async_request(request)


@pytest.mark.parametrize(
    ("times", "told", "status", "left"),
    [(2, "0", 429, 0), (3, "0", 503, 0), (4, "0", 429, None), (1, "61", 429, None), (1, "", 429, None),
     (1, "0", 500, None)],
)  # fmt: skip
async def test_a_push_back_is_waited_for_as_often_and_as_long_as_the_caller_allows(
    service: World, times: int, told: str, status: int, left: int | None
) -> None:
    transport = Pushing(times, told, status)
    async with client(service, transport=transport, pushed_back=3) as member:
        if left is None:
            with pytest.raises(Problem):
                await member.next_seq(1)
        else:
            assert await member.next_seq(1) >= 0
            assert transport.left == left
    async with client(service, transport=Pushing(1, "0", 429)) as member:
        with pytest.raises(Problem):
            await member.next_seq(1)


async def test_orders_by_state(service: World) -> None:
    waiting = await asyncio.to_thread(lambda: Journey(service, "sdk-open").ordered().order)
    bound = await asyncio.to_thread(lambda: Journey(service, "sdk-bound").ordered().filed().order)
    async with client(service) as courier:
        found = {state: {each.id async for each in courier.orders(state)} for state in ("open", "bound", None)}
        with pytest.raises(Problem):
            [each async for each in courier.orders("lost")]
    assert waiting in found["open"] - found["bound"]
    assert bound in found["bound"] - found["open"]
    assert found["open"] | found["bound"] == found[None]


def test_a_spool_empties_through_the_gateway(service: World, tmp_path) -> None:  # type: ignore[no-untyped-def]
    journey = Journey(service, "sdk-spool").ordered().filed()
    spool = Spool(tmp_path / "spool.db", service.genesis.domain, KEYRING.signer("courier-1"))
    now = journey.now
    spool.add([Item(Entry(journey.parcel, K.RELEASED, now), SCAN_LANE, b"a", "row 2", "RELEASED"),
               Item(Entry(journey.parcel, K.CARRIED_IN, now), SCAN_LANE, b"b", "row 3", "CARRIED_IN"),
               Item(Entry(journey.parcel, 19, now), SCAN_TRACE_LANE, b"c", "row 4", "SORTED")])  # fmt: skip
    with ApiGate(client(service)) as gate:
        counts = Sender(spool, gate).run(timeout=30)
    assert counts == {"open": 0, "recorded": 2, "rejected": 1, "refused": 0}
    assert [row.code for row in spool.rows()] == ["entry.state-missing", "", ""]
    spool.close()
