"""Compile the contracts, or check that the committed artefact is what they compile to.

The only importer of Vyper. `python -m contracts.build` writes `src/table.vy` and `build/ClearanceLedger.json`;
`--check` compares both byte for byte and exits 1 on a difference.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any, Final

from contracts.table import render

HERE: Final = Path(__file__).parent
SOURCES: Final = HERE / "src"
ARTIFACT: Final = HERE / "build" / "ClearanceLedger.json"
SIZE_LIMIT: Final = 24_576
"""Largest runtime code, bytes (EIP-170). Split the contract, never raise it."""


def compile_contracts(folder: Path = SOURCES) -> dict[str, Any]:
    """Compile a folder's `ClearanceLedger.vy` and return the artefact as a JSON object."""
    from vyper import __version__ as version
    from vyper.compiler import compile_from_file_input
    from vyper.compiler.input_bundle import FilesystemInputBundle
    from vyper.compiler.settings import OptimizationLevel, Settings

    bundle = FilesystemInputBundle([folder])
    file = bundle.load_file(Path("ClearanceLedger.vy"))
    output = compile_from_file_input(
        file,
        input_bundle=bundle,
        settings=Settings(evm_version="cancun", optimize=OptimizationLevel.GAS),
        output_formats=["abi", "bytecode", "bytecode_runtime", "layout"],
    )
    runtime = bytes.fromhex(output["bytecode_runtime"][2:])
    sources = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.vy"))}
    return {
        "contract": "ClearanceLedger",
        "compiler": f"vyper {version}",
        "evm_version": "cancun",
        "optimize": "gas",
        "sources_sha256": sources,
        "runtime_size": len(runtime),
        "slots": {
            name: place["slot"]
            for module in output["layout"]["storage_layout"].values()
            if isinstance(module, dict)
            for name, place in module.items()
            if isinstance(place, dict)
        },
        "abi": output["abi"],
        "bytecode": output["bytecode"],
        "bytecode_runtime": output["bytecode_runtime"],
    }


def main() -> int:
    """Write or check the artefact; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with what is committed, write nothing")
    check = parser.parse_args().check
    table = SOURCES / "table.vy"
    if not check:
        table.write_text(render())
    elif table.read_text() != render():
        print("contracts/src/table.vy differs from the tables: run python -m contracts.build", file=sys.stderr)
        return 1
    artifact = compile_contracts()
    if artifact["runtime_size"] >= SIZE_LIMIT:
        print(f"runtime code has {artifact['runtime_size']} bytes, limit {SIZE_LIMIT}", file=sys.stderr)
        return 1
    text = json.dumps(artifact, indent=1) + "\n"
    if not check:
        ARTIFACT.write_text(text)
    elif ARTIFACT.read_text() != text:
        print(
            "contracts/build differs from what the sources compile to: run python -m contracts.build", file=sys.stderr
        )
        return 1
    print(f"ClearanceLedger: {artifact['runtime_size']} of {SIZE_LIMIT} bytes of runtime code")
    return 0


if __name__ == "__main__":
    sys.exit(main())
