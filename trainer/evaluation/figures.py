"""Figures of an evaluation, each with its 95 % interval: the whole, and by every way of slicing it.

Shares have Wilson's interval; means and ratios of sums a bootstrap over turns (1,000 resamples, fixed seed). What there
is nothing to count of has no value rather than 0.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from gennx.trainer.evaluation.items import ABSTAIN, CALL, CLOSE
from gennx.trainer.evaluation.judging import Judgement

Z = 1.959963984540054
RESAMPLES = 1000
ABSTAIN_KINDS = ("no_tool", "clarify", "guard")
PROMPT_STEPS = (512, 1024, 1536, 2048, 3072, 4096, 8192)
Figure = dict[str, Any]
"""`{"value", "low", "high", "n"}`: value None where n is 0."""


def wilson(right: int, total: int) -> Figure:
    """A share with Wilson's 95 % interval."""
    if not total:
        return {"value": None, "low": None, "high": None, "n": 0}
    share = right / total
    middle = share + Z * Z / (2 * total)
    spread = Z * math.sqrt(share * (1 - share) / total + Z * Z / (4 * total * total))
    scale = 1 + Z * Z / total
    low, high = (middle - spread) / scale, (middle + spread) / scale
    return {"value": share, "low": max(0.0, min(low, share)), "high": min(1.0, max(high, share)), "n": total}


def share_of(verdicts: Iterable[bool | None]) -> Figure:
    """The share of true verdicts among those that were measured."""
    measured = [v for v in verdicts if v is not None]
    return wilson(sum(measured), len(measured))


def bootstrap(rows: Sequence[Sequence[float]], value: Callable[[Any], Any]) -> Figure:
    """`value` of the column sums, with a bootstrap interval over rows.

    `value` takes sums of shape (resamples, columns) and gives one number each; not-a-number where it has none.
    """
    table = np.asarray(rows, dtype=float)
    none: Figure = {"value": None, "low": None, "high": None, "n": 0}
    if not len(table):
        return none
    with np.errstate(divide="ignore", invalid="ignore"):
        whole = float(value(table.sum(axis=0)[None])[0])
        if math.isnan(whole):
            return none
        weights = np.random.default_rng(0).multinomial(len(table), np.full(len(table), 1 / len(table)), RESAMPLES)
        drawn = value(weights @ table)
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return {"value": whole, "low": float(low), "high": float(high), "n": len(table)}


def ratio(pairs: Iterable[tuple[float, float]]) -> Figure:
    """Sum of the first over sum of the second, bootstrapped."""
    return bootstrap([p for p in pairs if p[1]], lambda s: s[:, 0] / s[:, 1])


def counted(pairs: Iterable[tuple[int, int]]) -> Figure:
    """Sum of the first over sum of the second, both counts of the same things, with Wilson's interval."""
    rows = list(pairs)
    return wilson(sum(p[0] for p in rows), sum(p[1] for p in rows))


def mean(values: Iterable[float | None]) -> Figure:
    """A mean with its bootstrap interval."""
    return bootstrap([(v, 1.0) for v in values if v is not None], lambda s: s[:, 0] / s[:, 1])


def percentile(values: Iterable[float | None], share: float) -> Figure:
    """A percentile of what was measured, without an interval."""
    known = [v for v in values if v is not None]
    value = float(np.percentile(known, 100 * share)) if known else None
    return {"value": value, "low": None, "high": None, "n": len(known)}


def balanced(a: Figure, b: Figure) -> Figure:
    """The mean of two shares of different turns, with the interval of independent shares."""
    if a["value"] is None or b["value"] is None:
        return {"value": None, "low": None, "high": None, "n": a["n"] + b["n"]}
    value = (a["value"] + b["value"]) / 2
    down = math.hypot(a["value"] - a["low"], b["value"] - b["low"]) / 2
    up = math.hypot(a["high"] - a["value"], b["high"] - b["value"]) / 2
    return {"value": value, "low": value - down, "high": value + up, "n": a["n"] + b["n"]}


def original_four(calling: Sequence[Judgement]) -> dict[str, Figure]:
    """The original system's figures over the turns that should call; parsed calls alone are counted, as there."""
    return {
        "tool_name_accuracy": share_of(j.original_names for j in calling),
        "parameter_accuracy": ratio(j.original_keys for j in calling),
        "json_validity_rate": counted(j.original_valid for j in calling),
        "hallucination_rate": counted((n - known, n) for known, n in (j.original_known for j in calling)),
    }


def dialogues(judged: Sequence[Judgement]) -> dict[str, bool]:
    """Whether all turns of each dialogue were right."""
    out: dict[str, bool] = {}
    for j in judged:
        out[j.id] = out.get(j.id, True) and j.right
    return out


