"""The smallest record of a schema that is valid: required fields, and what its conditions then ask for.

Values are the first that the catalogue offers (constant, enum member, default, typical value, lower bound), so the
same schema always gives the same record.
"""

from __future__ import annotations

from typing import Any

import jsonschema_rs

from gennx.emulator.conditions import compile_test
from gennx.schemas.catalogue import ANNOTATION, Schema
from gennx.schemas.validation import bare

ROUNDS = 8


def minimal_record(schema: Schema) -> dict[str, Any]:
    """A record of an object schema. Not promised to be valid: the caller judges."""
    record = _object(schema, {})
    for _ in range(ROUNDS):
        before = repr(record)
        _apply_rules(schema, record)
        if repr(record) == before:
            break
    return record


def _object(schema: Schema, given: dict[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties", {})
    out = dict(given)
    for name in schema.get("required", ()):
        if name not in out:
            out[name] = value(properties.get(name, {}))
    return out


def _apply_rules(schema: Schema, record: dict[str, Any]) -> None:
    properties = schema.get("properties", {})
    for rule in [*schema.get("allOf", ()), schema]:
        branches = [rule] if rule is not schema else [{k: v for k, v in schema.items() if k in ("oneOf", "anyOf")}]
        if "if" in rule and rule is not schema:
            holds = compile_test(rule["if"])(record)
            branches = [rule.get("then" if holds else "else", {})]
        for branch in branches:
            if isinstance(branch, dict):
                _demand(branch, properties, record)
    for name, below in properties.items():
        inner = record.get(name)
        if isinstance(inner, dict) and isinstance(below, dict):
            _apply_rules(below, inner)
        elif isinstance(inner, list) and isinstance(below.get("items"), dict):
            for item in inner:
                if isinstance(item, dict):
                    _apply_rules(below["items"], item)


def _demand(branch: Schema, properties: dict[str, Schema], record: dict[str, Any]) -> None:
    """Add what a branch of a condition requires, mend what it narrows, drop what it bars."""
    narrowed = branch.get("properties", {})
    for name in branch.get("required", ()):
        if name not in record and narrowed.get(name, True) is not False:
            record[name] = value(_joined(properties.get(name, {}), narrowed.get(name)))
    for name, below in narrowed.items():
        if name not in record:
            continue
        if below is False:
            del record[name]
        elif isinstance(below, dict):
            if isinstance(record[name], dict):
                inner = properties.get(name, {}).get("properties", {})
                _demand(below, inner, record[name])
            if not jsonschema_rs.validator_for(bare(below)).is_valid(record[name]):
                record[name] = value(_joined(properties.get(name, {}), below))
    for options in (branch.get("oneOf"), branch.get("anyOf")):
        if options and not any(compile_test(o)(record) for o in options):
            _demand(options[0], properties, record)
    for nested in branch.get("allOf", ()):
        if "if" not in nested:
            _demand(nested, properties, record)


def _joined(base: Schema, narrower: Any) -> Schema:
    if not isinstance(narrower, dict):
        return base
    if "enum" in narrower and "enum" in base:
        narrower = {**narrower, "enum": [v for v in narrower["enum"] if v in base["enum"]] or narrower["enum"]}
    items = narrower.get("items")
    if isinstance(items, dict) and isinstance(base.get("items"), dict):
        narrower = {**narrower, "items": {**base["items"], **items}}
    return {**base, **narrower}


def value(schema: Schema) -> Any:
    """The first value that a schema offers."""
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if kind == "object":
        return _object(schema, {})
    if kind == "array":
        return _array(schema)
    typical = schema.get(ANNOTATION, {}).get("typical", {})
    if kind == "string":
        return str(typical["values"][0]) if typical.get("values") else "1"
    if kind == "boolean":
        return bool(schema.get("default", False))
    return _number(schema, typical, whole=kind == "integer")


def _array(schema: Schema) -> list[Any]:
    items = schema.get("items", {})
    count = max(schema.get("minItems", 0), 1)
    many = [value(items) for _ in range(count)]
    if schema.get("uniqueItems") and count > 1:
        many = list(range(1, count + 1))
    return many


def _number(schema: Schema, typical: dict[str, Any], whole: bool) -> float | int:
    offers = [*typical.get("values", ()), *typical.get("range", ()), schema.get("minimum"), 1, schema.get("maximum")]
    for offer in offers:
        if isinstance(offer, (int, float)) and not isinstance(offer, bool) and _within(schema, offer):
            return int(offer) if whole else offer
    return 1


def _within(schema: Schema, number: float) -> bool:
    return (
        number >= schema.get("minimum", number)
        and number <= schema.get("maximum", number)
        and ("exclusiveMinimum" not in schema or number > schema["exclusiveMinimum"])
        and ("exclusiveMaximum" not in schema or number < schema["exclusiveMaximum"])
        and (schema.get("type") != "integer" or number == int(number))
    )
