"""Results of the emulator against equilibrium, closed forms and the figures read off a live server."""

from __future__ import annotations

import math
from typing import Any

import pytest

from gennx.emulator import Model
from gennx.schemas import load_catalogue

CATALOGUE = load_catalogue()
E, NU, DENSITY = 2.0e8, 0.3, 77.0  # kN/m2, -, kN/m3
USER = {
    "TYPE": "USER",
    "NAME": "user",
    "PARAM": [{"P_TYPE": 2, "ELAST": E, "POISN": NU, "THERMAL": 0, "DEN": DENSITY, "MASS": 0}],
}
C24 = {"TYPE": "CONC", "NAME": "C24", "PARAM": [{"P_TYPE": 1, "STANDARD": "KS01(RC)", "DB": "C24"}]}
B, H = 0.4, 0.8
AREA, IYY, IZZ = B * H, B * H**3 / 12, H * B**3 / 12


def section(width: float, height: float) -> dict[str, Any]:
    inner = {"USE_SHEAR_DEFORM": False, "SHAPE": "SB", "DATATYPE": 2, "SECT_I": {"vSIZE": [height, width]}}
    return {"SECTTYPE": "DBUSER", "SECT_NAME": "s", "SECT_BEFORE": inner}


def frame(
    nodes: dict[int, tuple[float, float, float]],
    elements: dict[int, tuple[int, int]],
    supports: dict[int, str],
    angle: float = 0,
    material: dict[str, Any] = USER,
    kind: str = "BEAM",
    size: tuple[float, float] = (B, H),
) -> Model:
    model = Model()
    model.put_records("db/MATL", {"1": material})
    model.put_records("db/SECT", {"1": section(*size)})
    model.put_records("db/NODE", {str(k): dict(zip("XYZ", p, strict=True)) for k, p in nodes.items()})
    rows = {str(k): {"TYPE": kind, "MATL": 1, "SECT": 1, "NODE": list(e), "ANGLE": angle} for k, e in elements.items()}
    model.put_records("db/ELEM", rows)
    flags = {str(k): {"ITEMS": [{"ID": 1, "CONSTRAINT": f.ljust(7, "0")}]} for k, f in supports.items()}
    model.put_records("db/CONS", flags)
    model.put_records("db/STLD", {"1": {"NAME": "DL", "TYPE": "D"}})
    return model


def nodal(model: Model, node: int, **forces: float) -> None:
    model.put_records("db/CNLD", {str(node): {"ITEMS": [{"ID": 1, "LCNAME": "DL", **forces}]}})


def beam(model: Model, element: int, **load: Any) -> None:
    item = {"ID": 1, "LCNAME": "DL", "CMD": "BEAM", "DIRECTION": "GZ", **load}
    model.put_records("db/BMLD", {str(element): {"ITEMS": [item]}})


def self_weight(model: Model) -> None:
    model.put_records("db/BODF", {"1": {"LCNAME": "DL", "FV": [0, 0, -1]}})


def analyse(model: Model) -> str:
    reply = model.call(CATALOGUE.tool("doc/ANAL", "POST"), {"Argument": {}})
    return str(reply.body.get("message") or reply.body["error"]["message"])


def table(model: Model, kind: str, **more: Any) -> dict[str, Any]:
    argument = {"TABLE_TYPE": kind, "STYLES": {"FORMAT": "FIXED", "PLACE": 9}, **more}
    return dict(model.call(CATALOGUE.tool("post/TABLE", "POST"), {"Argument": argument}).body)


def figures(model: Model, kind: str, **more: Any) -> dict[tuple[str, ...], list[float]]:
    """Numbers of a table by its leading names (node or element, case, part)."""
    names = 3 if kind == "BEAMFORCE" else 2
    body = table(model, kind, **more)["empty"]
    assert body["HEAD"][0] == "Index"
    return {tuple(row[1 : 1 + names]): [float(c) for c in row[1 + names :]] for row in body["DATA"]}


def solved(model: Model) -> Model:
    assert analyse(model) == "MIDAS GEN NX command complete"
    return model


def test_regression_figures_of_a_live_server() -> None:
    """A 0.6 x 0.6 x 3.2 m column and a 30 m fixed girder of 0.6 x 1.0 m, C24, self weight."""
    column = frame({1: (0, 0, 0), 2: (0, 0, 3.2)}, {1: (1, 2)}, {1: "111111"}, material=C24, size=(0.6, 0.6))
    self_weight(column)
    assert figures(solved(column), "REACTIONG")[("1", "DL")][2] == pytest.approx(27.113426, abs=5e-7)
    nodes = {i + 1: (3.0 * i, 0.0, 0.0) for i in range(11)}
    girder = frame(
        nodes, {i: (i, i + 1) for i in range(1, 11)}, {1: "111111", 11: "111111"}, material=C24, size=(0.6, 1.0)
    )
    self_weight(girder)
    reactions = figures(solved(girder), "REACTIONG")
    assert sum(r[2] for r in reactions.values()) == pytest.approx(423.647281, abs=1.5e-6)
    assert abs(reactions[("1", "DL")][4]) == pytest.approx(1059.11825, abs=1e-4)


