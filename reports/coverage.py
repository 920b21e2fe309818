"""The coverage page of a data set: what each of the 273 endpoints has got, and why something is missing.

One self-contained HTML file, made from the data alone; everything that comes from the data is escaped.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson
from jinja2 import Environment, StrictUndefined

from gennx.generators.manifest import skeleton
from gennx.schemas import load_catalogue
from gennx.schemas.catalogue import ANNOTATION, Endpoint, Schema


class ReportProblem(Exception):
    """A folder that no report can be made of; the message says why."""


@dataclass
class Covered:
    """What the data hold of one endpoint."""

    dialogues: int = 0
    methods: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    phrasings: set[str] = field(default_factory=set)
    skeletons: set[str] = field(default_factory=set)
    variants: set[str] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)
    members: set[tuple[str, str]] = field(default_factory=set)
    examples: dict[str, dict[str, str]] = field(default_factory=dict)
    """The first dialogue of each kind."""


def rows_of(folder: Path) -> Iterator[dict[str, Any]]:
    """All dialogues of a data set folder. Raises ReportProblem naming file and line."""
    names = sorted(folder.glob("*.jsonl"))
    if not names:
        raise ReportProblem(f"{folder}: holds no .jsonl files; name the folder that gennx-gen wrote")
    for path in names:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    row = orjson.loads(line)
                    row["messages"], row["meta"]
                except (orjson.JSONDecodeError, KeyError, TypeError):
                    raise ReportProblem(f"{path}:{number}: is no dialogue with messages and meta") from None
                yield row


def _walk(value: Any, schema: Schema, path: str, out: Covered) -> None:
    while isinstance(value, list):
        if not value:
            return
        for item in value:
            _walk(item, schema.get("items", {}) if isinstance(schema.get("items"), dict) else {}, path, out)
        return
    if isinstance(value, dict):
        known, rest = schema.get("properties", {}), schema.get("additionalProperties")
        for key, inner in value.items():
            sub = known.get(key)
            full = f"{path}.{key}" if path else key
            if sub is None:
                sub, full = (rest if isinstance(rest, dict) else {}), (f"{path}.*" if path else "*")
            out.fields.add(full)
            _walk(inner, sub, full, out)
    elif "enum" in schema:
        out.members.add((path, json.dumps(value)))


def wanted(schema: Schema, path: str = "") -> Iterator[tuple[str, bool, list[Any]]]:
    """(path, optional, enum members) of every field a caller may give."""
    while isinstance(schema.get("items"), dict):
        schema = schema["items"]
    needed = set(schema.get("required", ()))
    for key, inner in schema.get("properties", {}).items():
        if inner.get("readOnly") or inner.get(ANNOTATION, {}).get("kind") == "serial":
            continue
        full = f"{path}.{key}" if path else key
        deep = inner
        while isinstance(deep.get("items"), dict):
            deep = deep["items"]
        yield full, key not in needed, list(deep.get("enum", ()))
        yield from wanted(inner, full)
    rest = schema.get("additionalProperties")
    if isinstance(rest, dict):
        yield from wanted(rest, f"{path}.*" if path else "*")


def collect(rows: Iterable[dict[str, Any]]) -> dict[str, Covered]:
    """Coverage by endpoint. Raises ReportProblem."""
    catalogue = load_catalogue()
    out = {e.uri: Covered() for e in catalogue}
    by_tool = {t.name: t for t in catalogue.tools.values()} | {t.snake_name: t for t in catalogue.tools.values()}
    for row in rows:
        meta = row["meta"]
        touched: set[str] = set()
        for message in row["messages"]:
            for call in message.get("tool_calls") or ():
                tool = by_tool.get(call["function"]["name"])
                if tool is None:
                    continue
                covered = out[tool.endpoint.uri]
                touched.add(tool.endpoint.uri)
                covered.methods[tool.method] += 1
                arguments = orjson.loads(call["function"]["arguments"])
                if tool.method in ("POST", "PUT"):
                    bodies = (
                        arguments.get("Assign", {}).values()
                        if tool.endpoint.is_table
                        else [{k: v for k, v in arguments.items() if k != "ids"}]
                    )
                    for body in bodies:
                        _walk(body, tool.endpoint.schema, "", covered)
        touched.add(meta["endpoint"])
        for uri in touched & out.keys():
            covered = out[uri]
            covered.dialogues += 1
            covered.kinds[str(meta.get("kind", "single"))] += 1
            covered.languages[str(meta.get("language", ""))] += 1
        covered = out.get(meta["endpoint"], Covered())
        covered.phrasings.add(str(meta.get("phrasing", "")))
        covered.skeletons.add(skeleton("\n".join(m["content"] for m in row["messages"] if m["role"] == "user")))
        if meta.get("variant"):
            covered.variants.add(str(meta["variant"]))
        kind = str(meta.get("kind", "single"))
        if kind not in covered.examples:
            covered.examples[kind] = _example(row)
    return out


def _example(row: dict[str, Any]) -> dict[str, str]:
    user = next((m["content"] for m in row["messages"] if m["role"] == "user"), "")
    calls = [c["function"] for m in row["messages"] for c in m.get("tool_calls") or ()]
    text = "\n".join(f"{c['name']} {c['arguments']}" for c in calls[:3])
    return {"user": user[:600], "call": text[:900] or "no call"}


def _gaps(endpoint: Endpoint, got: Covered, asked: int) -> list[str]:
    """Why something is missing, in words."""
    out = []
    if not got.dialogues:
        out.append("not asked for in this run")
        return out
    absent = [m for m in endpoint.methods if m not in got.methods]
    if absent:
        out.append(f"{', '.join(absent)}: fewer dialogues than methods, or not asked for")
    if asked:
        out.append(f"{asked} dialogues fewer than asked for: no more distinct ones within the token limit")
    return out


def summary(folder: Path, by_file: Mapping[str, list[dict[str, Any]]] | None = None) -> dict[str, Any]:
    """Everything the page shows, as plain data."""
    catalogue = load_catalogue()
    covered = collect(
        rows_of(folder) if by_file is None else (row for name in sorted(by_file) for row in by_file[name])
    )
    manifest: dict[str, Any] = {}
    path = folder / "manifest.json"
    if path.exists():
        manifest = orjson.loads(path.read_bytes())
    missing = manifest.get("missing", {})
    table = []
    for e in catalogue:
        got = covered[e.uri]
        fields = list(wanted(e.schema)) if {"POST", "PUT"} & set(e.methods) else []
        optional = [p for p, opt, _ in fields if opt]
        members = [(p, json.dumps(v)) for p, _, values in fields for v in values]
        table.append({
            "uri": e.uri, "tier": e.tier, "category": e.category, "ko": e.ko, "en": e.en, "dialogues": got.dialogues,
            "methods": {m: got.methods.get(m, 0) for m in e.methods}, "kinds": dict(got.kinds), "languages": dict(got.languages),
            "phrasings": len(got.phrasings), "skeletons": len(got.skeletons), "variants": sorted(got.variants),
            "fields": [len([p for p in optional if p in got.fields]), len(optional)],
            "members": [len([m for m in members if m in got.members]), len(members)],
            "gaps": _gaps(e, got, missing.get(e.uri, 0)), "examples": [{"kind": k, **x} for k, x in sorted(got.examples.items(), key=lambda p: (p[0] != "single", p[0]))],
        })  # fmt: skip
    return {"endpoints": table, "manifest": manifest, "name": _name(manifest) or folder.name}


def _name(manifest: dict[str, Any]) -> str:
    """What was asked for, in a few words; empty without a manifest."""
    settings = manifest.get("settings")
    if not settings:
        return ""
    chosen = settings["endpoints"] or settings["tiers"] or [1]
    what = (
        f"{len(chosen)} endpoints"
        if settings["endpoints"]
        else "all tiers"
        if len(chosen) == 3
        else f"tier {', '.join(map(str, chosen))}"
    )
    return f"{what}, seed {settings['seed']}"


def page(template: str, **data: Any) -> str:
    """Fill one of our page templates; data go in as JSON that cannot leave its script element."""
    env = Environment(autoescape=True, undefined=StrictUndefined)
    env.filters["embed"] = embed
    here = files("gennx.reports")
    style = (here / "page.css").read_text("utf-8")
    return env.from_string((here / template).read_text("utf-8")).render(style=style, **data) + "\n"


def embed(value: Any) -> str:
    """JSON for a script element."""
    from markupsafe import Markup

    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))


def coverage_page(
    folder: Path,
    scores: dict[str, dict[str, float]] | None = None,
    by_file: Mapping[str, list[dict[str, Any]]] | None = None,
) -> str:
    """The page of a data set folder, with how an evaluation went by endpoint if given; `by_file` holds its dialogues where they are at hand.
    Raises ReportProblem."""
    data = summary(folder, by_file)
    if scores is not None:
        for row in data["endpoints"]:
            row["evaluation"] = scores.get(row["uri"])
    return page("coverage.html.jinja", data=data)
