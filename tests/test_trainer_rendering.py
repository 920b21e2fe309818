"""Prompt and loss mask, exact to the token, with the real tokenizers; and what a model wrote, read back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers")

from test_trainer_fixtures import fetch_packaged, fetch_qwen_tokenizer, qwen_folder, small_rows  # noqa: F401

from gennx.trainer.data import Dialogue, Source, parse_row
from gennx.trainer.errors import TrainerError
from gennx.trainer.models import KNOWN, load_tokenizer
from gennx.trainer.prepare import Rows, prepare, prepare_together, refuse_too_many_left_out
from gennx.trainer.rendering import TEMPLATES, Renderer, RenderProblem, expected_calls, parse_turn

ROW: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "단위는 kN, m."},
        {"role": "user", "content": "절점 1을 만들고 요소 2를 보여 줘"},
        {"role": "assistant", "content": "", "tool_calls": [
            {"type": "function", "function": {"name": "POST /db/node", "arguments": '{"Assign": {"1": {"X": 5.0, "N": "가\\"<tool_call>"}}}'}},
            {"type": "function", "function": {"name": "GET /db/elem", "arguments": '{"ids": [2]}'}}]},
        {"role": "tool", "name": "POST /db/node", "content": '{"message": ""}'},
        {"role": "tool", "name": "GET /db/elem", "content": '{"ELEM": {}}'},
        {"role": "assistant", "content": "만들었습니다."},
        {"role": "user", "content": "고마워"},
        {"role": "assistant", "content": "네."},
    ],
    "tools": json.dumps([{"type": "function", "function": {"name": name, "description": "d", "parameters": {"type": "object"}}}
                         for name in ("POST /db/node", "GET /db/elem")]),
}  # fmt: skip
CALLS = (
    '<tool_call>\n{"name": "POST /db/node", "arguments": {"Assign": {"1": {"X": 5.0, "N": "가\\"<tool_call>"}}}}\n</tool_call>\n'
    '<tool_call>\n{"name": "GET /db/elem", "arguments": {"ids": [2]}}\n</tool_call>'
)


def renderer_for(name: str) -> Renderer:
    folder = fetch_qwen_tokenizer() if name == "qwen2.5" else fetch_packaged(name)
    template = KNOWN[name].template if name in KNOWN else None
    return Renderer(load_tokenizer(folder, TEMPLATES / template if template else None))


@pytest.fixture(scope="module", params=["qwen2.5", "smollm2-135m", "gemma3-270m"])
def renderer(request: pytest.FixtureRequest) -> Renderer:
    return renderer_for(request.param)


def test_exactly_the_assistants_words_are_trained(renderer: Renderer) -> None:
    row = renderer.render(parse_row(ROW, "row"))
    end = renderer.end_token
    learned = renderer.decode([token for token, on in zip(row.ids, row.trained, strict=True) if on])
    assert learned == f"{CALLS}{end}만들었습니다.{end}네.{end}"
    assert [token for token in row.labels if token != -100] == [
        t for t, on in zip(row.ids, row.trained, strict=True) if on
    ]
    assert [renderer.decode(row.ids[a:b]) for a, b in row.turns] == [
        f"{CALLS}{end}",
        f"만들었습니다.{end}",
        f"네.{end}",
    ]


def test_training_sees_what_a_served_model_sees(renderer: Renderer) -> None:
    """Ids before each turn are the ids of the prompt alone; the turn alone gives its own ids; nothing is lost."""
    dialogue = parse_row(ROW, "row")
    row = renderer.render(dialogue)
    places = [index for index, message in enumerate(dialogue.messages) if message["role"] == "assistant"]
    for place, (start, end) in zip(places, row.turns, strict=True):
        assert renderer.prompt_ids(dialogue.messages[:place], dialogue.tools) == row.ids[:start]
        assert renderer.encode(renderer.decode(row.ids[start:end])) == row.ids[start:end]
        turn = renderer.written(row.ids[start:end])
        assert (turn.calls, turn.problems) == (expected_calls(dialogue.messages[place]), [])
        assert turn.content == dialogue.messages[place]["content"]
    assert renderer.decode(row.ids) == renderer.text(dialogue.messages, dialogue.tools)


def test_tools_calls_and_answers_are_in_the_prompt(renderer: Renderer) -> None:
    dialogue = parse_row(ROW, "row")
    text = renderer.text(dialogue.messages, dialogue.tools)
    shown, called = text.index("# Tools"), text.index("절점 1을")
    assert "GET /db/elem" in text[shown:called] and text[called:].count('"name": "GET /db/elem"') == 1
    assert '<tool_response>\n{"message": ""}\n</tool_response>\n<tool_response>\n{"ELEM": {}}\n</tool_response>' in text
    assert text.index("단위는 kN, m.") < text.index("# Tools") < text.index("절점 1을")


def test_our_chatml_is_qwens_own_text() -> None:
    """The template for SmolLM2 and Qwen3 writes byte for byte what Qwen2.5's own template writes."""
    own = renderer_for("qwen2.5")
    ours = Renderer(load_tokenizer(fetch_qwen_tokenizer(), TEMPLATES / "chatml_tools.jinja"))
    for raw in [ROW, *small_rows(8)]:
        dialogue = parse_row(raw, "row")
        assert ours.text(dialogue.messages, dialogue.tools) == own.text(dialogue.messages, dialogue.tools)
        assert ours.render(dialogue) == own.render(dialogue)


