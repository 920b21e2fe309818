"""Our verdict on single and parallel calls held against that of `bfcl-eval`'s AST matcher (Berkeley leaderboard).

The matcher takes flat arguments: at the top and one level below it compares with allowed values, deeper down it falls
back to Python's equality. Where the two part, `reason` says why; there are four reasons, and the tests hold that there
is no fifth.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from gennx.trainer.evaluation.comparing import all_exact, held_against, leaves, names_agree
from gennx.trainer.evaluation.items import Call

KINDS = ("single", "parallel")
REASONS = {
    "default": "a default said by one side only: the same call to us, another to BFCL",
    "order": "numbers of a set in another order: the same to us, another list to BFCL",
    "tolerance": "numbers within 1e-6: the same to us, not to BFCL",
    "spelling": "strings apart in case, spaces or ,./-_*^ alone: the same to BFCL, not to us (D-1 is not d1)",
}
_LOOSE = re.compile(r"[ ,./\-_*^]")
Matcher = Callable[[Sequence[Call], Sequence[Call]], bool]


def load_matcher() -> Matcher:
    """BFCL's matcher over calls of ours. Raises ModuleNotFoundError if `bfcl-eval` is not installed."""
    name = "bfcl_eval.constants.model_config"
    if name not in sys.modules:  # it imports a client of every vendor, for a table that names with a dot alone need
        stand_in = ModuleType(name)
        stand_in.MODEL_CONFIG_MAPPING = {}  # type: ignore[attr-defined]
        sys.modules[name] = stand_in
    from bfcl_eval.constants.enums import Language
    from bfcl_eval.eval_checker.ast_eval.ast_checker import parallel_function_checker_no_order

    def matches(gold: Sequence[Call], found: Sequence[Call]) -> bool:
        described = [description(gold, name) for name in {call["name"] for call in gold}]
        answers = [{call["name"]: {k: [_allowed(v)] for k, v in call["arguments"].items()}} for call in gold]
        written = [{call["name"]: call["arguments"]} for call in found]
        return bool(parallel_function_checker_no_order(described, written, answers, Language.PYTHON, "")["valid"])

    return matches


def description(gold: Sequence[Call], name: str) -> dict[str, Any]:
    """A function of BFCL's form with the parameters that the true calls use."""
    properties = {k: _type(v) for call in gold if call["name"] == name for k, v in call["arguments"].items()}
    return {"name": name, "parameters": {"type": "dict", "properties": properties, "required": []}}


def _type(value: Any) -> dict[str, Any]:
    if isinstance(value, list):
        return {"type": "array", "items": _type(value[0]) if value else {"type": "integer"}}
    for kind, name in ((bool, "boolean"), (dict, "dict"), (str, "string"), (int, "integer"), (float, "float")):
        if isinstance(value, kind):
            return {"type": name}
    return {"type": "any"}


def _allowed(value: Any) -> Any:
    """A true value in BFCL's form: the fields of an object each with a list of allowed values."""
    if isinstance(value, dict):
        return {key: [inner] for key, inner in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [_allowed(inner) for inner in value]
    return value


def reason(gold: Sequence[Call], found: Sequence[Call]) -> str:
    """Why our verdict and BFCL's differ on these calls; empty where none of the known reasons holds."""
    if not all_exact(gold, found):
        return "spelling" if all_exact(_loosened(gold), _loosened(found)) else ""
    if not names_agree(gold, found):
        return ""
    for one in gold:
        other = next((c for c in found if c["name"] == one["name"] and not held_against(one, c).differences), None)
        if other is None or one["arguments"] == other["arguments"]:
            continue
        mine, theirs = leaves(one), leaves(other)
        if any(mine[p].implied != theirs[p].implied for p in mine):
            return "default"
        return "order" if all(mine[p].value == theirs[p].value for p in mine) else "tolerance"
    return ""


def _loosened(calls: Sequence[Call]) -> list[Call]:
    def loose(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: loose(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [loose(inner) for inner in value]
        return _LOOSE.sub("", value).lower() if isinstance(value, str) else value

    return [{"name": call["name"], "arguments": loose(call["arguments"])} for call in calls]
