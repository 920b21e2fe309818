"""The leaves of a call's arguments, each with its place, its value and what the catalogue knows of its field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from gennx.generators.conditions import Schema
from gennx.schemas.catalogue import ANNOTATION, Tool

Place = tuple[str | int, ...]
NUMBERED = frozenset({
    "node_id", "element_id", "material_id", "section_id", "thickness_id", "wall_id", "member_id", "stage_id", "story_id",
    "record_id", "serial",
})  # fmt: skip


def is_numbered(field: str, note: Schema) -> bool:
    """True for fields that hold numbers of things: nodes, elements, records, targets of a table."""
    kind = note.get("kind")
    return kind in NUMBERED or kind == "id_range" or (kind == "index" and field.endswith("KEYS"))


@dataclass(slots=True)
class Leaf:
    """One value. `place` is its way from the arguments' root, `field` its dotted path within the record or body
    (array levels left out). An array of plain values is one leaf; record keys and ids are leaves of kind `key`."""

    place: Place
    field: str
    value: Any
    note: Schema
    default: Any
    kind: str  # key, boolean, enum, number, string, list, empty
    holder: Any = None
    """The object that holds the leaf."""
    optional: bool = False
    slot: bool = False
    """In an array of fixed length, whose unsaid members hold their defaults."""

    def name(self, lang: str) -> str:
        return str(self.note.get(lang) or self.field.rsplit(".", 1)[-1])


_NO_DEFAULT = object()


def inner_schema(schema: Schema) -> Schema:
    """Below any array levels."""
    while isinstance(schema.get("items"), dict):
        schema = schema["items"]
    return schema


def _kind(value: Any, note: Schema) -> str:
    if isinstance(value, list):
        return "list"
    if note.get("enum"):
        return "enum"
    if isinstance(value, bool):
        return "boolean"
    return "string" if isinstance(value, str) else "number"


def walk(record: Any, schema: Schema, place: Place = ()) -> list[Leaf]:
    """Leaves of a record or body, in the order of the value."""
    out: list[Leaf] = []
    _walk(out, record, schema, place, "", None, None, False, False)
    return out


def _walk(
    out: list[Leaf], value: Any, schema: Schema, place: Place, field: str, note: Schema | None, holder: Any, optional: bool, slot: bool
) -> None:  # fmt: skip
    note = schema.get(ANNOTATION) or note or {}
    if isinstance(value, dict):
        if not value and field:
            out.append(
                Leaf(place, field, value, note, schema.get("default", _NO_DEFAULT), "empty", holder, optional, slot)
            )
        known = schema.get("properties", {})
        rest = schema.get("additionalProperties")
        required = schema.get("required", ())
        for key, inner in value.items():
            sub, full = known.get(key), f"{field}.{key}" if field else key
            own = sub is not None
            if sub is None:
                sub, full = rest if isinstance(rest, dict) else {}, f"{field}.*" if field else "*"
            free = own and not slot and key not in required
            _walk(out, inner, sub, (*place, key), full, None if own else note, value, free, slot)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        slot = slot or (schema.get("minItems", 0) == schema.get("maxItems") and len(value) > 1)
        items = schema.get("items", {})
        for index, inner in enumerate(value):
            _walk(out, inner, items, (*place, index), field, note, value, False, slot)
    else:
        default = schema.get("default", _NO_DEFAULT)
        out.append(Leaf(place, field, value, note, default, _kind(value, note), holder, optional, slot))


def elements(leaf: Leaf) -> list[Leaf]:
    """The members of a plain array as leaves of their own."""
    out: list[Leaf] = []
    for index, value in enumerate(leaf.value):
        inner = Leaf(
            (*leaf.place, index), leaf.field, value, leaf.note, _NO_DEFAULT, _kind(value, leaf.note), leaf.holder
        )
        out.extend(elements(inner) if isinstance(value, list) else [inner])
    return out


def with_elements(leaves: Iterable[Leaf]) -> Iterator[Leaf]:
    """The leaves, each plain array followed by its members."""
    for leaf in leaves:
        yield leaf
        if leaf.kind == "list":
            yield from elements(leaf)


def call_leaves(tool: Tool, arguments: dict[str, Any]) -> list[Leaf]:
    """All leaves of a call, record keys and ids among them (kind `key`, value an int or the text of a path parameter)."""
    endpoint = tool.endpoint
    out: list[Leaf] = []
    note: Schema = {"kind": endpoint.key or "serial", "ko": "번호", "en": "number"}
    out += [Leaf(("ids", i), "ids", v, note, _NO_DEFAULT, "key") for i, v in enumerate(arguments.get("ids", ()))]
    if endpoint.is_table:
        for key, record in arguments.get("Assign", {}).items():
            out.append(Leaf(("Assign", key), "key", int(key) if key.isdigit() else key, note, _NO_DEFAULT, "key"))
            out += walk(record, endpoint.schema, ("Assign", key))
    else:
        body = {k: v for k, v in arguments.items() if k != "ids"}
        out += walk(body, endpoint.schema) if body else ()
    return out


def written_alike(tool: Tool, arguments: dict[str, Any]) -> dict[str, Any]:
    """The call as all equal calls are written: the keys of every object in the order in which the tool's definition lists them, whole numbers without a
    fraction (4, never 4.0)."""
    endpoint = tool.endpoint
    if not endpoint.is_table:
        alike: dict[str, Any] = _alike(arguments, tool.arguments)
        return alike
    records = arguments.get("Assign")
    if not isinstance(records, dict):
        return arguments
    return {**arguments, "Assign": {k: _alike(v, endpoint.schema) for k, v in records.items()}}


def _alike(value: Any, schema: Schema) -> Any:
    if isinstance(value, list):
        inner = schema.get("items", {})
        return [_alike(v, inner) for v in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, dict):
        return value
    known = schema.get("properties", {})
    rest = schema.get("additionalProperties")
    rest = rest if isinstance(rest, dict) else {}
    return {
        **{k: _alike(value[k], known[k]) for k in known if k in value},
        **{k: _alike(v, rest) for k, v in value.items() if k not in known},
    }
