"""Create what a call needs and does not bring: `ensure`.

References by the catalogue's annotations, plus what an operation needs that no field names: a frame to analyse, a
closed outline to mesh, a file to open. The record that a PUT, DELETE or GET names is never created here.
"""

from __future__ import annotations

from typing import Any

from gennx.emulator.analysis import analyse
from gennx.emulator.document import Document
from gennx.emulator.documents import save
from gennx.emulator.makers import STOREY, Made, Maker
from gennx.emulator.references import Mention, Target, key_mention, mentions, range_ids
from gennx.emulator.result_tables import is_result, lists_nodes
from gennx.emulator.rules import Rules
from gennx.emulator.values import field_at
from gennx.schemas import Endpoint, Tool

ELEM, NODE = Target("db/ELEM"), Target("db/NODE")
OUTLINED = ("ope/AUTOMESH", "ope/DIVIDEELEM", "ope/LINEBMLD", "ope/SSPS")  # these choose their own elements
PLATE_TABLES = {"db/PRLS": "PLATE", "db/PSSF": "PLATE"}
SHOWN = {"MATERIAL": "db/MATL", "SECTIONALL": "db/SECT", "SECTIONDB/USER": "db/SECT", "SUPPORTS": "db/CONS"}
FIXED = {"ITEMS": [{"ID": 1, "CONSTRAINT": "1111111"}]}


def ensure(document: Document, rules: Rules, tool: Tool, arguments: dict[str, Any]) -> list[Made]:
    """Make every record that the call refers to; returns (table, key) of those made, in order."""
    maker = Maker(document, rules, [])
    endpoint, own = tool.endpoint, rules.of(tool.endpoint)
    if endpoint.is_table:
        _records(maker, endpoint, arguments.get("Assign") or {})
        return maker.made
    special = OPERATIONS.get(endpoint.uri)
    if endpoint.uri not in OUTLINED:
        maker.satisfy(mentions(own.spot, arguments))
    if special is not None:
        special(maker, arguments)
    maker.satisfy(mentions(own.spot, arguments))
    return maker.made


def _records(maker: Maker, endpoint: Endpoint, brought: dict[str, Any]) -> None:
    """What the records of a call refer to, by key and by field, other than each other."""
    own = maker.rules.of(endpoint)
    maker.reserved = frozenset((endpoint.uri, key) for key in brought)
    for key, record in brought.items():
        if own.key_owner is not None:
            mention = key_mention(own.key_owner, key)
            kind = mention.hint or _element_kind(endpoint.uri, record)
            maker.satisfy([Mention(mention.target, mention.value, mention.pointer, kind)])
        for mention in mentions(own.spot, record):
            itself = mention.target.table == endpoint.uri
            if not itself or not (endpoint.single or mention.among(brought)):
                maker.satisfy([mention])


def _element_kind(uri: str, record: Any) -> str:
    """Type of element that a record keyed by an element wants, "" for a line element."""
    if uri in PLATE_TABLES:
        return PLATE_TABLES[uri]
    items = record.get("ITEMS") if isinstance(record, dict) else None
    kind = items[0].get("ELEM_TYPE") if isinstance(items, list) and items and isinstance(items[0], dict) else None
    return {"PLATE": "PLATE", "PLANE": "PLSTRS", "SOLID": "SOLID"}.get(str(kind), "")


def frame_to_analyse(maker: Maker, arguments: dict[str, Any]) -> None:
    """Supports under every part of the frame and a load, so that an analysis can run."""
    store = maker.document.store
    if not store.rows("db/ELEM"):
        maker.add("db/NODE", str(maker.document.next_key("db/NODE")), {"X": 0.0, "Y": 0.0, "Z": 0.0})
        foot = int(maker.made[-1][1])
        maker.add("db/NODE", str(foot + 1), {"X": 0.0, "Y": 0.0, "Z": STOREY})
        maker.add("db/ELEM", "1", {"TYPE": "BEAM", "MATL": 1, "SECT": 1, "NODE": [foot, foot + 1]})
    for part in _parts(maker):
        if not any(str(n) in store.rows("db/CONS") for n in part):
            maker.add("db/CONS", str(min(part)), FIXED)
    if not any(store.rows(t) for t in ("db/BODF", "db/CNLD", "db/BMLD", "db/PRES", "db/FBLA", "db/NBOF")):
        cases = store.rows("db/STLD")
        name = next((r["NAME"] for r in cases.values()), "DL")
        maker.satisfy([Mention(Target("db/STLD", ("NAME",)), name, "")])
        maker.add("db/BODF", str(maker.document.next_key("db/BODF")), {"LCNAME": name, "FV": [0, 0, -1]})


def _parts(maker: Maker) -> list[set[int]]:
    """Nodes of the elements, by connected part."""
    parts: list[set[int]] = []
    for element in maker.document.store.rows("db/ELEM").values():
        joined = {n for n in element.get("NODE", ()) if isinstance(n, int) and n > 0}
        apart = []
        for part in parts:
            if part & joined:
                joined |= part
            else:
                apart.append(part)
        parts = [*apart, joined] if joined else apart
    return parts


