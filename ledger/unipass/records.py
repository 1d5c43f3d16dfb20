"""Reads flat XML (a root, its fields, and records of fields) within bounds, with no document type and no entities.

The standard library's expat does the parsing. Nothing is kept beyond one record's fields while it is read, so that a
hostile answer costs no more memory than an honest one of its size.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NoReturn
from xml.parsers import expat

from ledger.unipass.errors import ProgressFault, ProgressForbidden, ProgressTooLarge

MAX_BYTES: Final = 16 << 20
MAX_RECORDS: Final = 10_000
MAX_FIELDS: Final = 128
"""Fields of one record; real ones have 38 at most."""
MAX_TEXT: Final = 16_384
"""Characters of one field."""
RESEND: Final = "Give the answer as the service sent it."
_RECORD_DEPTH: Final = 2
_FIELD_DEPTH: Final = 3


@dataclass(slots=True)
class Records:
    """What stands under the root.

    Attributes:
        fields: texts directly under the root.
        groups: records by their tag, in the order of the file.
    """

    fields: dict[str, str] = field(default_factory=dict)
    groups: dict[str, list[dict[str, str]]] = field(default_factory=dict)


class _Reader:
    """Handlers of one expat run."""

    def __init__(self, root: str) -> None:
        self.read = Records()
        self._root = root
        self._path: list[str] = []
        self._record: dict[str, str] = {}
        self._records = 0
        self._text: list[str] = []
        self._length = 0
        self._nested = False

    def start(self, name: str, _: dict[str, str]) -> None:
        self._path.append(name)
        depth = len(self._path)
        if depth == 1 and name != self._root:
            raise ProgressFault(
                f"Not the answer that is expected: <{name[:40]}>.", hint=f"Only <{self._root}> is read here."
            )
        if depth > _FIELD_DEPTH:
            raise ProgressFault("Elements are nested deeper than in any answer.", hint=RESEND)
        if depth == _RECORD_DEPTH:
            self._record, self._nested = {}, False
        elif depth == _FIELD_DEPTH:
            self._nested = True
        self._text, self._length = [], 0

    def text(self, characters: str) -> None:
        self._length += len(characters)
        if self._length > MAX_TEXT:
            raise ProgressTooLarge(f"A field has more than {MAX_TEXT} characters.", hint=RESEND)
        self._text.append(characters)

    def end(self, name: str) -> None:
        depth = len(self._path)
        if depth == _FIELD_DEPTH:
            self._put(self._record, name)
        elif depth == _RECORD_DEPTH and self._nested:
            self._records += 1
            if self._records > MAX_RECORDS:
                raise ProgressTooLarge(f"More than {MAX_RECORDS} rows.", hint="Ask for fewer cargos at once.")
            self.read.groups.setdefault(name, []).append(self._record)
        elif depth == _RECORD_DEPTH:
            self._put(self.read.fields, name)
        self._path.pop()
        self._text, self._length = [], 0

    def _put(self, into: dict[str, str], name: str) -> None:
        if name in into:
            raise ProgressFault(f"<{name[:40]}> stands twice.", hint=RESEND)
        if len(into) == MAX_FIELDS:
            raise ProgressTooLarge(f"More than {MAX_FIELDS} fields in one record.", hint=RESEND)
        into[name] = "".join(self._text).strip()


def _forbid(*_: object) -> NoReturn:
    raise ProgressForbidden("The answer declares a document type or entities.", hint="Take it from the service itself.")


def read_records(data: bytes, root: str) -> Records:
    """Read an XML document.

    Args:
        data: the document, at most `MAX_BYTES`.
        root: tag of its root.

    Raises:
        ProgressTooLarge: it is larger than the bounds.
        ProgressForbidden: it declares a document type or entities.
        ProgressFault: it is no such XML.
    """
    if len(data) > MAX_BYTES:
        raise ProgressTooLarge(f"More than {MAX_BYTES} bytes.", hint="Ask for fewer cargos at once.")
    reader = _Reader(root)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _forbid
    parser.EntityDeclHandler = _forbid
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # the last two: encodings that expat cannot read
        raise ProgressFault(f"No XML: {error}.", hint=RESEND) from error
    return reader.read
