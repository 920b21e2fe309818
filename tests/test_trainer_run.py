"""The whole chain on a tiny Qwen2 with the real Qwen2.5 tokenizer: learn, resume, merge, export, serve."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from test_trainer_fixtures import make_tiny_qwen, qwen_folder, tiny_qwen, write_data  # noqa: F401

from gennx.trainer.config import Settings, load_settings
from gennx.trainer.data import read_file
from gennx.trainer.engine import load_engine
from gennx.trainer.errors import TrainerError
from gennx.trainer.generation import task_score, tasks_of
from gennx.trainer.merge import check_merged, merge_run
from gennx.trainer.progress import read_history
from gennx.trainer.runs import last_checkpoint, load_run, load_trained
from gennx.trainer.train import train

FULL = [
    "model.quantization=none", "model.dtype=float32", "lora.enabled=false", "training.optimizer=adamw_torch",
    "training.gradient_checkpointing=false", "training.gradient_accumulation=1", "training.epochs=1000",
    "training.learning_rate=3e-3", "training.early_stopping_patience=0", "training.save_steps=1000",
    "training.max_steps=300", "training.max_length=512", "training.packing=false",
    "training.batch_size=5", "training.logging_steps=5",
]  # fmt: skip
QLORA = [
    "model.quantization=nf4", "training.optimizer=adamw_torch", "training.gradient_checkpointing=false",
    "training.gradient_accumulation=2", "training.epochs=50", "training.learning_rate=3e-4", "training.save_steps=2",
    "training.max_steps=6", "training.max_length=512", "training.row_tokens=1024", "training.eval_rows=1", "training.early_stopping_patience=0",
]  # fmt: skip


def settings_for(model: Path, changes: list[str]) -> Settings:
    return load_settings("rtx3060-6gb", [], [f"model.name={model}", *changes])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data") / "twenty", 20, 2)


@pytest.fixture(scope="module")
def learned(tiny_qwen: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    """A run that overfits twenty dialogues."""
    return train(str(data), settings_for(tiny_qwen, FULL), tmp_path_factory.mktemp("runs") / "learned", "cpu")


@pytest.fixture(scope="module")
def base(learned: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The overfitted model as a base for 4-bit adapters."""
    return merge_run(load_run(learned), tmp_path_factory.mktemp("models") / "learned")


