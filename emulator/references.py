"""What a body refers to: nodes, elements, materials, sections, load cases, groups ... of other tables.

Compiled once an endpoint from the catalogue's annotations (`ref`, or implied by `kind` and by what the record key
means), then read off any body in one walk.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gennx.emulator.store import Store
from gennx.emulator.values import field_at, holds
from gennx.schemas import Endpoint
from gennx.schemas.catalogue import ANNOTATION, Schema

KEY_TABLES = {
    "node_id": "db/NODE",
    "element_id": "db/ELEM",
    "material_id": "db/MATL",
    "section_id": "db/SECT",
    "thickness_id": "db/THIK",
    "story_id": "db/STOR",
}
# Analysis kinds of a load case beside its name (LCOM.vCOMB.ANAL, POGD.LC_TYPE, suffixes of result cases ...): where
# the name is looked up. A kind that is not here (CS, ENVL ...) names something that no table lists.
CASE_TABLES = {
    "ST": "db/STLD.NAME",
    "RS": "db/SPLC.NAME",
    "TH": "db/THIS.COMMON.NAME",
    "MV": "db/MVLD.LCNAME",
    "SM": "db/SMLC.NAME",
    "PO": "db/POLC.LCNAME",
    "CB": "db/LCOM-GEN.NAME",
    "CBS": "db/LCOM-STEEL.NAME",
    "CBC": "db/LCOM-CONC.NAME",
    "CBF": "db/LCOM-FDN.NAME",
    "CBR": "db/LCOM-SRC.NAME",
    "CBA": "db/LCOM-ALUM.NAME",
    "CBSC": "db/LCOM-STLCOMP.NAME",
    "CBCF": "db/LCOM-CFSTEEL.NAME",
    "CBSM": "db/LCOM-SEISMIC.NAME",
    "CBLN": "db/LCOM-LINEAR.NAME",
}
FACES = ("PLATE", "PLSTRS", "PLSTRN", "AXISYM", "WALL", "WALL OPEN")
NO_NAME = ("", "Default", "Unchanged")  # said where no group or case is meant
RESULT_CASE = re.compile(r"^\s*(?P<name>.*?)\s*\((?P<kind>[A-Z]+)(?::[^()]*)?\)\s*$")
ID_RANGE = re.compile(r"(\d{1,9})(?:\s*(?:to|~|-)\s*(\d{1,9}))?(?:\s*by\s*(\d{1,9}))?", re.IGNORECASE)
LONGEST_RANGE = 100_000


@dataclass(frozen=True, slots=True)
class Target:
    """A record by its key (`field` empty) or by the value of one of its fields."""

    table: str
    field: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mention:
    """A value that must name a record of `target`; `pointer` is the field that holds it."""

    target: Target
    value: Any
    pointer: str
    hint: str = ""

    def resolves(self, store: Store) -> bool:
        """True when the record exists."""
        return self.among(store.rows(self.target.table))

    def among(self, rows: Mapping[str, Any]) -> bool:
        """True when the records hold the one referred to."""
        if not self.target.field:
            return str(self.value) in rows
        return any(holds(row, self.target.field, self.value) for row in rows.values())

    def __str__(self) -> str:
        return f"{self.pointer} -> {self.target.table} {self.value!r}"


Judge = Callable[[Any, dict[str, Any]], Iterator[tuple[Target, Any]]]


@dataclass
class Spot:
    """Where references stand below one schema: `judges` read the value itself, `children` its fields or items."""

    judges: list[Judge] = field(default_factory=list)
    children: dict[str, Spot] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.judges or self.children)


def target(ref: str) -> Target:
    """`db/STLD.NAME` -> table and field path; a bare table means its key."""
    table, _, path = ref.partition(".")
    return Target(table, tuple(path.split(".")) if path else ())


def compile_spots(endpoint: Endpoint) -> Spot:
    """The places of references in a record (tables) or body (all else) of an endpoint."""
    return _compile(endpoint.schema, {}, "")


def key_target(endpoint: Endpoint) -> Target | None:
    """What the record key of a table refers to, None where it is the table's own number."""
    if endpoint.key == "wall_id":
        return Target("db/ELEM", ("WALL",))
    table = KEY_TABLES.get(endpoint.key or "") or (endpoint.key_ref if endpoint.key == "record_id" else None)
    return Target(table) if table and table != endpoint.uri else None


def mentions(spot: Spot, body: Any) -> list[Mention]:
    """Every reference of a record or body; values that name nothing ("", 0) are left out."""
    if not spot:
        return []
    found = list(_walk(spot, body, {}, ""))
    if field_at(body, ("Argument", "ELEMENT", "TYPE")) == "SOLID_NODE":  # ope/SSPS: the numbers are nodes
        found = [replace(m, target=Target("db/NODE")) if m.target.table == "db/ELEM" else m for m in found]
    return found


def key_mention(owner: Target, key: str) -> Mention:
    """The reference that a record key makes."""
    return Mention(owner, int(key) if owner.field else key, "key", "WALL" if owner.field else "")


