"""Decide which words of a request say which values of its call, and leave alone what is not certain.

A `Variable` is one value, or several that the request says once. Each has spans that may say it; variables that compete for spans are
settled together by a score (unit, counter, field name nearby, order). Where the best answer is not clearly best, nothing is bound: the words stay as they
are and the value stays fixed, so that words and call can never part.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from gennx.generators.evidence import Evidence, Haystack
from gennx.generators.leaves import Leaf, is_numbered
from gennx.generators.lexicon import Lexicon

ID_TAG_AFTER = re.compile(r"\s?(?:번|호)(?!째)")
ID_TAG_BEFORE = re.compile(
    r"(?:절점|요소|부재|번호|노드|재료|재질|단면|#|no\.?|node|joint|element|elem|member|beam|plate|number|id|section|material)s?\s?(?:no\.?|번호)?\s?[#:=]?\s?$",
    re.I,
)
OTHER_COUNTER = re.compile(
    r"\s?(?:층|월|일|시(?!간)|년|동|호기|F\b|차|층짜리|개동|인|명|page|쪽|장|rev|th\b|st\b|nd\b|rd\b|storey|story|floor)",
    re.I,
)
GLUED_OK = re.compile(r"(?<![A-Za-z])[XYZxyztTBHDLPkE@]$")  # X3.5, t200: the letter names the quantity
MAX_TOGETHER = 6
Choice = tuple[float, float, tuple[tuple[int, int], ...]]
"""Score, share of places in the order of the call, places of a component's values."""
FACT_KINDS = frozenset({"grade", "standard", "section_name", "shape", "code_name"})


@dataclass(slots=True)
class Variable:
    """One value of the call as the request says it. `leaves` hold it; `spans` may say it; `bound` do."""

    leaves: list[Leaf]
    spans: list[Evidence] = field(default_factory=list)
    bound: list[Evidence] = field(default_factory=list)

    @property
    def leaf(self) -> Leaf:
        return self.leaves[0]

    @property
    def value(self) -> Any:
        return self.leaves[0].value


def score(variable: Variable, span: Evidence, hay: Haystack, lexicon: Lexicon) -> float:
    """How well a span fits a variable by what stands around it."""
    leaf, text = variable.leaf, hay.text
    before, after = text[max(0, span.start - 24) : span.start], text[span.end : span.end + 10]
    total = 0.0
    if span.how == "number":
        number, factor, unit, _ = span.detail
        numbered = leaf.kind == "key" or is_numbered(leaf.field, leaf.note)
        dimension = leaf.note.get("dim", "none")
        if number.unit is not None and unit == number.unit:
            total += 3 if dimension != "none" else -1
        elif dimension != "none" and factor == 1:
            total += 0.3
        if numbered:
            total += 2 if ID_TAG_AFTER.match(text[number.end :]) else 0
            total += 2 if ID_TAG_BEFORE.search(before) else 0
        elif ID_TAG_AFTER.match(text[number.end :]):
            total -= 1.5
        if (
            OTHER_COUNTER.match(text[number.end :])
            and number.unit is None
            and leaf.note.get("kind") not in ("story_id", "day", "stage_id")
        ):
            total -= 3
        if number.word and number.unit is None:  # 하나, two sides: a count, or no value at all
            total -= 5 if number.value == 1 else 0.5 if leaf.note.get("kind") == "count" else 2.5
        if number.glued and (number.end - number.start == 1 or not GLUED_OK.search(before)):
            total -= 4
    total += _named(leaf, before, after, lexicon)
    return total


def _named(leaf: Leaf, before: str, after: str, lexicon: Lexicon) -> float:
    low = before.lower()
    best = 0.0
    for name in [*lexicon.called(leaf), leaf.field.rsplit(".", 1)[-1]]:
        name = name.lower()
        at = low.rfind(name)
        if at >= 0 and not re.search(r"\d", low[at + len(name) :]):
            best = max(best, 3.0 - 0.05 * (len(low) - at - len(name)))
        elif len(name) > 1 and after.lower().lstrip().startswith(name):
            best = max(best, 1.5)
    return best


def _siblings(variables: Sequence[Variable]) -> bool:
    """True if the values belong to one object or one array, so that their order in the text is the order in the call."""
    return len({tuple(p for p in v.leaf.place[:-1]) for v in variables}) == 1


def _components(variables: Sequence[Variable]) -> list[list[Variable]]:
    """Variables that compete for the same words, together."""
    parts: list[tuple[list[Variable], list[tuple[int, int]]]] = []
    for variable in variables:
        own = [(s.start, s.end) for s in variable.spans]
        touching = [p for p in parts if any(a < d and c < b for a, b in own for c, d in p[1])]
        merged: tuple[list[Variable], list[tuple[int, int]]] = ([variable], own)
        for part in touching:
            merged = ([*part[0], *merged[0]], [*part[1], *merged[1]])
            parts.remove(part)
        parts.append(merged)
    return [p[0] for p in parts]


def bind(variables: Iterable[Variable], hay: Haystack, lexicon: Lexicon) -> None:
    """Fill `bound` of every variable whose words are certain."""
    with_spans = [v for v in variables if v.spans]
    for component in _components(with_spans):
        _settle(component, hay, lexicon, with_spans)


