"""The emulated model in process: tables, references, defaults, snapshots, ensure."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import pytest

from gennx.emulator import Model, Reply, diff
from gennx.emulator.minimal import minimal_record
from gennx.schemas import load_catalogue

CATALOGUE = load_catalogue()
COLUMN = {
    "db/MATL": {"1": {"TYPE": "CONC", "NAME": "C24", "PARAM": [{"P_TYPE": 1, "STANDARD": "KS01(RC)", "DB": "C24"}]}},
    "db/SECT": {
        "1": {
            "SECTTYPE": "DBUSER",
            "SECT_NAME": "Column",
            "SECT_BEFORE": {
                "USE_SHEAR_DEFORM": True,
                "SHAPE": "SB",
                "DATATYPE": 2,
                "SECT_I": {"vSIZE": [0.6, 0.6]},
            },
        }
    },
    "db/NODE": {"1": {"X": 0, "Y": 0, "Z": 0}, "2": {"X": 0, "Y": 0, "Z": 3.2}},
    "db/ELEM": {"1": {"TYPE": "BEAM", "MATL": 1, "SECT": 1, "NODE": [1, 2]}},
    "db/CONS": {"1": {"ITEMS": [{"ID": 1, "CONSTRAINT": "1111111"}]}},
    "db/STLD": {"1": {"NAME": "DL", "TYPE": "D", "DESC": "Dead Load"}},
    "db/BODF": {"1": {"LCNAME": "DL", "FV": [0, 0, -1]}},
}


def call(model: Model, method: str, uri: str, arguments: Any, strict: bool = False) -> Reply:
    return model.call(CATALOGUE.tool(uri, method), arguments, strict)


def post(model: Model, uri: str, rows: dict[str, Any], strict: bool = False) -> Reply:
    return call(model, "POST", uri, {"Assign": rows}, strict)


def message(reply: Reply) -> str:
    return str(reply.body["error"]["message"])


def smallest(uri: str) -> dict[str, Any]:
    """A minimal record that a live server takes: on a plate's face it wants a direction."""
    record = minimal_record(CATALOGUE.endpoint(uri).schema)
    for item in record["ITEMS"] if uri == "db/PRES" else ():
        item.setdefault("DIRECTION", "LZ")
    return record


@pytest.fixture
def column() -> Model:
    model = Model()
    for uri, rows in COLUMN.items():
        assert not post(model, uri, rows, strict=True).failed
    return model


def test_a_blank_document_holds_three_records() -> None:
    model = Model()
    filled = [
        e.table for e in CATALOGUE if e.is_table and call(model, "GET", e.uri, {"ids": []}).body != {"message": ""}
    ]
    assert sorted(filled) == ["PJCF", "STYP", "UNIT"]


def test_create_read_update_delete() -> None:
    model = Model()
    created = post(model, "db/NODE", {"7": {"X": 5}})
    assert (created.status, created.body) == (201, {"NODE": {"7": {"X": 5}}})  # the request, not the row
    assert call(model, "GET", "db/NODE", {"ids": [7]}).body == {"NODE": {"7": {"X": 5, "Y": 0.0, "Z": 0.0}}}
    updated = call(model, "PUT", "db/NODE", {"Assign": {"7": {"Z": 3.2}}})
    assert (updated.status, updated.body) == (200, {"NODE": {"7": {"Z": 3.2}}})
    assert model.table("db/NODE")["7"] == {"X": 5, "Y": 0.0, "Z": 3.2}
    assert call(model, "DELETE", "db/NODE", {"ids": [7, 8]}).body == {"NODE": {"7": {"X": 5, "Y": 0.0, "Z": 3.2}}}
    assert call(model, "DELETE", "db/NODE", {"ids": [7]}).body == {"message": ""}
    assert call(model, "GET", "db/NODE", {"ids": []}).body == {"message": ""}


def test_an_existing_key_is_refused_with_201_and_kept() -> None:
    model = Model()
    post(model, "db/NODE", {"1": {"X": 1}})
    again = post(model, "db/NODE", {"1": {"X": 9}, "2": {"X": 9}})
    assert (again.status, message(again)) == (201, "Key Already Exist")
    assert dict(model.table("db/NODE")) == {"1": {"X": 1, "Y": 0.0, "Z": 0.0}}  # none of the batch is stored


