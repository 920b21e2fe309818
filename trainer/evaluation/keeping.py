"""The folder of an evaluation: what lies where, written as the evaluation goes on.

DIR/
  items.jsonl        what was asked (prepared items)
  predictions.jsonl  what was written, a line a turn, growing
  run.json           what was evaluated, on what, and what it took
  records.jsonl      one judgement a turn
  metrics.json       the figures
  evaluation.html    the same to look at
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from gennx.trainer.errors import TrainerError
from gennx.trainer.evaluation.items import Item, Key, write_items
from gennx.trainer.evaluation.predictions import read_rows

PREDICTIONS, ITEMS, RUN = "predictions.jsonl", "items.jsonl", "run.json"
RECORDS, METRICS = "records.jsonl", "metrics.json"
OURS = (PREDICTIONS, ITEMS, RUN, RECORDS, METRICS, "evaluation.html", "rollouts.jsonl")
MAY_DIFFER = frozenset({"data", "took", "rollout"})
"""Of run.json: where the same data lie, and what is added at the end."""


def write_json(path: Path, value: Any) -> None:
    """A JSON file, whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8", newline="\n")
    part.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file of an evaluation. Raises TrainerError."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainerError(f"{path}: {error.strerror}", "give a folder that gennx-eval wrote") from None
    except ValueError:
        raise TrainerError(f"{path}: damaged", "evaluate again") from None
    if not isinstance(value, dict):
        raise TrainerError(f"{path}: damaged", "evaluate again")
    return value


class Folder:
    """An evaluation under way."""

    def __init__(self, path: Path, what: dict[str, Any], overwrite: bool = False) -> None:
        """`what` names model, data and mode; a folder that holds another evaluation is refused. Raises TrainerError."""
        self.path = path
        if path.exists() and not path.is_dir():
            raise TrainerError(f"--out {path}: is a file", "name a folder")
        if overwrite:
            for name in OURS:
                (path / name).unlink(missing_ok=True)
        if (path / RUN).is_file():
            known = read_json(path / RUN)
            apart = [key for key in what if key not in MAY_DIFFER and known.get(key) != what[key]]
            if apart:
                raise TrainerError(
                    f"--out {path}: holds another evaluation ({apart[0]} {known.get(apart[0])!r}, not {what[apart[0]]!r})",
                    "name another folder, or pass --overwrite",
                )
            what = {**known, **what}
        elif path.is_dir() and any(entry.name not in OURS for entry in path.iterdir()):
            raise TrainerError(f"--out {path}: holds other files", "name a new folder")
        path.mkdir(parents=True, exist_ok=True)
        self.what = what
        write_json(path / RUN, what)
        self._stream: IO[str] | None = None

    def done(self) -> set[Key]:
        """Turns that are written already; a line cut short by a kill is taken out."""
        path = self.path / PREDICTIONS
        if not path.is_file():
            return set()
        rows = read_rows(path, growing=True)
        part = path.with_name(path.name + ".part")
        part.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), encoding="utf-8", newline="\n")
        part.replace(path)
        return {(str(row["id"]), int(row["turn"])) for row in rows}

    def keep(self, row: dict[str, Any]) -> None:
        """Append a prediction."""
        if self._stream is None:
            self._stream = (self.path / PREDICTIONS).open("a", encoding="utf-8", newline="\n")
        self._stream.write(json.dumps(row, ensure_ascii=False) + "\n")
        self._stream.flush()

    def close(self, took: dict[str, Any] | None = None) -> None:
        """End the writing; `took` is added to run.json, unless a resumed run has written nothing."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        if took and took.get("turns"):
            self.what["took"] = took
            write_json(self.path / RUN, self.what)

    def put_items(self, items: Sequence[Item]) -> None:
        """Keep what was asked beside what was answered."""
        write_items(items, self.path / ITEMS)
