"""Compare our schemas with the reference's facts, field by field. Used by test_fidelity.py and to write spec_differences.json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SPEC = Path(__file__).resolve().parents[2] / "shared" / "spec"
LIMITS = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minItems",
    "maxItems",
    "minLength",
    "maxLength",
)


def safe(uri: str) -> str:
    return uri.replace("{", "_").replace("}", "_").replace(" ", "_")


def reference(uri: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(the reference's file, the schema of its record or body)."""
    raw = json.loads((SPEC / f"{safe(uri)}.json").read_text("utf-8"))
    return raw, next(iter(raw["schema"].values()))


def _inner(node: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any]:
    while True:
        if "$ref" in node:
            node = {**defs[node["$ref"].rsplit("/", 1)[-1]], **{k: v for k, v in node.items() if k != "$ref"}}
        elif isinstance(node.get("items"), dict):
            node = node["items"]
        else:
            return node


def differences(theirs: dict[str, Any], ours: dict[str, Any]) -> Iterator[str]:
    """What the reference states and our schema does not, as `path: what`."""
    yield from _compare(theirs, ours, "", theirs.get("definitions", {}))


def _compare(theirs: dict[str, Any], ours: dict[str, Any], path: str, defs: dict[str, Any]) -> Iterator[str]:
    if "$ref" in theirs:
        theirs = {**defs[theirs["$ref"].rsplit("/", 1)[-1]], **{k: v for k, v in theirs.items() if k != "$ref"}}
    place = path or "(record)"
    if "default" in theirs and ("default" not in ours or ours["default"] != theirs["default"]):
        yield f"{place}: default {theirs['default']!r}"
    while True:
        for limit in LIMITS:
            if limit in theirs and ours.get(limit) != theirs[limit]:
                yield f"{place}: {limit} {theirs[limit]}"
        if "type" in theirs and ours.get("type") != theirs["type"]:
            yield f"{place}: type {theirs['type']}"
        if not isinstance(theirs.get("items"), dict):
            break
        theirs, ours = theirs["items"], ours.get("items") or {}
        if "$ref" in theirs:
            theirs = {**defs[theirs["$ref"].rsplit("/", 1)[-1]], **{k: v for k, v in theirs.items() if k != "$ref"}}
    for member in theirs.get("enum", ()):
        if member not in ours.get("enum", ()):
            yield f"{place}: enum {member!r}"
    for name in theirs.get("required", ()):
        if name not in ours.get("required", ()):
            yield f"{place}: required {name}"
    for key, inner in theirs.get("properties", {}).items():
        full = f"{path}.{key}" if path else key
        mine = ours.get("properties", {}).get(key)
        if mine is None:
            yield f"{full}: missing"
        else:
            yield from _compare(inner, mine, full, defs)


def bodies(raw: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """(name, body) of every example of the reference that is whole."""
    if raw.get("example"):
        yield "example", raw["example"]
    for index, example in enumerate(raw.get("manual_examples") or ()):
        text = json.dumps(example.get("body"))
        if "..." not in text and "\u2026" not in text and isinstance(example.get("body"), dict):
            yield f"manual:{index}", example["body"]


def records(uri: str, body: dict[str, Any]) -> list[Any]:
    """The records in an example body of a table, or the body itself."""
    if not uri.startswith("db/"):
        return [body]
    while (
        isinstance(body, dict) and len(body) == 1 and next(iter(body)).upper() in ("ASSIGN", uri.split("/")[1].upper())
    ):
        body = next(iter(body.values()))
    return list(body.values()) if isinstance(body, dict) else []
