"""Static load cases of the model as forces along members and at nodes, in global axes.

Covers self weight (BODF), nodal loads (CNLD) and element beam loads (BMLD: forces at points or spread, moments at
points). Any other load in a case makes that case unsupported.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from gennx.emulator.store import Record, Store

Vector = tuple[float, float, float]
# Tables that hold loads of a named case which the solver does not know; value: where the case is named.
OTHER_LOADS = {
    "db/SDSP": "LCNAME", "db/NBOF": "LCNAME", "db/PRES": "LCNAME", "db/PNLA": "LCNAME", "db/FMLD": "LCNAME",
    "db/EPST": "LOADCASE", "db/EPSE": "LOADCASE", "db/ETMP": "LCNAME", "db/GTMP": "LCNAME", "db/BTMP": "LCNAME",
    "db/STMP": "LCNAME", "db/NTMP": "LCNAME", "db/PRST": "LCNAME", "db/PTNS": "LCNAME", "db/TDPL": "LCNAME",
    "db/EXLD": "LCNAME_ITEM", "db/EFCT": "LCNAME", "db/IELC": "LCNAME", "db/LDSQ": "LCNAME_ITEM",
}  # fmt: skip
ANY_CASE = ("db/FBLA", "db/WIND", "db/SEIS")  # these name their cases indirectly: no case is safe
AXES = {"X": 0, "Y": 1, "Z": 2}


class Unsupported(Exception):
    """Something that the solver cannot represent; the message names it."""


class Member(Protocol):
    """What loads need of a line element."""

    @property
    def length(self) -> float: ...
    @property
    def axes(self) -> tuple[Vector, ...]: ...
    @property
    def material(self) -> Any: ...
    @property
    def section(self) -> Any: ...


@dataclass(frozen=True)
class Spread:
    """Force per length on an element from `start` to `end` (lengths from its first node), linear between."""

    element: int
    start: float
    end: float
    first: Vector
    last: Vector


@dataclass(frozen=True)
class Point:
    """A force, or a moment, on an element at a length from its first node."""

    element: int
    at: float
    value: Vector
    moment: bool


@dataclass
class CaseLoads:
    """All loads of one case; nodal ones are three forces and three moments."""

    nodes: dict[int, tuple[float, ...]] = field(default_factory=dict)
    spread: list[Spread] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)


def local_axes(a: Vector, b: Vector, angle: float) -> tuple[Vector, Vector, Vector]:
    """Unit vectors of the local axes: x from a to b; z in the vertical plane through x, upward, or along global X for
    a vertical element; both y and z turned about x by the beta angle in degrees."""
    x = _unit((b[0] - a[0], b[1] - a[1], b[2] - a[2]))
    vertical = math.hypot(x[0], x[1]) < 1e-9
    y = _unit(_cross((1.0, 0.0, 0.0) if vertical else (0.0, 0.0, 1.0), x))
    z = _cross(x, y)
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    turned_y = tuple(c * p + s * q for p, q in zip(y, z, strict=True))
    turned_z = tuple(c * q - s * p for p, q in zip(y, z, strict=True))
    return x, (turned_y[0], turned_y[1], turned_y[2]), (turned_z[0], turned_z[1], turned_z[2])


def _cross(a: Vector, b: Vector) -> Vector:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def _unit(v: Vector) -> Vector:
    size = math.sqrt(sum(c * c for c in v))
    return v[0] / size, v[1] / size, v[2] / size


def cases_of(store: Store) -> list[str]:
    """Names of the static load cases."""
    return [str(r.get("NAME")) for r in store.rows("db/STLD").values()]


def case_loads(store: Store, case: str, members: Mapping[int, Member]) -> CaseLoads:
    """The loads of a case. Raises Unsupported."""
    _refuse_others(store, case)
    out = CaseLoads()
    for row in store.rows("db/BODF").values():
        if row.get("LCNAME") == case:
            _self_weight(out, row, members)
    for key, row in store.rows("db/CNLD").items():
        for item in _items(row, case):
            six = [float(item.get(n, 0) or 0) for n in ("FX", "FY", "FZ", "MX", "MY", "MZ")]
            before = out.nodes.get(int(key), (0.0,) * 6)
            out.nodes[int(key)] = tuple(a + b for a, b in zip(before, six, strict=True))
    for key, row in store.rows("db/BMLD").items():
        for item in _items(row, case):
            if int(key) in members:
                _beam_load(out, int(key), item, members[int(key)])
    return out


def _items(row: Record, case: str) -> Iterator[Record]:
    for item in row.get("ITEMS") or ():
        if isinstance(item, dict) and item.get("LCNAME") == case:
            yield item


def _refuse_others(store: Store, case: str) -> None:
    for uri in ANY_CASE:
        if store.rows(uri):
            raise Unsupported(uri)
    for uri, name in OTHER_LOADS.items():
        for row in store.rows(uri).values():
            for part in [row, *(row.get("ITEMS") or ())]:
                named = part.get(name) if isinstance(part, dict) else None
                if named == case or (isinstance(named, list) and case in named):
                    raise Unsupported(uri)


def _self_weight(out: CaseLoads, row: Record, members: Mapping[int, Member]) -> None:
    factors = [float(f) for f in row.get("FV", ())][:3]
    for number, member in members.items():
        weight = member.material.weight * member.section.area
        force = (factors[0] * weight, factors[1] * weight, factors[2] * weight)
        out.spread.append(Spread(number, 0.0, member.length, force, force))


def _beam_load(out: CaseLoads, number: int, item: Record, member: Member) -> None:
    """One item of BMLD. Raises Unsupported for eccentric, projected, spread-moment and pressure loads."""
    kind = item.get("TYPE")
    if item.get("USE_ECCEN") or item.get("USE_PROJECTION") or item.get("USE_ADDITIONAL") or kind == "PRESSURE":
        raise Unsupported("db/BMLD with eccentricity, projection or pressure")
    direction = _direction(item, member)
    places, values = list(item.get("D") or ()), list(item.get("P") or ())
    if kind in ("CONLOAD", "CONMOMENT"):
        for place, value in zip(places, values, strict=False):
            if value:
                at = _at(place, member)
                out.points.append(Point(number, at, _scaled(direction, value), kind == "CONMOMENT"))
        return
    if kind != "UNILOAD":
        raise Unsupported(f"db/BMLD {kind}")
    for i in range(len(places) - 1):
        if places[i + 1] <= places[i] or i + 1 >= len(values):
            break
        start, end = _at(places[i], member), _at(places[i + 1], member)
        first, last = _scaled(direction, values[i]), _scaled(direction, values[i + 1])
        out.spread.append(Spread(number, start, end, first, last))


def _at(place: Any, member: Member) -> float:
    if not isinstance(place, (int, float)) or not 0 <= place <= 1:
        raise Unsupported("db/BMLD outside its element")
    return float(place) * member.length


def _direction(item: Record, member: Member) -> Vector:
    """Unit vector of a load's direction in global axes."""
    name = str(item.get("DIRECTION", "GZ"))
    if name == "VECTOR":
        v = (float(item.get("VX", 0)), float(item.get("VY", 0)), float(item.get("VZ", 0)))
        return _unit(v) if any(v) else v
    if name[:1] == "L":
        return member.axes[AXES[name[1:]]]
    unit = [0.0, 0.0, 0.0]
    unit[AXES[name[1:]]] = 1.0
    return unit[0], unit[1], unit[2]


def _scaled(v: Vector, factor: Any) -> Vector:
    return v[0] * factor, v[1] * factor, v[2] * factor
