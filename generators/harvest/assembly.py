"""Write a template: slots in the words, slots in the call."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gennx.generators.evidence import Haystack
from gennx.generators.grounding import Ungrounded
from gennx.generators.harvest.binding import FACT_KINDS, Variable
from gennx.generators.harvest.presentation import slot_of
from gennx.generators.leaves import Leaf, Place
from gennx.generators.particles import pair_after

Slots = dict[str, dict[str, Any]]


@dataclass
class Harvested:
    """A template: `text` is Jinja over the slots, `call` the arguments with `{"$": slot}` where a slot's value goes."""

    method: str
    lang: str
    text: str
    call: Any
    slots: Slots
    shape: str
    unsaid: list[Ungrounded] = field(default_factory=list)
    fixed: list[str] = field(default_factory=list)
    """Places of values that stay as they are."""


@dataclass(slots=True)
class Piece:
    """A stretch of the request that a slot replaces."""

    start: int
    end: int
    slot: str


class Names:
    """Slot names that are unique within a template and tell the field."""

    def __init__(self) -> None:
        self.slots: Slots = {}
        self.at: dict[tuple[int, int], str] = {}

    def slot(self, variable: Variable, hay: Haystack, **more: Any) -> str:
        """The slot of a bound variable; variables said by the same words share one."""
        span = variable.bound[0]
        if (span.start, span.end) not in self.at:
            part = {"element": True} if isinstance(variable.leaf.place[-1], int) and variable.leaf.kind != "key" else {}
            self.at[span.start, span.end] = self.add(
                variable.leaf, {**slot_of(variable.leaf, span, hay), **part, **more}
            )
        name = self.at[span.start, span.end]
        if variable.leaf.note.get("kind") in FACT_KINDS:
            self.slots[name]["field"] = variable.leaf.field  # a grade that is also a name is drawn as a grade
        return name

    def add(self, leaf: Leaf, spec: dict[str, Any]) -> str:
        base = "key" if leaf.kind == "key" else re.sub(r"\W", "_", leaf.field.rsplit(".", 1)[-1]) or "value"
        if base[0].isdigit() or base in (
            "row",
            "rows",
            "loop",
            "not",
            "and",
            "or",
            "in",
            "is",
            "if",
            "else",
            "for",
            "true",
            "false",
            "none",
        ):
            base = f"v_{base}"
        name, n = base, 2
        while name in self.slots:
            name, n = f"{base}_{n}", n + 1
        self.slots[name] = {"field": leaf.field, **spec}
        return name


def node_at(tree: Any, place: Place) -> Any:
    for part in place:
        tree = tree[part]
    return tree


def replaced(call: Any, base: Place, value: Any, arguments: Any) -> Any:
    """Put `value` at a place of a call that `with_slots` made (records there are a list of pairs)."""
    node = call
    path: list[Any] = list(base)
    if path and path[0] == "Assign":
        index = list(arguments["Assign"]).index(path[1])
        node = call["Assign"][index]
        path = ["record", *path[2:]]
    for part in path[:-1]:
        node = node[part]
    node[path[-1]] = value
    return call


def with_slots(node: Any, slot_at: dict[Place, str], place: Place, row_slots: dict[Place, str] | None = None) -> Any:
    """The call with slots where values go; records become [{"key", "record"}], since a slot cannot be a JSON key."""
    if place in slot_at and not isinstance(node, dict):
        return {"$row" if row_slots and place in row_slots else "$": slot_at[place]}
    if isinstance(node, dict):
        if place == () and "Assign" in node and isinstance(node["Assign"], dict):
            records = [
                {
                    "key": {"$": slot_at[("Assign", k)]} if ("Assign", k) in slot_at else k,
                    "record": with_slots(v, slot_at, ("Assign", k)),
                }
                for k, v in node["Assign"].items()
            ]
            return {**{k: with_slots(v, slot_at, (k,)) for k, v in node.items() if k != "Assign"}, "Assign": records}
        return {k: with_slots(v, slot_at, (*place, k), row_slots) for k, v in node.items()}
    if isinstance(node, list):
        return [with_slots(v, slot_at, (*place, i), row_slots) for i, v in enumerate(node)]
    return node


def disjoint(pieces: list[Piece]) -> tuple[list[Piece], set[str]]:
    """Pieces in order without overlaps, and the slots that lost a piece to one before it."""
    pieces = sorted(pieces, key=lambda p: (p.start, -p.end))
    kept: list[Piece] = []
    lost: set[str] = set()
    for p in pieces:
        if kept and p.start < kept[-1].end:
            if not (p.start == kept[-1].start and p.end == kept[-1].end and p.slot == kept[-1].slot):
                lost.add(p.slot)
        else:
            kept.append(p)
    return [p for p in kept if p.slot not in lost], lost


def escape(text: str) -> str:
    """Literal text for Jinja."""
    return re.sub(r"\{(?=[{%#]|\Z)", "{{ '{' }}", text)  # at the end a slot may follow


def assemble(text: str, pieces: Sequence[Piece], lang: str, start: int = 0) -> str:
    """The text from `start` with slots in place of the pieces; a Korean particle after a slot becomes a pair."""
    out, at = [], start
    for p in pieces:
        out.append(escape(text[at : p.start]))
        out.append("{{ " + p.slot + " }}")
        at = p.end
        pair = pair_after(text, p.end) if lang == "ko" else None
        if pair is not None:
            out.append(pair[0])
            at = p.end + pair[1]
    out.append(escape(text[at:]))
    return "".join(out)
