"""Operations that make nodes, elements, loads, springs, storeys, members and load cases."""

from __future__ import annotations

import math
from typing import Any

import pytest

from gennx.emulator import Model, diff
from gennx.schemas import load_catalogue

CATALOGUE = load_catalogue()


def ask(model: Model, uri: str, argument: Any, strict: bool = False, method: str = "POST") -> dict[str, Any]:
    arguments = {"Argument": argument} if method == "POST" else {"ids": []}
    return dict(model.call(CATALOGUE.tool(uri, method), arguments, strict).body)


def beams(nodes: dict[int, tuple[float, float, float]], elements: dict[int, tuple[int, ...]], **more: Any) -> Model:
    model = Model()
    model.put_records("db/NODE", {str(k): dict(zip("XYZ", p, strict=True)) for k, p in nodes.items()})
    rows = {str(k): {"TYPE": "BEAM", "MATL": 1, "SECT": 1, "NODE": list(n), **more} for k, n in elements.items()}
    model.put_records("db/ELEM", rows)
    model.put_records("db/STLD", {"1": {"NAME": "DL", "TYPE": "D"}})
    return model


LINE = {1: (0.0, 0.0, 0.0), 2: (6.0, 0.0, 0.0)}
SQUARE = {1: (0.0, 0.0, 0.0), 2: (6.0, 0.0, 0.0), 3: (6.0, 4.0, 0.0), 4: (0.0, 4.0, 0.0)}
RING = {11: (1, 2), 12: (2, 3), 13: (4, 3), 14: (4, 1)}


def place(model: Model, number: int) -> tuple[float, float, float]:
    row = model.table("db/NODE")[str(number)]
    return row["X"], row["Y"], row["Z"]


@pytest.mark.parametrize(
    ("method", "option", "places"),
    [
        ("Equal", {"EQUAL_OPTION": {"NUM_X": 3}}, [0, 2, 4, 6]),
        ("Unequal", {"UNEQUAL_OPTION": {"DIST_X": "2@1.5"}}, [0, 1.5, 3, 6]),
        ("Unequal", {"UNEQUAL_OPTION": {"DIST_X": "1,2,3"}}, [0, 1, 3, 6]),
        ("Parametric Unequal", {"PARAMETRIC_OPTION": {"RATIO_X": "0.25"}}, [0, 1.5, 6]),
    ],
)
def test_a_line_is_divided(method: str, option: dict[str, Any], places: list[float]) -> None:
    model = beams(LINE, {7: (1, 2)})
    how = {"ELEM_TYPE": "Frame", "DIV_METHOD": method, "OPTION": option}
    parts = ask(model, "ope/DIVIDEELEM", {"TARGETS": [7], "DIVIDE": how})["DIVIDEELEM"]
    assert next(iter(parts)) == "7" and len(parts) == len(places) - 1
    chain = [parts["7"]["NODE"][0], *(p["NODE"][1] for p in parts.values())]
    assert [place(model, n)[0] for n in chain] == pytest.approx(places)


def test_beam_loads_are_dealt_out_to_the_parts() -> None:
    model = beams(LINE, {7: (1, 2)})
    spread = {"ID": 1, "LCNAME": "DL", "CMD": "BEAM", "TYPE": "UNILOAD", "DIRECTION": "GZ"}
    items = [{**spread, "D": [0, 1], "P": [-6, -12]}, {**spread, "ID": 2, "TYPE": "CONLOAD", "D": [0.5], "P": [-9]}]
    model.put_records("db/BMLD", {"7": {"ITEMS": items}})
    how = {"ELEM_TYPE": "Frame", "DIV_METHOD": "Equal", "OPTION": {"EQUAL_OPTION": {"NUM_X": 4}}}
    parts = list(ask(model, "ope/DIVIDEELEM", {"TARGETS": [7], "DIVIDE": how})["DIVIDEELEM"])
    rows = model.table("db/BMLD")
    spreads = [next(i for i in rows[p]["ITEMS"] if i["TYPE"] == "UNILOAD")["P"][:2] for p in parts]
    assert spreads == [[-6, -7.5], [-7.5, -9], [-9, -10.5], [-10.5, -12]]
    assert [p for p in parts if any(i["TYPE"] == "CONLOAD" for i in rows[p]["ITEMS"])] == [parts[2]]


