"""Clients that nobody here wrote, against a running emulator: `midas-nx` and `midas-gen` from PyPI.

Prints the list of checks and the count of endpoints covered; `pytest -s tests/test_emulator_clients.py` shows it.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("uvicorn")
midas_nx = pytest.importorskip("midas_nx")

from gennx.emulator import Model
from gennx.emulator.server import running
from gennx.schemas import load_catalogue

CHECKS: list[str] = []
COVERED: set[str] = set()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Base address of an emulator on a free port; prints what was checked when it goes."""
    with running(Model(faithful=True)) as base:
        yield base
    catalogue = {e.uri.lower() for e in load_catalogue()}
    print(f"\n{len(CHECKS)} checks passed; {len(COVERED)} addresses called,", end=" ")
    print(f"{len(COVERED & catalogue)} of them among the catalogue's {len(catalogue)}")
    for check in CHECKS:
        print("  ", check)


@pytest.fixture
def client(address: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A midas-nx client on a blank document, which notes the addresses that it calls."""
    made = midas_nx.MidasClient(mapi_key="k.e.y", base_url=address, product="gen", timeout=20)
    send = made._send

    def noted(method: str, url: str, *args: Any, endpoint: str, **more: Any) -> Any:
        note(endpoint)
        return send(method, url, *args, endpoint=endpoint, **more)

    monkeypatch.setattr(made, "_send", noted)
    made.request("POST", "/doc/NEW", {"Argument": {}})
    return made


def note(address: str) -> None:
    """Count an address as called, without record numbers and in one letter case."""
    parts = address.removeprefix("/info").strip("/").split("/")
    COVERED.add("/".join(parts[:-1] if parts[-1][:1].isdigit() else parts).lower())


def passed(text: str) -> None:
    CHECKS.append(text)


def resources() -> list[Any]:
    """Every table that midas-nx has for Gen."""
    base = importlib.import_module("midas_nx.db.base").DbResource
    found = {}
    for module in pkgutil.walk_packages(midas_nx.__path__, "midas_nx."):
        for member in vars(importlib.import_module(module.name)).values():
            known = inspect.isclass(member) and issubclass(member, base) and hasattr(member, "ENDPOINT")
            if known and "gen" in member.PRODUCTS:
                found[member.ENDPOINT] = member
    return list(found.values())


def test_every_resource_of_midas_nx_reads(client: Any) -> None:
    readable = [r for r in resources() if "GET" in r.METHODS]
    assert len(readable) > 260
    filled = []
    for resource in readable:
        if resource.items(client=client):
            filled.append(resource.ENDPOINT)
    assert sorted(filled) == ["/db/PJCF", "/db/STYP", "/db/UNIT"]
    passed(f"midas-nx: {len(readable)} resources read on a blank document, three of them filled")


def test_every_resource_of_midas_nx_creates_and_deletes(client: Any) -> None:
    """A record of each table that the catalogue describes goes in, comes back and goes out."""
    from gennx.emulator.minimal import minimal_record

    catalogue, done = load_catalogue(), 0
    tables = {e.uri.lower(): e for e in catalogue if e.is_table}
    model = Model()
    for resource in resources():
        endpoint = tables.get(resource.ENDPOINT.strip("/").lower())
        if endpoint is None or not {"POST", "GET", "DELETE"} <= resource.METHODS & set(endpoint.methods):
            continue
        tool = catalogue.tool(endpoint.uri, "POST")
        record = minimal_record(endpoint.schema)
        if endpoint.table == "PRES":  # the client wants the direction, as the server does
            record["ITEMS"][0]["DIRECTION"] = "LZ"
        elif endpoint.table == "MVCD":  # the first of its codes is one that a live Gen refused
            record["CODE"] = "EUROCODE"
        if endpoint.table == "PJCF" or not model.rules.valid(tool, {"Assign": {"1": record}}):
            continue
        needed = Model()
        needed.ensure(tool, {"Assign": {"1": record}})
        for uri in list(needed.document.store.uris()):
            client.request("PUT", f"/{uri}", {"Assign": dict(needed.table(uri))})
        client.request("DELETE", resource.ENDPOINT, {}, confirm=True)
        resource.create({1: record}, client=client)
        assert list(resource.items(client=client)) == [1], resource.ENDPOINT
        resource.delete([1], client=client)
        assert resource.items(client=client) == {}, resource.ENDPOINT
        done += 1
        client.request("POST", "/doc/NEW", {"Argument": {}})
    assert done > 150
    passed(f"midas-nx: {done} resources created, read back and deleted")


def test_midas_nx_builds_analyses_and_reads_a_frame(client: Any) -> None:
    """The chain of calls that ran on both live products, then tables, an update, a deletion and a refusal."""
    from midas_nx import doc
    from midas_nx.client import MidasResultError
    from midas_nx.db.boundary import Constraint
    from midas_nx.db.node_element import Element, Node
    from midas_nx.db.project import Unit
    from midas_nx.db.properties.material import Material
    from midas_nx.db.properties.section import Section
    from midas_nx.db.static_loads import BeamLoad, NodalLoad, SelfWeight, StaticLoadCase
    from midas_nx.post.base import get_table, unwrap_table

    Unit.update({1: {"DIST": "M", "FORCE": "KN"}}, client=client)
    param = [{"P_TYPE": 1, "STANDARD": "KS01(RC)", "DB": "C24"}]
    Material.create({1: {"TYPE": "CONC", "NAME": "C24", "PARAM": param}}, client=client)
    before = {"USE_SHEAR_DEFORM": True, "SHAPE": "SB", "DATATYPE": 2, "SECT_I": {"vSIZE": [0.6, 0.6]}}
    Section.create({1: {"SECTTYPE": "DBUSER", "SECT_NAME": "Column", "SECT_BEFORE": before}}, client=client)
    Node.create({1: {"X": 0, "Y": 0, "Z": 0}, 2: {"X": 0, "Y": 0, "Z": 3.2}}, client=client)
    Element.create({1: {"TYPE": "BEAM", "MATL": 1, "SECT": 1, "NODE": [1, 2]}}, client=client)
    Constraint.create({1: {"ITEMS": [{"ID": 1, "CONSTRAINT": "1111111"}]}}, client=client)
    StaticLoadCase.create({1: {"NAME": "DL", "TYPE": "D", "DESC": "Dead Load"}}, client=client)
    SelfWeight.create({1: {"LCNAME": "DL", "FV": [0, 0, -1]}}, client=client)
    assert StaticLoadCase.items(client=client) == {1: {"NAME": "DL", "TYPE": "D", "DESC": "Dead Load", "NO": 1}}
    passed("midas-nx: unit, material, section, nodes, element, support, load case and self weight written")
    with pytest.raises(MidasResultError, match="Key Already Exist"):
        Node.create({1: {"X": 9}}, client=client)
    with pytest.raises(MidasResultError, match="no analysis result"):
        get_table("REACTIONG", client=client)
    doc.analyze(client=client)
    for kind, column, figure in (("REACTIONG", "FZ", 27.113426), ("BEAMFORCE", "Axial", -27.113426)):
        table = unwrap_table(get_table(kind, load_case_names=["DL(ST)"], client=client))
        assert float(table["DATA"][0][table["HEAD"].index(column)]) == pytest.approx(figure, abs=1e-6)
    shift = unwrap_table(get_table("DISPLACEMENTG", load_case_names=["DL(ST)"], client=client))
    assert float(shift["DATA"][1][shift["HEAD"].index("DZ")]) < 0
    passed("midas-nx: analysed; REACTIONG FZ 27.113426, BEAMFORCE and DISPLACEMENTG read")
    NodalLoad.create({2: {"ITEMS": [{"ID": 1, "LCNAME": "DL", "FZ": -10}]}}, client=client)
    NodalLoad.update({2: {"ITEMS": [{"ID": 1, "LCNAME": "DL", "FZ": -20}]}}, client=client)
    doc.analyze(client=client)
    table = unwrap_table(get_table("REACTIONG", load_case_names=["DL(ST)"], client=client))
    assert float(table["DATA"][0][table["HEAD"].index("FZ")]) == pytest.approx(47.113426, abs=1e-6)
    load = {"ID": 1, "LCNAME": "DL", "CMD": "BEAM", "TYPE": "UNILOAD", "DIRECTION": "GX", "D": [0, 1], "P": [2, 2]}
    BeamLoad.create({1: {"ITEMS": [load]}}, client=client)
    assert BeamLoad.items(client=client)[1]["ITEMS"][0]["D"] == [0, 1, 0, 0]
    passed("midas-nx: load updated in place and seen in the next analysis; beam load padded")
    Node.delete([2, 99], client=client)
    assert Node.items(client=client).keys() == {1} and Element.items(client=client) == {}
    assert Node.info(client=client)["Argument"]["properties"].keys() == {"X", "Y", "Z"}
    assert client.verify_connection()["status"] == "connected"
    passed("midas-nx: node deleted with its element, absent node a no-op; info and verify answer")


def test_midas_nx_documents_operations_and_views(client: Any) -> None:
    from midas_nx import doc, ope, view
    from midas_nx.client import MidasNotFoundError, MidasResultError
    from midas_nx.db.node_element import Element, Node

    Node.create({1: {}, 2: {"X": 6}}, client=client)
    Element.create({1: {"TYPE": "BEAM", "MATL": 1, "SECT": 1, "NODE": [1, 2]}}, client=client)
    half = {"ELEM_TYPE": "Frame", "DIV_METHOD": "Equal", "OPTION": {"EQUAL_OPTION": {"NUM_X": 3}}}
    parts = ope.divide_elements({"TARGETS": [1], "DIVIDE": half}, client=client)["DIVIDEELEM"]
    assert parts["1"]["NODE"] == [1, 3, 0, 0, 0, 0, 0, 0] and len(parts) == 3
    status = ope.get_project_status(client=client)["PROJECTSTATUS"]
    assert ["Node", "4", "4"] in status["DATA"] and all(isinstance(c, str) for r in status["DATA"] for c in r)
    passed("midas-nx: an element divided in three, counted by PROJECTSTATUS")
    doc.save_as("C:\\MIDAS\\tower.mgb", client=client)
    doc.close_project(client=client)
    with pytest.raises(MidasResultError, match="The project is not opened"):
        Node.get(client=client)
    doc.open_project("c:/midas/TOWER.mgb", client=client)
    assert len(Node.items(client=client)) == 4
    doc.export_json("C:\\MIDAS\\tower.json", client=client)
    doc.new_project(client=client)
    doc.import_json("C:\\MIDAS\\tower.json", client=client)
    assert len(Node.items(client=client)) == 4
    passed("midas-nx: saved, closed, opened, exported, renewed and imported")
    view.set_angle({"HORIZONTAL": 30, "VERTICAL": 15}, client=client)
    view.set_active({"ACTIVE_MODE": "All"}, client=client)
    assert view.get_selection(client=client) == {"SELECT": {"NODE_LIST": [], "ELEM_LIST": []}}
    assert view.capture({"SET_MODE": "pre", "HEIGHT": 2, "WIDTH": 2}, client=client)["base64String"]
    with pytest.raises(MidasResultError, match="no analysis result"):
        view.capture({"SET_MODE": "post", "HEIGHT": 2, "WIDTH": 2}, client=client)
    with pytest.raises(MidasNotFoundError):
        client.request("POST", "/ope/STORPROP", {"Argument": {}})
    passed("midas-nx: views answer, a picture comes back, an unknown route is 404")
    storeys = {"INC_SEIS_ECC": True, "SEIS_ECC_VALUE": 5}, {"INC_WIND_ECC": False, "WIND_ECC_VALUE": 0}
    Node.create({11: {"Z": 3.5}, 12: {"X": 6, "Y": 8, "Z": 3.5}}, client=client)
    rows = ope.calculate_story({"SEIS_ECC": storeys[0], "WIND_ECC": storeys[1]}, client=client)["STOR"]
    assert [(r["STORY_NAME"], r["SEIS_ACC_ECCENT_X"]) for r in rows.values()][:1] == [("Roof", 0.4)]
    table = ope.get_story_properties({"FORCE_UNIT": "KN", "LENGTH_UNIT": "M"}, client=client)["STORYPROP"]
    assert table["DATA"][0]["ELEV"] == "3.5000"
    assert ope.assign_members(
        {"ELEM_LIST": [1, 2, 3], "ASSIGN_TYPE": "AUTO", "SELECTION_TYPE": "SELECTION", "ALLOW_SINGLE": False},
        client=client,
    ) == {"MEMB": {"1": {"AELEM": [1, 2, 3], "bREVERSE": False}}}
    passed("midas-nx: storeys calculated and reported, a member assigned")


@pytest.fixture
def gen(address: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """midas-gen, pointed at the emulator; its look-up of newer versions at import time is cut off."""
    if importlib.util.find_spec("midas_gen") is None:
        pytest.skip("midas-gen is not installed")
    import requests

    def offline(*args: Any, **more: Any) -> None:
        raise requests.ConnectionError("no look-ups from tests")

    with monkeypatch.context() as patch:
        patch.setattr(requests, "get", offline)
        import midas_gen
    for name in ("get", "post", "put", "delete"):
        monkeypatch.setattr(requests, name, _noted(getattr(requests, name)))
    midas_gen.NX.user_print = False
    midas_gen.MAPI_BASEURL(address)
    midas_gen.MAPI_KEY("k.e.y")
    midas_gen.Model.new()
    midas_gen.Model.clear()
    return midas_gen


def _noted(call: Any) -> Any:
    def noted(*, url: str, **more: Any) -> Any:
        note(url.split("/gen/", 1)[1])
        return call(url=url, **more)

    return noted


def test_midas_gen_builds_analyses_and_reads_a_portal(gen: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A portal frame the way its users write it: everything by PUT, results as a data frame."""
    gen.Model.units("KN", "M")
    gen.Material.CONC("C24", "KS01(RC)", "C24", 1)
    gen.Section.DBUSER("Column", "SB", [0.6, 0.6], id=1)
    for number, (x, z) in enumerate([(0, 0), (0, 4), (6, 4), (6, 0)], 1):
        gen.Node(x, 0, z, id=number)
    for number, (i, j) in enumerate([(1, 2), (2, 3), (3, 4)], 1):
        gen.Element.Beam(i, j, id=number)
    for node in (1, 4):
        gen.Boundary.Support(node, "fix")
    gen.Load.SW("DL", "Z", -1, "LG1")
    gen.Load.Nodal(2, "WX", FX=20)
    gen.Load.Beam(2, "DL", value=-10)
    gen.LoadCombination("LCB1", [("DL(ST)", 1.2), ("WX(ST)", 1.6)])
    gen.Group.Structure("Columns", elist=[1, 3])
    gen.Model.create()
    assert "Error" not in capsys.readouterr().out
    passed("midas-gen: portal with material, section, supports, loads, groups and a combination, all by PUT")
    assert gen.Model.maxID("NODE") == 4 and gen.Model.maxID("ELEM", fast=True) == 3
    gen.Node.sync(), gen.Element.sync(), gen.Load_Case.sync(), gen.LoadCombination.sync()
    assert [n.LOC for n in gen.Node.nodes] == [(0, 0, 0), (0, 0, 4), (6, 0, 4), (6, 0, 0)]
    assert [e.NODE for e in gen.Element.elements] == [[1, 2], [2, 3], [3, 4]]
    assert [c.NAME for c in gen.Load_Case.cases] == ["DL", "WX"]
    passed("midas-gen: nodes, elements, load cases and combinations synchronised back; fast and slow maxID")
    gen.Model.analyse()
    gen.Model.analyse()  # the second time it finds results by a 2 x 2 picture
    reactions = gen.Result.TABLE.Reaction(loadcase=["DL(ST)", "WX(ST)"])
    weight = 0.36 * 14 * 2.4 * 9.80665 + 60
    sums = {case: sum(r["FZ"] for r in reactions.rows(named=True) if r["Load"] == case) for case in ("DL", "WX")}
    assert sums["DL"] == pytest.approx(weight, abs=1e-4) and sums["WX"] == pytest.approx(0, abs=1e-4)
    assert sum(reactions.filter(reactions["Load"] == "WX")["FX"]) == pytest.approx(-20, abs=1e-4)
    forces = gen.Result.TABLE.BeamForce(keys=[2], loadcase=["LCB1(CB)"], parts=["PartI", "PartJ"])
    assert forces["Part"].to_list() == ["I[2]", "J[3]"]
    options = gen.TableOptions(force_unit="N", len_unit="MM")
    big = gen.Result.TABLE.Reaction(keys=[1], loadcase=["DL(ST)"], options=options)
    assert big["FZ"][0] == pytest.approx(reactions["FZ"][0] * 1000, rel=1e-5)
    gen.Model.units("KN", "M")
    passed("midas-gen: analysed once, reactions balance loads, beam forces of a combination, other units")
    gen.Material.sync(bMaterialParam=True)
    assert pytest.approx(23.53596) == gen.Material.mats[0].W and pytest.approx(0.18) == gen.Material.mats[0].V
    gen.Section.sync(bSectionProperty=True)
    assert pytest.approx(0.36) == gen.Section.sect[0].AREA and pytest.approx(0.0108) == gen.Section.sect[0].IYY
    passed("midas-gen: material constants and section properties at the columns it reads")
    gen.Model.saveAs("D:\\model.mgbx")
    gen.Model.close()
    gen.Model.open("D:\\model.mgbx")
    assert gen.Model.maxID("ELEM") == 3
    assert gen.Model.getSelected("NODE_ID") == []
    assert gen.MidasAPI("DELETE", "/db/node/3")["NODE"].keys() == {"3"}
    assert list(gen.Element.get()["ELEM"]) == ["1"]
    gen.Node.delete()
    assert gen.Element.get() == {"message": ""} and gen.Model.maxID("NODE") == 0
    passed("midas-gen: saved, reopened; one node deleted takes two elements, all deleted take the rest")


def test_midas_gen_reports_errors(gen: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert gen.MidasAPI("POST", "/db/CNLD", {"Assign": {"1": {"ITEMS": [{"LCNAME": "NO"}]}}})["error"]["message"]
    assert "Error observed in Nodal Loads" in capsys.readouterr().out
    assert gen.MidasAPI("GET", "/config/ver")["VER"]["NAME"].startswith("MIDAS GEN NX")
    gen._mapi._checkUSER()
    assert gen.NX.PRODUCT == "GEN"
    passed("midas-gen: an error is shown, the product recognised as GEN")