def test_signatures_tell_what_the_definitions_tell() -> None:
    """The short form for models without tool training names every field, member and requirement."""
    renderer = Renderer(load_tokenizer(fetch_qwen_tokenizer(), TEMPLATES / "chatml_signatures.jinja"))
    for raw in small_rows(8):
        dialogue = parse_row(raw, "row")
        shown = renderer.text(dialogue.messages[:1], dialogue.tools)
        for tool in dialogue.tools:
            assert f"{tool['function']['name']}: {tool['function'].get('description', '')}\n" in shown
            for name, field, required in fields_of(tool["function"]["parameters"]):
                about = f" {field['description']}" if "description" in field else ""
                assert f"{name}{'*' if required else ''}{about}: " in shown
                assert "enum" not in field or "|".join(map(str, field["enum"])) in shown


def fields_of(schema: Any) -> Iterator[tuple[str, dict[str, Any], bool]]:
    for name, field in schema.get("properties", {}).items():
        yield name, field, name in schema.get("required", [])
        yield from fields_of(field)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from fields_of(schema[key])


def plain(rows: Rows) -> Any:
    return [(row.ids.tolist(), row.turns.tolist(), row.where, row.calls) for row in rows.rendered], rows.left_out


def test_several_processes_prepare_the_same_rows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from gennx.trainer import prepare as preparing

    sources = [Source(json.dumps(raw), f"row {n}") for n, raw in enumerate(small_rows(8))]
    renderer = renderer_for("qwen2.5")
    limit = max(len(renderer.render(source.parse()).ids) for source in sources) - 1
    alone = prepare(sources, renderer, limit)
    assert alone.rendered and alone.left_out
    monkeypatch.setattr(preparing, "MANY", 2)
    assert plain(prepare(sources, renderer, limit)) == plain(alone)
    monkeypatch.setattr(preparing.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    for rank in ("0", "1"):  # the second one reads what the first has made
        monkeypatch.setenv("LOCAL_RANK", rank)
        assert plain(prepare_together(sources if rank == "0" else [], renderer, limit, "train")) == plain(alone)
    for path in tmp_path.iterdir():
        preparing.Rows([], alone.left_out).save(path)
        assert plain(preparing.Rows.load(path)) == ([], alone.left_out)


def test_labels_are_the_trained_tokens() -> None:
    from gennx.trainer.sft import dataset_of

    renderer = renderer_for("qwen2.5")
    sources = [Source(raw, "row") for raw in small_rows(4)]
    for source, made in zip(sources, dataset_of(prepare(sources, renderer, 4096)), strict=True):
        row = renderer.render(source.parse())
        assert made["input_ids"] == row.ids and made["labels"] == row.labels


def with_template(old: str, new: str) -> Renderer:
    """Qwen2.5 with its template changed in one place."""
    tokenizer = load_tokenizer(fetch_qwen_tokenizer())
    assert old in tokenizer.chat_template
    tokenizer.chat_template = tokenizer.chat_template.replace(old, new)
    return Renderer(tokenizer)


def test_a_template_that_quotes_twice_stops_the_run() -> None:
    doubly = with_template("tool_call.arguments | tojson", "tool_call.arguments | tojson | string | tojson")
    with pytest.raises(TrainerError, match="are not an object"):
        prepare([Source(ROW, "row 7")], doubly, 2048)


def test_a_template_that_changes_earlier_turns_is_refused() -> None:
    shifting = with_template("{{- '<|im_start|>system\\n' }}", "{{- '<|im_start|>system\\n' ~ messages | length }}")
    with pytest.raises(RenderProblem, match="changes message 3"):
        shifting.render(parse_row(ROW, "row"))


def test_a_turn_that_starts_inside_a_token_is_left_out() -> None:
    row = json.loads(json.dumps(ROW))
    row["messages"][-1]["content"] = "\n네."  # the tokenizer has one token for two line breaks
    rows = prepare([Source(row, "row 1"), Source(ROW, "row 2")], renderer_for("qwen2.5"), 2048)
    assert [(item.where, item.reason) for item in rows.left_out] == [
        ("row 1", "a token straddles the start or the end of an assistant turn")
    ]


def test_nothing_is_cut_silently() -> None:
    renderer = renderer_for("qwen2.5")
    sources = [Source(row, f"row {n}") for n, row in enumerate(small_rows(8))]
    lengths = [len(renderer.render(source.parse()).ids) for source in sources]
    rows = prepare(sources, renderer, max(lengths) - 1)
    assert len(rows.left_out) == lengths.count(max(lengths)) and rows.left_out[0].tokens == max(lengths)
    assert len(rows.rendered) + len(rows.left_out) == 8
    with pytest.raises(TrainerError, match="of 8 dialogues would be left out"):
        refuse_too_many_left_out(rows, 0.01, "train")
    refuse_too_many_left_out(rows, 1.0, "train")


@pytest.mark.parametrize(
    "text, calls, problem",
    [
        ("안녕", 0, None),
        ('<tool_call>\n{"name": "a", "arguments": {}}\n</tool_call>', 1, None),
        ('<tool_call>{"name": "a", "arguments": {"t": "</tool_call>"}}</tool_call> 끝', 1, None),
        ('<tool_call>\n{"name": "a", "arguments": "{}"}\n</tool_call>', 0, "not an object"),
        ('<tool_call>\n{"name": "a", "argum', 0, "not valid JSON"),
        (
            '<tool_call>\n{"arguments": {}}\n</tool_call><tool_call>{"name": "b", "arguments": {}}</tool_call>',
            1,
            "no name",
        ),
        ('<tool_call>\n{"name": "a", "arguments": {}}}\n</tool_call>', 0, "does not end"),
    ],
)
def test_output_is_read_without_guessing(text: str, calls: int, problem: str | None) -> None:
    turn = parse_turn(text)
    assert len(turn.calls) == calls
    assert (problem is None) == (not turn.problems) and (problem is None or problem in turn.problems[0])


def test_parallel_arguments_reach_the_template_as_objects() -> None:
    dialogue = parse_row(ROW, "row")
    assert isinstance(dialogue, Dialogue)
    assert expected_calls(dialogue.messages[2])[0]["arguments"] == {"Assign": {"1": {"X": 5.0, "N": '가"<tool_call>'}}}


def test_parquet_reads_like_json_lines(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    from gennx.trainer.data import read_file

    rows = small_rows(6)
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "train.parquet")
    lines, table = read_file(tmp_path / "train.jsonl"), read_file(tmp_path / "train.parquet")
    assert [(d.messages, d.tools) for d in lines] == [(d.messages, d.tools) for d in table]