def _walk(spot: Spot, value: Any, parent: dict[str, Any], pointer: str) -> Iterator[Mention]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(spot, item, parent, f"{pointer}/{index}")
        return
    for judge in spot.judges:
        for found, name in judge(value, parent):
            yield Mention(found, name, pointer, str(parent.get("TYPE", "")))
    if isinstance(value, dict):
        for name, child in spot.children.items():
            if name in value:
                yield from _walk(child, value[name], value, f"{pointer}/{name}")


def _compile(schema: Schema, siblings: dict[str, Schema], name: str) -> Spot:
    spot = Spot()
    note = schema.get(ANNOTATION, {})
    items = schema.get("items")
    if isinstance(items, dict):
        inner = _compile(items, siblings, name)
        spot.judges += inner.judges
        spot.children |= inner.children
    if not spot.judges:
        judge = _judge(note, siblings, schema.get("readOnly", False), name)
        if judge is not None:
            spot.judges.append(judge)
    properties = schema.get("properties", {})
    for field_name, below in properties.items():
        if isinstance(below, dict) and (child := _compile(below, properties, field_name)):
            spot.children[field_name] = child
    return spot


def _judge(note: dict[str, Any], siblings: dict[str, Schema], read_only: bool, name: str) -> Judge | None:
    """The reader of one annotated value; None for a value that refers to nothing."""
    kind, ref = note.get("kind", ""), note.get("ref")
    if read_only:
        return None
    if kind == "result_case":
        return _result_case
    if kind == "id_range" and "KEYS" in siblings:
        beside = siblings["KEYS"].get("items", {}).get(ANNOTATION, {}).get("ref")
        return _id_range(target(beside)) if beside else None
    if ref is None:
        ref = KEY_TABLES.get(kind)
    if ref is None:
        return None
    if name == "SECT" and "NODE" in siblings:
        return _element_property
    if name == "TARGETS" and "METHOD" in siblings:
        return _mesh_target
    if ref == "db/LCOM-GEN.NAME" and "TYPE" in siblings:
        return _combination
    if ref.startswith("db/STLD"):
        for beside_name, schema in siblings.items():
            if beside_name != name and "ST" in schema.get("enum", ()):
                return _case_by_kind(beside_name)
    return _plain(target(ref))


def _plain(found: Target) -> Judge:
    def judge(value: Any, parent: dict[str, Any]) -> Iterator[tuple[Target, Any]]:
        if found.field:
            if isinstance(value, str) and value not in NO_NAME:
                yield found, value
        elif isinstance(value, int) and value > 0:
            yield found, value
        elif isinstance(value, str) and value.isascii() and value.isdigit() and int(value) > 0:
            yield found, int(value)

    return judge


def _case_by_kind(beside: str) -> Judge:
    def judge(value: Any, parent: dict[str, Any]) -> Iterator[tuple[Target, Any]]:
        ref = CASE_TABLES.get(str(parent.get(beside, "ST")))
        if ref is not None and isinstance(value, str) and value not in NO_NAME:
            yield target(ref), value

    return judge


def _element_property(value: Any, parent: dict[str, Any]) -> Iterator[tuple[Target, Any]]:
    """ELEM.SECT: a section for line elements, a thickness for faces, nothing for solids."""
    kind = parent.get("TYPE", "BEAM")
    if isinstance(value, int) and value > 0 and kind != "SOLID":
        yield Target("db/THIK" if kind in FACES else "db/SECT"), value


def _mesh_target(value: Any, parent: dict[str, Any]) -> Iterator[tuple[Target, Any]]:
    """AUTOMESH targets: node numbers for the method of nodes, else element numbers."""
    if isinstance(value, int) and value > 0:
        yield Target("db/NODE" if parent.get("METHOD") == "Nodes" else "db/ELEM"), value


def _combination(value: Any, parent: dict[str, Any]) -> Iterator[tuple[Target, Any]]:
    """A combination of the family that TYPE names: GEN, STEEL, CONC ..."""
    family = {"ALU": "ALUM", "LINEAR_EVAL": "LINEAR"}.get(str(parent["TYPE"]), str(parent["TYPE"]))
    if isinstance(value, str) and value:
        yield Target(f"db/LCOM-{family}", ("NAME",)), value


def _result_case(value: Any, parent: dict[str, Any]) -> Iterator[tuple[Target, Any]]:
    """`DL(ST)`, `gLCB1(CB:max)`; a name without suffix finds nothing on the server either."""
    match = RESULT_CASE.match(value) if isinstance(value, str) else None
    if match and match["kind"] in CASE_TABLES and match["name"]:
        yield target(CASE_TABLES[match["kind"]]), match["name"]


def _id_range(found: Target) -> Judge:
    def judge(value: Any, parent: dict[str, Any]) -> Iterator[tuple[Target, Any]]:
        if isinstance(value, str):
            for number in range_ids(value):
                yield found, number

    return judge


def range_ids(text: str) -> list[int]:
    """Numbers of `1to5`, `101 to 105 by 2`, `1 3 7to9`; at most `LONGEST_RANGE` of them."""
    out: list[int] = []
    for first, last, step in ID_RANGE.findall(text):
        stop = int(last) if last else int(first)
        out += range(int(first), min(stop, int(first) + LONGEST_RANGE) + 1, int(step or 1) or 1)
        if len(out) > LONGEST_RANGE:
            return out[:LONGEST_RANGE]
    return out