def test_cantilever_and_simple_beam_by_closed_form() -> None:
    p, length = 10.0, 4.0
    cantilever = frame({1: (0, 0, 0), 2: (length, 0, 0)}, {1: (1, 2)}, {1: "111111"})
    nodal(cantilever, 2, FZ=-p, FY=p)
    tip = figures(solved(cantilever), "DISPLACEMENTG")[("2", "DL")]
    assert tip[2] == pytest.approx(-p * length**3 / (3 * E * IYY), rel=1e-5)
    assert tip[1] == pytest.approx(p * length**3 / (3 * E * IZZ), rel=1e-5)
    root = figures(cantilever, "BEAMFORCE")[("1", "DL", "I[1]")]
    assert root[:6] == pytest.approx([0, p, -p, 0, -p * length, p * length], abs=1e-6)
    w = 12.0
    simple = frame({1: (0, 0, 0), 2: (length, 0, 0)}, {1: (1, 2)}, {1: "111100", 2: "011000"})
    beam(simple, 1, TYPE="UNILOAD", D=[0, 1, 0, 0], P=[-w, -w, 0, 0])
    forces = figures(solved(simple), "BEAMFORCE")
    assert forces[("1", "DL", "2/4")][4] == pytest.approx(w * length**2 / 8)
    assert forces[("1", "DL", "I[1]")][2] == pytest.approx(-w * length / 2)
    assert forces[("1", "DL", "J[2]")][2] == pytest.approx(w * length / 2)


@pytest.mark.parametrize("angle", [0.0, 90.0, 30.0])
@pytest.mark.parametrize("end", [(0.0, 0.0, 5.0), (4.0, 0.0, 0.0), (0.0, -4.0, 0.0), (2.0, 3.0, 4.0), (0.0, 0.0, -5.0)])
def test_forces_balance_in_any_direction(end: tuple[float, float, float], angle: float) -> None:
    """Forces at the root, turned into global axes by the local ones, carry the tip load; moments follow from them."""
    model = frame({1: (0, 0, 0), 2: end}, {1: (1, 2)}, {1: "111111"}, angle)
    load = (3.0, -5.0, 7.0)
    nodal(model, 2, FX=load[0], FY=load[1], FZ=load[2], MX=1.5)
    forces = figures(solved(model), "BEAMFORCE")
    root, tip = forces[("1", "DL", "I[1]")], forces[("1", "DL", "J[2]")]
    x, y, z = local_axes(end, angle)
    carried = [root[0] * x[i] + root[1] * y[i] + root[2] * z[i] for i in range(3)]
    assert carried == pytest.approx(load, abs=1e-6)
    length = math.dist((0, 0, 0), end)
    assert (tip[4] - root[4]) / length == pytest.approx(-root[2], abs=1e-6)
    assert (tip[5] - root[5]) / length == pytest.approx(-root[1], abs=1e-6)
    assert root[3] == pytest.approx(1.5 * x[0], abs=1e-6)
    reaction = figures(model, "REACTIONG")[("1", "DL")]
    assert reaction[:3] == pytest.approx([-f for f in load], abs=1e-6)


def local_axes(end: tuple[float, float, float], angle: float) -> list[list[float]]:
    """Written apart from the emulator's: z lies in the plane of x and the vertical (of x and X for columns)."""
    size = math.dist((0, 0, 0), end)
    x = [c / size for c in end]
    up = [1.0, 0.0, 0.0] if abs(x[2]) > 1 - 1e-9 else [0.0, 0.0, 1.0]
    dot = sum(a * b for a, b in zip(up, x, strict=True))
    z = [u - dot * c for u, c in zip(up, x, strict=True)]
    z = [c / math.sqrt(sum(k * k for k in z)) for c in z]
    y = [z[1] * x[2] - z[2] * x[1], z[2] * x[0] - z[0] * x[2], z[0] * x[1] - z[1] * x[0]]
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return [x, [c * a + s * b for a, b in zip(y, z, strict=True)], [c * b - s * a for a, b in zip(y, z, strict=True)]]


