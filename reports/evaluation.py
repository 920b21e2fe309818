"""The page of one or several evaluations: figures with intervals, endpoints, errors, examples, curves.

Made from the files that gennx-eval leaves in a folder (metrics.json, records.jsonl); one file that opens offline.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from gennx.reports.coverage import ReportProblem, page
from gennx.schemas import load_catalogue
from gennx.trainer.evaluation.figures import wilson
from gennx.trainer.evaluation.judging import LABELS

EXAMPLES_EACH = 3  # failed turns shown of an endpoint
CURVES = ("tools", "prompt_tokens")


def read_evaluation(folder: Path) -> dict[str, Any]:
    """metrics.json of a folder. Raises ReportProblem."""
    try:
        metrics: dict[str, Any] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        metrics["figures"], metrics["by"], metrics["errors"]
    except OSError:
        raise ReportProblem(f"{folder}: no metrics.json; name a folder that gennx-eval has scored") from None
    except (ValueError, KeyError, TypeError):
        raise ReportProblem(f"{folder / 'metrics.json'}: damaged; score again with gennx-eval --predictions") from None
    return metrics


def records(folder: Path) -> Iterator[dict[str, Any]]:
    """Judgements of a folder. Raises ReportProblem naming the line."""
    path = folder / "records.jsonl"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        raise ReportProblem(f"{folder}: no records.jsonl; score again with gennx-eval --predictions") from None
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            row["right"], row["calls"]
        except (ValueError, KeyError, TypeError):
            raise ReportProblem(f"{path}:{number}: is no judgement") from None
        yield row


def label(metrics: dict[str, Any]) -> str:
    """What tells evaluations apart: model or models, split, tools, mode. A file of predictions goes by its name, or by its folder's if that is all that tells."""
    paths = [Path(name) for name in str(metrics.get("model", "?")).split(" beside ")]
    model = " beside ".join(path.parent.name if path.name == "predictions.jsonl" else path.name for path in paths)
    split = Path(str(metrics.get("split", ""))).stem
    parts = [model, split, str(metrics.get("tools", "")), str(metrics.get("mode", ""))]
    return " · ".join(p for p in parts if p and p not in ("given", "predictions"))


def example(row: dict[str, Any]) -> dict[str, Any]:
    """A failed turn for a reader."""
    kept = {key: row[key] for key in ("id", "turn", "expect", "labels", "gold", "found", "differences")}
    return kept | {"user": row["user"][:800], "text": "" if row["found"] else row["text"][:600]}


def examples(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Failed turns by endpoint; turns without a true call under their kind."""
    out: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in records(folder):
        if row["right"]:
            continue
        places = {c["endpoint"] for c in row["calls"] if not c["exact"]} or {row["kind"] or row["expect"]}
        for place in places:
            if len(out[place]) < EXAMPLES_EACH:
                out[place].append(example(row))
    return dict(out)


def curves(evaluations: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Exact turns by number of tools and by prompt length: a line for each model, mode and split, its evaluations put
    together."""
    out: dict[str, list[dict[str, Any]]] = {}
    for name in CURVES:
        lines: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
        for metrics in evaluations:
            series = label({**metrics, "tools": ""})
            for value, figures in metrics["by"].get(name, {}).items():
                figure = figures["exact_call"]
                if figure["n"]:
                    lines[series][value][0] += round(figure["value"] * figure["n"])
                    lines[series][value][1] += figure["n"]
        out[name] = [
            {
                "name": series,
                "points": [{"x": x, **wilson(*counts)} for x, counts in sorted(points.items(), key=_by_number)],
            }
            for series, points in lines.items()
        ]
    return out


def _by_number(entry: tuple[str, Any]) -> tuple[bool, int]:
    name = entry[0]
    return name.startswith(">"), int("".join(c for c in name if c.isdigit()) or 0)


def summary(folders: Sequence[Path]) -> dict[str, Any]:
    """Everything the page shows, as plain data."""
    found = [read_evaluation(folder) for folder in folders]
    shown = []
    for folder, metrics in zip(folders, found, strict=True):
        kept = (
            "figures",
            "by",
            "errors",
            "confusion",
            "turns",
            "dialogues",
            "model",
            "split",
            "tools",
            "mode",
            "took",
            "rollout",
        )
        one = {key: metrics[key] for key in kept if key in metrics}
        shown.append({**one, "label": label(metrics), "examples": examples(folder)})
    names = [{"uri": e.uri, "tier": e.tier, "category": e.category, "ko": e.ko, "en": e.en} for e in load_catalogue()]
    return {"evaluations": shown, "endpoints": names, "labels": LABELS, "curves": curves(found)}


def evaluation_page(folders: Sequence[Path]) -> str:
    """The page of evaluation folders. Raises ReportProblem."""
    script = (files("gennx.reports") / "evaluation.js").read_text("utf-8")
    return page("evaluation.html.jinja", data=summary(folders), script=script)


def write_page(folders: Sequence[Path], out: Path | None = None) -> Path:
    """Write the page, whole or not at all, into the first folder unless told otherwise."""
    target = out or folders[0] / "evaluation.html"
    text = evaluation_page(folders)
    part = target.with_name(target.name + ".part")
    part.write_text(text, "utf-8", newline="\n")
    part.replace(target)
    return target


def endpoint_scores(folder: Path) -> dict[str, dict[str, float]]:
    """How each endpoint went: `{"exact": share, "cases": true calls}`, for the coverage page and for --focus."""
    by = read_evaluation(folder)["by"].get("endpoint", {})
    return {
        uri: {"exact": figures["calls_exact"]["value"], "cases": figures["calls_exact"]["n"]}
        for uri, figures in by.items()
    }