def test_load_cases_are_renumbered_on_post_and_not_on_put() -> None:
    model = Model()
    post(model, "db/STLD", {"1": {"NAME": "DL", "TYPE": "D"}})
    post(model, "db/STLD", {"7": {"NAME": "LL", "TYPE": "L"}})
    call(model, "PUT", "db/STLD", {"Assign": {"9": {"NAME": "WX", "TYPE": "W"}}})
    assert {k: (r["NAME"], r["NO"]) for k, r in model.table("db/STLD").items()} == {
        "1": ("DL", 1),
        "2": ("LL", 2),
        "9": ("WX", 9),
    }


def test_a_bare_delete_is_refused_unless_faithful() -> None:
    model, faithful = Model(), Model(faithful=True)
    for m in (model, faithful):
        m.put_records("db/NODE", {"1": {}, "2": {}})
    refused = call(model, "DELETE", "db/NODE", {"ids": []})
    assert refused.status == 400 and "empty the whole table" in message(refused)
    assert len(model.table("db/NODE")) == 2
    assert set(call(faithful, "DELETE", "db/NODE", {"ids": []}).body["NODE"]) == {"1", "2"}
    assert not faithful.table("db/NODE")


def test_elements_and_what_hangs_on_them_go_with_their_nodes(column: Model) -> None:
    post(column, "db/BMLD", {"1": {"ITEMS": [_uniform(-10)]}}, strict=True)
    call(column, "DELETE", "db/NODE", {"ids": [1]})
    assert [len(column.table(f"db/{t}")) for t in ("NODE", "ELEM", "CONS", "BMLD", "STLD")] == [1, 0, 0, 0, 1]


def _uniform(p: float, **more: Any) -> dict[str, Any]:
    load = {"LCNAME": "DL", "CMD": "BEAM", "TYPE": "UNILOAD", "DIRECTION": "GZ", "D": [0, 1], "P": [p, p]}
    return {**load, **more}


def test_stored_rows_are_normalised_and_the_echo_is_not(column: Model) -> None:
    echo = post(column, "db/CONS", {"2": {"ITEMS": [{"CONSTRAINT": "11100001"}]}})
    assert echo.body == {"CONS": {"2": {"ITEMS": [{"CONSTRAINT": "11100001"}]}}}
    assert column.table("db/CONS")["2"] == {"ITEMS": [{"CONSTRAINT": "1110000", "GROUP_NAME": "", "ID": 1}]}
    short = post(column, "db/CONS", {"3": {"ITEMS": [{"CONSTRAINT": "111"}]}})
    assert "Constraint Condition" in message(short)
    post(column, "db/BMLD", {"1": {"ITEMS": [_uniform(-10)]}})
    item = column.table("db/BMLD")["1"]["ITEMS"][0]
    assert (item["D"], item["P"]) == ([0, 1, 0, 0], [-10, -10, 0, 0])


def test_items_are_updated_in_place_or_added(column: Model) -> None:
    post(column, "db/STLD", {"2": {"NAME": "LL", "TYPE": "L"}})
    post(column, "db/BMLD", {"1": {"ITEMS": [_uniform(-10)]}})
    call(column, "PUT", "db/BMLD", {"Assign": {"1": {"ITEMS": [_uniform(-5, LCNAME="LL")]}}})
    call(column, "PUT", "db/BMLD", {"Assign": {"1": {"ITEMS": [_uniform(-12, ID=1)]}}})
    items = column.table("db/BMLD")["1"]["ITEMS"]
    assert [(i["ID"], i["LCNAME"], i["P"][0]) for i in items] == [(1, "DL", -12), (2, "LL", -5)]


