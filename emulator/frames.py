"""Solve a frame of line elements under its static load cases, with PyNite.

PyNite's vertical axis is Y, ours is Z: X, Y, Z here are X, -Z, Y there. A member's local y axis there is our local z.
Beams are of Bernoulli's kind: shear deformation, which the program adds to displacements by default, is left out.
What the solver cannot represent (plates, links, offsets, temperature ...) makes the whole model, or the load cases
that it concerns, unsolved; nothing is approximated silently.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import ModuleType
from typing import Any

from gennx.emulator.loads import CaseLoads, Unsupported, case_loads, cases_of, local_axes
from gennx.emulator.materials import Elastic, elastic
from gennx.emulator.sections import Properties, properties
from gennx.emulator.store import Record, Store

LINES = ("BEAM", "TRUSS")
BARRED = ("OFFS", "RIGD", "ELNK", "NLNK", "MCON", "GSPR", "SSPS", "SKEW", "ESSF", "SECF", "EWSF", "VBEM", "STAG")
MOST_ELEMENTS = 3000
STATIONS = {"I": 0.0, "1/4": 0.25, "2/4": 0.5, "3/4": 0.75, "J": 1.0}
FAR = 1e6  # displacements beyond this many model lengths mean a mechanism
Six = tuple[float, float, float, float, float, float]


class Unstable(Exception):
    """The model is a mechanism."""


@dataclass
class Solution:
    """Results by load case. Displacements and reactions per node: X, Y, Z, about X, Y, Z. Forces per element and
    station: axial (tension positive), shear y, shear z, torsion, moment y, moment z; a positive moment y or z puts
    the negative side in tension."""

    displacements: dict[str, dict[int, Six]] = field(default_factory=dict)
    reactions: dict[str, dict[int, Six]] = field(default_factory=dict)
    forces: dict[str, dict[int, dict[str, Six]]] = field(default_factory=dict)
    """Worked out when a case is first asked for."""
    areas: dict[int, Properties] = field(default_factory=dict)
    trusses: set[int] = field(default_factory=set)
    ends: dict[int, tuple[int, int]] = field(default_factory=dict)
    unsolved: dict[str, str] = field(default_factory=dict)


class _Forces(dict[str, dict[int, dict[str, Six]]]):
    """Forces by load case, of a solved model."""

    def __init__(self, model: Any, lines: dict[int, Line]) -> None:
        super().__init__()
        self._model, self._lines = model, lines

    def __missing__(self, case: str) -> dict[int, dict[str, Six]]:
        self[case] = {n: _forces(self._model.members[str(n)], line, case) for n, line in self._lines.items()}
        return self[case]


@dataclass(frozen=True)
class Line:
    """A line element ready for the solver; `axes` are unit vectors of its local x, y and z."""

    number: int
    nodes: tuple[int, int]
    length: float
    axes: tuple[tuple[float, float, float], ...]
    material: Elastic
    section: Properties
    truss: bool
    angle: float


def solve(store: Store, unit: Mapping[str, Any]) -> Solution:
    """Analyse every static load case that can be. Raises Unsupported for a model that cannot, Unstable for a
    mechanism, ImportError without PyNite."""
    for name in BARRED:
        if store.rows(f"db/{name}"):
            raise Unsupported(f"db/{name}")
    lines = read_lines(store, unit)
    solution = Solution()
    loads: dict[str, CaseLoads] = {}
    for name in cases_of(store):
        try:
            loads[name] = case_loads(store, name, lines)
        except Unsupported as reason:
            solution.unsolved[name] = str(reason)
    model = _model(store, lines, loads)
    try:
        model.analyze_linear(check_stability=False, sparse=len(lines) > 50)
    except Exception as error:  # the solver raises bare Exception for a singular matrix
        raise Unstable(str(error)) from None
    for name in loads:
        _collect(model, store, name, solution)
    solution.forces = _Forces(model, lines)
    solution.areas = {n: line.section for n, line in lines.items()}
    solution.ends = {n: line.nodes for n, line in lines.items()}
    solution.trusses = {n for n, line in lines.items() if line.truss}
    return solution


def read_lines(store: Store, unit: Mapping[str, Any]) -> dict[int, Line]:
    """The elements of the model. Raises Unsupported for one that the solver cannot represent."""
    rows = store.rows("db/ELEM")
    if not rows or len(rows) > MOST_ELEMENTS:
        raise Unsupported("no elements" if not rows else f"more than {MOST_ELEMENTS} elements")
    return {int(key): _line(store, unit, int(key), element) for key, element in rows.items()}


def _line(store: Store, unit: Mapping[str, Any], number: int, element: Record) -> Line:
    kind = element.get("TYPE", "BEAM")
    ends = [n for n in element.get("NODE", ()) if n]
    points = [store.rows("db/NODE").get(str(n)) for n in ends[:2]]
    if kind not in LINES or len(ends) != 2 or None in points:
        raise Unsupported(f"element {number}: {kind}")
    a, b = (tuple(float((p or {}).get(c, 0)) for c in "XYZ") for p in points)
    length = math.dist(a, b)
    material = elastic(store.rows("db/MATL").get(str(element.get("MATL")), {}), unit)
    section = properties(store.rows("db/SECT").get(str(element.get("SECT")), {}), unit)
    if material is None or section is None or not 1e-6 < length < 1e9:
        raise Unsupported(f"element {number}: material, section or length")
    angle = float(element.get("ANGLE", 0) or 0)
    axes = local_axes((a[0], a[1], a[2]), (b[0], b[1], b[2]), angle)
    return Line(number, (ends[0], ends[1]), length, axes, material, section, kind == "TRUSS", angle)


def _turned(v: tuple[float, ...]) -> tuple[float, float, float]:
    """A vector of ours in PyNite's axes."""
    return v[0], v[2], -v[1]


