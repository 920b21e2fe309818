"""Values said another way than in figures at their place: whole numbers in words, sums spelled otherwise, a wrong value that is put right.

All work on a text whose values are marked; the grounding checker reads the result like any other text.
"""

from __future__ import annotations

import random
import re
from decimal import Decimal

from gennx.generators.marks import CLOSE, MID, OPEN, unmark
from gennx.generators.particles import AFTER_WORD, PAIR_OF, particle, settle

_WHOLE = re.compile(f"{OPEN}(\\d+){MID}(\\d{{1,3}}){CLOSE}( ?)")
_NATIVE = re.compile(r"개소|개(?!월)|군데|곳|가닥|줄|칸|쌍|본(?![가-힣])|장(?![가-힣])")
_SINO = re.compile(r"회|스텝|등분|분할")
_COUNTED_EN = re.compile(
    r" (?:modes?|points?|steps?|iterations?|layers?|bars?|legs?|divisions?|times|pieces|levels?|days?|lanes?|bays?|segments?|parts?)\b"
)
LARGEST = 20
"""Larger numbers are put into words only where they are round."""
_ONES = ("", "한", "두", "세", "네", "다섯", "여섯", "일곱", "여덟", "아홉")
_TENS = ("", "열", "스물", "서른", "마흔", "쉰")
_DIGITS = ("", "일", "이", "삼", "사", "오", "육", "칠", "팔", "구")
_EN = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()  # noqa: SIM905
_EN_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def native(value: int) -> str:
    """1 to 59 as things are counted: 한, 열두, 스무, 서른다섯."""
    tens, ones = divmod(value, 10)
    return "스무" if value == 20 else _TENS[tens] + _ONES[ones]


def sino(value: int) -> str:
    """1 to 999 as they are read out: 십이, 백팔십."""
    out = ""
    for size, name in ((100, "백"), (10, "십")):
        digit, value = divmod(value, size)
        out += "" if not digit else name if digit == 1 else _DIGITS[digit] + name
    return out + _DIGITS[value]


def english(value: int) -> str:
    """0 to 99: seven, twenty-five."""
    tens, ones = divmod(value, 10)
    if value < 20:
        return _EN[value]
    return _EN_TENS[tens] + (f"-{_EN[ones]}" if ones else "")


def in_words(text: str, lang: str) -> str:
    """Counts as words: 서른 개, 이십 회, twelve modes; other numbers stay."""

    def said(found: re.Match[str]) -> str:
        value, after = int(found[2]), text[found.end() :]
        word = ""
        if value > LARGEST and value % 10:  # nobody writes out 93
            return found[0]
        if lang == "en":
            word = english(value) if value < 100 and _COUNTED_EN.match(found[3] + after) else ""
        elif 0 < value < 60 and _NATIVE.match(after):
            word = native(value)
        elif value and _SINO.match(after):
            word = sino(value)
        gap = " " if word and lang == "ko" else found[3]
        return f"{OPEN}{found[1]}{MID}{word}{CLOSE}{gap}" if word else found[0]

    return _WHOLE.sub(said, text)


_TERM = re.compile(
    f"({OPEN}\\d+{MID}\\d[\\d.]*{CLOSE})( ?[*×x]? ?)({OPEN}\\d+{MID}[A-Za-z][^{CLOSE}]*{CLOSE})(?P<plus> ?\\+ ?(?={OPEN}))?"
)
_JOINTS = ("{}{}", "{}{}", "{} {}", "{}*{}", "{}×{}", "{}({})", "{} * {}")


def sums(text: str, rng: random.Random) -> str:
    """A sum of factored cases (1.2 DL + 1.6 LL) in another spelling: 1.2DL+1.6LL, 1.2*DL + 1.6*LL, 1.2(DL)+1.6(LL)."""
    if not any(term["plus"] for term in _TERM.finditer(text)):
        return text
    joint, plus = rng.choice(_JOINTS), rng.choice((" + ", "+", "+"))
    return _TERM.sub(lambda term: joint.format(term[1], term[3]) + (plus if term["plus"] else ""), text)


_VALUE = re.compile(f"{OPEN}(\\d+){MID}(-?\\d+(?:\\.\\d+)?)([^\\d{CLOSE}]{{0,8}}){CLOSE}")
_LONGEST = 160


def corrected(text: str, lang: str, rng: random.Random) -> str:
    """One value is first said wrong and put right, at once (180 아니 200mm) or at the end (아 180 말고 200으로요)."""
    if "\n" in text or len(text) > _LONGEST:
        return text
    plain = unmark(text)
    options = [
        m for m in _VALUE.finditer(text) if len(re.findall(rf"(?<![\d.]){re.escape(m[2])}(?![\d.])", plain)) == 1
    ]
    if not options:
        return text
    chosen = rng.choice(options)
    wrong = _beside(chosen[2], rng)
    if wrong is None or re.search(rf"(?<![\d.]){re.escape(wrong)}(?![\d.])", plain):
        return text
    unit = chosen[3]
    right = f"{OPEN}{chosen[1]}{MID}{chosen[2]}{unit}{CLOSE}"
    before, after = text[: chosen.start()], text[chosen.end() :]
    if rng.random() < 0.5:
        between = rng.choice(
            (" 아니 ", ", 아니 ", " 아니다 ", "... 아니 ")
            if lang == "ko"
            else (", no ", ", sorry, ", " - make that ", ", I mean ")
        )
        return f"{before}{wrong}{unit if rng.random() < 0.4 else ''}{between}{right}{after}"
    form = AFTER_WORD.match(after) if lang == "ko" else None
    if form:  # the particle goes by the value that now stands before it
        after = particle(wrong + unit, PAIR_OF[form[1]]) + after[form.end() :]
    whole = f"{before}{wrong}{unit}{after}".rstrip()
    stop = "" if re.search(r"[.!?~]$", unmark(whole)) else "."
    if lang == "ko":
        end = rng.choice(
            (
                " 아 {w} 말고 {r}요",
                " 아니 {w} 말고 {r}으로(로)",
                " 아 잠깐 {w}이(가) 아니라 {r}입니다",
                " 정정) {w} → {r}",
            )
        )
    else:
        end = rng.choice(
            (
                " Sorry, {r} instead of {w}.",
                " Correction: {r}, not {w}.",
                " Wait, not {w}: {r}.",
                " Make that {r}, not {w}.",
            )
        )
    out = f"{whole}{stop}{end.format(w=wrong + unit, r=right)}"
    return settle(out) if lang == "ko" else out


def _beside(written: str, rng: random.Random) -> str | None:
    """A wrong value such as one types: near, with as many decimals; None for zero."""
    value = Decimal(written)
    if not value:
        return None
    step = Decimal(1).scaleb(int(value.as_tuple().exponent))  # the last figure
    if abs(value) >= 20 * step and rng.random() < 0.7:
        wrong = (value * Decimal(rng.choice(("0.5", "0.8", "0.9", "1.1", "1.2", "1.5", "2")))).quantize(step)
    else:
        wrong = value + step * rng.choice((-2, -1, 1, 1, 2, 3))
    return format(wrong, "f") if wrong != value and wrong * value > 0 else None
