"""POST, PUT, GET and DELETE on tables (`db/*`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gennx.emulator.cascades import delete_rows
from gennx.emulator.document import Document
from gennx.emulator.references import Mention, key_mention, mentions
from gennx.emulator.replies import KEY_EXISTS, WRONG_FIELD, WRONG_NAME, Reply, failure, nothing
from gennx.emulator.rules import EndpointRules, Rules
from gennx.emulator.store import Record
from gennx.emulator.units import Change
from gennx.emulator.upkeep import RENUMBERED, numbered, refusal, serial_items, tend, updated
from gennx.emulator.values import clone
from gennx.schemas import Endpoint, Tool

LARGEST_KEY = 2**31 - 1
CREATED = 201
# Named things that live servers look up at write time; others may name what does not exist.
LIVE_NAMES = frozenset(
    f"db/{name}" for name in ["STLD", "BNGR", "LDGR", "GSTP", "FBLD", "TDMT", "TDME", "SPFC", "NLLP", "IEHP", "MADO"]
)  # fmt: skip
# Tables in which a live server stores nothing, without an error, under a key whose owner is missing.
SILENT = frozenset({"db/SECF", "db/CNLD", "db/BMLD"})
MASS_WARNING = "[Warning] DTO_NMAS.999999 The command is ignored because the specified node does not exist in the model"
UNIQUE = ("db/STLD", "db/LCOM-")
GUARD = (
    "DELETE /{uri} without record numbers would empty the whole table; name them, as in DELETE /{uri}/1,2 "
    "(the emulator does empty it when started with --faithful)"
)


def answer(document: Document, rules: Rules, tool: Tool, arguments: Any, strict: bool) -> Reply:
    """One call on a table of the catalogue."""
    if tool.method == "GET":
        return read(document, tool.endpoint, arguments)
    if tool.method == "DELETE":
        return delete(document, rules, tool.endpoint, arguments)
    return write(document, rules, tool, arguments, strict)


def usable(key: Any) -> bool:
    """True for a record key as the server has them: a positive 32-bit number in plain digits."""
    return (
        isinstance(key, str)
        and key.isascii()
        and key.isdigit()
        and key[0] != "0"
        and len(key) <= 10
        and int(key) <= LARGEST_KEY
    )


def read(document: Document, endpoint: Endpoint, arguments: Any) -> Reply:
    """The table, or the named records that exist."""
    rows = document.store.rows(endpoint.uri)
    ids = _ids(arguments)
    if ids is None:
        return failure(WRONG_FIELD)
    found = {k: rows[k] for k in ids if k in rows} if ids else rows
    return Reply(200, {endpoint.table: clone(dict(found))}) if found else nothing()


def delete(document: Document, rules: Rules, endpoint: Endpoint, arguments: Any) -> Reply:
    """Remove the named records and what cannot stand without them; answers with the records removed."""
    ids = _ids(arguments)
    if ids is None:
        return failure(WRONG_FIELD)
    if not ids and not document.faithful:
        return failure(GUARD.format(uri=endpoint.uri), 400)
    rows = document.store.rows(endpoint.uri)
    gone = {k: rows[k] for k in (ids or list(rows)) if k in rows}
    if not gone:
        return nothing()
    delete_rows(document, rules, endpoint.uri, gone)
    return Reply(200, {endpoint.table: clone(gone)})


def _ids(arguments: Any) -> list[str] | None:
    """Record keys of a GET or DELETE, None when they are no list of numbers."""
    ids = arguments.get("ids", []) if isinstance(arguments, dict) else None
    if not isinstance(ids, list):
        return None
    keys = [str(i) if isinstance(i, int) and not isinstance(i, bool) else i for i in ids]
    return keys if all(usable(k) for k in keys) else None


def write(document: Document, rules: Rules, tool: Tool, arguments: Any, strict: bool) -> Reply:
    """POST or PUT. All records of a call are stored, or none."""
    status = CREATED if tool.method == "POST" else 200
    assign = arguments.get("Assign") if isinstance(arguments, dict) else None
    if not isinstance(assign, dict) or not assign:
        return failure(WRONG_FIELD, status)
    endpoint, own = tool.endpoint, rules.of(tool.endpoint)
    if not all(usable(k) for k in assign) or (endpoint.single and set(assign) != {"1"}):
        return failure(WRONG_FIELD, status)
    for record in assign.values():
        text = refusal(endpoint.uri, record, strict) if isinstance(record, dict) else WRONG_FIELD
        if text is not None:
            return failure(text, status)
    records = assign if strict and rules.valid(tool, arguments) else None if strict else _accepted(own, assign, tool)
    if records is None:
        return failure(WRONG_FIELD, status)
    check = _check_new if tool.method == "POST" else _check_update
    text = check(document, own, records, strict) or _check_references(document, rules, own, records, strict)
    if text is not None:
        return failure(text, status)
    kept = records if strict else _owned(document, own, records)
    if not kept:
        return Reply(status, {"message": MASS_WARNING if endpoint.uri == "db/NMAS" else ""})
    _store(document, rules, own, kept, tool.method)
    return Reply(status, {endpoint.table: clone(assign)})


def _accepted(own: EndpointRules, assign: Mapping[str, Any], tool: Tool) -> dict[str, Any] | None:
    """The records as a live server reads them, None when one of them is refused."""
    out = {}
    for key, record in assign.items():
        if not own.accepts(record, tool.method):
            record = own.respelled(record)
            if not own.accepts(record, tool.method):
                return None
        out[key] = record
    return out


def _check_new(document: Document, own: EndpointRules, records: Mapping[str, Any], strict: bool) -> str | None:
    """Refusal of a POST that meets what is there already."""
    uri = own.endpoint.uri
    rows = document.store.rows(uri)
    if uri not in RENUMBERED and any(rows.get(k) for k in records):  # the blank db/PJCF row {} counts as unset
        return KEY_EXISTS
    if uri.startswith(UNIQUE):
        names = [r.get("NAME") for r in records.values()]
        known = {r.get("NAME") for r in rows.values()}
        for index, name in enumerate(names):
            if name in known or name in names[:index]:
                return f"{own.endpoint.en} {name} already exists."
    return None


def _check_update(document: Document, own: EndpointRules, records: Mapping[str, Any], strict: bool) -> str | None:
    """Refusal of a PUT: in strict mode of a record that is not there, else of one too incomplete to be created."""
    endpoint = own.endpoint
    rows = document.store.rows(endpoint.uri)
    for key, record in records.items():
        if key in rows:
            continue
        if strict and not endpoint.single and "POST" in endpoint.methods:
            return f"{endpoint.en} {key} does not exist."
        if not strict and not own.accepts(record, "POST"):
            return WRONG_FIELD
    return None


def _check_references(
    document: Document, rules: Rules, own: EndpointRules, records: Mapping[str, Any], strict: bool
) -> str | None:
    """Refusal because of a name (live) or of anything at all (strict) that does not exist."""
    for key, record in records.items():
        found: Iterable[Mention] = mentions(own.spot, record)
        if strict and own.key_owner is not None:
            found = [key_mention(own.key_owner, key), *found]
        for mention in found:
            if not strict and (not mention.target.field or mention.target.table not in LIVE_NAMES):
                continue
            if not mention.resolves(document.store) and not _within(mention, own, records):
                return missing(rules, mention) if strict else WRONG_NAME
    return None


def _within(mention: Mention, own: EndpointRules, records: Mapping[str, Any]) -> bool:
    """True when the call itself brings what a record of it refers to."""
    if mention.target.table != own.endpoint.uri:
        return False
    return mention.among(records)


def missing(rules: Rules, mention: Mention) -> str:
    """Text for a reference that leads nowhere, in the form live servers use for elements and sections."""
    endpoint = rules.catalogue.endpoints.get(mention.target.table)
    name = endpoint.en if endpoint is not None else mention.target.table
    return f"{name} {mention.value} does not exist."


def _owned(document: Document, own: EndpointRules, records: Mapping[str, Any]) -> dict[str, Any]:
    """Live servers drop some records silently when the node, element or section of their key is missing."""
    uri = own.endpoint.uri
    if own.key_owner is None or (uri not in SILENT and uri != "db/NMAS"):
        return dict(records)
    owners = document.store.rows(own.key_owner.table)
    return {k: r for k, r in records.items() if k in owners}


def _store(document: Document, rules: Rules, own: EndpointRules, records: Mapping[str, Any], method: str) -> None:
    uri = own.endpoint.uri
    document.touched(uri)
    if uri == "db/UNIT":
        return change_unit(document, rules, records["1"])
    table = document.store.writable(uri)
    renumber = method == "POST" and uri in RENUMBERED
    for key, record in records.items():
        place = str(document.next_key(uri)) if renumber else key
        old = table.get(place)
        table[place] = prepared(own, place, record, old)


def prepared(own: EndpointRules, key: str, record: Record, old: Record | None = None) -> Record:
    """The row to store for a record as sent: read-only fields dropped, merged into the old row, defaults filled."""
    uri = own.endpoint.uri
    sent = {k: v for k, v in record.items() if k not in own.read_only} if own.read_only else record
    row: Record = clone(sent) if old is None else updated(uri, old, sent, own.has_items)
    if own.has_items:
        serial_items(row)
    if own.filler is not None:
        own.filler(row)
    if numbered(uri):
        row["NO"] = int(key)
    tend(uri, row)
    return row


def change_unit(document: Document, rules: Rules, wanted: Record) -> None:
    """Set the unit row and carry every record over to it; results are kept, they know their own unit."""
    old = document.unit
    new = {**old, **wanted}
    document.store.writable("db/UNIT")["1"] = new
    change = Change(old, new)
    if not change:
        return
    for uri in list(document.store.uris()):
        endpoint = rules.catalogue.endpoints.get(uri)
        if endpoint is None or uri == "db/UNIT":
            continue
        table = document.store.writable(uri)
        for key, record in table.items():
            table[key] = change.record(endpoint.schema, record)
