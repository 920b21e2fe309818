"""`gennx-train`, step by step: read, check, report, estimate, train, keep."""

from __future__ import annotations

import gc
import json
import os
import platform
import shutil
import time
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from gennx.trainer import data as reading
from gennx.trainer.config import Settings
from gennx.trainer.errors import Interrupted, TrainerError, note
from gennx.trainer.estimate import Shape, estimate_memory, estimate_seconds, measured_flops, read_shape, row_tokens
from gennx.trainer.ladder import is_disk_full, is_out_of_memory, next_rung, same_weights
from gennx.trainer.models import Base, find_base, load_tokenizer, pick_device, pick_dtype
from gennx.trainer.prepare import (
    Rows,
    is_first_here,
    parse_all,
    prepare_together,
    refuse_too_many_left_out,
    report_lines,
    report_record,
)
from gennx.trainer.progress import in_time, read_history
from gennx.trainer.rendering import Renderer
from gennx.trainer.runs import last_checkpoint, shape_record

PACKAGES = ("torch", "transformers", "trl", "peft", "bitsandbytes", "accelerate", "datasets", "liger-kernel")


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is known before the first step."""

    source: str
    dialogues: dict[str, list[reading.Source]]
    settings: Settings
    device: str
    base: Base
    renderer: Renderer
    train: Rows
    eval: Rows
    shape: Shape
    begun: float
    """`time.perf_counter` when the work began, reading the data and the minutes of a run that is resumed included."""

    @property
    def dtype(self) -> str:
        """Arithmetic of the forward pass."""
        return pick_dtype(self.settings.model.dtype, self.device)


def is_main() -> bool:
    """Whether this is the process that speaks and writes, of those that accelerate started."""
    return os.environ.get("RANK", "0") == "0"


def say(text: str) -> None:
    """A line on stderr, from the main process only."""
    if is_main():
        note(text)


def render_rows(
    dialogues: dict[str, list[reading.Source]], renderer: Renderer, settings: Settings
) -> tuple[Rows, Rows]:
    """Rows of the training and evaluation splits. Raises TrainerError if too many dialogues are left out."""
    training = settings.training
    rows = []
    for split, limit in (("train", training.train_rows), ("eval", training.eval_rows)):
        prepared = prepare_together(dialogues[split][:limit], renderer, training.max_length, split)
        refuse_too_many_left_out(prepared, training.left_out_limit, split)
        rows.append(prepared)
    return rows[0], rows[1]


def make_plan(source: str, settings: Settings, device_choice: str) -> Plan:
    """Read and check the data, find the base, render every dialogue. Cheap checks come first."""
    begun = time.perf_counter()
    dialogues = {split: reading.read_split(source, split) for split in ("train", "eval")}
    if settings.training.select == "task" and not dialogues["eval"]:
        raise TrainerError(f"{source}: --select task needs evaluation dialogues, and there is no eval.jsonl", "add it")
    if is_first_here():
        parse_all([*dialogues["train"], *dialogues["eval"]])
    device = pick_device(device_choice)
    base = find_base(settings.model)
    renderer = Renderer(load_tokenizer(base.path, base.template))
    train_rows, eval_rows = render_rows(dialogues, renderer, settings)
    shape = read_shape(base.path)
    return Plan(source, dialogues, settings, device, base, renderer, train_rows, eval_rows, shape, begun)


def packed_rows(lengths: list[int], capacity: int) -> int:
    """Number of rows that dialogues of these lengths fill, longest first, each into the fullest row it fits."""
    import bisect

    spaces: list[int] = []
    for length in sorted(lengths, reverse=True):
        place = bisect.bisect_left(spaces, length)
        space = spaces.pop(place) if place < len(spaces) else capacity
        bisect.insort(spaces, space - length)
    return len(spaces)


def planned_steps(plan: Plan) -> int:
    """Optimizer steps of the whole run, if it is not stopped early."""
    training = plan.settings.training
    lengths = [len(row.ids) for row in plan.train.rendered]
    rows = packed_rows(lengths, training.row_tokens or training.max_length) if training.packing else len(lengths)
    per_step = training.batch_size * training.gradient_accumulation * int(os.environ.get("WORLD_SIZE", "1"))
    steps = int(-(-rows // per_step) * training.epochs) or 1
    return min(steps, training.max_steps or steps)


def plan_lines(plan: Plan) -> list[str]:
    """The report before the first step: what will be learned, how long it takes, how much memory it needs."""
    lines = report_lines(plan.train, plan.renderer, "train")
    lines += report_lines(plan.eval, plan.renderer, "eval") if plan.eval.rendered else ["eval: no evaluation dialogues"]
    steps = planned_steps(plan)
    per_epoch = max(1.0, steps / plan.settings.training.epochs) if not plan.settings.training.max_steps else None
    longest = max(len(row.ids) for row in plan.train.rendered)
    share = plan.train.trained_tokens / plan.train.tokens
    memory = estimate_memory(plan.shape, plan.settings, plan.dtype, row_tokens(plan.settings, longest), share)
    training = plan.settings.training
    tokens = plan.train.tokens * training.epochs
    if per_epoch is None:
        per_step = training.batch_size * training.gradient_accumulation
        full = max(1, -(-len(plan.train.rendered) // per_step))
        tokens = min(tokens, plan.train.tokens * steps / full)
    seconds = estimate_seconds(plan.shape, plan.settings, tokens, measured_flops(plan.device, plan.dtype))
    where = "the card" if plan.device == "cuda" else "main memory, besides about 1 GiB for Python"
    limit = f" (ended after {in_time(60 * training.max_minutes)})" if training.max_minutes else ""
    lines.append(
        f"plan: at most {steps:,} steps on {plan.device} in {plan.dtype}, about {in_time(seconds)}{limit}, "
        f"{memory.mib:,.0f} MiB of {where}"
    )
    return lines


def versions() -> dict[str, str]:
    """Versions that a run depends on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def open_output(output: Path, resume: bool) -> Path | None:
    """Make the run's folder; the checkpoint to go on from, if any. Raises TrainerError for a folder in use."""
    checkpoint = last_checkpoint(output) if resume else None
    if resume and checkpoint is None and not (output / "config.yaml").is_file():
        raise TrainerError(f"{output}: nothing to resume there", "start it without --resume, or check --output")
    if not resume and output.exists() and any(output.iterdir()):
        raise TrainerError(f"{output} is not empty", "go on with --resume, or choose another --output")
    output.mkdir(parents=True, exist_ok=True)
    return checkpoint


