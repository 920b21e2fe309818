"""`post/TABLE`: results and input as tables of text.

Computed: reactions, displacements, beam and truss forces and truss stresses of solved frames, and the input tables of
supports, materials and sections. Every other known table answers with its documented head and no data.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from gennx.emulator.analysis import Results
from gennx.emulator.document import Document
from gennx.emulator.frames import STATIONS, Six, Solution
from gennx.emulator.input_tables import INPUT_ROWS
from gennx.emulator.references import RESULT_CASE, range_ids
from gennx.emulator.replies import NO_RESULTS, PRODUCT, Reply, failure, nothing
from gennx.emulator.rules import Rules
from gennx.emulator.units import Change, powers

FACTS = Path(__file__).parent / "facts" / "table_heads.json"
UNKNOWN_TYPE = f"{PRODUCT} there was an error creating utbl. (ex PostMode ...)"
UNTITLED = "empty"
FORCE_NAMES = ("force", "force", "force", "moment", "moment", "moment")
SHIFT_NAMES = ("length", "length", "length", "", "", "")
BEAM_NAMES = ("force", "force", "force", "moment", "moment", "moment")
Cells = list[tuple[str | float, str]]  # value and its dimension ("" for text and pure numbers)


@lru_cache(maxsize=1)
def facts() -> dict[str, Any]:
    """The data file of heads."""
    return dict(json.loads(FACTS.read_bytes()))


def is_result(kind: str) -> bool:
    """True for a table that needs an analysis."""
    return bool(kind) and _plain(kind) not in facts()["input"]


def lists_nodes(kind: str) -> bool:
    """True for a table whose rows are nodes, so that NODE_ELEMS holds node numbers."""
    return _plain(kind) in facts()["nodes"]


def spelled(arguments: Any) -> Any:
    """A request with its table type in capitals and without spaces, as the server looks it up."""
    argument = arguments.get("Argument") if isinstance(arguments, dict) else None
    if isinstance(argument, dict) and isinstance(argument.get("TABLE_TYPE"), str):
        return {**arguments, "Argument": {**argument, "TABLE_TYPE": _plain(argument["TABLE_TYPE"])}}
    return arguments


def _plain(kind: str) -> str:
    return "".join(kind.upper().split())


def answer(document: Document, rules: Rules, argument: Mapping[str, Any], strict: bool) -> Reply:
    """One table. Raises FilesFull when an export cannot be kept."""
    kind = _plain(str(argument.get("TABLE_TYPE", "")))
    title = str(argument.get("TABLE_NAME") or UNTITLED)
    if not kind:
        return nothing()  # a saved user table: there are none
    if kind not in _known(rules):
        return failure(UNKNOWN_TYPE)
    results = document.results
    if is_result(kind) and results is None:
        return failure(f"[{title}] {NO_RESULTS}")
    if kind == "EIGENVALUEMODE" and not argument.get("COMPONENTS") and not strict:
        return failure("Unknown Error")
    unit = {**document.unit, **unit_of(argument)}
    head = ["Index", *_head(kind, argument)]
    rows = _rows(document, kind, argument, results)
    if rows is not None and not rows:
        return nothing()
    source = results.unit if results is not None and is_result(kind) else document.unit
    table = _shaped(head, rows or [], argument, Change(source, unit))
    body = {title: {"FORCE": unit["FORCE"], "DIST": unit["DIST"], **table}}
    path = argument.get("EXPORT_PATH")
    if isinstance(path, str) and path.strip():
        document.files.write(path, orjson.dumps(body))
    return Reply(200, body)


def _known(rules: Rules) -> frozenset[str]:
    schema = rules.record_schema("post/TABLE")["properties"]["Argument"]["properties"]["TABLE_TYPE"]
    return frozenset(schema.get("enum", ()))


def unit_of(argument: Mapping[str, Any]) -> dict[str, str]:
    """Force and length units that a request names."""
    wanted = argument.get("UNIT") or {}
    return {k: str(wanted[k]).upper() for k in ("FORCE", "DIST") if isinstance(wanted, dict) and k in wanted}


def _head(kind: str, argument: Mapping[str, Any]) -> list[str]:
    head = facts()["heads"].get(kind)
    if head is None:
        return [c for c in argument.get("COMPONENTS") or () if isinstance(c, str)]
    if argument.get("OPT_CS") and "Load" in head:
        place = head.index("Load") + 1
        return [*head[:place], "Stage", "Step", *head[place:]]
    return list(head)


def _rows(document: Document, kind: str, argument: Mapping[str, Any], results: Results | None) -> list[Cells] | None:
    """Rows of cells; [] for a table without any, None for one that is not computed here."""
    if kind in INPUT_ROWS:
        return INPUT_ROWS[kind](document.store, document.unit)
    reader = READERS.get(kind)
    if reader is None or results is None:
        return None
    solution = results.solution
    cases = _cases(document, argument)
    if cases is None:
        return None
    if not cases:
        return []
    if solution is None or argument.get("OPT_CS"):
        return None
    chosen = _chosen(document, argument)
    solved = [c for c in cases if _factors(document, c, solution) is not None]
    rows: list[Cells] = []
    for case in solved:
        rows += reader(solution, case[0], _factors(document, case, solution) or {}, chosen, argument)
    return rows if rows or solved else None


def _cases(document: Document, argument: Mapping[str, Any]) -> list[tuple[str, str]] | None:
    """(name, kind) of the cases asked for that exist; None when they are of kinds that are not computed here."""
    wanted = argument.get("LOAD_CASE_NAMES")
    static = [(str(r.get("NAME")), "ST") for r in document.store.rows("db/STLD").values()]
    if not wanted:
        return static
    matches = [RESULT_CASE.match(w) for w in wanted if isinstance(w, str)]
    named = [(m["name"], m["kind"]) for m in matches if m]
    combos = [(str(r.get("NAME")), "CB") for r in document.store.rows("db/LCOM-GEN").values()]
    found = [n for n in named if n in static or n in combos]
    return found if found or not any(kind not in ("ST", "CB") for _, kind in named) else None


def _factors(document: Document, case: tuple[str, str], solution: Solution) -> dict[str, float] | None:
    """Static cases that make up a case, with factors; None where one of them is not solved."""
    name, kind = case
    parts = {name: 1.0}
    if kind == "CB":
        row = next(r for r in document.store.rows("db/LCOM-GEN").values() if r.get("NAME") == name)
        items = [i for i in row.get("vCOMB") or () if isinstance(i, dict)]
        if row.get("iTYPE", 0) != 0 or any(i.get("ANAL") != "ST" for i in items):
            return None
        parts = {}
        for item in items:
            parts[str(item.get("LCNAME"))] = parts.get(str(item.get("LCNAME")), 0.0) + float(item.get("FACTOR", 0))
    return parts if all(p in solution.displacements for p in parts) else None


def _chosen(document: Document, argument: Mapping[str, Any]) -> set[int] | None:
    """Numbers that NODE_ELEMS selects, None for all."""
    selector = argument.get("NODE_ELEMS")
    if not isinstance(selector, dict) or not selector:
        return None
    if "KEYS" in selector:
        return {k for k in selector["KEYS"] or () if isinstance(k, int)}
    if "TO" in selector:
        return set(range_ids(str(selector["TO"])))
    name = selector.get("STRUCTURE_GROUP_NAME")
    groups = [r for r in document.store.rows("db/GRUP").values() if r.get("NAME") == name]
    return {n for g in groups for n in [*(g.get("N_LIST") or ()), *(g.get("E_LIST") or ())]}


def _summed(values: Mapping[str, Six], factors: Mapping[str, float]) -> list[float]:
    return [sum(factors[c] * values[c][i] for c in factors) for i in range(6)]


Reader = Callable[[Solution, str, dict[str, float], "set[int] | None", Mapping[str, Any]], Iterator[Cells]]


def _nodal(field: str, dims: tuple[str, ...]) -> Reader:
    """Rows of reactions or displacements, with the seventh (warping) column, which is always 0 here."""

    def read(
        solution: Solution, name: str, factors: dict[str, float], chosen: set[int] | None, argument: Mapping[str, Any]
    ) -> Iterator[Cells]:
        values: dict[str, dict[int, Six]] = getattr(solution, field)
        for node in sorted(values[next(iter(factors))]) if factors else ():
            if chosen is None or node in chosen:
                six = _summed({c: values[c][node] for c in factors}, factors)
                yield [(str(node), ""), (name, ""), *zip(six, dims, strict=True), (0.0, "")]

    return read


def _beam_forces(
    solution: Solution, name: str, factors: dict[str, float], chosen: set[int] | None, argument: Mapping[str, Any]
) -> Iterator[Cells]:
    wanted = argument.get("PARTS") or ["PartI", "Part1/4", "Part2/4", "Part3/4", "PartJ"]
    parts = [p for p in STATIONS if f"Part{p}" in wanted]
    for number in sorted(solution.areas):
        if number in solution.trusses or (chosen is not None and number not in chosen):
            continue
        for part in parts:
            six = _summed({c: solution.forces[c][number][part] for c in factors}, factors)
            label = f"{part}[{solution.ends[number]['IJ'.index(part)]}]" if part in "IJ" else part
            cells: Cells = [(str(number), ""), (name, ""), (label, "")]
            yield [*cells, *zip(six, BEAM_NAMES, strict=True), (0.0, ""), (0.0, ""), (0.0, "")]


def _truss(stress: bool) -> Reader:
    def read(
        solution: Solution, name: str, factors: dict[str, float], chosen: set[int] | None, argument: Mapping[str, Any]
    ) -> Iterator[Cells]:
        for number in sorted(solution.trusses):
            if chosen is not None and number not in chosen:
                continue
            area = solution.areas[number].area if stress else 1.0
            dim = "force/length2" if stress else "force"
            ends = [_summed({c: solution.forces[c][number][p] for c in factors}, factors)[0] / area for p in "IJ"]
            yield [(str(number), ""), (name, ""), (ends[0], dim), (ends[1], dim)]

    return read


READERS: dict[str, Reader] = {
    "REACTIONG": _nodal("reactions", FORCE_NAMES),
    "REACTIONL": _nodal("reactions", FORCE_NAMES),
    "DISPLACEMENTG": _nodal("displacements", SHIFT_NAMES),
    "DISPLACEMENTL": _nodal("displacements", SHIFT_NAMES),
    "BEAMFORCE": _beam_forces,
    "TRUSSFORCE": _truss(stress=False),
    "TRUSSSTRESS": _truss(stress=True),
}


def _shaped(head: list[str], rows: list[Cells], argument: Mapping[str, Any], change: Change) -> dict[str, Any]:
    """HEAD and DATA: the columns asked for, every cell a text."""
    keep = _columns(head, argument.get("COMPONENTS"))
    style = argument.get("STYLES") if isinstance(argument.get("STYLES"), dict) else {}
    write = _writer(style or {})
    data = []
    for index, cells in enumerate(rows, 1):
        texts = [str(index), *(_text(v, dim, change, write) for v, dim in cells)]
        data.append([texts[i] for i in keep if i < len(texts)])
    return {"HEAD": [head[i] for i in keep], "DATA": data}


def _columns(head: list[str], components: Any) -> list[int]:
    if not isinstance(components, list) or not components:
        return list(range(len(head)))
    wanted = {"".join(c.split()).lower() for c in components if isinstance(c, str)}
    return [i for i, name in enumerate(head) if i == 0 or "".join(name.split()).lower() in wanted]


def _text(value: str | float, dim: str, change: Change, write: Callable[[float], str]) -> str:
    if isinstance(value, str):
        return value
    return write(value * change.factor(dim) if any(powers(dim)) else value)


def _writer(style: Mapping[str, Any]) -> Callable[[float], str]:
    """Number format of STYLES: FIXED (also DEFAULT) or SCIENTIFIC with PLACE digits, GENERAL as short as can be."""
    kind = str(style.get("FORMAT", "FIXED")).upper()
    place = style.get("PLACE", 6)
    place = place if isinstance(place, int) and not isinstance(place, bool) and 0 <= place <= 15 else 6
    form = {"SCIENTIFIC": f".{place}e", "GENERAL": ".6g"}.get(kind, f".{place}f")

    def write(number: float) -> str:
        text = format(number, form)
        return text[1:] if text.startswith("-") and not text.strip("-0.e+") else text

    return write