def figures(judged: Sequence[Judgement]) -> dict[str, Figure]:
    """Every figure of a set of turns, in the order to be shown."""
    calling = [j for j in judged if j.expect == CALL]
    quiet = [j for j in judged if j.expect == ABSTAIN]
    must_call = share_of(j.called and not j.malformed for j in calling)
    abstention = share_of(j.right for j in quiet)
    leaves = [(j.matching, j.found_leaves, j.wanted_leaves) for j in calling]
    kinds = {j.id: j.kind for j in judged}
    whole = dialogues(judged)
    return {
        "exact_call": share_of(j.exact for j in calling),
        "calls_exact": share_of(c.exact for j in calling for c in j.calls),
        "right_tool": share_of(j.names for j in calling),
        "leaf_precision": ratio((m, f) for m, f, _ in leaves),
        "leaf_recall": ratio((m, w) for m, _, w in leaves),
        "leaf_f1": bootstrap(leaves, lambda s: 2 * s[:, 0] / (s[:, 1] + s[:, 2])),
        "well_formed": share_of(not j.malformed for j in judged),
        "schema_valid": counted((j.valid_calls, j.found_calls) for j in judged),
        "offered_tool": counted((j.offered_calls, j.found_calls) for j in judged),
        "ran": share_of(j.ran for j in calling),
        "same_end": share_of(j.same_end for j in calling),
        "abstention": abstention,
        **{f"abstention_{k}": share_of(j.right for j in quiet if j.kind == k) for k in ABSTAIN_KINDS},
        "must_call": must_call,
        "balanced": balanced(abstention, must_call),
        "closing": share_of(j.right for j in judged if j.expect == CLOSE),
        "dialogue_exact": share_of(whole.values()),
        "chain_exact": share_of(ok for ident, ok in whole.items() if kinds[ident] == "chain"),
        **original_four(calling),
        "latency_mean_s": mean(j.latency_s for j in judged),
        "latency_p50_s": percentile((j.latency_s for j in judged), 0.5),
        "latency_p95_s": percentile((j.latency_s for j in judged), 0.95),
        "tokens_written": mean(j.tokens for j in judged),
    }


def prompt_step(tokens: int | None) -> str:
    """The band of prompt lengths that a prompt falls into."""
    if tokens is None:
        return ""
    return next((f"<= {step}" for step in PROMPT_STEPS if tokens <= step), f"> {PROMPT_STEPS[-1]}")


SLICES: dict[str, Callable[[Judgement], str]] = {
    "tier": lambda j: j.tier,
    "kind": lambda j: j.kind,
    "language": lambda j: j.language,
    "variant": lambda j: f"{j.calls[0].endpoint} {j.variant}" if j.calls and j.variant else "",
    "prompt_tokens": lambda j: prompt_step(j.prompt_tokens),
    "tools": lambda j: str(j.tools),
}


def small(judged: Sequence[Judgement]) -> dict[str, Figure]:
    """The figures of a slice: enough to see where it hurts."""
    calling = [j for j in judged if j.expect == CALL]
    return {
        "exact_call": share_of(j.exact for j in calling),
        "right_tool": share_of(j.names for j in calling),
        "abstention": share_of(j.right for j in judged if j.expect == ABSTAIN),
        "dialogue_exact": share_of(dialogues(judged).values()),
    }


def _order(name: str) -> tuple[int, str]:
    digits = "".join(c for c in name if c.isdigit())
    return (int(digits), name) if digits else (0, name)


def breakdowns(judged: Sequence[Judgement]) -> dict[str, dict[str, dict[str, Figure]]]:
    """Figures of every slice by its name, then by its value; turns without the property are in none."""
    out = {}
    for name, key in SLICES.items():
        groups: dict[str, list[Judgement]] = defaultdict(list)
        for j in judged:
            if key(j):
                groups[key(j)].append(j)
        out[name] = {value: small(groups[value]) for value in sorted(groups, key=_order)}
    for name in ("endpoint", "method"):
        verdicts: dict[str, list[bool]] = defaultdict(list)
        for j in judged:
            for call in j.calls:
                verdicts[getattr(call, name)].append(call.exact)
        out[name] = {value: {"calls_exact": share_of(verdicts[value])} for value in sorted(verdicts)}
    return out


def taxonomy(judged: Sequence[Judgement]) -> dict[str, int]:
    """Turns with each kind of error, the most frequent first."""
    return dict(Counter(label for j in judged for label in j.labels).most_common())


def confusion(judged: Sequence[Judgement], most: int = 40) -> list[dict[str, Any]]:
    """The most frequent pairs of a wanted tool and the other tool that was called."""
    pairs = Counter(
        (f"{c.method} /{c.endpoint.lower()}", c.got) for j in judged for c in j.calls
        if c.got and c.got != next((g["name"] for g in j.gold if g["name"] == c.got), None)
    )  # fmt: skip
    return [{"wanted": w, "got": g, "count": n} for (w, g), n in pairs.most_common(most)]


def summary(judged: Sequence[Judgement]) -> dict[str, Any]:
    """metrics.json without what is known of the run: figures, slices, errors, confusions."""
    return {
        "turns": len(judged),
        "dialogues": len({j.id for j in judged}),
        "figures": figures(judged),
        "by": breakdowns(judged),
        "errors": taxonomy(judged),
        "confusion": confusion(judged),
    }
