"""Other numbers in the place of an author's: of his order of magnitude, rounded as people say them, within the limits of the field."""

from __future__ import annotations

import random
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from gennx.generators import forms
from gennx.schemas.catalogue import Schema

NARROW_SCALES = (0.9, 0.95, 1.0, 1.0, 1.05, 1.1)
"""For what nature or a standard fixes: unit weights, moduli, strengths, physical constants."""
SCALES = (0.4, 0.5, 0.6, 0.75, 0.8, 0.9, 1.0, 1.1, 1.2, 1.25, 1.4, 1.5, 1.8, 2.0, 2.5)


def said_anew(spec: dict[str, Any], note: Schema, eg: Decimal, scale: Decimal, rng: random.Random) -> Decimal:
    """Another number to say in the place of `eg`: a typical one of the field, or the author's moved by `scale` and rounded as it was."""
    typical = note.get("typical", {})
    dimension = note.get("dim", "none")
    digits = min(4, int(spec.get("digits", 0)))
    alike = [v for v in typical.get("values", ()) if isinstance(v, (int, float)) and (v > 0) == (eg > 0) and v]
    if alike and not spec.get("element") and rng.random() < 0.6:
        picked = forms.decimal(rng.choice(alike)) / Decimal(spec["factor"])
        if len(picked.normalize().as_tuple().digits) <= 5:  # 9.993218 tonf is nothing that anybody types
            return picked
    if dimension == "none" and abs(eg) <= 1 and digits:
        return _ratio(eg, typical.get("range"), digits, rng)
    if dimension == "none" and eg == eg.to_integral_value() and abs(eg) < 100:
        return max(Decimal(1), abs(eg) + rng.choice((-2, -1, 0, 1, 2, 3, 5))).copy_sign(eg)
    scaled = eg * scale
    if rng.random() < 0.5:
        scaled *= Decimal(str(round(rng.uniform(0.85, 1.15), 2)))
    return rounded(scaled, digits, rng)


def _ratio(eg: Decimal, span: Any, digits: int, rng: random.Random) -> Decimal:
    """A ratio, factor or tolerance: within what is typical of the field, of the author's order of magnitude where it is small."""
    if abs(eg) < Decimal("0.05"):
        power = Decimal(1).scaleb(eg.adjusted() + rng.choice((-1, 0, 0, 1)))
        value = power * rng.choice((1, 1, 2, 5))
        return value.copy_sign(eg) if value < 1 else eg
    low, high = (
        (Decimal(str(span[0])), Decimal(str(span[1])))
        if span and span[0] <= abs(eg) <= span[1]
        else (abs(eg) / 2, abs(eg) * 2)
    )
    value = Decimal(str(rng.uniform(float(low), float(min(high, Decimal(1) if abs(eg) < 1 else high)))))
    value = value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN)
    return value.copy_sign(eg) if value else eg


def fresh_run(style: str, start: int, rng: random.Random) -> list[int]:
    """Whole numbers of a style (list, step, range, except) from a first one on."""
    if style == "list":
        count = rng.choice((2, 2, 3, 3, 3, 4, 4, 5, 6))
        if rng.random() < 0.3:
            return list(range(start, start + count))
        out = [start]
        while len(out) < count:
            out.append(out[-1] + rng.choice((1, 1, 2, 3, 5, 10, rng.randint(1, 40))))
        return out
    count = rng.choice((3, 4, 4, 5, 6, 6, 8, 10, 12, 16))
    if style == "step":
        step = rng.choice((2, 2, 3, 5, 10))
        return list(range(start, start + step * count, step))
    whole = list(range(start, start + count + (2 if style == "except" else 0)))
    if style == "except":
        for gone in rng.sample(whole[1:-1], rng.choice((1, 1, 2))):
            whole.remove(gone)
    return whole


def flat(value: Any) -> list[Any]:
    return [x for v in value for x in flat(v)] if isinstance(value, list) else [value]


def shift_of(old: str, new: str) -> int:
    """Decimals gained when a quantity moves from one unit to another."""
    ratio = Decimal(new) / Decimal(old)
    return round(float(ratio.log10()))


def typed(text: str, like: Any) -> Any:
    """A value out of its key in a words table, of the type of `like`; a number may be whole or not (a factor of 1 or 0.5)."""
    if isinstance(like, bool):
        return text == "true"
    if isinstance(like, (int, float)):
        return float(text) if isinstance(like, float) or "." in text else int(text)
    return text


def rounded(value: Decimal, digits: int, rng: random.Random) -> Decimal:
    """Rounded as people say numbers: to the author's decimals, large ones to a few figures."""
    if abs(value) < Decimal(1).scaleb(-digits) * 5:  # small beside its decimals (5e-6): two figures
        return value.quantize(Decimal(1).scaleb(value.adjusted() - 1), ROUND_HALF_EVEN) if value else value
    if digits == 0:
        size = abs(value)
        step = (
            Decimal(1)
            if size < 100
            else Decimal(5)
            if size < 400 and rng.random() < 0.5
            else Decimal(10)
            if size < 2000
            else Decimal(50)
            if size < 10000
            else Decimal(1).scaleb(value.adjusted() - 2)
        )
        if rng.random() < 0.15 and size >= 20:
            step = Decimal(1) if size < 1000 else Decimal(10)
        out = (value / step).quantize(Decimal(1), ROUND_HALF_EVEN) * step
        return out if out != 0 else Decimal(1).copy_sign(value)
    out = value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN)
    return out if out != 0 else Decimal(1).scaleb(-digits).copy_sign(value)


def within(value: Decimal, schema: Schema) -> bool:
    v = float(value)
    return bool(
        v >= schema.get("minimum", float("-inf"))
        and v <= schema.get("maximum", float("inf"))
        and v > schema.get("exclusiveMinimum", float("-inf"))
        and v < schema.get("exclusiveMaximum", float("inf"))
    )