@pytest.mark.parametrize(
    ("uri", "rows", "text"),
    [
        ("db/ELEM", {"2": {"MATL": 1, "SECT": 1, "NODE": [1, 99]}}, "Node 99 does not exist."),
        ("db/ELEM", {"2": {"MATL": 1, "SECT": 5, "NODE": [1, 2]}}, "Section 5 does not exist."),
        ("db/CNLD", {"2": {"ITEMS": [{"LCNAME": "LL", "FZ": -1}]}}, "Static load case LL does not exist."),
        ("db/CNLD", {"44": {"ITEMS": [{"LCNAME": "DL", "FZ": -1}]}}, "Node 44 does not exist."),
        ("db/CONS", {"2": {"ITEMS": [{"GROUP_NAME": "B1", "CONSTRAINT": "1110000"}]}}, "B1 does not exist."),
        ("db/NODE", {"3": {"X": "5"}}, "Wrong Field"),
        ("db/NODE", {"3": {"x": 5}}, "Wrong Field"),
        ("db/STLD", {"2": {"NAME": "DL", "TYPE": "L"}}, "DL already exists."),
    ],
)
def test_strict_calls_are_refused_for_what_is_not_there(
    column: Model, uri: str, rows: dict[str, Any], text: str
) -> None:
    before = column.snapshot()
    reply = post(column, uri, rows, strict=True)
    assert reply.status == 201 and text in message(reply)
    assert diff(before, column) == []


def test_live_calls_take_what_live_servers_take() -> None:
    model = Model()
    assert not post(model, "db/ELEM", {"1": {"type": 0, "TYPE": "truss", "MATL": 1, "SECT": 1, "NODE": [1, 2]}}).failed
    assert model.table("db/ELEM")["1"]["TYPE"] == "TRUSS"
    assert message(post(model, "db/CNLD", {"1": {"ITEMS": [{"LCNAME": "DL"}]}})) == "Wrong DB Name"
    assert message(post(model, "db/ELEM", {"2": {"TYPE": "ROPE", "MATL": 1, "SECT": 1, "NODE": [1]}})) == "Wrong Field"
    assert post(model, "db/SECF", {"9": smallest("db/SECF")}).body == {"message": ""}
    face = {"LCNAME": "DL", "FACE_EDGE_TYPE": "FACE", "FORCES": [-5, 0, 0, 0, 0]}
    assert "Load Direction" in message(post(model, "db/PRES", {"9": {"ITEMS": [face]}}))
    assert "DTO_NMAS" in post(model, "db/NMAS", {"9": {"mX": 1}}).body["message"]


def test_a_put_needs_its_record_in_strict_mode_alone() -> None:
    model = Model()
    row = {"Assign": {"5": {"X": 1}}}
    assert message(call(model, "PUT", "db/NODE", row, strict=True)) == "Node 5 does not exist."
    assert not call(model, "PUT", "db/NODE", row).failed and "5" in model.table("db/NODE")


def test_a_change_of_unit_carries_the_model_over(column: Model) -> None:
    column.put_records("db/NSPR", {"2": {"ITEMS": [{"TYPE": "LINEAR", "SDR": [5, 5, 5, 3, 3, 3]}]}})
    column.put_records("db/BMLD", {"1": {"ITEMS": [_uniform(-10)]}})
    before = column.snapshot()
    call(column, "PUT", "db/UNIT", {"Assign": {"1": {"DIST": "MM", "FORCE": "N"}}})
    assert column.table("db/NODE")["2"]["Z"] == 3200
    assert column.table("db/SECT")["1"]["SECT_BEFORE"]["SECT_I"]["vSIZE"] == [600, 600]
    assert column.table("db/UNIT")["1"]["TEMPER"] == "C"  # what a PUT leaves out stays
    assert column.table("db/NSPR")["2"]["ITEMS"][0]["SDR"] == [5, 5, 5, 3e6, 3e6, 3e6]  # kN/m is N/mm, kN m is not
    assert column.table("db/BMLD")["1"]["ITEMS"][0]["P"][:2] == [-10, -10]
    call(column, "PUT", "db/UNIT", {"Assign": {"1": {"DIST": "M", "FORCE": "KN"}}})
    assert diff(before, column) == []


def test_snapshots_share_until_written_and_diff_by_table_and_key(column: Model) -> None:
    snap = column.snapshot()
    assert snap.table("db/NODE") is column.snapshot().table("db/NODE")
    call(column, "PUT", "db/NODE", {"Assign": {"2": {"Z": 3.5}}})
    post(column, "db/NODE", {"3": {}})
    assert snap.table("db/NODE")["2"]["Z"] == 3.2
    assert [str(c) for c in diff(snap, column)] == ["db/NODE #2 changed: Z", "db/NODE #3 added"]
    assert diff(snap, column, tolerance=0.2) == diff(snap, column)[1:]
    column.restore(snap)
    assert diff(snap, column) == []


