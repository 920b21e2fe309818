"""`ope/PROJECTSTATUS` and `ope/SECTPROP`: counts of what the model holds, and its sections in figures."""

from __future__ import annotations

from collections.abc import Iterable

from gennx.emulator.document import Document
from gennx.emulator.replies import Reply, nothing
from gennx.emulator.sections import properties

# Names as the program prints them, in its order; those that vendor clients look up are among them.
MODEL = {
    "Structure Type": "db/STYP", "Named Plane": "db/NPLN", "Node": "db/NODE", "Element": "db/ELEM",
    "Structure Group": "db/GRUP", "Boundary Group": "db/BNGR", "Load Group": "db/LDGR", "Tendon Group": "db/TDGR",
    "Material": "db/MATL", "Section": "db/SECT", "Thickness": "db/THIK", "Story": "db/STOR",
    "Node Local Axis": "db/SKEW", "Support": "db/CONS", "Point Spring": "db/NSPR", "General Spring": "db/GSPR",
    "Elastic Link": "db/ELNK", "General Link": "db/NLNK", "Rigid Link": "db/RIGD", "Beam End Release": "db/FRLS",
    "Beam End Offset": "db/OFFS", "Plate End Release": "db/PRLS", "Nodal Mass": "db/NMAS",
    "Load Comb(General)": "db/LCOM-GEN", "Load Comb(Steel)": "db/LCOM-STEEL", "Load Comb(Concrete)": "db/LCOM-CONC",
    "Load Comb(SRC)": "db/LCOM-SRC", "Construction Stage": "db/STAG",
}  # fmt: skip
LOADS = {
    "Static Load Case": "db/STLD", "Self Weight": "db/BODF", "Nodal Body Force": "db/NBOF", "Nodal Load": "db/CNLD",
    "Specified Displacement": "db/SDSP", "Beam Load": "db/BMLD", "Pressure Load": "db/PRES", "Plane Load": "db/PNLA",
    "Floor Load": "db/FBLA", "Finishing Material Load": "db/FMLD", "System Temperature": "db/STMP",
    "Nodal Temperature": "db/NTMP", "Element Temperature": "db/ETMP", "Temperature Gradient": "db/GTMP",
    "Beam Section Temperature": "db/BTMP", "Prestress Beam Load": "db/PRST", "Pretension Load": "db/PTNS",
}  # fmt: skip
ROWS = (
    ("Area", "area", 2), ("Asy", "asy", 2), ("Asz", "asz", 2), ("Ixx", "ixx", 4), ("Iyy", "iyy", 4),
    ("Izz", "izz", 4), ("Cyp", "cyp", 1), ("Cym", "cym", 1), ("Czp", "czp", 1), ("Czm", "czm", 1),
)  # fmt: skip


def project_status(document: Document) -> Reply:
    """Counts and last numbers, every cell a text; load rows have no last number. Items are counted one by one."""
    rows = document.store.rows
    data = [[n, str(_count(rows(u).values())), _last(rows(u))] for n, u in MODEL.items()]
    loads = [[n, str(_count(rows(u).values()))] for n, u in LOADS.items()]
    head, head_load = ["Name", "Count", "Last No."], ["Name", "Count"]
    body = {"HEAD": head, "DATA": data, "HEAD_LOAD": head_load, "DATA_LOAD": loads}
    return Reply(200, {"PROJECTSTATUS": body})


def _count(rows: Iterable[dict[str, object]]) -> int:
    items = [r.get("ITEMS") for r in rows]
    return sum(len(i) if isinstance(i, list) else 1 for i in items)


def _last(rows: Iterable[str]) -> str:
    return str(max((int(k) for k in rows if k.isdigit()), default=0))


def section_properties(document: Document, number: str | None) -> Reply:
    """Properties of one section or of all; sections without a closed form are left out."""
    unit = document.unit
    length = str(unit.get("DIST", "M")).lower()
    found = {}
    for key, row in document.store.rows("db/SECT").items():
        known = properties(row, unit) if number in (None, key) else None
        if known is not None:
            data = [[n, f"{getattr(known, f):.6f}", length + (str(p) if p > 1 else "")] for n, f, p in ROWS]
            found[key] = {"HEAD": ["Property", "Value", "Unit"], "DATA": data}
    return Reply(200, {"SECTPROP": found}) if found else nothing()
