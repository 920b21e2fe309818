"""Scoring: the original's four figures by hand, exact calls, errors by name, refusals that cannot be gamed, replays."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from gennx.trainer.data import parse_row
from gennx.trainer.errors import TrainerError
from gennx.trainer.evaluation import comparing, figures, original
from gennx.trainer.evaluation.items import Item, find_split, from_dialogues, read_items, write_items
from gennx.trainer.evaluation.judging import Judgement, judge, judge_all
from gennx.trainer.evaluation.predictions import parse_prediction, read_predictions
from gennx.trainer.evaluation.replay import outcome
from gennx.trainer.evaluation.subject import ask_all
from gennx.trainer.rendering import written_calls as written

HERE = Path(__file__).parent / "evaluation"


def tool(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "description": "d", "parameters": {"type": "object"}}}


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "arguments": arguments}


def item(gold: list[dict[str, Any]], expect: str = "call", **more: Any) -> Item:
    names = more.pop("offered", ["POST /db/node", "PUT /db/node", "POST /db/cnld", "GET /db/node", "POST /db/cons"])
    messages = more.pop("messages", [{"role": "user", "content": "?"}])
    return Item("a", 1, messages, [tool(name) for name in names], gold, expect, **more)


def judged(of: Item, text: str, **more: Any) -> Judgement:
    answer = parse_prediction({"id": of.id, "turn": of.turn, "text": text, **more}, "line")
    return judge(of, answer, frozenset(of.offered))


def test_the_originals_four_figures_on_a_file_scored_by_hand() -> None:
    """tests/evaluation/README.md holds the hand count: 6 of 10 names, 7 of 12 keys, 9 of 10 valid, 2 of 10 invented."""
    rows = [json.loads(line) for line in (HERE / "stored_predictions.jsonl").read_text("utf-8").splitlines()]
    predictions = [original.parse(row["text"]) for row in rows]
    references = [row["gold"] for row in rows]
    available = {name for row in rows for name in row["offered"]}
    assert original.tool_name_accuracy(predictions, references) == 6 / 10
    assert original.parameter_accuracy(predictions, references) == 7 / 12
    assert original.json_validity_rate(predictions) == 9 / 10
    assert original.hallucination_rate(predictions, available) == 2 / 10
    items = [
        Item(str(n), 1, [{"role": "user", "content": "?"}], [tool(t) for t in row["offered"]], row["gold"], "call")
        for n, row in enumerate(rows)
    ]
    answers = [parse_prediction({"id": str(n), "turn": 1, "text": row["text"]}, "line") for n, row in enumerate(rows)]
    table = figures.original_four(judge_all(items, {one.key: one for one in answers}))
    assert [figure["value"] for figure in table.values()] == [6 / 10, 7 / 12, 9 / 10, 2 / 10]


LOAD = call("POST /db/cnld", Assign={"3": {"ITEMS": [{"ID": 1, "LCNAME": "DL", "FZ": -10}]}})


@pytest.mark.parametrize(
    "node, load, exact",
    [
        ("3", {"FZ": -10.0000001, "LCNAME": "DL", "ID": 1}, True),
        ("3", {"FZ": -10.001, "LCNAME": "DL", "ID": 1}, False),
        ("3", {"ID": 1, "LCNAME": "DL", "FZ": -10, "FX": 0, "GROUP_NAME": ""}, True),
        ("3", {"ID": 1, "LCNAME": "DL", "FZ": -10, "FX": 1}, False),
        ("3", {"ID": 1, "LCNAME": "DL", "FZ": "-10"}, False),
        ("4", {"ID": 1, "LCNAME": "DL", "FZ": -10}, False),
    ],
)
def test_exact_after_defaults_and_within_tolerance(node: str, load: dict[str, Any], exact: bool) -> None:
    found = call("POST /db/cnld", Assign={node: {"ITEMS": [load]}})
    assert comparing.all_exact([LOAD], [found]) is exact


def test_order_counts_only_where_it_is_shape() -> None:
    ids = [call("GET /db/node", ids=[1, 2, 3]), call("GET /db/node", ids=[3, 1, 2])]
    assert comparing.all_exact(ids[:1], ids[1:])
    groups = [call("POST /db/grup", Assign={"1": {"NAME": "G", "N_LIST": order}}) for order in ([1, 2], [2, 1])]
    assert comparing.all_exact(groups[:1], groups[1:])
    beam = {"TYPE": "BEAM", "MATL": 1, "SECT": 1}
    beams = [call("POST /db/elem", Assign={"1": {**beam, "NODE": order}}) for order in ([1, 2], [2, 1])]
    assert not comparing.all_exact(beams[:1], beams[1:])
    assert comparing.all_exact([LOAD, ids[0]], [ids[1], LOAD])  # parallel calls in any order
    assert not comparing.all_exact([LOAD, ids[0]], [LOAD, LOAD])


def test_a_range_is_its_numbers() -> None:
    asked = [call("POST /post/table", Argument={"TABLE_TYPE": "BEAMFORCE", "NODE_ELEMS": n})
             for n in ({"TO": "3to5"}, {"KEYS": [3, 4, 5]}, {"KEYS": [3, 5]})]  # fmt: skip
    assert comparing.all_exact(asked[:1], asked[1:2]) and not comparing.all_exact(asked[:1], asked[2:])


def test_whole_numbers_agree_exactly() -> None:
    loads = [call("POST /db/cnld", Assign={"3": {"ITEMS": [{"ID": 1, "FZ": value}]}}) for value in (1488000, 1488001.0)]
    assert not comparing.all_exact(loads[:1], loads[1:])


def test_a_change_says_only_what_it_says() -> None:
    """On PUT an absent field keeps its stored value, so a default that is said is not the same as silence."""
    short, long = (call("PUT /db/cnld", Assign={"3": body}) for body in ({"ITEMS": []}, {"ITEMS": [], "X": 0}))
    assert not comparing.all_exact([short], [long])


NODE = call("POST /db/node", Assign={"7": {"X": 1.5, "Y": 0, "Z": 3}})


@pytest.mark.parametrize(
    "text, labels",
    [
        (written([NODE]), []),
        ("", ["silent"]),
        ("좌표를 알려 주세요.", ["silent"]),
        ('<tool_call>\n{"name": "POST /db/node", "arg', ["malformed"]),
        ('{"name": "POST /db/node", "arguments": {}}', ["malformed"]),
        (written([call("PUT /db/node", Assign={"7": {"X": 1.5}})]), ["wrong_method"]),
        (written([call("POST /db/cons", Assign={})]), ["wrong_tool"]),
        (written([call("POST /db/nodes", Assign={})]), ["invented_tool", "wrong_tool"]),
        (written([NODE, NODE]), ["extra_call"]),
        (written([call("POST /db/node", Assign={"8": {"X": 1.5, "Y": 0, "Z": 3}})]), ["wrong_key"]),
        (written([call("POST /db/node", Assign={"7": {"X": 1.5, "Y": 0}})]), ["missing_field"]),
        (written([call("POST /db/node", Assign={"7": {"X": 1.5, "Y": 0, "Z": 3, "W": 1}})]), ["extra_field"]),
        (written([call("POST /db/node", Assign={"7": {"X": 1500, "Y": 0, "Z": -3}})]), ["wrong_sign", "wrong_unit"]),
        (written([call("POST /db/node", Assign={"7": {"X": 1.6, "Y": 0, "Z": "3"}})]), ["wrong_number", "wrong_type"]),
    ],
)
def test_errors_have_names(text: str, labels: list[str]) -> None:
    found = judged(item([NODE]), text)
    assert found.labels == labels
    assert found.right is (not labels)


def test_values_are_wrong_in_their_own_ways() -> None:
    wanted = call("POST /db/elem", Assign={"1": {"TYPE": "BEAM", "MATL": 1, "SECT": 2, "NODE": [1, 2]}})
    found = call("POST /db/elem", Assign={"1": {"TYPE": "TRUSS", "MATL": 1, "SECT": 3, "NODE": [1, 2]}})
    judgement = judged(item([wanted], offered=["POST /db/elem"]), written([found]))
    assert judgement.labels == ["wrong_enum", "wrong_reference"]


def test_refusing_everything_does_not_pay_and_garbage_is_no_refusal() -> None:
    asks, quiet = item([NODE]), item([], "abstain", meta={"kind": "no_tool"})
    silent = figures.figures([judged(asks, "못 합니다."), judged(quiet, "못 합니다.")])
    assert (silent["abstention"]["value"], silent["must_call"]["value"], silent["balanced"]["value"]) == (1, 0, 0.5)
    for text in ("<tool_call>\n{oops\n</tool_call>", '{"name": "GET /db/node", "arguments": {}}', "", written([NODE])):
        assert not judged(quiet, text).right
    assert not judged(quiet, "끝없는 말", cut=True).right


def test_wilson_and_bootstrap_intervals() -> None:
    half = figures.wilson(5, 10)
    assert (round(half["low"], 4), round(half["high"], 4)) == (0.2366, 0.7634)  # as tabled for 5 of 10
    assert figures.wilson(0, 0)["value"] is None
    assert figures.wilson(10, 10)["high"] == 1.0 and figures.wilson(10, 10)["low"] < 0.73
    spread = figures.mean([0.0, 1.0] * 50)
    assert spread["value"] == 0.5 and 0.38 < spread["low"] < 0.45 < 0.55 < spread["high"] < 0.62


def small_dialogue() -> dict[str, Any]:
    """Stocked node 5 is moved, then a load goes on it; as gennx-gen writes."""
    load = {"Assign": {"5": {"ITEMS": [{"ID": 1, "LCNAME": "DL", "FZ": -3}]}}}
    steps = [("PUT /db/node", {"Assign": {"5": {"X": 2}}}), ("POST /db/cnld", load)]
    messages: list[dict[str, Any]] = [{"role": "user", "content": "옮기고 하중"}]
    for name, arguments in steps:
        one = {"type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        messages.append({"role": "assistant", "content": "", "tool_calls": [one]})
        messages.append({"role": "tool", "name": name, "content": "{}"})
    messages.append({"role": "assistant", "content": "했습니다."})
    meta = {"id": "db/CNLD/0", "kind": "chain", "setup": {"db/NODE": {"5": {"X": 0, "Y": 0, "Z": 0}}}}
    return {"messages": messages, "tools": json.dumps([tool(name) for name, _ in steps]), "meta": meta}


def test_turns_replay_on_the_emulator() -> None:
    first, second, last = from_dialogues([parse_row(small_dialogue(), "row")])
    assert [i.expect for i in (first, second, last)] == ["call", "call", "close"] and last.last
    other = call("POST /db/cnld", Assign={"5": {"ITEMS": [{"ID": 1, "LCNAME": "DL", "FZ": -4}]}})
    nowhere = call("POST /db/cnld", Assign={"6": {"ITEMS": [{"ID": 1, "LCNAME": "DL", "FZ": -3}]}})
    assert outcome(second, second.gold, False) == outcome(second, second.gold, True)
    assert (outcome(second, [other], False).ran, outcome(second, [other], False).same_end) == (True, False)
    assert outcome(second, [nowhere], False).ran is False
    whole = call("PUT /db/node", Assign={"5": {"X": 2, "Y": 0}})  # says more, does the same
    assert not comparing.all_exact(first.gold, [whole]) and outcome(first, [whole], False).same_end


def test_files_are_read_back_and_bad_ones_named(tmp_path: Path) -> None:
    items = from_dialogues([parse_row(small_dialogue(), "row")])
    write_items(items, tmp_path / "items.jsonl")
    assert read_items(tmp_path / "items.jsonl") == items
    stored = tmp_path / "predictions.jsonl"
    given = {"id": "db/CNLD/0", "turn": 1, "calls": [{"name": "GET /db/node", "arguments": '{"ids": []}'}]}
    stored.write_text(json.dumps(given) + "\n", "utf-8")
    assert read_predictions(stored)["db/CNLD/0", 1].calls == [call("GET /db/node", ids=[])]
    wrong = (
        ("{oops", ":1: not valid JSON"),
        ('{"id": "a"}', ":1: no id and"),
        ('{"id": "a", "turn": 1}', "neither text"),
    )
    for line, said in wrong:
        stored.write_text(line + "\n", "utf-8")
        with pytest.raises(TrainerError, match=said):
            read_predictions(stored)
    with pytest.raises(TrainerError, match="it has: items, predictions"):
        find_split(tmp_path, "test")
    with pytest.raises(TrainerError, match="is that of row too"):
        from_dialogues([parse_row(small_dialogue(), "row")] * 2)


class Parrot:
    """A decoder that says fixed turns, whatever it is asked."""

    def __init__(self, turns: list[str]) -> None:
        self.turns, self.renderer = turns, self

    def prompt_ids(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> list[int]:
        return [len(messages)]

    def decode(self, asked: Any) -> Any:
        if isinstance(asked, list) and asked and not isinstance(asked[0], str):
            return [SimpleNamespace(index=index, ids=[self.turns.pop(0)]) for index in range(len(asked))]
        return asked[0]


def test_dialogues_run_on_the_models_own_calls(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from gennx.trainer.beside import Writer
    from gennx.trainer.evaluation.rollout import roll_out

    items = from_dialogues([parse_row(small_dialogue(), "row")])
    move, load = (written(item.gold) for item in items[:2])
    other_order = Writer(Parrot([load, move, "했습니다."]))  # the end is the same
    right = roll_out(other_order, items, tmp_path)
    assert right["right"]["value"] == 1.0 and right["kinds"]["chain"]["n"] == 1
    for turns in (
        [move, "했습니다."],
        [move, load, load, "했습니다."],
        [move, load.replace("-3", "-4"), "끝"],
        ["<tool_call>{"],
    ):
        assert roll_out(Writer(Parrot(turns)), items, tmp_path)["right"]["value"] == 0.0
    kept = json.loads((tmp_path / "rollouts.jsonl").read_text("utf-8"))
    assert kept["failures"] == ["malformed"]


class FakeServer(BaseHTTPRequestHandler):
    """Answers every chat with one call, and remembers what it was asked."""

    asked: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        self.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        call_ = {"id": "1", "type": "function", "function": {"name": "GET /db/node", "arguments": '{"ids": [7]}'}}
        message = {"role": "assistant", "content": None, "tool_calls": [call_]}
        body = {"choices": [{"message": message, "finish_reason": "tool_calls"}], "usage": {"completion_tokens": 9}}
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        """Quiet."""


def test_other_systems_are_asked_over_openais_api() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeServer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    rows: list[dict[str, Any]] = []
    items = from_dialogues([parse_row(small_dialogue(), "row")])
    try:
        ask_all(f"http://127.0.0.1:{server.server_port}", "some-model", "", items, 64, rows.append)
    finally:
        server.shutdown()
        server.server_close()
    answers = [parse_prediction(row, "line") for row in rows]
    assert [one.key for one in answers] == [item.key for item in items]
    assert answers[0].calls == [call("GET /db/node", ids=[7])] and answers[0].tokens == 9
    longest = max(FakeServer.asked, key=lambda body: len(body["messages"]))
    first = longest["messages"][1]["tool_calls"][0]
    assert isinstance(first["function"]["arguments"], str) and longest["messages"][2]["tool_call_id"] == first["id"]
    with pytest.raises(TrainerError, match="is it an OpenAI-compatible server"):
        ask_all(f"http://127.0.0.1:{server.server_port}", "some-model", "", items, 64, rows.append)
