"""Records, or items of an array of objects, said one after the other in one pattern: a loop of any length."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gennx.generators.evidence import Evidence, Haystack
from gennx.generators.grounding import Ungrounded
from gennx.generators.harvest.assembly import (
    Harvested,
    Names,
    Piece,
    assemble,
    disjoint,
    escape,
    node_at,
    replaced,
    with_slots,
)
from gennx.generators.harvest.presentation import counted, piece_end, slot_of, spans_of
from gennx.generators.harvest.variables import (
    bind_all,
    dimension_of,
    freeze_related,
    mentioned_elsewhere,
    numbers_in,
    unsaid_dims,
    variables_of,
)
from gennx.generators.leaves import Leaf, Place, elements
from gennx.generators.lexicon import Lexicon
from gennx.schemas.catalogue import Tool


def as_rows(
    hay: Haystack,
    lang: str,
    tool: Tool,
    arguments: dict[str, Any],
    leaves: Sequence[Leaf],
    lexicon: Lexicon,
    unsaid: list[Ungrounded],
) -> Harvested | None:
    """Records, or items of an array of objects, said one after the other in one pattern."""
    for base, rows in _row_sets(arguments, tool):
        for segments in _segmentations(hay.text, len(rows)):
            found = _loop(hay, lang, tool, arguments, leaves, lexicon, base, rows, segments)
            if found is not None:
                found.unsaid = unsaid
                return found
    return None


def _row_sets(arguments: dict[str, Any], tool: Tool) -> list[tuple[Place, list[Place]]]:
    """(place of the repeated structure, places of its rows), the records first."""
    out: list[tuple[Place, list[Place]]] = []
    records = arguments.get("Assign")
    if isinstance(records, dict) and len(records) > 1:
        return [(("Assign",), [("Assign", k) for k in records])]

    def look(node: Any, place: Place) -> None:
        if isinstance(node, dict):
            for k, v in node.items():
                look(v, (*place, k))
        elif isinstance(node, list) and node and isinstance(node[0], dict):
            if len(node) > 1:
                out.append((place, [(*place, i) for i in range(len(node))]))
            else:
                look(node[0], (*place, 0))

    look(arguments, ())
    return out


def _segmentations(text: str, count: int) -> list[list[tuple[int, int]]]:
    """Ways to cut the text into pieces of which `count` neighbours may be rows."""
    out = []
    for pattern in (r"\n", r"[;\n]", r"\s/\s|\n", r",\s|\n", r"(?<=[^\d])\.\s|,\s|\n"):
        at, pieces = 0, []
        for found in re.finditer(pattern, text):
            pieces.append((at, found.start()))
            at = found.end()
        pieces.append((at, len(text)))
        if len(pieces) >= count:
            out.append(pieces)
    return out


@dataclass(slots=True)
class _Token:
    start: int
    end: int
    span: Evidence
    leaf: Leaf


def _loop(
    hay: Haystack, lang: str, tool: Tool, arguments: dict[str, Any], leaves: Sequence[Leaf], lexicon: Lexicon,
    base: Place, rows: list[Place], segments: list[tuple[int, int]],
) -> Harvested | None:  # fmt: skip
    parts: list[list[Leaf]] = []
    for row in rows:
        own: list[Leaf] = []
        for leaf in leaves:
            if leaf.place[: len(row)] == row:
                own += elements(leaf) if leaf.kind == "list" and not spans_of(leaf, lexicon, hay) else [leaf]
        parts.append(own)
    shape = [tuple((p.place[len(rows[0]) :], p.kind) for p in own) for own in parts]
    common = set(shape[0]).intersection(*map(set, shape[1:]))
    if set().union(*map(set, shape)) != common:
        return None
    for first in range(len(segments) - len(rows) + 1):
        window = segments[first : first + len(rows)]
        tokens = [
            _columns(hay, lexicon, own, len(rows[0]), segment) for own, segment in zip(parts, window, strict=True)
        ]
        picked = _agree(tokens, parts, len(rows[0]))
        if picked is None:
            continue
        made = _build_loop(hay, lang, tool, arguments, leaves, lexicon, base, rows, window, picked, parts)
        if made is not None:
            return made
    return None


def _columns(
    hay: Haystack, lexicon: Lexicon, own: Sequence[Leaf], depth: int, segment: tuple[int, int]
) -> dict[Place, list[Evidence]]:
    """For each field of a row (place below the row) the spans in the segment that may say it."""
    out: dict[Place, list[Evidence]] = {}
    for leaf in own:
        spans = [s for s in spans_of(leaf, lexicon, hay) if segment[0] <= s.start and s.end <= segment[1]]
        if spans:
            out[leaf.place[depth:]] = spans
    return out


def _agree(
    tokens: list[dict[Place, list[Evidence]]], parts: list[list[Leaf]], depth: int
) -> list[dict[Place, Evidence]] | None:
    """The same choice of words for the same field in every row: fields that vary must have one; order decides between equals."""
    varying = [
        parts[0][i].place[depth:] for i in range(len(parts[0])) if len({repr(own[i].value) for own in parts}) > 1
    ]
    if not varying or any(place not in t for place in varying for t in tokens):
        return None
    chosen: list[dict[Place, Evidence]] = [{} for _ in tokens]
    fields = [place for place in tokens[0] if all(place in t for t in tokens)]
    ranks: dict[Place, set[tuple[int, str]]] = {}
    # A field's words stand at the same rank among all candidate spans of the row.
    ordered = [sorted({(s.start, s.end) for spans in t.values() for s in spans}) for t in tokens]
    common_order = None if len({len(o) for o in ordered}) != 1 else ordered
    for place in fields:
        options = None
        for row, t in enumerate(tokens):
            here = {(common_order[row].index((s.start, s.end)) if common_order else -1, s.how) for s in t[place]}
            options = here if options is None else options & here
        if options:
            ranks[place] = options
    if common_order is None:
        if any(len(t[place]) != 1 for place in varying for t in tokens):
            return None
        for row, t in enumerate(tokens):
            for place in varying:
                chosen[row][place] = t[place][0]
        return chosen if _no_clash(chosen) else None
    used: set[int] = set()
    for place in sorted(ranks, key=lambda p: (p not in varying, len(ranks[p]), fields.index(p))):
        free = sorted(r for r in ranks[place] if r[0] not in used)
        if not free:
            if place in varying:
                return None
            continue
        rank, how = free[0]
        used.add(rank)
        for row, t in enumerate(tokens):
            at = common_order[row][rank]
            chosen[row][place] = next(s for s in t[place] if (s.start, s.end) == at and s.how == how)
    if any(place not in chosen[0] for place in varying):
        return None
    return chosen if _no_clash(chosen) else None


def _no_clash(chosen: list[dict[Place, Evidence]]) -> bool:
    for row in chosen:
        spans = sorted((e.start, e.end) for e in row.values())
        if any(b[0] < a[1] for a, b in itertools.pairwise(spans)):
            return False
    return True


def _build_loop(
    hay: Haystack, lang: str, tool: Tool, arguments: dict[str, Any], leaves: Sequence[Leaf], lexicon: Lexicon,
    base: Place, rows: list[Place], window: list[tuple[int, int]], picked: list[dict[Place, Evidence]], parts: list[list[Leaf]],
) -> Harvested | None:  # fmt: skip
    depth = len(rows[0])
    names = Names()
    by_place = {leaf.place[depth:]: leaf for leaf in parts[0]}
    # pattern of each row with its words masked must be one
    masked = []
    for row, segment in zip(picked, window, strict=True):
        order = sorted(row.items(), key=lambda p: p[1].start)
        text, at = [], segment[0]
        for place, span in order:
            text += [hay.text[at : span.start], f"\0{'/'.join(map(str, place))}\0"]
            at = piece_end(span, hay) if span.how == "run" else span.end
        text.append(hay.text[at : segment[1]])
        masked.append("".join(text))
    if len({m.strip(" .,") for m in masked}) != 1:
        return None
    looks: dict[Place, list[dict[str, Any]]] = {
        p: [slot_of(leaf_at(parts[i], p, depth), r[p], hay) for i, r in enumerate(picked)] for p in picked[0]
    }
    row_slots: dict[Place, str] = {}
    for place, specs in looks.items():
        telling = [s for s in specs if s["eg"] != 0] or specs  # a zero fits every unit
        spec = dict(specs[0] if specs[0]["as"] == "phrase" else telling[0])
        if any(s.get(k) != spec.get(k) for s in telling for k in ("as", "unit", "factor", "apart")):
            return None
        spec["eg"] = [s["eg"] for s in specs]
        spec["digits"] = max((s.get("digits", 0) for s in specs), default=0)
        if counted(hay, len(rows), window):
            spec["counted"] = True
        row_slots[place] = names.add(by_place[place], {**spec, "row": True})
    seps = [hay.text[a[1] : b[0]] for a, b in itertools.pairwise(window)]
    if len(set(seps)) != 1:
        return None
    # what all rows share is said outside the loop
    shared_leaves: list[Leaf] = []
    for leaf in parts[0]:
        if leaf.place[depth:] not in row_slots:
            shared_leaves.append(leaf)
    outside = [leaf for leaf in leaves if leaf.place[: len(base)] != base]
    variables = variables_of([*shared_leaves, *outside], lexicon, hay, tool)
    lo, hi = window[0][0], window[-1][1]
    for v in variables:
        v.spans = [s for s in v.spans if s.end <= lo or s.start >= hi]
    bind_all(variables, hay, lexicon)
    freeze_related(variables, unsaid_dims([v for v in variables], lexicon, tool, hay))
    taken = [(lo, hi), *((b.start, b.end) for v in variables for b in v.bound)]
    if mentioned_elsewhere(
        hay, taken, {n for own in parts for x in own if dimension_of(x) == "id" for n in numbers_in(x.value)}
    ):
        return None
    pieces: list[Piece] = []
    slot_at: dict[Place, str] = {}
    for v in variables:
        if v.bound:
            slot = names.slot(v, hay)
            pieces += [Piece(b.start, piece_end(b, hay), slot) for b in v.bound]
            for leaf in v.leaves:
                slot_at[leaf.place] = slot
    pieces, lost = disjoint(pieces)
    for slot in lost:
        names.slots.pop(slot, None)
        slot_at = {p: s for p, s in slot_at.items() if s != slot}
    row_pieces = [
        Piece(s.start, piece_end(s, hay) if s.how == "run" else s.end, f"row.{row_slots[p]}")
        for p, s in picked[0].items()
    ]
    inner = assemble(hay.text[: window[0][1]], sorted(row_pieces, key=lambda p: p.start), lang, window[0][0])
    sep = escape(seps[0])
    loop = f"{{% for row in rows %}}{inner}{{% if not loop.last %}}{sep}{{% endif %}}{{% endfor %}}"
    before = assemble(hay.text[:lo], [p for p in pieces if p.end <= lo], lang)
    after = assemble(hay.text, [p for p in pieces if p.start >= hi], lang, hi)
    row = node_at(arguments, rows[0])
    record = with_slots(
        row,
        {
            **{p: s for p, s in row_slots.items()},
            **{p[depth:]: s for p, s in slot_at.items() if p[: len(base)] == base},
        },
        (),
        row_slots,
    )
    if base == ("Assign",):
        key = row_slots.get(())
        if key is None:
            return None
        call: Any = {"Assign": [{"rows": True, "key": {"$row": key}, "record": record}]}
    else:
        call = with_slots(arguments, {p: s for p, s in slot_at.items() if p[: len(base)] != base}, ())
        call = replaced(call, base, {"$rows": record}, arguments)
    fixed = ["/".join(map(str, leaf.place)) for leaf in [*shared_leaves, *outside] if leaf.place not in slot_at]
    return Harvested(tool.method, lang, before + loop + after, call, names.slots, "rows", [], fixed)


def leaf_at(own: Sequence[Leaf], place: Place, depth: int) -> Leaf:
    return next(leaf for leaf in own if leaf.place[depth:] == place)