def test_reactions_of_a_space_frame_equal_its_loads() -> None:
    nodes = {1: (0, 0, 0), 2: (6, 0, 0), 3: (6, 5, 0), 4: (0, 5, 0)}
    nodes |= {i + 4: (x, y, 3.5) for i, (x, y, _) in nodes.items()}
    nodes |= {i + 4: (x, y, 7.0) for i, (x, y, z) in list(nodes.items())[4:]}
    pairs = [(i, i + 4) for i in range(1, 9)]
    for first in (5, 9):
        ring = list(range(first, first + 4))
        pairs += list(zip(ring, [*ring[1:], ring[0]], strict=True))
    model = frame(
        {k: (float(x), float(y), float(z)) for k, (x, y, z) in nodes.items()},
        dict(enumerate(pairs, 1)),
        {1: "111111", 2: "111000", 3: "111111", 4: "111000"},
    )
    self_weight(model)
    nodal(model, 9, FX=25, FY=-7, FZ=-40, MX=3)
    beam(model, 10, TYPE="UNILOAD", D=[0.2, 0.9, 0, 0], P=[-10, -30, 0, 0])
    reactions = figures(solved(model), "REACTIONG")
    length = sum(math.dist(nodes[a], nodes[b]) for a, b in pairs)
    spread = (0.9 - 0.2) * math.dist(nodes[pairs[9][0]], nodes[pairs[9][1]]) * 20
    total = [25.0, -7.0, -40 - DENSITY * AREA * length - spread]
    assert [sum(r[i] for r in reactions.values()) for i in range(3)] == pytest.approx([-t for t in total], abs=1e-5)
    local = figures(model, "REACTIONL")
    assert local == reactions


def test_trusses_carry_axial_force_alone() -> None:
    nodes = {1: (0.0, 0.0, 0.0), 2: (4.0, 0.0, 0.0), 3: (0.0, 0.0, 3.0)}
    model = frame(nodes, {1: (1, 2), 2: (3, 2)}, {1: "111", 3: "111", 2: "010"}, kind="TRUSS")
    nodal(model, 2, FZ=-30)
    forces = figures(solved(model), "TRUSSFORCE")
    assert forces[("2", "DL")] == pytest.approx([50, 50])
    assert forces[("1", "DL")] == pytest.approx([-40, -40])
    assert figures(model, "TRUSSSTRESS")[("2", "DL")][0] == pytest.approx(50 / AREA)
    assert table(model, "BEAMFORCE") == {"message": ""}  # no beams, no rows


def test_units_combinations_columns_and_selection() -> None:
    model = frame({1: (0, 0, 0), 2: (0, 0, 3)}, {1: (1, 2)}, {1: "111111"})
    nodal(model, 2, FX=10, FZ=-20)
    combination = {"NAME": "gLCB1", "vCOMB": [{"ANAL": "ST", "LCNAME": "DL", "FACTOR": 1.4}]}
    model.put_records("db/LCOM-GEN", {"1": combination})
    solved(model)
    body = table(model, "REACTIONG", UNIT={"FORCE": "N", "DIST": "MM"}, COMPONENTS=["Node", "Load", "FX", "MY"])
    assert body["empty"]["HEAD"] == ["Index", "Node", "Load", "FX", "MY"]
    assert [float(c) for c in body["empty"]["DATA"][0][3:]] == pytest.approx([-10e3, -30e6])
    combined = figures(model, "REACTIONG", LOAD_CASE_NAMES=["gLCB1(CB)"])
    assert combined[("1", "gLCB1")][2] == pytest.approx(28)
    model.call(CATALOGUE.tool("db/UNIT", "PUT"), {"Assign": {"1": {"FORCE": "N", "DIST": "MM"}}})
    assert figures(model, "REACTIONG")[("1", "DL")][4] == pytest.approx(-30e6)
    assert set(figures(model, "DISPLACEMENTG", NODE_ELEMS={"TO": "2to9"})) == {("2", "DL")}
    named = table(model, "BEAMFORCE", TABLE_NAME="mine", PARTS=["PartI", "PartJ"])
    assert [row[3] for row in named["mine"]["DATA"]] == ["I[1]", "J[2]"]
    assert all(isinstance(cell, str) for row in named["mine"]["DATA"] for cell in row)


def test_a_pinned_foot_and_a_released_end() -> None:
    model = frame({1: (0, 0, 0), 2: (3, 0, 0), 3: (6, 0, 0)}, {1: (1, 2), 2: (2, 3)}, {1: "111111", 3: "011100"})
    hinge = {"ID": 1, "FLAG_I": "0000000", "FLAG_J": "0000100", "VALUE_I": [0] * 7, "VALUE_J": [0] * 7}
    model.put_records("db/FRLS", {"1": {"ITEMS": [hinge]}})
    nodal(model, 2, FZ=-12)
    forces = figures(solved(model), "BEAMFORCE")
    assert forces[("1", "DL", "J[2]")][4] == pytest.approx(0, abs=1e-9)
    assert forces[("1", "DL", "I[1]")][4] == pytest.approx(-36)


