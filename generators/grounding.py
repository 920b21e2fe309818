"""Confirm that every leaf of a call is said in the finished text, or follows by a stated rule.

Independent of whatever made the text: it sees the text, the call, the catalogue and the words of the endpoint, nothing else.
The harvester uses the same eye to find where a value is said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from gennx.generators import dofs
from gennx.generators.leaves import NUMBERED, Leaf, Place, call_leaves, elements
from gennx.generators.lexicon import Lexicon, Phrase
from gennx.generators.reading import Number, Reading, Run, expansions, read
from gennx.generators.units import factor_to
from gennx.schemas.catalogue import Tool

CASE_SUFFIX = re.compile(r"\((ST|CB|CS|RS|MV|TH|PO|SM)(:\w+)?\)$")
STANDARD_SUFFIX = re.compile(r"\((RC|S|AL|T)\)$")
ID_RANGE = re.compile(r"(\d+)\s?to\s?(\d+)(?:\s?by\s?(\d+))?")
DOWN = re.compile(
    r"아래|하향|연직|중력|밑으로|내려|압축|흡입|부압|음의|마이너스|반대|인장|하강|침하|줄|낮|지하|좌|왼|서쪽|남쪽|냉각|강하|영하|빠|감소|뒤|후방|"
    r"down|gravity|negative|minus|below|suction|uplift|compress|tension|opposite|against|lower|drop|settle|cool|fall|south|west|left|"
    r"back|reverse|under|hang|hung|weigh|dead load|pull|매달|걸려|무게|눌러|누르|누름|처짐|자중|inward|outward|away|sink|\(-\)|−|(?<!\d)-\s?[XYZxyz]|[XYZxyz]\s?\(?-",
    re.I,
)
NEGATIVE = re.compile(
    r"안\s|않|없|끄|꺼|끔|오프|해제|말고|빼|제외|무시|미[가-힣]|아니|생략|불필요|비[가-힣]|말아|끊|못|X(?![a-z])|\boff\b|\bno\b|\bnot\b|n't|without|exclud|ignor|"
    r"disable|\bfalse\b|omit|skip|turn(?:ed)? off|unchecked|leave out|drop|neither|\bnone\b|instead|non-?",
    re.I,
)
FROM_AFTER = re.compile(r"부터|번호|순|~|차례|에서|번째|to\b|through|onward|-")
FROM_BEFORE = re.compile(r"from|start|begin|onward|number", re.I)
STEPPED = re.compile(r"간격|씩|건너|마다|step|\bby\b|every|increment|spac", re.I)
NEW_KEY = re.compile(r"NEW\d+")
EMPTY_WORDS = (
    "없음",
    "없이",
    "없는",
    "없고",
    "없",
    "빈",
    "비우",
    "비워",
    "none",
    "no ",
    "blank",
    "empty",
    "without",
    "-",
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Words that say a leaf: where they stand and how they say it (number, run, phrase, text, switch, follows)."""

    start: int
    end: int
    how: str
    detail: Any = None


@dataclass(frozen=True, slots=True)
class Ungrounded:
    """A leaf that nothing in the text says."""

    place: str
    value: Any

    def __str__(self) -> str:
        return f"{self.place} = {self.value!r} is not said in the text"


def _one(dimension: str) -> Decimal:
    return Decimal(1)


