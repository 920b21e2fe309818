"""What changed from one evaluation to another: figures, endpoints, and single turns that were lost or won."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gennx.reports.coverage import ReportProblem
from gennx.reports.evaluation import endpoint_scores, label, read_evaluation, records

SHOWN = 15
SHARES = (
    "calls_exact", "right_tool", "exact_call", "same_end", "dialogue_exact", "must_call", "abstention", "balanced", "closing",
    "leaf_f1", "well_formed", "schema_valid", "offered_tool", "ran", "tool_name_accuracy", "parameter_accuracy",
    "json_validity_rate", "hallucination_rate",
)  # fmt: skip


def sign_test(won: int, lost: int) -> float:
    """Probability of so uneven a split of the turns that changed, were it chance (exact, two-sided)."""
    total = won + lost
    if not total:
        return 1.0
    tail = sum(math.comb(total, k) for k in range(min(won, lost) + 1)) / 2**total
    return float(min(1.0, 2 * tail))


def compare(a: Path, b: Path) -> dict[str, Any]:
    """From `a` to `b`. Turns are held against each other where both have them. Raises ReportProblem."""
    first, second = read_evaluation(a), read_evaluation(b)
    before = {(r["id"], r["turn"]): r for r in records(a)}
    after = {(r["id"], r["turn"]): r for r in records(b)}
    both = [key for key in before if key in after]
    if not both:
        raise ReportProblem(f"{a} and {b}: no turn in common; compare evaluations of the same data")
    won = [key for key in both if after[key]["right"] and not before[key]["right"]]
    lost = [key for key in both if before[key]["right"] and not after[key]["right"]]
    old, new = endpoint_scores(a), endpoint_scores(b)
    moved = {uri: new[uri]["exact"] - old[uri]["exact"] for uri in old if uri in new}
    return {
        "labels": (label(first), label(second)),
        "figures": {key: (first["figures"].get(key), second["figures"].get(key)) for key in SHARES},
        "errors": {
            k: (first["errors"].get(k, 0), second["errors"].get(k, 0)) for k in {**first["errors"], **second["errors"]}
        },
        "turns": len(both),
        "won": won,
        "lost": lost,
        "chance": sign_test(len(won), len(lost)),
        "endpoints": {uri: change for uri, change in sorted(moved.items(), key=lambda e: e[1]) if change},
        "examples": {key: after[key] for key in lost[:SHOWN]},
    }


def _share(figure: dict[str, Any] | None) -> str:
    return "–" if figure is None or figure["value"] is None else f"{figure['value']:.2%}"


def _figure_lines(figures: dict[str, Any]) -> list[str]:
    lines = []
    for key, (old, new) in figures.items():
        if old is None or new is None or old["value"] is None or new["value"] is None:
            continue
        apart = new["low"] > old["high"] or new["high"] < old["low"]
        change = new["value"] - old["value"]
        lines.append(
            f"{key:22s} {_share(old):>8s} → {_share(new):>8s}  {change:+8.2%}{'  intervals apart' if apart else ''}"
        )
    return lines


def _moved(endpoints: dict[str, float], names: Sequence[str], title: str) -> list[str]:
    return [f"{title}: " + ", ".join(f"{uri} {endpoints[uri]:+.0%}" for uri in names)] if names else []


def as_text(found: dict[str, Any]) -> str:
    """A comparison for a terminal."""
    a, b = found["labels"]
    endpoints = found["endpoints"]
    worse = [uri for uri in endpoints if endpoints[uri] < 0][:SHOWN]
    better = [uri for uri in reversed(endpoints) if endpoints[uri] > 0][:SHOWN]
    lines = [f"A {a}", f"B {b}", "", *_figure_lines(found["figures"]), ""]
    lines.append(
        f"of {found['turns']:,} turns {len(found['won']):,} were won and {len(found['lost']):,} lost "
        f"(sign test: p = {found['chance']:.2g})"
    )
    changed = sorted(found["errors"].items(), key=lambda e: e[1][1] - e[1][0])
    lines.append("errors: " + ", ".join(f"{name} {old} → {new}" for name, (old, new) in changed if old != new))
    lines += _moved(endpoints, better, "better") + _moved(endpoints, worse, "worse")
    for (ident, turn), row in found["examples"].items():
        lines.append(f"lost {ident} turn {turn} ({', '.join(row['labels'])}): {' '.join(row['user'].split())[:110]}")
    return "\n".join(lines)
