"""Nodes and elements that operations add: numbering, merging, grids between corners, meshes of polygons."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gennx.emulator.document import Document
from gennx.emulator.records import prepared
from gennx.emulator.rules import EndpointRules, Rules
from gennx.emulator.store import Record
from gennx.emulator.values import clone

Point = tuple[float, float, float]
MOST_CELLS = 20_000
TOLERANCE = 1e-6
STEPS = re.compile(r"(?:(\d+)\s*@\s*)?(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)")


class BadMesh(Exception):
    """Targets that cannot be divided or meshed; the message is what the server says."""


@dataclass
class Builder:
    """Adds nodes and elements to a document; `made` holds the elements added or changed, by number."""

    document: Document
    rules: Rules
    numbering: Mapping[str, Any] = field(default_factory=dict)
    tolerance: float = TOLERANCE
    made: dict[str, Record] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._cells: dict[tuple[int, ...], list[int]] = {}
        self._alike: dict[str, Record] = {}
        for key, row in self.document.store.rows("db/NODE").items():
            self._place(int(key), point(row))
        names = {"db/NODE": "NODE_NUMBER", "db/ELEM": "ELEM_NUMBER"}
        self._next = {uri: self._first(uri, name) for uri, name in names.items()}

    def _first(self, uri: str, name: str) -> int:
        option = self.numbering.get(name)
        option = option if isinstance(option, dict) else {}
        kind = option.get("NUMBER_OPTION", "Smallest")
        if kind == "User" and isinstance(option.get("USER_NUM"), int):
            return max(1, int(option["USER_NUM"]))
        return self.document.next_key(uri) if kind == "Largest" else 1

    def _number(self, uri: str) -> str:
        rows, number = self.document.store.rows(uri), self._next[uri]
        while str(number) in rows:
            number += 1
        self._next[uri] = number + 1
        return str(number)

    def _cells_near(self, p: Point, reach: float = 0.0) -> Iterator[tuple[int, ...]]:
        """The cells within a reach of a point; they begin where no round coordinate lies, so that it is mostly one."""
        size = max(self.tolerance, TOLERANCE) * 64
        return itertools.product(
            *(range(math.floor((c - reach) / size + 0.3), math.floor((c + reach) / size + 0.3) + 1) for c in p)
        )

    def _place(self, number: int, p: Point) -> None:
        if all(math.isfinite(c) and abs(c) < 1e12 for c in p):
            for cell in self._cells_near(p):
                self._cells.setdefault(cell, []).append(number)

    def node(self, p: Point) -> int:
        """The node at a point: the existing one within the tolerance, else a new one."""
        rows = self.document.store.rows("db/NODE")
        for cell in self._cells_near(p, 1.1 * self.tolerance):
            for number in self._cells.get(cell, ()):
                if math.dist(point(rows[str(number)]), p) <= self.tolerance:
                    return number
        key = self._number("db/NODE")
        row = {"X": round(p[0], 12), "Y": round(p[1], 12), "Z": round(p[2], 12)}
        self.document.store.writable("db/NODE")[key] = row
        self._place(int(key), p)
        return int(key)

    def element(self, record: Record, key: str | None = None) -> str:
        """Store an element under its number, or a new one. Raises BadMesh beyond `MOST_CELLS` in one call."""
        if len(self.made) >= MOST_CELLS:
            raise BadMesh("Wrong Field")
        own = self.rules.at("db/ELEM")
        number = key or self._number("db/ELEM")
        row = self._row(own, number, record) if own is not None else record
        self.document.store.writable("db/ELEM")[number] = row
        self.made[number] = row
        return number

    def _row(self, own: EndpointRules, number: str, record: Record) -> Record:
        """The row to store; elements of a mesh differ by their nodes alone, and defaults are filled for the first of them."""
        alike = repr({**record, "NODE": len(record["NODE"])})
        if alike not in self._alike:
            self._alike[alike] = prepared(own, number, record)
        return {**clone(self._alike[alike]), "NODE": list(record["NODE"])}

    def answer(self) -> dict[str, Record]:
        """Elements made, with their nodes padded to eight, as the server prints them."""
        return {k: {**r, "NODE": (list(r["NODE"]) + [0] * 8)[:8]} for k, r in self.made.items()}


def point(row: Mapping[str, Any]) -> Point:
    """Coordinates of a node row."""
    return float(row.get("X", 0)), float(row.get("Y", 0)), float(row.get("Z", 0))


def between(a: Point, b: Point, t: float) -> Point:
    """The point at a fraction of the way from a to b."""
    return a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t


def steps(text: str) -> list[float]:
    """Lengths of `3@2.4` or `1.5,2,2.5`. Raises BadMesh for none or far too many."""
    out: list[float] = []
    for count, size in STEPS.findall(text[:2000]):
        if len(out) + int(count or 1) > MOST_CELLS:
            raise BadMesh("Wrong Field")
        out += [float(size)] * int(count or 1)
    if not out or any(s <= 0 for s in out):
        raise BadMesh("Wrong Field")
    return out


def fractions(lengths: Iterable[float], whole: float) -> list[float]:
    """Division points as fractions of `whole`, from 0 to 1; what goes beyond the end is cut."""
    out, at = [0.0], 0.0
    for length in lengths:
        at += length
        if at >= whole * (1 - TOLERANCE):
            break
        out.append(at / whole)
    return [*out, 1.0]


def even(count: int) -> list[float]:
    """Fractions of an equal division. Raises BadMesh for a count below 1 or too large."""
    if not 1 <= count <= MOST_CELLS:
        raise BadMesh("Wrong Field")
    return [i / count for i in range(count + 1)]


def grid(corners: Sequence[Point], u: Sequence[float], v: Sequence[float]) -> list[list[Point]]:
    """Points of a quadrilateral, rows along v, columns along u (corners in order around)."""
    if (len(u) - 1) * (len(v) - 1) > MOST_CELLS:
        raise BadMesh("Wrong Field")
    a, b, c, d = corners
    return [[between(between(a, b, s), between(d, c, s), t) for s in u] for t in v]


def quads(points: Sequence[Sequence[Point]]) -> list[list[Point]]:
    """Cells of a grid of points, each in order around."""
    return [
        [points[j][i], points[j][i + 1], points[j + 1][i + 1], points[j + 1][i]]
        for j in range(len(points) - 1)
        for i in range(len(points[0]) - 1)
    ]


def normal(polygon: Sequence[Point]) -> Point:
    """Area vector of a polygon, by Newell's rule; zero for one without area."""
    x = y = z = 0.0
    for a, b in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        x += (a[1] - b[1]) * (a[2] + b[2])
        y += (a[2] - b[2]) * (a[0] + b[0])
        z += (a[0] - b[0]) * (a[1] + b[1])
    return x / 2, y / 2, z / 2


