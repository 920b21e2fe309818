"""Check a finished request against the call it stands for, knowing only the text and the catalogue.

Independent of the renderer: it finds numbers, ranges, names and role words in the text by itself, and asks for each
leaf of the arguments whether the text says it, or a stated rule supplies it. It never repairs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gennx.generators.leaves import Leaf, call_leaves
from gennx.generators.phrasings import Folder, Library
from gennx.generators.saying import follows_places
from gennx.generators.words import role_key
from gennx.schemas.catalogue import Tool

_NUMBER = re.compile(
    r"(?<![\d.])(?P<sign>[-+−–]?)(?P<num>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.\d+|\d+|\.\d+)"
    r"(?:(?:\s?[x×]\s?10\^?|[eE])(?P<exp>[-+]?\d+)(?!\d))?(?!\d)"
    r"(?P<space>\s?)(?P<unit>kN·s/m|kN·m/rad|kN·m|kN\.m|kN-m|kNm|kN/m[23²³]?|kN|N/mm[2²]?|N/m[23]?|N|MPa|GPa|kPa|tonf|kgf|"
    r"mm[234²³]?|cm[234²³]?|m/s[2²]?|m[2346²³]?|t/m[3³]|ton|t|%|°C|℃|/℃|°|도|degrees|deg|sec|s|초|Hz|일|days|시간|hours)?"
)
# unit -> factor that takes the written number to the model's kN, m, degC, s
UNIT_FACTOR = {
    "mm": 1e-3, "cm": 1e-2, "m": 1.0, "mm2": 1e-6, "mm²": 1e-6, "cm2": 1e-4, "cm²": 1e-4, "m2": 1.0, "m²": 1.0,
    "mm3": 1e-9, "mm³": 1e-9, "cm3": 1e-6, "cm³": 1e-6, "m3": 1.0, "m³": 1.0, "mm4": 1e-12, "cm4": 1e-8, "m4": 1.0,
    "m6": 1.0, "kN": 1.0, "N": 1e-3, "tonf": 9.80665, "kgf": 9.80665e-3, "MPa": 1e3, "GPa": 1e6, "kPa": 1.0,
    "N/mm2": 1e3, "N/mm²": 1e3, "N/mm": 1.0, "N/m": 1e-3, "N/m2": 1e-3, "N/m3": 1e-3, "%": 1.0,
}  # fmt: skip
_RANGES = (
    re.compile(r"(\d+)\s?(?:번|호)?\s?(?:~|–|-|부터|에서|to|through|thru)\s?(\d+)(?:\D{0,4}까지)?(?P<tail>.{0,14})"),
    re.compile(r"(\d+)\s?(?:번|호)?\s?(?:부터|에서)\s?(?P<step>\d+)씩\s?(\d+)"),
)
_STEP = re.compile(r"\(?(\d+)\s?(?:간격|칸)|(?:by|in steps of) (\d+)")
_NEGATION = re.compile(
    r"^.{0,14}?(안 함|안함|미적용|미사용|끔|끄고|해제|제외|아니오|없음|없이|\boff\b|\bno\b|disabled|\bfalse\b|\bnot\b)", re.S | re.I
)
_NEGATION_BEFORE = re.compile(r"(?:\bno|without|not|disable)\s*$", re.I)
_DOWN = re.compile(r"아래|하향|연직|중력|밑으로|누르|압축|음의|마이너스|반대|down|gravity|negative|minus|compress|suction|uplift|-[XYZxyz]\b|−")


@dataclass(frozen=True, slots=True)
class Ungrounded:
    """A leaf that the text does not say."""

    pointer: str
    field: str
    value: Any

    def __str__(self) -> str:
        return f"{self.pointer} = {self.value!r}: the request does not say it"


class Evidence:
    """What a text says, found once: its numbers with units, the integers of its ranges, and the words themselves."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lower = text.lower()
        self.loose = re.sub(r"[\s_]+", "", self.lower)
        self.numbers: set[str] = set()
        self.whole: set[int] = set()
        units = {m.group("unit") for m in _NUMBER.finditer(text) if m.group("unit")}
        units |= {u for u in ("mm", "cm", "MPa", "kPa", "N/mm2") if re.search(rf"(?<![A-Za-z]){re.escape(u)}(?![A-Za-z0-9])", text)}
        loose_units = [UNIT_FACTOR[u] for u in units if u in UNIT_FACTOR and f"{u}" in _declared(text)]
        for match in _NUMBER.finditer(text):
            value = float(match["num"].replace(",", ""))
            if match["exp"]:
                value = float(f"{value!r}e{int(match['exp'])}")
            signs = (-value,) if match["sign"] in "-−–" and match["sign"] else (value,)
            if match["sign"] in ("-", "–") and re.search(r"[\d번호]\s?$", text[: match.start()]):
                signs = (value, -value)  # a dash between numbers may join them
            factors = [UNIT_FACTOR[match["unit"]]] if match["unit"] in UNIT_FACTOR else [1.0, *loose_units]
            if match["unit"] == "m" and match["space"]:
                factors.append(1.0)
            for signed in signs:
                self.numbers.update(_digits(signed * f) for f in factors)
                if match["unit"] == "%":
                    self.numbers.add(_digits(signed / 100))
                if match["unit"] in ("N", "m", "s", "t") or match["unit"] is None:
                    self.numbers.add(_digits(signed))
                if signed == int(signed) and not match["exp"]:
                    self.whole.add(int(abs(signed)))
        for pattern in _RANGES:
            for match in pattern.finditer(text):
                self._range(match)
        self.downward = bool(_DOWN.search(text))

    def _range(self, match: re.Match[str]) -> None:
        groups = match.groupdict()
        ends = [int(g) for g in (match[1], match[match.lastindex or 2] if "step" in groups else match[2]) if g]
        if "step" in groups:
            ends = [int(match[1]), int(match[3])]
        step = int(groups["step"]) if groups.get("step") else 1
        tail = groups.get("tail") or ""
        if found := _STEP.search(tail):
            step = int(found[1] or found[2])
        first, last = ends
        if first < last <= first + 20000 and step > 0:
            self.whole.update(range(first, last + 1, step))

    def number(self, value: float) -> bool:
        """True if the text says this number, in model units or in the unit written after it."""
        if _digits(value) in self.numbers:
            return True
        return value < 0 and self.downward and _digits(-value) in self.numbers

    def phrase(self, words: str) -> bool:
        """True if the words stand in the text; letters and digits must not run on where they are Latin."""
        lowered = words.lower().strip()
        if not lowered:
            return False
        return bool(_phrase(lowered).search(self.lower)) or (
            len(lowered) > 3 and re.sub(r"[\s_]+", "", lowered) in self.loose
        )

    def switch(self, names: Iterable[str], value: bool) -> bool:
        """True if a named option is said to be on (or, for False, off)."""
        for name in names:
            start = 0
            lowered = name.lower()
            while (at := self.lower.find(lowered, start)) >= 0:
                after = self.text[at + len(name) : at + len(name) + 24]
                off = bool(_NEGATION.match(_clause(after))) or bool(_NEGATION_BEFORE.search(self.text[max(0, at - 10) : at]))
                if off != value:
                    return True
                start = at + 1
        return False


