"""Clearance certificates (통관 증명): what the contract says of one parcel, to be checked without node or gateway.

One JSON document. Whoever has a trust file (`ledger.trust`) checks it with signatures, Keccak-256 and RLP alone. It
names no person: it holds what stands on chain of the parcel, and hashes.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final, Self

import rfc8785
import rlp
from eth_hash.auto import keccak

from ledger.chain.evidence import MOST_LATER, Evidence, NotFinal, ProvenWord, SignedHead, all_unhexed, hexed, unhexed
from ledger.chain.merkle import HINT, BadProof, proven
from ledger.chain.state import Parcel, map_slot
from ledger.commitments import LedgerDomain, word
from ledger.domain.errors import LedgerError
from ledger.domain.kinds import Status
from ledger.keys import BadSignature, recover
from ledger.trust import Trust, read_document

TAG: Final = keccak(b"clearance.certificate/v1")
MOST_HEADER: Final = 1_024
HEADER_ITEMS: Final = 20
PARENT, STATE_ROOT, NUMBER, TIMESTAMP = 0, 3, 8, 11
"""Places in the header of a Cancun block (EIP-4788 and before); a test compares them with the node's."""
FAR: Final = 1 << 37
"""No block is so high or so late: beyond lie times that no calendar here can tell."""
STORAGE_ROOT: Final = 2
"""Place in an account."""


class InvalidCertificate(LedgerError):
    """The certificate does not show what it says; each subclass names the point."""

    code = "certificate.invalid"


class Malformed(InvalidCertificate):
    """It is no certificate."""

    code = "certificate.malformed"


class ForeignChain(InvalidCertificate):
    """It is of another chain than the trust file."""

    code = "certificate.foreign-chain"


class NotSealed(InvalidCertificate):
    """The trusted sealer did not seal the block."""

    code = "certificate.seal"


class NotLinked(InvalidCertificate):
    """The later headers do not follow the block one by one."""

    code = "certificate.links"


class WrongHead(InvalidCertificate):
    """A countersignature is not that of the follower it names."""

    code = "certificate.head"


class TooFewHeads(InvalidCertificate):
    """Fewer trusted followers countersigned than must."""

    code = "certificate.countersigned"


class WrongAccount(InvalidCertificate):
    """The contract's account is not proven."""

    code = "certificate.account"


class WrongWord(InvalidCertificate):
    """The parcel's status word is not proven."""

    code = "certificate.word"


class UnknownParcel(InvalidCertificate):
    """It is proven that there is no such parcel."""

    code = "certificate.unknown-parcel"


class WrongFiling(InvalidCertificate):
    """The digest of the parcel's newest filing is not proven."""

    code = "certificate.filing"


class SaysOtherwise(InvalidCertificate):
    """What it says in clear is not what the proven words say."""

    code = "certificate.says"


