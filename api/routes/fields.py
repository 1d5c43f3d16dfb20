"""Types of fields that many routes take: bytes as 0x hex, 64-bit numbers as numbers or decimal strings."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema


def _hex(length: int | None, name: str, example: str) -> Any:
    pattern = re.compile(r"0x(?:[0-9a-fA-F]{2})*")

    def read(value: object) -> bytes:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise ValueError(f"{name} is 0x and an even number of hex digits")
        data = bytes.fromhex(value[2:])
        if length is not None and len(data) != length:
            raise ValueError(f"{name} has {length} bytes, not {len(data)}")
        return data

    digits = "*" if length is None else f"{{{2 * length}}}"
    schema = {"type": "string", "pattern": f"^0x[0-9a-fA-F]{digits}$", "examples": [example]}
    return Annotated[bytes, BeforeValidator(read), WithJsonSchema(schema)]


def _unsigned(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("a number from 0 to 2^64 - 1, or its decimal digits as a string")
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{1,20}", value):
        raise ValueError("decimal digits only")
    number = int(value)
    if not 0 <= number < 1 << 64:
        raise ValueError("a number from 0 to 2^64 - 1")
    return number


Address = _hex(20, "an address", "0x" + "ab" * 20)
Hash = _hex(32, "a hash", "0x" + "cd" * 32)
Signature = _hex(65, "a signature", "0x" + "ef" * 64 + "1b")
Data = _hex(None, "data", "0x00")
Unsigned64 = Annotated[
    int,
    BeforeValidator(_unsigned),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": (1 << 53) - 1},
                {"type": "string", "pattern": "^[0-9]{1,20}$"},
            ],
            "description": "A 64-bit number; above 2^53 write it as a string, JSON readers round it otherwise.",
            "examples": ["1"],
        }
    ),
]