def write_start(plan: Plan, output: Path) -> None:
    """config.yaml and run.json, before the first step."""
    record = {
        "base": plan.base.name,
        "base_path": str(plan.base.path),
        "shape": shape_record(plan.shape),
        "data": plan.source,
        "data_sha256": reading.data_hash(plan.source),
        "end_token": plan.renderer.end_token,
        "rows": {"train": report_record(plan.train), "eval": report_record(plan.eval)},
        "versions": versions(),
    }
    (output / "config.yaml").write_text(plan.settings.to_yaml(), encoding="utf-8")
    (output / "run.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def run_once(plan: Plan, output: Path, checkpoint: Path | None) -> Any:
    """One attempt at the whole training; returns the trainer, its best weights loaded. May run out of memory."""
    from transformers import EarlyStoppingCallback

    from gennx.trainer.callbacks import Deadline, Progress, Recorder, StopOnSignal
    from gennx.trainer.generation import tasks_of
    from gennx.trainer.sft import build_trainer, dataset_of

    training = plan.settings.training
    stop = StopOnSignal(f"gennx-train {plan.source} --output {output} --resume")
    deadline = Deadline(training.max_minutes, plan.begun) if training.max_minutes else None
    callbacks: list[Any] = [Progress(deadline), Recorder(output / "history.jsonl"), stop]
    if deadline is not None:
        callbacks.insert(0, deadline)  # its minutes are recorded
    evaluates = bool(plan.eval.rendered)
    if evaluates and training.early_stopping_patience and training.select != "last":
        callbacks.append(EarlyStoppingCallback(training.early_stopping_patience, training.early_stopping_threshold))
    with stop:
        trainer = build_trainer(
            plan.base.path, plan.renderer.tokenizer, dataset_of(plan.train),
            dataset_of(plan.eval) if evaluates else None, plan.settings, plan.device, output, callbacks,
        )  # fmt: skip
        if training.select == "task":
            kept = {row.where for row in plan.eval.rendered}  # within eval_rows, and none that was left out
            evaluated = (source.parse() for source in plan.dialogues["eval"] if source.where in kept)
            trainer.tasks = tasks_of(evaluated, plan.renderer, training.select_rows)
            trainer.renderer = plan.renderer
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    return trainer


def drop_partial_checkpoints(output: Path) -> None:
    """Remove what a failed save left behind; complete checkpoints stay."""
    for path in (output / "checkpoints").glob("checkpoint-*"):
        try:
            json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError):
            shutil.rmtree(path, ignore_errors=True)


