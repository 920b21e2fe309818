"""The leaves of a call's arguments, each with its place, its value and what the catalogue knows of its field."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gennx.generators.conditions import Schema
from gennx.schemas.catalogue import ANNOTATION, Tool

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value. `place` is its way from the arguments' root, `field` its dotted path within the record or body
    (array levels left out), `row` which of the alike rows (records, items) it belongs to. An array of plain values
    is one leaf."""

    place: Place
    field: str
    value: Any
    note: Schema
    parents: tuple[Schema, ...]
    kind: str  # boolean, enum, number, string, list, empty, key

    def name(self, lang: str) -> str:
        return str(self.note.get(lang) or self.field.rsplit(".", 1)[-1])


def inner_schema(schema: Schema) -> Schema:
    """Below any array levels."""
    while isinstance(schema.get("items"), dict):
        schema = schema["items"]
    return schema


def walk(value: Any, schema: Schema, place: Place, field: str, parents: tuple[Schema, ...] = ()) -> Iterator[Leaf]:
    """Leaves of a record or body, in the order of the schema."""
    note = schema.get(ANNOTATION, {})
    if isinstance(value, dict):
        if not value:
            yield Leaf(place, field, value, note, parents, "empty")
        known = schema.get("properties", {})
        rest = schema.get("additionalProperties")
        below = (*parents, note) if field else parents
        for key, inner in value.items():
            sub = known.get(key)
            full = f"{field}.{key}" if field else key
            if sub is None:
                sub = rest if isinstance(rest, dict) else {}
                full = f"{field}.*" if field else "*"
                if not sub.get(ANNOTATION):
                    sub = {**sub, ANNOTATION: note}
            yield from walk(inner, sub, (*place, key), full, below)
    elif isinstance(value, list) and value and isinstance(value[0], (dict, list)):
        for index, inner in enumerate(value):
            yield from walk(inner, {ANNOTATION: note, **schema.get("items", {})}, (*place, index), field, parents)
    elif isinstance(value, list):
        base = inner_schema(schema)
        yield Leaf(place, field, value, {**note, "members": base.get(ANNOTATION, note)}, parents, "list")
    elif isinstance(value, bool):
        yield Leaf(place, field, value, note, parents, "boolean")
    elif note.get("enum"):
        yield Leaf(place, field, value, note, parents, "enum")
    else:
        yield Leaf(place, field, value, note, parents, "string" if isinstance(value, str) else "number")


def call_leaves(tool: Tool, arguments: dict[str, Any]) -> list[Leaf]:
    """All leaves of a call, record keys and ids among them (kind `key`)."""
    endpoint = tool.endpoint
    out: list[Leaf] = []
    key_note: Schema = {"kind": endpoint.key or "serial", "ko": "번호", "en": "number"}
    if "ids" in arguments:
        out += [Leaf(("ids", i), "ids", v, key_note, (), "key") for i, v in enumerate(arguments["ids"])]
    for record_key, record in arguments.get("Assign", {}).items():
        out.append(Leaf(("Assign", record_key), "key", int(record_key), key_note, (), "key"))
        out += walk(record, endpoint.schema, ("Assign", record_key), "")
    if not endpoint.is_table:
        body = {k: v for k, v in arguments.items() if k != "ids"}
        if body:
            out += walk(body, endpoint.schema, (), "")
    return out