def test_faces_and_solids_are_divided_and_numbers_start_where_asked() -> None:
    model = beams(SQUARE, {5: (1, 2, 3, 4)}, TYPE="PLATE", STYPE=1)
    how = {"ELEM_TYPE": "Planar", "DIV_METHOD": "Equal", "OPTION": {"EQUAL_OPTION": {"NUM_X": 3, "NUM_Y": 2}}}
    start = {
        "NODE_NUMBER": {"NUMBER_OPTION": "User", "USER_NUM": 100},
        "ELEM_NUMBER": {"NUMBER_OPTION": "Largest"},
    }
    parts = ask(model, "ope/DIVIDEELEM", {"TARGETS": [5], "DIVIDE": how, "START_NUMBER": start})["DIVIDEELEM"]
    assert list(parts) == ["5", "6", "7", "8", "9", "10"] and len(model.table("db/NODE")) == 12
    assert min(int(k) for k in model.table("db/NODE") if int(k) > 4) == 100
    assert sum(_area(model, p["NODE"]) for p in parts.values()) == pytest.approx(24)
    top = {k + 4: (x, y, 3.0) for k, (x, y, _) in SQUARE.items()}
    solid = beams({**SQUARE, **top}, {1: tuple(range(1, 9))}, TYPE="SOLID")
    counts = {"EQUAL_OPTION": {"NUM_X": 2, "NUM_Y": 2, "NUM_Z": 3}}
    three = {"ELEM_TYPE": "Solid", "DIV_METHOD": "Equal", "OPTION": counts}
    assert len(ask(solid, "ope/DIVIDEELEM", {"TARGETS": [1], "DIVIDE": three})["DIVIDEELEM"]) == 12
    assert len(solid.table("db/NODE")) == 3 * 3 * 4


def _area(model: Model, nodes: list[int]) -> float:
    points = [place(model, n) for n in nodes if n]
    pairs = zip(points, [*points[1:], points[0]], strict=True)
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in pairs)) / 2


def test_division_refuses_without_a_trace() -> None:
    model = beams(LINE, {7: (1, 2)})
    before = model.snapshot()
    for targets, number in (([7, 8], 2), ([7], 0), ([7], 10**9), ([], 2)):
        how = {"ELEM_TYPE": "Frame", "DIV_METHOD": "Equal", "OPTION": {"EQUAL_OPTION": {"NUM_X": number}}}
        assert "error" in ask(model, "ope/DIVIDEELEM", {"TARGETS": targets, "DIVIDE": how})
        assert diff(before, model) == []


@pytest.mark.parametrize(
    ("outline", "kind", "corners"),
    [
        (SQUARE, "Quadrilateral", 4),
        (SQUARE, "Triangle", 3),
        ({1: (0.0, 0.0, 0.0), 2: (6.0, 0.0, 0.0), 3: (3.0, 4.0, 0.0), 4: (3.0, 1.0, 0.0)}, "Quadrilateral", 4),
    ],
)
def test_an_outline_is_meshed(outline: dict[int, Any], kind: str, corners: int) -> None:
    model = beams(outline, RING)
    argument = {
        "MESHER": {"TARGETS": [11, 12, 13, 14], "TYPE": kind},
        "MESH_SIZE": {"LENGTH": 1},
        "PROPERTY": {"MATERIAL": 1, "THICKNESS": 2},
        "DOMAIN_NAME": {"NAME": "slab"},
    }
    made = ask(model, "ope/AUTOMESH", argument)["AUTOMESH"]
    whole = _area(model, [1, 2, 3, 4])
    assert sum(_area(model, e["NODE"]) for e in made.values()) == pytest.approx(whole)
    assert {(e["TYPE"], e["SECT"], e["STYPE"]) for e in made.values()} == {("PLATE", 2, 3)}
    assert {len([n for n in e["NODE"] if n]) for e in made.values()} == {corners}
    edges: dict[frozenset[int], int] = {}
    for element in made.values():
        nodes = [n for n in element["NODE"] if n]
        for pair in zip(nodes, [*nodes[1:], nodes[0]], strict=True):
            edges[frozenset(pair)] = edges.get(frozenset(pair), 0) + 1
    rim = {pair for pair, count in edges.items() if count == 1}
    assert max(edges.values()) == 2  # the mesh hangs together
    lines = [set(e["NODE"]) for k, e in model.table("db/ELEM").items() if e["TYPE"] == "BEAM"]
    assert {frozenset(line) for line in lines} == rim  # boundary beams are divided at the mesh


