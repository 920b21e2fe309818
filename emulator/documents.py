"""Document commands: new, open, save, import, export, close, analyse, exit (`doc/*`)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import orjson

from gennx.emulator.analysis import analyse
from gennx.emulator.document import Document
from gennx.emulator.files import FilesFull
from gennx.emulator.records import prepared, usable
from gennx.emulator.replies import NOT_OPENED, WRONG_FIELD, Reply, complete, failure, nothing
from gennx.emulator.rules import Rules
from gennx.emulator.store import Record, Store
from gennx.schemas import Tool

BAD_PATH = "path is wrong"
LONGEST_PATH = 1024
NEEDS_PATH = frozenset({"OPEN", "SAVEAS", "IMPORT", "EXPORT", "IMPORTMXT", "EXPORTMXT", "EXPORT/{NAME}"})


def answer(document: Document, rules: Rules, tool: Tool, arguments: Any, strict: bool) -> Reply:
    """One document command."""
    name = tool.endpoint.uri.partition("/")[2]
    argument = arguments.get("Argument") if isinstance(arguments, dict) else None
    if name in NEEDS_PATH and not _path(argument):
        return failure(WRONG_FIELD)
    if not document.opened and name not in ("NEW", "OPEN", "CLOSE", "EXIT"):
        return failure(NOT_OPENED)
    try:
        return _run(document, rules, name, argument, arguments)
    except FilesFull:
        return failure(BAD_PATH)


def _run(document: Document, rules: Rules, name: str, argument: Any, arguments: Any) -> Reply:
    match name:
        case "NEW":
            document.blank()
        case "CLOSE":
            document.replace(Store(), "")
            document.opened = False
        case "EXIT":
            document.opened = document.running = False
        case "ANAL":
            return analyse(document, argument)
        case "SAVE":
            if document.path:
                save(document, document.path)
        case "SAVEAS":
            save(document, argument)
            document.path = argument
        case "OPEN":
            return _open(document, rules, argument)
        case "IMPORT" | "IMPORTMXT":
            return _import(document, rules, argument)
        case "EXPORT" | "EXPORTMXT":
            save(document, argument)
        case _:
            return _export_one(document, argument, arguments)
    return complete()


def _path(argument: Any) -> bool:
    return isinstance(argument, str) and bool(argument.strip()) and len(argument) <= LONGEST_PATH


def exported(tables: Mapping[str, Mapping[str, Record]]) -> dict[str, Any]:
    """Tables as the JSON of `doc/EXPORT`: by table name, empty ones left out."""
    return {uri.removeprefix("db/").upper(): dict(rows) for uri, rows in tables.items() if rows}


def save(document: Document, path: str) -> None:
    """Write the document to a file. Raises FilesFull."""
    document.files.write(path, orjson.dumps(exported(document.store.freeze())))


def load(rules: Rules, content: bytes) -> dict[str, dict[str, Record]] | None:
    """Tables of a saved or exported file, by address; None when it is not one."""
    try:
        whole = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(whole, dict):
        return None
    by_name: dict[str, str] = {e.table: e.uri for e in rules.catalogue if e.is_table}
    tables: dict[str, dict[str, Record]] = {}
    for name, rows in whole.items():
        uri = by_name.get(name.upper()) or name
        if isinstance(rows, dict):
            kept = {k: v for k, v in rows.items() if usable(k) and isinstance(v, dict)}
            tables[uri] = kept
    return tables


def _open(document: Document, rules: Rules, path: str) -> Reply:
    content = document.files.read(path)
    tables = load(rules, content) if content is not None else None
    if tables is None:
        return failure(BAD_PATH)
    document.replace(Store(tables), path)
    return complete()


def _import(document: Document, rules: Rules, path: str) -> Reply:
    """Merge a file into the open document: its records are added, or replace their namesakes."""
    content = document.files.read(path)
    tables = load(rules, content) if content is not None else None
    if tables is None:
        return failure(BAD_PATH)
    for uri, rows in tables.items():
        own = rules.at(uri)
        table = document.store.writable(uri)
        document.touched(uri)
        for key, record in rows.items():
            table[key] = prepared(own, key, record) if own is not None else record
    return complete()


def _export_one(document: Document, path: str, arguments: Any) -> Reply:
    """`doc/EXPORT/{NAME}`: one table."""
    ids = arguments.get("ids") or [""]
    name = str(ids[0]).upper()
    rows = next((r for u, r in document.store.freeze().items() if u.removeprefix("db/").upper() == name), {})
    if not rows:
        return nothing()
    document.files.write(path, orjson.dumps({name: rows}))
    return complete()
