"""Clearance certificates of a real day: all of them hold, and none does once anything in it is altered."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import certificate as module
from ledger.certificate import Certificate, InvalidCertificate, ShownBlock, verify
from ledger.chain.evidence import Evidence, NotFinal, hexed
from ledger.chain.state import map_slot
from ledger.domain.errors import LedgerError
from ledger.domain.kinds import KindNumber, Status
from ledger.keys import LocalSigner
from ledger.trust import MAPS, InvalidTrust, Trust
from node.blocks import Header
from node.chain import Chain
from node.clock import LogicalClock
from node.evidence import evidence_of
from node.remote import NodeRefused, RemoteNode
from node.sealer import Sealer
from node.service import NodeService
from node.statements import Head
from tests.node.days import Day, make_day, sealer_keys
from tests.node.serving import served

FIRST, SECOND, STRANGER = (LocalSigner.from_seed(b"tests", f"follower {name}") for name in ("a", "b", "c"))
BETWEEN = 3
"""Blocks from the first follower's newest head to the second one's."""
MIXED = {("cleared", "rule"), ("referred", None), ("cleared", "officer")}
QUIET = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


@dataclass
class Stage:
    """A sealer with a day's chain, which two followers countersigned up to different heights."""

    node: RemoteNode
    service: NodeService
    trust: Trust
    parcels: list[int]
    order: int

    @property
    def chain(self) -> Chain:
        return self.service.chain

    def evidence(self, subject: int) -> Evidence:
        return self.node.evidence([map_slot(name, subject, self.trust.slots) for name in MAPS])

    def certificate(self, subject: int) -> Certificate:
        return Certificate.made(self.trust.domain, self.trust.genesis_hash, subject, self.evidence(subject))

    def final(self) -> Header:
        return self.chain.block(self.service.final_height()).header


def countersign(service: NodeService, signer: LocalSigner, height: int) -> None:
    chain = service.chain
    service.take_head(Head.signed(chain.domain, signer, chain.genesis_hash, height, chain.block(height).hash))


def sealing(day: Day, *followers: LocalSigner) -> NodeService:
    genesis = replace(day.genesis, followers=tuple(each.hex_address for each in followers))
    chain = Chain(day.memory(), genesis)
    return NodeService(chain, sealer=Sealer(chain, sealer_keys(), LogicalClock(chain.head.timestamp)))


def opened(node: RemoteNode, kind: KindNumber) -> list[int]:
    return sorted(
        {
            each.entry.subject
            for batch in node.included(1)
            if not batch.batch.is_trace
            for each in batch.entries()
            if each.kind is kind and each.rejection is None
        }
    )


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    """A day long enough that the contract clears some parcels by itself."""
    return make_day(tmp_path_factory.mktemp("certificates"), 60)


def outcomes(chain: Chain, height: int, parcels: list[int]) -> dict[int, tuple[str, str | None]]:
    """Return what stands of each parcel at a height, and who decided it."""
    header = chain.block(height).header
    words = {each: chain.state(header).word(each) for each in parcels}
    told = {each: module.said(ShownBlock.of(header.rlp), found) for each, found in words.items() if found}
    return {each: (found["clearance"], found["decided_by"]) for each, found in told.items()}


@pytest.fixture(scope="module")
def stage(day: Day) -> Iterator[Stage]:
    service = sealing(day, FIRST, SECOND)
    chain = service.chain
    with served(service) as node:
        parcels = opened(node, KindNumber.FILED)
        heights = range(chain.head.number - BETWEEN - 1, 0, -1)
        final = next(each for each in heights if set(outcomes(chain, each, parcels).values()) >= MIXED)
        countersign(service, FIRST, final)
        countersign(service, SECOND, final + BETWEEN)
        trust = Trust.of_genesis(chain.genesis, chain.genesis_hash)
        there = sorted(outcomes(chain, final, parcels))
        yield Stage(node, service, trust, there, opened(node, KindNumber.ORDER_OPENED)[0])


@pytest.fixture(scope="module")
def whole(stage: Stage) -> dict[str, Any]:
    """The certificate of a parcel that the contract cleared."""
    found = next(each for each in map(stage.certificate, stage.parcels) if each.says["decided_by"] == "rule")
    return found.as_dict()