def test_meshing_refuses_what_is_no_outline() -> None:
    argument = {
        "MESHER": {"TARGETS": [11, 12, 13]},
        "MESH_SIZE": {"LENGTH": 1},
        "PROPERTY": {"MATERIAL": 1, "THICKNESS": 2},
        "DOMAIN_NAME": {"NAME": "slab"},
    }
    assert "Invalid element list" in str(ask(beams(SQUARE, RING), "ope/AUTOMESH", argument))
    trusses = beams(SQUARE, RING, TYPE="TRUSS")
    whole = {**argument, "MESHER": {"TARGETS": [11, 12, 13, 14]}}
    assert "Invalid element list" in str(ask(trusses, "ope/AUTOMESH", whole))
    alone = beams({**SQUARE, **{k + 50: p for k, p in SQUARE.items()}}, RING)
    isolated = {**argument, "MESHER": {"METHOD": "Nodes", "TARGETS": [51, 52, 53, 54]}}
    assert "second query is wrong" in str(ask(alone, "ope/AUTOMESH", isolated))


def test_a_line_load_is_dealt_out_along_the_line() -> None:
    nodes = {i: (2.0 * (i - 1), 0.0, 0.0) for i in range(1, 5)} | {9: (0.0, 3.0, 0.0), 10: (6.0, 3.0, 0.0)}
    model = beams(nodes, {1: (1, 2), 2: (3, 2), 3: (3, 4), 4: (9, 10)})
    argument = {
        "LCNAME": "DL",
        "TYPE": "TRALOAD",
        "TARGET": {"METHOD": 0, "NODE": [1, 4]},
        "LOAD": {"DIR": "GZ", "TYPE": 1, "D": [1, 6], "P": [-5, -10]},
        "COPY": {"USE": True, "AXIS": "Y", "DIST": "1@3"},
    }
    made = ask(model, "ope/LINEBMLD", argument)["LINEBMLD"]
    shares = {k: (v["ITEMS"][0]["D"][:2], v["ITEMS"][0]["P"][:2]) for k, v in made.items()}
    assert shares == {
        "1": ([0.5, 1], [-5, -6]),
        "2": ([0, 1], [-8, -6]),  # this element runs against the line
        "3": ([0, 1], [-8, -10]),
        "4": ([pytest.approx(1 / 6), 1], [-5, -10]),
    }
    again = ask(model, "ope/LINEBMLD", argument)["LINEBMLD"]
    assert [i["ID"] for i in model.table("db/BMLD")["1"]["ITEMS"]] == [1, 2] and again["1"]["ITEMS"][0]["ID"] == 2
    by_elements = {**argument, "TARGET": {"METHOD": 1, "NODE": [1, 4], "ELEM": [1]}}
    assert ask(model, "ope/LINEBMLD", by_elements) == {"error": {"message": "Wrong Field"}}


def test_surface_springs_become_point_springs() -> None:
    model = beams(SQUARE, {5: (1, 2, 3, 4)}, TYPE="PLATE", STYPE=1)
    linear = {"TYPE": "LINEAR", "STIFF": [0, 0, 100], "bDAMP": False, "DAMP": [0, 0, 0]}
    where = {"NODE_ELEMS": {"KEYS": [5]}, "ELEMENT": {"TYPE": "PLANAR"}}
    argument = {"CONVERT_TO": "POINT_SPRING", **where, "BOUNDARY": linear}
    ask(model, "ope/SSPS", argument)
    assert [r["ITEMS"][0]["SDR"][2] for r in model.table("db/NSPR").values()] == [600.0] * 4
    assert "does not exist" in str(ask(model, "ope/SSPS", {**argument, "NODE_ELEMS": {"KEYS": [6]}}))


