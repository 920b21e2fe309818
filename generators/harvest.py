"""Turn a freely written request with its call into a template: values become typed slots, repeated structures become loops.

Three shapes of call are told apart. `rows`: the records (or items) are listed one after the other in words of one pattern, a loop of any length.
`each`: one statement for all records, whose numbers are said as a run. `fixed`: anything else, with slots where they are certain. A value whose words
are not certain stays as it is, in the words and in the call.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from gennx.generators.binding import FACT_KINDS, ID_TAG_AFTER, ID_TAG_BEFORE, Variable, bind
from gennx.generators.grounding import (
    ID_RANGE,
    Evidence,
    Haystack,
    Ungrounded,
    check,
    evidence,
    follows,
    number_evidence,
    run_evidence,
    sequence_evidence,
    without_unsaid_defaults,
)
from gennx.generators.leaves import NUMBERED, Leaf, Place, call_leaves, elements
from gennx.generators.lexicon import Lexicon
from gennx.generators.particles import pair_after
from gennx.schemas.catalogue import Tool

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


class _Names:
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


def harvest(text: str, lang: str, tool: Tool, arguments: dict[str, Any], lexicon: Lexicon) -> Harvested:
    """The template of one request. `unsaid` lists the values that nothing in the text says."""
    hay = Haystack(text)
    arguments = without_unsaid_defaults(text, tool, arguments, lexicon)
    unsaid = check(text, tool, arguments, lexicon, hay)
    leaves = call_leaves(tool, arguments)
    for attempt in (_rows, _each):
        found = attempt(hay, lang, tool, arguments, leaves, lexicon, unsaid)
        if found is not None:
            return found
    return _fixed(hay, lang, tool, arguments, leaves, lexicon, unsaid)


# ---------------------------------------------------------------- from evidence to slots


def _spans(leaf: Leaf, lexicon: Lexicon, hay: Haystack) -> list[Evidence]:
    """Evidence that a slot can be made of."""
    found = [
        e
        for e in evidence(leaf, lexicon, hay)
        if e.how in ("number", "text", "run", "sequence", "phrase") and not _unfit(e, hay)
    ]
    numbered = leaf.kind == "key" or leaf.note.get("kind") in (*NUMBERED, "id_range")
    whole = [e for e in found if e.how == "sequence" or e.how == "run" and numbered] or [
        e for e in found if e.how == "run" and e.detail[1] != "list"
    ]
    if whole and whole[0].how == "run" and not numbered:
        return []  # a range of plain numbers stays as it is
    return whole or found


_EXCLUSION_WORDS = re.compile(
    r"번|호|까지|절점|요소|부재|단|중|에서|만|은|는|이|가|을|를|도|빼고|제외하고|제외한|제외|말고|빼|남기고|두고|간격|씩|으로|그리고|하고|랑|과|와|및|"
    r"except|excluding|for|without|but|not|skip(?:ping)?|leave|leaving|out|omit(?:ting)?|minus|and|nodes?|elements?|members?|by|in|steps?|of|every|the|step",
    re.I,
)
_COUNTED = re.compile(
    r"\s?(?:개|곳|군데|칸|줄|본|개소|절점|요소|부재|층|점|장|대|조|벌|명|쌍|nodes|elements|members|beams|columns|joints|points|of them|supports|records|rows|plates)|"
    r"\s?(?:다|모두|전부)(?![가-힣])", re.I
)  # fmt: skip
_PAIRS_OF = {2: re.compile(r"둘|양쪽|양단|\bboth\b|\bpair\b", re.I), 3: re.compile(r"셋"), 4: re.compile(r"넷")}


def _counted(hay: Haystack, count: int, spans: Sequence[tuple[int, int]]) -> bool:
    """True if the words say how many there are (네 군데, 둘 다, all three): then there must stay as many."""
    if count in _PAIRS_OF and _PAIRS_OF[count].search(hay.text):
        return True
    return any(
        n.value == count
        and not any(a <= n.start < b for a, b in spans)
        and (n.word or _COUNTED.match(hay.text[n.end :]))
        for n in hay.reading.numbers
    )


def _unfit(span: Evidence, hay: Haystack) -> bool:
    """A run whose exclusions stand far away, a fraction in words (중앙, half), or numbers with different words between (X 1, Y 2) cannot be written anew in
    their place."""
    if span.how == "sequence":
        return len({hay.text[a.end : b.start].strip() for a, b in zip(span.detail, span.detail[1:], strict=False)}) > 1
    if span.how == "text":  # TR-01~06: the name is the first of several
        return hay.text[span.end - 1].isdigit() and re.match(r"\s?[~–]\s?[A-Za-z-]*\d", hay.text[span.end :]) is not None
    if span.how == "run":
        between = _EXCLUSION_WORDS.sub("", hay.text[span.detail[0].end : span.end])
        return len(re.findall(r"[A-Za-z가-힣]", between)) > 2
    return bool(span.how == "number" and span.detail[0].word and span.detail[0].value % 1 != 0)


def slot_of(leaf: Leaf, span: Evidence, hay: Haystack) -> dict[str, Any]:
    """How the words of a span present the leaf's value."""
    spec: dict[str, Any]
    match span.how:
        case "number":
            return {"as": "number", **_number_look(span), "eg": leaf.value}
        case "sequence":
            chain = span.detail
            seps = {hay.text[a.end : b.start] for a, b in zip(chain, chain[1:], strict=False)}
            return {"as": "sequence", **_number_look(chain[0], chain), "sep": sorted(seps, key=len)[0], "eg": leaf.value,
                    "units": [bool(e.detail[0].unit) for e in chain][-2:]}  # fmt: skip
        case "run":
            run, style = span.detail
            if isinstance(leaf.value, str):  # "701to730" in the call, a range in the words
                found = ID_RANGE.fullmatch(leaf.value)
                assert found is not None
                numbers = list(range(int(found[1]), int(found[2]) + 1, int(found[3] or 1)))
                return {
                    "as": "run",
                    "style": style,
                    "tag": _tag(span, hay),
                    "eg": numbers,
                    "join": leaf.value[len(found[1]) : -len(found[2])],
                }
            spec = {"as": "run", "style": style, "tag": _tag(span, hay), "eg": leaf.value}
            if _counted(hay, len(leaf.value), [(span.start, span.end)]):
                spec["counted"] = True
            return spec
        case "phrase":
            return {"as": "phrase", "said": hay.text[span.start : span.end], "eg": leaf.value}
        case _:
            spec = {"as": "text", "eg": leaf.value}
            if isinstance(span.detail, str):
                spec["suffix"] = span.detail
            return spec


