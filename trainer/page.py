"""training.html: a run's curves on one self-contained page, drawn as SVG; opens offline, in light and dark."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gennx.trainer.config import Settings
from gennx.trainer.progress import in_time

WIDTH, HEIGHT = 560.0, 240.0
LEFT, RIGHT, TOP, BOTTOM = 72.0, 14.0, 12.0, 30.0


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a chart: its name, its colour class, and points (step, value)."""

    name: str
    kind: str
    points: list[tuple[float, float]]


def nice_ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers covering [low, high], about `wanted` of them."""
    if not high > low:
        high = low + (abs(low) or 1.0) * 0.1
    raw = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw)
    first = math.floor(low / step + 1e-9)
    ticks = [first * step]
    while ticks[-1] < high - step * 1e-9:
        ticks.append((first + len(ticks)) * step)
    return ticks


def label(value: float) -> str:
    """A tick's text: short, without trailing zeros."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 1e-3 else f"{value:.1e}".replace("e-0", "e-")


def smooth(points: list[tuple[float, float]], weight: float = 0.9) -> list[tuple[float, float]]:
    """Running mean of noisy points, started at the first ones without a lag."""
    total, count, out = 0.0, 0.0, []
    for step, value in points:
        total, count = total * weight + value, count * weight + 1.0
        out.append((step, total / count))
    return out


def thin(points: list[tuple[float, float]], most: int = 400) -> list[tuple[float, float]]:
    """At most about `most` points, evenly taken, the last one kept."""
    every = max(1, math.ceil(len(points) / most))
    kept = points[::every]
    return kept if not points or kept[-1] == points[-1] else [*kept, points[-1]]


def series(history: list[dict[str, Any]], key: str) -> list[tuple[float, float]]:
    """Points of one logged value; what is not a finite number is dropped."""
    found = [(float(point["step"]), float(point[key])) for point in history if isinstance(point.get(key), int | float)]
    return thin([point for point in found if math.isfinite(point[1])])


def chart(title: str, unit: str, curves: list[Curve], from_zero: bool = False) -> dict[str, Any] | None:
    """A chart as the template draws it: ticks, paths and the points for the pointer; None without any point."""
    curves = [curve for curve in curves if curve.points]
    if not curves:
        return None
    values = [value for curve in curves for _, value in curve.points]
    steps = [step for curve in curves for step, _ in curve.points]
    y_ticks = nice_ticks(0.0 if from_zero else min(values), max(values))
    x_low, x_high = min(steps), max(max(steps), min(steps) + 1)
    y_low, y_high = y_ticks[0], y_ticks[-1]

    def place(step: float, value: float) -> tuple[float, float]:
        x = LEFT + (step - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT)
        y = HEIGHT - BOTTOM - (value - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM)
        return round(x, 1), round(y, 1)

    drawn = []
    for curve in curves:
        placed = [place(*point) for point in curve.points]
        drawn.append(
            {
                "name": curve.name,
                "kind": curve.kind,
                "path": "M" + " L".join(f"{x} {y}" for x, y in placed),
                "dots": placed if len(placed) <= 40 and curve.kind != "raw" else [],
                "data": [
                    [x, y, step, label(value)] for (x, y), (step, value) in zip(placed, curve.points, strict=True)
                ],
            }
        )
    x_ticks = [tick for tick in nice_ticks(x_low, x_high, 6) if x_low <= tick <= x_high and tick == int(tick)]
    return {
        "title": title,
        "unit": unit,
        "curves": drawn,
        "y_ticks": [(place(x_low, tick)[1], label(tick)) for tick in y_ticks],
        "x_ticks": [(place(tick, y_low)[0], label(tick)) for tick in x_ticks],
    }


def charts(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All charts that the history has points for."""
    loss, accuracy = series(history, "loss"), series(history, "mean_token_accuracy")
    noisy = len(loss) > 60
    drawn = [
        chart("Loss", "nats a trained token", [
            Curve("training" if not noisy else "each step", "raw" if noisy else "train", loss),
            Curve("training, running mean", "train", smooth(loss) if noisy else []),
            Curve("evaluation", "eval", series(history, "eval_loss"))]),
        chart("Token accuracy", "share of trained tokens", [
            Curve("training", "train", smooth(accuracy) if noisy else accuracy),
            Curve("evaluation", "eval", series(history, "eval_mean_token_accuracy"))]),
        chart("Calls reproduced", "share of evaluation dialogues", [
            Curve("evaluation", "eval", series(history, "eval_task_score"))], from_zero=True),
        chart("Learning rate", "", [Curve("learning rate", "train", series(history, "learning_rate"))], from_zero=True),
        chart("Memory", "peak so far, MiB", [Curve("memory", "train", series(history, "memory_mib"))], from_zero=True),
        chart("Speed", "tokens a second", [
            Curve("speed", "train", series(history, "tokens_per_second"))], from_zero=True),
    ]  # fmt: skip
    return [one for one in drawn if one]


def facts(record: dict[str, Any], metrics: dict[str, Any], settings: Settings) -> list[tuple[str, str]]:
    """The numbers at the top of the page."""
    rows = record["rows"]["train"]
    best = metrics["best_metric"]
    speed = metrics["median_tokens_per_second"]
    return [
        ("base", str(record["base"])),
        ("dialogues", f"{rows['dialogues']:,}"),
        ("tokens, trained", f"{rows['tokens']:,}, {rows['trained_tokens'] / max(1, rows['tokens']):.1%}"),
        ("steps", f"{metrics['steps']:,}"),
        ("time", in_time(metrics["seconds"])),
        ("final loss", "–" if metrics["final_loss"] is None else f"{metrics['final_loss']:.4f}"),
        ("best task score" if settings.training.select == "task" else "best eval loss",
         "–" if best is None else f"{best:.4f} at step {metrics['best_step']}"),
        ("speed", "–" if speed is None else f"{speed:,.0f} tokens/s"),
        ("peak memory", f"{metrics['peak_memory_mib']:,.0f} MiB ({metrics['device']})"),
    ]  # fmt: skip


def write_page(output: Path, record: dict[str, Any], metrics: dict[str, Any], settings: Settings) -> Path:
    """Write training.html into the run's folder; everything from the data is escaped."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    source = (Path(__file__).parent / "training.html.jinja").read_text(encoding="utf-8")
    page = environment.from_string(source).render(
        name=output.name,
        facts=facts(record, metrics, settings),
        charts=charts(metrics["history"]),
        evaluations=[point for point in metrics["history"] if any(key.startswith("eval_") for key in point)],
        settings=settings.to_yaml(),
        record=record,
        size=(WIDTH, HEIGHT),
        frame=(LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM),
    )
    path = output / "training.html"
    path.write_text(page, encoding="utf-8")
    return path
