"""The values of a call as a request says them, each bound to its words where those are certain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gennx.generators.evidence import Evidence, Haystack, evidence
from gennx.generators.grounding import follows
from gennx.generators.harvest.binding import ID_TAG_AFTER, ID_TAG_BEFORE, Variable, bind
from gennx.generators.harvest.presentation import piece_end, spans_of
from gennx.generators.leaves import Leaf, elements, is_numbered
from gennx.generators.lexicon import Lexicon
from gennx.schemas.catalogue import Tool


def variables_of(leaves: Sequence[Leaf], lexicon: Lexicon, hay: Haystack, tool: Tool) -> list[Variable]:
    """A variable for each value; arrays that are not said as a whole fall apart into their members; like values of one field
    that are said once go together."""
    out: list[Variable] = []
    for leaf in leaves:
        if leaf.kind in ("boolean", "empty"):
            continue
        if leaf.kind == "key" and tool.endpoint.single:
            continue
        if leaf.kind == "list":
            spans = spans_of(leaf, lexicon, hay)
            if spans:
                out.append(Variable([leaf], spans))
            else:
                out += [
                    Variable([e], spans_of(e, lexicon, hay)) for e in elements(leaf) if not isinstance(e.value, bool)
                ]
            continue
        out.append(Variable([leaf], spans_of(leaf, lexicon, hay)))
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


def bind_all(variables: Sequence[Variable], hay: Haystack, lexicon: Lexicon) -> None:
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
        if len({hay.text[s.start : s.end].lower() for s in v.spans}) > 1 and any(
            not _touches(s, [(b.start, b.end) for b in v.bound]) for s in v.spans
        ):
            v.bound = []


def _touches(span: Evidence, taken: Sequence[tuple[int, int]]) -> bool:
    return any(span.start < b and a < span.end for a, b in taken)


def freeze_related(variables: Sequence[Variable], unsaid_dims: set[str]) -> None:
    """A number that is nowhere said was worked out from others: those of its dimension must stay."""
    for v in variables:
        if v.bound and v.bound[0].how in ("number", "sequence", "run") and dimension_of(v.leaf) in unsaid_dims:
            v.bound = []


def dimension_of(leaf: Leaf) -> str:
    if leaf.kind == "key" or is_numbered(leaf.field, leaf.note) or str(leaf.note.get("kind", "")).endswith("_id"):
        return "id"
    return str(leaf.note.get("dim", "none"))


def unsaid_dims(variables: Sequence[Variable], lexicon: Lexicon, tool: Tool, hay: Haystack) -> set[str]:
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
            out.add(dimension_of(v.leaf))
    return out


def mentioned_elsewhere(hay: Haystack, taken: Sequence[tuple[int, int]], numbers: set[int]) -> set[int]:
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


def settle_leftovers(hay: Haystack, variables: Sequence[Variable]) -> None:
    """A record number that also stands unbound elsewhere ("12번은 ... 12번 빼고") stays as it is."""
    taken = [(b.start, piece_end(b, hay)) for v in variables for b in v.bound]
    ids = {n for v in variables if v.bound and dimension_of(v.leaf) == "id" for n in numbers_in(v.value)}
    loose = mentioned_elsewhere(hay, taken, ids)
    for v in variables:
        if v.bound and dimension_of(v.leaf) == "id" and loose & numbers_in(v.value):
            v.bound = []


def numbers_in(value: Any) -> set[int]:
    if isinstance(value, list):
        return {n for v in value for n in numbers_in(v)}
    return {value} if isinstance(value, int) and not isinstance(value, bool) else set()
