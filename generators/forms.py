"""Write values the way people do: numbers in a unit, lists and ranges of numbers, names, in Korean and English."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from gennx.generators.marks import MID, OPEN
from gennx.generators.particles import particle

# Units of one dimension that people exchange freely: (written, factor to the model's units). The reader knows them all.
EXCHANGE: tuple[tuple[tuple[str, str], ...], ...] = (
    (("m", "1"), ("mm", "0.001"), ("cm", "0.01")),
    (("m2", "1"), ("㎡", "1"), ("cm2", "0.0001"), ("mm2", "0.000001")),
    (("m4", "1"), ("cm4", "0.00000001"), ("mm4", "0.000000000001")),
    (("kN", "1"), ("tonf", "9.80665"), ("N", "0.001"), ("kgf", "0.00980665")),
    (("kN·m", "1"), ("kN.m", "1"), ("kNm", "1"), ("tonf·m", "9.80665")),
    (("kN/m", "1"), ("N/mm", "1"), ("tonf/m", "9.80665"), ("kgf/m", "0.00980665")),
    (("kN/m2", "1"), ("kN/㎡", "1"), ("kPa", "1"), ("kN/m²", "1"), ("kgf/m2", "0.00980665")),
    (("MPa", "1000"), ("N/mm2", "1000"), ("N/mm²", "1000")),
    (("GPa", "1000000"), ("kN/mm2", "1000000")),
    (("kN/m3", "1"), ("kN/㎥", "1"), ("kN/m³", "1")),
    (("℃", "1"), ("도", "1"), ("°C", "1")),
    (("도", "1"), ("°", "1")),
    (("deg", "1"), ("degrees", "1"), ("°", "1")),
    (("s", "1"), ("sec", "1"), ("초", "1")),
    (("일", "1"), ("days", "1")),
)


def plain(value: Decimal) -> str:
    """Digits without exponent or trailing zeros: 0.0000120 becomes 0.000012."""
    text = format(value.normalize(), "f")
    return "0" if text in ("-0", "") else text


def decimal(value: float) -> Decimal:
    """The decimal number that a float is written as."""
    return Decimal(repr(value))


def comma(text: str) -> str:
    """Thousands separators in a plain number."""
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    whole, _, part = digits.partition(".")
    return f"{sign}{int(whole):,}" + (f".{part}" if part else "")


def bare(value: Decimal, spec: dict[str, Any], rng: random.Random) -> str:
    """A number by itself, as the template's author wrote numbers: separators, exponents for the very small and large."""
    text = plain(value)
    size = abs(value)
    if size and (size < Decimal("0.0001") or size >= 10**8):
        digits = value.normalize().as_tuple()
        power = len(digits.digits) - 1 + int(digits.exponent)
        head = plain(value.scaleb(-power))
        return rng.choice((f"{head}e{power}", f"{head}E{power}", f"{head}x10^{power}", f"{head}×10^{power}"))
    if (spec.get("comma") and size >= 1000) or (size >= 10000 and not spec.get("row") and rng.random() < 0.25):
        return comma(text)
    return text


def quantity(value: float, spec: dict[str, Any], rng: random.Random) -> str:
    """A value in the unit of its slot: 3 m, 3m, 3000mm; without the sign where the words say the direction."""
    said = decimal(value) / Decimal(spec["factor"])
    said = said.quantize(Decimal(1).scaleb(-12)) if said.as_tuple().exponent < -12 else said  # type: ignore[operator]
    if spec.get("apart"):
        said = abs(said)
    text = bare(said, spec, rng)
    unit = spec.get("unit")
    if unit is None:
        return text
    return f"{text}{' ' if spec.get('gap') else ''}{unit}"


def exchanges(unit: str, factor: str) -> list[tuple[str, str]]:
    """Other units for the same quantity, with their factors."""
    wanted = Decimal(factor)
    out = []
    for group in EXCHANGE:
        if any(u == unit and Decimal(f) == wanted for u, f in group):
            out += [(u, f) for u, f in group if u != unit]
    return out


# ---------------------------------------------------------------- lists of numbers


def step_of(numbers: Sequence[int]) -> int | None:
    """The common step of a rising sequence of three or more, else None."""
    if len(numbers) < 3:
        return None
    step = numbers[1] - numbers[0]
    return step if step > 0 and all(b - a == step for a, b in itertools.pairwise(numbers)) else None


