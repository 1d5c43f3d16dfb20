"""The one root of errors: a stable code for machines, a sentence for people, and what to do.

Those of the domain stand here, all others beside what raises them; `ERROR_TEXTS` names the codes of all. Why single
entries are rejected stands in `ledger.domain.rejections`.
"""

from __future__ import annotations

from typing import Final

from ledger.domain.findings import Sentence


class LedgerError(Exception):
    """A refusal that the caller can act on.

    Attributes:
        code: stable slug, the same for ever.
        detail: what is wrong, in English, without personal data.
        hint: what to do about it.
    """

    code = "ledger.error"

    def __init__(self, detail: str, *, hint: str = "") -> None:
        """Keep the sentence and the hint."""
        super().__init__(detail)
        self.detail = detail
        self.hint = hint

    def __str__(self) -> str:
        """Return one clear line."""
        return f"{self.code}: {self.detail}" + (f" {self.hint}" if self.hint else "")

    def as_dict(self) -> dict[str, str]:
        """Return the error for machines."""
        return {"code": self.code, "detail": self.detail, "hint": self.hint}


class InvalidIdentifier(LedgerError):
    """A text is no identifier of its kind. Its own code tells which kind."""

    code = "identifier.invalid"


class InvalidPCCC(InvalidIdentifier):
    """No 개인통관고유부호. The detail never repeats it: it names a person."""

    code = "identifier.pccc"


class InvalidS10(InvalidIdentifier):
    """No postal item identifier."""

    code = "identifier.s10"


class WrongS10Check(InvalidS10):
    """A postal item identifier whose check digit is wrong: a digit was misread."""

    code = "identifier.s10-check"


class InvalidMRN(InvalidIdentifier):
    """No manifest reference number (적하목록관리번호)."""

    code = "identifier.mrn"


class InvalidCargoNumber(InvalidIdentifier):
    """No 화물관리번호."""

    code = "identifier.cargo-number"


class InvalidListNumber(InvalidIdentifier):
    """No 통관목록번호."""

    code = "identifier.list-number"


class InvalidDeclarationNumber(InvalidIdentifier):
    """No 수입신고번호."""

    code = "identifier.declaration-number"


class InvalidHSCode(InvalidIdentifier):
    """No code of the Harmonized System."""

    code = "identifier.hs-code"


class InvalidCountryCode(InvalidIdentifier):
    """No country of ISO 3166-1."""

    code = "identifier.country"


class InvalidShedCode(InvalidIdentifier):
    """No 장치장부호."""

    code = "identifier.shed-code"


class InvalidOffice(InvalidIdentifier):
    """No 세관부호."""

    code = "identifier.office"


class InvalidMoney(LedgerError):
    """A text or number is no amount of its currency."""

    code = "money.invalid"


class UnknownCurrency(InvalidMoney):
    """A currency that is not in the table."""

    code = "money.currency"


