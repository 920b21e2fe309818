"""Check a finished data set from its files alone: format, schema, grounding, execution, leaks between splits, duplicates, length.

Every dialogue is run again from the model that its `meta.setup` describes; the answers must be the tool messages that it holds. Values that a scenario plan
works out (a node's coordinates from spans) stand under `meta.derived` by field and are counted apart.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from gennx.emulator import Model
from gennx.generators.definitions import unshown
from gennx.generators.dialogues import dumps
from gennx.generators.evidence import Haystack
from gennx.generators.grounding import Ungrounded, check
from gennx.generators.lexicon import TEMPLATES, Lexicon, lexicon_of
from gennx.generators.model_units import BY_NAME, KN_M
from gennx.generators.scenarios import field_of
from gennx.generators.single import calls_key, has_values
from gennx.generators.tokens import definition_tokens, frame_tokens, message_tokens
from gennx.generators.writing import SPLITS
from gennx.schemas import Validation, load_catalogue
from gennx.schemas.catalogue import Catalogue, Endpoint, Tool

CHECKS = ("format", "schema", "offered", "grounding", "execution", "split leaks", "duplicates", "length")


class BadData(Exception):
    """A data set that cannot be read; the message names file and line."""


@dataclass
class Report:
    """How many things each check looked at and what it found."""

    looked: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)
    derived: int = 0
    """Values that follow from what was said by a plan's stated working."""
    calls: int = 0
    seconds: float = 0.0
    """Time of all calls on the emulated model."""

    def note(self, name: str, place: str, problem: str | None) -> None:
        self.looked[name] += 1
        if problem is not None:
            self.failed[name] += 1
            self.first.setdefault(name, f"{place}: {problem}")


@dataclass
class Verifier:
    """Checks dialogues one after the other."""

    limit: int
    catalogue: Catalogue = field(default_factory=load_catalogue)
    validation: Validation = field(default_factory=Validation)
    report: Report = field(default_factory=Report)
    _lexicons: dict[str, Lexicon] = field(default_factory=dict)
    _names: dict[str, Tool] = field(default_factory=dict)
    _users: dict[str, str] = field(default_factory=dict)
    _calls: dict[str, tuple[str, str]] = field(default_factory=dict)
    roots: tuple[Path, ...] = (TEMPLATES,)
    """Template folders whose words count."""

    def row(self, row: dict[str, Any], split: str, place: str) -> None:
        """Check one dialogue."""
        try:
            turns = list(self._turns(row))
        except (KeyError, TypeError, ValueError) as error:
            self.report.note("format", place, f"{type(error).__name__}: {error}")
            return
        self.report.note("format", place, _order(row["messages"]))
        meta = row["meta"]
        for turn in turns:
            for (tool, arguments), shown in zip(turn.calls, turn.shown, strict=True):
                hidden = unshown(shown, arguments)
                self.report.note(
                    "offered", place, f"{tool.name} {hidden} is used but not in its definition" if hidden else None
                )
                problems = self.validation.problems(tool, arguments)
                self.report.note("schema", place, str(problems[0]) if problems else None)
            self.report.note("grounding", place, self._ungrounded(turn, meta))
        self.report.note("execution", place, self._execution(turns, meta))
        self._leaks(row, [c for t in turns for c in t.calls], split, place)
        tokens = frame_tokens() + sum(message_tokens(m) for m in row["messages"])
        tokens += sum(definition_tokens(t) for t in orjson.loads(row["tools"]))
        self.report.note("length", place, f"{tokens} tokens, {self.limit} allowed" if tokens > self.limit else None)

    def calls(self, row: dict[str, Any]) -> list[tuple[Tool, dict[str, Any]]]:
        """The calls of a dialogue. Raises KeyError, TypeError or ValueError where the row is not of the format."""
        return [call for turn in self._turns(row) for call in turn.calls]

    def unsaid(self, row: dict[str, Any]) -> str | None:
        """The first value of a dialogue's calls that nothing says, None where all are said. Raises as `calls` does."""
        return next((gap for turn in self._turns(row) if (gap := self._ungrounded(turn, row["meta"]))), None)

    def lexicon(self, endpoint: Endpoint) -> Lexicon:
        """The words of an endpoint, read once."""
        if endpoint.uri not in self._lexicons:
            self._lexicons[endpoint.uri] = lexicon_of(endpoint, self.roots)
        return self._lexicons[endpoint.uri]

    # ---- reading

    def _turns(self, row: dict[str, Any]) -> Iterator[Turn]:
        """The assistant's turns with calls. Raises KeyError, TypeError or ValueError where the row is not of the format."""
        offered = {t["function"]["name"]: t["function"].get("parameters", {}) for t in orjson.loads(row["tools"])}
        if not self._names:
            self._names = {t.named(style): t for t in self.catalogue.tools.values() for style in ("path", "snake")}
        said, known = "", ""
        turn: Turn | None = None
        for message in row["messages"]:
            role, content = message["role"], message["content"]
            if not isinstance(content, str):
                raise ValueError(f"content of a {role} message is no text")
            if role == "tool":
                if turn is None:
                    raise ValueError("a tool message without a call")
                turn.answers.append(content)
                known += "\n" + content
                continue
            if turn is not None:
                yield turn
                turn = None
            if role == "system":
                known += "\n" + content
            elif role == "user":
                said += "\n" + content
            elif role == "assistant" and message.get("tool_calls"):
                calls = []
                for call in message["tool_calls"]:
                    name, arguments = call["function"]["name"], orjson.loads(call["function"]["arguments"])
                    if name not in offered:
                        raise ValueError(f"{name} is called but not offered")
                    calls.append((self._names[name], arguments))
                shown = [offered[c["function"]["name"]] for c in message["tool_calls"]]
                turn = Turn(calls, shown, said.strip(), known, [])
            elif role != "assistant":
                raise ValueError(f"unknown role {role!r}")
        if turn is not None:
            yield turn

    # ---- checks

    def _ungrounded(self, turn: Turn, meta: dict[str, Any]) -> str | None:
        size = BY_NAME[meta["units"]].size if "units" in meta else KN_M.size
        hay = Haystack(turn.said, size)
        derived = set(meta.get("derived", ()))
        for tool, arguments in turn.calls:
            for gap in check(turn.said, tool, arguments, self.lexicon(tool.endpoint), hay):
                if field_of(tool, gap) in derived:
                    self.report.derived += 1
                elif not _numbered_by_model(gap, tool, turn):
                    return f"{tool.name} {gap}"
        return None

    def _execution(self, turns: list[Turn], meta: dict[str, Any]) -> str | None:
        model = Model()
        for uri, records in meta.get("setup", {}).items():
            model.put_records(uri, records)
        started = time.perf_counter()
        problem = None
        for turn in turns:
            for (tool, arguments), answer in zip(turn.calls, turn.answers, strict=False):
                self.report.calls += 1
                refused = '"error"' in answer[:12]
                model.ensure(tool, arguments)
                if refused and "without_case" in meta:
                    stld = self.catalogue.tool("db/STLD", "DELETE")
                    gone = [int(k) for k, v in model.table("db/STLD").items() if v.get("NAME") == meta["without_case"]]
                    model.call(stld, {"ids": gone})
                reply = dumps(model.call(tool, arguments, strict=True).body)
                if reply != answer:
                    problem = problem or f"{tool.name} answers {reply[:80]}, the data hold {answer[:80]}"
                elif refused and meta["kind"] != "repair":
                    problem = problem or f"{tool.name} is refused: {answer[:80]}"
            if len(turn.answers) != len(turn.calls):
                problem = problem or f"{len(turn.calls)} calls, {len(turn.answers)} answers"
        self.report.seconds += time.perf_counter() - started
        return problem

    def _leaks(self, row: dict[str, Any], calls: list[tuple[Tool, dict[str, Any]]], split: str, place: str) -> None:
        users = "\n".join(m["content"] for m in row["messages"] if m["role"] == "user")
        before = self._users.setdefault(users, place)
        self.report.note("duplicates", place, f"same user text as {before}" if before != place else None)
        problem = None
        if row["meta"]["kind"] not in ("no_tool", "guard") and any(has_values(t, a) for t, a in calls):
            other, where = self._calls.setdefault(calls_key(calls), (split, place))
            if other != split:
                problem = f"same calls as {where}"
        self.report.note("split leaks", place, problem)


