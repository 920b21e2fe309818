"""An object's conditions (if/then/else) written out as alternatives, for a grammar engine that knows `anyOf` alone.

The field that most conditions ask about is set to each of its values in turn (absent is one); conditions that this
decides leave their mark on the alternative: fields required, barred or narrowed. That is repeated while conditions and
alternatives are few. What stays undecided is dropped, so that the alternatives together admit at least what the
schema admits.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

Schema = dict[str, Any]
MOST_ALTERNATIVES = 16
ABSENT = object()
PLAIN = frozenset({"properties", "required", "allOf", "anyOf", "not", "type", "x-gennx"})
NARROWING = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems", "minLength",
                       "maxLength", "pattern", "minProperties"})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Alternative:
    """One way that an object may be: its fields, those required, values known, and conditions still open."""

    properties: dict[str, Any]
    required: tuple[str, ...]
    rules: tuple[Schema, ...]
    known: dict[str, Any] = field(default_factory=dict)


def alternatives(schema: Schema, most: int = MOST_ALTERNATIVES) -> list[Schema]:
    """At most `most` plain object schemas, without conditions at their own level, that together admit what `schema`
    admits."""
    rules = tuple(rule for rule in schema.get("allOf", ()) if "if" in rule)
    start = Alternative(dict(schema.get("properties", {})), tuple(schema.get("required", ())), rules)
    open_ = [start]
    done: list[Alternative] = []
    while open_:
        one = open_.pop(0)
        split = _split(one, most - len(open_) - len(done))
        if split:
            open_ = split + open_
        else:
            done.append(one)
    rest = {k: v for k, v in schema.items() if k not in ("properties", "required", "allOf")}
    return [{**rest, "properties": a.properties, "required": list(dict.fromkeys(a.required))} for a in done]


def _split(one: Alternative, room: int) -> list[Alternative]:
    """The alternative by each value of its most asked field; [] when nothing is open, or too much would come of it."""
    asked = Counter(name for rule in one.rules for name in set(_fields(rule["if"])) if name not in one.known)
    for name, _ in asked.most_common():
        values = _domain(one, name)
        groups: dict[str, list[Any]] = {}
        for value in values:
            known = {**one.known, name: value}
            key = json.dumps([residual(rule["if"], known) for rule in one.rules], ensure_ascii=False, sort_keys=True)
            groups.setdefault(key + (" absent" if value is ABSENT else ""), []).append(value)
        if values and len(groups) <= room:
            return [made for group in groups.values() if (made := _settled(one, name, group)) is not None]
    return []


def _domain(one: Alternative, name: str) -> list[Any]:
    """Every value that a field may have, [] where they are not few and known; ABSENT among them where it may be."""
    schema = one.properties.get(name)
    if schema is None:
        return [ABSENT]
    if not isinstance(schema, dict):
        return []
    if "const" in schema:
        values = [schema["const"]]
    elif "enum" in schema:
        values = list(schema["enum"])
    elif schema.get("type") == "boolean":
        values = [False, True]
    else:
        return []
    return values if name in one.required else [*values, ABSENT]


def _fields(condition: Any) -> Iterator[str]:
    """Fields of the object itself that a condition asks about."""
    if not isinstance(condition, dict):
        return
    yield from condition.get("properties", ())
    yield from condition.get("required", ())
    for key in ("allOf", "anyOf"):
        for part in condition.get(key, ()):
            yield from _fields(part)
    yield from _fields(condition.get("not"))


def _settled(one: Alternative, name: str, values: list[Any]) -> Alternative | None:
    """The alternative with a field narrowed to values that all conditions treat alike; None if that cannot be."""
    known = {**one.known, name: values[0]}
    if values[0] is ABSENT:
        made = replace(one, properties={k: v for k, v in one.properties.items() if k != name}, known=known)
    else:
        narrowed = {**one.properties[name], "enum": values}
        narrowed.pop("const", None)
        made = replace(one, properties={**one.properties, name: narrowed}, required=(*one.required, name), known=known)
    open_, made = list(one.rules), replace(made, rules=())
    while open_:
        rule = open_.pop(0)
        answer = residual(rule["if"], known)
        if not isinstance(answer, bool):
            made = replace(made, rules=(*made.rules, {**rule, "if": answer}))
            continue
        effect = rule.get("then" if answer else "else", {})
        if effect is False:
            return None
        if isinstance(effect, dict):
            made = _marked(made, effect)
            open_ += [part for part in effect.get("allOf", ()) if "if" in part]
    possible = all(n in made.properties or n not in one.properties for n in made.required)
    return made if possible else None


def _marked(one: Alternative, effect: Schema) -> Alternative:
    """The alternative after a decided condition."""
    properties = dict(one.properties)
    for name, change in effect.get("properties", {}).items():
        if change is False:
            properties.pop(name, None)
        elif isinstance(change, dict) and isinstance(properties.get(name), dict):
            properties[name] = narrowed(properties[name], change)
    required = (*one.required, *(n for n in effect.get("required", ()) if n in one.properties))
    made = replace(one, properties=properties, required=required)
    for part in effect.get("allOf", ()):
        if isinstance(part, dict) and "if" not in part:
            made = _marked(made, part)
    return made


def narrowed(schema: Schema, change: Schema) -> Schema:
    """A field's schema with what a condition adds; what cannot be added simply is left out."""
    out = dict(schema)
    if "const" in change or "enum" in change:
        allowed = [change["const"]] if "const" in change else list(change["enum"])
        if "enum" in schema:
            allowed = [v for v in allowed if v in schema["enum"]]
        out = {**{k: v for k, v in out.items() if k != "const"}, "enum": allowed}
    barred = change.get("not")
    if isinstance(barred, dict) and "enum" in out and (set(barred) <= {"const", "enum", "x-gennx"}):
        gone = [barred["const"]] if "const" in barred else list(barred.get("enum", ()))
        out["enum"] = [v for v in out["enum"] if v not in gone]
    out |= {key: change[key] for key in NARROWING if key in change}
    if "properties" in change and "properties" in out:
        inner = Alternative(dict(out["properties"]), tuple(out.get("required", ())), ())
        marked = _marked(inner, {k: change[k] for k in ("properties", "required") if k in change})
        out |= {"properties": marked.properties, "required": list(dict.fromkeys(marked.required))}
    elif "required" in change and "properties" in out:
        out["required"] = list(
            dict.fromkeys([*out.get("required", ()), *(n for n in change["required"] if n in out["properties"])])
        )
    if isinstance(change.get("items"), dict) and isinstance(out.get("items"), dict):
        out["items"] = narrowed(out["items"], change["items"])
    return out