def _back(v: tuple[float, float, float]) -> tuple[float, float, float]:
    return v[0], -v[2], v[1]


def _model(store: Store, lines: dict[int, Line], loads: dict[str, CaseLoads]) -> Any:
    model = _solver()()
    used = sorted({n for line in lines.values() for n in line.nodes})
    for number in used:
        row = store.rows("db/NODE")[str(number)]
        model.add_node(str(number), *_turned(tuple(float(row.get(c, 0)) for c in "XYZ")))
    for line in lines.values():
        _add_member(model, line)
    _supports(model, store, lines, used)
    _releases(model, store, lines)
    for name, load in loads.items():
        for node, six in load.nodes.items():
            if str(node) not in model.nodes:
                continue
            for direction, value in zip(("FX", "FY", "FZ"), _turned(six[:3]), strict=True):
                model.add_node_load(str(node), direction, value, name)
            for direction, value in zip(("MX", "MY", "MZ"), _turned(six[3:]), strict=True):
                model.add_node_load(str(node), direction, value, name)
        for piece in load.spread:
            for direction, first, last in zip("XYZ", _turned(piece.first), _turned(piece.last), strict=True):
                if first or last:
                    args = (f"F{direction}", first, last, piece.start, piece.end, name)
                    model.add_member_dist_load(str(piece.element), *args)
        for point in load.points:
            for direction, value in zip("XYZ", _turned(point.value), strict=True):
                if value:
                    kind = "M" if point.moment else "F"
                    model.add_member_pt_load(str(point.element), f"{kind}{direction}", value, point.at, name)
        model.add_load_combo(name, {name: 1.0})
    if not loads:
        model.add_load_combo("none", {})
    return model


@lru_cache(maxsize=1)
def _solver() -> Any:
    """PyNite's model. Its shear walls import pyplot, for pictures that nobody asks for here and longer than all the rest: kept from them, not from others.
    Raises ImportError."""
    absent = [name for name in ("matplotlib", "matplotlib.pyplot", "matplotlib.patches") if name not in sys.modules]
    for name in absent:
        sys.modules[name] = ModuleType(name)
        setattr(sys.modules[name], "Rectangle", None)  # noqa: B010
    try:
        from Pynite import FEModel3D  # type: ignore[import-untyped]
        from Pynite.Member3D import Member3D  # type: ignore[import-untyped]
    finally:
        for name in absent:
            del sys.modules[name]
    Member3D.T = _remembered(Member3D.T)
    return FEModel3D


