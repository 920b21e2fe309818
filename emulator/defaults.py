"""Fill a stored record with what the server shows on GET though nobody sent it.

The catalogue's `default`s, at the top, in given objects and in the items of given lists. A default stays out where a
condition of the endpoint bars the field or allows other values only, so that a filled record keeps to its schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from gennx.emulator.conditions import Test, compile_test
from gennx.emulator.values import clone
from gennx.schemas.catalogue import Schema

Path = tuple[str, ...]
Added = set[tuple[int, str]]


@dataclass(frozen=True)
class Bar:
    """One condition and the fields (by path below its object) whose defaults may not stand when it holds, or not."""

    test: Test
    when_true: tuple[Path, ...]
    when_false: tuple[Path, ...]
    asks: tuple[str, ...] = ()  # fields whose mere presence makes the condition hold

    @cached_property
    def concerns(self) -> frozenset[str] | None:
        """Fields of the object that the bar may take a default from; None if it reaches deeper."""
        paths = (*self.when_true, *self.when_false)
        return None if any(len(p) > 1 for p in paths) else frozenset((*self.asks, *(p[0] for p in paths)))


@dataclass
class Filler:
    """Compiled defaults of one object schema; `below` fills its objects and lists of objects."""

    values: dict[str, Any]
    bars: list[Bar] = field(default_factory=list)
    below: dict[str, Filler] = field(default_factory=dict)

    def __call__(self, record: dict[str, Any]) -> None:
        """Fill in place."""
        added: Added = set()
        self._fill(record, added)
        if added:
            self._prune(record, added)

    def _fill(self, record: dict[str, Any], added: Added) -> None:
        for name, value in self.values.items():
            if name not in record:
                record[name] = clone(value)
                added.add((id(record), name))
        for name, filler in self.below.items():
            for item in _objects(record.get(name)):
                filler._fill(item, added)

    def _prune(self, record: dict[str, Any], added: Added) -> None:
        own = {name for name in self.values if (id(record), name) in added} if self.bars else set()
        for bar in self.bars:
            if bar.concerns is not None and own.isdisjoint(bar.concerns):
                continue
            holds = bar.test(record)
            if holds and any(p[0] in record and (id(record), p[0]) not in added for p in bar.when_true):
                for name in bar.asks:  # a default must not bar what the request says
                    _drop(record, (name,), added)
                holds = bar.test(record)
            for path in bar.when_true if holds else bar.when_false:
                _drop(record, path, added)
        for name, filler in self.below.items():
            for item in _objects(record.get(name)):
                filler._prune(item, added)


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    elif isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))


def _drop(value: Any, path: Path, added: Added) -> None:
    """Take out a default that was added at a path; what the request said stays."""
    for item in _objects(value):
        if len(path) > 1:
            _drop(item.get(path[0]), path[1:], added)
        elif (id(item), path[0]) in added:
            item.pop(path[0], None)


def compile_filler(schema: Schema) -> Filler | None:
    """The filler of an object schema, None when there is nothing to fill."""
    properties: dict[str, Schema] = {k: v for k, v in schema.get("properties", {}).items() if isinstance(v, dict)}
    chosen = {name for option in _options(schema) for name in option.get("required", ())}
    values = {
        n: s["default"] for n, s in properties.items() if "default" in s and not s.get("readOnly") and n not in chosen
    }
    below = {}
    for name, inner in properties.items():
        target = inner.get("items", inner)
        if isinstance(target, dict) and (filler := compile_filler(target)):
            below[name] = filler
    if not values and not below:
        return None
    return Filler(values, list(_bars(schema)), below)


def _options(schema: Schema) -> Iterator[Schema]:
    """Alternatives of which a record must pick one: to fill a default would pick for it."""
    for part in (schema, *schema.get("allOf", ())):
        yield from part.get("oneOf", ())
        yield from part.get("anyOf", ())


def _bars(schema: Schema) -> Iterator[Bar]:
    for rule in schema.get("allOf", ()):
        if "if" in rule:
            true = tuple(_barred(rule.get("then", {}), schema))
            false = tuple(_barred(rule.get("else", {}), schema))
            if true or false:
                yield Bar(compile_test(rule["if"]), true, false, tuple(rule["if"].get("required", ())))
        elif "not" in rule:
            names = tuple((n,) for n in schema.get("properties", {}) if f"'{n}'" in str(rule["not"]))
            yield Bar(compile_test(rule["not"]), names, ())


def _barred(branch: Any, schema: Schema) -> Iterator[Path]:
    """Paths of the defaults that a branch of a condition refuses."""
    if not isinstance(branch, dict):
        return
    for name, allowed in branch.get("properties", {}).items():
        base = schema.get("properties", {}).get(name)
        if not isinstance(base, dict):
            continue
        if "default" in base and (allowed is False or not compile_test(allowed)(base["default"])):
            yield (name,)
        elif isinstance(allowed, dict):
            inner, known = allowed.get("items", allowed), base.get("items", base)
            yield from ((name, *path) for path in _barred(inner, known))
    for part in branch.get("allOf", ()):
        yield from _barred(part, schema)