class Haystack:
    """A text prepared for finding phrases whatever their spacing and letter case.

    `size` tells how large the model's unit of a dimension is in kN and m: numbers with a unit are measured by it, bare numbers stand for
    themselves.
    """

    def __init__(self, text: str, size: Callable[[str], Decimal] = _one) -> None:
        self.text = text
        self.size = size
        self.reading: Reading = read(text)
        self.lower = text.lower()
        kept = [i for i, c in enumerate(text) if c not in " \t\n-_·‑"]
        self._at = kept
        self._squeezed = "".join(self.lower[i] for i in kept)

    def find(self, phrase: str) -> Iterator[tuple[int, int]]:
        """Spans of a phrase. Latin words must stand alone; a single Korean syllable must begin a word."""
        low = phrase.lower().strip()
        sign = low[0] if low and low[0] in "+-−" else ""
        wanted = "".join(c for c in low.lstrip("+-−") if c not in " \t\n-_·‑")
        if not wanted:
            return
        at = self._squeezed.find(wanted)
        while at >= 0:
            start, end = self._at[at], self._at[at + len(wanted) - 1] + 1
            if sign and self.text[:start].rstrip()[-1:] not in (("-", "−", "–") if sign in "-−" else ("+",)):
                pass  # -X is not X
            elif self._alone(wanted, start, end):
                yield start, end
            at = self._squeezed.find(wanted, at + 1)

    def _alone(self, wanted: str, start: int, end: int) -> bool:
        before = self.lower[start - 1] if start else " "
        after = self.lower[end] if end < len(self.lower) else " "
        if _latin(wanted[0]) and _latin(before):
            return False
        if _latin(wanted[-1]) and _latin(after):
            beyond = self.lower[end + 1] if end + 1 < len(self.lower) else " "
            if not (after == "s" and wanted[-1].isalpha() and not _latin(beyond)):
                return False
        return not (len(wanted) == 1 and _hangul(wanted) and _hangul(before))


def _latin(c: str) -> bool:
    return c.isascii() and c.isalnum()


def _hangul(c: str) -> bool:
    return "가" <= c <= "힣"


# ---------------------------------------------------------------- numbers


def same(a: Decimal, b: Decimal, loose: bool = False) -> bool:
    """Equal as people mean it: to nine digits, or to three where a fraction was said in words."""
    if a == b:
        return True
    scale = max(abs(a), abs(b))
    return abs(a - b) <= scale * (Decimal("0.002") if loose else Decimal("1e-6"))


def factors(number: Number, dimension: str, kind: str, units: Sequence[str]) -> Iterator[tuple[Decimal, str | None]]:
    """(factor, unit) under which a number may be meant for a field of that dimension."""
    if number.unit is not None:
        if number.unit in ("%", "％", "퍼센트", "percent", "프로"):
            yield Decimal("0.01"), "%"
            yield Decimal(1), "%"
            return
        if dimension == "none":
            yield Decimal(1), number.unit
            return
        factor = factor_to(number.unit, dimension)
        if factor is not None:
            yield factor, number.unit
        return
    yield Decimal(1), None
    if dimension == "none":
        if "%" in units:
            yield Decimal("0.01"), "%"
        return
    seen = {Decimal(1)}
    for unit in units:
        factor = factor_to(unit, dimension)
        if factor is not None and factor not in seen:
            seen.add(factor)
            yield factor, unit
    if dimension == "length" and abs(number.value) >= 10 and Decimal("0.001") not in seen:
        yield Decimal("0.001"), "mm"  # sizes said bare are millimetres: 400x600 기둥
    if kind in ("strength", "modulus", "stress") and Decimal(1000) not in seen:
        yield Decimal(1000), "MPa"


def number_evidence(value: float, note: dict[str, Any], hay: Haystack) -> Iterator[Evidence]:
    """Numbers of the text that say a value; `detail` is (number, factor, unit, sign said apart)."""
    plain = Decimal(repr(value))
    dimension, kind = note.get("dim", "none"), note.get("kind", "")
    measured = plain * hay.size(dimension)
    for number in hay.reading.numbers:
        for factor, unit in factors(number, dimension, kind, hay.reading.units):
            meant, wanted = number.value * factor, plain if unit is None else measured
            if same(meant, wanted, number.word or "/" in number.written):
                yield Evidence(number.start, number.tail, "number", (number, factor, unit, False))
                break
            if wanted < 0 and same(meant, -wanted, number.word) and meant > 0:
                yield Evidence(number.start, number.tail, "number", (number, factor, unit, True))
                break


