"""List the rules that our schemas took from prose: `rules.md`, made from the schema files alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gennx.schemas.catalogue import ANNOTATION, Catalogue, Endpoint, Schema


@dataclass(frozen=True, slots=True)
class Rule:
    """One statement: the endpoint, the object it speaks about (dotted, empty for the record), the fields it touches, and why."""

    uri: str
    at: str
    fields: tuple[str, ...]
    why: str


def rules_of(endpoint: Endpoint) -> list[Rule]:
    """Every rule of an endpoint, outer objects first."""
    return list(_walk(endpoint.uri, endpoint.schema, ""))


def _walk(uri: str, schema: Schema, path: str) -> Iterator[Rule]:
    while isinstance(schema.get("items"), dict):
        schema = schema["items"]
    for entry in schema.get("allOf", ()):
        note = entry.get(ANNOTATION, {})
        if "why" in note:
            yield Rule(uri, path, tuple(dict.fromkeys(_fields(entry))), note["why"])
    for key, inner in schema.get("properties", {}).items():
        if isinstance(inner, dict):
            yield from _walk(uri, inner, f"{path}.{key}" if path else key)


def _fields(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for x in node:
            yield from _fields(x)
    elif isinstance(node, dict):
        yield from node.get("properties", {})
        yield from node.get("required", ())
        for key, value in node.items():
            if key not in (ANNOTATION, "enum", "const", "default"):
                yield from _fields(value)


def rules_page(catalogue: Catalogue) -> str:
    """The Markdown of `rules.md`."""
    every = {e.uri: rules_of(e) for e in catalogue}
    count = sum(len(r) for r in every.values())
    lines = [
        "# Rules that JSON Schema holds and the reference states in prose",
        "",
        f"Made by `gennx-catalog rules` from the schema files: {count} rules over {sum(bool(r) for r in every.values())} endpoints. `at` is the object that a",
        "rule speaks about (empty: the record or body itself).",
        "",
    ]
    for uri, rules in every.items():
        if rules:
            lines += [f"## {uri}", "", "| at | fields | rule |", "| --- | --- | --- |"]
            lines += [f"| {r.at} | {', '.join(f'`{f}`' for f in sorted(r.fields))} | {r.why} |" for r in rules]
            lines.append("")
    empty = [e.uri for e in catalogue if e.empty_ok]
    lines += ["## Creations that take an empty record", "", *[f"- {uri}" for uri in empty], ""]
    lines += ["## Facts that one source alone has and no example confirms", ""]
    lines += [f"- {e.uri}: {fact}" for e in catalogue for fact in e.unconfirmed]
    return "\n".join(lines) + "\n"
