"""`ope/SSPS`: surface springs as point springs on the nodes of elements."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gennx.emulator.document import Document
from gennx.emulator.meshes import area, point
from gennx.emulator.records import missing, prepared
from gennx.emulator.references import Mention, Target, range_ids
from gennx.emulator.replies import Reply, complete, failure
from gennx.emulator.rules import Rules
from gennx.emulator.store import Record


def chosen(document: Document, selector: Mapping[str, Any]) -> list[int]:
    """Numbers that a NODE_ELEMS object selects: KEYS, a range TO, or the elements of a structure group."""
    if "KEYS" in selector:
        return [k for k in selector["KEYS"] or () if isinstance(k, int)]
    if "TO" in selector:
        return range_ids(str(selector["TO"]))
    name = selector.get("STRUCTURE_GROUP_NAME")
    groups = [g for g in document.store.rows("db/GRUP").values() if g.get("NAME") == name]
    return [n for g in groups for n in g.get("E_LIST") or () if isinstance(n, int)]


def convert(document: Document, rules: Rules, argument: Mapping[str, Any]) -> Reply:
    """Linear stiffness per area times the area that each node bears (frames: half their length times WIDTH). One-way
    and multi-linear springs, solids and elastic links are taken without effect."""
    boundary, kind = argument["BOUNDARY"], argument["ELEMENT"]["TYPE"]
    stiffness = boundary.get("STIFF")
    plain = argument["CONVERT_TO"] == "POINT_SPRING" and boundary["TYPE"] == "LINEAR" and kind in ("FRAME", "PLANAR")
    if not plain or not isinstance(stiffness, list):
        return complete()
    shares: dict[int, float] = {}
    for number in chosen(document, argument["NODE_ELEMS"]):
        element = document.store.rows("db/ELEM").get(str(number))
        if element is None:
            return failure(missing(rules, Mention(Target("db/ELEM"), number, "")))
        nodes = [n for n in element.get("NODE") or () if n and str(n) in document.store.rows("db/NODE")]
        corners = [point(document.store.rows("db/NODE")[str(n)]) for n in nodes]
        if len(corners) == 2:
            bearing = math.dist(corners[0], corners[1]) * float(argument["ELEMENT"].get("WIDTH", 0))
        else:
            bearing = area(corners) if len(corners) > 2 else 0.0
        for node in nodes:
            shares[node] = shares.get(node, 0.0) + bearing / len(nodes)
    made = {str(n): _row(share, stiffness, argument) for n, share in shares.items() if share > 0}
    own = rules.at("db/NSPR")
    table = document.store.writable("db/NSPR")
    for key, row in made.items():
        table[key] = prepared(own, key, row, table.get(key)) if own is not None else row
    document.touched("db/NSPR")
    return Reply(200, {"SSPS": {k: table[k] for k in made}}) if made else complete()


def _row(share: float, stiffness: list[Any], argument: Mapping[str, Any]) -> Record:
    values = [round(float(k) * share, 9) for k in [*stiffness, 0, 0, 0][:3]]
    damping = argument["BOUNDARY"].get("DAMP") if argument["BOUNDARY"].get("bDAMP") else None
    item: Record = {"TYPE": "LINEAR", "FormType": 1, "SDR": [*values, 0.0, 0.0, 0.0], "EFFAREA": round(share, 9)}
    if argument.get("GROUP_NAME"):
        item["GROUP_NAME"] = argument["GROUP_NAME"]
    if isinstance(damping, list):
        item |= {"DAMPING": True, "Cr": [*(round(float(c) * share, 9) for c in damping[:3]), 0.0, 0.0, 0.0]}
    return {"ITEMS": [item]}
