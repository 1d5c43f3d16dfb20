"""Load the committed artefact of the contract."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True)
class Artifact:
    """What the contract compiled to."""

    abi: tuple[dict[str, Any], ...]
    bytecode: bytes
    """Creation code, without constructor arguments."""
    runtime: bytes
    """Runtime code before immutables are filled in."""
    slots: dict[str, int]
    """Storage slot of every state variable, by name."""
    compiler: str


@cache
def load_artifact() -> Artifact:
    """Return the artefact that `contracts/build` holds."""
    document = json.loads(files("contracts").joinpath("build/ClearanceLedger.json").read_text())
    return Artifact(
        abi=tuple(document["abi"]),
        bytecode=bytes.fromhex(document["bytecode"][2:]),
        runtime=bytes.fromhex(document["bytecode_runtime"][2:]),
        slots=document["slots"],
        compiler=document["compiler"],
    )
