"""Sample the arguments of a call from its schema: valid by construction where rules allow, checked afterwards.

The walk decides one field at a time, fields that conditions read first, so that at each step it is known what the
conditions require, bar or narrow. `Focus` names one field (or one enum member) that a sample must show, with the
choices that make it possible; the samples of a tool take turns through all of them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import jsonschema_rs

from gennx.emulator.rules import default_rules
from gennx.generators.conditions import Schema, holds, keys_changed, keys_read
from gennx.generators.leaves import inner_schema
from gennx.generators.scene import Scene
from gennx.generators.values import leaf_value, list_size
from gennx.schemas.catalogue import ANNOTATION, Endpoint, Tool
from gennx.schemas.validation import bare

STYLES = ("minimal", "typical", "full", "edge")
# How often an optional field is said, by how common it is in practice and by style.
PRESENCE = {
    "minimal": {"always": 0.9, "common": 0.0, "some": 0.0, "rare": 0.0},
    "typical": {"always": 1.0, "common": 0.5, "some": 0.15, "rare": 0.02},
    "full": {"always": 1.0, "common": 0.95, "some": 0.7, "rare": 0.35},
    "edge": {"always": 1.0, "common": 0.5, "some": 0.3, "rare": 0.15},
}
MAX_OPTIONAL = {"minimal": 4, "typical": 6, "full": 14, "edge": 8}
ATTEMPTS = 40


class SamplingError(Exception):
    """No valid record was found; the message names the endpoint."""


@dataclass(frozen=True, slots=True)
class Focus:
    """What one sample must show: `path` present, `wants` narrowing other fields so that it may be."""

    path: str = ""
    wants: dict[str, tuple[Schema, ...]] = field(default_factory=dict)
    include: frozenset[str] = frozenset()


NO_FOCUS = Focus()


@dataclass(slots=True)
class _State:
    """What is known of one object while its fields are decided."""

    required: set[str] = field(default_factory=set)
    barred: set[str] = field(default_factory=set)
    extra: dict[str, list[Schema]] = field(default_factory=dict)
    pending: list[tuple[Schema, set[str]]] = field(default_factory=list)
    """Conditions not yet settled, each with the fields that it reads."""

    def wait(self, entry: Schema) -> None:
        self.pending.append((entry, keys_read(entry["if"])))


class _Walk:
    """One sample in the making."""

    def __init__(self, rng: random.Random, scene: Scene, style: str, focus: Focus) -> None:
        self.rng = rng
        self.scene = scene
        self.style = style
        self.focus = focus
        self.optional_left = MAX_OPTIONAL[style]

    def value(self, schema: Schema, narrowed: Sequence[Schema], path: str, note: Schema | None = None) -> Any:
        alternatives = schema.get("oneOf") or schema.get("anyOf")
        if alternatives and not schema.get("properties"):
            schema = {
                **{k: v for k, v in schema.items() if k not in ("oneOf", "anyOf")},
                **self.rng.choice(alternatives),
            }
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = kind[0]
        if "properties" in schema:
            return self.object(schema, narrowed, path)
        if kind == "array" or "items" in schema:
            return self.array(schema, narrowed, path)
        if isinstance(schema.get("additionalProperties"), dict):
            return self.map(schema, narrowed, path)
        if kind == "object":
            return {}
        wants = self.focus.wants.get(path, ())
        return leaf_value(schema, (*narrowed, *wants), schema.get(ANNOTATION) or note or {}, self.rng, self.scene)

    def array(self, schema: Schema, narrowed: Sequence[Schema], path: str) -> list[Any]:
        for part in (schema, *narrowed):
            if "const" in part or "enum" in part:
                return list(part["const"] if "const" in part else self.rng.choice(part["enum"]))
        size = list_size(schema, narrowed, self.rng, self.style)
        inner = [n["items"] for n in narrowed if isinstance(n.get("items"), dict)]
        items = schema.get("items") or {}
        if "properties" not in items and "items" not in items:
            self.scene.start_list()
        note = schema.get(ANNOTATION)
        return [self.value(items, inner, path, note) for _ in range(size)]

    def map(self, schema: Schema, narrowed: Sequence[Schema], path: str) -> dict[str, Any]:
        inner = [n["additionalProperties"] for n in narrowed if isinstance(n.get("additionalProperties"), dict)]
        keys = self.rng.sample(range(1, 30), self.rng.choice((1, 1, 2)))
        return {str(k): self.value(schema["additionalProperties"], inner, f"{path}.*") for k in sorted(keys)}

    def object(self, schema: Schema, narrowed: Sequence[Schema], path: str) -> dict[str, Any]:
        properties = schema["properties"]
        state = _State()
        for part in (schema, *narrowed):
            self._apply(part, state)
        chosen: dict[str, Any] = {}
        decided: set[str] = set()
        for key in _order(properties, state.pending):
            self._fire(state, chosen, decided)
            if key not in state.barred and self._include(key, properties[key], state, path):
                chosen[key] = self.value(
                    properties[key],
                    [*state.extra.get(key, ()), *self._inward(key, state, chosen, decided)],
                    f"{path}.{key}" if path else key,
                )
            decided.add(key)
        self._fire(state, chosen, decided | set(properties))
        for key in properties:  # what a late condition still asks for
            if key in state.required and key not in chosen and key not in state.barred:
                inner = f"{path}.{key}" if path else key
                chosen[key] = self.value(properties[key], state.extra.get(key, ()), inner)
        out = {key: chosen[key] for key in properties if key in chosen and key not in state.barred}
        most = schema.get("maxProperties")
        if most is not None and len(out) > most:
            wanted = [k for k in out if (f"{path}.{k}" if path else k) in self.focus.include] or list(out)
            keep = set(self.rng.sample(wanted, most))
            out = {k: v for k, v in out.items() if k in keep}
        return out

    def _include(self, key: str, schema: Schema, state: _State, path: str) -> bool:
        full = f"{path}.{key}" if path else key
        if key in state.required or full in self.focus.include:
            return True
        note = schema.get(ANNOTATION, {})
        if note.get("kind") == "serial" or schema.get("readOnly"):
            return False
        if self.optional_left <= 0:
            return False
        if self.rng.random() < PRESENCE[self.style][note.get("freq", "some")]:
            self.optional_left -= 1
            return True
        return False

    def _apply(self, part: Schema, state: _State) -> None:
        """Take over what a schema part that holds requires, bars and narrows."""
        state.required |= set(part.get("required", ()))
        for key, inner in part.get("properties", {}).items():
            if inner is False:
                state.barred.add(key)
            elif isinstance(inner, dict) and ANNOTATION not in inner:
                state.extra.setdefault(key, []).append(inner)
        for name, others in part.get("dependentRequired", {}).items():
            state.wait({"if": {"required": [name]}, "then": {"required": others}})
        for key in ("oneOf", "anyOf"):
            options = part.get(key)
            if options and all("required" in o or "properties" in o for o in options):
                self._alternative(options, state, exclusive=key == "oneOf")
        if "not" in part and "anyOf" in part["not"]:  # at most one of these
            names = sorted({n for pair in part["not"]["anyOf"] for n in pair.get("required", ())})
            if names:
                wanted = [n for n in names if n in state.required]
                keep = wanted[0] if wanted else self.rng.choice(names)
                state.barred |= set(names) - {keep} - state.required
        for entry in part.get("allOf", ()):
            if "if" in entry:
                state.wait(entry)
            else:
                self._apply(entry, state)
        if "if" in part:
            state.wait(part)

    def _alternative(self, options: list[Schema], state: _State, exclusive: bool) -> None:
        names = [set(keys_changed(o)) for o in options]
        wanted = [i for i, n in enumerate(names) if any(_ends(p, n) for p in self.focus.include)]
        open_ = [i for i, n in enumerate(names) if not n & state.barred] or list(range(len(options)))
        pick = self.rng.choice([i for i in wanted if i in open_] or open_)
        self._apply(options[pick], state)
        if exclusive:
            state.barred |= set().union(*names) - names[pick]

    def _fire(self, state: _State, chosen: dict[str, Any], decided: set[str]) -> None:
        """Settle every condition whose fields are all decided; settling one may add others."""
        moved = True
        while moved:
            moved = False
            for rule in list(state.pending):
                entry, read = rule
                if read <= decided:
                    state.pending.remove(rule)
                    branch = entry.get("then" if holds(entry["if"], chosen) else "else")
                    if branch:
                        self._apply(branch, state)
                    moved = True

    def _inward(self, key: str, state: _State, chosen: dict[str, Any], decided: set[str]) -> Iterator[Schema]:
        """Conditions that read and change fields inside `key`, handed down for the object below to settle."""
        for entry, read in state.pending:
            condition = entry["if"]
            if key not in read or read - decided != {key} or key not in condition.get("properties", {}):
                continue
            outer = {
                "properties": {k: v for k, v in condition["properties"].items() if k != key},
                "required": [k for k in condition.get("required", ()) if k != key],
            }
            then = entry.get("then", {}).get("properties", {}).get(key)
            other = entry.get("else", {}).get("properties", {}).get(key)
            if not holds(outer, chosen):
                if isinstance(other, dict):
                    yield other
                continue
            handed: Schema = {"if": condition["properties"][key]}
            if isinstance(then, dict):
                handed["then"] = then
            if isinstance(other, dict):
                handed["else"] = other
            if len(handed) > 1:
                yield handed


def _ends(path: str, names: set[str]) -> bool:
    return path.rsplit(".", 1)[-1] in names


def _order(properties: Schema, rules: Sequence[tuple[Schema, set[str]]]) -> list[str]:
    """Fields in file order, but each after the fields that a condition on it reads."""
    before: dict[str, set[str]] = {}
    for entry, read in rules:
        for branch in ("then", "else"):
            for key in keys_changed(entry.get(branch, {})) - read:
                before.setdefault(key, set()).update(read)
    if not before:
        return list(properties)
    done: list[str] = []
    seen: set[str] = set()

    def place(key: str, trail: frozenset[str]) -> None:
        if key in seen or key in trail or key not in properties:
            return
        wanted = before.get(key, ())
        for other in properties if wanted else ():
            if other in wanted:
                place(other, trail | {key})
        if key not in seen:
            seen.add(key)
            done.append(key)

    for key in properties:
        place(key, frozenset())
    return done


def sample_record(endpoint: Endpoint, rng: random.Random, scene: Scene, style: str, focus: Focus = NO_FOCUS) -> Any:
    """A valid record of a table, or a body. Raises SamplingError when no valid one was found."""
    valid = record_validator(endpoint)
    for _ in range(ATTEMPTS):
        record = _Walk(rng, scene, style, focus).value(endpoint.schema, (), "")
        if valid(record) and (not focus.path or shows(record, focus)):
            return record
    raise SamplingError(f"{endpoint.uri}: no valid record with {focus.path or 'any fields'} in {ATTEMPTS} attempts")


@lru_cache(maxsize=512)
def record_validator(endpoint: Endpoint) -> Callable[[Any], bool]:
    """Verdict on one record or body of an endpoint: by the validator of its creation, which is there anyway."""
    if "POST" not in endpoint.methods or endpoint.path_parameter is not None:
        verdict: Callable[[Any], bool] = jsonschema_rs.validator_for(bare(endpoint.schema)).is_valid
        return verdict
    validation, tool = default_rules().validation, Tool(endpoint, "POST")
    if endpoint.is_table:
        return lambda record: validation.valid(tool, {"Assign": {"1": record}})
    return lambda record: validation.valid(tool, record)


def shows(record: Any, focus: Focus) -> bool:
    """True if the record holds the focused field, with the wanted member if one is wanted."""
    wants = focus.wants.get(focus.path, ())

    def look(node: Any, parts: list[str]) -> bool:
        if isinstance(node, list):
            return (
                any(look(v, parts) for v in node)
                if (node and isinstance(node[0], (dict, list))) or parts
                else any(meets(v) for v in node)
            )
        if not parts:
            return meets(node)
        if not isinstance(node, dict):
            return False
        if parts[0] == "*":
            return any(look(v, parts[1:]) for v in node.values())
        return parts[0] in node and look(node[parts[0]], parts[1:])

    def meets(value: Any) -> bool:
        return all(holds(w, value) for w in wants)

    return look(record, focus.path.split("."))


# ---------------------------------------------------------------- what there is to cover


def leaf_paths(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema, bool]]:
    """(path, schema, optional) of every field, outer ones before inner ones; array levels are not written."""
    while isinstance(schema.get("items"), dict):
        schema = schema["items"]
    required = set(schema.get("required", ()))
    for key, inner in schema.get("properties", {}).items():
        full = f"{path}.{key}" if path else key
        yield full, inner, key not in required
        yield from leaf_paths(inner, full)
    if isinstance(schema.get("additionalProperties"), dict):
        yield from leaf_paths(schema["additionalProperties"], f"{path}.*")


@lru_cache(maxsize=512)
def points(endpoint: Endpoint) -> tuple[tuple[str, Schema | None], ...]:
    """Every optional field and every enum member of an endpoint."""
    out: list[tuple[str, Schema | None]] = []
    for path, schema, optional in leaf_paths(endpoint.schema):
        if schema.get(ANNOTATION, {}).get("kind") == "serial" or schema.get("readOnly"):
            continue
        if optional:
            out.append((path, None))
        out += [(path, {"const": member}) for member in inner_schema(schema).get("enum", ())]
    return tuple(out)


def focus_at(endpoint: Endpoint, number: int) -> Focus:
    """One of these in turn, with the choices that make it possible."""
    found = points(endpoint)
    return plan(endpoint.schema, *found[number % len(found)]) if found else NO_FOCUS


def focus_list(endpoint: Endpoint) -> list[Focus]:
    """All of them."""
    return [plan(endpoint.schema, *point) for point in points(endpoint)]


def plan(schema: Schema, path: str, member: Schema | None = None) -> Focus:
    """The choices that let `path` occur, found by following the conditions that bar it back to what they read."""
    wants: dict[str, tuple[Schema, ...]] = {}
    include: set[str] = set()

    def demand(full: str, fragment: Schema | None) -> None:
        if fragment and fragment not in wants.get(full, ()):
            wants[full] = (*wants.get(full, ()), fragment)
        if full in include:
            return
        include.add(full)
        parts = full.split(".")
        node, prefix = schema, ""
        for depth, key in enumerate(parts):
            while isinstance(node.get("items"), dict):
                node = node["items"]
            here = ".".join(parts[: depth + 1])
            include.add(here)
            rest = parts[depth:]
            for entry in node.get("allOf", ()):
                if "if" in entry and _bars(entry.get("else", {}), rest, fragment):
                    meet(entry["if"], prefix)
                elif "if" in entry and _bars(entry.get("then", {}), rest, fragment):
                    avoid(entry["if"], prefix)
            node = node["additionalProperties"] if key == "*" else node.get("properties", {}).get(key, {})
            prefix = here

    def meet(condition: Schema, prefix: str) -> None:
        for key, inner in condition.get("properties", {}).items():
            full = f"{prefix}.{key}" if prefix else key
            if "properties" in inner:
                meet(inner, full)
            elif key in condition.get("required", ()):
                demand(full, inner or None)
            else:  # absent would do as well, but a given value must fit
                demand(full, inner)

    def avoid(condition: Schema, prefix: str) -> None:
        properties = condition.get("properties", {})
        absent = condition.get("not", {}).get("required", ())
        for name in absent:  # it wants a field to be absent: have it
            demand(f"{prefix}.{name}" if prefix else name, None)
        if absent:
            return
        if len(properties) > 1:  # one part is enough: rather one that a value can deny
            properties = {k: v for k, v in properties.items() if _deniable(v)}
        for key, inner in list(properties.items())[:1]:
            full = f"{prefix}.{key}" if prefix else key
            if "properties" in inner:
                avoid(inner, full)
            elif isinstance(inner.get("not"), dict):
                demand(full, inner["not"] if "required" not in inner["not"] else None)
                for name in inner["not"].get("required", ()):
                    demand(f"{full}.{name}", None)
            elif inner:
                demand(full, {"not": inner})

    demand(path, member)
    return Focus(path, wants, frozenset(include))


def _deniable(condition: Any) -> bool:
    """True if a condition says that something is not so, somewhere within."""
    if not isinstance(condition, dict):
        return False
    return "not" in condition or any(_deniable(v) for v in condition.get("properties", {}).values())


def _bars(branch: Schema, parts: Sequence[str], fragment: Schema | None = None) -> bool:
    """True if a consequence forbids the field at `parts`, one of those it lies in, or the value that `fragment` asks for."""
    node: Any = branch
    for key in parts:
        while isinstance(node, dict) and isinstance(node.get("items"), dict):
            node = node["items"]
        if not isinstance(node, dict):
            return False
        node = node.get("properties", {}).get(key)
        if node is False:
            return True
        if node is None:
            return False
    wanted = (fragment or {}).get("const")
    return wanted is not None and isinstance(node, dict) and "enum" in node and wanted not in node["enum"]
