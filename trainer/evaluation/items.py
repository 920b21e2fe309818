"""What is asked of a model: one item for each assistant turn of a dialogue, given the true turns before it.

Items are made from dialogues as gennx-gen writes them, or read from a prepared file (`gennx-eval --prepare`), which
holds one item a line and needs neither catalogue nor emulator to be generated from.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gennx.trainer.data import Dialogue, read_file
from gennx.trainer.errors import TrainerError
from gennx.trainer.rendering import expected_calls

Call = dict[str, Any]
"""`{"name": ..., "arguments": {...}}`, as `parse_turn` returns it."""
Key = tuple[str, int]
CALL, ABSTAIN, CLOSE = "call", "abstain", "close"
EXPECTATIONS = (CALL, ABSTAIN, CLOSE)


@dataclass(frozen=True, slots=True)
class Item:
    """A prompt that ends where the assistant writes, and what it should write.

    `turn` is the message's place in its dialogue. `expect`: call; abstain (a question back or a refusal, where no call
    has gone before); close (words after an answer of the program). `refused`: the program refuses the true call.
    """

    id: str
    turn: int
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]]
    gold: list[Call]
    expect: str
    said: str = ""
    refused: bool = False
    last: bool = False
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """What a prediction names it by."""
        return self.id, self.turn

    @property
    def offered(self) -> list[str]:
        """Names of the tools in the prompt."""
        return [tool["function"]["name"] for tool in self.tools]

    @property
    def user(self) -> str:
        """What the user said last."""
        return next((str(m["content"]) for m in reversed(self.messages) if m["role"] == "user"), "")


def expectation(messages: Sequence[dict[str, Any]], index: int) -> str:
    """What the assistant message at `index` does."""
    if messages[index].get("tool_calls"):
        return CALL
    return CLOSE if index and messages[index - 1]["role"] == "tool" else ABSTAIN


def is_refusal(message: dict[str, Any]) -> bool:
    """Whether a tool message is the program's refusal."""
    try:
        body = json.loads(message["content"])
    except (json.JSONDecodeError, TypeError):
        return False
    return isinstance(body, dict) and "error" in body


def items_of(dialogue: Dialogue, ident: str) -> list[Item]:
    """One item for each assistant turn of a dialogue."""
    messages = dialogue.messages
    turns = [index for index, message in enumerate(messages) if message["role"] == "assistant"]
    items = []
    for index in turns:
        answers = [m for m in messages[index + 1 : index + 1 + len(messages[index].get("tool_calls") or ())]]
        items.append(
            Item(
                id=ident,
                turn=index,
                messages=messages[:index],
                tools=dialogue.tools,
                gold=expected_calls(messages[index]),
                expect=expectation(messages, index),
                said=str(messages[index].get("content") or ""),
                refused=any(is_refusal(m) for m in answers if m["role"] == "tool"),
                last=index == turns[-1],
                meta=dialogue.meta,
            )
        )
    return items


def from_dialogues(dialogues: Iterable[Dialogue]) -> list[Item]:
    """Items of all dialogues, each under its own id. Raises TrainerError for an id that occurs twice."""
    items: list[Item] = []
    seen: dict[str, str] = {}
    for number, dialogue in enumerate(dialogues, 1):
        ident = str(dialogue.meta.get("id") or f"row-{number}")
        if ident in seen:
            raise TrainerError(f"{dialogue.where}: the id {ident!r} is that of {seen[ident]} too", "give each its own")
        seen[ident] = dialogue.where
        items += items_of(dialogue, ident)
    return items


def write_items(items: Iterable[Item], path: Path) -> None:
    """A prepared file, whole or not at all."""
    part = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    with part.open("w", encoding="utf-8", newline="\n") as out:
        for item in items:
            out.write(json.dumps(asdict(item), ensure_ascii=False, separators=(",", ":")) + "\n")
    part.replace(path)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open(encoding="utf-8") as lines:
            yield from ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    except OSError as error:
        raise TrainerError(f"{path}: {error.strerror}", "check the path") from None
    except UnicodeDecodeError:
        raise TrainerError(f"{path}: not UTF-8 text", "save it as UTF-8") from None


def read_items(path: Path) -> list[Item]:
    """Items of a prepared file, or of a file of dialogues. Raises TrainerError with file and line."""
    first = next(_lines(path), None) if path.suffix != ".parquet" else None
    if path.suffix != ".parquet" and first is None:
        raise TrainerError(f"{path}: nothing in it", "give a file of dialogues or of prepared items")
    if first is None or '"gold"' not in first[1] or '"expect"' not in first[1]:
        return from_dialogues(read_file(path))
    items = []
    for number, line in _lines(path):
        try:
            items.append(Item(**json.loads(line)))
        except (json.JSONDecodeError, TypeError) as error:
            raise TrainerError(f"{path}:{number}: no prepared item ({error})", "make the file again") from None
    return items


def find_split(data: Path, split: str) -> Path:
    """The file of a split: a name within the data folder, or a path of its own. Raises TrainerError."""
    if data.is_file():
        return data
    direct = Path(split)
    if direct.suffix in (".jsonl", ".parquet"):
        if direct.is_file():
            return direct
        raise TrainerError(f"--split {split}: no such file", "give a split such as test, or an existing file")
    if not data.is_dir():
        raise TrainerError(f"--data {data}: no such folder or file", "give the folder that gennx-gen wrote")
    for suffix in (".jsonl", ".parquet"):
        if (data / f"{split}{suffix}").is_file():
            return data / f"{split}{suffix}"
    have = ", ".join(sorted(p.stem for p in data.glob("*.jsonl"))) or "none"
    raise TrainerError(f"--split {split}: {data} has no {split}.jsonl", f"it has: {have}")
