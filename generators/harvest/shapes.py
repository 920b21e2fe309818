"""The template of one request, by the shape of its call.

`rows`: the records or items are listed in words of one pattern. `each`: one statement for all records, whose numbers are said as a run. `fixed`: anything
else, with slots where they are certain. A value whose words are not certain stays as it is, in the words and in the call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gennx.generators.evidence import Haystack, run_evidence, sequence_evidence
from gennx.generators.grounding import Ungrounded, check, without_unsaid
from gennx.generators.harvest.assembly import Harvested, Names, Piece, assemble, disjoint, with_slots
from gennx.generators.harvest.binding import Variable
from gennx.generators.harvest.presentation import piece_end, unfit
from gennx.generators.harvest.rows import as_rows
from gennx.generators.harvest.variables import bind_all, freeze_related, settle_leftovers, unsaid_dims, variables_of
from gennx.generators.leaves import Leaf, Place, call_leaves
from gennx.generators.lexicon import Lexicon
from gennx.schemas.catalogue import Tool


def harvest(text: str, lang: str, tool: Tool, arguments: dict[str, Any], lexicon: Lexicon) -> Harvested:
    """The template of one request. `unsaid` lists the values that nothing in the text says."""
    hay = Haystack(text)
    arguments = without_unsaid(text, tool, arguments, lexicon)
    unsaid = check(text, tool, arguments, lexicon, hay)
    leaves = call_leaves(tool, arguments)
    for attempt in (as_rows, _each):
        found = attempt(hay, lang, tool, arguments, leaves, lexicon, unsaid)
        if found is not None:
            return found
    return _fixed(hay, lang, tool, arguments, leaves, lexicon, unsaid)


def _fixed(
    hay: Haystack,
    lang: str,
    tool: Tool,
    arguments: dict[str, Any],
    leaves: Sequence[Leaf],
    lexicon: Lexicon,
    unsaid: list[Ungrounded],
) -> Harvested:
    variables = _key_run(leaves, hay, tool) + variables_of([x for x in leaves], lexicon, hay, tool)
    variables = _drop_covered(variables)
    bind_all(variables, hay, lexicon)
    freeze_related(variables, unsaid_dims(variables, lexicon, tool, hay))
    settle_leftovers(hay, variables)
    names, pieces, slot_at = Names(), [], {}
    for v in variables:
        if not v.bound:
            continue
        slot = names.slot(v, hay)
        for b in v.bound:
            pieces.append(Piece(b.start, piece_end(b, hay), slot))
        for leaf in v.leaves:
            slot_at[leaf.place] = slot
    pieces, lost = disjoint(pieces)
    for slot in lost:
        names.slots.pop(slot, None)
        slot_at = {p: s for p, s in slot_at.items() if s != slot}
    call = with_slots(arguments, slot_at, ())
    text = assemble(hay.text, pieces, lang)
    fixed = ["/".join(map(str, x.place)) for x in leaves if x.place not in slot_at and x.kind not in ("empty",)]
    return Harvested(tool.method, lang, text, call, names.slots, "fixed", unsaid, fixed)


def _key_run(leaves: Sequence[Leaf], hay: Haystack, tool: Tool) -> list[Variable]:
    """The ids of a read or removal said as one run."""
    ids = [x for x in leaves if x.field == "ids" and isinstance(x.value, int)]
    if len(ids) < 2:
        return []
    spans = [s for s in run_evidence([x.value for x in ids], hay) if not unfit(s, hay)]
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
    spans = [s for s in run_evidence(keys, hay) if not unfit(s, hay)]
    if not spans:
        return None
    columns: dict[Place, list[Leaf]] = {}
    for leaf in leaves:
        if leaf.kind != "key":
            columns.setdefault(leaf.place[2:], []).append(leaf)
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
        elif (
            all(isinstance(v, int) and not isinstance(v, bool) for v in values)
            and (found := list(run_evidence(values, hay, ordered=True)))
        ) or (
            all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
            and (found := list(sequence_evidence(values, column[0].note, hay)))
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
    variables = [key_var, *(v for _, _, v in along if v), *variables_of(shared, lexicon, hay, tool)]
    bind_all(variables, hay, lexicon)
    freeze_related(variables, unsaid_dims(variables, lexicon, tool, hay))
    settle_leftovers(hay, variables)
    if not key_var.bound or any(v and not v.bound for _, _, v in along):
        return None
    names, pieces, slot_at = Names(), [], {}
    for v in variables:
        if v.bound:
            slot = names.slot(v, hay, **({"along": True} if any(v is a for _, _, a in along) else {}))
            pieces += [Piece(b.start, piece_end(b, hay), slot) for b in v.bound]
            for leaf in v.leaves:
                slot_at[leaf.place] = slot
    pieces, lost = disjoint(pieces)
    if slot_at.get(("Assign",)) in lost or any(v and slot_at.get(v.leaf.place) in lost for _, _, v in along):
        return None
    for slot in lost:
        names.slots.pop(slot, None)
        slot_at = {p: s for p, s in slot_at.items() if s != slot}
    first = next(iter(records))
    record = with_slots(records[first], {p[2:]: s for p, s in slot_at.items() if len(p) > 2}, ())
    for place, how, said in along:
        _put(record, place, {"$key": True} if how == "key" or said is None else {"$each": slot_at[said.leaf.place]})
    call = {"Assign": [{"each": slot_at[("Assign",)], "record": record}]}
    fixed = ["/".join(map(str, x.place[2:])) for x in shared if x.place not in slot_at]
    return Harvested(tool.method, lang, assemble(hay.text, pieces, lang), call, names.slots, "each", unsaid, fixed)


def _put(node: Any, place: Place, value: Any) -> None:
    for part in place[:-1]:
        node = node[part]
    node[place[-1]] = value
