"""Find the words of a text that may say a value of a call: numbers with units, runs, sequences, phrases, names, switches.

The checker and the harvester look through these same eyes; neither knows how a text was made."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Any

from gennx.generators import dofs
from gennx.generators.leaves import Leaf, is_numbered
from gennx.generators.lexicon import Lexicon
from gennx.generators.reading import Number, Reading, Run, expansions, read
from gennx.generators.units import factor_to

CASE_SUFFIX = re.compile(r"\((ST|CB|CS|RS|MV|TH|PO|SM)(:\w+)?\)$")


STANDARD_SUFFIX = re.compile(r"\((RC|S|AL|T)\)$")


ID_RANGE = re.compile(r"(\d+)\s?to\s?(\d+)(?:\s?by\s?(\d+))?")


NEGATIVE = re.compile(
    r"안\s|않|없|끄|꺼|끔|끕니|끌 것|오프|해제|말고|빼|제외|무시|미[가-힣]|아니|생략|불필요|비[가-힣]|말아|끊|못|X(?![a-z])|\boff\b|\bno\b|\bnot\b|n't|without|exclud|ignor|"
    r"disable|\bfalse\b|omit|skip|turn(?:ed)? off|unchecked|leave out|drop|neither|\bnone\b|instead|non-?",
    re.I,
)


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


@dataclass(slots=True)
class Evidence:
    """Words that say a leaf: where they stand and how they say it (number, run, phrase, text, switch, follows)."""

    start: int
    end: int
    how: str
    detail: Any = None


STRENGTHS = frozenset({"strength", "modulus", "stress"})
"""Kinds whose bare numbers may be MPa."""


SQUEEZED = " \t\n-_·‑"
"""Characters that do not count where phrases are looked for."""


Meaning = tuple[Decimal, Decimal, str | None, float]
"""What a number may mean: the value, the factor that gives it, the unit of that factor, about how large it is."""


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
        self._meanings: dict[tuple[str, bool], list[tuple[Number, list[Meaning]]]] = {}
        self.lower = text.lower()
        self._squeezed = _squeezed(self.lower)

    @cached_property
    def _at(self) -> list[int]:
        """Where each character of the squeezed text stands."""
        return [i for i, c in enumerate(self.lower) if c not in SQUEEZED]

    def meanings(self, dimension: str, kind: str) -> list[tuple[Number, list[Meaning]]]:
        """Each number of the text with what it may mean for a field of that dimension."""
        key = dimension, kind in STRENGTHS
        found = self._meanings.get(key)
        if found is None:
            units = self.reading.units
            found = self._meanings[key] = [
                (n, [_meaning(n, factor, unit) for factor, unit in factors(n, dimension, kind, units)])
                for n in self.reading.numbers
            ]
        return found

    def find(self, phrase: str) -> Iterator[tuple[int, int]]:
        """Spans of a phrase. Latin words must stand alone; a single Korean syllable must begin a word."""
        sign, wanted = _sought(phrase)
        at = self._squeezed.find(wanted) if wanted else -1
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


def _squeezed(text: str) -> str:
    for c in SQUEEZED:
        text = text.replace(c, "")
    return text


@lru_cache(maxsize=1 << 16)
def _sought(phrase: str) -> tuple[str, str]:
    """A phrase's sign and what to look for in a squeezed text."""
    low = phrase.lower().strip()
    return low[0] if low and low[0] in "+-−" else "", _squeezed(low.lstrip("+-−"))


def _latin(c: str) -> bool:
    return c.isascii() and c.isalnum()


def _hangul(c: str) -> bool:
    return "가" <= c <= "힣"


def _meaning(number: Number, factor: Decimal, unit: str | None) -> Meaning:
    value = number.value * factor
    return value, factor, unit, float(value)


def same(a: Decimal, b: Decimal, loose: bool = False) -> bool:
    """Equal as people mean it: to nine digits, or to three where a fraction was said in words."""
    if a == b:
        return True
    if abs(float(a) - float(b)) > 0.01 * abs(float(b)):  # most are far apart
        return False
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
    if kind in STRENGTHS and Decimal(1000) not in seen:
        yield Decimal(1000), "MPa"


def number_evidence(value: float, note: dict[str, Any], hay: Haystack) -> Iterator[Evidence]:
    """Numbers of the text that say a value; `detail` is (number, factor, unit, sign said apart)."""
    plain = Decimal(repr(value))
    dimension, kind = note.get("dim", "none"), note.get("kind", "")
    measured = plain * hay.size(dimension)
    sizes = abs(float(plain)), abs(float(measured))
    for number, meanings in hay.meanings(dimension, kind):
        for meant, factor, unit, about in meanings:
            size = sizes[unit is not None]
            if abs(abs(about) - size) > 0.02 * size:  # most are far apart
                continue
            wanted = plain if unit is None else measured
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
        yield from run_evidence(
            values, hay, ordered=not is_numbered(leaf.field, leaf.note) or "NODE" in leaf.field.rsplit(".", 1)[-1]
        )
    if all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values):
        yield from sequence_evidence(values, leaf.note, hay)