def sequence_evidence(values: Sequence[float], note: dict[str, Any], hay: Haystack) -> Iterator[Evidence]:
    """Neighbouring numbers of the text that say the values in order; `detail` is the list of their evidence."""
    if len(values) < 2:
        return
    numbers = hay.reading.numbers
    columns = [{e.detail[0].start: e for e in number_evidence(v, note, hay)} for v in values]
    for first in columns[0].values():
        chain = [first]
        at = next(i for i, n in enumerate(numbers) if n is first.detail[0])
        for column in columns[1:]:
            nxt = next((n for n in numbers[at + 1 :] if n.start >= chain[-1].detail[0].end), None)
            if nxt is None or nxt.start - chain[-1].end > 16 or nxt.start not in column:
                break
            chain.append(column[nxt.start])
            at = numbers.index(nxt)
        if len(chain) == len(values) and len({(e.detail[1], e.detail[3]) for e in chain}) == 1:
            yield Evidence(chain[0].start, chain[-1].end, "sequence", chain)


def run_evidence(values: Sequence[int], hay: Haystack, ordered: bool = False) -> Iterator[Evidence]:
    """Runs of the text that mean just these whole numbers; `detail` is (run, style)."""
    wanted = list(values)
    for run in hay.reading.runs:
        for meant, style, end in expansions(hay.reading, run):
            if meant == wanted or (not ordered and len(meant) == len(wanted) and set(meant) == set(wanted)):
                yield Evidence(run.start, max(end, run.end), "run", (run, style))
                break
        else:
            yield from _part_of_run(wanted, run)


def _part_of_run(wanted: list[int], run: Run) -> Iterator[Evidence]:
    if run.style != "list" or len(run.values) <= len(wanted):
        return
    for i in range(len(run.values) - len(wanted) + 1):
        if run.values[i : i + len(wanted)] == wanted:
            members = run.members[i : i + len(wanted)]
            part = Run(members[0].start, members[-1].end, wanted, members, "list")
            yield Evidence(part.start, part.end, "run", (part, "list"))


# ---------------------------------------------------------------- other leaves


def phrase_evidence(leaf: Leaf, lexicon: Lexicon, hay: Haystack) -> list[Evidence]:
    """Spans of the phrases that say the leaf's value; of nested ones the longest, and none inside a longer phrase for another value.
    `detail` is the phrase."""
    found: list[Evidence] = []
    seen = set()
    for phrase in lexicon.phrases(leaf):
        if phrase.text in seen:
            continue
        seen.add(phrase.text)
        spans = list(hay.find(phrase.text))
        if spans:
            longer = [span for other in lexicon.longer(leaf.field, phrase) for span in hay.find(other)]
            found += [
                Evidence(start, end, "phrase", phrase)
                for start, end in spans
                if not any(a <= start and end <= b and b - a > end - start for a, b in longer)
            ]
    if len(found) < 2:
        return found
    return [
        e
        for e in found
        if not any(o.start <= e.start and e.end <= o.end and o.end - o.start > e.end - e.start for o in found)
    ]


def text_evidence(value: str, hay: Haystack) -> Iterator[Evidence]:
    """Spans of a text as it stands, not inside a longer word."""
    at = hay.text.find(value)
    while at >= 0 and value:
        end = at + len(value)
        before = hay.text[at - 1] if at else " "
        after = hay.text[end] if end < len(hay.text) else " "
        opened = _latin(before) and _latin(value[0]) and not (before.isdigit() and value[0].isalpha())  # 1.4DL
        inside = opened or (_latin(after) and _latin(value[-1]))
        if not inside:
            yield Evidence(at, end, "text")
        at = hay.text.find(value, at + 1)


def string_evidence(leaf: Leaf, hay: Haystack) -> Iterator[Evidence]:
    value, kind = str(leaf.value), leaf.note.get("kind")
    yield from text_evidence(value, hay)
    if kind == "id_range" or ID_RANGE.fullmatch(value):
        found = ID_RANGE.fullmatch(value)
        if found:
            meant = list(range(int(found[1]), int(found[2]) + 1, int(found[3] or 1)))
            yield from run_evidence(meant, hay)
    if kind == "dof_flags" and (span := dofs.means(hay.text, value)):
        yield Evidence(*span, "dofs")
    bare = (STANDARD_SUFFIX if kind == "standard" else CASE_SUFFIX).sub("", value)
    if bare != value:
        for e in text_evidence(bare, hay):
            yield Evidence(e.start, e.end, "text", value[len(bare) :])
    if not value:
        yield from (Evidence(*span, "phrase") for w in EMPTY_WORDS for span in hay.find(w))
    if kind in ("file_path",) and "\\" in value:
        yield from text_evidence(value.replace("\\", "/"), hay)