def _remembered(turn: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A member's axes, which PyNite works out some twenty times: once for where it lies."""

    def turned(member: Any) -> Any:
        a, b = member.i_node, member.j_node
        lies = (a.X, a.Y, a.Z, b.X, b.Y, b.Z, member.rotation)
        known = member.__dict__.get("_lies")
        if known is None or known[0] != lies:
            known = member._lies = (lies, turn(member))
        return known[1]

    return turned


def _add_member(model: Any, line: Line) -> None:
    m, s = line.material, line.section
    name = str(line.number)
    model.add_material(name, m.modulus, m.shear, m.poisson, m.weight)
    model.add_section(name, s.area, s.izz, s.iyy, s.ixx)  # inertia about our local z is that about its y
    model.add_member(name, str(line.nodes[0]), str(line.nodes[1]), name, name, rotation=0.0)
    member = model.members[name]
    y = member.T()[1, 0:3]
    z = member.T()[2, 0:3]
    wanted = _turned(line.axes[2])
    member.rotation = math.degrees(math.atan2(_dot(z, wanted), _dot(y, wanted)))


def _dot(a: Any, b: Any) -> float:
    return float(sum(p * q for p, q in zip(a, b, strict=True)))


def _supports(model: Any, store: Store, lines: dict[int, Line], used: list[int]) -> None:
    plane = _plane(store)
    bent = {n for line in lines.values() if not line.truss for n in line.nodes}
    springs = store.rows("db/NSPR")
    for number in used:
        held = [False] * 6
        for item in store.rows("db/CONS").get(str(number), {}).get("ITEMS", ()):
            flags = str(item.get("CONSTRAINT", ""))
            held = [h or flags[i : i + 1] == "1" for i, h in enumerate(held)]
        held = [h or plane[i] or (i > 2 and number not in bent) for i, h in enumerate(held)]
        x, y, z, rx, ry, rz = held
        model.def_support(str(number), x, z, y, rx, rz, ry)
        for item in springs.get(str(number), {}).get("ITEMS", ()):
            _spring(model, number, item)


def _spring(model: Any, number: int, item: Record) -> None:
    stiffness = item.get("SDR")
    if item.get("TYPE", "LINEAR") != "LINEAR" or not isinstance(stiffness, list) or len(stiffness) != 6:
        raise Unsupported("db/NSPR other than LINEAR")
    for name, value in zip(("DX", "DZ", "DY", "RX", "RZ", "RY"), stiffness, strict=True):
        if value:
            model.def_support_spring(str(number), name, float(value))


def _plane(store: Store) -> list[bool]:
    """Degrees of freedom that the structure type takes out everywhere."""
    kind = store.rows("db/STYP").get("1", {}).get("STYP", 0)
    out = {1: (1, 3, 5), 2: (0, 4, 5), 3: (2, 3, 4), 4: (5,)}.get(kind, ())
    return [i in out for i in range(6)]


def _releases(model: Any, store: Store, lines: dict[int, Line]) -> None:
    for line in lines.values():
        if line.truss:
            model.def_releases(str(line.number), Ryi=True, Rzi=True, Ryj=True, Rzj=True)
    for key, row in store.rows("db/FRLS").items():
        for item in row.get("ITEMS", ()):
            if any(item.get("VALUE_I", ())) or any(item.get("VALUE_J", ())) or int(key) not in lines:
                raise Unsupported("db/FRLS with partial fixity")
            flags = [str(item.get(f"FLAG_{end}", "0000000")).ljust(7, "0") for end in "IJ"]
            free = {}
            for end, text in zip("ij", flags, strict=True):
                for name, place in (("Dx", 0), ("Dz", 1), ("Dy", 2), ("Rx", 3), ("Rz", 4), ("Ry", 5)):
                    free[name + end] = text[place] == "1"
            model.def_releases(key, **free)


def _collect(model: Any, store: Store, case: str, solution: Solution) -> None:
    moved: dict[int, Six] = {}
    reacted: dict[int, Six] = {}
    held = set(store.rows("db/CONS")) | set(store.rows("db/NSPR"))
    for name, node in model.nodes.items():
        shift = _back((node.DX[case], node.DY[case], node.DZ[case]))
        turn = _back((node.RX[case], node.RY[case], node.RZ[case]))
        values = tuple(float(v) for v in (*shift, *turn))
        if not all(abs(v) < FAR for v in values):
            raise Unstable(f"node {name}")
        moved[int(name)] = _six(values)
        if name in held:
            force = _back((node.RxnFX[case], node.RxnFY[case], node.RxnFZ[case]))
            moment = _back((node.RxnMX[case], node.RxnMY[case], node.RxnMZ[case]))
            reacted[int(name)] = _six(tuple(float(v) for v in (*force, *moment)))
    solution.displacements[case], solution.reactions[case] = moved, reacted


def _forces(member: Any, line: Line, case: str) -> dict[str, Six]:
    """Forces on the face that looks along local x. PyNite's local y and z are our z and minus y."""
    out = {}
    for part, place in STATIONS.items():
        x = min(max(place * line.length, 0.0), line.length)
        axial = -member.axial(x, case)
        shear_z, shear_y = -member.shear("Fy", x, case), member.shear("Fz", x, case)
        moment_y, moment_z = -member.moment("Mz", x, case), member.moment("My", x, case)
        out[part] = _six((axial, shear_y, shear_z, -member.torque(x, case), moment_y, moment_z))
    return out


def _six(values: tuple[Any, ...]) -> Six:
    a, b, c, d, e, f = (float(v) + 0.0 for v in values)  # + 0.0 turns -0.0 into 0.0
    return a, b, c, d, e, f