def code_of(document: Any, trust: Trust) -> str:
    """Return why a document does not verify, empty if it does."""
    try:
        verify(Certificate.loads(json.dumps(document)), trust)
    except InvalidCertificate as error:
        return error.code
    return ""


# ------------------------------------------------------------------------------------------------------------ it holds
def test_the_certificate_of_every_parcel_of_the_day_holds(stage: Stage) -> None:
    state = stage.chain.state(stage.final())
    seen = set()
    for number in stage.parcels:
        found = Certificate.loads(json.dumps(stage.certificate(number).as_dict()))
        verify(found, stage.trust)
        parcel = state.parcel(number)
        assert (found.word, found.filing) == (parcel.word, state.filing(number))
        assert found.says["clearance"] == parcel.clearance
        assert found.says["findings"] == [each.name for each in parcel.findings]
        assert (found.says["height"], len(found.evidence.later)) == (stage.final().number, BETWEEN)
        seen.add((parcel.clearance, found.says["decided_by"]))
    assert seen >= MIXED


def test_who_decided_is_told_of_the_status_bits() -> None:
    cleared = Status.PARCEL | Status.FILED | Status.CLEARED | Status.AUTO
    block = ShownBlock(b"", b"", b"", 1, 1)
    for status, who in (
        (cleared, "rule"), (cleared | Status.DECIDED | Status.REFUSED, "officer"),
        (cleared | Status.RECALLED, "officer"), (Status.PARCEL | Status.FILED | Status.REFERRED, None),
    ):  # fmt: skip
        assert module.said(block, int(status))["decided_by"] == who


def test_the_header_is_read_where_the_node_writes_it(stage: Stage) -> None:
    header, names = stage.final(), [each.name for each in fields(Header)]
    assert len(names) == module.HEADER_ITEMS
    shown = ShownBlock.of(header.rlp)
    assert shown == ShownBlock(header.hash, header.parent_hash, header.state_root, header.number, header.timestamp)


def test_fewer_heads_suffice_where_fewer_are_asked_for(stage: Stage, whole: dict[str, Any]) -> None:
    assert len(whole["countersigned"]["heads"]) == 2
    first = next(head for head in whole["countersigned"]["heads"] if head["follower"] == FIRST.hex_address)
    alone = whole | {"countersigned": {"later": [], "heads": [first]}}
    assert code_of(alone, replace(stage.trust, needed=1)) == ""
    assert code_of(alone, stage.trust) == "certificate.countersigned"
    nobody = whole | {"countersigned": {"later": [], "heads": []}}
    assert code_of(nobody, replace(stage.trust, needed=0)) == ""
    assert code_of(nobody, replace(stage.trust, needed=1)) == "certificate.countersigned"


def test_an_older_certificate_still_holds_and_tells_its_height(stage: Stage, day: Day) -> None:
    service = sealing(day, FIRST)
    height = stage.final().number - 2
    countersign(service, FIRST, height)
    number = min(outcomes(service.chain, height, stage.parcels))
    wanted = [map_slot(name, number, stage.trust.slots) for name in MAPS]
    trust = Trust.of_genesis(service.chain.genesis, service.chain.genesis_hash)
    old = Certificate.made(trust.domain, trust.genesis_hash, number, evidence_of(service, wanted))
    countersign(service, FIRST, service.chain.head.number)
    verify(old, trust)
    assert old.says["height"] == height
    assert old.says["time"] <= stage.certificate(number).says["time"]


