"""Reading dialogues: JSON Lines as generated, a Parquet file, or a hub data set in TRL's tool-calling format.

Every line becomes a `Dialogue` with the arguments of its calls parsed to objects. What cannot be read stops the run
with the file, the line and the reason.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gennx.trainer.errors import TrainerError

ROLES = ("system", "user", "assistant", "tool")
SPLITS = ("train", "eval", "test")


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One dialogue in the chat template's own terms: `arguments` are objects, `tools` a list of definitions."""

    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]]
    meta: dict[str, Any] = field(default_factory=dict)
    where: str = "?"

    @property
    def endpoint(self) -> str:
        """The endpoint of the meta column, or of the first call, for reports."""
        return str(self.meta.get("endpoint") or next(iter(self.call_names()), "none"))

    def call_names(self) -> Iterator[str]:
        """Names of all calls, in order."""
        for message in self.messages:
            for call in message.get("tool_calls") or ():
                yield call["function"]["name"]


def _problem(where: str, what: str, mend: str) -> TrainerError:
    return TrainerError(f"{where}: {what}", mend)


def _parse_json(text: str, where: str, what: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise _problem(
            where, f"{what} is not valid JSON ({error.msg} at column {error.colno})", "mend the line"
        ) from None


def parse_arguments(raw: Any, where: str) -> dict[str, Any]:
    """`arguments` as an object. A string is parsed once; one that holds another string is doubly quoted: an error."""
    value = _parse_json(raw, where, "tool_calls.function.arguments") if isinstance(raw, str) else raw
    if isinstance(value, str):
        raise _problem(where, "arguments are quoted twice (a JSON string inside a JSON string)", "quote them once")
    if not isinstance(value, dict):
        raise _problem(where, f"arguments are a {type(value).__name__}, not an object", 'write {"key": value}')
    return value


def _call(raw: Any, where: str) -> dict[str, Any]:
    function = raw.get("function") if isinstance(raw, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str) or "arguments" not in function:
        shape = '{"type": "function", "function": {"name": ..., "arguments": "..."}}'
        raise _problem(where, f"a tool call is not of the form {shape}", "rewrite the data set in that form")
    return {
        "type": "function",
        "function": {"name": function["name"], "arguments": parse_arguments(function["arguments"], where)},
    }


def _message(raw: Any, where: str) -> dict[str, Any]:
    if not isinstance(raw, dict) or raw.get("role") not in ROLES:
        role = raw.get("role") if isinstance(raw, dict) else raw
        raise _problem(where, f"a message has the role {role!r}", f"known roles: {', '.join(ROLES)}")
    content = raw.get("content")
    if content is not None and not isinstance(content, str):
        raise _problem(where, f"content of a {raw['role']} message is a {type(content).__name__}", "text is expected")
    message: dict[str, Any] = {"role": raw["role"], "content": content or ""}
    if raw.get("name"):
        message["name"] = raw["name"]
    calls = raw.get("tool_calls")
    if calls:
        if raw["role"] != "assistant" or not isinstance(calls, list):
            raise _problem(where, "tool_calls belong to an assistant message, as a list", "mend the line")
        message["tool_calls"] = [_call(call, where) for call in calls]
    elif raw["role"] in ("user", "assistant") and not message["content"]:
        raise _problem(where, f"a {raw['role']} message says nothing", "give it content or tool_calls")
    return message


def parse_tools(raw: Any, where: str) -> list[dict[str, Any]]:
    """The `tools` column as a list of OpenAI function definitions."""
    tools = _parse_json(raw, where, "tools") if isinstance(raw, str) else raw
    if tools is None:
        return []
    if not isinstance(tools, list):
        raise _problem(where, f"tools is a {type(tools).__name__}", "a JSON list of function definitions is expected")
    for tool in tools:
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            shape = '{"type": "function", "function": {"name": ..., "parameters": ...}}'
            raise _problem(where, f"a tool definition is not of the form {shape}", "rewrite the data set in that form")
    return tools


def parse_row(row: Any, where: str) -> Dialogue:
    """A row of any source as a checked dialogue. Raises TrainerError naming `where`."""
    if not isinstance(row, dict) or not isinstance(row.get("messages"), list) or not row["messages"]:
        found = ", ".join(row) if isinstance(row, dict) else type(row).__name__
        raise _problem(where, f"no list of messages (found: {found})", 'a row is {"messages": [...], "tools": "[...]"}')
    messages = [_message(message, where) for message in row["messages"]]
    if not any(message["role"] == "assistant" for message in messages):
        raise _problem(where, "no assistant message, so nothing to learn", "remove the row")
    if any(message["role"] == "system" for message in messages[1:]):
        raise _problem(where, "a system message that is not the first", "move it to the front")
    meta = row.get("meta")
    dialogue = Dialogue(messages, parse_tools(row.get("tools"), where), meta if isinstance(meta, dict) else {}, where)
    unknown = set(dialogue.call_names()) - {tool["function"]["name"] for tool in dialogue.tools}
    if unknown:
        raise _problem(where, f"a call of {sorted(unknown)[0]!r}, which is not among its tools", "add the definition")
    return dialogue


@dataclass(frozen=True, slots=True)
class Source:
    """A dialogue that is not parsed yet: a line of JSON, or a row of a table."""

    row: str | dict[str, Any]
    where: str

    def parse(self) -> Dialogue:
        """The checked dialogue. Raises TrainerError with the place."""
        row = _parse_json(self.row, self.where, "the line") if isinstance(self.row, str) else _without_none(self.row)
        return parse_row(row, self.where)


def read_jsonl(path: Path) -> list[Source]:
    """All lines of a JSON Lines file but blank ones. Raises TrainerError for anything but UTF-8."""
    with path.open(encoding="utf-8") as lines:
        try:
            return [Source(line, f"{path}:{number}") for number, line in enumerate(lines, 1) if line.strip()]
        except UnicodeDecodeError:
            raise TrainerError(f"{path}: not UTF-8 text", "save it as UTF-8") from None


def _without_none(value: Any) -> Any:
    """Arrow fills the keys that other rows have with nulls; take them out again."""
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if isinstance(value, list) else value


def read_parquet(path: Path) -> list[Source]:
    """All rows of a Parquet file."""
    import pyarrow
    import pyarrow.parquet

    try:
        rows = pyarrow.parquet.read_table(path).to_pylist()
    except pyarrow.ArrowInvalid as error:
        raise TrainerError(f"{path}: not a Parquet file: {error}", "check the file") from None
    return [Source(row, f"{path} row {number}") for number, row in enumerate(rows, 1)]


def read_hub(name: str, split: str) -> list[Source]:
    """All rows of one split of a hub data set; an absent split is empty."""
    import datasets

    try:
        names = datasets.get_dataset_split_names(name)
        found = {"eval": ("eval", "validation", "test")}.get(split, (split,))
        chosen = next((candidate for candidate in found if candidate in names), None)
        rows = datasets.load_dataset(name, split=chosen) if chosen else []
    except Exception as error:  # the hub client raises a dozen kinds, all meaning: not to be had
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TrainerError(
            f"{name}: no such folder or file, and not to be had as a hub data set: {reason}",
            "give a data set folder, e.g. data/gennx-tier1-seed0",
        ) from None
    return [Source(dict(row), f"{name} {split} row {n}") for n, row in enumerate(rows, 1)]


def find_file(source: Path, split: str) -> Path | None:
    """The file of a split in a data set folder, JSON Lines before Parquet."""
    candidates = (source / f"{split}.jsonl", source / f"{split}.parquet")
    return next((path for path in candidates if path.is_file()), None)


def sources_of(path: Path) -> list[Source]:
    """All rows of one file, by its ending, not parsed."""
    return read_parquet(path) if path.suffix == ".parquet" else read_jsonl(path)


def read_file(path: Path) -> list[Dialogue]:
    """All dialogues of one file."""
    return [source.parse() for source in sources_of(path)]


def read_split(source: str, split: str) -> list[Source]:
    """Rows of a split of a folder, a file (train only) or a hub data set, to be parsed one by one.

    Raises TrainerError if there is no training data; an absent evaluation split is an empty list.
    """
    path = Path(source)
    if path.is_dir():
        file = find_file(path, split)
        if file is None and split == "train":
            raise TrainerError(f"{source}: no train.jsonl or train.parquet in it", "make one with gennx-gen")
        rows = sources_of(file) if file else []
    elif path.is_file():
        rows = sources_of(path) if split == "train" else []
    elif path.suffix in (".jsonl", ".parquet") or source.startswith((".", "/", "~")) or source.count("/") != 1:
        raise TrainerError(f"{source}: no such data set folder or file", "check the path, or make one with gennx-gen")
    else:
        rows = read_hub(source, split)
    if split == "train" and not rows:
        raise TrainerError(f"{source}: no dialogues in it", "make some with gennx-gen")
    return rows


def data_hash(source: str) -> str:
    """SHA-256 over the data files of a folder (train, eval), or of the file itself; 'hub' for a hub data set."""
    path = Path(source)
    files = [path] if path.is_file() else [file for split in SPLITS[:2] if (file := find_file(path, split))]
    if not files:
        return "hub"
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
