"""Choose the tool definitions of a dialogue: the right tool as the call needs it, and look-alikes beside it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from gennx.generators.conditions import Schema, holds
from gennx.generators.tokens import definition_tokens
from gennx.schemas.catalogue import ANNOTATION, Catalogue, Tool
from gennx.schemas.projection import MAX_TOKENS, definition, droppable

LOOKALIKE_TOKENS = 320


class Definitions:
    """Definitions with their token counts, kept by tool and left-out fields."""

    def __init__(self, catalogue: Catalogue, style: str, barred_endpoints: frozenset[str] = frozenset()) -> None:
        self.style = style
        self.pool = [t for t in catalogue.tools.values() if t.endpoint.uri not in barred_endpoints]
        self._kept: dict[tuple[str, frozenset[str]], tuple[Schema, int]] = {}
        self._lookalikes: dict[str, list[Tool]] = {}
        self._fitted: dict[tuple[str, frozenset[str], frozenset[str], int], frozenset[str]] = {}

    def of(self, tool: Tool, dropped: frozenset[str]) -> tuple[Schema, int]:
        """A definition and its tokens."""
        key = (tool.name, dropped)
        if key not in self._kept:
            made = definition(tool, self.style, dropped)
            self._kept[key] = (made, definition_tokens(made))
        return self._kept[key]

    def for_call(self, tool: Tool, arguments: dict[str, Any], limit: int = MAX_TOKENS) -> tuple[Schema, int]:
        """The right tool's definition: the common fields and those of the variant at hand, within `limit` tokens."""
        if tool.method in ("GET", "DELETE"):
            return self.of(tool, frozenset())
        records = list(arguments["Assign"].values()) if tool.endpoint.is_table else [arguments]
        barred = frozenset.intersection(*(frozenset(barred_paths(tool.endpoint.schema, r)) for r in records))
        used = frozenset(p for r in records for p in used_paths(r))
        return self.of(tool, self._fit(tool, barred, used, limit))

    def _fit(self, tool: Tool, barred: frozenset[str], used: frozenset[str], limit: int) -> frozenset[str]:
        """Fields to leave out so that the definition keeps to the limit."""
        barred = barred - used
        if self.of(tool, barred)[1] <= limit:
            return barred
        key = (tool.name, barred, used, limit)
        if key in self._fitted:
            return self._fitted[key]
        spare = [p for _, _, p in sorted(droppable(tool.endpoint.schema)) if p not in used and p not in barred]
        low, high = 0, len(spare)
        while low < high:  # the fewest rare fields whose absence is enough
            middle = (low + high) // 2
            if definition_tokens(definition(tool, self.style, barred | frozenset(spare[:middle]))) <= limit:
                high = middle
            else:
                low = middle + 1
        if len(self._fitted) > 20000:
            self._fitted.clear()
        self._fitted[key] = barred | frozenset(spare[:low])
        return self._fitted[key]

    def close(self, tool: Tool) -> list[Tool]:
        """Look-alikes of a tool, the same endpoint with another method first, then its category and like names."""
        if tool.name not in self._lookalikes:
            own = tool.endpoint
            same = [t for t in self.pool if t.endpoint is own and t.method != tool.method]
            near = [
                t
                for t in self.pool
                if t.endpoint is not own
                and (t.endpoint.category == own.category or _alike(t.endpoint.uri, own.uri) or _shares_word(t, tool))
            ]
            self._lookalikes[tool.name] = [*same, *near]
        return self._lookalikes[tool.name]

    def offer(
        self, tool: Tool, arguments: dict[str, Any], count: int, budget: int, rng: random.Random
    ) -> tuple[list[Schema], int]:
        """The right tool and `count` look-alikes (half close, half random), shuffled, and their tokens together.

        Look-alikes are shortened, and fewer are offered, when the budget is short; the right tool always stands.
        """
        right, total = self.for_call(tool, arguments, min(MAX_TOKENS, max(200, budget)))
        chosen = [right]
        names = {tool.name}
        close = self.close(tool)
        wanted: list[Tool] = []
        for _ in range(count - count // 2):
            options = close[:3] if rng.random() < 0.5 else close
            if options:
                wanted.append(options[rng.randrange(len(options))])
        while len(wanted) < count * 4:
            wanted.append(self.pool[rng.randrange(len(self.pool))])
        for other in wanted:
            if len(chosen) > count:
                break
            if other.name in names:
                continue
            left = (budget - total) // max(1, count + 1 - len(chosen))
            limit = min(LOOKALIKE_TOKENS, max(90, left))
            made, size = self.of(other, self._fit(other, frozenset(), frozenset(), limit))
            if total + size > budget:
                continue
            chosen.append(made)
            names.add(other.name)
            total += size
        rng.shuffle(chosen)
        return chosen, total


def _alike(a: str, b: str) -> bool:
    return a[:6] == b[:6] or a.split("/")[1][:3] == b.split("/")[1][:3]


@lru_cache(maxsize=4096)
def _words(text: str) -> frozenset[str]:
    return frozenset(w for w in text.lower().split() if len(w) > 3)


def _shares_word(a: Tool, b: Tool) -> bool:
    return bool(_words(a.endpoint.en) & _words(b.endpoint.en))


def used_paths(value: Any, path: str = "") -> list[str]:
    """Dotted paths of all fields in a record or body."""
    out: list[str] = []
    if isinstance(value, dict):
        for key, inner in value.items():
            full = f"{path}.{key}" if path else key
            out.append(full)
            out += used_paths(inner, full)
    elif isinstance(value, list) and value and isinstance(value[0], (dict, list)):
        for inner in value:
            out += used_paths(inner, path)
    return out


def barred_paths(schema: Schema, value: Any, path: str = "") -> list[str]:
    """Dotted paths of the fields that conditions bar for this record: those of other variants."""
    out: list[str] = []
    if isinstance(value, list):
        sets = [set(barred_paths(schema.get("items", {}), v, path)) for v in value if isinstance(v, (dict, list))]
        return sorted(set.intersection(*sets)) if sets else []
    if not isinstance(value, dict):
        return out
    for entry in schema.get("allOf", ()):
        if "if" in entry:
            branch = entry.get("then" if holds(entry["if"], value) else "else", {})
            out += _false_paths(branch, path)
    for key, inner in value.items():
        sub = schema.get("properties", {}).get(key)
        if sub is not None:
            out += barred_paths(sub, inner, f"{path}.{key}" if path else key)
    return out


def _false_paths(branch: Schema | bool, path: str) -> list[str]:
    if not isinstance(branch, dict):
        return []
    out: list[str] = []
    for key, inner in branch.get("properties", {}).items():
        full = f"{path}.{key}" if path else key
        if inner is False:
            out.append(full)
        else:
            while isinstance(inner, dict) and isinstance(inner.get("items"), dict):
                inner = inner["items"]
            out += _false_paths(inner, full)
    return out


