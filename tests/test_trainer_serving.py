"""Every way of serving prompts as training did, and reads the model's calls as training meant them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl")

from test_trainer_fixtures import TOOLS, qwen_folder, small_rows, tool  # noqa: F401

from gennx.trainer.calls import deletes, problems_of
from gennx.trainer.conversation import Conversation
from gennx.trainer.data import Dialogue, parse_row
from gennx.trainer.engine import Engine, openai_message
from gennx.trainer.models import load_tokenizer
from gennx.trainer.rendering import Renderer, expected_calls

COUNT = 50


class Parrot(Engine):
    """An engine that writes what the data says, and keeps every prompt that it was given."""

    def __init__(self, renderer: Renderer, wanted: list[list[int]]) -> None:
        super().__init__(None, renderer, "parrot")
        self.wanted, self.prompts = wanted, []  # type: ignore[misc]

    def answer(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]], limit: int | None = None) -> Any:
        self.prompts.append(self.prompt(messages, tools))
        ids = self.wanted.pop(0)
        return self.renderer.written(ids), len(self.prompts[-1]), len(ids)

    __slots__ = ("prompts", "wanted")


@pytest.fixture(scope="module")
def renderer(qwen_folder: Path) -> Renderer:  # noqa: F811
    return Renderer(load_tokenizer(qwen_folder))


@pytest.fixture(scope="module")
def dialogues() -> list[Dialogue]:
    return [parse_row(row, f"row {number}") for number, row in enumerate(small_rows(COUNT, seed=11))]


def turns(renderer: Renderer, dialogue: Dialogue) -> list[tuple[str, list[int], dict[str, Any]]]:
    """For each assistant turn: the training prompt, the ids trained on, the message."""
    row, found = renderer.render(dialogue), []
    places = [index for index, message in enumerate(dialogue.messages) if message["role"] == "assistant"]
    for place, (start, end) in zip(places, row.turns, strict=True):
        found.append((renderer.decode(row.ids[:start]), row.ids[start:end], dialogue.messages[place]))
    return found


def test_openai_api_prompts_and_calls_as_trained(renderer: Renderer, dialogues: list[Dialogue]) -> None:
    pytest.importorskip("fastapi")
    testclient = pytest.importorskip("fastapi.testclient")
    from gennx.trainer.serve_openai import build_app

    for dialogue in dialogues:
        wanted = turns(renderer, dialogue)
        engine = Parrot(renderer, [ids for _, ids, _ in wanted])
        client = testclient.TestClient(build_app(engine))
        sent: list[dict[str, Any]] = [dict(message) for message in dialogue.messages[:2]]
        for prompt, _, message in wanted:
            body = client.post("/v1/chat/completions", json={"messages": sent, "tools": dialogue.tools}).json()
            answer = body["choices"][0]["message"]
            assert engine.prompts[-1] == prompt
            calls = [
                {"name": call["function"]["name"], "arguments": json.loads(call["function"]["arguments"])}
                for call in answer.get("tool_calls", [])
            ]
            assert calls == expected_calls(message) and (answer["content"] or "") == message["content"]
            assert body["choices"][0]["finish_reason"] == ("tool_calls" if calls else "stop")
            sent.append(answer)
            for call in answer.get("tool_calls", []):
                sent.append({"role": "tool", "tool_call_id": call["id"], "content": '{"message": ""}'})


def test_terminal_and_page_prompt_and_call_as_trained(renderer: Renderer, dialogues: list[Dialogue]) -> None:
    """Both stand on Conversation; the page's handlers are called as Gradio calls them."""
    from gennx.trainer.serve_web import answer, run_calls

    for number, dialogue in enumerate(dialogues):
        wanted = turns(renderer, dialogue)
        engine = Parrot(renderer, [ids for _, ids, _ in wanted])
        talk = Conversation(engine, dialogue.tools, dialogue.messages[0]["content"])

        def runner(call: dict[str, Any]) -> Any:
            return {"message": ""}

        if number % 2:
            talk.ask(dialogue.messages[1]["content"])
            assert talk.waiting == expected_calls(wanted[0][2])
            talk.run_waiting(runner, lambda question: False)
            talk.go_on()
        else:
            shown = run_calls(talk, runner, False, answer(talk, dialogue.messages[1]["content"], []))
            assert "POST /db/node" in shown[1]["content"] and shown[-1]["content"] == "완료"
        assert engine.prompts == [prompt for prompt, _, _ in wanted]