def run(numbers: Sequence[int], lang: str, rng: random.Random, tag: str = "", style: str = "") -> str:
    """Whole numbers as people write them: 1번부터 6번까지, 1~6번, 2번과 5번, 2 to 20 by 2, 301-312 except 306."""
    texts = [str(n) for n in numbers]
    step = step_of(numbers)
    if style == "parity":
        return f"{texts[0]}~{texts[-1]}{tag}"
    if (style == "list" and step != 1) or len(texts) == 1:
        return _listed(texts, lang, rng, tag)
    if step == 1 and (len(texts) > 3 or style != "list" or rng.random() < 0.5):
        return _ranged(texts[0], texts[-1], lang, rng, tag)
    if step is not None and len(texts) > 3:
        return _stepped(texts[0], texts[-1], step, lang, rng, tag)
    gone = sorted(set(range(numbers[0], numbers[-1] + 1)) - set(numbers)) if list(numbers) == sorted(numbers) else []
    if 0 < len(gone) <= 2 and len(texts) > 4:
        whole = _ranged(texts[0], texts[-1], lang, rng, tag)
        left = " ".join(map(str, gone)) if len(gone) == 1 else ", ".join(map(str, gone))
        if style != "except":  # what stands behind the numbers was written for numbers alone: 210~214번(212 제외)에
            return (
                f"{whole}({left}{rng.choice(('번 제외', '번 빼고', ' 제외'))})"
                if lang == "ko"
                else f"{whole} except {left}"
            )
        if lang == "ko":
            return rng.choice((f"{whole}({left}번 제외)", f"{whole}, {left}번은 빼고", f"{whole} 중 {left}번 제외하고"))
        return rng.choice((f"{whole} except {left}", f"{whole} (not {left})"))
    return _listed(texts, lang, rng, tag)


def _ranged(first: str, last: str, lang: str, rng: random.Random, tag: str) -> str:
    if lang == "ko":
        forms = [
            f"{first}~{last}{tag}",
            f"{first}-{last}{tag}",
            f"{first}~{last}{tag}",
            f"{first}번부터 {last}번까지",
            f"{first}에서 {last}{tag}까지",
        ]
        return rng.choice(forms)
    return rng.choice(
        (f"{first} to {last}", f"{first}-{last}", f"{first} through {last}", f"{first}–{last}", f"{first}~{last}")
    )


def _stepped(first: str, last: str, step: int, lang: str, rng: random.Random, tag: str) -> str:
    if lang == "ko":
        return rng.choice(
            (
                f"{first}번부터 {last}번까지 {step} 간격",
                f"{first}~{last}{tag}({step} 간격)",
                f"{first}~{last}{tag} {step}씩",
            )
        )
    return rng.choice(
        (f"{first} to {last} by {step}", f"{first} to {last} in steps of {step}", f"{first}-{last} step {step}")
    )


def _listed(texts: list[str], lang: str, rng: random.Random, tag: str) -> str:
    if len(texts) == 1:
        return texts[0] + tag
    tight = ", " if any(len(t) == 3 for t in texts[1:]) else ","  # 280,281 would read as one number
    if len(texts) == 2 and rng.random() < 0.6:
        a, b = texts
        if lang == "ko":
            return rng.choice(
                (
                    f"{a}{tag}{particle(a + tag, '과(와)')} {b}{tag}",
                    f"{a}, {b}{tag}",
                    f"{a}{tag}{particle(a + tag, '(이)랑')} {b}{tag}",
                )
            )
        return rng.choice((f"{a} and {b}", f"{a}, {b}", f"{a} & {b}"))
    if lang == "ko":
        return rng.choice(
            (", ".join(texts) + tag, tight.join(texts) + tag, ", ".join(t + tag for t in texts), "·".join(texts) + tag)
        )
    return rng.choice((", ".join(texts), ", ".join(texts[:-1]) + " and " + texts[-1], tight.join(texts)))


def article(text: str) -> str:
    """English a and an before words that were put in: "a aluminium" becomes "an aluminium"."""
    text = _A.sub(r"\1n ", text)
    return _AN.sub(r"\1 ", text)


_A = re.compile(f"\\b([Aa]) (?={OPEN}\\d+{MID}[aeioAEIO][a-z])")
_AN = re.compile(f"\\b([Aa])n (?={OPEN}\\d+{MID}[bcdfgjkmpqtvwyz][a-z])")
