"""Degrees of freedom in words: "1110000" is "X, Y, Z 이동", "Dx Dy Dz", "all three translations", a row of ones and zeros.

Flags stand in the order Dx Dy Dz Rx Ry Rz (and warping), 1 = held; of element end releases Fx Fy Fz Mx My Mz, 1 = released.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_AXES = "XYZxyz"
_LIST = rf"(?P<axes>[{_AXES}](?:\s?(?:,|·|/|와|과|랑|이랑|하고|및|and|&|\+|,\s?and)?\s?(?:축|방향)?\s?[{_AXES}](?![A-Za-z]))*)"
_MOVE = re.compile(
    rf"(?:(?<![A-Za-z]){_LIST}\s?(?:축|방향)?\s?(?:이동|변위|병진|롤러구속|-?\s?translations?|-?\s?displacements?|-?\s?movements?)|"
    rf"(?:translations?|displacements?|movements?|movement) (?:in|along|of|to)?\s?(?:the )?(?:global )?(?P<axes2>[{_AXES}](?:(?:,| and|,? &|/)\s?[{_AXES}](?![A-Za-z]))*))",
    re.I,
)
_TURN = re.compile(
    rf"(?:(?<![A-Za-z]){_LIST}\s?(?:축|방향)?\s?(?:회전|모멘트|-?\s?rotations?|-?\s?moments?)|"
    rf"(?:rotations?|rotation|moments?|twist) (?:about|around|in|of)?\s?(?:the )?(?:global |local )?(?P<axes2>[{_AXES}](?:(?:,| and|,? &|/)\s?[{_AXES}](?![A-Za-z]))*))",
    re.I,
)
_SYMBOL = re.compile(r"(?<![A-Za-z])(?:[DUFdu](?P<move>[xyzXYZ])|[RMrθ](?P<turn>[xyzXYZ]))(?![A-Za-z])")
_ALL_MOVES = re.compile(
    r"병진\s?(?:3|세|전|모두)?|이동\s?(?:3|세)\s?방향|(?:세|3)\s?방향\s?(?:이동|변위|다|모두|전부)|이동(?:은|만|\s?모두|\s?전부)|(?:all )?(?:three |the )?translations",
    re.I,
)
_ALL_TURNS = re.compile(
    r"회전\s?(?:3|세)\s?방향|회전(?:은|만|도|\s?모두|\s?전부)|(?:all )?(?:three )?rotations(?! about)|모멘트\s?(?:다|모두|전부)",
    re.I,
)
_TORSION = re.compile(r"비틀림|비틀|torsion|twist", re.I)
_WARP = re.compile(r"뒤틀림|와핑|워핑|warp|Rw|7자유도|일곱", re.I)
_BITS = re.compile(r"(?<![\d.])[01](?:[\s,|\t]{0,3}[01]){4,6}(?![\d.])")
_CLAUSE = re.compile(r"[.\n;]|,\s(?=\D{0,12}\d{2})")
_END = re.compile(r"(?<![A-Za-z])[ij]\s?-?(?:단|측|쪽|\s?ends?(?![a-z]))|시작단|끝단", re.I)
"""The ends of a member, told apart: i단 My, j단 My Mz."""
NAMES = {
    "ko": ("X 이동", "Y 이동", "Z 이동", "X축 회전", "Y축 회전", "Z축 회전"),
    "en": ("X", "Y", "Z", "RX", "RY", "RZ"),
}


def _components(text: str) -> set[int]:
    out: set[int] = set()
    for pattern, base in ((_MOVE, 0), (_TURN, 3)):
        for match in pattern.finditer(text):
            axes = match["axes"] or match["axes2"] or ""
            out |= {base + "xyz".index(a.lower()) for a in re.findall(rf"[{_AXES}]", axes)}
    for match in _SYMBOL.finditer(text):
        out.add("xyz".index((match["move"] or match["turn"]).lower()) + (0 if match["move"] else 3))
    if _ALL_MOVES.search(text):
        out |= {0, 1, 2}
    if _ALL_TURNS.search(text):
        out |= {3, 4, 5}
    if _TORSION.search(text):
        out.add(3)
    return out


def meanings(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, six flags) for everything in a text that can be read as a choice of degrees of freedom, the choice and its rest."""
    for match in _BITS.finditer(text):
        bits = re.sub(r"\D", "", match.group())
        if len(bits) >= 5:
            yield match.start(), match.end(), bits
    at = 0
    spans = []
    for cut in [*_CLAUSE.finditer(text), None]:
        end = cut.start() if cut else len(text)
        if end > at:
            spans.append((at, end))
        at = cut.end() if cut else end
    for start, end in [*spans, (0, len(text)), *_ends(text)]:
        found = _components(text[start:end])
        if found:
            flags = "".join("1" if i in found else "0" for i in range(6))
            yield start, end, flags
            yield start, end, flags.translate(str.maketrans("01", "10"))


def _ends(text: str) -> list[tuple[int, int]]:
    """From each member end that is named to the next one or the end of its clause, where two are named."""
    marks = [found.start() for found in _END.finditer(text)]
    if len(marks) < 2:
        return []
    stops = sorted([*marks, *(cut.start() for cut in re.finditer(r"[.\n;]", text)), len(text)])
    return [(mark, next(stop for stop in stops if stop > mark)) for mark in marks]


def means(text: str, flags: str) -> tuple[int, int] | None:
    """Where a text says these flags (6 or 7 of them), or None. A seventh flag wants a word for warping."""
    if len(flags) == 7 and flags[6] == "1" and not _WARP.search(text):
        return None
    for start, end, six in meanings(text):
        if flags[: len(six)] == six and set(flags[len(six) : 6]) <= {"0"}:
            return start, end
    return None
