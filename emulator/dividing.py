"""`ope/DIVIDEELEM` and `ope/AUTOMESH`: nodes and elements from elements.

The first part of a divided element keeps its number. Beam loads on it are dealt out to its parts; other loads and
boundary conditions stay with the first part.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from gennx.emulator.cascades import delete_rows
from gennx.emulator.document import Document
from gennx.emulator.meshes import (
    MOST_CELLS,
    BadMesh,
    Builder,
    Point,
    between,
    even,
    fractions,
    grid,
    mesh,
    point,
    quads,
    steps,
)
from gennx.emulator.replies import WRONG_FIELD, Reply, failure
from gennx.emulator.rules import Rules
from gennx.emulator.store import Record

BAD_LIST = "[Error] Invalid element list!"
BAD_QUERY = "MIDAS GEN NX second query is wrong"
PLATE_TYPES = {"Plate": "PLATE", "Plane Stress": "PLSTRS", "Plane Strain": "PLSTRN", "Axisymmetric": "AXISYM"}


def divide(document: Document, rules: Rules, argument: Mapping[str, Any]) -> Reply:
    """Divide elements; answers with the parts."""
    merging = argument["DIVIDE"].get("MERGE_DUPLICATE_NODES") or {}
    tolerance = merging.get("TOLERANCE", 1e-6) if merging.get("OPT_CHECK", True) else 0.0
    builder = Builder(document, rules, argument.get("START_NUMBER") or {}, max(float(tolerance), 0.0))
    before = document.store.freeze()
    try:
        _divide(builder, argument)
    except (BadMesh, ArithmeticError, LookupError, TypeError, ValueError) as problem:
        document.store = type(document.store)(before)
        return failure(str(problem) if isinstance(problem, BadMesh) else WRONG_FIELD)
    document.touched("db/ELEM")
    return Reply(200, {"DIVIDEELEM": builder.answer()})


def _divide(builder: Builder, argument: Mapping[str, Any]) -> None:
    how = argument["DIVIDE"]
    method, options = "".join(how["DIV_METHOD"].split()).lower(), how["OPTION"]
    if method == "dividebynode":
        option = options["BY_NODE_OPTION"]
        _split_at(builder, str(option["ELEM_NUM"]), int(option["NODE_NUM"]))
        return
    if method == "parallelbracing":
        _brace(builder, options["PARALLEL_OPTION"])
        return
    targets = argument.get("TARGETS")
    if not targets:
        raise BadMesh(BAD_LIST)
    for target in targets:
        _divide_one(builder, str(target), method, options)


def _divide_one(builder: Builder, key: str, method: str, options: Mapping[str, Any]) -> None:
    element = _element(builder, key)
    nodes = [n for n in element["NODE"] if n]
    corners = [_point(builder, n) for n in nodes]
    if len(corners) == 2:
        places = _places(method, options, "X", math.dist(corners[0], corners[1]))
        _divide_line(builder, key, element, places)
    elif len(corners) == 4:
        second = "Z" if element.get("TYPE") in ("WALL", "WALL OPEN") else "Y"
        u = _places(method, options, "X", math.dist(corners[0], corners[1]))
        v = _places(method, options, second, math.dist(corners[1], corners[2]))
        _replace(builder, key, element, quads(grid(corners, u, v)))
    elif len(corners) == 8:
        axes = zip("XYZ", ((0, 1), (1, 2), (0, 4)), strict=True)
        parts = [_places(method, options, axis, math.dist(corners[i], corners[j])) for axis, (i, j) in axes]
        _replace(builder, key, element, _bricks(corners, *parts))
    else:
        raise BadMesh(BAD_LIST)


def _places(method: str, options: Mapping[str, Any], axis: str, length: float) -> list[float]:
    """Division points along one side, as fractions of it."""
    if not 0 < length < math.inf:
        raise BadMesh(BAD_LIST)
    if method == "equal":
        return even(int(options["EQUAL_OPTION"].get(f"NUM_{axis}", 1)))
    if method == "unequal":
        text = options["UNEQUAL_OPTION"].get(f"DIST_{axis}")
        return fractions(steps(text), length) if text else [0.0, 1.0]
    if method == "parametricunequal":
        text = options["PARAMETRIC_OPTION"].get(f"RATIO_{axis}")
        return fractions(steps(text), 1.0) if text else [0.0, 1.0]
    raise BadMesh(WRONG_FIELD)


def _element(builder: Builder, key: str) -> Record:
    element = builder.document.store.rows("db/ELEM").get(key)
    if element is None:
        raise BadMesh(f"Element {key} does not exist.")
    return element


def _point(builder: Builder, number: int) -> Point:
    row = builder.document.store.rows("db/NODE").get(str(number))
    if row is None:
        raise BadMesh(f"Node {number} does not exist.")
    return point(row)


def _divide_line(builder: Builder, key: str, element: Record, places: Sequence[float]) -> None:
    first, last = element["NODE"][:2]
    a, b = _point(builder, first), _point(builder, last)
    chain = [first, *(builder.node(between(a, b, t)) for t in places[1:-1]), last]
    parts = []
    for index, ends in enumerate(pairwise(chain)):
        parts.append(builder.element({**element, "NODE": list(ends)}, key if index == 0 else None))
    _deal_loads(builder, key, parts, places)


def _deal_loads(builder: Builder, key: str, parts: Sequence[str], places: Sequence[float]) -> None:
    """Give each part of a beam its share of the beam loads, positions taken anew from its own ends."""
    row = builder.document.store.rows("db/BMLD").get(key)
    if row is None or len(parts) < 2:
        return
    table = builder.document.store.writable("db/BMLD")
    for part, start, end in zip(parts, places, places[1:], strict=False):
        items = [share for item in row.get("ITEMS") or () for share in [load_share(item, start, end)] if share]
        if items:
            table[part] = {"ITEMS": items}
        else:
            table.pop(part, None)


def load_share(item: Record, start: float, end: float) -> Record | None:
    """The part of a beam load between two fractions of its beam, None when none of it is there. A point load on a
    cut belongs to the part that begins there; one at the far end to the last part."""
    places, values = item.get("D") or [], item.get("P") or []
    pairs = [(float(d), float(p)) for d, p in zip(places, values, strict=False)]
    width = end - start
    if str(item.get("TYPE", "")).startswith("CON"):
        kept = [((d - start) / width, p) for d, p in pairs if p and (start <= d < end or d == end == 1.0)]
    else:
        kept = [((d - start) / width, p) for d, p in _clipped(pairs, start, end)]
    if not kept:
        return None
    padded = [*kept, *[(0.0, 0.0)] * 4][:4]
    return {**item, "D": [round(d, 12) for d, _ in padded], "P": [round(p, 9) for _, p in padded]}


def _clipped(pairs: list[tuple[float, float]], start: float, end: float) -> list[tuple[float, float]]:
    """Points of a piecewise linear load inside [start, end]."""
    line = [pairs[0]] if pairs else []
    for pair in pairs[1:]:
        if pair[0] <= line[-1][0]:
            break
        line.append(pair)
    out: list[tuple[float, float]] = []
    for (a, p), (b, q) in pairwise(line):
        low, high = max(a, start), min(b, end)
        if low < high:
            ends = [(x, p + (q - p) * (x - a) / (b - a)) for x in (low, high)]
            out += ends if not out or out[-1][0] != ends[0][0] else ends[1:]
    return out


def _replace(builder: Builder, key: str, element: Record, cells: Sequence[Sequence[Point]]) -> None:
    """Put cells in the place of an element; the first keeps its number."""
    for index, cell in enumerate(cells):
        nodes = [builder.node(p) for p in cell]
        builder.element({**element, "NODE": nodes}, key if index == 0 else None)


def _bricks(c: Sequence[Point], u: Sequence[float], v: Sequence[float], w: Sequence[float]) -> list[list[Point]]:
    """Cells of a hexahedron: bottom corners first, then the top ones above them."""
    if (len(u) - 1) * (len(v) - 1) * (len(w) - 1) > MOST_CELLS:
        raise BadMesh(WRONG_FIELD)
    layers = [grid([between(c[i], c[i + 4], t) for i in range(4)], u, v) for t in w]
    out = []
    for below, above in pairwise(layers):
        out += [[*low, *high] for low, high in zip(quads(below), quads(above), strict=True)]
    return out


def _split_at(builder: Builder, key: str, number: int) -> None:
    """Split a line element at a node; one off its line bends it."""
    element = _element(builder, key)
    ends = [n for n in element["NODE"] if n]
    _point(builder, number)
    if len(ends) != 2 or number in ends:
        raise BadMesh(BAD_LIST)
    a, b = _point(builder, ends[0]), _point(builder, ends[1])
    at = math.dist(a, _point(builder, number)) / math.dist(a, b)
    parts = [builder.element({**element, "NODE": [ends[0], number]}, key)]
    parts.append(builder.element({**element, "NODE": [number, ends[1]]}))
    if 0 < at < 1:
        _deal_loads(builder, key, parts, [0.0, at, 1.0])


def _brace(builder: Builder, option: Mapping[str, Any]) -> None:
    """Divide two posts into equal parts."""
    for post in option["MAIN_POST_ELEM"]:
        element = _element(builder, str(post))
        if len([n for n in element["NODE"] if n]) != 2:
            raise BadMesh(BAD_LIST)
        _divide_line(builder, str(post), element, even(int(option["NUM_OF_DIVISIONS"])))


def automesh(document: Document, rules: Rules, argument: Mapping[str, Any]) -> Reply:
    """Mesh a planar area; answers with the elements made."""
    builder = Builder(document, rules)
    before = document.store.freeze()
    try:
        _automesh(builder, argument)
    except (BadMesh, ArithmeticError, LookupError, TypeError, ValueError) as problem:
        document.store = type(document.store)(before)
        return failure(str(problem) if isinstance(problem, BadMesh) else WRONG_FIELD)
    document.touched("db/ELEM")
    return Reply(200, {"AUTOMESH": builder.answer()})


def _automesh(builder: Builder, argument: Mapping[str, Any]) -> None:
    mesher, wanted = argument["MESHER"], argument["PROPERTY"]
    method = "".join(str(mesher.get("METHOD", "Line Elements")).split()).lower()
    outlines = _outlines(builder, method, [int(t) for t in mesher["TARGETS"]])
    kind = PLATE_TYPES.get(str(wanted.get("ELEMENT_TYPE", "Plate")), "PLATE")
    record: Record = {"TYPE": kind, "MATL": wanted["MATERIAL"], "SECT": wanted.get("THICKNESS", 0)}
    if kind in ("PLATE", "PLSTRS"):
        record["STYPE"] = _subtype(kind, wanted.get("ELEMENT_SUB_TYPE") or {})
    triangles = str(mesher.get("TYPE", "")).lower() == "triangle"
    for outline in outlines:
        for cell in mesh(outline, _size(argument["MESH_SIZE"], outline), triangles):
            builder.element({**record, "NODE": [builder.node(p) for p in cell]})
    options = argument.get("ADDITIONAL_OPTION") or {}
    if method == "planarelements" or (method == "lineelements" and options.get("DELETE_LINE_ELEM")):
        old = [str(t) for t in mesher["TARGETS"] if str(t) in builder.document.store.rows("db/ELEM")]
        delete_rows(builder.document, builder.rules, "db/ELEM", old)
    elif method == "lineelements" and options.get("SUBDIVIDE_LINE_ELEM", True):
        made = dict(builder.made)
        points = [_point(builder, number) for number in {n for e in made.values() for n in e["NODE"]}]
        for target in mesher["TARGETS"]:
            _divide_at_points(builder, str(target), points)
        builder.made = made


def _subtype(kind: str, sub: Mapping[str, Any]) -> int:
    """STYPE as the manual's answers show it: thick with drilling 3, without 1; thin 4 and 2; plane stress 2 and 1."""
    drilling = sub.get("WITH_DRILLING_DOF", True)
    if kind == "PLSTRS":
        return 2 if drilling else 1
    thin = str(sub.get("TYPE", "Thick")).lower() == "thin"
    return (4 if thin else 3) if drilling else (2 if thin else 1)


