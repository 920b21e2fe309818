"""`ope/MEMB` and `ope/USLC`: design members from elements, load cases from combinations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gennx.emulator.document import Document
from gennx.emulator.meshes import point
from gennx.emulator.records import prepared
from gennx.emulator.replies import WRONG_FIELD, Reply, complete, failure
from gennx.emulator.rules import Rules
from gennx.emulator.store import Record
from gennx.emulator.values import clone

NO_ELEMENTS = "There is no valid element information."
FAMILIES = {"ALU": "ALUM", "LINEAR_EVAL": "LINEAR"}
SCALED = {"CNLD": ("FX", "FY", "FZ", "MX", "MY", "MZ"), "BMLD": ("P",)}


def assign(document: Document, rules: Rules, argument: Mapping[str, Any]) -> Reply:
    """One member of the listed elements (MANUAL), or one of each straight run of line elements (AUTO)."""
    manual = argument["ASSIGN_TYPE"] == "MANUAL"
    whole = argument.get("SELECTION_TYPE", "SELECTION") == "ALL"
    if manual and whole:
        return failure(WRONG_FIELD)
    rows = document.store.rows("db/ELEM")
    listed = [int(k) for k in rows] if whole else list(argument.get("ELEM_LIST") or ())
    lines = [n for n in listed if str(n) in rows and len([x for x in rows[str(n)].get("NODE") or () if x]) == 2]
    runs = [lines] if manual else _runs(document, lines)
    if not argument["ALLOW_SINGLE"]:
        runs = [r for r in runs if len(r) > 1]
    if not lines or not any(runs):
        return failure(NO_ELEMENTS)
    own = rules.at("db/MEMB")
    table, made = document.store.writable("db/MEMB"), {}
    for run in runs:
        key = str(document.next_key("db/MEMB"))
        row: Record = {"AELEM": run, "bREVERSE": False}
        table[key] = made[key] = prepared(own, key, row) if own is not None else row
    document.touched("db/MEMB")
    return Reply(200, {"MEMB": clone(made)})


def _runs(document: Document, lines: list[int]) -> list[list[int]]:
    """Elements grouped where two of the same direction meet at a node, in the order given."""
    rows, nodes = document.store.rows("db/ELEM"), document.store.rows("db/NODE")
    runs: list[list[int]] = []
    ends: list[set[int]] = []
    courses: list[tuple[float, ...]] = []
    for number in lines:
        pair = rows[str(number)]["NODE"][:2]
        if not all(str(n) in nodes for n in pair):
            continue
        a, b = (point(nodes[str(n)]) for n in pair)
        length = math.dist(a, b) or 1.0
        course = tuple((q - p) / length for p, q in zip(a, b, strict=True))
        for i, joined in enumerate(ends):
            if joined & set(pair) and abs(sum(p * q for p, q in zip(course, courses[i], strict=True))) > 1 - 1e-9:
                runs[i].append(number)
                joined ^= set(pair)
                break
        else:
            runs.append([number])
            ends.append(set(pair))
            courses.append(course)
    return runs


def cases_from_combinations(document: Document, rules: Rules, argument: Mapping[str, Any]) -> Reply:
    """A static load case from each combination: self weight, nodal and beam loads of its static cases, factored.
    Loads of other kinds are not copied. An absent combination is an unspecific error, as on live servers."""
    wanted = argument.get("LOADS") or {}
    for choice in argument["LCOM_LIST"]:
        family = FAMILIES.get(choice["TYPE"], choice["TYPE"])
        rows = document.store.rows(f"db/LCOM-{family}").values()
        combination = next((r for r in rows if r.get("NAME") == choice["NAME"]), None)
        if combination is None:
            return failure("Unknown Error")
        name = f"{argument.get('PREFIX', '')}{choice['NAME']}"
        if any(r.get("NAME") == name for r in document.store.rows("db/STLD").values()):
            return failure("Unknown Error")
        key = str(document.next_key("db/STLD"))
        own = rules.at("db/STLD")
        row: Record = {"NAME": name, "TYPE": "USER"}
        document.store.writable("db/STLD")[key] = prepared(own, key, row) if own is not None else row
        items = [i for i in combination.get("vCOMB") or () if i.get("ANAL") == "ST"]
        factors = {str(i["LCNAME"]): float(i["FACTOR"]) for i in items}
        if wanted.get("SELF_WEIGHT", True):
            _copy_self_weight(document, factors, name)
        for option, table in (("NODAL_LOAD", "CNLD"), ("BEAM_LOAD", "BMLD")):
            if wanted.get(option, True):
                _copy_items(document, table, factors, name)
    document.touched("db/STLD")
    return complete()


def _copy_self_weight(document: Document, factors: Mapping[str, float], name: str) -> None:
    table = document.store.writable("db/BODF")
    for row in list(table.values()):
        factor = factors.get(str(row.get("LCNAME")))
        if factor:
            vector = [f * factor for f in row.get("FV") or ()]
            table[str(document.next_key("db/BODF"))] = {**row, "LCNAME": name, "FV": vector}


def _copy_items(document: Document, name: str, factors: Mapping[str, float], case: str) -> None:
    table = document.store.writable(f"db/{name}")
    for key, row in list(table.items()):
        items = [i for i in row.get("ITEMS") or () if isinstance(i, dict)]
        more: list[Record] = []
        for item in items:
            factor = factors.get(str(item.get("LCNAME")))
            if factor:
                number = max((i.get("ID", 0) for i in [*items, *more]), default=0) + 1
                more.append({**item, **_factored(item, SCALED[name], factor), "ID": number, "LCNAME": case})
        if more:
            table[key] = {**row, "ITEMS": [*items, *more]}


def _factored(item: Record, names: tuple[str, ...], factor: float) -> Record:
    out: Record = {}
    for name in names:
        value = item.get(name)
        if isinstance(value, list):
            out[name] = [v * factor for v in value]
        elif isinstance(value, (int, float)):
            out[name] = value * factor
    return out
