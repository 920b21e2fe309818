"""From dialogues to rows of tokens and labels, and the report of what will be learned.

Nothing is cut: a dialogue over the limit is left out and reported. The run stops if too many are, if a row has nothing
to learn, or if a rendered call does not parse back to the object that was meant.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from gennx.trainer.data import Dialogue
from gennx.trainer.errors import TrainerError
from gennx.trainer.rendering import Rendered, Renderer, RenderProblem, expected_calls, parse_turn

MANY = 2000
"""Dialogues from which on several processes share the work."""
MOST_WORKERS = 32


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A dialogue that is not trained on, and why."""

    where: str
    endpoint: str
    reason: str
    tokens: int


@dataclass(slots=True)
class Rows:
    """Rendered dialogues of one split. Index i of `rendered` and `dialogues` belong together."""

    rendered: list[Rendered] = field(default_factory=list)
    dialogues: list[Dialogue] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    calls: int = 0

    @property
    def tokens(self) -> int:
        """Tokens of all rows."""
        return sum(len(row.ids) for row in self.rendered)

    @property
    def trained_tokens(self) -> int:
        """Tokens that the loss is taken on."""
        return sum(sum(row.trained) for row in self.rendered)

    def columns(self) -> dict[str, list[list[int]]]:
        """`input_ids` and `labels`, as TRL takes them without preparing anything itself."""
        return {"input_ids": [row.ids for row in self.rendered], "labels": [row.labels for row in self.rendered]}


def check_rendered(row: Rendered, dialogue: Dialogue, renderer: Renderer) -> int:
    """Every trained turn must read back as the message it came from; returns the number of calls checked.

    Raises TrainerError for an all-masked row, a doubly quoted call, or any other difference.
    """
    if not any(row.trained):
        raise TrainerError(f"{dialogue.where}: no token of this row would be trained", "check the chat template")
    messages = [message for message in dialogue.messages if message["role"] == "assistant"]
    calls = 0
    for message, (start, end) in zip(messages, row.turns, strict=True):
        text = renderer.decode(row.ids[start:end])
        turn, wanted = parse_turn(text[: -len(renderer.end_token)]), expected_calls(message)
        if any(call["arguments"] is None or isinstance(call["arguments"], str) for call in wanted) or turn.problems:
            problem = turn.problems[0] if turn.problems else "arguments are quoted twice"
            raise TrainerError(
                f"{dialogue.where}: a rendered call does not read back: {problem}",
                "the chat template must write arguments as a plain JSON object",
            )
        if turn.calls != wanted:
            raise TrainerError(
                f"{dialogue.where}: rendered calls {turn.calls} are not the intended {wanted}",
                "check the chat template",
            )
        calls += len(wanted)
    return calls


def prepare_one(dialogue: Dialogue, renderer: Renderer, max_length: int) -> tuple[Rendered, int] | LeftOut:
    """A dialogue as tokens with the number of its calls, checked; or why it is left out. Raises TrainerError."""
    try:
        row = renderer.render(dialogue)
    except RenderProblem as problem:
        return LeftOut(dialogue.where, dialogue.endpoint, str(problem), 0)
    if len(row.ids) > max_length:
        return LeftOut(dialogue.where, dialogue.endpoint, f"longer than {max_length} tokens", len(row.ids))
    return row, check_rendered(row, dialogue, renderer)


def prepare(dialogues: list[Dialogue], renderer: Renderer, max_length: int) -> Rows:
    """Render and check every dialogue; those over `max_length` tokens are left out, with their reason."""
    rows = Rows()
    for dialogue, made in zip(dialogues, _prepared(dialogues, renderer, max_length), strict=True):
        if isinstance(made, LeftOut):
            rows.left_out.append(made)
            continue
        row, calls = made
        rows.calls += calls
        rows.rendered.append(row)
        rows.dialogues.append(dialogue)
    return rows


def _prepared(
    dialogues: Sequence[Dialogue], renderer: Renderer, max_length: int
) -> Iterator[tuple[Rendered, int] | LeftOut]:
    """In order; by several processes where that saves more than starting them costs."""
    workers = min(max(1, (os.cpu_count() or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))), MOST_WORKERS)
    if len(dialogues) < MANY or workers == 1 or sys.platform == "win32":  # processes start slowly there
        for dialogue in dialogues:
            yield prepare_one(dialogue, renderer, max_length)
        return
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # threads of its own would not survive the fork
    with ProcessPoolExecutor(
        workers, multiprocessing.get_context("fork"), initializer=_keep, initargs=(renderer, max_length)
    ) as pool:
        yield from pool.map(_prepare_kept, dialogues, chunksize=64)


_kept: list[Any] = []


def _keep(renderer: Renderer, max_length: int) -> None:
    _kept[:] = [renderer, max_length]


def _prepare_kept(dialogue: Dialogue) -> tuple[Rendered, int] | LeftOut:
    return prepare_one(dialogue, *_kept)


def refuse_too_many_left_out(rows: Rows, limit: float, split: str) -> None:
    """Stop the run if more than the share `limit` of a split was left out, or everything was."""
    left, total = len(rows.left_out), len(rows.left_out) + len(rows.rendered)
    if left and (left > limit * total or not rows.rendered):
        worst = rows.left_out[0]
        raise TrainerError(
            f"{split}: {left} of {total} dialogues would be left out (e.g. {worst.where}: "
            f"{worst.tokens or '?'} tokens, {worst.reason}), more than the {limit:.0%} allowed",
            "raise training.max_length or training.left_out_limit",
        )


def in_words(text: str) -> str:
    """A token's text, with what cannot be seen spelled out."""
    return repr(text).replace("'", "")


def report_lines(rows: Rows, renderer: Renderer, split: str) -> list[str]:
    """What will be learned from a split, for a person to read before the first step."""
    share = rows.trained_tokens / rows.tokens
    lines = [
        f"{split}: {len(rows.rendered):,} dialogues, {rows.tokens:,} tokens (longest "
        f"{max(len(row.ids) for row in rows.rendered):,}), trained on {rows.trained_tokens:,} = {share:.1%}",
        f"{split}: every one of {rows.calls:,} rendered calls reads back as the intended JSON object",
    ]
    row = rows.rendered[0]
    start, end = row.turns[0]
    learned = in_words(renderer.decode(row.ids[start:end])[:160])
    begins, ends = (in_words(renderer.decode([row.ids[place]])) for place in (start, row.turns[-1][1] - 1))
    where = rows.dialogues[0].where
    lines.append(f"{split}: sample {where}: first trained token {begins}, last {ends}; learns to write {learned}")
    for endpoint, count in Counter(item.endpoint for item in rows.left_out).most_common(8):
        first = next(item for item in rows.left_out if item.endpoint == endpoint)
        lines.append(
            f"{split}: left out: {count} of {endpoint} ({first.reason}; e.g. {first.where}, {first.tokens} tokens)"
        )
    return lines


def report_record(rows: Rows) -> dict[str, Any]:
    """The same as data, for metrics.json."""
    return {
        "dialogues": len(rows.rendered),
        "tokens": rows.tokens,
        "trained_tokens": rows.trained_tokens,
        "calls_checked": rows.calls,
        "left_out": dict(Counter(item.endpoint for item in rows.left_out)),
    }