@dataclass(frozen=True, slots=True)
class ShownBlock:
    """What is read of a block's header."""

    hash: bytes
    parent: bytes
    state_root: bytes
    height: int
    time: int

    @classmethod
    def of(cls, header: bytes) -> Self:
        """Read a header's RLP.

        Raises:
            Malformed: it is none.
        """
        try:
            items = rlp.decode(header) if len(header) <= MOST_HEADER else []
            if len(items) != HEADER_ITEMS or not all(isinstance(item, bytes) for item in items):
                raise ValueError("not the items of a header")
        except (rlp.exceptions.RLPException, ValueError, TypeError, RecursionError) as error:
            raise Malformed("A block's header is none.", hint=HINT) from error
        height, time = (int.from_bytes(items[place], "big") for place in (NUMBER, TIMESTAMP))
        if max(height, time) >= FAR:
            raise Malformed("A block's height or time is none.", hint=HINT)
        return cls(keccak(header), items[PARENT], items[STATE_ROOT], height, time)


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a gateway says of a parcel, with what proves it.

    Attributes:
        parcel: its id.
        evidence: block, signatures and proofs; its words are the status word and, once filed, the newest filing's.
        says: what it says in clear, see :func:`said`.
    """

    domain: LedgerDomain
    genesis_hash: bytes
    parcel: int
    evidence: Evidence
    says: dict[str, Any]

    @classmethod
    def made(cls, domain: LedgerDomain, genesis_hash: bytes, parcel: int, evidence: Evidence) -> Self:
        """Make it of a node's evidence of the parcel's status word and filing.

        Raises:
            NotFinal: the parcel stands in no final block yet.
        """
        status, filing = evidence.words
        if not status.value:
            raise NotFinal("The parcel stands in no final block yet.", hint="Ask again in a few seconds.")
        # an absence is proven by whatever lies beside it: of a parcel without filing that may be another's word
        words = (status, filing) if Status.FILED in Parcel(status.value).status else (status,)
        shown = Evidence(evidence.header, evidence.seal, evidence.later, evidence.heads, evidence.account, words)
        return cls(domain, genesis_hash, parcel, shown, said(ShownBlock.of(shown.header), words[0].value))

    @property
    def block(self) -> ShownBlock:
        """The final block whose state it shows."""
        return ShownBlock.of(self.evidence.header)

    @property
    def word(self) -> int:
        """The parcel's status word."""
        return self.evidence.words[0].value

    @property
    def filing(self) -> int | None:
        """Low 160 bits of the newest filing's digest, None before a filing."""
        return self.evidence.words[1].value if len(self.evidence.words) > 1 else None

    def as_dict(self) -> dict[str, Any]:
        """Return the document."""
        shown = self.evidence
        return {
            "object": "certificate",
            "version": 1,
            "chain": {
                "chain_id": self.domain.chain_id,
                "contract": hexed(self.domain.contract),
                "genesis_hash": hexed(self.genesis_hash),
            },
            "parcel": f"0x{self.parcel:064x}",
            "says": self.says,
            "word": f"0x{self.word:064x}",
            "filing": None if self.filing is None else f"0x{self.filing:040x}",
            "block": {"header": hexed(shown.header), "seal": hexed(shown.seal)},
            "countersigned": {
                "later": [hexed(each) for each in shown.later],
                "heads": [head.as_dict() for head in shown.heads],
            },
            "proof": {
                "account": [hexed(node) for node in shown.account],
                "word": [hexed(node) for node in shown.words[0].nodes],
                "filing": [hexed(node) for each in shown.words[1:] for node in each.nodes],
            },
        }

    @property
    def digest(self) -> bytes:
        """Name of the certificate: keccak(tag . RFC 8785 form of the document)."""
        return keccak(TAG + rfc8785.dumps(self.as_dict()))

    @classmethod
    def loads(cls, text: str | bytes) -> Self:
        """Read a certificate's text. Fields it does not know and other ways to write a value are refused.

        Raises:
            Malformed: it is none.
        """
        try:
            document = read_document(text)
            found = cls._of(document)
            if rfc8785.dumps(found.as_dict()) != rfc8785.dumps(document):
                raise ValueError("fields are missing, unknown or written otherwise")
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            raise Malformed(
                "That is no certificate of this version.", hint="Give the file as it was issued."
            ) from error
        return found

    @classmethod
    def _of(cls, document: dict[str, Any]) -> Self:
        chain, block, signed, proof = (document[name] for name in ("chain", "block", "countersigned", "proof"))
        heads = tuple(SignedHead.of(each) for each in signed["heads"])
        if any(type(number) is not int for number in (chain["chain_id"], *(head.height for head in heads))):
            raise ValueError("a number is none")
        if not isinstance(document["says"], dict):
            raise ValueError("it says nothing")
        words = [ProvenWord(_number(document["word"], 32), all_unhexed(proof["word"]))]
        if document["filing"] is not None:
            words.append(ProvenWord(_number(document["filing"], 20), all_unhexed(proof["filing"])))
        return cls(
            LedgerDomain(chain["chain_id"], unhexed(chain["contract"])),
            unhexed(chain["genesis_hash"]),
            _number(document["parcel"], 32),
            Evidence(
                unhexed(block["header"]), unhexed(block["seal"]), all_unhexed(signed["later"]), heads,
                all_unhexed(proof["account"]), tuple(words),
            ),
            document["says"],
        )  # fmt: skip


def verify(certificate: Certificate, trust: Trust) -> None:
    """Establish, by signatures and hashes alone, what a certificate says.

    1. It is of the chain, contract and genesis block that the trust file names.
    2. The trusted sealer sealed the block.
    3. The later headers follow the block one by one, at most 256, up to the highest countersigned head.
    4. Each head is signed by the follower it names, for the block or a later one, no follower twice.
    5. As many trusted followers signed as the trust file asks for.
    6. The contract's account lies in the block's state.
    7. The status word lies in the contract's storage under the parcel's id, and is that of a parcel.
    8. So does the digest of its newest filing, if one was filed.
    9. What is said in clear is what block and words say.

    It does not establish what happened after the block, nor that what members declared is true.

    Raises:
        InvalidCertificate: one of these is not so; the subclass says which.
    """
    if (certificate.domain, certificate.genesis_hash) != (trust.domain, trust.genesis_hash):
        raise ForeignChain("The certificate is of another chain.", hint="Use the trust file of the chain it names.")
    block = certificate.block
    _check_seal(certificate, trust, block)
    _check_heads(certificate, trust, _linked(certificate, block))
    storage = _storage_root(certificate, block)
    _check_words(certificate, trust, storage)
    expected = said(block, certificate.word)
    if rfc8785.dumps(certificate.says) != rfc8785.dumps(expected):
        differ = [name for name in expected if certificate.says.get(name, ...) != expected[name]]
        raise SaysOtherwise(f"What it says differs from what is proven: {', '.join(differ) or 'a field'}.", hint=HINT)


