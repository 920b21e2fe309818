"""From a folder's items and predictions to records.jsonl, metrics.json and evaluation.html."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gennx.trainer.errors import TrainerError, note
from gennx.trainer.evaluation.figures import summary
from gennx.trainer.evaluation.items import Item
from gennx.trainer.evaluation.judging import Judgement, judge_all
from gennx.trainer.evaluation.keeping import METRICS, RECORDS, write_json
from gennx.trainer.evaluation.predictions import read_predictions

HEADLINES = (
    ("right tool", "right_tool"), ("exact calls", "calls_exact"), ("exact turns", "exact_call"), ("same end state", "same_end"),
    ("schema-valid", "schema_valid"), ("abstention", "abstention"), ("must call", "must_call"), ("balanced", "balanced"),
    ("whole dialogues", "dialogue_exact"), ("tool_name_accuracy", "tool_name_accuracy"),
    ("parameter_accuracy", "parameter_accuracy"), ("json_validity_rate", "json_validity_rate"),
    ("hallucination_rate", "hallucination_rate"),
)  # fmt: skip


def score(items: Sequence[Item], predictions: Path, out: Path, what: dict[str, Any]) -> dict[str, Any]:
    """Judge a file of predictions, write records.jsonl and metrics.json, and give what metrics.json holds."""
    answers = read_predictions(predictions)
    known = {item.key for item in items}
    missing, strange = len(known - answers.keys()), len(answers.keys() - known)
    if not answers.keys() & known:
        raise TrainerError(f"{predictions}: answers none of the {len(known)} turns", "give the data it was made on")
    if missing:
        note(f"{missing} of {len(known)} turns have no prediction and count as failures")
    if strange:
        note(f"{strange} predictions belong to no turn of these data and are left out")
    judged = judge_all(items, answers)
    write_records(judged, out / RECORDS)
    metrics = {**what, **summary(judged), "without_prediction": missing}
    write_json(out / METRICS, metrics)
    return metrics


def write_records(judged: Sequence[Judgement], path: Path) -> None:
    """One judgement a line, whole or not at all."""
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8", newline="\n") as out:
        out.writelines(one.as_json() + "\n" for one in judged)
    part.replace(path)


def shown(figure: dict[str, Any]) -> str:
    """A share with its interval, for a terminal."""
    if figure["value"] is None:
        return "not measured"
    return f"{figure['value']:7.2%}  [{figure['low']:.2%}, {figure['high']:.2%}]  of {figure['n']}"


def table(metrics: dict[str, Any]) -> str:
    """The headline figures as text."""
    figures = metrics["figures"]
    lines = [f"{title:20s} {shown(figures[key])}" for title, key in HEADLINES]
    if metrics["errors"]:
        lines.append("errors: " + ", ".join(f"{name} {count}" for name, count in list(metrics["errors"].items())[:8]))
    return "\n".join(lines)
