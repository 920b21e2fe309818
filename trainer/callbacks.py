"""What happens between steps: progress for a person, a record for metrics.json, and a clean stop on a signal."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from transformers import TrainerCallback

from gennx.trainer.errors import Interrupted, note
from gennx.trainer.progress import in_time, read_history

KEPT = ("loss", "learning_rate", "grad_norm", "mean_token_accuracy", "entropy", "num_tokens", "tokens_per_second",
        "memory_mib", "minutes", "eval_loss", "eval_mean_token_accuracy", "eval_task_score", "epoch")  # fmt: skip


class Deadline(TrainerCallback):  # type: ignore[misc]
    """Ends a run `limit` minutes after it was begun (a `time.perf_counter`). The learning rate is that of the step, or of the same share of the
    time since the first step if more of that is over.

    Of several processes the first one's clock counts, so that all move their weights alike.
    """

    def __init__(self, limit: float, begun: float) -> None:
        self.limit = limit
        self.begun = begun
        self.minutes = self.first = 0.0

    @property
    def left(self) -> float:
        """Seconds until the end."""
        return 60 * max(0.0, self.limit - self.minutes)

    @property
    def share(self) -> float:
        """Of the time since the first step, how much is over; 1 at the end."""
        room = self.limit - self.first
        return min(1.0, (self.minutes - self.first) / room) if room > 0 else 1.0

    def on_train_begin(self, args: Any, state: Any, control: Any, lr_scheduler: Any = None, **kwargs: Any) -> None:
        """Let the clock move the learning rate."""
        self._look(args.device)
        # getting ready takes its time, and none from the warm-up
        self.first = 0.0 if state.global_step else self.minutes

        def follow(shape: Callable[[float], float]) -> Callable[[int], float]:
            return lambda step: shape(max(step, int(state.max_steps * self.share)))

        lr_scheduler.lr_lambdas = [follow(shape) for shape in lr_scheduler.lr_lambdas]

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Look at the clock; when the time is over ask for the last evaluation and checkpoint, and for the end."""
        self._look(args.device)
        if self.minutes >= self.limit:
            control.should_training_stop = True
            if args.save_strategy == "steps":  # where it is done by epoch, the end of this one brings both
                control.should_save = True
                control.should_evaluate = args.eval_strategy != "no"

    def _look(self, device: Any) -> None:
        self.minutes = _first_ones((time.perf_counter() - self.begun) / 60, device)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Note the minutes down beside the loss."""
        if logs and "loss" in logs:
            logs["minutes"] = round(self.minutes, 3)


def _first_ones(value: float, device: Any) -> float:
    """The first process's value, in all of them."""
    import torch

    if not torch.distributed.is_initialized():
        return value
    shared = torch.tensor([value], dtype=torch.float64, device=device)
    torch.distributed.broadcast(shared, 0)
    return float(shared)


class Progress(TrainerCallback):  # type: ignore[misc]
    """One line a logged step on stderr: loss, tokens a second, memory, time left. On a terminal it is overwritten."""

    def __init__(self, deadline: Deadline | None = None) -> None:
        self.deadline = deadline
        self.live = sys.stderr.isatty()
        self.started = (0, 0.0)
        self.said = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start the clock for the time that is left."""
        self.started = (state.global_step, time.perf_counter())

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Say where the run is; when piped, at most every ten seconds."""
        if not state.is_world_process_zero or not logs:
            return
        if "eval_loss" in logs or "eval_task_score" in logs:
            said = [f"{key} {value:.4g}" for key, value in logs.items() if key in KEPT and key.startswith("eval_")]
            self._say(f"evaluation at step {state.global_step}: {', '.join(said)}", lasting=True)
        elif "loss" in logs:
            now = time.perf_counter()
            if self.live or now - self.said > 10 or state.global_step in (1, state.max_steps):
                self.said = now
                self._say(self._line(state, logs, now), lasting=not self.live)

    def _line(self, state: Any, logs: dict[str, Any], now: float) -> str:
        done = state.global_step - self.started[0]
        left = (state.max_steps - state.global_step) * (now - self.started[1]) / done if done else 0.0
        if self.deadline is not None:
            left = min(left, self.deadline.left) if done else self.deadline.left
        speed = f"{logs['tokens_per_second']:,.0f} tokens/s, " if "tokens_per_second" in logs else ""
        return (
            f"step {state.global_step}/{state.max_steps}, epoch {state.epoch or 0:.2f}, loss {logs['loss']:.4f}, "
            f"{speed}{logs.get('memory_mib', 0) / 1024:.2f} GiB, {in_time(left)} left"
        )

    def _say(self, text: str, lasting: bool) -> None:
        if self.live:
            sys.stderr.write(f"\r\033[K{text}" + ("\n" if lasting else ""))
            sys.stderr.flush()
        else:
            note(text)


class Recorder(TrainerCallback):  # type: ignore[misc]
    """Keeps the curves on disk while the run goes on, so that an interrupted run has them too (`history.jsonl`)."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Drop the points after the step that the run goes on from."""
        if state.is_world_process_zero:
            points = [point for point in read_history(self.path) if point["step"] <= state.global_step]
            self.path.write_text("".join(json.dumps(point) + "\n" for point in points), encoding="utf-8")

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Append one point: the step and what was logged at it."""
        point = {key: value for key, value in (logs or {}).items() if key in KEPT}
        if state.is_world_process_zero and set(point) - {"epoch"}:
            with self.path.open("a", encoding="utf-8") as out:
                out.write(json.dumps({"step": state.global_step, **point}) + "\n")


class StopOnSignal(TrainerCallback):  # type: ignore[misc]
    """Ctrl-C and SIGTERM: finish the step, write a checkpoint, leave. A second Ctrl-C leaves at once."""

    def __init__(self, resume_command: str) -> None:
        self.resume_command = resume_command
        self.caught: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopOnSignal:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._catch)
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _catch(self, number: int, frame: FrameType | None) -> None:
        if self.caught is not None:
            raise KeyboardInterrupt
        self.caught = number
        note("\nstopping after this step; a second Ctrl-C stops at once and loses the steps since the last checkpoint")

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Ask for a checkpoint once a signal came."""
        if self.caught is not None:
            control.should_save = True

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Leave the training loop, now that the checkpoint is on disk."""
        if self.caught is not None:
            raise Interrupted(
                f"stopped at step {state.global_step}, checkpoint kept; go on with: {self.resume_command}"
            )
