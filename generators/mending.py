"""Put right what the conversation settles in a written call: quantities whose units were left as they were said or converted wrongly, and names copied wrongly
(`copying`).

A small model copies numbers well and multiplies badly (2.4 tonf/m is 23.53596 kN/m). What a stated quantity is in the model's units is a matter of arithmetic,
so it is not left to the model: a number of a call that nobody said, but that stands for one that somebody did, is replaced by it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from gennx.emulator.rules import default_rules
from gennx.generators.copying import copied
from gennx.generators.doubts import Doubts, Message, doubts, lexicon_of_tool, said_in
from gennx.generators.evidence import Haystack, number_evidence
from gennx.generators.leaves import Leaf, call_leaves, elements

NEAR = Decimal("0.1")
"""How far off a conversion may be and still be taken for one, as a share of the true value."""


def mended(
    messages: Sequence[Message], calls: Sequence[dict[str, Any]], found: Doubts | None = None
) -> list[dict[str, Any]] | None:
    """The calls (`{"name", "arguments"}`) with such values put right; None where there are none, or where more values than before would not be borne out.
    `found`: their doubts, where they are known already."""
    found = found or doubts(messages, calls)
    if found.invalid:
        return None
    places = {gap.place for gap in found.unsaid}
    hay = said_in(messages)
    new = copy.deepcopy(list(calls))
    changed = unsaid = False
    for call in new:
        tool = default_rules().catalogue.named(str(call["name"]))
        if tool is None:
            continue
        leaves = call_leaves(tool, call["arguments"])
        for leaf, name in copied(leaves, places, lexicon_of_tool(tool), hay):
            _put(call["arguments"], leaf.place, name)
            changed = True
        for leaf in _numbers(leaves, places):
            value = _meant(leaf, hay)
            if value is not None:
                _put(call["arguments"], leaf.place, int(value) if value.is_integer() else value)
                changed = unsaid = True
    if not changed:
        return None
    after = doubts(messages, new)
    return new if not after.invalid and len(after.unsaid) <= len(found.unsaid) - unsaid else None


def _numbers(leaves: Sequence[Leaf], places: set[str]) -> Iterator[Leaf]:
    """Measured numbers at those places, those of a plain array one by one."""
    for leaf in leaves:
        if "/".join(map(str, leaf.place)) in places:
            for part in elements(leaf) if leaf.kind == "list" else [leaf]:
                if part.kind == "number" and part.value and part.note.get("dim", "none") != "none":
                    yield part


def _meant(leaf: Leaf, hay: Haystack) -> float | None:
    """The one quantity that a number stands for: the same figure in another unit, off by thousands, a conversion a little off,
    or off by another power of ten beside its own unit."""
    note = leaf.note
    if next(number_evidence(leaf.value, note, hay), None) is not None:
        return None
    size = hay.size(note["dim"])
    said = [
        (abs(number.value), abs(meant / size), number.unit is not None)
        for number, meanings in hay.meanings(note["dim"], note.get("kind", ""))
        for meant, _, unit, _ in meanings
        if unit is not None and meant and not number.glued
    ]
    wrote = abs(Decimal(repr(leaf.value)))
    alike = (
        {true for figure, true, _ in said if figure == wrote},
        {true for figure, true, _ in said if _shifted(wrote / figure, 3) or _shifted(wrote / true, 3)},
        {true for _, true, own in said if own and abs(wrote - true) <= NEAR * true},
        {true for figure, true, own in said if own and (_shifted(wrote / figure) or _shifted(wrote / true))},
    )
    values = next((found for found in alike if found), set())
    if len(values) != 1:
        return None
    value = float(values.pop())
    return -value if leaf.value < 0 else value


def _shifted(ratio: Decimal, by: int = 1) -> bool:
    """Off by a power of ten, of so many digits at a time."""
    digits = ratio.normalize()
    return digits.as_tuple().digits == (1,) and digits.adjusted() % by == 0


def _put(node: Any, place: Sequence[Any], value: Any) -> None:
    for step in place[:-1]:
        node = node[step]
    node[place[-1]] = value