def disk_full_error(output: Path) -> TrainerError:
    """The one line for a full disk: names the checkpoint that survives."""
    drop_partial_checkpoints(output)
    good = last_checkpoint(output)
    kept = f"the last good checkpoint is {good}" if good else "no checkpoint was complete yet"
    return TrainerError(
        f"the disk is full: a checkpoint in {output} could not be written; {kept}",
        "free some space and go on with --resume",
    )


def release_memory() -> None:
    """Give back what a failed attempt held."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def attempt(plan: Plan, output: Path, checkpoint: Path | None) -> Any:
    """`run_once`, or None if memory ran out. Raises TrainerError for a full disk."""
    try:
        return run_once(plan, output, checkpoint)
    except (Interrupted, KeyboardInterrupt, TrainerError):
        raise
    except Exception as error:
        if is_disk_full(error):
            raise disk_full_error(output) from None
        if not is_out_of_memory(error):
            raise
        error.__traceback__ = None  # its frames hold the model
    return None


def train_down_the_ladder(plan: Plan, output: Path, checkpoint: Path | None) -> tuple[Any, Plan]:
    """Train; when memory runs out give up one thing at a time and go on. Returns trainer and the plan that worked."""
    while (trainer := attempt(plan, output, checkpoint)) is None:
        release_memory()
        rung = next_rung(plan.settings)
        if rung is None:
            raise TrainerError("out of memory with the smallest settings", "use a smaller model, or a larger card")
        settings, line = rung
        checkpoint = last_checkpoint(output) if same_weights(plan.settings, settings) else None
        say(f"out of memory: {line}" + (f", going on from {checkpoint.name}" if checkpoint else ""))
        if settings.training.max_length != plan.settings.training.max_length:
            train_rows, eval_rows = render_rows(plan.dialogues, plan.renderer, settings)
            plan = replace(plan, train=train_rows, eval=eval_rows)
        plan = replace(plan, settings=settings)
        if checkpoint is None:
            shutil.rmtree(output / "checkpoints", ignore_errors=True)
        if is_main():
            write_start(plan, output)
    return trainer, plan


def dry_run(source: str, settings: Settings, device: str = "auto") -> None:
    """Print the resolved settings and the report to stdout; train nothing."""
    plan = make_plan(source, settings, device)
    print(plan.settings.to_yaml())
    print("\n".join(plan_lines(plan)))


def train(source: str, settings: Settings, output: Path, device: str = "auto", resume: bool = False) -> Path:
    """Train on a data set and keep the result in `output`, which is returned."""
    from gennx.trainer.keep import keep_results

    plan = make_plan(source, settings, device)
    for line in plan_lines(plan) if is_main() else ():
        note(line)
    checkpoint = open_output(output, resume) if is_main() else (last_checkpoint(output) if resume else None)
    if checkpoint:
        say(f"going on from {checkpoint}")
        spent = max((p.get("minutes", 0.0) for p in read_history(output / "history.jsonl")), default=0.0)
        plan = replace(plan, begun=plan.begun - 60 * spent)
    if is_main():
        write_start(plan, output)
    started = time.perf_counter()
    trainer, plan = train_down_the_ladder(plan, output, checkpoint)
    keep_results(trainer, plan, output, time.perf_counter() - started)
    say(f"done: {output}")
    return output
