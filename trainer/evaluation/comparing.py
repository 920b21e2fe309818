"""Whether two calls are the same call, and where they differ.

Both sides are completed with the catalogue's defaults first, so that saying a default and leaving it out are the same.
Numbers agree within a tolerance; lists of node or element numbers agree in any order, except where order is shape.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from gennx.emulator.rules import default_rules
from gennx.emulator.values import clone, same
from gennx.schemas.catalogue import ANNOTATION, Schema, Tool
from gennx.trainer.evaluation.items import Call

RANGE = re.compile(r"(\d+)\s*to\s*(\d+)")
MOST_NUMBERS = 10_000
TOLERANCE = 1e-6
"""Relative, of numbers that are not both whole; whole numbers agree exactly."""
ORDERED = frozenset({
    "db/ELEM NODE", "db/ELNK NODE", "db/FBLA NODES", "db/PNLA CONNECT_NODE", "db/MEMB AELEM",
    "ope/MEMB Argument.ELEM_LIST", "ope/AUTOMESH Argument.MESHER.TARGETS", "ope/LINEBMLD Argument.TARGET.NODE",
    "ope/DIVIDEELEM Argument.DIVIDE.OPTION.PARALLEL_OPTION.MAIN_POST_ELEM",
})  # fmt: skip
"""Lists of numbers whose order is the shape of something: ends, corners, a connected line."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value of a call. `path` is its field (dotted, array levels left out, `*` for a record key); `member`: it is
    one number of a set; `implied`: the call does not say it, a default does."""

    value: Any
    path: str
    member: bool = False
    implied: bool = False


def tool_of(name: str) -> Tool | None:
    """The catalogue's tool of that name in either style, None for a name outside it."""
    return default_rules().catalogue.named(name)


def completed(call: Call) -> dict[str, Any]:
    """Arguments with defaults filled in (records of a PUT say only what changes, so only their lists are filled)."""
    tool, arguments = tool_of(call["name"]), clone(call["arguments"])
    if tool is None or tool.method in ("GET", "DELETE") or not isinstance(arguments, dict):
        return dict(arguments)
    if not arguments and tool.endpoint.schema.get("properties", {}).get("Argument", {}).get("type") == "object":
        arguments = {"Argument": {}}  # an empty body and an empty Argument are one command
    if not tool.endpoint.is_table:
        _spell_out(arguments)
    own = default_rules().of(tool.endpoint)
    bodies = arguments.get("Assign") if tool.endpoint.is_table else {"": arguments}
    for body in bodies.values() if isinstance(bodies, dict) else ():
        if not isinstance(body, dict) or own.filler is None:
            continue
        if tool.method == "POST":
            own.filler(body)
        else:
            _fill_lists(body, own.filler)
    return dict(arguments)


def _spell_out(node: Any) -> None:
    """Ranges of numbers (`"TO": "1to4"`) as the list (`KEYS`) that the API takes in their place."""
    if isinstance(node, dict):
        run = RANGE.fullmatch(str(node.get("TO"))) if "KEYS" not in node else None
        if run and int(run[2]) - int(run[1]) < MOST_NUMBERS:
            del node["TO"]
            node["KEYS"] = list(range(int(run[1]), int(run[2]) + 1))
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _spell_out(inner)


def _fill_lists(record: dict[str, Any], filler: Any) -> None:
    for name, inner in filler.below.items():
        value = record.get(name)
        if isinstance(value, list):
            for item in value:
                if isinstance(item, dict):
                    inner(item)
        elif isinstance(value, dict):
            _fill_lists(value, inner)


@lru_cache(maxsize=2048)
def unordered(name: str) -> frozenset[str]:
    """Dotted paths (array levels left out) of the number lists of a tool's arguments that are sets."""
    tool = tool_of(name)
    if tool is None:
        return frozenset({"ids"})
    uri, prefix = tool.endpoint.uri, "Assign.*." if tool.endpoint.is_table else ""
    return frozenset({"ids", *(prefix + p for p in _id_lists(tool.endpoint.schema, "") if f"{uri} {p}" not in ORDERED)})


def _id_lists(schema: Schema, path: str) -> Iterator[str]:
    for key, inner in schema.get("properties", {}).items():
        if not isinstance(inner, dict):
            continue
        full = f"{path}.{key}" if path else key
        items = inner.get("items")
        kind = str(inner.get(ANNOTATION, {}).get("kind", ""))
        if isinstance(items, dict) and items.get("type") == "integer" and kind.endswith("_id"):
            yield full
        yield from _id_lists(inner, full)
        if isinstance(items, dict):
            yield from _id_lists(items, full)