def _clause(text: str) -> str:
    return re.split(r"[,\n;/)]|\. ", text, maxsplit=1)[0]


def _declared(text: str) -> str:
    """The parts of a text that declare units for numbers elsewhere: in brackets, or after 단위 and the like."""
    found = re.findall(r"[\(\[]([^)\]]{1,20})[\)\]]", text)
    found += re.findall(r"(?:단위[는은:]?|units?:?|all in|in)\s*([A-Za-z0-9/, 및와과]{1,16})", text)
    return " ".join(found)


@lru_cache(maxsize=8192)
def _phrase(lowered: str) -> re.Pattern[str]:
    left = "(?<![a-z0-9])" if lowered[0].isascii() and lowered[0].isalnum() else ""
    right = "(?![a-z0-9])" if lowered[-1].isascii() and lowered[-1].isalnum() else ""
    return re.compile(left + re.escape(lowered) + right)


def _digits(value: float) -> str:
    return f"{value + 0.0:.9g}"


def check(tool: Tool, arguments: dict[str, Any], text: str, library: Library) -> list[Ungrounded]:
    """Every leaf that the text does not say and no rule supplies; empty when the request is grounded."""
    folder = library.folder(tool.endpoint.uri)
    leaves = call_leaves(tool, arguments)
    silent = follows_places(tool, folder, arguments, leaves)
    evidence = Evidence(text)
    return [
        Ungrounded("/" + "/".join(map(str, leaf.place)), leaf.field, leaf.value)
        for leaf in leaves
        if leaf.place not in silent and not said(leaf, evidence, folder)
    ]


