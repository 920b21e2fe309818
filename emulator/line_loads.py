"""`ope/LINEBMLD`: a load along a line of beams, dealt out to the beams on it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from gennx.emulator.dividing import load_share
from gennx.emulator.document import Document
from gennx.emulator.meshes import BadMesh, Point, point, steps
from gennx.emulator.records import prepared
from gennx.emulator.replies import WRONG_FIELD, Reply, failure, nothing
from gennx.emulator.rules import Rules
from gennx.emulator.store import Record

KINDS = {
    "CONLOAD": "CONLOAD",
    "CONMOMENT": "CONMOMENT",
    "UNILOAD": "UNILOAD",
    "UNIMOMENT": "UNIMOMENT",
    "TRALOAD": "UNILOAD",
    "TRAMOMENT": "UNIMOMENT",
}
OFF_LINE = 1e-6


def line_load(document: Document, rules: Rules, argument: Mapping[str, Any], strict: bool) -> Reply:
    """Add items to db/BMLD; answers with them. Curved and pressure loads are taken without effect; METHOD 1 is
    refused as on live servers, and taken like METHOD 0 in strict mode."""
    target = argument["TARGET"]
    if target.get("METHOD") != 0 and not strict:
        return failure(WRONG_FIELD)
    rows = document.store.rows("db/NODE")
    ends = [rows.get(str(n)) for n in target["NODE"]]
    if None in ends or len(ends) != 2:
        return failure(WRONG_FIELD)
    a, b = (point(r or {}) for r in ends)
    try:
        shifts = _shifts(argument.get("COPY") or {})
    except BadMesh:
        return failure(WRONG_FIELD)
    kind = KINDS.get(str(argument["TYPE"]))
    if kind is None or math.dist(a, b) == 0:
        return nothing()
    item = _item(argument, kind, math.dist(a, b))
    made: dict[str, Record] = {}
    for shift in shifts:
        p, q = (tuple(c + s for c, s in zip(end, shift, strict=True)) for end in (a, b))
        for key, start, end in _on_line(document, (p[0], p[1], p[2]), (q[0], q[1], q[2])):
            share = load_share(item, min(start, end), max(start, end))
            if share is not None:
                made.setdefault(key, {"ITEMS": []})["ITEMS"].append(_reversed(share) if start > end else share)
    _add(document, rules, made)
    return Reply(200, {"LINEBMLD": made}) if made else nothing()


def _item(argument: Mapping[str, Any], kind: str, length: float) -> Record:
    load, eccentric, more = argument["LOAD"], argument.get("ECCEN") or {}, argument.get("ADD_H") or {}
    places = [float(d) / (length if load.get("TYPE") == 1 else 1.0) for d in load.get("D") or ()]
    item: Record = {
        "LCNAME": argument["LCNAME"],
        "GROUP_NAME": argument.get("GROUP_NAME", ""),
        "CMD": "LINE",
        "TYPE": kind,
        "DIRECTION": load["DIR"],
        "USE_PROJECTION": load.get("USE_PROJECTION", False),
        "USE_ECCEN": bool(eccentric.get("USE", False)),
        "D": places,
        "P": [float(p) for p in load.get("P") or ()],
        "USE_ADDITIONAL": False,
        "ADDITIONAL_I_END": more.get("I_END", 0),
        "ADDITIONAL_J_END": more.get("J_END", 0),
        "USE_ADDITIONAL_J_END": False,
    }
    if item["USE_ECCEN"]:
        item |= {"ECCEN_TYPE": eccentric.get("TYPE", 0), "ECCEN_DIR": eccentric.get("DIR")}
        item |= {n: eccentric[n] for n in ("I_END", "J_END", "USE_J_END") if n in eccentric}
    return item


def _shifts(copy: Mapping[str, Any]) -> list[tuple[float, float, float]]:
    """Offsets of the line and of its copies."""
    out = [(0.0, 0.0, 0.0)]
    if copy.get("USE"):
        axis, at = "XYZ".find(str(copy.get("AXIS", "X"))[:1]), 0.0
        for step in steps(str(copy.get("DIST", ""))):
            at += step
            out.append((at if axis == 0 else 0.0, at if axis == 1 else 0.0, at if axis == 2 else 0.0))
    return out


def _on_line(document: Document, a: Point, b: Point) -> Iterator[tuple[str, float, float]]:
    """Line elements between two points, with where their ends lie as fractions of the line."""
    length = math.dist(a, b)
    rows = document.store.rows("db/NODE")
    for key, element in document.store.rows("db/ELEM").items():
        nodes = [n for n in element.get("NODE") or () if n]
        if len(nodes) != 2 or not all(str(n) in rows for n in nodes):
            continue
        ends = [_along(a, b, length, point(rows[str(n)])) for n in nodes]
        if ends[0] is not None and ends[1] is not None and ends[0] != ends[1]:
            yield key, ends[0], ends[1]


def _along(a: Point, b: Point, length: float, p: Point) -> float | None:
    """Fraction of the line at a point on it, None off the line."""
    t = sum((p[i] - a[i]) * (b[i] - a[i]) for i in range(3)) / length**2
    off = math.dist(p, tuple(a[i] + (b[i] - a[i]) * t for i in range(3)))
    if off > OFF_LINE * max(1.0, length) or not -OFF_LINE <= t <= 1 + OFF_LINE:
        return None
    return min(max(round(t, 12), 0.0), 1.0)


def _reversed(item: Record) -> Record:
    """The load on an element that runs against the line."""
    pairs = [(d, p) for d, p in zip(item["D"], item["P"], strict=True)]
    used = len(pairs)
    while used > 1 and pairs[used - 1] == (0.0, 0.0):
        used -= 1
    turned = [(round(1 - d, 12), p) for d, p in reversed(pairs[:used])] + [(0.0, 0.0)] * (4 - used)
    return {**item, "D": [d for d, _ in turned], "P": [p for _, p in turned]}


def _add(document: Document, rules: Rules, made: dict[str, Record]) -> None:
    own = rules.at("db/BMLD")
    table = document.store.writable("db/BMLD")
    document.touched("db/BMLD")
    for key, row in made.items():
        old = table.get(key, {}).get("ITEMS") or []
        taken = max((i.get("ID", 0) for i in old), default=0)
        row["ITEMS"] = [{"ID": taken + n, **item} for n, item in enumerate(row["ITEMS"], 1)]
        whole = {"ITEMS": [*old, *row["ITEMS"]]}
        table[key] = prepared(own, key, whole) if own is not None else whole