def area(polygon: Sequence[Point]) -> float:
    """Area of a planar polygon."""
    return math.hypot(*normal(polygon))


def mesh(polygon: Sequence[Point], size: float, triangles: bool) -> list[list[Point]]:
    """Cells of a simple planar polygon with edges near `size`: a grid for four corners, else triangles cut from its
    corners, halved until small enough, and for quadrilaterals split in three. Raises BadMesh."""
    if len(polygon) < 3 or area(polygon) <= 1e-12 or not size > 0:
        raise BadMesh("[Error] Invalid element list!")
    if len(polygon) == 4 and not triangles and _convex(polygon):
        sides = [math.dist(polygon[i], polygon[(i + 1) % 4]) for i in range(4)]
        along, across = (max(1, round(max(sides[i], sides[i + 2]) / size)) for i in (0, 1))
        return quads(grid(polygon, even(along), even(across)))
    cells = [list(t) for t in _ears(polygon)]
    longest = max(math.dist(a, b) for t in cells for a, b in zip(t, [*t[1:], t[0]], strict=True))
    while longest > size * 1.5:
        if len(cells) * 4 > MOST_CELLS:
            raise BadMesh("Wrong Field")
        cells = [part for t in cells for part in _halved(t)]
        longest /= 2
    return cells if triangles else [part for t in cells for part in _thirds(t)]


def _convex(polygon: Sequence[Point]) -> bool:
    up = normal(polygon)
    return all(_turn(polygon[i - 1], polygon[i], polygon[(i + 1) % len(polygon)], up) > 0 for i in range(len(polygon)))


def _turn(a: Point, b: Point, c: Point, up: Point) -> float:
    """Positive for a left turn at b, seen from the side that `up` points to."""
    u, v = [b[i] - a[i] for i in range(3)], [c[i] - b[i] for i in range(3)]
    cross = (u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0])
    return sum(p * q for p, q in zip(cross, up, strict=True))


def _ears(polygon: Sequence[Point]) -> list[tuple[Point, Point, Point]]:
    """Triangles of a simple polygon, cut off corner by corner."""
    up, left, out = normal(polygon), list(polygon), []
    while len(left) > 3:
        for i in range(len(left)):
            a, b, c = left[i - 1], left[i], left[(i + 1) % len(left)]
            others = [p for p in left if p not in (a, b, c)]
            if _turn(a, b, c, up) > 1e-15 and not any(_inside(p, a, b, c, up) for p in others):
                out.append((a, b, c))
                del left[i]
                break
        else:
            raise BadMesh("[Error] Invalid element list!")
    out.append((left[0], left[1], left[2]))
    return out


def _inside(p: Point, a: Point, b: Point, c: Point, up: Point) -> bool:
    return _turn(a, b, p, up) >= 0 and _turn(b, c, p, up) >= 0 and _turn(c, a, p, up) >= 0


def _halved(t: Sequence[Point]) -> list[list[Point]]:
    a, b, c = t
    ab, bc, ca = between(a, b, 0.5), between(b, c, 0.5), between(c, a, 0.5)
    return [[a, ab, ca], [ab, b, bc], [ca, bc, c], [ab, bc, ca]]


def _thirds(t: Sequence[Point]) -> list[list[Point]]:
    a, b, c = t
    ab, bc, ca = between(a, b, 0.5), between(b, c, 0.5), between(c, a, 0.5)
    middle = (sum(p[0] for p in t) / 3, sum(p[1] for p in t) / 3, sum(p[2] for p in t) / 3)
    return [[a, ab, middle, ca], [ab, b, bc, middle], [middle, bc, c, ca]]