def said(leaf: Leaf, evidence: Evidence, folder: Folder) -> bool:
    """True if the text says the leaf's value."""
    if _roles(leaf, evidence, folder):
        return True
    match leaf.kind:
        case "key":
            if isinstance(leaf.value, str):
                return evidence.phrase(leaf.value)
            return leaf.value in evidence.whole
        case "boolean":
            names = [n for n in (leaf.note.get("ko"), leaf.note.get("en")) if n]
            return evidence.switch(names, leaf.value)
        case "enum":
            return _member(leaf.value, leaf.note, evidence)
        case "list":
            members = leaf.note.get("members", leaf.note)
            if not leaf.value:
                return any(evidence.phrase(n) for n in (leaf.note.get("ko", ""), leaf.note.get("en", "")) if n)
            return all(_plain(v, members, evidence) for v in _flat(leaf.value))
        case "empty":
            return any(evidence.phrase(n) for n in (leaf.note.get("ko", ""), leaf.note.get("en", "")) if n)
        case _:
            return _plain(leaf.value, leaf.note, evidence)


def _flat(values: Sequence[Any]) -> list[Any]:
    return [x for v in values for x in (_flat(v) if isinstance(v, list) else [v])]


def _roles(leaf: Leaf, evidence: Evidence, folder: Folder) -> bool:
    options = folder.roles.get(leaf.field, {}).get(role_key(leaf.value), {})
    return any(evidence.phrase(word) for words in options.values() for word in words)


def _member(value: Any, note: dict[str, Any], evidence: Evidence) -> bool:
    key = str(value).lower() if isinstance(value, bool) else str(value)
    names = note["enum"].get(key, {})
    spoken = [n for n in (names.get("ko"), names.get("en")) if n]
    if isinstance(value, str) and len(value) > 1:
        spoken.append(value)
    return any(evidence.phrase(n) for n in spoken)


def _plain(value: Any, note: dict[str, Any], evidence: Evidence) -> bool:
    if isinstance(value, bool):
        return True if note.get("enum") is None else _member(value, note, evidence)
    if note.get("enum"):
        return _member(value, note, evidence)
    if isinstance(value, (int, float)):
        if isinstance(value, int) and value in evidence.whole and str(note.get("kind", "")).endswith("_id"):
            return True
        return evidence.number(float(value))
    text = str(value)
    if note.get("kind") == "result_case_name":
        return evidence.phrase(re.sub(r"\((ST|CB|CS|RS|MV|TH|PO)(:\w+)?\)$", "", text))
    if note.get("kind") == "id_range" and (found := re.fullmatch(r"(\d+)to(\d+)", text)):
        return int(found[1]) in evidence.whole and int(found[2]) in evidence.whole
    if not text:
        return any(evidence.phrase(w) for w in ("없음", "none", "no", "없이", "blank", "empty"))
    return text in evidence.text
