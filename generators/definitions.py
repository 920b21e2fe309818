"""Choose the tool definitions of a dialogue: the right tool as the call needs it, and look-alikes beside it.

A definition is the catalogue's projection of a schema, shortened to a limit by leaving out rare fields first. Half of the dialogues show the right tool as it
would be offered before the request is known, half leave out the fields that the variant at hand bars; a field that the call uses is always shown.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import orjson

from gennx.generators.conditions import Schema, holds
from gennx.generators.leaves import inner_schema
from gennx.generators.lexicon import TEMPLATES, folder_of, read_words
from gennx.generators.tokens import count_words, spaced
from gennx.schemas.catalogue import Catalogue, Endpoint, Tool
from gennx.schemas.projection import MAX_TOKENS, RANGE_EXAMPLE, definition, droppable, shorten

RIGHT_TOKENS = 640
LOOKALIKE_TOKENS = 240
LONGEST_UNSAID = 24
LONGEST_CASES = 260
SHORT_ENUM = 6
LIMITS = (RIGHT_TOKENS, 520, 420, 330, 260, 200, 150, 120, 90)


class Definitions:
    """Definitions as JSON text with their token counts, kept by tool and left-out fields."""

    def __init__(self, catalogue: Catalogue, style: str = "path", barred: frozenset[str] = frozenset()) -> None:
        self.style = style
        self.pool = [t for t in catalogue.tools.values() if t.endpoint.uri not in barred]
        self._tools: dict[str, list[Tool]] = {}
        for tool in self.pool:
            self._tools.setdefault(tool.endpoint.uri, []).append(tool)
        self._marked = [(ts, _marks(ts[0].endpoint)) for ts in self._tools.values()]
        self._kept: dict[tuple[str, frozenset[str], bool], tuple[str, int]] = {}
        self._dropped: dict[tuple[str, frozenset[str], int], frozenset[str]] = {}
        self._lookalikes: dict[str, tuple[list[Tool], list[Tool]]] = {}
        self._neighbours: dict[str, list[Tool]] = {}
        self._shown: dict[tuple[str, int], tuple[str, int]] = {}
        self._spare: dict[str, list[tuple[str, int]]] = {}

    def of(self, tool: Tool, dropped: frozenset[str], terse: bool = False) -> tuple[str, int]:
        """A definition as JSON and its tokens; a `terse` one describes the tool, names its fields and tells what goes without saying, no more."""
        key = (tool.name, dropped, terse)
        if key not in self._kept:
            made = definition(tool, self.style, dropped)
            if terse:
                undescribe(made["function"]["parameters"])
            tell_unsaid(made, tool)
            text = spaced(made)
            self._kept[key] = (text, count_words("\n" + text))
        return self._kept[key]

    def shown(self, tool: Tool, limit: int = RIGHT_TOKENS) -> tuple[str, int]:
        """A definition as offered before any request is known."""
        key = (tool.name, limit)
        if key not in self._shown:
            plain = tool.method in ("GET", "DELETE")  # numbers alone: nothing to leave out
            self._shown[key] = self.of(tool, frozenset() if plain else self._fit(tool, frozenset(), limit))
        return self._shown[key]

    def for_calls(
        self, tool: Tool, calls: Sequence[dict[str, Any]], limit: int, by_variant: bool, terse: bool = False
    ) -> tuple[str, int]:
        """The right tool's definition: every field that its calls use, others as the limit allows."""
        if tool.method in ("GET", "DELETE"):
            return self.of(tool, frozenset())
        records = [r for a in calls for r in (a.get("Assign", {}).values() if tool.endpoint.is_table else (a,))]
        barred: frozenset[str] = frozenset()
        if by_variant and records:
            barred = frozenset.intersection(*(frozenset(barred_paths(tool.endpoint.schema, r)) for r in records))
        used = {p for r in records for p in used_paths(r)}
        left_out = self._fit(tool, barred, limit)
        again = left_out & used  # what a call uses comes back, without the rest of what is below it
        if not again:
            return self.of(tool, left_out, terse)
        below = {p for p, _ in self._sizes(tool.endpoint) if p not in used and _within(p, again)}
        return self.of(tool, (left_out - used) | below, terse)

    def _fit(self, tool: Tool, barred: frozenset[str], limit: int) -> frozenset[str]:
        """Fields to leave out so that the definition keeps to the limit, the rarest first; the same for a creation and a change, which is no longer."""
        key = (tool.endpoint.uri, barred, limit)
        if key in self._dropped:
            return self._dropped[key]
        if tool.method == "PUT" and "POST" in tool.endpoint.methods:
            tool = Tool(tool.endpoint, "POST")
        dropped = set(barred)
        over = self.of(tool, barred)[1] - limit
        if over > 0:
            spare = [(p, size) for p, size in self._sizes(tool.endpoint) if p not in barred]
            at = 0
            while over > 0 and at < len(spare):  # by the fields' own sizes, then measured
                while over > 0 and at < len(spare):
                    path, size = spare[at]
                    if not _within(path, dropped):
                        over -= size
                    dropped.add(path)
                    at += 1
                over = self.of(tool, frozenset(dropped))[1] - limit
        self._dropped[key] = frozenset(dropped)
        return self._dropped[key]

    def _sizes(self, endpoint: Endpoint) -> list[tuple[str, int]]:
        """Fields that may be left out, the rarest first, each with about how many tokens it costs."""
        if endpoint.uri not in self._spare:
            schema = endpoint.schema
            sizes = dict(field_sizes(schema, shorten(schema, frozenset())))
            self._spare[endpoint.uri] = [(path, sizes[path]) for _, _, path in sorted(droppable(schema))]
        return self._spare[endpoint.uri]

    def close(self, tool: Tool) -> tuple[list[Tool], list[Tool]]:
        """Look-alikes: the same endpoint with other methods, and endpoints of its category or with a like name."""
        if tool.name not in self._lookalikes:
            own = tool.endpoint
            same = [t for t in self._tools.get(own.uri, ()) if t.method != tool.method]
            near = self._near(own)
            like = [t for t in near if t.method == tool.method]
            self._lookalikes[tool.name] = (same, like + near)
        return self._lookalikes[tool.name]

    def _near(self, own: Endpoint) -> list[Tool]:
        """Tools of other endpoints of its category, with addresses that begin alike or names that share a word."""
        if own.uri not in self._neighbours:
            category, start, words = _marks(own)
            self._neighbours[own.uri] = [
                t
                for ts, (other_category, other_start, other_words) in self._marked
                if category == other_category or start == other_start or not words.isdisjoint(other_words)
                for t in ts
                if t.endpoint is not own
            ]
        return self._neighbours[own.uri]

    def offer(
        self,
        calls: Sequence[tuple[Tool, dict[str, Any]]],
        count: int,
        budget: int,
        rng: random.Random,
        without: frozenset[str] = frozenset(),
    ) -> tuple[str, int, list[str]]:
        """(JSON list of the tools that the calls use and `count` look-alikes, their tokens together, names in order).

        Half of the look-alikes are close, half random. They are shortened, and fewer are offered, when the budget is short; the right tools always stand, with all
        that the calls use. Tools named in `without` are never offered.
        """
        right: dict[str, tuple[Tool, list[dict[str, Any]]]] = {}
        for tool, arguments in calls:
            if tool.name not in without:
                right.setdefault(tool.name, (tool, []))[1].append(arguments)
        chosen: list[tuple[str, str]] = []
        total = 0
        left = len(right)
        for tool, own in right.values():
            room = max(90, (budget - total) // max(1, left))
            made, size = self.for_calls(tool, own, _limit(room), rng.random() < 0.5)
            if size > room:  # what the calls use and no more
                made, size = self.for_calls(tool, own, LIMITS[-1], True)
            if size > room:
                made, size = self.for_calls(tool, own, LIMITS[-1], True, terse=True)
            chosen.append((tool.named(self.style), made))
            total += size
            left -= 1
        seen = set(right) | set(without)
        wanted = len(chosen) + count
        for other in self.others(calls[0][0], count, rng):
            if len(chosen) >= wanted:
                break
            if other.name in seen:
                continue
            room = (budget - total) // max(1, wanted - len(chosen))
            made, size = self.shown(other, LOOKALIKE_TOKENS if room >= LOOKALIKE_TOKENS else 150 if room >= 150 else 90)
            if total + size > budget:
                continue
            seen.add(other.name)
            chosen.append((other.named(self.style), made))
            total += size
        rng.shuffle(chosen)
        return "[" + ", ".join(text for _, text in chosen) + "]", total, [name for name, _ in chosen]

    def others(self, tool: Tool, count: int, rng: random.Random) -> list[Tool]:
        """Candidates in the order to offer them, more than asked for, since some may not fit."""
        same, near = self.close(tool)
        wanted: list[Tool] = []
        for _ in range(count - count // 2):
            pool = same if same and rng.random() < 0.5 else near or self.pool
            wanted.append(pool[rng.randrange(len(pool))])
        wanted += [self.pool[rng.randrange(len(self.pool))] for _ in range(3 * count)]
        return wanted


def unshown(schema: dict[str, Any], value: Any, path: str = "") -> str | None:
    """The first field of a call that a tool definition does not name, None where all are named."""
    if isinstance(value, list):
        inner = schema.get("items", {})
        return next((gap for v in value if (gap := unshown(inner, v, path))), None)
    if not isinstance(value, dict):
        return None
    named, any_key = schema.get("properties", {}), schema.get("additionalProperties")
    for key, own in value.items():
        below = named.get(key, any_key if isinstance(any_key, dict) else None)
        if below is None:
            return f"{path}{key}"
        gap = unshown(below, own, f"{path}{key}.")
        if gap:
            return gap
    return None


def undescribe(node: Any, told: set[str] | None = None) -> None:
    """Take the descriptions out of a schema, and long lists of codes that stood in it before (sizes of bars)."""
    told = set() if told is None else told
    if not isinstance(node, dict):
        return
    words = node.get("description")
    if isinstance(words, str) and RANGE_EXAMPLE in words:
        node["description"] = RANGE_EXAMPLE
    elif isinstance(words, str):
        del node["description"]
    codes = node.get("enum")
    if isinstance(codes, list) and len(codes) > SHORT_ENUM:
        if repr(codes) in told:
            del node["enum"]
        told.add(repr(codes))
    for inner in node.values():
        undescribe(inner, told)


@lru_cache(maxsize=512)
def unsaid(endpoint: Endpoint) -> tuple[tuple[tuple[str, ...], str], ...]:
    """Fields of an endpoint that the API wants and people do not mention, each with words for the value it then has (the rules of its `words.json`).

    A field with one value: "1"; with one for each case: "8 for Degrading Bi Linear or NORMAL TRILINEAR".
    """
    rules: dict[str, list[dict[str, Any]]] = {}
    for rule in read_words(TEMPLATES / folder_of(endpoint.uri) / "words.json").get("follows", ()):
        rules.setdefault(rule["field"], []).append(rule)
    out = []
    for field, own in rules.items():
        values = {orjson.dumps(rule["value"]).decode() if "value" in rule else "" for rule in own}
        text = next(iter(values)) if len(values) == 1 and not all(map(_case, own)) else _cases(own)
        path = tuple(field.split("."))
        short = 0 < len(text) <= (LONGEST_CASES if " " in text else LONGEST_UNSAID)
        if short and _wanted(endpoint.schema, path):
            out.append((path, text))
    return tuple(out)


def _case(rule: dict[str, Any]) -> str | None:
    """The state of another field under which a rule holds, in words; empty where it always holds, None for rules about several fields."""
    conditions = list(rule.get("if", {}).items())
    if len(conditions) > 1 or "value" not in rule:
        return None
    if not conditions:
        return ""
    field, wanted = conditions[0]
    match wanted:
        case "present":
            return f"with {_named(field)}"
        case "absent":
            return f"without {_named(field)}"
        case "":
            return f"with an empty {_named(field)}"
        case {"starts": start}:
            return f"for {start}..."
        case {"ends": end}:
            return f"for ...{end}"
        case list() as several:
            return "for " + " or ".join(map(str, several))
        case value:
            return f"for {value}"


def _named(field: str) -> str:
    """A field, or a row of it: ITEMS.0 is any row, ITEMS.1 a second one."""
    name, _, row = field.rpartition(".")
    return {"0": name, "1": f"a second {name}"}.get(row, field) if row.isdigit() else field


def _cases(rules: list[dict[str, Any]]) -> str:
    """The values of a field case by case, the usual one first; nothing if a case depends on more than one field or two always hold."""
    cases = [_case(rule) for rule in rules]
    if None in cases or cases.count("") > 1:
        return ""
    return ", ".join(
        f"{rule['value'] if rule['value'] and isinstance(rule['value'], str) else orjson.dumps(rule['value']).decode()} {case}".strip()
        for case, rule in sorted(zip(cases, rules, strict=True), key=lambda pair: pair[0] != "")
    )


def _wanted(schema: Schema, path: tuple[str, ...]) -> bool:
    """Whether the API ever wants a field of a record, always or under a condition."""
    nodes = [schema]
    for part in path[:-1]:
        nodes = [n["properties"][part] for n in _branches(nodes) if part in n.get("properties", {})]
    return any(path[-1] in n.get("required", ()) for n in _branches(nodes))


def _branches(nodes: Sequence[Any]) -> Iterator[Schema]:
    """Schemas and what their conditions add."""
    for node in nodes:
        if isinstance(node, dict):
            node = inner_schema(node)
            yield node
            more = [node.get("then"), node.get("else")]
            for word in ("allOf", "oneOf", "anyOf"):
                more += node.get(word, ())
            yield from _branches([m for m in more if isinstance(m, dict)])


def tell_unsaid(made: dict[str, Any], tool: Tool) -> None:
    """Add to the description of a field that the API wants what it is when nothing is said of it; in a change, where rows of a list stay whole, of the
    fields of rows alone."""
    if tool.method not in ("POST", "PUT"):
        return
    body = made["function"]["parameters"]
    body = body["properties"]["Assign"]["additionalProperties"] if tool.endpoint.is_table else body
    for path, value in unsaid(tool.endpoint):
        node: Any = body
        rows = False
        for part in path:
            rows = rows or "items" in node
            node = node.get("items", node)
            if part not in node.get("properties", {}):
                break
            node = node["properties"][part]
        else:
            if tool.method == "PUT" and not rows:
                continue
            known = [node["description"]] if "description" in node else []
            node["description"] = "; ".join([*known, f"{value} if unsaid"])


def _limit(room: int) -> int:
    """The largest of a few limits that fits: definitions are made once a limit."""
    return next((x for x in LIMITS if x <= room), LIMITS[-1])


def _within(path: str, dropped: set[str] | frozenset[str]) -> bool:
    """True if an object above the field is left out already."""
    at = path.rfind(".")
    while at > 0:
        if path[:at] in dropped:
            return True
        at = path.rfind(".", 0, at)
    return False


def field_sizes(schema: Schema, short: Schema, path: str = "") -> Iterator[tuple[str, int]]:
    """(path, about how many tokens it costs) of every field of a definition; `short` is the schema as shown."""
    while isinstance(schema.get("items"), dict):
        schema, short = schema["items"], short.get("items", {})
    for key, inner in schema.get("properties", {}).items():
        full = f"{path}.{key}" if path else key
        shown = short.get("properties", {}).get(key)
        if shown is None:
            shown = shorten(inner, frozenset(), path=full)
        yield full, max(4, len(spaced({key: shown}).encode()) // 4)
        yield from field_sizes(inner, shown, full)
    if isinstance(schema.get("additionalProperties"), dict):
        yield from field_sizes(schema["additionalProperties"], short.get("additionalProperties", {}), f"{path}.*")


def _marks(endpoint: Endpoint) -> tuple[str, str, frozenset[str]]:
    """Category, how the address begins, longer words of the name."""
    return (
        endpoint.category,
        endpoint.uri.split("/")[1][:3].lower(),
        frozenset(w for w in endpoint.en.lower().split() if len(w) > 3),
    )


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
    if isinstance(value, list):
        sets = [set(barred_paths(schema.get("items", {}), v, path)) for v in value if isinstance(v, (dict, list))]
        return sorted(set.intersection(*sets)) if sets else []
    if not isinstance(value, dict):
        return []
    out: list[str] = []
    for entry in schema.get("allOf", ()):
        if "if" in entry:
            out += _false_paths(entry.get("then" if holds(entry["if"], value) else "else", {}), path)
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
        elif isinstance(inner, dict):
            out += _false_paths(inner_schema(inner), full)
    return out


def names_of(tools: str) -> Sequence[str]:
    """Names in a `tools` column."""
    return [t["function"]["name"] for t in json.loads(tools)]


__all__ = ["LOOKALIKE_TOKENS", "MAX_TOKENS", "RIGHT_TOKENS", "Definitions", "names_of"]