def _number_look(span: Evidence, chain: Sequence[Evidence] = ()) -> dict[str, Any]:
    if any(e.detail[0].unit for e in chain):
        span = next(e for e in chain if e.detail[0].unit)
    number, factor, _, apart = span.detail
    look: dict[str, Any] = {"factor": str(factor.normalize())}
    if number.unit is not None:
        look["unit"] = number.unit
        look["gap"] = bool(number.tail - number.end > len(number.unit))
    if apart:
        look["apart"] = True
    if number.word:
        look["word"] = number.written
    written = number.written
    look["digits"] = len(written.split(".")[1].split("e")[0].split("E")[0]) if "." in written else 0
    if "," in written:
        look["comma"] = True
    return look


def _tag(span: Evidence, hay: Haystack) -> str:
    run = span.detail[0]
    inner = hay.text[run.members[0].end : run.members[0].end + 1]
    return "번" if inner == "번" or hay.text[span.end : span.end + 1] == "번" else ""


def _piece_end(span: Evidence, hay: Haystack) -> int:
    """A run takes its 번 and 까지 along, since the writer may say them elsewhere."""
    if span.how == "run":
        found = re.match(r"\s?번?\s?까지|번(?!째)", hay.text[span.end :])
        if found:
            return span.end + found.end()
    return span.end


# ---------------------------------------------------------------- variables of a call


def _variables(leaves: Sequence[Leaf], lexicon: Lexicon, hay: Haystack, tool: Tool) -> list[Variable]:
    """A variable for each value; arrays that are not said as a whole fall apart into their members; like values of one field
    that are said once go together."""
    out: list[Variable] = []
    for leaf in leaves:
        if leaf.kind in ("boolean", "empty"):
            continue
        if leaf.kind == "key" and tool.endpoint.single:
            continue
        if leaf.kind == "list":
            spans = _spans(leaf, lexicon, hay)
            if spans:
                out.append(Variable([leaf], spans))
            else:
                out += [Variable([e], _spans(e, lexicon, hay)) for e in elements(leaf) if not isinstance(e.value, bool)]
            continue
        out.append(Variable([leaf], _spans(leaf, lexicon, hay)))
    return _merge(out)


