"""Input shown by `post/TABLE`: supports, materials, sections.

Column positions follow what vendor clients read: MATERIAL has the number second and modulus, Poisson's ratio,
expansion and weight density ninth to twelfth; SECTIONALL has area to Izz sixth to eleventh; SECTIONDB/USER has ten
sizes from the twelfth on. Titles of columns between are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gennx.emulator.materials import elastic
from gennx.emulator.sections import properties
from gennx.emulator.store import Store
from gennx.emulator.values import field_at

Cells = list[tuple[str | float, str]]
BLANKS: Cells = [("", "")] * 10
PROPERTY_DIMS = ("length2", "length2", "length2", "length4", "length4", "length4", *["length"] * 4)


def _supports(store: Store, unit: Mapping[str, Any]) -> list[Cells]:
    rows: list[Cells] = []
    for key, row in store.rows("db/CONS").items():
        for item in row.get("ITEMS") or ():
            flags = str(item.get("CONSTRAINT", "")).ljust(7, "0")[:7]
            rows.append([(key, ""), *((f, "") for f in flags), (str(item.get("GROUP_NAME") or "Default"), "")])
    return rows


def _materials(store: Store, unit: Mapping[str, Any]) -> list[Cells]:
    rows: list[Cells] = []
    words = {"CONC": "Concrete", "STEEL": "Steel", "USER": "User", "ALUMINUM": "Aluminum"}
    for key, row in store.rows("db/MATL").items():
        entries = [e for e in row.get("PARAM") or () if isinstance(e, dict)]
        names = [str(e.get(n, "")) for e in [*entries, {}, {}][:2] for n in ("STANDARD", "DB")]
        cells: Cells = [(key, ""), (str(row.get("NAME", "")), "")]
        cells += [(words.get(str(row.get("TYPE")), str(row.get("TYPE", ""))), "")]
        cells += [(n, "") for n in names]
        known = elastic(row, unit)
        if known is None:
            cells += BLANKS[:4]
        else:
            cells += [(known.modulus, "force/length2"), (known.poisson, ""), (known.thermal, "1/temperature")]
            cells.append((known.weight, "force/length3"))
        rows.append(cells)
    return rows


def _section_start(key: str, row: Mapping[str, Any]) -> Cells:
    kind = {"DBUSER": "DB/User", "VALUE": "Value"}.get(str(row.get("SECTTYPE")), str(row.get("SECTTYPE", "")))
    shape = str(field_at(row.get("SECT_BEFORE"), ("SHAPE",)) or "")
    return [(key, ""), (kind, ""), (shape, ""), (str(row.get("SECT_NAME", "")), "")]


def _sections(store: Store, unit: Mapping[str, Any]) -> list[Cells]:
    rows: list[Cells] = []
    for key, row in store.rows("db/SECT").items():
        known = properties(row, unit)
        cells = _section_start(key, row)
        if known is None:
            rows.append(cells + BLANKS)
            continue
        values = (known.area, known.asy, known.asz, known.ixx, known.iyy, known.izz)
        fibres = (known.cyp, known.cym, known.czp, known.czm)
        rows.append([*cells, *zip((*values, *fibres), PROPERTY_DIMS, strict=True)])
    return rows


def _user_sections(store: Store, unit: Mapping[str, Any]) -> list[Cells]:
    rows: list[Cells] = []
    for key, row in store.rows("db/SECT").items():
        sizes = field_at(row.get("SECT_BEFORE"), ("SECT_I", "vSIZE"))
        if row.get("SECTTYPE") != "DBUSER" or not isinstance(sizes, list):
            continue
        database = field_at(row.get("SECT_BEFORE"), ("SECT_I", "DB_NAME"))
        middle: Cells = [("DB" if database else "User", ""), (str(database or ""), ""), *BLANKS[:4]]
        padded = [s if isinstance(s, (int, float)) else 0.0 for s in [*sizes, *[0.0] * 10][:10]]
        rows.append([*_section_start(key, row), *middle, *((float(s), "length") for s in padded)])
    return rows


INPUT_ROWS: dict[str, Callable[[Store, Mapping[str, Any]], list[Cells]]] = {
    "SUPPORTS": _supports,
    "MATERIAL": _materials,
    "SECTIONALL": _sections,
    "SECTIONDB/USER": _user_sections,
}