def said(block: ShownBlock, status_word: int) -> dict[str, Any]:
    """Return what a block and a parcel's status word say, in clear."""
    parcel = Parcel(status_word)
    return {
        "height": block.height,
        "time": _time(block.time),
        "clearance": parcel.clearance,
        "decided_by": _decided_by(parcel.status),
        "status": [status.name for status in parcel.status],
        "findings": [finding.name for finding in parcel.findings],
        "generation": parcel.field("generation"),
        "opener": parcel.field("opener"),
        "office": parcel.field("office"),
        "filed_at": _time(parcel.field("first_filing")),
        "carried_in_at": _time(parcel.field("carried")),
    }


def _decided_by(status: Status) -> str | None:
    """Return who decided last; an officer's decision stands over the contract's."""
    if status & (Status.DECIDED | Status.RECALLED):
        return "officer"
    return "rule" if Status.AUTO in status else None


def _time(seconds: int) -> str | None:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat().replace("+00:00", "Z") if seconds else None


def _check_seal(certificate: Certificate, trust: Trust, block: ShownBlock) -> None:
    digest = trust.domain.seal_digest(trust.genesis_hash, block.height, block.hash)
    if _signer(digest, certificate.evidence.seal) != trust.sealer:
        raise NotSealed("The block is not sealed by the trusted sealer.", hint=HINT)


def _linked(certificate: Certificate, block: ShownBlock) -> list[ShownBlock]:
    """Return the block and the headers that follow it."""
    shown = certificate.evidence
    highest = max((head.height for head in shown.heads), default=block.height)
    if len(shown.later) > MOST_LATER or len(shown.later) != highest - block.height:
        raise NotLinked("The later headers do not end at the highest countersigned head.", hint=HINT)
    blocks = [block]
    for header in shown.later:
        following = ShownBlock.of(header)
        if (following.parent, following.height) != (blocks[-1].hash, blocks[-1].height + 1):
            raise NotLinked(f"A header does not follow block {blocks[-1].height}.", hint=HINT)
        blocks.append(following)
    return blocks


def _check_heads(certificate: Certificate, trust: Trust, blocks: list[ShownBlock]) -> None:
    first, heads = blocks[0].height, certificate.evidence.heads
    named = [head.follower for head in heads]
    if named != sorted(set(named)):
        raise WrongHead("The followers are not in order, or one stands twice.", hint=HINT)
    for head in heads:
        if head.height < first:
            raise WrongHead("A head lies below the block.", hint=HINT)
        digest = trust.domain.head_digest(trust.genesis_hash, head.height, blocks[head.height - first].hash)
        if _signer(digest, head.signature) != head.follower:
            raise WrongHead(f"The head at block {head.height} is not signed by the follower it names.", hint=HINT)
    count = len(set(named) & set(trust.followers))
    if count < trust.needed:
        raise TooFewHeads(
            f"{count} trusted followers countersigned, {trust.needed} must.", hint="Ask for a certificate again later."
        )


def _storage_root(certificate: Certificate, block: ShownBlock) -> bytes:
    try:
        account = proven(block.state_root, certificate.domain.contract, certificate.evidence.account)
    except BadProof as error:
        raise WrongAccount(error.detail, hint=HINT) from error
    if account is None:
        raise WrongAccount("The contract is not in the block's state.", hint=HINT)
    root: bytes = rlp.decode(account)[STORAGE_ROOT]
    return root


def _check_words(certificate: Certificate, trust: Trust, storage: bytes) -> None:
    shown = certificate.evidence.words
    kinds = (("words", WrongWord), ("filings", WrongFiling))
    for (name, fault), each in zip(kinds, shown, strict=False):
        slot = word(map_slot(name, certificate.parcel, trust.slots))
        try:
            value = proven(storage, slot, each.nodes)
        except BadProof as error:
            raise fault(error.detail, hint=HINT) from error
        if name == "words" and value is None and each.value == 0:
            raise UnknownParcel("There is no such parcel at this block.", hint="Check the parcel's id.")
        if each.value != (int.from_bytes(rlp.decode(value), "big") if value else 0):
            raise fault("The proof shows another value.", hint=HINT)
        if name == "words" and Status.PARCEL not in Parcel(each.value).status:
            raise UnknownParcel("What stands under this id is no parcel.", hint="Check the parcel's id.")
    if (Status.FILED in Parcel(certificate.word).status) != (certificate.filing is not None):
        raise WrongFiling("A filing is shown where there is none, or is left out.", hint=HINT)


def _number(text: Any, size: int) -> int:
    data = unhexed(text)
    if len(data) != size:
        raise ValueError("a word has another length")
    return int.from_bytes(data, "big")


def _signer(digest: bytes, signature: bytes) -> bytes:
    try:
        return recover(digest, signature)
    except BadSignature:
        return b""
