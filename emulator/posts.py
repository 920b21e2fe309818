"""Result commands other than tables (`post/*`): what they ask for, and answers without numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gennx.emulator import result_tables
from gennx.emulator.document import Document
from gennx.emulator.files import FilesFull
from gennx.emulator.replies import NO_RESULTS, Reply, complete, failure, nothing
from gennx.emulator.rules import Rules
from gennx.schemas import Tool

BAD_PATH = "path is wrong"
NODAL = ["Node", "Load", "Time/Step", "Dx", "Dy", "Dz", "Rx", "Ry", "Rz"]
BEAM = ["Elem", "Load", "Time/Step", "Part", "Axial", "Shear-y", "Shear-z", "Torsion", "Moment-y", "Moment-z"]
TEXT_HEADS = {"TH_DISP": NODAL, "TH_VELOCITY": NODAL, "TH_ACCEL": NODAL, "TH_BEAMFORCE": BEAM}


def answer(document: Document, rules: Rules, tool: Tool, arguments: Any, strict: bool) -> Reply:
    """One result command, its arguments already accepted."""
    name = tool.endpoint.uri.partition("/")[2]
    argument = arguments.get("Argument")
    argument = argument if isinstance(argument, dict) else {}
    try:
        match name:
            case "TABLE":
                return result_tables.answer(document, rules, argument, strict)
            case "PM":
                return _interaction(document)
            case "TEXT":
                return _text(document, argument)
            case "ANL":
                return _listing(document, argument)
            case _:
                return nothing()
    except FilesFull:
        return failure(BAD_PATH)


def _interaction(document: Document) -> Reply:
    if document.results is None:
        return failure("Please Check Analysis")
    return nothing() if document.store.rows("db/DCON") else failure("Please Check RC Design Code")


def _text(document: Document, argument: Mapping[str, Any]) -> Reply:
    """Time history and pushover output: the documented head, no data."""
    kind = str(argument.get("TEXT_TYPE") or "")
    if not kind:
        return failure("Text Type is necessary")
    if document.results is None:
        return failure(f"[{kind}] {NO_RESULTS}")
    head = TEXT_HEADS.get(kind) or [c for c in argument.get("COMPONENTS") or () if isinstance(c, str)]
    unit = {**document.unit, **result_tables.unit_of(argument)}
    return Reply(200, {kind: {"FORCE": unit["FORCE"], "DIST": unit["DIST"], "HEAD": ["Index", *head], "DATA": []}})


def _listing(document: Document, argument: Mapping[str, Any]) -> Reply:
    """`post/ANL` writes a file on the program's machine; here it is empty of results."""
    if document.results is None:
        return failure(" Please perform analysis.")
    path = argument.get("EXPORT_PATH")
    if isinstance(path, str) and path.strip():
        document.files.write(path, b"analysis listing of the emulator: no results\n")
    return complete()