def test_what_cannot_be_solved_has_a_head_and_no_data() -> None:
    model = frame({1: (0, 0, 0), 2: (3, 0, 0), 3: (3, 3, 0), 4: (0, 3, 0)}, {1: (1, 2)}, {1: "111111"})
    model.put_records("db/ELEM", {"2": {"TYPE": "PLATE", "STYPE": 1, "MATL": 1, "SECT": 1, "NODE": [1, 2, 3, 4]}})
    self_weight(model)
    body = table(solved(model), "REACTIONG", LOAD_CASE_NAMES=["DL(ST)"])
    assert body["empty"]["HEAD"][:4] == ["Index", "Node", "Load", "FX"] and body["empty"]["DATA"] == []
    assert table(model, "STORY_DRIFT_X", LOAD_CASE_NAMES=["DL(ST)"])["empty"]["DATA"] == []


def test_a_case_with_an_unknown_load_is_left_out() -> None:
    model = frame({1: (0, 0, 0), 2: (0, 0, 3)}, {1: (1, 2)}, {1: "111111"})
    model.put_records("db/STLD", {"2": {"NAME": "T", "TYPE": "T"}})
    model.put_records("db/STMP", {"1": {"LCNAME": "T", "TEMPER": 20}})
    self_weight(model)
    assert set(figures(solved(model), "REACTIONG")) == {("1", "DL")}
    assert table(model, "REACTIONG", LOAD_CASE_NAMES=["T(ST)"])["empty"]["DATA"] == []


def test_analysis_and_tables_refuse_as_live_servers_do() -> None:
    model = frame({1: (0, 0, 0), 2: (0, 0, 3)}, {1: (1, 2)}, {})
    assert "Load information" in analyse(model)
    self_weight(model)
    assert "Boundary condition" in analyse(model)
    unsolved = table(model, "REACTIONG")
    assert unsolved == {"error": {"message": "[empty] Cannot generate table data as there is no analysis result."}}
    model.put_records("db/CONS", {"1": {"ITEMS": [{"ID": 1, "CONSTRAINT": "0010000"}]}})
    assert analyse(model) == "MIDAS GEN NX Analysis failed."
    model.put_records("db/CONS", {"1": {"ITEMS": [{"ID": 1, "CONSTRAINT": "1111110"}]}})
    solved(model)
    assert table(model, "REACTIONG", LOAD_CASE_NAMES=["DL"]) == {"message": ""}  # no suffix
    assert table(model, "REACTIONG", LOAD_CASE_NAMES=["LL(ST)"]) == {"message": ""}  # no such case
    model.put_records("db/NODE", {"9": {}})
    assert "no analysis result" in str(table(model, "REACTIONG"))  # a write makes results stale
    argument = {"Argument": {"TABLE_TYPE": "NO_SUCH"}}
    refused = model.call(CATALOGUE.tool("post/TABLE", "POST"), argument)
    assert refused.body["error"]["message"] == "MIDAS GEN NX there was an error creating utbl. (ex PostMode ...)"


@pytest.mark.parametrize(
    ("shape", "sizes", "area", "iyy"),
    [
        ("SB", [0.8, 0.4], 0.32, 0.4 * 0.8**3 / 12),
        ("SR", [0.5], math.pi * 0.25**2, math.pi * 0.25**4 / 4),
        ("P", [0.5, 0.02], math.pi * (0.25**2 - 0.23**2), math.pi * (0.25**4 - 0.23**4) / 4),
        ("B", [0.4, 0.3, 0.02, 0.03], 0.4 * 0.3 - 0.34 * 0.26, (0.3 * 0.4**3 - 0.26 * 0.34**3) / 12),
        ("H", [0.4, 0.2, 0.008, 0.013], 0.2 * 0.4 - 0.192 * 0.374, (0.2 * 0.4**3 - 0.192 * 0.374**3) / 12),
    ],
)
def test_section_properties_by_closed_form(shape: str, sizes: list[float], area: float, iyy: float) -> None:
    model = Model()
    inner = {"SHAPE": shape, "DATATYPE": 2, "SECT_I": {"vSIZE": sizes}}
    model.put_records("db/SECT", {"3": {"SECTTYPE": "DBUSER", "SECT_NAME": "s", "SECT_BEFORE": inner}})
    body = model.call(CATALOGUE.tool("ope/SECTPROP", "GET"), {"ids": []}).body["SECTPROP"]["3"]
    values = {row[0]: float(row[1]) for row in body["DATA"]}
    assert values["Area"] == pytest.approx(area, abs=1e-6) and values["Iyy"] == pytest.approx(iyy, abs=1e-6)
    assert body["DATA"][0][2] == "m2"
