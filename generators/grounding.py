"""Confirm that every leaf of a call is said in the finished text, or follows by a stated rule.

Independent of whatever made the text: it sees the text, the call, the catalogue and the words of the endpoint, nothing else."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from gennx.emulator.rules import default_rules
from gennx.generators.evidence import Haystack, evidence, number_evidence, run_evidence
from gennx.generators.leaves import NUMBERED, Leaf, Place, call_leaves, elements
from gennx.generators.lexicon import Lexicon
from gennx.schemas.catalogue import Tool

DOWN = re.compile(
    r"아래|하향|연직|중력|밑으로|내려|압축|흡입|부압|음의|마이너스|반대|인장|하강|침하|줄|낮|지하|좌|왼|서쪽|남쪽|냉각|강하|영하|빠|감소|뒤|후방|"
    r"down|gravity|negative|minus|below|suction|uplift|compress|tension|opposite|against|lower|drop|settle|cool|fall|south|west|left|"
    r"back|reverse|under|hang|hung|weigh|dead load|pull|매달|걸려|무게|눌러|누르|누름|처짐|자중|inward|outward|away|sink|\(-\)|−|(?<!\d)-\s?[XYZxyz]|[XYZxyz]\s?\(?-",
    re.I,
)


FROM_AFTER = re.compile(r"부터|번호|순|~|차례|에서|번째|to\b|through|onward|-")


FROM_BEFORE = re.compile(r"from|start|begin|onward|number", re.I)


STEPPED = re.compile(r"간격|씩|건너|마다|step|\bby\b|every|increment|spac", re.I)


NEW_KEY = re.compile(r"NEW\d+")


@dataclass(frozen=True, slots=True)
class Ungrounded:
    """A leaf that nothing in the text says."""

    place: str
    value: Any

    def __str__(self) -> str:
        return f"{self.place} = {self.value!r} is not said in the text"


def follows(leaf: Leaf, lexicon: Lexicon, tool: Tool) -> bool:
    """True if a stated rule gives the leaf's value: a serial number, or a rule of the endpoint's words."""
    kind = leaf.note.get("kind")
    if leaf.kind == "key":
        return tool.endpoint.single or (isinstance(leaf.value, str) and NEW_KEY.fullmatch(leaf.value) is not None)
    if leaf.kind == "empty" and tool.endpoint.empty_ok:
        return True
    if kind == "serial" or (
        kind == "item_id" and isinstance(leaf.place[-2], int) and leaf.value in (0, int(leaf.place[-2]) + 1)
    ):
        return True
    if leaf.slot and is_default(leaf):
        return True
    return any(_rule_holds(rule, leaf) for rule in lexicon.rules(leaf.field))


def is_default(leaf: Leaf) -> bool:
    """True if the leaf holds what the program takes anyway."""
    return bool(leaf.value == leaf.default) and isinstance(leaf.value, bool) == isinstance(leaf.default, bool)


def without_unsaid(text: str, tool: Tool, arguments: dict[str, Any], lexicon: Lexicon) -> dict[str, Any]:
    """The call with nothing in it that the text leaves open: a creation without optional fields that hold their default, a change without codes that only a
    rule gives (the type of a thickness whose value changes), where the call still holds without them."""
    hay = Haystack(text)
    leaves = call_leaves(tool, arguments)
    if tool.method == "POST":
        gone = [x.place for x in leaves if is_default(x) and x.optional and not _grounded(x, lexicon, hay, tool)]
        return without(arguments, gone) if gone else arguments
    if tool.method != "PUT" or not tool.endpoint.is_table:
        return arguments
    codes = [x for x in leaves if x.kind in ("enum", "boolean") and not any(isinstance(p, int) for p in x.place)]
    said = {x.field for x in codes if not _ruled(x, lexicon) or next(evidence(x, lexicon, hay), None) is not None}
    gone = [x.place for x in codes if x.field not in said]
    if not gone:
        return arguments
    changed = _without_empty(without(arguments, gone))
    kept = changed.get("Assign", {})
    whole = len(kept) == len(arguments["Assign"]) and all(kept.values())
    if not whole or not default_rules().validation.valid(tool, changed):
        return arguments
    more = check(text, tool, changed, lexicon, hay)  # a number that followed from a switch that is gone
    return arguments if len(more) > len(check(text, tool, arguments, lexicon, hay)) else changed


def _ruled(leaf: Leaf, lexicon: Lexicon) -> bool:
    return any(_rule_holds(rule, leaf) for rule in lexicon.rules(leaf.field))


def has_usual_value(leaf: Leaf, lexicon: Lexicon) -> bool:
    """True if a stated rule gives the field a value, this one or another, where nothing is said of it: then it is never missing."""
    return any(_rule_applies(rule, leaf) for rule in lexicon.rules(leaf.field))


def _without_empty(node: dict[str, Any], depth: int = 0) -> dict[str, Any]:
    """Without objects that have nothing left in them, records aside."""
    inner = {k: _without_empty(v, depth + 1) if isinstance(v, dict) else v for k, v in node.items()}
    return {k: v for k, v in inner.items() if v != {} or depth < 1}


def without(node: Any, places: Sequence[Place], place: Place = ()) -> Any:
    """Copy of arguments without what stands at those places."""
    if isinstance(node, dict):
        return {k: without(v, places, (*place, k)) for k, v in node.items() if (*place, k) not in places}
    if isinstance(node, list):
        return [without(v, places, (*place, i)) for i, v in enumerate(node)]
    return node


def _rule_holds(rule: dict[str, Any], leaf: Leaf) -> bool:
    if "value" in rule and leaf.value != rule["value"]:
        return False
    if "same_as" in rule and (not isinstance(leaf.holder, dict) or leaf.value != leaf.holder.get(rule["same_as"])):
        return False
    return _rule_applies(rule, leaf)


def _rule_applies(rule: dict[str, Any], leaf: Leaf) -> bool:
    return all(_meets(_reach(leaf.holder, path), wanted) for path, wanted in rule.get("if", {}).items())


def _reach(node: Any, path: str) -> Any:
    """Value at a dotted path below the object that holds the leaf, None where there is none; numbers step into arrays."""
    for part in path.split("."):
        if isinstance(node, dict):
            node = node.get(part)
        elif isinstance(node, list) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        else:
            return None
    return node


def _meets(value: Any, wanted: Any) -> bool:
    match wanted:
        case "present":
            return value is not None
        case "absent":
            return value is None
        case {"starts": start}:
            return isinstance(value, str) and value.startswith(start)
        case {"ends": end}:
            return isinstance(value, str) and value.endswith(end)
        case list():
            return value in wanted
        case _:
            return bool(value == wanted)


def padded(leaf: Leaf, index: int) -> bool:
    """True for a zero in an array of numbers that has others: what is not said of a vector or a list of components is zero."""
    return isinstance(leaf.value, list) and leaf.value[index] == 0 and any(v != 0 for v in leaf.value)


def check(
    text: str, tool: Tool, arguments: dict[str, Any], lexicon: Lexicon, hay: Haystack | None = None
) -> list[Ungrounded]:
    """Leaves of the call that the text does not say; empty when all is grounded."""
    hay = hay or Haystack(text)
    leaves = call_leaves(tool, arguments)
    keys = [leaf for leaf in leaves if leaf.kind == "key"]
    said_keys = _keys_said(keys, hay)
    out = []
    known: dict[tuple[str, str], bool] = {}
    for leaf in leaves:
        if leaf.kind == "key" and (said_keys or leaf.value == "" or not isinstance(leaf.value, (int, str))):
            continue
        memo = (leaf.field, repr(leaf.value))
        if memo not in known:
            known[memo] = _grounded(leaf, lexicon, hay, tool)
        if not known[memo] and not _by_sequence(leaf, leaves, hay):
            out.append(Ungrounded("/".join(map(str, leaf.place)), leaf.value))
    return out


def _keys_said(keys: Sequence[Leaf], hay: Haystack) -> bool:
    values = [k.value for k in keys if isinstance(k.value, int)]
    if len(values) < 2:
        return False
    if next(run_evidence(values, hay), None) is not None:
        return True
    return _counts_up(values, hay)


def _counts_up(values: Sequence[int], hay: Haystack) -> bool:
    """Numbers from a stated first one on: "번호는 301부터", "1001번부터 10 간격으로 8개"."""
    step = values[1] - values[0]
    if step <= 0 or list(values) != list(range(values[0], values[0] + step * len(values), step)):
        return False
    numbers = hay.reading.numbers
    firsts = [n for n in numbers if n.value == values[0]]
    begun = any(
        FROM_AFTER.search(hay.text[n.end : n.end + 14]) or FROM_BEFORE.search(hay.text[max(0, n.start - 24) : n.start])
        for n in firsts
    )
    if not begun:
        return False
    if step == 1:
        return True
    stepped = any(n.value == step for n in numbers) and STEPPED.search(hay.text) is not None
    return stepped and any(n.value in (len(values), values[-1]) for n in numbers)


def _by_sequence(leaf: Leaf, leaves: Sequence[Leaf], hay: Haystack) -> bool:
    """A value of an evenly spaced column (좌표 0부터 3.2 m씩): the step is said, and the first value is said or zero."""
    if leaf.kind != "number":
        return False
    column = [other for other in leaves if other.field == leaf.field and other.kind == "number"]
    numbers = list(dict.fromkeys(c.value for c in column))
    counted = leaf.note.get("kind") in NUMBERED and len(numbers) > 2 and all(isinstance(n, int) for n in numbers)
    if counted and next(run_evidence(numbers, hay), None) is not None:
        return True
    values = sorted({Decimal(repr(c.value)) for c in column})
    if len(values) < 2:
        return False
    steps = {b - a for a, b in itertools.pairwise(values)}
    note = leaf.note
    for step in steps:
        if next(number_evidence(float(abs(step)), note, hay), None) is None:
            return False
    first = values[0] if abs(values[0]) <= abs(values[-1]) else values[-1]
    return first == 0 or next(number_evidence(float(first), note, hay), None) is not None


def _grounded(leaf: Leaf, lexicon: Lexicon, hay: Haystack, tool: Tool) -> bool:
    if follows(leaf, lexicon, tool):
        return True
    for found in evidence(leaf, lexicon, hay):
        if found.how in ("number",) and found.detail[3] and not DOWN.search(hay.text):
            continue
        return True
    if leaf.kind == "list" and leaf.value:
        return (
            all(
                padded(leaf, i)
                if not isinstance(leaf.value[i], list) and padded(leaf, i)
                else _grounded(part, lexicon, hay, tool)
                for i, part in enumerate(elements(leaf))
            )
            if not any(isinstance(v, list) for v in leaf.value)
            else all(_grounded(p, lexicon, hay, tool) for p in elements(leaf))
        )
    return False