def leaves(call: Call) -> dict[str, Leaf]:
    """Every value of the completed arguments under its place, such as `/Assign/12/ITEMS/0/FZ`.

    A number of a set has the number itself as the last part of its place; an empty object or list is a leaf.
    """
    sets = unordered(call["name"])
    out: dict[str, Leaf] = {}
    said: dict[str, Leaf] = {}
    _walk(completed(call), "", "", sets, out)
    _walk(call["arguments"], "", "", sets, said)
    return {place: leaf if place in said else replace(leaf, implied=True) for place, leaf in out.items()}


def _walk(value: Any, place: str, path: str, sets: frozenset[str], out: dict[str, Leaf]) -> None:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            below = "*" if path == "Assign" else key
            _walk(inner, f"{place}/{key}", f"{path}.{below}" if path else below, sets, out)
    elif isinstance(value, list) and value:
        if path in sets and all(isinstance(v, int) and not isinstance(v, bool) for v in value):
            out.update({f"{place}/{v}": Leaf(v, path, True) for v in value})
            return
        for index, inner in enumerate(value):
            _walk(inner, f"{place}/{index}", path, sets, out)
    else:
        out[place] = Leaf(value, path)


def equal(a: Leaf | None, b: Leaf | None) -> bool:
    """Equality of two leaves."""
    if a is None or b is None:
        return False
    whole = all(isinstance(v, (int, float)) and float(v).is_integer() for v in (a.value, b.value))
    return same(a.value, b.value, 0.0 if whole else TOLERANCE)


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where a call differs; `wanted` or `found` is None where a side has nothing."""

    place: str
    wanted: Leaf | None
    found: Leaf | None


@dataclass(frozen=True, slots=True)
class Pair:
    """A true call and the call it was held against (None: none was made), or a call too many (wanted None)."""

    wanted: Call | None
    found: Call | None
    matching: int
    wanted_leaves: int
    found_leaves: int
    differences: tuple[Difference, ...]

    @property
    def exact(self) -> bool:
        """The same tool with the same arguments."""
        both = self.wanted is not None and self.found is not None
        return both and self.wanted["name"] == self.found["name"] and not self.differences  # type: ignore[index]


def held_against(wanted: Call, found: Call) -> Pair:
    """The differences between two calls, leaf by leaf; calls of different tools share no leaf."""
    mine, theirs = leaves(wanted), leaves(found)
    if wanted["name"] != found["name"]:
        return Pair(wanted, found, 0, len(mine), len(theirs), ())
    places = list(dict.fromkeys([*mine, *theirs]))
    apart = [Difference(p, mine.get(p), theirs.get(p)) for p in places if not equal(mine.get(p), theirs.get(p))]
    return Pair(wanted, found, len(places) - len(apart), len(mine), len(theirs), tuple(apart))


def paired(wanted: Sequence[Call], found: Sequence[Call]) -> list[Pair]:
    """Each true call with the call that fits it best, whatever their order; then what is left over on either side.

    Best first: exact ones, then the same tool with most leaves in common, then any.
    """
    rated = [(held_against(w, f), i, j) for i, w in enumerate(wanted) for j, f in enumerate(found)]
    rated.sort(key=lambda r: (-r[0].exact, r[0].wanted["name"] != r[0].found["name"], -r[0].matching, r[1], r[2]))  # type: ignore[index]
    used_w: set[int] = set()
    used_f: set[int] = set()
    pairs: dict[int, Pair] = {}
    for pair, i, j in rated:
        if i not in used_w and j not in used_f:
            used_w.add(i)
            used_f.add(j)
            pairs[i] = pair
    out = [pairs.get(i) or Pair(w, None, 0, len(leaves(w)), 0, ()) for i, w in enumerate(wanted)]
    return out + [Pair(None, f, 0, 0, len(leaves(f)), ()) for j, f in enumerate(found) if j not in used_f]


def all_exact(wanted: Sequence[Call], found: Sequence[Call]) -> bool:
    """The same calls, in any order."""
    return len(wanted) == len(found) and all(pair.exact for pair in paired(wanted, found))


def names_agree(wanted: Sequence[Call], found: Sequence[Call]) -> bool:
    """The same tools equally often, in any order."""
    return Counter(c["name"] for c in wanted) == Counter(c["name"] for c in found)
