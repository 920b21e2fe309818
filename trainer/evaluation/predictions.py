"""What a model wrote, a line a turn: `{"id", "turn", "text" | "calls"}`, and if known `latency_s`, `tokens`, `cut` ...

`text` is the turn as written, without the end token; `calls` is for systems that answer with parsed calls. The file
grows while a model generates, so that an interrupted evaluation goes on where it stopped.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gennx.trainer.errors import TrainerError
from gennx.trainer.evaluation import original
from gennx.trainer.evaluation.items import Call, Key
from gennx.trainer.rendering import parse_turn

_CALL_LIKE = re.compile(r'</?tool_call|[{,]\s*"?(?:name|arguments|function)"?\s*:', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Prediction:
    """A turn that a model wrote. `problems`: calls that could not be read, each in words."""

    id: str
    turn: int
    content: str
    calls: list[Call]
    problems: list[str]
    original_calls: list[dict[str, Any]] = field(default_factory=list)
    text: str = ""
    latency_s: float | None = None
    tokens: int | None = None
    prompt_tokens: int | None = None
    cut: bool = False

    @property
    def key(self) -> Key:
        """The item that it answers."""
        return self.id, self.turn


def read_text(text: str) -> tuple[str, list[Call], list[str]]:
    """(content, calls, problems) of a written turn; JSON outside of call marks is a call that went wrong, not words."""
    turn = parse_turn(text)
    problems = list(turn.problems)
    if not problems and _CALL_LIKE.search(turn.content):
        problems.append("a call is not within <tool_call> and </tool_call>")
    return turn.content, turn.calls, problems


def _given_calls(raw: Any, where: str) -> tuple[list[Call], list[str]]:
    """Calls of a `calls` column: `{"name", "arguments"}` or OpenAI's form; arguments an object or its JSON text."""
    if not isinstance(raw, list):
        raise TrainerError(f"{where}: calls are a {type(raw).__name__}", "a list is expected")
    calls, problems = [], []
    for one in raw:
        function = one.get("function", one) if isinstance(one, dict) else {}
        arguments = function.get("arguments") if isinstance(function, dict) else None
        if isinstance(arguments, str):
            try:
                arguments = json.loads(arguments)
            except json.JSONDecodeError as error:
                problems.append(f"a call is not valid JSON: {error.msg}")
                continue
        if not isinstance(arguments, dict) or not isinstance(function.get("name"), str):
            problems.append("a call has no name or no arguments")
            continue
        calls.append({"name": function["name"], "arguments": arguments})
    return calls, problems


def parse_prediction(row: Any, where: str) -> Prediction:
    """One line as a prediction. Raises TrainerError naming it."""
    if not isinstance(row, dict) or "id" not in row or not isinstance(row.get("turn"), int):
        raise TrainerError(f"{where}: no id and turn", 'a line is {"id": ..., "turn": 2, "text": "..."}')
    if "calls" in row and "text" not in row:
        calls, problems = _given_calls(row["calls"], where)
        content = str(row.get("content") or "")
        theirs, text = [dict(call) for call in calls], content
    elif isinstance(row.get("text"), str):
        text = row["text"]
        content, calls, problems = read_text(text)
        theirs = original.parse(text)
    else:
        raise TrainerError(f"{where}: neither text nor calls", 'a line is {"id": ..., "turn": 2, "text": "..."}')
    return Prediction(
        str(row["id"]), row["turn"], content, calls, problems, theirs, text, row.get("latency_s"), row.get("tokens"),
        row.get("prompt_tokens"), bool(row.get("cut")),
    )  # fmt: skip


def read_rows(path: Path, growing: bool = False) -> list[dict[str, Any]]:
    """Lines of a prediction file. Of a growing one, a last line that a kill has cut short is dropped."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise TrainerError(f"--predictions {path}: {error.strerror}", "give a JSON Lines file") from None
    except UnicodeDecodeError:
        raise TrainerError(f"--predictions {path}: not UTF-8 text", "save it as UTF-8") from None
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError as error:
            if growing and number == len(lines):
                break
            raise TrainerError(f"{path}:{number}: not valid JSON ({error.msg})", "mend or remove the line") from None
    return rows


def read_predictions(path: Path) -> dict[Key, Prediction]:
    """Predictions of a file by item; a later line replaces an earlier one."""
    rows = read_rows(path)
    found = (parse_prediction(row, f"{path}:{number}") for number, row in enumerate(rows, 1))
    return {one.key: one for one in found}