def _size(size: Mapping[str, Any], outline: Sequence[Point]) -> float:
    """Edge length: as given, or the longest side over the number of divisions."""
    if "LENGTH" in size:
        return float(size["LENGTH"])
    longest = max(math.dist(a, b) for a, b in zip(outline, [*outline[1:], outline[0]], strict=True))
    return longest / max(1, int(size["DIV"]))


def _outlines(builder: Builder, method: str, targets: Sequence[int]) -> list[list[Point]]:
    if method == "nodes":
        used = {n for e in builder.document.store.rows("db/ELEM").values() for n in e.get("NODE") or ()}
        if not used & set(targets):
            raise BadMesh(BAD_QUERY)  # nodes that no element joins, on live servers
        return [[_point(builder, t) for t in targets]]
    elements = [_element(builder, str(t)) for t in targets]
    if method == "planarelements":
        return [[_point(builder, n) for n in e["NODE"] if n] for e in elements]
    if any(e.get("TYPE", "BEAM") != "BEAM" for e in elements):
        raise BadMesh(BAD_LIST)
    loop = _loop([(e["NODE"][0], e["NODE"][1]) for e in elements])
    return [[_point(builder, n) for n in loop]]


def _loop(edges: Sequence[tuple[int, int]]) -> list[int]:
    """Nodes around a closed chain of edges given in any order. Raises BadMesh."""
    left = list(edges[1:])
    chain = list(edges[0])
    while left:
        found = next((e for e in left if chain[-1] in e), None)
        if found is None:
            raise BadMesh(BAD_LIST)
        left.remove(found)
        chain.append(found[1] if found[0] == chain[-1] else found[0])
    if len(chain) < 4 or chain[0] != chain[-1]:
        raise BadMesh(BAD_LIST)
    return chain[:-1]


def _divide_at_points(builder: Builder, key: str, points: Sequence[Point]) -> None:
    """Split a boundary element at the mesh's nodes on it."""
    element = builder.document.store.rows("db/ELEM").get(key)
    if element is None:
        return
    a, b = (_point(builder, n) for n in element["NODE"][:2])
    length = math.dist(a, b)
    places = []
    for p in points:
        t = math.dist(a, p) / length
        if 1e-9 < t < 1 - 1e-9 and math.dist(between(a, b, t), p) < 1e-6:
            places.append(t)
    if places:
        _divide_line(builder, key, element, [0.0, *sorted(places), 1.0])