def switch_evidence(leaf: Leaf, lexicon: Lexicon, hay: Haystack) -> Iterator[Evidence]:
    """A switch is said by a name of its field; off also needs a word of denial somewhere in the text."""
    if leaf.value is False and not NEGATIVE.search(hay.text):
        return
    for name in lexicon.called(leaf):
        for start, end in hay.find(name):
            yield Evidence(start, end, "switch", name)


def evidence(leaf: Leaf, lexicon: Lexicon, hay: Haystack) -> Iterator[Evidence]:
    """Everything in the text that may say the leaf, the surest first."""
    yield from phrase_evidence(leaf, lexicon, hay)
    match leaf.kind:
        case "number" if leaf.note.get("kind") == "dof_flags":
            if span := dofs.means(hay.text, str(leaf.value).zfill(6)):
                yield Evidence(*span, "dofs")
            yield from number_evidence(leaf.value, {"dim": "none"}, hay)
        case "number" | "key" if isinstance(leaf.value, (int, float)):
            yield from number_evidence(leaf.value, leaf.note if leaf.kind == "number" else {"dim": "none"}, hay)
        case "string" | "key":
            yield from string_evidence(leaf, hay)
        case "boolean":
            yield from switch_evidence(leaf, lexicon, hay)
        case "list":
            yield from list_evidence(leaf, lexicon, hay)


def list_evidence(leaf: Leaf, lexicon: Lexicon, hay: Haystack) -> Iterator[Evidence]:
    """A plain array said as a whole: a run of numbers, neighbouring numbers, or nothing at all ("없음")."""
    values = leaf.value
    if not values:
        yield from (Evidence(*span, "phrase") for w in EMPTY_WORDS for span in hay.find(w))
        return
    if all(isinstance(v, int) and not isinstance(v, bool) for v in values):
        yield from run_evidence(values, hay, ordered=leaf.note.get("kind") not in NUMBERED or "NODE" in leaf.field)
    if all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values):
        yield from sequence_evidence(values, leaf.note, hay)


# ---------------------------------------------------------------- what goes without saying


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
    return any(_rule_holds(rule, leaf) for rule in lexicon.follows if rule["field"] == leaf.field)


def is_default(leaf: Leaf) -> bool:
    """True if the leaf holds what the program takes anyway."""
    return bool(leaf.value == leaf.default) and isinstance(leaf.value, bool) == isinstance(leaf.default, bool)


def without_unsaid_defaults(text: str, tool: Tool, arguments: dict[str, Any], lexicon: Lexicon) -> dict[str, Any]:
    """The call of a creation without optional fields that hold their default and that the text does not mention: a default is left out, not said."""
    if tool.method != "POST":
        return arguments
    hay = Haystack(text)
    gone = [
        x.place
        for x in call_leaves(tool, arguments)
        if is_default(x) and x.optional and not _grounded(x, lexicon, hay, tool)
    ]
    return without(arguments, gone) if gone else arguments


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


# ---------------------------------------------------------------- the check


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
        memo = (leaf.field, value_memo(leaf.value))
        if memo not in known:
            known[memo] = _grounded(leaf, lexicon, hay, tool)
        if not known[memo] and not _by_sequence(leaf, leaves, hay):
            out.append(Ungrounded("/".join(map(str, leaf.place)), leaf.value))
    return out


def value_memo(value: Any) -> str:
    return repr(value)


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
    if leaf.note.get("kind") in NUMBERED and len(numbers) > 2 and all(isinstance(n, int) for n in numbers):
        if next(run_evidence(numbers, hay), None) is not None:
            return True
    values = sorted({Decimal(repr(c.value)) for c in column})
    if len(values) < 2:
        return False
    steps = {b - a for a, b in zip(values, values[1:], strict=False)}
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