def test_replies_are_copies(column: Model) -> None:
    arguments = {"Assign": {"9": {"ITEMS": [{"ID": 1, "CONSTRAINT": "1110000"}]}}}
    reply = call(column, "POST", "db/CONS", arguments)
    reply.body["CONS"]["9"]["ITEMS"].clear()
    call(column, "GET", "db/CONS", {"ids": []}).body["CONS"].clear()
    arguments["Assign"]["9"]["ITEMS"][0]["CONSTRAINT"] = "0"
    assert column.table("db/CONS")["9"]["ITEMS"][0]["CONSTRAINT"] == "1110000"


def test_ensure_makes_what_a_call_refers_to_and_no_more() -> None:
    model = Model()
    tool = CATALOGUE.tool("db/BMLD", "POST")
    arguments = {"Assign": {"12": {"ITEMS": [_uniform(-10, LCNAME="DL", GROUP_NAME="LG1")]}}}
    made = model.ensure(tool, arguments)
    assert {f"{table} {key}" for table, key in made} == {
        *("db/ELEM 12", "db/NODE 12", "db/NODE 13", "db/MATL 1", "db/SECT 1", "db/STLD 1", "db/LDGR 1")
    }
    assert len(made) == 7
    assert model.ensure(tool, arguments) == []
    assert not model.call(tool, arguments, strict=True).failed
    other = Model()
    other.ensure(tool, arguments)
    other.call(tool, arguments, strict=True)
    assert diff(model, other) == []
    assert model.ensure(CATALOGUE.tool("db/NODE", "GET"), {"ids": [77]}) == []
    assert model.ensure(CATALOGUE.tool("db/NODE", "PUT"), {"Assign": {"77": {"X": 1}}}) == []


def test_minimal_calls_of_every_endpoint_execute_after_ensure() -> None:
    """Judge of `minimal` and `ensure` together: the strict catalogue takes the record, every reference resolves."""
    failed = []
    for endpoint in CATALOGUE:
        method = "POST" if "POST" in endpoint.methods else "PUT"
        if not endpoint.is_table or method not in endpoint.methods:
            continue
        model, tool = Model(), CATALOGUE.tool(endpoint.uri, method)
        arguments = {"Assign": {"1": smallest(endpoint.uri)}}
        if not model.rules.valid(tool, arguments):
            continue
        model.ensure(tool, arguments)
        if method == "PUT":
            model.put_records(endpoint.uri, arguments["Assign"])
        reply = model.call(tool, arguments, strict=True)
        if reply.failed and message(reply) != "Key Already Exist":
            failed.append((endpoint.uri, message(reply)))
    assert failed == []


def test_records_filled_with_defaults_stay_valid() -> None:
    """A stored row of a valid record fits the schema, server-computed fields aside."""
    bad = []
    for endpoint in CATALOGUE:
        if not endpoint.is_table or "POST" not in endpoint.methods:
            continue
        model, tool = Model(), CATALOGUE.tool(endpoint.uri, "POST")
        arguments = {"Assign": {"1": smallest(endpoint.uri)}}
        if model.rules.valid(tool, arguments):
            model.put_records(endpoint.uri, arguments["Assign"])
            computed = model.rules.of(endpoint).read_only
            row = {k: v for k, v in model.table(endpoint.uri)["1"].items() if k not in computed}
            if not model.rules.valid(tool, {"Assign": {"1": row}}):
                bad.append((endpoint.uri, row))
    assert bad == []


def test_a_small_call_takes_under_100_microseconds(column: Model) -> None:
    tool = CATALOGUE.tool("db/BMLD", "PUT")
    arguments = {"Assign": {"1": {"ITEMS": [_uniform(-10, ID=1)]}}}
    column.put_records("db/BMLD", {"1": {"ITEMS": [_uniform(-1)]}})
    best = min(_seconds(column, tool, arguments) for _ in range(15))
    assert best < 100e-6


def _seconds(model: Model, tool: Any, arguments: dict[str, Any], times: int = 200) -> float:
    """Processor time of one call, which neighbours on the machine do not lengthen much."""
    start = time.process_time()
    for _ in range(times):
        assert not model.call(tool, arguments, strict=True).failed
    return (time.process_time() - start) / times


def test_import_is_light() -> None:
    heavy = ("numpy", "starlette", "uvicorn", "Pynite")
    code = f"import sys, gennx.emulator; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
