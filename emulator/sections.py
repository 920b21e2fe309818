"""Section properties by closed forms, in the length unit of the model.

Shapes: SB rectangle, SR round bar, P pipe, B box, H, C, T, L, from their dimensions (`vSIZE`), from a database name
that spells its dimensions in millimetres (`H400x200x8/13`), or given outright (SECTTYPE VALUE). Root fillets are left
out, so a rolled shape comes out one or two per cent below its table. Any other section has no properties here.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from gennx.emulator.units import LENGTH
from gennx.emulator.values import field_at

FACTS = Path(__file__).parent / "facts" / "sections.json"
NUMBER = re.compile(r"\d+(?:\.\d+)?")
DATABASE_SHAPES = frozenset({"H", "C", "L", "T", "B", "P", "SB", "SR"})


@dataclass(frozen=True)
class Properties:
    """Area, shear areas, torsion constant, moments of inertia about local y and z, and distances to the outer fibres
    (y plus, y minus, z plus, z minus)."""

    area: float
    asy: float
    asz: float
    ixx: float
    iyy: float
    izz: float
    cyp: float
    cym: float
    czp: float
    czm: float


@dataclass(frozen=True)
class Part:
    """A rectangle of a built-up section: width along y, height along z, centre."""

    width: float
    height: float
    y: float
    z: float


@lru_cache(maxsize=1)
def names() -> dict[str, dict[str, list[str]]]:
    """Section names by database and shape."""
    return dict(json.loads(FACTS.read_bytes())["names"])


def properties(section: Mapping[str, Any], unit: Mapping[str, Any]) -> Properties | None:
    """Properties of a `db/SECT` record, None when no closed form is known or its dimensions are out of order."""
    before = section.get("SECT_BEFORE")
    inner = field_at(before, ("SECT_I",))
    if not isinstance(before, dict) or not isinstance(inner, dict):
        return None
    if section.get("SECTTYPE") == "VALUE":
        return _given(inner.get("STIFF"))
    if section.get("SECTTYPE") != "DBUSER":
        return None
    shape = before.get("SHAPE")
    sizes = inner.get("vSIZE") if before.get("DATATYPE", 2) == 2 else _named(shape, inner.get("SECT_NAME"), unit)
    form = FORMS.get(str(shape))
    if form is None or sizes is None or not _positive(sizes):
        return None
    try:
        found = form(list(sizes))
    except (IndexError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return found if all(math.isfinite(v) and v > 0 for v in (found.area, found.iyy, found.izz, found.ixx)) else None


def _positive(sizes: Any) -> bool:
    return (
        isinstance(sizes, list)
        and 0 < len(sizes) <= 20
        and all(isinstance(s, (int, float)) and not isinstance(s, bool) and s >= 0 for s in sizes)
    )


def _given(stiff: Any) -> Properties | None:
    if not isinstance(stiff, dict):
        return None
    names = ("AREA", "ASY", "ASZ", "RXX", "RYY", "RZZ", "CYP", "CYM", "CZP", "CZM")
    values = [stiff.get(n, 0) for n in names]
    if not all(isinstance(v, (int, float)) and not isinstance(v, bool) and math.isfinite(v) for v in values):
        return None
    return Properties(*values) if min(values[0], *values[3:6]) > 0 else None


def _named(shape: Any, name: Any, unit: Mapping[str, Any]) -> list[float] | None:
    """Dimensions that a database name spells out in millimetres."""
    if shape not in DATABASE_SHAPES or not isinstance(name, str) or not name.upper().startswith(str(shape)):
        return None
    sizes = [float(n) * 0.001 / LENGTH.get(str(unit.get("DIST")), 1.0) for n in NUMBER.findall(name[:60])]
    if shape == "L" and len(sizes) == 2:  # L75x6: equal legs
        return [sizes[0], sizes[0], sizes[1], sizes[1]]
    if shape in ("L", "B") and len(sizes) == 3:  # one thickness
        return [*sizes, sizes[2]]
    wanted = {"H": 4, "C": 4, "L": 4, "T": 4, "B": 4, "P": 2, "SB": 2, "SR": 1}[str(shape)]
    return sizes if len(sizes) == wanted else None


def built(parts: Sequence[Part], asy: float, asz: float, ixx: float) -> Properties:
    """Properties of rectangles put together, about their common centroid."""
    area = sum(p.width * p.height for p in parts)
    y = sum(p.width * p.height * p.y for p in parts) / area
    z = sum(p.width * p.height * p.z for p in parts) / area
    iyy = sum(p.width * p.height**3 / 12 + p.width * p.height * (p.z - z) ** 2 for p in parts)
    izz = sum(p.height * p.width**3 / 12 + p.width * p.height * (p.y - y) ** 2 for p in parts)
    return Properties(
        area, asy, asz, ixx, iyy, izz,
        cyp=max(p.y + p.width / 2 for p in parts) - y,
        cym=y - min(p.y - p.width / 2 for p in parts),
        czp=max(p.z + p.height / 2 for p in parts) - z,
        czm=z - min(p.z - p.height / 2 for p in parts),
    )  # fmt: skip


def _thin_torsion(*strips: tuple[float, float]) -> float:
    """Torsion constant of an open thin-walled section: a third of length times thickness cubed."""
    return sum(length * thickness**3 for length, thickness in strips) / 3


def rectangle(s: list[float]) -> Properties:
    """SB: height, width."""
    h, b = s[0], s[1]
    long, short = max(h, b), min(h, b)
    torsion = long * short**3 * (1 / 3 - 0.21 * short / long * (1 - (short / long) ** 4 / 12))
    return built([Part(b, h, 0, 0)], 5 / 6 * b * h, 5 / 6 * b * h, torsion)


def round_bar(s: list[float]) -> Properties:
    """SR: diameter."""
    return _ring(s[0], 0.0, 0.9)


def pipe(s: list[float]) -> Properties:
    """P: outer diameter, wall thickness."""
    return _ring(s[0], s[0] - 2 * s[1], 0.5)


def _ring(outer: float, inner: float, shear: float) -> Properties:
    if inner < 0:
        raise ValueError("wall thicker than the radius")
    area = math.pi * (outer**2 - inner**2) / 4
    inertia = math.pi * (outer**4 - inner**4) / 64
    r = outer / 2
    return Properties(area, shear * area, shear * area, 2 * inertia, inertia, inertia, r, r, r, r)


def box(s: list[float]) -> Properties:
    """B: height, width, web thickness, top flange thickness, distance between webs (0: flush), bottom thickness."""
    h, b, tw, top = s[:4]
    spacing = s[4] if len(s) > 4 and s[4] else b - tw
    bottom = s[5] if len(s) > 5 and s[5] else top
    web = _clear(h - top - bottom)
    _clear(b - 2 * tw)
    middle = (bottom - top) / 2
    parts = [Part(b, top, 0, (h - top) / 2), Part(b, bottom, 0, -(h - bottom) / 2)]
    parts += [Part(tw, web, side * spacing / 2, middle) for side in (-1, 1)]
    depth = h - (top + bottom) / 2
    torsion = 4 * (spacing * depth) ** 2 / (spacing / top + spacing / bottom + 2 * depth / tw)
    return built(parts, b * (top + bottom), 2 * h * tw, torsion)


def i_shape(s: list[float]) -> Properties:
    """H: height, top width, web, top thickness, bottom width, bottom thickness (as the top when absent)."""
    h, b1, tw, t1 = s[:4]
    b2, t2 = (s[4] if len(s) > 4 and s[4] else b1), (s[5] if len(s) > 5 and s[5] else t1)
    web = _clear(h - t1 - t2)
    parts = [Part(b1, t1, 0, (h - t1) / 2), Part(b2, t2, 0, -(h - t2) / 2), Part(tw, web, 0, (t2 - t1) / 2)]
    return built(parts, 5 / 6 * (b1 * t1 + b2 * t2), h * tw, _thin_torsion((b1, t1), (b2, t2), (web, tw)))


def channel(s: list[float]) -> Properties:
    """C: as H, with the web at the left edge."""
    h, b1, tw, t1 = s[:4]
    b2, t2 = (s[4] if len(s) > 4 and s[4] else b1), (s[5] if len(s) > 5 and s[5] else t1)
    web = _clear(h - t1 - t2)
    parts = [Part(b1, t1, b1 / 2, (h - t1) / 2), Part(b2, t2, b2 / 2, -(h - t2) / 2)]
    parts.append(Part(tw, web, tw / 2, (t2 - t1) / 2))
    return built(parts, 5 / 6 * (b1 * t1 + b2 * t2), h * tw, _thin_torsion((b1, t1), (b2, t2), (web, tw)))


def tee(s: list[float]) -> Properties:
    """T: height, width, web thickness, flange thickness; the flange on top."""
    h, b, tw, tf = s[:4]
    web = _clear(h - tf)
    parts = [Part(b, tf, 0, (h - tf) / 2), Part(tw, web, 0, -tf / 2)]
    return built(parts, 5 / 6 * b * tf, 5 / 6 * h * tw, _thin_torsion((b, tf), (web, tw)))


def angle(s: list[float]) -> Properties:
    """L: height, width, vertical thickness, horizontal thickness."""
    h, b, tw, tf = s[:4]
    leg = _clear(h - tf)
    parts = [Part(b, tf, b / 2, (h - tf) / 2), Part(tw, leg, tw / 2, -tf / 2)]
    return built(parts, 5 / 6 * b * tf, 5 / 6 * h * tw, _thin_torsion((b, tf), (leg, tw)))


def _clear(length: float) -> float:
    if length <= 0:
        raise ValueError("plates thicker than the section")
    return length


FORMS: dict[str, Callable[[list[float]], Properties]] = {
    "SB": rectangle,
    "SR": round_bar,
    "P": pipe,
    "B": box,
    "H": i_shape,
    "C": channel,
    "T": tee,
    "L": angle,
}