def _merge(variables: list[Variable]) -> list[Variable]:
    """Same field, same value, fewer words than values: said once for all."""
    groups: dict[tuple[str, str, bool], list[Variable]] = {}
    for v in variables:
        groups.setdefault((v.leaf.field, repr(v.value), v.leaf.kind == "key"), []).append(v)
    out: list[Variable] = []
    for group in groups.values():
        spans = len({(s.start, s.end) for s in group[0].spans})
        if len(group) > 1 and spans < len(group):
            out.append(Variable([leaf for v in group for leaf in v.leaves], group[0].spans))
        else:
            out += group
    return out


def _strings_first(variables: Sequence[Variable], hay: Haystack, lexicon: Lexicon) -> None:
    """Bind names and runs, then numbers outside of them, then words for codes."""
    texts = [v for v in variables if v.spans and v.spans[0].how in ("text",)]
    numbers_only_inside: list[Variable] = []
    bind(texts, hay, lexicon)
    taken = [(b.start, b.end) for v in texts for b in v.bound]
    whole = [v for v in variables if v.spans and v.spans[0].how in ("run", "sequence")]
    for v in whole:
        v.spans = [s for s in v.spans if not _touches(s, taken)]
    bind(whole, hay, lexicon)
    taken += [(b.start, b.end) for v in whole for b in v.bound]
    single = [v for v in variables if v.spans and v.spans[0].how == "number"]
    for v in single:
        free = [s for s in v.spans if not _touches(s, taken)]
        if not free and v.spans:
            numbers_only_inside.append(v)
        v.spans = free
    for v in numbers_only_inside:  # a size read off a name: the name must stay
        for t in texts:
            t.bound = (
                []
                if any(_touches(s, [(b.start, b.end) for b in t.bound]) for s in evidence(v.leaf, lexicon, hay))
                else t.bound
            )
    bind(single, hay, lexicon)
    taken = [(b.start, b.end) for v in variables for b in v.bound]
    phrases = [v for v in variables if v.spans and v.spans[0].how == "phrase"]
    for v in phrases:
        v.spans = [s for s in v.spans if not _touches(s, taken)]
    bind(phrases, hay, lexicon)
    for v in phrases:  # said twice in different words: another code would leave the other words standing
        if len({hay.text[s.start : s.end].lower() for s in v.spans}) > 1 and any(not _touches(s, [(b.start, b.end) for b in v.bound]) for s in v.spans):
            v.bound = []


def _touches(span: Evidence, taken: Sequence[tuple[int, int]]) -> bool:
    return any(span.start < b and a < span.end for a, b in taken)


def _freeze_related(variables: Sequence[Variable], unsaid_dims: set[str]) -> None:
    """A number that is nowhere said was worked out from others: those of its dimension must stay."""
    for v in variables:
        if v.bound and v.bound[0].how in ("number", "sequence", "run") and _dimension(v.leaf) in unsaid_dims:
            v.bound = []


def _dimension(leaf: Leaf) -> str:
    if leaf.kind == "key" or str(leaf.note.get("kind", "")).endswith("_id"):
        return "id"
    return str(leaf.note.get("dim", "none"))


def _unsaid_dims(variables: Sequence[Variable], lexicon: Lexicon, tool: Tool, hay: Haystack) -> set[str]:
    out = set()
    for v in variables:
        numeric = isinstance(v.value, (int, float)) and not isinstance(v.value, bool)
        if (
            numeric
            and not v.spans
            and v.leaf.kind != "enum"
            and not follows(v.leaf, lexicon, tool)
            and not (v.value == 0 and isinstance(v.leaf.place[-1], int))
        ):
            out.add(_dimension(v.leaf))
    return out


def _mentioned_elsewhere(hay: Haystack, taken: Sequence[tuple[int, int]], numbers: set[int]) -> set[int]:
    """Record numbers that stand somewhere else in the text too, outside of what is bound."""
    out = set()
    for n in hay.reading.numbers:
        if n.word or n.value % 1 or int(n.value) not in numbers or any(a <= n.start < b for a, b in taken):
            continue
        small = (
            n.value < 10
            and not ID_TAG_AFTER.match(hay.text[n.end :])
            and not ID_TAG_BEFORE.search(hay.text[max(0, n.start - 20) : n.start])
        )
        if n.unit is None and not n.glued and not small:
            out.add(int(n.value))
    return out