def _table(maker: Maker, arguments: dict[str, Any]) -> None:
    """A result table needs the nodes or elements that it lists, its cases, and an analysis that has run."""
    argument = arguments.get("Argument") or {}
    kind = str(argument.get("TABLE_TYPE", ""))
    chosen = argument.get("NODE_ELEMS") or {}
    numbers = [k for k in chosen.get("KEYS", ()) if isinstance(k, int) and k > 0] + range_ids(chosen.get("TO", ""))
    maker.satisfy([Mention(ELEM, n, "") for n in ([] if lists_nodes(kind) else numbers)])
    maker.satisfy([Mention(NODE, n, "") for n in (numbers if lists_nodes(kind) else [])])
    shown = SHOWN.get(kind)
    if shown and not maker.document.store.rows(shown):
        maker.satisfy([Mention(Target(shown), 1, "")])
    if is_result(kind):
        for number in numbers if lists_nodes(kind) else ():
            _join_node(maker, number)
        _analysed(maker, arguments)


def _join_node(maker: Maker, number: int) -> None:
    """A node that results are asked for hangs on an element."""
    used = {n for e in maker.document.store.rows("db/ELEM").values() for n in e.get("NODE", ())}
    if number in used:
        return
    base = maker.document.store.rows("db/NODE")[str(number)]
    other = maker.document.next_key("db/NODE")
    maker.add("db/NODE", str(other), {**base, "Z": base.get("Z", 0) + STOREY})
    record = {"TYPE": "BEAM", "MATL": 1, "SECT": 1, "NODE": [number, other]}
    maker.add("db/ELEM", str(maker.document.next_key("db/ELEM")), record)


def _analysed(maker: Maker, arguments: dict[str, Any]) -> None:
    """A command on results needs an analysis that has run."""
    frame_to_analyse(maker, arguments)
    analyse(maker.document, {})


def _interaction(maker: Maker, arguments: dict[str, Any]) -> None:
    """An interaction diagram needs results and a concrete design code."""
    if not maker.document.store.rows("db/DCON"):
        maker.add("db/DCON", "1", maker.plain("db/DCON"))
    _analysed(maker, arguments)


def _capture(maker: Maker, arguments: dict[str, Any]) -> None:
    if str(field_at(arguments, ("Argument", "SET_MODE"))).lower() == "post":
        _analysed(maker, arguments)


def _storeys(maker: Maker, arguments: dict[str, Any]) -> None:
    """A report on storeys needs two."""
    for name in ("1F", "2F")[len(maker.document.store.rows("db/STOR")) :]:
        maker.satisfy([Mention(Target("db/STOR", ("STORY_NAME",)), name, "")])


def _line_of_two(maker: Maker, arguments: dict[str, Any]) -> None:
    """Members of the whole model need two elements in line."""
    if field_at(arguments, ("Argument", "SELECTION_TYPE")) == "ALL" and not maker.document.store.rows("db/ELEM"):
        maker.satisfy([Mention(ELEM, number, "") for number in (1, 2)])


def _two_levels(maker: Maker, arguments: dict[str, Any]) -> None:
    """Storeys are calculated from nodes on two levels."""
    heights = {r.get("Z", 0) for r in maker.document.store.rows("db/NODE").values()}
    if len(heights) < 2:
        for z in {0.0, STOREY} - heights:
            maker.add("db/NODE", str(maker.document.next_key("db/NODE")), {"X": 0.0, "Y": 0.0, "Z": z})


def _surfaces(maker: Maker, arguments: dict[str, Any]) -> None:
    """Surface springs stand on elements of the kind that they name."""
    kind = field_at(arguments, ("Argument", "ELEMENT", "TYPE"))
    hint = {"PLANAR": "PLATE", "SOLID_FACE": "SOLID"}.get(str(kind), "")
    chosen = field_at(arguments, ("Argument", "NODE_ELEMS")) or {}
    numbers = [*chosen.get("KEYS", ()), *range_ids(str(chosen.get("TO", "")))]
    if kind != "SOLID_NODE":
        maker.satisfy([Mention(ELEM, n, "", hint) for n in numbers if isinstance(n, int) and n > 0])


def _one_row(maker: Maker, arguments: dict[str, Any]) -> None:
    """A table to export holds a record."""
    name = str((arguments.get("ids") or [""])[0]).upper()
    for endpoint in maker.rules.catalogue:
        if endpoint.is_table and endpoint.table == name and not maker.document.store.rows(endpoint.uri):
            maker.satisfy([Mention(Target(endpoint.uri), 1, "")])


def _one_section(maker: Maker, arguments: dict[str, Any]) -> None:
    number = arguments.get("Argument")
    if isinstance(number, str) and number.isdigit():
        maker.satisfy([Mention(Target("db/SECT"), int(number), "")])


def _file(maker: Maker, arguments: dict[str, Any]) -> None:
    """A file to open or import: the document as it is now."""
    path = arguments.get("Argument")
    if isinstance(path, str) and path and maker.document.files.read(path) is None:
        save(maker.document, path)


