"""From dialogues to rows of tokens and labels, and the report of what will be learned.

Nothing is cut: a dialogue over the limit is left out and reported. The run stops if too many are, if a row has nothing
to learn, or if a rendered call does not parse back to the object that was meant.
"""

from __future__ import annotations

import atexit
import itertools
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gennx.trainer.data import Dialogue, Source
from gennx.trainer.errors import TrainerError
from gennx.trainer.rendering import NOT_TRAINED, Rendered, Renderer, RenderProblem, expected_calls, parse_turn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int32]

MANY = 2000
"""Dialogues from which on several processes share the work."""
MOST_WORKERS = 64
CHUNK = 64
"""Dialogues that a process takes at a time."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A dialogue that is not trained on, and why."""

    where: str
    endpoint: str
    reason: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Row:
    """A dialogue to train on: token ids (tokens,), and the trained spans [start, end) as (turns, 2)."""

    ids: Integers
    turns: Integers
    where: str
    calls: int


@dataclass(slots=True)
class Rows:
    """Dialogues of one split as tokens, in the order of their source."""

    rendered: list[Row] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    @property
    def calls(self) -> int:
        """Calls in all rows, each read back."""
        return sum(row.calls for row in self.rendered)

    @property
    def tokens(self) -> int:
        """Tokens of all rows."""
        return sum(len(row.ids) for row in self.rendered)

    @property
    def trained_tokens(self) -> int:
        """Tokens that the loss is taken on."""
        return sum(int((row.turns[:, 1] - row.turns[:, 0]).sum()) for row in self.rendered)

    def arrays(self) -> tuple[Integers, Integers, NDArray[np.int64]]:
        """Ids and labels of all rows in a line, (tokens,) each, and where rows begin and end, (rows + 1,).

        Labels are the ids where trained and -100 elsewhere; the model shifts them by one itself.
        """
        starts = np.concatenate([[0], np.cumsum([len(row.ids) for row in self.rendered])]).astype(np.int64)
        ids = np.concatenate([row.ids for row in self.rendered])
        labels = np.full(len(ids), NOT_TRAINED, np.int32)
        for row, start in zip(self.rendered, starts, strict=False):
            for first, end in row.turns:
                labels[start + first : start + end] = row.ids[first:end]
        return ids, labels, starts

    def save(self, path: Path) -> None:
        """Write all of it for `load`, whole or not at all."""
        partial = path.with_name(path.name + ".partial")
        notes = {
            "where": [row.where for row in self.rendered],
            "calls": [row.calls for row in self.rendered],
            "left_out": [asdict(item) for item in self.left_out],
        }
        with partial.open("wb") as stream:
            np.savez(
                stream,
                ids=np.concatenate([row.ids for row in self.rendered] or [np.empty(0, np.int32)]),
                lengths=np.array([len(row.ids) for row in self.rendered], np.int64),
                turns=np.concatenate([row.turns for row in self.rendered] or [np.empty((0, 2), np.int32)]),
                counts=np.array([len(row.turns) for row in self.rendered], np.int64),
                notes=np.frombuffer(json.dumps(notes, ensure_ascii=False).encode(), np.uint8),
            )
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> Rows:
        """What `save` wrote."""
        with np.load(path) as stored:
            notes = json.loads(stored["notes"].tobytes())
            ids = np.split(stored["ids"], np.cumsum(stored["lengths"])[:-1])
            turns = np.split(stored["turns"], np.cumsum(stored["counts"])[:-1])
        rows = [Row(*row) for row in zip(ids, turns, notes["where"], notes["calls"], strict=False)]
        return cls(rows[: len(notes["where"])], [LeftOut(**item) for item in notes["left_out"]])


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


def prepare_one(source: Source, renderer: Renderer, max_length: int) -> Row | LeftOut:
    """A dialogue as tokens, checked; or why it is left out. Raises TrainerError."""
    dialogue = source.parse()
    try:
        row = renderer.render(dialogue)
    except RenderProblem as problem:
        return LeftOut(dialogue.where, dialogue.endpoint, str(problem), 0)
    if len(row.ids) > max_length:
        return LeftOut(dialogue.where, dialogue.endpoint, f"longer than {max_length} tokens", len(row.ids))
    calls = check_rendered(row, dialogue, renderer)
    return Row(np.array(row.ids, np.int32), np.array(row.turns, np.int32).reshape(-1, 2), dialogue.where, calls)


def prepare(sources: Sequence[Source], renderer: Renderer, max_length: int) -> Rows:
    """Render and check every dialogue; those over `max_length` tokens are left out, with their reason."""
    rows = Rows()
    for made in _spread(_prepare_kept, len(sources), [sources, renderer, max_length]):
        if isinstance(made, LeftOut):
            rows.left_out.append(made)
        else:
            rows.rendered.append(made)
    return rows


def is_first_here() -> bool:
    """Whether this is the first of the processes that a launcher started on this machine, or the only one."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def prepare_together(sources: Sequence[Source], renderer: Renderer, max_length: int, name: str) -> Rows:
    """`prepare` for processes that a launcher started side by side: the first of a machine does the work for all.

    The others wait for its file, which is called after their common parent and removed when the first one ends; if it
    fails, the launcher stops them.
    """
    if int(os.environ.get("LOCAL_WORLD_SIZE", "1")) == 1:
        return prepare(sources, renderer, max_length)
    path = Path(tempfile.gettempdir()) / f"gennx-rows-{os.getppid()}-{name}-{max_length}.npz"
    if is_first_here():
        rows = prepare(sources, renderer, max_length)
        rows.save(path)
        atexit.register(path.unlink, missing_ok=True)
        return rows
    while not path.is_file():
        time.sleep(0.2)
    return Rows.load(path)


def parse_all(sources: Sequence[Source]) -> None:
    """Parse every line, so that a bad one is named before anything is fetched or rendered. Raises TrainerError."""
    for _ in _spread(_parse_kept, len(sources), [sources]):
        pass


def _spread(work: Callable[[int], list[Any]], count: int, kept: list[Any]) -> Iterator[Any]:
    """What `work` makes of each chunk of `kept`, in order; by several processes where that saves more than starting them costs."""
    workers, chunks = min(os.cpu_count() or 1, MOST_WORKERS), range(0, count, CHUNK)
    if count < MANY or workers == 1 or sys.platform == "win32":  # processes start slowly there
        _keep(kept)
        yield from itertools.chain.from_iterable(map(work, chunks))
        return
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # threads of its own would not survive the fork
    with ProcessPoolExecutor(
        workers, multiprocessing.get_context("fork"), initializer=_keep, initargs=(kept,)
    ) as pool:  # what is kept comes with the fork: only numbers and rows travel between processes
        yield from itertools.chain.from_iterable(pool.map(work, chunks))


_kept: list[Any] = []


def _keep(values: list[Any]) -> None:
    _kept[:] = values


def _parse_kept(start: int) -> list[Any]:
    for source in _kept[0][start : start + CHUNK]:
        source.parse()
    return []


def _prepare_kept(start: int) -> list[Row | LeftOut]:
    sources, renderer, max_length = _kept
    return [prepare_one(source, renderer, max_length) for source in sources[start : start + CHUNK]]


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
    ids, turns = row.ids.tolist(), row.turns.tolist()
    learned = in_words(renderer.decode(ids[slice(*turns[0])])[:160])
    begins, ends = (in_words(renderer.decode([ids[place]])) for place in (turns[0][0], turns[-1][1] - 1))
    lines.append(f"{split}: sample {row.where}: first trained token {begins}, last {ends}; learns to write {learned}")
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