@pytest.fixture(scope="module")
def adapter(base: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted 4-bit run."""
    return train(str(data), settings_for(base, QLORA), tmp_path_factory.mktemp("runs") / "adapter", "cpu")


def test_twenty_dialogues_are_reproduced_exactly(learned: Path, data: Path) -> None:
    run = load_run(learned)
    tasks = tasks_of(read_file(data / "train.jsonl"), run.renderer())
    assert len(tasks) == 20
    assert task_score(load_trained(run, "cpu"), run.renderer(), tasks, max_new_tokens=96, batch_size=20) == 1.0


def test_a_run_keeps_what_it_promises(adapter: Path, data: Path) -> None:
    names = {path.name for path in adapter.iterdir()}
    assert names >= {
        "adapter",
        "checkpoints",
        "config.yaml",
        "metrics.json",
        "training.html",
        "tensorboard",
        "run.json",
    }
    metrics = json.loads((adapter / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["steps"] == len([p for p in metrics["history"] if "loss" in p]) > 0
    assert all(key in metrics["history"][-2] or key in metrics["history"][-1] for key in ("loss", "learning_rate"))
    card = (adapter / "adapter" / "README.md").read_text(encoding="utf-8")
    assert json.loads((adapter / "run.json").read_text())["data_sha256"] in card and "quantization: nf4" in card
    assert not list(adapter.glob("adapter/*.bin")) and list(adapter.glob("adapter/*.safetensors"))
    page = (adapter / "training.html").read_text(encoding="utf-8")
    assert page.count("<svg") >= 4 and "http://" not in page and "https://" not in page
    assert list((adapter / "tensorboard").glob("events.*"))


def curve(run: Path) -> list[tuple[int, float]]:
    return [(point["step"], point["loss"]) for point in read_history(run / "history.jsonl") if "loss" in point]


def test_interrupt_and_resume_continue_the_same_curve(adapter: Path, base: Path, data: Path, tmp_path: Path) -> None:
    """A run in a process of its own gets SIGTERM in the middle; --resume ends where the uninterrupted run ends."""
    output = tmp_path / "interrupted"
    changes = [part for change in [f"model.name={base}", *QLORA] for part in ("--set", change)]
    command = [sys.executable, "-m", "gennx.trainer", str(data), "--output", str(output), "--device", "cpu", *changes]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 240
    while len(curve(output)) < 2 and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=240)
    assert process.returncode == 130 and "--resume" in said.strip().splitlines()[-1], said
    stopped = curve(output)[-1][0]
    assert 2 <= stopped < curve(adapter)[-1][0], "it was to stop in the middle"
    again = load_settings("rtx3060-6gb", [output / "config.yaml"], [])
    train(str(data), again, output, "cpu", resume=True)
    assert [step for step, _ in curve(output)] == [step for step, _ in curve(adapter)]
    assert [loss for _, loss in curve(output)] == pytest.approx([loss for _, loss in curve(adapter)], rel=1e-4)
    weights = [path / "adapter" / "adapter_model.safetensors" for path in (adapter, output)]
    first, second = (load_tensors(path) for path in weights)
    assert all(torch.allclose(first[name], second[name], atol=1e-6) for name in first)


def load_tensors(path: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(path))


def test_merged_and_unmerged_agree(adapter: Path, tmp_path: Path) -> None:
    run = load_run(adapter)
    out = merge_run(run, tmp_path / "merged")
    assert check_merged(run, out) < 1e-3
    broken = load_tensors(next(out.glob("*.safetensors")))
    broken["model.layers.0.mlp.down_proj.weight"] += 0.1
    from safetensors.torch import save_file

    save_file(broken, next(out.glob("*.safetensors")), metadata={"format": "pt"})
    with pytest.raises(TrainerError, match="differ by"):
        check_merged(run, out)


def test_the_mean_of_two_models(adapter: Path, base: Path, qwen_folder: Path, tmp_path: Path) -> None:  # noqa: F811
    """`--mean-with` its base is half the way there, tensor by tensor; a model of another shape is refused and nothing is written."""
    run = load_run(adapter)
    whole = merge_run(run, tmp_path / "whole")
    half = merge_run(run, tmp_path / "half", [base])
    start, end, mean = (load_tensors(next(folder.glob("*.safetensors"))) for folder in (base, whole, half))
    assert any(not torch.equal(start[name], end[name]) for name in end)
    assert all(torch.allclose(mean[name].float(), (start[name].float() + end[name].float()) / 2) for name in end)
    other = make_tiny_qwen(qwen_folder, tmp_path / "other", hidden=32)
    for unfit, why in ((other, "the run's is"), (adapter, "an adapter is no model")):
        with pytest.raises(TrainerError, match=why):
            merge_run(run, tmp_path / "out", [unfit])
        assert not (tmp_path / "out").exists()


def test_an_adapter_on_another_base_is_refused(adapter: Path, qwen_folder: Path, tmp_path: Path) -> None:  # noqa: F811
    other = make_tiny_qwen(qwen_folder, tmp_path / "other", hidden=32)
    moved = tmp_path / "moved"
    shutil.copytree(adapter, moved, ignore=shutil.ignore_patterns("checkpoints", "tensorboard"))
    text = (moved / "config.yaml").read_text(encoding="utf-8")
    before = load_run(adapter).settings.model.name
    (moved / "config.yaml").write_text(text.replace(before, str(other)), encoding="utf-8")
    for attempt in (lambda run: merge_run(run, tmp_path / "out"), lambda run: load_trained(run, "cpu")):
        with pytest.raises(TrainerError, match="does not fit"):
            attempt(load_run(moved))


def test_the_openai_server_answers_as_trained(adapter: Path, data: Path, tmp_path: Path) -> None:
    """Adapter and merged model behind the API make the calls that were trained."""
    testclient = pytest.importorskip("fastapi.testclient")
    from gennx.trainer.serve_openai import build_app

    merged = merge_run(load_run(adapter), tmp_path / "merged")
    dialogue = read_file(data / "train.jsonl")[3]
    expected = [call["function"] for call in dialogue.messages[2]["tool_calls"]]
    answers = []
    for folder in (adapter, merged):
        client = testclient.TestClient(build_app(load_engine(folder, "cpu")))
        sent = {"messages": dialogue.messages[:2], "tools": dialogue.tools, "max_tokens": 96}
        message = client.post("/v1/chat/completions", json=sent).json()["choices"][0]["message"]
        answers.append(
            [{**c["function"], "arguments": json.loads(c["function"]["arguments"])} for c in message["tool_calls"]]
        )
    assert answers == [expected, expected]


def test_the_gguf_answers_as_trained_in_llama_cpp(adapter: Path, data: Path, tmp_path: Path) -> None:
    llama_cpp = pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
    from gennx.trainer.export import to_gguf

    try:
        file = to_gguf(load_run(adapter), tmp_path / "gguf", "f32", None)
    except TrainerError as error:
        if "could not be fetched" in str(error):
            pytest.skip(str(error))
        raise
    run = load_run(adapter)
    renderer = run.renderer()
    engine = llama_cpp.Llama(str(file), n_ctx=1024, verbose=False)
    dialogue = read_file(data / "train.jsonl")[3]
    prompt = renderer.prompt_ids(dialogue.messages[:2], dialogue.tools)
    text = renderer.text(dialogue.messages[:2], dialogue.tools, prompt=True)
    assert engine.tokenize(text.encode(), add_bos=False, special=True) == prompt
    written: list[int] = []
    for token in engine.generate(prompt, temp=0.0):
        if token == renderer.end_id or len(written) > 96:
            break
        written.append(token)
    engine.close()
    expected = [call["function"] for call in dialogue.messages[2]["tool_calls"]]
    assert renderer.written(written).calls == expected


def test_out_of_memory_goes_down_the_ladder(
    base: Path, data: Path, tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    """The first two attempts run out of memory (said by torch's own exception); the third goes through."""
    from gennx.trainer import train as training

    real, calls = training.run_once, []

    def run_once(plan: Any, output: Path, checkpoint: Path | None) -> Any:
        calls.append(plan.settings.training.batch_size)
        if len(calls) < 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return real(plan, output, checkpoint)

    monkeypatch.setattr(training, "run_once", run_once)
    changes = [*QLORA, "training.batch_size=4", "training.max_steps=1", "training.save_steps=1"]
    output = train(str(data), settings_for(base, changes), tmp_path / "run", "cpu")
    said = capsys.readouterr().err
    assert calls == [4, 2, 1] and said.count("out of memory: batch size") == 2 and "batch size 1 x 8" in said
    assert load_run(output).settings.training.gradient_accumulation == 8


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The disk fills up while the second checkpoint's optimizer is written."""
    real = torch.save

    def save(thing: Any, path: Any, *rest: Any, **more: Any) -> None:
        if "checkpoint-4" in str(path):
            Path(path).write_bytes(b"half")
            raise OSError(28, "No space left on device", str(path))
        real(thing, path, *rest, **more)

    monkeypatch.setattr(torch, "save", save)
    yield


def test_a_full_disk_leaves_the_last_good_checkpoint(base: Path, data: Path, tmp_path: Path, full_disk: None) -> None:
    with pytest.raises(TrainerError, match=r"disk is full.*checkpoint-2.*--resume"):
        train(str(data), settings_for(base, QLORA), tmp_path / "run", "cpu")
    left = last_checkpoint(tmp_path / "run")
    assert left is not None and left.name == "checkpoint-2"
    assert [path.name for path in (tmp_path / "run" / "checkpoints").glob("checkpoint-*")] == ["checkpoint-2"]


def test_the_best_checkpoint_by_task_score(base: Path, data: Path, tmp_path: Path) -> None:
    changes = [*QLORA, "training.select=task", "training.select_rows=2", "training.max_steps=2"]
    output = train(str(data), settings_for(base, changes), tmp_path / "run", "cpu")
    metrics = json.loads((output / "metrics.json").read_text(encoding="utf-8"))
    scores = [point["eval_task_score"] for point in metrics["history"] if "eval_task_score" in point]
    assert scores and metrics["best_metric"] == max(scores) and 0.0 <= max(scores) <= 1.0


def test_the_weights_of_the_last_step(base: Path, data: Path, tmp_path: Path) -> None:
    spoilt = ["training.learning_rate=0.05", "training.scheduler=constant"]  # eval_loss rises at every step
    weights = {}
    for select in ("last", "loss"):
        changes = [*QLORA, *spoilt, "training.max_steps=4", f"training.select={select}"]
        output = train(str(data), settings_for(base, changes), tmp_path / select, "cpu")
        weights[select] = (output / "adapter" / "adapter_model.safetensors").read_bytes()
        steps = {
            path.name: (path / "adapter_model.safetensors").read_bytes()
            for path in (output / "checkpoints").glob("checkpoint-*")
        }
        assert weights[select] == steps["checkpoint-4" if select == "last" else "checkpoint-2"]
    assert weights["last"] != weights["loss"]


def test_a_time_limit_ends_the_run_with_the_rate_down(qwen_folder: Path, data: Path, tmp_path: Path) -> None:  # noqa: F811
    """A run of far too many steps ends about when its time is over, its learning rate down and its weights kept; resumed, its time is over already."""
    changes = [
        *(change for change in FULL if "save_steps" not in change),
        "training.max_steps=100000",
        "training.batch_size=1",  # and a smaller model: many short steps, so that the rate goes down in small ones
        "training.max_minutes=0.4",
        "training.select=last",
        "training.logging_steps=1",
    ]
    base = make_tiny_qwen(qwen_folder, tmp_path / "base", hidden=32)
    settings, output = settings_for(base, changes), tmp_path / "limited"
    run = train(str(data), settings, output, "cpu")
    points = [point for point in read_history(run / "history.jsonl") if "loss" in point]
    rates = [point["learning_rate"] for point in points]
    assert max(rates) > 2e-3 and rates[-1] < 3e-4 and len(points) < 10000
    assert 0.39 < points[-1]["minutes"] < 0.6
    evaluated = [point["step"] for point in read_history(run / "history.jsonl") if "eval_loss" in point]
    assert evaluated and len(set(evaluated)) == len(evaluated)  # the end of the time and of the epoch are one
    assert (run / "model" / "model.safetensors").is_file()
    train(str(data), settings, output, "cpu", resume=True)
    assert len([p for p in read_history(run / "history.jsonl") if "loss" in p]) <= len(points) + 1


def test_a_folder_in_use_is_not_overwritten(adapter: Path, base: Path, data: Path) -> None:
    before = os.stat(adapter / "metrics.json").st_mtime_ns
    with pytest.raises(TrainerError, match="is not empty"):
        train(str(data), settings_for(base, QLORA), adapter, "cpu")
    assert os.stat(adapter / "metrics.json").st_mtime_ns == before


@pytest.mark.skipif(sys.platform == "win32", reason="torch's launcher needs POSIX")
def test_two_processes_share_the_weights_and_one_file_holds_them(tiny_qwen: Path, data: Path, tmp_path: Path) -> None:  # noqa: F811
    """FSDP on two processes of the CPU: what is kept loads as a whole adapter, and training has moved it."""
    fsdp = {
        "ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
        "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "gennx.trainer", str(data),
        "--preset", "cpu-smoke", "--device", "cpu", "--max-steps", "2", "--output", str(tmp_path / "run"),
        *(f"--set={item}" for item in (f"model.name={tiny_qwen}", "model.quantization=none", "training.max_length=512")),
    ]  # fmt: skip
    done = subprocess.run(command, env={**os.environ, **fsdp}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    moved = [p for n, p in load_trained(load_run(tmp_path / "run"), "cpu").named_parameters() if "lora_B" in n]
    assert moved and all(bool(p.abs().sum() > 0) for p in moved)
