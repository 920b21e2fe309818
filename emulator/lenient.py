"""What the live server accepts, derived from the catalogue, which is stricter.

Live servers take fields that the manual does not know and leave most conditions unchecked, but refuse a missing
required field, a wrong type or an unknown enum value with "Wrong Field"; enum words match in any letter case, and
with or without spaces.
"""

from __future__ import annotations

from typing import Any

from gennx.schemas.catalogue import Schema

KEPT = ("type", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def lenient(schema: Schema, required: bool = True) -> Schema:
    """The schema without conditions, patterns, list sizes and bars on unknown fields; with `required` False nothing
    is asked for down to the first list. Short lists are padded and long ones cut by the server, empty ones refused."""
    out: Schema = {k: schema[k] for k in KEPT if k in schema}
    if schema.get("minItems"):
        out["minItems"] = 1
    if required and "required" in schema:
        out["required"] = schema["required"]
    if "properties" in schema:
        out["properties"] = {
            name: lenient(below, required) for name, below in schema["properties"].items() if isinstance(below, dict)
        }
    if isinstance(schema.get("items"), dict):
        out["items"] = lenient(schema["items"])
    return out


def respell(schema: Schema, value: Any) -> Any:
    """A copy of the value with enum words in the catalogue's spelling, where they differ in case or spaces alone."""
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        return {k: respell(properties[k], v) if isinstance(properties.get(k), dict) else v for k, v in value.items()}
    if isinstance(value, list):
        items = schema.get("items")
        return [respell(items, v) for v in value] if isinstance(items, dict) else value
    allowed = schema.get("enum")
    if isinstance(value, str) and allowed and value not in allowed:
        folded = _fold(value)
        return next((a for a in allowed if isinstance(a, str) and _fold(a) == folded), value)
    return value


def _fold(word: str) -> str:
    return "".join(word.split()).upper()
