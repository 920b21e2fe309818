"""What the server does to a record when it stores it, table by table.

Source: live readings (docs/EMULATOR.md, "Stored is not sent"); what a line of it says is not repeated here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gennx.emulator.store import Record
from gennx.emulator.values import clone, merge

Upkeep = Callable[[Record], None]
CONSTRAINT_LENGTH = 7
CONSTRAINT_ERROR = "[Error] Constraint Condition has(have) been incorrectly entered."
PRESSURE_ERROR = "[Error] Errors detected in Pressure Loads Data.(Item:Load Direction)"
LANE_ERROR = "[Error] Errors detected in Moving Load Code Data.(Item:Unavailable moving load code)"
UNLICENSED = ("KOREA", "CHINA", "KSCE-LSD15")  # moving load codes that a live Gen refused, by licence
RENUMBERED = frozenset({"db/STLD", "db/TDME"})
NUMBERED = ("db/STLD", "db/STAG")  # and every db/LCOM-*: a read-only NO that equals the record key
APPENDED = {"db/GRUP": ("N_LIST", "E_LIST")}  # lists that a PUT adds to
CLEARED = frozenset({"db/SINF"})  # a PUT empties the record first


def numbered(uri: str) -> bool:
    """True for tables whose rows carry their number as `NO`."""
    return uri in NUMBERED or uri.startswith("db/LCOM-")


def refusal(uri: str, record: Record, strict: bool) -> str | None:
    """The table's own error text for a record as sent, None when it passes. Strict mode knows no licences."""
    if uri == "db/CONS":
        flags = [i.get("CONSTRAINT") for i in _each_item(record)]
        return CONSTRAINT_ERROR if any(isinstance(f, str) and len(f) < CONSTRAINT_LENGTH for f in flags) else None
    if uri == "db/PRES":
        return PRESSURE_ERROR if any(map(_normal_to_a_plate, _each_item(record))) else None
    if uri == "db/MVCD" and not strict and record.get("CODE") in UNLICENSED:
        return LANE_ERROR
    return None


def _normal_to_a_plate(item: Record) -> bool:
    """A pressure on a plate's face needs a direction other than NORMAL, which is what an absent one means."""
    face = item.get("ELEM_TYPE", "PLATE") == "PLATE" and item.get("FACE_EDGE_TYPE") == "FACE"
    return face and item.get("DIRECTION", "NORMAL") == "NORMAL"


def tend(uri: str, record: Record) -> None:
    """Normalise a record in place before it is stored."""
    keep = UPKEEP.get(uri)
    if keep is not None:
        keep(record)


def updated(uri: str, old: Record, new: Record, items: bool) -> Record:
    """The record after a PUT of `new` onto `old`."""
    if uri in CLEARED:
        return dict(clone(new))
    out = merge(old, new)
    if items and isinstance(new.get("ITEMS"), list):
        out["ITEMS"] = merged_items(old.get("ITEMS") or [], new["ITEMS"])
    for name in APPENDED.get(uri, ()):
        if name in new and isinstance(old.get(name), list):
            out[name] = old[name] + [x for x in new[name] if x not in old[name]]
    return out


def merged_items(old: list[Any], new: list[Any]) -> list[Any]:
    """Items after a PUT: one with an `ID` replaces its namesake; one without replaces the next of the same load case
    and group, or is added; items that the PUT leaves out stay."""
    out = list(old)
    used: set[int] = set()
    for item in new:
        place = _place(out[: len(old)], item, used) if isinstance(item, dict) else None
        if place is None:
            out.append(clone(item))
            continue
        used.add(place)
        out[place] = {**clone(item), "ID": out[place].get("ID", 0)}
    return out


def _place(old: list[Any], item: Record, used: set[int]) -> int | None:
    number = item.get("ID") or 0
    mark = _mark(item)
    for index, before in enumerate(old):
        if index in used or not isinstance(before, dict):
            continue
        if (before.get("ID") == number) if number else (_mark(before) == mark):
            return index
    return None


def _mark(item: Record) -> tuple[Any, Any]:
    return item.get("LCNAME"), item.get("GROUP_NAME") or ""


def serial_items(record: Record) -> None:
    """Give items without an `ID` the next free one."""
    items = record.get("ITEMS")
    if not isinstance(items, list):
        return
    taken = {i.get("ID") for i in items if isinstance(i, dict)}
    serial = 1
    for item in items:
        if isinstance(item, dict) and not item.get("ID"):
            while serial in taken:
                serial += 1
            taken.add(serial)
            item["ID"] = serial


def _each_item(record: Record) -> list[Record]:
    items = record.get("ITEMS")
    return [i for i in items if isinstance(i, dict)] if isinstance(items, list) else []


def _supports(record: Record) -> None:
    for item in _each_item(record):
        if isinstance(item.get("CONSTRAINT"), str):
            item["CONSTRAINT"] = item["CONSTRAINT"][:CONSTRAINT_LENGTH]


def _pad(name: str, length: int) -> Upkeep:
    def keep(record: Record) -> None:
        for item in _each_item(record):
            value = item.get(name)
            if isinstance(value, list):
                item[name] = (value + [0] * length)[:length]

    return keep


def _beam_loads(record: Record) -> None:
    for name in ("D", "P"):
        _pad(name, 4)(record)


def _element(record: Record) -> None:
    if isinstance(record.get("NODE"), list):
        record["NODE"] = record["NODE"][:8]


def _creep(record: Record) -> None:
    if isinstance(record.get("CODE"), str):
        record["CODE"] = record["CODE"].upper()


def _wall_mark(record: Record) -> None:
    if isinstance(record.get("MARKNAME"), str):
        record["MARKNAME"] = record["MARKNAME"].rstrip()


UPKEEP: dict[str, Upkeep] = {
    "db/CONS": _supports,
    "db/BMLD": _beam_loads,
    "db/PRES": _pad("FORCES", 5),
    "db/ELEM": _element,
    "db/TDMT": _creep,
    "db/WMAK": _wall_mark,
}