def test_streaming_gives_the_same_message(renderer: Renderer, dialogues: list[Dialogue]) -> None:
    testclient = pytest.importorskip("fastapi.testclient")
    from gennx.trainer.serve_openai import build_app

    (_prompt, ids, message), *_ = turns(renderer, dialogues[3])
    client = testclient.TestClient(build_app(Parrot(renderer, [ids])))
    sent = {"messages": dialogues[3].messages[:2], "tools": dialogues[3].tools, "stream": True}
    lines = [line[6:] for line in client.post("/v1/chat/completions", json=sent).text.splitlines() if line]
    assert lines[-1] == "[DONE]"
    delta = json.loads(lines[0])["choices"][0]["delta"]
    assert [call["function"]["name"] for call in delta["tool_calls"]] == [c["name"] for c in expected_calls(message)]
    assert [call["index"] for call in delta["tool_calls"]] == [0, 1]


def test_bad_requests_are_refused_in_openais_form(renderer: Renderer) -> None:
    testclient = pytest.importorskip("fastapi.testclient")
    from gennx.trainer.serve_openai import build_app

    client = testclient.TestClient(build_app(Parrot(renderer, [])))
    call = {"id": "1", "type": "function", "function": {"name": "x", "arguments": "{"}}
    answer = client.post("/v1/chat/completions", json={"messages": [{"role": "assistant", "tool_calls": [call]}]})
    assert answer.status_code == 400 and "not valid JSON" in answer.json()["error"]["message"]
    assert client.post("/v1/chat/completions", json={"messages": []}).status_code == 422


def test_calls_are_validated_and_deletions_ask_first() -> None:
    good = {"name": "POST /db/node", "arguments": {"id": 1, "x": 2}}
    assert problems_of(good, TOOLS) == []
    assert problems_of({"name": "POST /db/node", "arguments": {"id": "1", "x": 2}}, TOOLS) == [
        "/id: '1' is not of type 'integer'"
    ]
    assert problems_of({"name": "PUT /db/node", "arguments": {}}, TOOLS) == [
        "PUT /db/node is not among the tools offered"
    ]
    for name in ("DELETE /db/cons", "delete_db_cons", "POST /doc/new", "post_doc_close"):
        assert deletes({"name": name, "arguments": {}}), name
    assert not deletes(good) and not deletes({"name": "GET /db/node", "arguments": {}})
    talk = Conversation(None, [*TOOLS, tool("DELETE /db/cons", "ids")])  # type: ignore[arg-type]
    ran: list[str] = []
    asked: list[str] = []

    def runner(call: dict[str, Any]) -> Any:
        ran.append(call["name"])
        return {}

    def agree(question: str) -> bool:
        asked.append(question)
        return len(asked) > 1

    deletion = {"name": "DELETE /db/cons", "arguments": {"ids": [3]}}
    for _ in range(2):
        talk.waiting = [good, deletion]
        talk.run_waiting(runner, agree)
    assert ran == ["POST /db/node", "POST /db/node", "DELETE /db/cons"] and len(asked) == 2
    assert "refused" in talk.messages[1]["content"]


def test_calls_run_on_the_emulator() -> None:
    pytest.importorskip("gennx.emulator")
    from gennx.trainer.calls import emulator_runner

    run = emulator_runner()
    run({"name": "POST /doc/new", "arguments": {"Argument": {}}})
    run({"name": "POST /db/node", "arguments": {"Assign": {"1": {"X": 1.0, "Y": 0.0, "Z": 0.0}}}})
    assert run({"name": "GET /db/node", "arguments": {"ids": []}})["NODE"]["1"]["X"] == 1.0


def test_a_turn_keeps_text_beside_calls(renderer: Renderer) -> None:
    text = '확인합니다.\n<tool_call>\n{"name": "GET /db/elem", "arguments": {"ids": [1]}}\n</tool_call>'
    message = openai_message(renderer.written(renderer.encode(text)))
    assert message["content"] == "확인합니다." and json.loads(message["tool_calls"][0]["function"]["arguments"]) == {
        "ids": [1]
    }
