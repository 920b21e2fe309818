"""Settings, presets and bad input: answers at once, in one line, with exit code 2."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("pydantic")

from click.testing import CliRunner
from test_trainer_fixtures import small_rows, write_data

from gennx.trainer.cli import main
from gennx.trainer.config import PRESETS, Settings, build_settings, load_settings, preset_names
from gennx.trainer.errors import TrainerError
from gennx.trainer.ladder import next_rung, same_weights


def test_defaults_are_the_originals() -> None:
    settings = Settings()
    model, lora, training = settings.model, settings.lora, settings.training
    assert (model.quantization, model.double_quantization) == ("nf4", True)
    assert (lora.r, lora.alpha, lora.dropout, lora.target_modules) == (8, 16, 0.05, "all-linear")
    assert lora.fallback_modules == ["q_proj", "v_proj"]
    assert (training.batch_size, training.gradient_accumulation, training.learning_rate) == (1, 8, 2e-4)
    assert (training.scheduler, training.warmup, training.weight_decay, training.epochs) == ("cosine", 0.05, 0.01, 10)
    assert (training.optimizer, training.gradient_checkpointing) == ("paged_adamw_8bit", True)
    assert (training.max_length, training.keep_checkpoints, training.select) == (2048, 3, "loss")
    assert (training.early_stopping_patience, training.early_stopping_threshold) == (3, 0.01)
    assert load_settings("rtx3060-6gb", [], []) == settings


def test_every_preset_loads_and_survives_yaml(tmp_path: Path) -> None:
    assert preset_names() == ["cpu-smoke", "gpu-24gb", "h100", "rtx3060-6gb"] and len(list(PRESETS.iterdir())) == 4
    for name in preset_names():
        settings = load_settings(name, [], [])
        (tmp_path / "page.yaml").write_text(settings.to_yaml(), encoding="utf-8")
        assert load_settings("rtx3060-6gb", [tmp_path / "page.yaml"], []) == settings


@pytest.mark.parametrize(
    "assignment, said",
    [
        ("training.learning_rat=1", "did you mean 'learning_rate'?"),
        ("trainin.epochs=1", "did you mean 'training'?"),
        ("training.learning_rate=fast", "training.learning_rate = 'fast'"),
        ("training.batch_size=0", "greater than or equal to 1"),
        ("training.batch_size", "section.key=value"),
        ("lora.enabled=false", "model.quantization=none"),
    ],
)
def test_wrong_settings_say_what_is_meant(assignment: str, said: str) -> None:
    with pytest.raises(TrainerError, match=said.replace("?", r"\?")):
        load_settings("rtx3060-6gb", [], [assignment])


def test_numbers_as_people_write_them() -> None:
    assert load_settings("rtx3060-6gb", [], ["training.learning_rate=1e-4"]).training.learning_rate == 1e-4


def test_the_ladder_gives_up_one_thing_at_a_time() -> None:
    settings = build_settings(
        {"training": {"batch_size": 2, "gradient_accumulation": 4, "gradient_checkpointing": False}}
    )
    said, seen = [], [settings]
    while (rung := next_rung(seen[-1])) is not None:
        seen.append(rung[0])
        said.append(rung[1])
    assert said[:3] == [
        "batch size 1 x 8 from now on",
        "activations are recomputed from now on",
        "only q_proj, v_proj are adapted from now on",
    ]
    assert [s.training.max_length for s in seen][-3:] == [486, 364, 273] and len(said) == 3 + 7
    assert same_weights(seen[0], seen[1]) and not same_weights(seen[2], seen[3])


def run(*arguments: str) -> tuple[int, str]:
    """Exit code and everything that gennx-train says."""
    result = CliRunner().invoke(main, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def bad_line(tmp_path: Path, line: str) -> str:
    folder = write_data(tmp_path / "data", 2, 0)
    with (folder / "train.jsonl").open("a", encoding="utf-8") as out:
        out.write(line + "\n")
    return str(folder)


def broken(change: str) -> str:
    """A row as generated, with one thing wrong."""
    row = small_rows(1)[0]
    function = row["messages"][2]["tool_calls"][0]["function"]
    if change == "quoted twice":
        function["arguments"] = json.dumps(function["arguments"])
    elif change == "flat call":
        row["messages"][2]["tool_calls"] = [{"name": "x", "parameters": {}}]
    elif change == "other tools":
        row["tools"] = json.dumps([{"name": "x", "input_schema": {}}])
    elif change == "role":
        row["messages"][1]["role"] = "human"
    elif change == "unknown tool":
        function["name"] = "POST /db/nodes"
    return json.dumps(row, ensure_ascii=False)


@pytest.mark.parametrize(
    "line, said",
    [
        ('{"messages": [', "not valid JSON"),
        ('{"text": "hello"}', "no list of messages (found: text)"),
        (broken("quoted twice"), "quoted twice"),
        (broken("flat call"), "a tool call is not of the form"),
        (broken("other tools"), "a tool definition is not of the form"),
        (broken("role"), "the role 'human'"),
        (broken("unknown tool"), "'POST /db/nodes', which is not among its tools"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    code, text = run(bad_line(tmp_path, line))
    assert code == 2 and "train.jsonl:3: " in text and said in text and text.count("\n") == 1


def test_missing_things_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENNX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    data = str(write_data(tmp_path / "data", 2, 1))
    (tmp_path / "empty").mkdir()
    cases = [
        ((str(tmp_path / "nowhere"),), "no such data set folder"),
        ((str(tmp_path / "empty"),), "no train.jsonl"),
        ((data, "--preset", "h10"), "did you mean 'h100'?"),
        ((data, "--config", str(tmp_path / "no.yaml")), "no such configuration file"),
        ((data, "--model", "qwen9"), "unknown model 'qwen9'"),
        ((data, "--model", str(tmp_path / "empty")), "no config.json"),
        ((data, "--resume", "--output", str(tmp_path / "empty")), "unknown model"),
    ]
    cases[-1] = ((data, "--select", "task", "--model", "qwen9"), "unknown model 'qwen9'")
    for arguments, said in cases:
        code, text = run(*arguments)
        assert code == 2 and said in text and text.count("\n") == 1, (arguments, text)
    pytest.importorskip("huggingface_hub")
    code, text = run(data, "--model", "qwen2.5-0.5b")
    assert code == 2 and "smollm2-135m" in text and "gemma3-270m" in text and text.count("\n") == 1
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        code, text = run(data, "--device", "cuda")
        assert code == 2 and "no CUDA device" in text


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from gennx.trainer import cli, download, export, merge, serve\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = [m for m in ('torch', 'transformers', 'trl', 'gennx.generators', 'gennx.templates', 'faker') if m in sys.modules]\n"
        "assert not heavy, heavy"
    )
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "gennx-train" in done.stdout and time.perf_counter() - started < 3
