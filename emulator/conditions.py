"""The `if` of a schema as a fast Python test.

Covers the forms that the catalogue uses (const, enum, required, minimum, nested properties, allOf, anyOf, not);
anything else is left to jsonschema-rs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jsonschema_rs

from gennx.schemas.catalogue import Schema
from gennx.schemas.validation import bare

Test = Callable[[Any], bool]
PLAIN = {"properties", "required", "const", "enum", "allOf", "anyOf", "not", "type", "x-gennx"}


def compile_test(schema: Schema) -> Test:
    """A function that says whether a JSON value fits the schema."""
    if not set(schema) <= PLAIN or "type" in schema:
        return jsonschema_rs.validator_for(bare(schema)).is_valid
    tests: list[Test] = []
    if "const" in schema:
        tests.append(_one_of([schema["const"]]))
    if "enum" in schema:
        tests.append(_one_of(schema["enum"]))
    if "required" in schema:
        tests.append(_has(tuple(schema["required"])))
    for name, below in schema.get("properties", {}).items():
        tests.append(_field(name, compile_test(below) if isinstance(below, dict) else _constant(bool(below))))
    tests += [compile_test(x) for x in schema.get("allOf", ())]
    if "anyOf" in schema:
        tests.append(_any([compile_test(x) for x in schema["anyOf"]]))
    if "not" in schema:
        inner = compile_test(schema["not"])
        tests.append(lambda value: not inner(value))
    return tests[0] if len(tests) == 1 else _all(tests)


def _one_of(allowed: list[Any]) -> Test:
    """Membership with JSON's own idea of equality: true is not 1."""
    if all(isinstance(a, str) for a in allowed):
        texts = tuple(allowed)
        return lambda value: value in texts
    return lambda value: any(value == a and isinstance(value, bool) == isinstance(a, bool) for a in allowed)


def _has(names: tuple[str, ...]) -> Test:
    if len(names) == 1:
        name = names[0]
        return lambda value: not isinstance(value, dict) or name in value
    return lambda value: not isinstance(value, dict) or all(n in value for n in names)


def _field(name: str, test: Test) -> Test:
    return lambda value: not isinstance(value, dict) or name not in value or test(value[name])


def _constant(answer: bool) -> Test:
    return lambda value: answer


def _any(tests: list[Test]) -> Test:
    return lambda value: any(t(value) for t in tests)


def _all(tests: list[Test]) -> Test:
    def holds(value: Any) -> bool:
        for test in tests:  # noqa: SIM110, a loop is faster than a generator
            if not test(value):
                return False
        return True

    return holds