def _settle_leftovers(hay: Haystack, variables: Sequence[Variable]) -> None:
    """A record number that also stands unbound elsewhere ("12번은 ... 12번 빼고") stays as it is."""
    taken = [(b.start, _piece_end(b, hay)) for v in variables for b in v.bound]
    ids = {n for v in variables if v.bound and _dimension(v.leaf) == "id" for n in _numbers(v.value)}
    loose = _mentioned_elsewhere(hay, taken, ids)
    for v in variables:
        if v.bound and _dimension(v.leaf) == "id" and loose & _numbers(v.value):
            v.bound = []


def _numbers(value: Any) -> set[int]:
    if isinstance(value, list):
        return {n for v in value for n in _numbers(v)}
    return {value} if isinstance(value, int) and not isinstance(value, bool) else set()


# ---------------------------------------------------------------- shapes


def _fixed(
    hay: Haystack,
    lang: str,
    tool: Tool,
    arguments: dict[str, Any],
    leaves: Sequence[Leaf],
    lexicon: Lexicon,
    unsaid: list[Ungrounded],
) -> Harvested:
    variables = _key_run(leaves, hay, tool) + _variables([x for x in leaves], lexicon, hay, tool)
    variables = _drop_covered(variables)
    _strings_first(variables, hay, lexicon)
    _freeze_related(variables, _unsaid_dims(variables, lexicon, tool, hay))
    _settle_leftovers(hay, variables)
    names, pieces, slot_at = _Names(), [], {}
    for v in variables:
        if not v.bound:
            continue
        slot = names.slot(v, hay)
        for b in v.bound:
            pieces.append(Piece(b.start, _piece_end(b, hay), slot))
        for leaf in v.leaves:
            slot_at[leaf.place] = slot
    pieces, lost = _disjoint(pieces)
    for slot in lost:
        names.slots.pop(slot, None)
        slot_at = {p: s for p, s in slot_at.items() if s != slot}
    call = _with_slots(arguments, slot_at, ())
    text = assemble(hay.text, pieces, lang)
    fixed = ["/".join(map(str, x.place)) for x in leaves if x.place not in slot_at and x.kind not in ("empty",)]
    return Harvested(tool.method, lang, text, call, names.slots, "fixed", unsaid, fixed)


def _key_run(leaves: Sequence[Leaf], hay: Haystack, tool: Tool) -> list[Variable]:
    """The ids of a read or removal said as one run."""
    ids = [x for x in leaves if x.field == "ids" and isinstance(x.value, int)]
    if len(ids) < 2:
        return []
    spans = list(run_evidence([x.value for x in ids], hay))
    if not spans:
        return []
    whole = Leaf(("ids",), "ids", [x.value for x in ids], ids[0].note, None, "list")
    return [Variable([whole], spans)]


def _drop_covered(variables: list[Variable]) -> list[Variable]:
    if any(v.leaf.place == ("ids",) for v in variables):
        return [v for v in variables if v.leaf.field != "ids" or v.leaf.place == ("ids",)]
    return variables


