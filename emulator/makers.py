"""Records made to order, for `ensure`: valid, minimal, and the same for the same state and wish.

Nodes lie on a plan grid by number, line elements join neighbours on it, so that what is made together fits together.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gennx.emulator.document import Document
from gennx.emulator.records import prepared
from gennx.emulator.references import FACES, Mention, Target, key_mention, mentions
from gennx.emulator.rules import Rules
from gennx.emulator.store import Record
from gennx.emulator.values import clone, field_at, merge, placed

GRID = 10  # nodes in a row
SPAN = 6.0  # between grid nodes, in model units
STOREY = 3.0
CONCRETE = {"TYPE": "CONC", "PARAM": [{"P_TYPE": 1, "STANDARD": "KS01(RC)", "DB": "C24"}]}
COLUMN = {
    "SECTTYPE": "DBUSER",
    "SECT_BEFORE": {"USE_SHEAR_DEFORM": True, "SHAPE": "SB", "DATATYPE": 2, "SECT_I": {"vSIZE": [0.6, 0.6]}},
}
SLAB = {"TYPE": "VALUE", "bINOUT": False, "T_IN": 0.2}
CASE_TYPES = {"D": "D", "L": "L", "W": "W", "E": "E", "S": "S", "T": "T", "R": "R"}
DEEPEST = 12
NODE = Target("db/NODE")
Made = tuple[str, str]


@dataclass
class Maker:
    """Makes missing records in a document; `made` lists (table, key) in order."""

    document: Document
    rules: Rules
    made: list[Made]
    depth: int = 0
    reserved: frozenset[Made] = frozenset()  # records that the call itself brings

    def satisfy(self, wanted: list[Mention]) -> None:
        """Create what is referred to and absent, with all that it needs itself."""
        for mention in wanted:
            if not mention.resolves(self.document.store):
                self.create(mention)

    def create(self, mention: Mention) -> None:
        """One record that the mention then resolves to. A table outside the catalogue is left alone."""
        table, path = mention.target.table, mention.target.field
        own = self.rules.at(table)
        if own is None or not own.endpoint.is_table or self.depth > DEEPEST:
            return
        key = str(mention.value) if not path else "1" if own.endpoint.single else self._free_key(table)
        if own.endpoint.single and path:
            self.update_single(table, placed(path, mention.value))
            return
        self.depth += 1
        special = MAKERS.get(table)
        record = special(self, key, mention) if special else self.plain(table)
        if path:
            record = merge(record, placed(path, mention.value))
        self.add(table, key, record)
        self.depth -= 1

    def _free_key(self, table: str) -> str:
        """The next number of a table that the call does not bring either."""
        number = self.document.next_key(table)
        while (table, str(number)) in self.reserved:
            number += 1
        return str(number)

    def add(self, table: str, key: str, record: Record) -> None:
        """Store a record after what it refers to; references of its own that lead nowhere are led to what exists."""
        own = self.rules.at(table)
        if own is None:
            return
        if own.key_owner is not None:
            self.satisfy([key_mention(own.key_owner, key)])
        self.settle(table, record)
        self.document.touched(table)
        self.document.store.writable(table)[key] = prepared(own, key, record)
        self.made.append((table, key))

    def settle(self, table: str, record: Record) -> None:
        """Resolve the references of a new record in place: to the first record there is, else to a new one."""
        own = self.rules.at(table)
        for mention in mentions(own.spot, record) if own is not None else ():
            if mention.resolves(self.document.store) or mention.target.table == table:
                continue
            rows = self.document.store.rows(mention.target.table)
            first = next(iter(rows.items()), None)
            if first is None or table == "db/ELEM":
                self.create(mention)
                continue
            key, row = first
            value = field_at(row, mention.target.field) if mention.target.field else int(key)
            if value is not None:
                _put(record, mention.pointer, value)

    def plain(self, table: str) -> Record:
        """A minimal record from the schema, with a name of its own."""
        own = self.rules.at(table)
        if own is None:
            return {}
        record: Record = clone(own.minimal)
        schema = own.endpoint.schema
        for name, below in schema.get("properties", {}).items():
            if isinstance(below, dict) and below.get("x-gennx", {}).get("kind") == "own_name" and name in record:
                record[name] = f"{table.split('/')[1]}{self.document.next_key(table)}"
        return record

    def update_single(self, table: str, wanted: Record) -> None:
        """Add to the one record of a single-record table."""
        old = self.document.store.rows(table).get("1")
        record = merge(old or self.plain(table), wanted)
        self.add(table, "1", record)


def _put(record: Any, pointer: str, value: Any) -> None:
    """Write a value at a pointer such as `/vCOMB/0/LCNAME`."""
    *path, last = pointer.strip("/").split("/")
    for name in path:
        record = record[int(name)] if isinstance(record, list) else record[name]
    record[int(last) if isinstance(record, list) else last] = value


def grid_point(number: int) -> Record:
    """Coordinates of a made node: row by row on a plan grid."""
    row, column = divmod(number - 1, GRID)
    return {"X": SPAN * column, "Y": SPAN * row, "Z": 0.0}


def _node(maker: Maker, key: str, mention: Mention) -> Record:
    taken = {(r.get("X"), r.get("Y"), r.get("Z")) for r in maker.document.store.rows("db/NODE").values()}
    point = grid_point(int(key))
    while (point["X"], point["Y"], point["Z"]) in taken:
        point["Z"] += STOREY
    return point


def _element(maker: Maker, key: str, mention: Mention) -> Record:
    kind = "WALL" if mention.hint == "WALL" else mention.hint if mention.hint in (*FACES, "SOLID") else "BEAM"
    number = int(key)
    corner = number if number % GRID else number - 1  # the last of a row has no right neighbour
    record: Record = {"TYPE": kind, "MATL": 1, "SECT": 1, "NODE": [corner, corner + 1]}
    if kind == "BEAM":
        record["NODE"] = [number, number + 1 if number % GRID else number + GRID]
        return record
    bottom = [corner, corner + 1]
    if kind in ("WALL", "WALL OPEN"):
        record["NODE"] = bottom + _lifted(maker, bottom[::-1])
        return {**record, "STYPE": 1, "WALL": mention.value if mention.target.field else 1}
    floor = [*bottom, corner + 1 + GRID, corner + GRID]
    if kind == "SOLID":
        return {**record, "SECT": 0, "NODE": floor + _lifted(maker, floor)}
    return {**record, "NODE": floor, **({"STYPE": 1} if kind in ("PLATE", "PLSTRS") else {})}


def _lifted(maker: Maker, below: list[int]) -> list[int]:
    """Numbers of new nodes one storey above the given ones."""
    lifted = []
    for number in below:
        maker.satisfy([Mention(NODE, number, "")])
        base = maker.document.store.rows("db/NODE")[str(number)]
        place = maker.document.next_key("db/NODE")
        maker.add("db/NODE", str(place), {**base, "Z": base.get("Z", 0) + STOREY})
        lifted.append(place)
    return lifted


def _material(maker: Maker, key: str, mention: Mention) -> Record:
    return {**clone(CONCRETE), "NAME": "C24" if key == "1" else f"C24-{key}"}


def _section(maker: Maker, key: str, mention: Mention) -> Record:
    return {**clone(COLUMN), "SECT_NAME": f"S{key}"}


def _thickness(maker: Maker, key: str, mention: Mention) -> Record:
    return {**clone(SLAB), "NAME": f"T{key}"}


def _load_case(maker: Maker, key: str, mention: Mention) -> Record:
    name = str(mention.value)
    return {"NAME": name, "TYPE": CASE_TYPES.get(name[:1].upper(), "USER")}


def _story(maker: Maker, key: str, mention: Mention) -> Record:
    """Levels follow the number in the name: 1F at 0, 2F one storey up, B1 one down; a roof above all."""
    name = str(mention.value) if mention.target.field else f"{key}F"
    levels = [r.get("STORY_LEVEL", 0) for r in maker.document.store.rows("db/STOR").values()]
    found = re.search(r"(B?)(\d+)", name.upper())
    level = (
        (-STOREY * int(found[2]) if found[1] else STOREY * (int(found[2]) - 1))
        if found
        else max(levels, default=0.0) + STOREY
    )
    return {**maker.plain("db/STOR"), "STORY_NAME": name, "STORY_LEVEL": level}


def _support(maker: Maker, key: str, mention: Mention) -> Record:
    return {"ITEMS": [{"ID": 1, "CONSTRAINT": "1111111"}]}


MAKERS: dict[str, Callable[[Maker, str, Mention], Record]] = {
    "db/NODE": _node,
    "db/ELEM": _element,
    "db/MATL": _material,
    "db/SECT": _section,
    "db/THIK": _thickness,
    "db/STLD": _load_case,
    "db/STOR": _story,
    "db/CONS": _support,
}
