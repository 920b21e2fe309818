"""The four figures of the original system, by its own rules, for comparison alone.

As in its `eval_metrics.py`: names of a sample agree as a sorted list; parameters are the keys at the top of
`arguments`, over calls whose name occurs on both sides, paired in order; a call that does not parse vanishes before
anything is counted; a tool counts as invented when no sample of the test offers it. An empty count gives 0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

Calls = Sequence[dict[str, Any]]
_CALL = re.compile(r"<tool_call>(.*?)</tool_call>", re.DOTALL)


def parse(text: str) -> list[dict[str, Any]]:
    """Calls that a model wrote; those that are no JSON object are dropped, as there."""
    calls = []
    for match in _CALL.findall(text):
        try:
            value = json.loads(match.strip())
        except ValueError:
            continue
        if isinstance(value, dict):
            calls.append(_normal(value))
    return calls


def _normal(value: dict[str, Any]) -> dict[str, Any]:
    """Name and arguments of a call in either form; arguments that are absent count as `{}` beside a plain name."""
    if "function" not in value and "name" in value:
        return {"name": value["name"], "arguments": value.get("arguments", "{}")}
    function = value.get("function")
    inner = function if isinstance(function, dict) else {}
    return {"name": inner.get("name", ""), "arguments": inner.get("arguments")}


def _arguments(call: dict[str, Any]) -> Any:
    raw = call["arguments"]
    if not isinstance(raw, str):
        return {} if raw is None else raw
    try:
        return json.loads(raw)
    except ValueError:
        return {}


def tool_name_accuracy(predictions: Sequence[Calls], references: Sequence[Calls]) -> float:
    """Share of samples whose names agree in any order."""
    pairs = list(zip(predictions, references, strict=True))
    right = sum(sorted(str(c["name"]) for c in p) == sorted(str(c["name"]) for c in r) for p, r in pairs)
    return right / len(pairs) if pairs else 0.0


def parameter_counts(predicted: Calls, reference: Calls) -> tuple[int, int]:
    """(keys that agree, keys on either side) of one sample."""
    matching = total = 0
    for name in {c["name"] for c in predicted} & {c["name"] for c in reference}:
        ours = [_arguments(c) for c in predicted if c["name"] == name]
        theirs = [_arguments(c) for c in reference if c["name"] == name]
        for found, wanted in zip(ours, theirs, strict=False):
            if isinstance(found, dict) and isinstance(wanted, dict):
                total += len(found.keys() | wanted.keys())
                matching += sum(key in wanted and found[key] == wanted[key] for key in found)
    return matching, total


def parameter_accuracy(predictions: Sequence[Calls], references: Sequence[Calls]) -> float:
    """Keys at the top of `arguments` that agree, of all keys on either side."""
    counts = [parameter_counts(p, r) for p, r in zip(predictions, references, strict=True)]
    total = sum(t for _, t in counts)
    return sum(m for m, _ in counts) / total if total else 0.0


def has_valid_arguments(call: dict[str, Any]) -> bool:
    """Whether `arguments` are an object, or the text of one."""
    raw = call["arguments"]
    try:
        return isinstance(json.loads(raw) if isinstance(raw, str) else raw, dict)
    except ValueError:
        return False


def json_validity_rate(predictions: Iterable[Calls]) -> float:
    """Share of parsed calls whose arguments are an object."""
    verdicts = [has_valid_arguments(call) for calls in predictions for call in calls]
    return sum(verdicts) / len(verdicts) if verdicts else 0.0


def hallucination_rate(predictions: Iterable[Calls], available: Iterable[str]) -> float:
    """Share of parsed calls to a tool that no sample of the test offers."""
    known = set(available)
    verdicts = [call["name"] not in known for calls in predictions for call in calls]
    return sum(verdicts) / len(verdicts) if verdicts else 0.0