def _each(
    hay: Haystack,
    lang: str,
    tool: Tool,
    arguments: dict[str, Any],
    leaves: Sequence[Leaf],
    lexicon: Lexicon,
    unsaid: list[Ungrounded],
) -> Harvested | None:
    """All records alike, their numbers said as one run."""
    records = arguments.get("Assign", {})
    keys = [int(k) for k in records if k.isdigit()]
    if len(keys) < 2 or len(keys) != len(records):
        return None
    spans = list(run_evidence(keys, hay))
    if not spans:
        return None
    columns: dict[Place, list[Leaf]] = {}
    for leaf in leaves:
        if leaf.kind != "key":
            for part in [leaf] if leaf.kind != "list" else [leaf]:
                columns.setdefault(part.place[2:], []).append(part)
    if any(len(c) != len(keys) for c in columns.values()):
        return None
    shared: list[Leaf] = []
    along: list[tuple[Place, str, Variable | None]] = []
    for place, column in columns.items():
        values = [c.value for c in column]
        if all(v == values[0] and isinstance(v, bool) == isinstance(values[0], bool) for v in values):
            shared.append(column[0])
        elif values == keys:
            along.append((place, "key", None))
        elif all(isinstance(v, int) and not isinstance(v, bool) for v in values) and (
            found := list(run_evidence(values, hay, ordered=True))
        ):
            along.append(
                (
                    place,
                    "column",
                    Variable([Leaf(column[0].place, column[0].field, values, column[0].note, None, "list")], found),
                )
            )
        elif all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values) and (
            found := list(sequence_evidence(values, column[0].note, hay))
        ):
            along.append(
                (
                    place,
                    "column",
                    Variable([Leaf(column[0].place, column[0].field, values, column[0].note, None, "list")], found),
                )
            )
        else:
            return None
    key_leaf = next(x for x in leaves if x.kind == "key")
    key_var = Variable([Leaf(("Assign",), "key", keys, key_leaf.note, None, "key")], spans)
    variables = [key_var, *(v for _, _, v in along if v), *_variables(shared, lexicon, hay, tool)]
    _strings_first(variables, hay, lexicon)
    _freeze_related(variables, _unsaid_dims(variables, lexicon, tool, hay))
    _settle_leftovers(hay, variables)
    if not key_var.bound or any(v and not v.bound for _, _, v in along):
        return None
    names, pieces, slot_at = _Names(), [], {}
    for v in variables:
        if v.bound:
            slot = names.slot(v, hay, **({"along": True} if any(v is a for _, _, a in along) else {}))
            pieces += [Piece(b.start, _piece_end(b, hay), slot) for b in v.bound]
            for leaf in v.leaves:
                slot_at[leaf.place] = slot
    pieces, lost = _disjoint(pieces)
    if slot_at.get(("Assign",)) in lost or any(v and slot_at.get(v.leaf.place) in lost for _, _, v in along):
        return None
    for slot in lost:
        names.slots.pop(slot, None)
        slot_at = {p: s for p, s in slot_at.items() if s != slot}
    first = next(iter(records))
    record = _with_slots(records[first], {p[2:]: s for p, s in slot_at.items() if len(p) > 2}, ())
    for place, how, v in along:
        _put(record, place, {"$key": True} if how == "key" else {"$each": slot_at[v.leaf.place]} if v else None)
    call = {"Assign": [{"each": slot_at[("Assign",)], "record": record}]}
    fixed = ["/".join(map(str, x.place[2:])) for x in shared if x.place not in slot_at]
    return Harvested(tool.method, lang, assemble(hay.text, pieces, lang), call, names.slots, "each", unsaid, fixed)


def _put(node: Any, place: Place, value: Any) -> None:
    for part in place[:-1]:
        node = node[part]
    node[place[-1]] = value


# ---------------------------------------------------------------- rows