# ------------------------------------------------------------------------------------------------------------- altered
EXPECTED = (
    ("says", {"certificate.says"}),
    ("chain", {"certificate.foreign-chain"}),
    ("parcel", {"certificate.word"}),
    ("word", {"certificate.word"}),
    ("filing", {"certificate.filing"}),
    ("block.header", {"certificate.seal"}),
    ("block.seal", {"certificate.seal"}),
    ("countersigned.later", {"certificate.links", "certificate.head"}),
    ("countersigned.heads", {"certificate.head", "certificate.links", "certificate.countersigned"}),
    ("proof.account", {"certificate.account"}),
    ("proof.word", {"certificate.word"}),
    ("proof.filing", {"certificate.filing"}),
    ("object", {"certificate.malformed"}),
    ("version", {"certificate.malformed"}),
)
SHAPE = "certificate.malformed"
"""Stands beside each of them: an altered value may not be one of its kind any more."""


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every value of a document, lists and objects too."""
    if path:
        yield path
    for name, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(each, (*path, name))


def altered(value: Any) -> Iterator[Any]:
    """Yield a value altered in each way that its kind can be."""
    if isinstance(value, str) and value.startswith("0x"):
        digits = value[2:]
        for place in {0, 1, len(digits) // 3, len(digits) // 2, len(digits) - 1}:
            yield "0x" + digits[:place] + f"{int(digits[place], 16) ^ 1:x}" + digits[place + 1 :]
        yield from (value + "00", value[:-2], "0x", value.upper(), "0x00" + digits, value[2:], None, 7)
    elif isinstance(value, str):
        yield from (value + "x", "", None, 1)
    elif isinstance(value, int):
        yield from (value + 1, value - 1, -value - 1, value + 2**60, str(value), True, None, value + 0.5)
    elif isinstance(value, list):
        yield from ([*value, "0x00"], [*value, *value[-1:] * 300], value[:-1], value[1:], value[::-1], None, {})
    elif isinstance(value, dict):
        yield from (value | {"more": 1}, dict(list(value.items())[1:]), None, [])
    else:
        yield from ("x", 1, {})


def with_value(document: Any, path: tuple[str | int, ...], value: Any) -> Any:
    made = copy.deepcopy(document)
    place = made
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return made


def test_nothing_of_it_can_be_altered(stage: Stage, whole: dict[str, Any]) -> None:
    seen: dict[str, set[str]] = {}
    tried = 0
    for path in places(whole):
        name = ".".join(map(str, path))
        value = whole
        for each in path:
            value = value[each]  # type: ignore[index]
        for other in altered(value):
            if other == value and type(other) is type(value):
                continue
            tried += 1
            code = code_of(with_value(whole, path, other), stage.trust)
            top = next((key for key, _ in EXPECTED if name.startswith(key)), "")
            allowed = dict(EXPECTED).get(top, set()) | {SHAPE}
            assert code in allowed, (name, str(other)[:80], code)
            seen.setdefault(top, set()).add(code)
    assert tried > 500
    for top, codes in EXPECTED:
        assert codes <= seen[top], f"{top}: {codes - seen[top]} never came"


def test_a_field_that_stands_twice_is_refused(stage: Stage, whole: dict[str, Any]) -> None:
    text = json.dumps(whole)
    assert text.startswith('{"object"')
    with pytest.raises(InvalidCertificate) as refusal:
        Certificate.loads('{"object": "certificate", ' + text[1:])
    assert refusal.value.code == SHAPE


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "{}", "[" * 100_000, '{"a":' * 50_000, "1e999", '"\\ud800"', "9" * 5_000, "x" * (2 << 20)],
)
def test_what_is_no_certificate_is_named_so(text: str) -> None:
    with pytest.raises(InvalidCertificate) as refusal:
        Certificate.loads(text)
    assert refusal.value.code == SHAPE


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=40).map(hexed),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@QUIET
@given(choice=st.data())
def test_no_random_change_verifies_or_breaks_it(stage: Stage, whole: dict[str, Any], choice: st.DataObject) -> None:
    made = whole
    for _ in range(choice.draw(st.integers(1, 3))):
        path = choice.draw(st.sampled_from(list(places(made))))
        made = with_value(made, path, choice.draw(VALUES))
    if made != whole:
        assert code_of(made, stage.trust) != ""


@QUIET
@given(place=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
def test_no_altered_byte_of_its_text_verifies(stage: Stage, whole: dict[str, Any], place: float, byte: int) -> None:
    text = bytearray(json.dumps(whole).encode())
    text[int(place * len(text))] = byte
    try:
        same = json.loads(text) == whole
    except ValueError:
        same = False
    try:
        verify(Certificate.loads(bytes(text)), stage.trust)
    except InvalidCertificate:
        assert not same
    else:
        assert same


# ---------------------------------------------------------------------------------------------------------- other words
def test_whoever_is_trusted_decides(stage: Stage, whole: dict[str, Any]) -> None:
    trust, other = stage.trust, bytes(31) + b"\1"
    for changed, code in (
        (replace(trust, genesis_hash=other), "certificate.foreign-chain"),
        (replace(trust, domain=replace(trust.domain, chain_id=2)), "certificate.foreign-chain"),
        (replace(trust, domain=replace(trust.domain, contract=other[12:])), "certificate.foreign-chain"),
        (replace(trust, sealer=STRANGER.address), "certificate.seal"),
        (replace(trust, followers=(FIRST.address, STRANGER.address)), "certificate.countersigned"),
        (replace(trust, slots={"words": 9, "filings": 8}), "certificate.word"),
        (replace(trust, slots=trust.slots | {"filings": 8}), "certificate.filing"),
    ):
        assert code_of(whole, changed) == code


def test_a_certificate_of_another_parcel_does_not_fit(stage: Stage, whole: dict[str, Any]) -> None:
    other = next(each for each in map(stage.certificate, stage.parcels) if each.as_dict()["parcel"] != whole["parcel"])
    told = other.as_dict()
    assert code_of(whole | {"parcel": told["parcel"]}, stage.trust) == "certificate.word"
    swapped = whole | {"parcel": told["parcel"], "word": told["word"], "says": told["says"]}
    swapped["proof"] = whole["proof"] | {"word": told["proof"]["word"]}
    assert code_of(swapped, stage.trust) == "certificate.filing"


def test_a_filing_cannot_be_left_out(stage: Stage, whole: dict[str, Any]) -> None:
    short = whole | {"filing": None, "proof": whole["proof"] | {"filing": []}}
    assert code_of(short, stage.trust) == "certificate.filing"


def proof_of(stage: Stage, subject: int) -> dict[str, Any]:
    """Return the document that a lying gateway could make of what is not a parcel."""
    shown = stage.evidence(subject)
    found = Certificate(
        stage.trust.domain, stage.trust.genesis_hash, subject, replace(shown, words=shown.words[:1]),
        module.said(ShownBlock.of(shown.header), shown.words[0].value),
    )  # fmt: skip
    return found.as_dict()


def test_a_proof_of_absence_says_that_there_is_no_such_parcel(stage: Stage) -> None:
    for subject in (1, 2**256 - 1, stage.parcels[0] ^ 1):
        assert code_of(proof_of(stage, subject), stage.trust) == "certificate.unknown-parcel"
    with pytest.raises(NotFinal):
        stage.certificate(1)


def test_an_order_is_no_parcel(stage: Stage) -> None:
    assert code_of(proof_of(stage, stage.order), stage.trust) == "certificate.unknown-parcel"


# ------------------------------------------------------------------------------------------------------------ the node
def test_a_node_without_a_final_block_says_so(day: Day) -> None:
    with served(sealing(day, FIRST)) as node, pytest.raises(NodeRefused) as refusal:
        node.evidence([1])
    assert refusal.value.code == "certificate.not-final"


def test_a_node_that_dropped_the_state_says_so(day: Day) -> None:
    service = sealing(day, FIRST)
    countersign(service, FIRST, 2)
    for made in service.chain._retention.__class__(service.chain.store, 5).forget_below(service.chain.head.number):
        service.chain.store.commit(made)
    with served(service) as node, pytest.raises(NodeRefused) as refusal:
        node.evidence([1])
    assert refusal.value.code == "state.pruned"


def test_too_many_slots_are_refused(stage: Stage) -> None:
    with pytest.raises(LedgerError) as refusal:
        stage.node.evidence(range(17))
    assert refusal.value.code == "rpc.parameters"


def test_a_head_far_above_the_block_is_left_out(stage: Stage, day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.evidence.MOST_LATER", BETWEEN - 1)
    shown = evidence_of(stage.service, [])
    assert ([head.follower for head in shown.heads], shown.later) == ([FIRST.address], ())


# ----------------------------------------------------------------------------------------------------------- trust file
def test_a_trust_file_reads_as_it_was_written(stage: Stage) -> None:
    text = json.dumps(stage.trust.as_dict())
    assert Trust.loads(text) == stage.trust
    document = stage.trust.as_dict()
    for path in places(document):
        value = document
        for each in path:
            value = value[each]  # type: ignore[index]
        for other in altered(value):
            try:
                found = Trust.loads(json.dumps(with_value(document, path, other)))
            except InvalidTrust:
                continue
            assert found != stage.trust or other == value


def test_more_countersignatures_than_followers_are_refused(stage: Stage) -> None:
    genesis = stage.chain.genesis
    assert Trust.of_genesis(genesis, stage.chain.genesis_hash, 1).needed == 1
    with pytest.raises(InvalidTrust):
        Trust.of_genesis(genesis, stage.chain.genesis_hash, 3)