def _in_order(tied: Sequence[Choice], component: Sequence[Variable], variables: Sequence[Variable]) -> bool:
    """Whether the first choice, equal numbers of one object in the order of the call, is borne out by the object's numbers that are certain: no other
    choice keeps what stands side by side in the call closer together in the text (it would where the second point is said before the first)."""
    holder = component[0].leaf.place[:-1]
    near = [v for v in variables if v in component or (v.leaf.place[:-1] == holder and len(_distinct(v.spans)) == 1)]

    def stretch(choice: Choice) -> int:
        starts = {v.leaf.place: place[0] for v, place in zip(component, choice[2], strict=True)}
        said = [starts.get(v.leaf.place, v.spans[0].start) for v in near]
        rank = {start: n for n, start in enumerate(sorted(said))}
        return sum(abs(rank[a] - rank[b]) for a, b in itertools.pairwise(said))

    return stretch(tied[0]) == min(map(stretch, tied))


def _settle(component: list[Variable], hay: Haystack, lexicon: Lexicon, variables: Sequence[Variable]) -> None:
    if len(component) == 1:
        _settle_one(component[0], hay, lexicon)
        return
    spans = _distinct(s for v in component for s in v.spans)
    if (
        all(isinstance(v.value, str) and s.how == "text" for v in component for s in v.spans)
        and len({v.value for v in component}) == 1
    ):
        component.sort(key=lambda v: v.leaf.note.get("kind") not in FACT_KINDS)
        for v in component:  # one name in several fields, said once or more
            v.bound = spans
        return
    if len(component) > MAX_TOGETHER or len(spans) > MAX_TOGETHER + 2:
        return
    if len(spans) == 1:
        if _alike(component):
            for v in component:
                v.bound = [v.spans[0]]
        return
    if len(spans) < len(component):
        return
    table = [{(s.start, s.end): (score(v, s, hay, lexicon), s) for s in v.spans} for v in component]
    ranked: list[Choice] = []
    for choice in itertools.permutations([(s.start, s.end) for s in spans], len(component)):
        if any(c not in t for c, t in zip(choice, table, strict=True)) or _overlap(choice):
            continue
        total = sum(t[c][0] for c, t in zip(choice, table, strict=True))
        order = sum(a < b for a, b in itertools.pairwise(choice)) / max(1, len(choice) - 1)
        ranked.append((total, order, choice))
    if not ranked:
        return
    ranked.sort(key=lambda r: (-r[0], -r[1], r[2]))
    best = ranked[0]
    if len(ranked) > 1 and best[0] - ranked[1][0] < 1.0:
        if not _siblings(component) or len(spans) != len(component):
            return
        tied = [r for r in ranked if best[0] - r[0] < 0.5]
        if best[1] != 1.0 or (spans[0].how == "number" and not _in_order(tied, component, variables)):
            return
    if len(spans) > len(component) and any(
        (s.start, s.end) not in best[2]
        and max(score(v, s, hay, lexicon) for v in component if any(x.start == s.start for x in v.spans)) > -1.5
        for s in spans
    ):
        return  # another word says the same number and nothing tells what it is for
    for v, c, t in zip(component, best[2], table, strict=True):
        v.bound = [t[c][1]]


def _settle_one(variable: Variable, hay: Haystack, lexicon: Lexicon) -> None:
    spans = _distinct(variable.spans)
    if len(spans) == 1:
        if score(variable, spans[0], hay, lexicon) > -2:
            variable.bound = spans
        return
    if spans[0].how == "text":  # a name said twice is the same name
        variable.bound = spans
        return
    scored = sorted(((score(variable, s, hay, lexicon), s) for s in spans), key=lambda p: -p[0])
    good = [s for value, s in scored if value > -1.5]
    if len(good) == 1:
        variable.bound = good
    elif len({_look(s, hay) for s in good}) == 1 and good:
        variable.bound = good  # said again in the same manner: both change together
    elif scored[0][0] - scored[1][0] >= 2.5 and scored[1][0] <= -1:
        variable.bound = [scored[0][1]]


def _look(span: Evidence, hay: Haystack) -> str:
    return hay.text[span.start : span.end] + hay.text[span.end : span.end + 1]


def _alike(component: Sequence[Variable]) -> bool:
    """Values that one word may say together: the same field of several objects, or fields of one kind side by side."""
    if len({repr(v.value) for v in component}) == 1 and all(
        v.leaf.kind == "key" or is_numbered(v.leaf.field, v.leaf.note) for v in component
    ):
        return any(v.leaf.kind == "key" for v in component)  # a record's number and its copy in a field
    notes = {(v.leaf.note.get("kind"), v.leaf.note.get("dim"), v.leaf.kind) for v in component}
    return (
        len(notes) == 1
        and len({repr(v.value) for v in component}) == 1
        and (
            len({v.leaf.field for v in component}) == 1
            or len({v.leaf.field.rpartition(".")[0] for v in component}) == 1
        )
    )


def _overlap(choice: Sequence[tuple[int, int]]) -> bool:
    ordered = sorted(choice)
    return any(b[0] < a[1] for a, b in itertools.pairwise(ordered))


def _distinct(spans: Iterable[Evidence]) -> list[Evidence]:
    seen: dict[tuple[int, int], Evidence] = {}
    for s in spans:
        seen.setdefault((s.start, s.end), s)
    return sorted(seen.values(), key=lambda s: s.start)