def _outline(maker: Maker, arguments: dict[str, Any]) -> None:
    """Targets of a mesh: missing line elements form one closed outline, missing nodes a polygon's corners."""
    mesher = field_at(arguments, ("Argument", "MESHER")) or {}
    targets = [t for t in mesher.get("TARGETS", ()) if isinstance(t, int) and t > 0]
    method = mesher.get("METHOD", "Line Elements")
    rows = maker.document.store.rows("db/NODE" if method == "Nodes" else "db/ELEM")
    fresh = [t for t in dict.fromkeys(targets) if str(t) not in rows]
    if method == "Planar Elements":
        maker.satisfy([Mention(ELEM, number, "", "PLATE") for number in fresh])
        return
    if len(fresh) < 3 or len(fresh) != len(set(targets)):
        return
    corners = fresh
    if method != "Nodes":
        first = maker.document.next_key("db/NODE")
        corners = list(range(first, first + len(fresh)))
    for number, (x, y) in zip(corners, _ring(len(corners), *_spacing(arguments)), strict=True):
        maker.add("db/NODE", str(number), {"X": x, "Y": y, "Z": 0.0})
    first = maker.document.next_key("db/ELEM")
    numbers = fresh if method != "Nodes" else range(first, first + len(fresh))
    for element, start, end in zip(numbers, corners, [*corners[1:], corners[0]], strict=True):
        maker.add("db/ELEM", str(element), {"TYPE": "BEAM", "MATL": 1, "SECT": 1, "NODE": [start, end]})


def _spacing(arguments: dict[str, Any]) -> tuple[float, float]:
    """Distances of outline points along and across, m: so that the mesh asked for has few elements and a short answer."""
    size = field_at(arguments, ("Argument", "MESH_SIZE")) or {}
    length, divisions = size.get("LENGTH"), size.get("DIV")
    if isinstance(length, (int, float)) and length > 0:
        return float(length), float(length)
    if isinstance(divisions, int) and divisions > 0:
        return 2.0, 2.0 / divisions
    return 2.0, 2.0


def _ring(count: int, along: float, across: float) -> list[tuple[float, float]]:
    """Points around a rectangle, its four corners among them (three points make a triangle)."""
    if count == 3:
        return [(0.0, 0.0), (2 * along, 0.0), (0.0, 2 * across)]
    sides = [count // 4 + (1 if i < count % 4 else 0) for i in range(4)]
    width, depth = along * max(sides[0], sides[2]), across * max(sides[1], sides[3])
    corners = [(0.0, 0.0), (width, 0.0), (width, depth), (0.0, depth)]
    points = []
    for i, parts in enumerate(sides):
        (x, y), (u, v) = corners[i], corners[(i + 1) % 4]
        points += [(x + (u - x) * k / parts, y + (v - y) * k / parts) for k in range(parts)]
    return points


def _line_load(maker: Maker, arguments: dict[str, Any]) -> None:
    """A line of beam loads needs an element between its two nodes."""
    target = field_at(arguments, ("Argument", "TARGET")) or {}
    ends = [n for n in target.get("NODE", ()) if isinstance(n, int) and n > 0]
    if len(set(ends)) != 2:
        return
    maker.satisfy([Mention(NODE, n, "") for n in ends])
    joined = [set(e.get("NODE", ())) for e in maker.document.store.rows("db/ELEM").values()]
    if not any(n in nodes for n in ends for nodes in joined):
        record = {"TYPE": "BEAM", "MATL": 1, "SECT": 1, "NODE": ends}
        maker.add("db/ELEM", str(maker.document.next_key("db/ELEM")), record)


def _divided(maker: Maker, arguments: dict[str, Any]) -> None:
    """Targets of a division are of the kind that is divided."""
    kind = field_at(arguments, ("Argument", "DIVIDE", "ELEM_TYPE"))
    hint = {"Planar": "PLATE", "Wall": "WALL", "Solid": "SOLID"}.get(str(kind), "")
    targets = field_at(arguments, ("Argument", "TARGETS")) or []
    maker.satisfy([Mention(ELEM, t, "", hint) for t in targets if isinstance(t, int) and t > 0])


OPERATIONS = {
    "view/RESULTGRAPHIC": _analysed,
    "view/CAPTURE": _capture,
    "post/PM": _interaction,
    "post/TEXT": _analysed,
    "post/ANL": _analysed,
    "doc/EXPORT/{NAME}": _one_row,
    "ope/STOR": _two_levels,
    "ope/SSPS": _surfaces,
    "ope/MEMB": _line_of_two,
    "ope/STORYPROP": _storeys,
    "ope/SECTPROP": _one_section,
    "doc/ANAL": frame_to_analyse,
    "doc/OPEN": _file,
    "doc/IMPORT": _file,
    "doc/IMPORTMXT": _file,
    "post/TABLE": _table,
    "ope/AUTOMESH": _outline,
    "ope/DIVIDEELEM": _divided,
    "ope/LINEBMLD": _line_load,
}