# ---------------------------------------------------------------- conditions on partly known objects


def residual(condition: Any, known: dict[str, Any]) -> bool | Schema:
    """What is left of a condition once some fields are known: true, false, or a shorter condition."""
    if isinstance(condition, bool):
        return condition
    parts: list[bool | Schema] = []
    for name, inner in condition.get("properties", {}).items():
        if name not in known:
            parts.append({"properties": {name: inner}})
        elif known[name] is not ABSENT:
            verdict = holds(inner, known[name])
            parts.append({"properties": {name: inner}} if verdict is None else verdict)
    for name in condition.get("required", ()):
        parts.append(known[name] is not ABSENT if name in known else {"required": [name]})
    parts += [residual(part, known) for part in condition.get("allOf", ())]
    if "anyOf" in condition:
        parts.append(_any([residual(part, known) for part in condition["anyOf"]]))
    if "not" in condition:
        inner = residual(condition["not"], known)
        parts.append(not inner if isinstance(inner, bool) else {"not": inner})
    parts += [{key: value} for key, value in condition.items() if key not in PLAIN]
    if any(part is False for part in parts):
        return False
    left = [part for part in parts if isinstance(part, dict)]
    return True if not left else left[0] if len(left) == 1 else {"allOf": left}


def _any(parts: list[bool | Schema]) -> bool | Schema:
    if any(part is True for part in parts):
        return True
    left = [part for part in parts if isinstance(part, dict)]
    return False if not left else left[0] if len(left) == 1 else {"anyOf": left}


def holds(condition: Any, value: Any) -> bool | None:
    """Whether a value of an enumerated field fits a condition; None for a condition of another form."""
    if isinstance(condition, bool):
        return condition
    verdicts: list[bool | None] = []
    for key, wanted in condition.items():
        if key == "const":
            verdicts.append(_equal(value, wanted))
        elif key == "enum":
            verdicts.append(any(_equal(value, one) for one in wanted))
        elif key == "not":
            inner = holds(wanted, value)
            verdicts.append(None if inner is None else not inner)
        elif key in ("anyOf", "allOf"):
            inner_all = [holds(part, value) for part in wanted]
            decisive = key == "anyOf"
            verdicts.append(decisive if decisive in inner_all else None if None in inner_all else not decisive)
        elif key == "minimum" and isinstance(value, (int, float)) and not isinstance(value, bool):
            verdicts.append(value >= wanted)
        elif key == "maximum" and isinstance(value, (int, float)) and not isinstance(value, bool):
            verdicts.append(value <= wanted)
        elif key not in ("type", "x-gennx"):
            verdicts.append(None)
    return False if False in verdicts else None if None in verdicts else True


def _equal(a: Any, b: Any) -> bool:
    """JSON's equality: true is not 1."""
    return bool(a == b) and isinstance(a, bool) == isinstance(b, bool)