ERROR_TEXTS: Final[dict[str, Sentence]] = {
    "audit.no-second-evm": Sentence("비교할 두 번째 EVM이 없습니다.", "There is no second EVM to compare with."),
    "batch.clock": Sentence("묶음을 싼 시각이 블록 시각과 맞지 않습니다.", "The batch was wrapped too long ago."),
    "batch.expired": Sentence("묶음의 유효 시각이 지났습니다.", "The batch has expired."),
    "batch.forwarded": Sentence(
        "다른 계약을 거친 묶음은 받지 않습니다.", "A batch is not taken through another contract."
    ),
    "batch.not-a-member": Sentence("회원의 열쇠가 아닙니다.", "The key belongs to no member."),
    "batch.refused": Sentence("묶음을 받을 수 없습니다.", "The batch is refused."),
    "batch.sequence": Sentence("묶음의 순번이 맞지 않습니다.", "The batch is out of sequence."),
    "batch.shape": Sentence("묶음의 형식이 잘못되었습니다.", "The batch is malformed."),
    "batch.signature": Sentence("묶음의 서명이 올바르지 않습니다.", "The signature of the batch is not valid."),
    "batch.stop-lane": Sentence("정지 줄에 쓸 수 없는 열쇠입니다.", "The key may not use the lane of stops."),
    "block.field": Sentence("블록 머리의 값이 규칙과 다릅니다.", "A header field differs from what it must be."),
    "block.future": Sentence("블록 시각이 아직 오지 않았습니다.", "The block lies in the future."),
    "block.invalid": Sentence("올바르지 않은 블록입니다.", "The block is not valid."),
    "block.malformed": Sentence("블록으로 읽을 수 없습니다.", "The bytes are no block."),
    "block.seal": Sentence("봉인이 봉인자의 서명이 아닙니다.", "The seal is not the sealer's."),
    "block.second": Sentence("같은 높이에 다른 블록이 왔습니다.", "A second block came for a known height."),
    "block.stops-first": Sentence("정지 기록이 블록의 앞에 있지 않습니다.", "A stop stands behind other transactions."),
    "block.transaction": Sentence("블록에 있을 수 없는 거래가 있습니다.", "A transaction may not stand in its block."),
    "block.unknown": Sentence("그런 블록이 없습니다.", "There is no such block here."),
    "genesis.invalid": Sentence("제네시스 파일을 쓸 수 없습니다.", "The genesis file cannot be used."),
    "home.unusable": Sentence("노드 폴더를 쓸 수 없습니다.", "The folder of the node cannot be used."),
    "identifier.cargo-number": Sentence("화물관리번호가 올바르지 않습니다.", "The cargo number is not valid."),
    "identifier.country": Sentence("국가부호가 올바르지 않습니다.", "The country code is not valid."),
    "identifier.declaration-number": Sentence(
        "수입신고번호가 올바르지 않습니다.", "The declaration number is not valid."
    ),
    "identifier.hs-code": Sentence("품목번호가 올바르지 않습니다.", "The HS code is not valid."),
    "identifier.invalid": Sentence("식별번호가 올바르지 않습니다.", "The identifier is not valid."),
    "identifier.list-number": Sentence("통관목록번호가 올바르지 않습니다.", "The list number is not valid."),
    "identifier.mrn": Sentence("적하목록관리번호가 올바르지 않습니다.", "The manifest number is not valid."),
    "identifier.office": Sentence("세관부호가 올바르지 않습니다.", "The customs office is not valid."),
    "identifier.pccc": Sentence(
        "개인통관고유부호가 올바르지 않습니다.", "The identity number for customs is not valid."
    ),
    "identifier.s10": Sentence("우편물번호가 올바르지 않습니다.", "The postal item identifier is not valid."),
    "identifier.s10-check": Sentence("우편물번호의 검증 숫자가 틀립니다.", "The check digit is wrong."),
    "identifier.shed-code": Sentence("장치장부호가 올바르지 않습니다.", "The shed code is not valid."),
    "key.bad-signature": Sentence("서명이 올바르지 않습니다.", "The signature is not valid."),
    "key.unusable": Sentence("열쇠를 쓸 수 없습니다.", "The key cannot be used."),
    "key.wrong-passphrase": Sentence("암호가 맞지 않습니다.", "The passphrase is wrong."),
    "ledger.error": Sentence("처리할 수 없습니다.", "This cannot be done."),
    "money.currency": Sentence("알 수 없는 통화입니다.", "The currency is unknown."),
    "money.invalid": Sentence("금액이 올바르지 않습니다.", "The amount is not valid."),
    "node.stopped": Sentence("노드가 멈추었습니다.", "The node has stopped."),
    "node.unreachable": Sentence("노드가 응답하지 않습니다.", "The node does not answer."),
    "payload.not-for-you": Sentence("이 열쇠로는 열 수 없는 내용입니다.", "The payload was not sealed to this key."),
    "payload.unusable": Sentence("내용을 봉하거나 열 수 없습니다.", "The payload cannot be sealed or opened."),
    "pool.full": Sentence("대기열이 가득 찼습니다.", "The queue is full for now."),
    "port.taken": Sentence("다른 프로그램이 그 포트를 쓰고 있습니다.", "Another process listens on the port."),
    "rpc.parameters": Sentence("호출 인자가 잘못되었습니다.", "The parameters of the call are wrong."),
    "rpc.reverted": Sentence("계약이 호출을 되돌렸습니다.", "The contract reverted the call."),
    "sealer.wrong-key": Sentence("봉인자의 열쇠가 아닙니다.", "The key is not the sealer's."),
    "store.corrupt": Sentence("저장소가 손상되었습니다.", "The files of the store are damaged."),
    "store.foreign-chain": Sentence("다른 체인의 저장소입니다.", "The store belongs to another chain."),
    "store.full": Sentence("디스크가 가득 찼습니다.", "The disk is full."),
    "store.locked": Sentence("다른 프로그램이 저장소를 쓰고 있습니다.", "Another process has the store open."),
    "store.missing": Sentence("저장소가 없습니다.", "There is no store."),
    "store.unusable": Sentence("저장소를 쓸 수 없습니다.", "The store cannot be used."),
    "store.version": Sentence("다른 판이 쓴 저장소입니다.", "Another version wrote the store."),
    "transaction.invalid": Sentence("올바르지 않은 거래입니다.", "The transaction is not valid."),
    "unipass.forbidden": Sentence("UNI-PASS 응답에 금지된 XML 선언이 있습니다.", "The XML declares what it may not."),
    "unipass.incomplete": Sentence("UNI-PASS 응답이 온전하지 않습니다.", "The UNI-PASS answer is not whole."),
    "unipass.refused": Sentence("UNI-PASS가 오류로 답했습니다.", "UNI-PASS answered with an error."),
    "unipass.too-large": Sentence("UNI-PASS 응답이 너무 큽니다.", "The UNI-PASS answer is too large."),
    "unipass.unreadable": Sentence("UNI-PASS 응답을 읽을 수 없습니다.", "The UNI-PASS answer cannot be read."),
}
"""Title of every stable code in the two languages of the service."""
