"""Units as people write them, read into factors of the model's units (kN, m, s, °C, degree, t).

A unit text such as `kgf/cm2` or `kN·m/rad` is taken apart into base units; the result is a factor and a dimension, a tuple of
powers over (length, force, time, temperature, angle, energy). Mass counts as force x time² / length, so that 1 t is 1 kN·s²/m. Stress units
(MPa) are written out. Factors are exact decimals: 1 kgf = 9.80665 N (CGPM 1901), 1 ft = 0.3048 m and 1 lb = 0.45359237 kg (1959); what follows from the pound is given to 13 digits.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

Dimension = tuple[int, int, int, int, int, int]
NONE: Dimension = (0, 0, 0, 0, 0, 0)
_L, _F, _T, _K, _A, _E = range(6)


def _dim(**powers: int) -> Dimension:
    order = {"L": _L, "F": _F, "T": _T, "K": _K, "A": _A, "E": _E}
    out = [0] * 6
    for name, power in powers.items():
        out[order[name]] = power
    return (out[0], out[1], out[2], out[3], out[4], out[5])


LENGTH, FORCE, TIME, HEAT, ANGLE, ENERGY = (_dim(**{k: 1}) for k in "LFTKAE")
STRESS = _dim(F=1, L=-2)
MASS = _dim(F=1, T=2, L=-1)
DAY = Decimal(86400)

# written form -> (factor to model units, dimension). Longer forms are tried first.
BASE: dict[str, tuple[Decimal, Dimension]] = {}


def _add(factor: str | Decimal, dimension: Dimension, *names: str) -> None:
    for name in names:
        BASE[name] = (Decimal(factor), dimension)


_add("1", LENGTH, "m", "미터", "meter", "meters", "metre", "metres", "메타")
_add(
    "0.001",
    LENGTH,
    "mm",
    "㎜",
    "밀리미터",
    "밀리",
    "미리",
    "millimeters",
    "millimetres",
    "millimeter",
    "millimetre",
    "mils",
)
_add("0.01", LENGTH, "cm", "㎝", "센티미터", "센치", "센티")
_add("1000", LENGTH, "km", "㎞", "킬로미터")
_add("0.3048", LENGTH, "feet", "foot", "ft", "피트")
_add("0.0254", LENGTH, "inch", "inches", "인치")
_add("1", _dim(L=2), "㎡", "제곱미터", "평방미터")
_add("0.000001", _dim(L=2), "㎟")
_add("0.0001", _dim(L=2), "㎠")
_add("1", _dim(L=3), "㎥", "세제곱미터", "루베")
_add("1", FORCE, "kN", "KN", "kn", "킬로뉴턴", "킬로뉴톤")
_add("0.001", FORCE, "N", "뉴턴")
_add("1000", FORCE, "MN")
_add("0.00980665", FORCE, "kgf", "kgF", "킬로그램힘")
_add("9.80665", FORCE, "tonf", "tf", "톤포스", "tonF")
_add("4.4482216152605", FORCE, "kips", "kip")
_add("6894.757293168", STRESS, "ksi")
_add("6.894757293168", STRESS, "psi")
_add("0.04788025898034", STRESS, "psf")
_add("1", MASS, "ton", "tonne", "tonnes", "t", "톤", "tons")
_add("0.001", MASS, "kg", "㎏")
_add("1", STRESS, "kPa", "㎪", "KPa")
_add("0.001", STRESS, "Pa", "파스칼")
_add("1000", STRESS, "MPa", "㎫", "Mpa", "메가파스칼", "메가")
_add("1000000", STRESS, "GPa", "Gpa", "기가파스칼", "기가")
_add("1", ANGLE, "도", "deg", "degrees", "degree", "°")
_add("57.29577951308232", ANGLE, "rad", "라디안", "radians", "radian")
_add("1", HEAT, "℃", "°C", "ºC", "degC", "celsius", "Celsius", "C")
_add("1", TIME, "s", "sec", "seconds", "second", "secs", "초")
_add("0.001", TIME, "ms", "msec", "밀리초")
_add("60", TIME, "min", "minutes", "분")
_add("3600", TIME, "hour", "hours", "hr", "hrs", "h", "시간")
_add(DAY, TIME, "day", "days", "일", "d", "일차")
_add(DAY * 7, TIME, "week", "weeks", "주", "주일")
_add("1", _dim(T=-1), "Hz", "hz", "헤르츠", "HZ")
_add("0.01", _dim(L=1, T=-2), "gal", "Gal")
_add("1", ENERGY, "kcal", "kJ", "J", "BTU", "W", "kW", "cal")

# dimension names of the catalogue -> (dimension, factor from catalogue unit to base units)
CATALOGUE: dict[str, tuple[Dimension, Decimal]] = {
    "length": (LENGTH, Decimal(1)),
    "length2": (_dim(L=2), Decimal(1)),
    "length3": (_dim(L=3), Decimal(1)),
    "length4": (_dim(L=4), Decimal(1)),
    "length6": (_dim(L=6), Decimal(1)),
    "angle": (ANGLE, Decimal(1)),
    "force": (FORCE, Decimal(1)),
    "moment": (_dim(F=1, L=1), Decimal(1)),
    "force/length": (_dim(F=1, L=-1), Decimal(1)),
    "force/length2": (STRESS, Decimal(1)),
    "force/length3": (_dim(F=1, L=-3), Decimal(1)),
    "force*length2": (_dim(F=1, L=2), Decimal(1)),
    "temperature": (HEAT, Decimal(1)),
    "temperature/length": (_dim(K=1, L=-1), Decimal(1)),
    "1/temperature": (_dim(K=-1), Decimal(1)),
    "time": (TIME, Decimal(1)),
    "1/time": (_dim(T=-1), Decimal(1)),
    "length/time": (_dim(L=1, T=-1), Decimal(1)),
    "length/time2": (_dim(L=1, T=-2), Decimal(1)),
    "percent": (NONE, Decimal(1)),
    "day": (TIME, DAY),
    "hour": (TIME, Decimal(3600)),
    "mass": (MASS, Decimal(1)),
    "mass/length": (_dim(F=1, T=2, L=-2), Decimal(1)),
    "mass/length2": (_dim(F=1, T=2, L=-3), Decimal(1)),
    "mass/length3": (_dim(F=1, T=2, L=-4), Decimal(1)),
    "mass*length2": (_dim(F=1, T=2, L=1), Decimal(1)),
    "moment/radian": (_dim(F=1, L=1, A=-1), Decimal("1") / Decimal("57.29577951308232")),
    "radian": (ANGLE, Decimal("57.29577951308232")),
    "force*time/length": (_dim(F=1, T=1, L=-1), Decimal(1)),
    "moment*time/radian": (_dim(F=1, L=1, T=1, A=-1), Decimal("1") / Decimal("57.29577951308232")),
    "1/length": (_dim(L=-1), Decimal(1)),
}
HEAT_DIMENSIONS = frozenset({
    "energy/mass/temperature", "energy/time/length/temperature", "energy/time/length2/temperature", "energy/length3",
})  # fmt: skip

# Units that begin other words: 3분할 is no time, 2주절점 no week, 118 J단 no energy.
_NOT_BEFORE = {
    "ft": ",=:_'", "J": "단끝측절-", "분": "할점의기모자", "초": "과기록반입", "일": "반자단", "주": "절어면로세기열요시동고로체변입", "도": "면심형록메", "시간": "이하", "톤": "수", "미리": "가는",
}  # fmt: skip
_NAMES = "|".join(
    re.escape(n) + (f"(?![{_NOT_BEFORE[n]}])" if n in _NOT_BEFORE else "") for n in sorted(BASE, key=len, reverse=True)
)
_DEGREES = frozenset({"도", "°", "deg", "degrees", "degree", "C"})
# A base unit; Latin names must not run on into another word ("3 members", "2 nodes").
_ONE = rf"(?:(?:{_NAMES})(?![A-Za-z0-9])|(?:{_NAMES})(?=\^?[2346](?![0-9])))(?:[²³⁴]|\^?[2346](?![0-9]))?"
UNIT = rf"(?:1 ?/ ?)?{_ONE}(?:(?: ?[/·*⋅∙] ?|[.x\-]){_ONE}){{0,3}}"
_PIECE = re.compile(rf"([/·.*⋅∙x\-]?)\s?({_NAMES})([²³⁴]|\^?[2346])?(?![A-Za-z])")
_RUN_TOGETHER = {
    "kNm": "kN·m",
    "kNM": "kN·m",
    "Nmm": "N·mm",
    "tfm": "tf·m",
    "tonfm": "tonf·m",
    "kgfm": "kgf·m",
    "kN-m": "kN·m",
    "Nm": "N·m",
}
UNIT_PATTERN = (
    rf"(?:(?:{'|'.join(sorted(_RUN_TOGETHER, key=len, reverse=True))})(?![A-Za-z])(?:\s?/\s?{_ONE})?|{UNIT}|/(?:℃|°C))"
)
_POWER = {"²": 2, "³": 3, "⁴": 4, "2": 2, "3": 3, "4": 4, "6": 6}


@lru_cache(maxsize=4096)
def read_unit(text: str) -> tuple[Decimal, Dimension] | None:
    """(factor to model base units, dimension) of a written unit, or None where it is none we know."""
    rest = text.strip()
    for run, spaced in _RUN_TOGETHER.items():
        if rest.startswith(run) and not rest[len(run) : len(run) + 1].isalpha():
            rest = spaced + rest[len(run) :]
            break
    sign = 1
    if re.match(r"1\s?/", rest):
        rest = rest[rest.index("/") :]
    factor, powers = Decimal(1), [0] * 6
    while rest:
        found = _PIECE.match(rest.lstrip())
        if found is None:
            return None
        rest = rest.lstrip()[found.end() :]
        if found[1] == "/":
            sign = -1
        base, dimension = BASE[found[2]]
        power = _POWER[found[3][-1]] if found[3] else 1
        factor *= base ** (power * sign)
        powers = [a + b * power * sign for a, b in zip(powers, dimension, strict=True)]
    return factor, (powers[0], powers[1], powers[2], powers[3], powers[4], powers[5])


@lru_cache(maxsize=8192)
def factor_to(unit: str, dimension: str) -> Decimal | None:
    """What a number written in `unit` is multiplied with to get the catalogue's unit of `dimension`; None if it cannot be."""
    read = read_unit(unit)
    if read is None:
        return None
    if dimension == "temperature" and unit.strip() in _DEGREES:
        return Decimal(1)
    if dimension in HEAT_DIMENSIONS:
        return Decimal(1) if read[1][_E] else None
    wanted = CATALOGUE.get(dimension)
    if wanted is None:
        return None
    factor, found = read
    if found == wanted[0]:
        return factor / wanted[1]
    # Mass said where force is meant and the other way round: "ton" is a load in everyday speech.
    if found == MASS and wanted[0] == FORCE:
        return factor * Decimal("9.80665")
    if (
        wanted[0][_A] == 0
        and found == tuple(p if i != _A else found[_A] for i, p in enumerate(wanted[0]))
        and found[_A] == -1
    ):
        return factor * Decimal("57.29577951308232")  # kN·m/rad for a plain kN·m field
    if wanted[0][_A] == -1 and found == tuple(p if i != _A else 0 for i, p in enumerate(wanted[0])):
        return factor / wanted[1] / Decimal("57.29577951308232")  # kN·m for a kN·m/rad field
    ratio = tuple(a - b for a, b in zip(found, wanted[0], strict=True))
    if ratio == tuple(a - b for a, b in zip(MASS, FORCE, strict=True)):
        return factor / wanted[1] * Decimal("9.80665")  # ton/m2 for a load
    return None
