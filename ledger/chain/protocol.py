"""Renders `docs/protocol.md` from the tables that the contract is made from: types, words, kinds, codes, test vectors.

`python -m ledger.chain.protocol` writes it; `--check` exits 1 if the committed file differs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from ledger.answers import FRESH_SECONDS, STOP_WITHIN, Mark, statement
from ledger.chain import sampling
from ledger.chain.batch import Batch, Entry, detail
from ledger.commitments import LedgerDomain, filing_digest, order_commitment, rest_digest
from ledger.domain import limits, words
from ledger.domain.crosswalk import CROSSWALK, DAY_COMMITTED, DAY_REVEALED, TRACES
from ledger.domain.facts import Goods, Mode, Track, Transport, country_number
from ledger.domain.findings import FINDING_TEXTS, FROM_FACTS, Finding
from ledger.domain.grounds import GROUNDS
from ledger.domain.kinds import CLEAR_BARS, CLEAR_NEEDS, KINDS, Flag, Kind, Status
from ledger.domain.rejections import REJECTION_TEXTS, Effect
from ledger.domain.roles import ANY_ROLE, Role
from ledger.domain.words import Field
from ledger.genesis import CONTRACT
from ledger.keys import LocalSigner

TARGET: Final = Path(__file__).parents[2] / "docs" / "protocol.md"
LAYOUTS: Final[tuple[tuple[str, str, Mapping[str, Field]], ...]] = (
    ("Header word", "second word of an entry; the first is the subject's id, the third the digest", words.HEADER),
    ("Detail", "fields inside the header, by kind", words.DETAIL),
    ("Goods word", "the seller's facts", words.GOODS),
    ("Transport word", "the courier's facts", words.TRANSPORT),
    ("Parcel", "status word of a parcel", words.PARCEL),
    ("Order", "status word of an order", words.ORDER),
    ("Master", "status word of a master", words.MASTER),
    ("Key", "word of a member's key", words.KEY),
    ("Organisation", "word of an organisation", words.ORG),
    ("Guard", "word of a kind in the contract", words.GUARD),
    ("Dispatch row", "value of a rule row", words.DISPATCH_ROW),
    ("Class row", "value of a rule row", words.CLASS_ROW),
    ("Lateness row", "value of a rule row", words.LATENESS_ROW),
)


TRACE_RULE: Final = (
    "The contract checks a trace batch's signer, sequence and size. Readers reject a trace (ROLE) unless the key's "
    "roles, cut to its org's, at that place of the chain reach one named here; a number in no table is nobody's."
)
"""What `ledger.chain.included` does with traces."""


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    columns = list(head)
    yield "| " + " | ".join(columns) + " |"
    yield "|" + "---|" * len(columns)
    for row in rows:
        yield "| " + " | ".join(str(cell) for cell in row) + " |"
    yield ""


def _bits(value: int, names: type[Status] | type[Role]) -> str:
    return " ".join(str(bit.name) for bit in names if bit & value) or "-"


def _kind_row(kind: Kind) -> tuple[object, ...]:
    roles = "any member" if kind.roles == ANY_ROLE else _bits(kind.roles, Role)
    extra = "filing" if Flag.FILING in kind.flags else kind.extra
    lane = "0" if Flag.STOP in kind.flags else "main"
    return (
        int(kind.number), kind.name, kind.korean, roles, kind.writer.name.lower().replace("_", " "), lane,
        _bits(kind.needs, Status), _bits(kind.bars, Status), _bits(kind.sets, Status), extra,
    )  # fmt: skip


def _vectors() -> Iterator[str]:
    """A batch that anyone can recompute: keys and salts are made from the texts shown."""
    domain = LedgerDomain(4242, CONTRACT)
    seller = LocalSigner.from_seed(b"protocol test vector", "seller")
    goods = Goods(4_999, 840, 1, 2)
    rest = b'{"description":"clothing","hs6":"620342","ordered_at":1760000000}'
    rest_salt, salt, payload = (bytes([number]) * 32 for number in (1, 2, 3))
    covered = rest_digest(rest_salt, rest)
    commitment = order_commitment(goods.word(), covered, salt)
    key = bytes([5]) * 32
    kinds = {kind.name: number for number, kind in KINDS.items()}
    order = domain.subject_id(kinds["ORDER_OPENED"], 7, commitment)
    opened = Entry(
        order, kinds["ORDER_OPENED"], 1_760_000_000, commitment, detail(kinds["ORDER_OPENED"], handed=9),
        extra=(int.from_bytes(payload, "big"),),
    )  # fmt: skip
    country = country_number("US")
    transport = Transport(country, country, Mode.EXPRESS_AIR, 40, Track.LIST)
    parcel = domain.subject_id(kinds["FILED"], 9, payload)
    presented = (order, goods.word(), int.from_bytes(covered, "big"), int.from_bytes(salt, "big"))
    filed = Entry(parcel, kinds["FILED"], 1_760_000_060, payload, extra=(transport.word(), *presented))
    batch = Batch.signed(domain, seller, lane=1, seq=0, not_after=1_760_007_200, entries=[opened])
    rows = (
        ("chain id", domain.chain_id),
        ("contract", f"0x{CONTRACT.hex()}"),
        ("domain separator", f"0x{domain.separator().hex()}"),
        ("address of the key", seller.hex_address),
        ("goods word (49.99 USD, class 1, quantity 2)", f"0x{goods.word():064x}"),
        ("rest", f"`{rest.decode()}`"),
        ("rest digest (salt 0x0101…)", f"0x{covered.hex()}"),
        ("order commitment (salt 0x0202…)", f"0x{commitment.hex()}"),
        ("order id (seller org 7)", f"0x{order:064x}"),
        ("ORDER_OPENED entry", f"0x{opened.packed().hex()}"),
        ("entries of the batch", f"0x{batch.entries.hex()}"),
        ("batch digest (lane 1, seq 0, notAfter 1760007200)", f"0x{batch.digest(domain).hex()}"),
        ("batch hash, the batch's name", f"0x{batch.hash(domain).hex()}"),
        ("signature r, s, v", f"0x{batch.signature.hex()}"),
        ("transport word (US express by air, office 40, LIST)", f"0x{transport.word():064x}"),
        ("parcel id (courier org 9, payload digest 0x0303…)", f"0x{parcel:064x}"),
        ("FILED entry", f"0x{filed.packed().hex()}"),
        ("filing digest, low 160 bits", f"0x{filing_digest(0, filed.packed()):040x}"),
        ("subject of sampling day 20381", f"0x{sampling.day_subject(domain, 20_381):064x}"),
        ("its commitment (rate 10000, key 0x0505…)", f"0x{sampling.commitment(domain, 20_381, 10_000, key).hex()}"),
        (
            "digest of a referral of the parcel as picked",
            f"0x{sampling.picked_digest(key, parcel, filing_digest(0, filed.packed())).hex()}",
        ),
    )
    yield from _table(("what", "value"), rows)


def render() -> str:
    """Return the document's text."""
    lines = [
        "# Protocol",
        "",
        "Made by `python -m ledger.chain.protocol` from the tables that the contract is made from; do not edit.",
        "",
        "## Batches",
        "",
        f'EIP-712 domain: name "{limits.DOMAIN_NAME}", version "{limits.DOMAIN_VERSION}", chainId, verifyingContract.',
        "",
        "```",
        "Batch(uint64 lane,uint64 seq,uint64 notAfter,bytes entries)",
        "Receipt(bytes32 batch,uint64 acceptedAt,uint64 includeBy)",
        "Inclusion(bytes32 batch,uint64 height,bytes32 blockHash)",
        "Seal(bytes32 genesisHash,uint64 height,bytes32 blockHash)",
        "Head(bytes32 genesisHash,uint64 height,bytes32 blockHash)",
        "Answer(bytes32 digest,uint64 at,bytes32 device,bytes32[] stops,uint64 stopsBy)",
        "```",
        "",
        f"`entries` is one word with the number of entries (at most {limits.MAX_ENTRIES}), then the entries: id,"
        f" header, digest and the extra words the header names; at most {limits.MAX_BATCH_BYTES:,} bytes. Lane"
        f" {limits.STOP_LANE} carries stops; lanes from 2^63 carry traces, whose kinds are those of the last table."
        " `seq` counts from 0 for each key and lane.",
        "",
        "A filing has 2 extra words (transport word, goods word) or 1 + 4 for each order (transport word; then order"
        f" id, goods word, rest digest, salt), in rising order of id, at most {limits.MAX_ORDERS} orders."
        " An order's payload digest is the extra word of the entry that opens it, and the digest of one that reassigns"
        " it: the payload is sealed anew, to the courier it is handed to then.",
        "",
        "## Hashes",
        "",
        "All are Keccak-256; a tag is the hash of its text; integers are 32-byte words.",
        "",
        "```",
        'self      = keccak(tag("clearance.id/v1") . chainId . contract)',
        "id        = keccak(self . kind . opener org . digest)",
        'commitment= keccak(tag("clearance.order/v1") . goods word . rest digest . salt)',
        'rest      = keccak(tag("clearance.rest/v1") . salt . canonical JSON)',
        'filing    = low 160 bits of keccak(tag("clearance.filing/v1") . generation . entry bytes)',
        'payload   = keccak(tag("clearance.payload/v1") . salt . canonical JSON)',
        'batch     = keccak(tag("clearance.batch/v1") . EIP-712 digest . address of the signer)',
        "```",
        "",
        "## Answers of holders",
        "",
        "A statement is canonical JSON (RFC 8785); the holder's device signs it (ECDSA P-256, SHA-256, r and s):",
        "",
        "```",
        statement("denied", "use_…", Mark(1_760_914_800, "0" * 32), {"parcel": "0x…"}),
        "```",
        "",
        "`about` is a use or `number`; `parcel` stands in answers about a use, `exempt` (ids of parcels, rising) in"
        f" `frozen`, `until` in `thawed`. `at` may differ from the authority's clock by {FRESH_SECONDS} s; a statement"
        " said again is the same answer. The authority's receipt is `Answer`: `digest` is keccak of the statement,"
        " `device` keccak of the device's signature or zero, `stops` the id of each parcel that is owed a stop and the"
        f" digest its entry will carry, in turn, on chain by `stopsBy`, {STOP_WITHIN} s after `at`."
        " `clearance audit answers` compares receipts with the chain.",
        "",
        "## Words",
        "",
    ]
    for title, says, layout in LAYOUTS:
        lines += [f"### {title}", "", f"{says[:1].upper()}{says[1:]}.", ""]
        lines += _table(
            ("field", "bits", "what"), ((n, f"{f.shift}-{f.shift + f.width - 1}", f.says) for n, f in layout.items())
        )
    lines += ["### Status bits", ""]
    lines += _table(("bit", "name"), ((bit.bit_length() - 1, bit.name) for bit in Status))
    lines += ["## Kinds", ""]
    head = ("no", "kind", "Korean", "roles", "writer", "lane", "needs", "must not stand", "sets", "extra words")
    lines += _table(head, (_kind_row(kind) for kind in KINDS.values()))
    lines += [
        f"Cleared by rule: {_bits(CLEAR_NEEDS, Status)} stand, no finding, and none of {_bits(CLEAR_BARS, Status)};"
        " and the opener is in good standing.",
        "",
        "## Grounds",
        "",
        "Entries of these kinds name a ground in their detail; without one they are rejected, and the buyer is told it."
        " The evidence is the entry's digest.",
        "",
    ]
    lines += _table(
        ("kind", "no", "ground", "English", "Korean", "Customs Act art."),
        (
            (k.name, g.number, f"`{g.slug}`", g.text.en, g.text.ko, g.source)
            for k, rows in GROUNDS.items()
            for g in rows
        ),
    )
    lines += ["## Findings", ""]
    kept = {finding: "recomputed" if finding in FROM_FACTS else "stays" for finding in Finding}
    lines += _table(
        ("bit", "finding", "by a correction", "English", "Korean"),
        ((32 + f, f.name, kept[f], FINDING_TEXTS[f].en, FINDING_TEXTS[f].ko) for f in Finding),
    )
    lines += ["## Outcomes", "", "`value << 32 | index << 8 | code`", ""]
    lines += _table(
        ("code", "name", "slug", "English", "what to do"),
        ((int(r), r.name, f"`{t.slug}`", t.en, t.hint) for r, t in REJECTION_TEXTS.items()),
    )
    lines += _table(("code", "effect"), ((int(effect), effect.name) for effect in Effect))
    lines += ["## The kinds elsewhere", ""]
    lines += _table(
        ("kind", "UNI-PASS", "EMSEVT", "EPCIS bizStep", "disposition"),
        ((k.name, ", ".join(n.unipass), " ".join(n.emsevt), n.step, n.disposition) for k, n in CROSSWALK.items()),
    )
    lines += ["## Traces", "", TRACE_RULE, ""]
    lines += _table(
        ("no", "trace", "Korean", "roles", "UNI-PASS", "EMSEVT", "EPCIS bizStep"),
        (
            (t.number, t.name, t.korean, _bits(t.roles, Role), ", ".join(t.names.unipass), " ".join(t.names.emsevt),
             t.names.step)
            for t in TRACES.values()
        ),
    )  # fmt: skip
    lines += [
        "## Sampling days",
        "",
        "Traces of screening, docs/adr/0015; their subject: a tag, and the day's number.",
        "",
    ]
    lines += _table(("no", "statement", "digest", "detail"), (
        (DAY_COMMITTED, "the day's key is chosen", "keccak(tag, chain and contract, day, rate, key)", "zero"),
        (DAY_REVEALED, "the day's key is told", "the key", "rate, parts per million"),
    ))  # fmt: skip
    lines += ["## Test vectors", "", *_vectors()]
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Write or check the document; return the exit status."""
    parser = argparse.ArgumentParser(description="Make docs/protocol.md from the tables.")
    parser.add_argument("--check", action="store_true", help="compare with what is committed, write nothing")
    if parser.parse_args().check:
        if not TARGET.exists() or TARGET.read_text() != render():
            print("docs/protocol.md differs from the tables: run make docs", file=sys.stderr)
            return 1
        return 0
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(render())
    return 0


if __name__ == "__main__":
    sys.exit(main())