def _rows(
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
                own += elements(leaf) if leaf.kind == "list" and not _spans(leaf, lexicon, hay) else [leaf]
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
        spans = [s for s in _spans(leaf, lexicon, hay) if segment[0] <= s.start and s.end <= segment[1]]
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
    if len({len(o) for o in ordered}) != 1:
        common_order = None
    else:
        common_order = ordered
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
        if any(b[0] < a[1] for a, b in zip(spans, spans[1:], strict=False)):
            return False
    return True


def _build_loop(
    hay: Haystack, lang: str, tool: Tool, arguments: dict[str, Any], leaves: Sequence[Leaf], lexicon: Lexicon,
    base: Place, rows: list[Place], window: list[tuple[int, int]], picked: list[dict[Place, Evidence]], parts: list[list[Leaf]],
) -> Harvested | None:  # fmt: skip
    depth = len(rows[0])
    names = _Names()
    by_place = {leaf.place[depth:]: leaf for leaf in parts[0]}
    # pattern of each row with its words masked must be one
    masked = []
    for row, segment in zip(picked, window, strict=True):
        order = sorted(row.items(), key=lambda p: p[1].start)
        text, at = [], segment[0]
        for place, span in order:
            text += [hay.text[at : span.start], f"\0{'/'.join(map(str, place))}\0"]
            at = _piece_end(span, hay) if span.how == "run" else span.end
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
        if _counted(hay, len(rows), window):
            spec["counted"] = True
        row_slots[place] = names.add(by_place[place], {**spec, "row": True})
    seps = [hay.text[a[1] : b[0]] for a, b in zip(window, window[1:], strict=False)]
    if len(set(seps)) != 1:
        return None
    # what all rows share is said outside the loop
    shared_leaves: list[Leaf] = []
    for i, leaf in enumerate(parts[0]):
        if leaf.place[depth:] not in row_slots:
            shared_leaves.append(leaf)
    outside = [leaf for leaf in leaves if leaf.place[: len(base)] != base]
    variables = _variables([*shared_leaves, *outside], lexicon, hay, tool)
    lo, hi = window[0][0], window[-1][1]
    for v in variables:
        v.spans = [s for s in v.spans if s.end <= lo or s.start >= hi]
    _strings_first(variables, hay, lexicon)
    _freeze_related(variables, _unsaid_dims([v for v in variables], lexicon, tool, hay))
    taken = [(lo, hi), *((b.start, b.end) for v in variables for b in v.bound)]
    if _mentioned_elsewhere(
        hay, taken, {n for own in parts for x in own if _dimension(x) == "id" for n in _numbers(x.value)}
    ):
        return None
    pieces: list[Piece] = []
    slot_at: dict[Place, str] = {}
    for v in variables:
        if v.bound:
            slot = names.slot(v, hay)
            pieces += [Piece(b.start, _piece_end(b, hay), slot) for b in v.bound]
            for leaf in v.leaves:
                slot_at[leaf.place] = slot
    pieces, lost = _disjoint(pieces)
    for slot in lost:
        names.slots.pop(slot, None)
        slot_at = {p: s for p, s in slot_at.items() if s != slot}
    row_pieces = [
        Piece(s.start, _piece_end(s, hay) if s.how == "run" else s.end, f"row.{row_slots[p]}")
        for p, s in picked[0].items()
    ]
    inner = assemble(hay.text[: window[0][1]], sorted(row_pieces, key=lambda p: p.start), lang, window[0][0])
    sep = escape(seps[0])
    loop = f"{{% for row in rows %}}{inner}{{% if not loop.last %}}{sep}{{% endif %}}{{% endfor %}}"
    before = assemble(hay.text[:lo], [p for p in pieces if p.end <= lo], lang)
    after = assemble(hay.text, [p for p in pieces if p.start >= hi], lang, hi)
    row = _node(arguments, rows[0])
    record = _with_slots(
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
        call = _with_slots(arguments, {p: s for p, s in slot_at.items() if p[: len(base)] != base}, ())
        call = _replace(call, base, {"$rows": record}, arguments)
    fixed = ["/".join(map(str, leaf.place)) for leaf in [*shared_leaves, *outside] if leaf.place not in slot_at]
    return Harvested(tool.method, lang, before + loop + after, call, names.slots, "rows", [], fixed)


def leaf_at(own: Sequence[Leaf], place: Place, depth: int) -> Leaf:
    return next(leaf for leaf in own if leaf.place[depth:] == place)


def _node(tree: Any, place: Place) -> Any:
    for part in place:
        tree = tree[part]
    return tree


def _replace(call: Any, base: Place, value: Any, arguments: Any) -> Any:
    """Put `value` at a place of a call that `_with_slots` made (records there are a list of pairs)."""
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


# ---------------------------------------------------------------- writing the template


def _with_slots(node: Any, slot_at: dict[Place, str], place: Place, row_slots: dict[Place, str] | None = None) -> Any:
    """The call with slots where values go; records become [{"key", "record"}], since a slot cannot be a JSON key."""
    if place in slot_at and not isinstance(node, dict):
        return {"$row" if row_slots and place in row_slots else "$": slot_at[place]}
    if isinstance(node, dict):
        if place == () and "Assign" in node and isinstance(node["Assign"], dict):
            records = [
                {
                    "key": {"$": slot_at[("Assign", k)]} if ("Assign", k) in slot_at else k,
                    "record": _with_slots(v, slot_at, ("Assign", k)),
                }
                for k, v in node["Assign"].items()
            ]
            return {**{k: _with_slots(v, slot_at, (k,)) for k, v in node.items() if k != "Assign"}, "Assign": records}
        return {k: _with_slots(v, slot_at, (*place, k), row_slots) for k, v in node.items()}
    if isinstance(node, list):
        return [_with_slots(v, slot_at, (*place, i), row_slots) for i, v in enumerate(node)]
    return node


def _disjoint(pieces: list[Piece]) -> tuple[list[Piece], set[str]]:
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
    return re.sub(r"\{(?=[{%#])", "{{ '{' }}", text)


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


def to_block(h: Harvested, ident: str) -> str:
    """The template as it is kept in a file."""
    return f"[{h.method} {ident}]\n{h.text}\n=> {json.dumps(h.call, ensure_ascii=False)}\n:: {json.dumps(h.slots, ensure_ascii=False)}\n"


__all__ = ["Decimal", "Harvested", "harvest", "number_evidence", "to_block"]
