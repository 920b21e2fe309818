"""Evaluate the conditions that our schemas state, on a record that is still being built.

A validator judges finished bodies; a sampler must know, halfway, which fields are now required or barred. Only the
keywords that the catalogue uses in conditions are known here; any other is refused loudly.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]


class UnsupportedSchema(Exception):
    """A keyword in a condition that the sampler does not know."""


def holds(schema: Schema | bool, value: Any) -> bool:
    """True if `value` satisfies `schema`, for the keywords of conditions."""
    if isinstance(schema, bool):
        return schema
    return all(_keyword(key, want, value) for key, want in schema.items())


def _keyword(key: str, want: Any, value: Any) -> bool:
    match key:
        case "properties":
            return not isinstance(value, dict) or all(holds(s, value[k]) for k, s in want.items() if k in value)
        case "required":
            return not isinstance(value, dict) or all(k in value for k in want)
        case "const":
            return _same(value, want)
        case "enum":
            return any(_same(value, w) for w in want)
        case "not":
            return not holds(want, value)
        case "allOf":
            return all(holds(s, value) for s in want)
        case "anyOf":
            return any(holds(s, value) for s in want)
        case "oneOf":
            return sum(holds(s, value) for s in want) == 1
        case "minimum":
            return not _number(value) or value >= want
        case "maximum":
            return not _number(value) or value <= want
        case "exclusiveMinimum":
            return not _number(value) or value > want
        case "contains":
            return not isinstance(value, list) or any(holds(want, v) for v in value)
        case "items":
            return not isinstance(value, list) or all(holds(want, v) for v in value)
        case "minItems":
            return not isinstance(value, list) or len(value) >= want
        case "maxItems":
            return not isinstance(value, list) or len(value) <= want
        case "x-gennx":
            return True
    raise UnsupportedSchema(f"condition uses {key!r}; teach generators/conditions.py what it means")


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _same(a: Any, b: Any) -> bool:
    return a == b and isinstance(a, bool) == isinstance(b, bool)


def keys_read(schema: Schema | bool) -> set[str]:
    """Top-level fields that a condition looks at."""
    if isinstance(schema, bool):
        return set()
    found = set(schema.get("properties", ())) | set(schema.get("required", ()))
    for part in _parts(schema):
        found |= keys_read(part)
    return found


def keys_changed(schema: Schema | bool) -> set[str]:
    """Top-level fields that a consequence requires, bars or narrows."""
    if isinstance(schema, bool):
        return set()
    found = set(schema.get("properties", ())) | set(schema.get("required", ()))
    for part in _parts(schema):
        found |= keys_changed(part)
    for name, others in schema.get("dependentRequired", {}).items():
        found |= {name, *others}
    return found


def _parts(schema: Schema) -> Iterator[Schema]:
    for key in ("allOf", "anyOf", "oneOf"):
        yield from schema.get(key, ())
    if "not" in schema:
        yield schema["not"]