def test_storeys_members_and_load_cases() -> None:
    nodes = {1: (0.0, 0.0, 0.0), 2: (0.0, 0.0, 3.0), 3: (0.0, 0.0, 7.0), 4: (8.0, 5.0, 7.0), 5: (4.0, 0.0, 3.0)}
    model = beams(nodes, {1: (1, 2), 2: (2, 3), 3: (2, 5)})
    off = {"INC_WIND_ECC": False, "WIND_ECC_VALUE": 0}
    made = ask(model, "ope/STOR", {"SEIS_ECC": {"INC_SEIS_ECC": True, "SEIS_ECC_VALUE": 5}, "WIND_ECC": off})["STOR"]
    assert [(r["STORY_NAME"], r["STORY_LEVEL"]) for r in made.values()] == [("Roof", 7), ("2F", 3), ("1F", 0)]
    assert (made["1"]["SEIS_ACC_ECCENT_X"], made["1"]["SEIS_ACC_ECCENT_Y"]) == (0.25, 0.4)
    rows = ask(model, "ope/STORYPROP", {"LENGTH_UNIT": "M"})["STORYPROP"]["DATA"]
    assert [r["ELEV"] for r in rows] == ["7.0000", "3.0000", "0.0000"]
    assert [r["LOADED_H"] for r in rows] == ["2.0000", "3.5000", "1.5000"]
    automatic = {"ELEM_LIST": [1, 2, 3], "ASSIGN_TYPE": "AUTO", "SELECTION_TYPE": "SELECTION", "ALLOW_SINGLE": True}
    members = ask(model, "ope/MEMB", automatic)["MEMB"]
    assert [m["AELEM"] for m in members.values()] == [[1, 2], [3]]
    model.put_records("db/BODF", {"1": {"LCNAME": "DL", "FV": [0, 0, -1]}})
    model.put_records("db/CNLD", {"3": {"ITEMS": [{"ID": 1, "LCNAME": "DL", "FX": 10}]}})
    combination = {"NAME": "gLCB1", "vCOMB": [{"ANAL": "ST", "LCNAME": "DL", "FACTOR": 1.4}]}
    model.put_records("db/LCOM-GEN", {"1": combination})
    uses = {"PREFIX": "U_", "POSITION": "GEN", "LCOM_LIST": [{"TYPE": "GEN", "NAME": "gLCB1"}]}
    assert ask(model, "ope/USLC", uses) == {"message": "MIDAS GEN NX command complete"}
    assert model.table("db/STLD")["2"]["NAME"] == "U_gLCB1"
    assert model.table("db/BODF")["2"] == {"LCNAME": "U_gLCB1", "FV": [0, 0, -1.4], "GROUP_NAME": ""}
    assert [i["FX"] for i in model.table("db/CNLD")["3"]["ITEMS"]] == [10, 14]


def test_pictures_are_pictures() -> None:
    import base64

    body = ask(Model(), "view/CAPTURE", {"SET_MODE": "pre", "WIDTH": 30, "HEIGHT": 20})
    picture = base64.b64decode(body["base64String"])
    assert picture.startswith(b"\x89PNG") and math.prod((picture[19], picture[23])) == 600


def test_ensure_makes_operations_possible() -> None:
    """What `ensure` prepares, a strict call accepts and an answer confirms."""
    mesher = {"METHOD": "Nodes", "TARGETS": [5, 6, 7, 8, 9]}
    mesh = {"MESHER": mesher, "MESH_SIZE": {"DIV": 4}, "PROPERTY": {"MATERIAL": 3, "THICKNESS": 2}}
    half = {"ELEM_TYPE": "Planar", "DIV_METHOD": "Equal", "OPTION": {"EQUAL_OPTION": {"NUM_X": 2, "NUM_Y": 2}}}
    reactions = {"TABLE_TYPE": "REACTIONG", "LOAD_CASE_NAMES": ["LL(ST)"]}
    forces = {"TABLE_TYPE": "BEAMFORCE", "LOAD_CASE_NAMES": ["C1(CB)"]}
    calls: list[tuple[str, Any, str]] = [
        ("ope/AUTOMESH", {**mesh, "DOMAIN_NAME": {"NAME": "a"}}, "AUTOMESH"),
        ("ope/DIVIDEELEM", {"TARGETS": [21], "DIVIDE": half}, "DIVIDEELEM"),
        ("doc/OPEN", "C:\\a.mgb", "message"),
        ("doc/ANAL", {}, "message"),
        ("post/TABLE", {**reactions, "NODE_ELEMS": {"KEYS": [7]}}, "empty"),
        ("post/TABLE", {**forces, "NODE_ELEMS": {"TO": "3to4"}}, "empty"),
        ("ope/STORYPROP", {"FORCE_UNIT": "KN"}, "STORYPROP"),
    ]
    for uri, argument, key in calls:
        model, tool = Model(), CATALOGUE.tool(uri, "POST")
        model.ensure(tool, {"Argument": argument})
        reply = model.call(tool, {"Argument": argument}, strict=True)
        assert list(reply.body) == [key], (uri, reply.body)
        if uri == "post/TABLE":
            assert reply.body["empty"]["DATA"], argument