@dataclass
class Turn:
    """An assistant's turn with calls: what users had said by then, what system prompt and tools had shown, the answers."""

    calls: list[tuple[Tool, dict[str, Any]]]
    shown: list[dict[str, Any]]
    """Parameters of the called tools as the definitions show them."""
    said: str
    known: str
    answers: list[str]


def _order(messages: list[dict[str, Any]]) -> str | None:
    roles = [m["role"] for m in messages]
    if roles[:1] != ["system"] or "user" not in roles[:2]:
        return "a dialogue begins with system and user"
    if roles[-1] != "assistant" or messages[-1].get("tool_calls"):
        return "a dialogue ends with the assistant's words"
    return None


def _numbered_by_model(gap: Ungrounded, tool: Tool, turn: Turn) -> bool:
    """True for a record number that the conversation gives: the first of a new model, the next after one that a tool has shown, or one shown."""
    if not field_of(tool, gap).endswith(".key"):
        return False
    number = int(gap.value)
    shown = {int(n) for n in re.findall(r'"(\d+)":\{', turn.known)} | {int(n) for n in re.findall(r"\d+", turn.said)}
    if number in shown or number - 1 in shown:
        return True
    keys = sorted(int(k) for k in turn.calls[0][1].get("Assign", {})) if tool.method == "POST" else []
    return bool(keys) and keys == list(range(keys[0], keys[0] + len(keys))) and (keys[0] == 1 or keys[0] - 1 in shown)


def rows_of(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line, row) of a JSON Lines file. Raises BadData naming file and line."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise BadData(f"{path}:{number}: not JSON ({error}); make the data set again") from None
            if not isinstance(row, dict) or not {"messages", "tools", "meta"} <= set(row):
                raise BadData(f"{path}:{number}: wants an object with messages, tools and meta, as gennx-gen writes")
            yield number, row


def verify(folder: Path, limit: int) -> Report:
    """Check every dialogue of a data set. Raises BadData."""
    files = [folder / f"{s}.jsonl" for s in SPLITS if (folder / f"{s}.jsonl").exists()]
    if not files:
        raise BadData(f"{folder}: holds no train.jsonl or other split; name a folder that gennx-gen wrote")
    verifier = Verifier(limit)
    for path in files:
        for number, row in rows_of(path):
            verifier.row(row, path.stem, f"{path}:{number}")
    return verifier.report
