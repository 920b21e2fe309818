"""The emulated model as it stood before a turn, and what calls do to it.

A dialogue's own setup and its true calls so far are played back as gennx-gen made them: what a call refers to and the
model lacks is created first, the same each time. A model's calls then run strictly from the state that the true calls
would have met.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gennx.emulator import Model, Snapshot, diff
from gennx.trainer.evaluation.comparing import tool_of
from gennx.trainer.evaluation.items import Call, Item, is_refusal

WRITING = frozenset({"POST", "PUT", "DELETE"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a turn's calls did: `ran`, no call was refused; `same_end`, tables and answers as after the true calls.

    None where the true calls themselves are refused, by design or because the state cannot be rebuilt.
    """

    ran: bool | None
    same_end: bool | None


NOT_MEASURED = Outcome(None, None)


def refused(body: Any) -> bool:
    """Whether an answer is a refusal."""
    return isinstance(body, dict) and "error" in body


def run(model: Model, calls: Sequence[Call]) -> list[Any]:
    """Run calls strictly, one after the other; a name outside the catalogue is answered with an error."""
    answers = []
    for call in calls:
        tool = tool_of(call["name"])
        answers.append(
            {"error": {"message": f"no tool {call['name']}"}}
            if tool is None
            else model.call(tool, call["arguments"], strict=True).body
        )
    return answers


def _play(model: Model, calls: Sequence[Call], failing: bool, meta: dict[str, Any]) -> list[Any]:
    """True calls as the generator ran them."""
    answers = []
    for call in calls:
        tool = tool_of(call["name"])
        if tool is None:
            continue
        model.ensure(tool, call["arguments"])
        if failing and meta.get("without_case"):
            _drop_case(model, str(meta["without_case"]))
        answers.append(model.call(tool, call["arguments"], strict=True).body)
    return answers


def _drop_case(model: Model, name: str) -> None:
    stld = tool_of("DELETE /db/stld")
    ids = [int(key) for key, row in model.table("db/STLD").items() if row.get("NAME") == name]
    if stld is not None and ids:
        model.call(stld, {"ids": ids})


def before(item: Item) -> Model:
    """The model as it stood before a turn."""
    model = Model()
    for uri, records in item.meta.get("setup", {}).items():
        model.put_records(uri, records)
    messages = item.messages
    for index, message in enumerate(messages):
        calls = [call["function"] for call in message.get("tool_calls") or ()]
        if calls:
            answers = messages[index + 1 : index + 1 + len(calls)]
            _play(model, calls, any(is_refusal(m) for m in answers if m["role"] == "tool"), item.meta)
    return model


def with_needs(model: Model, calls: Sequence[Call]) -> None:
    """Create what true calls refer to, without running them: found out by running them and going back."""
    start = model.snapshot()
    made: list[tuple[str, str, dict[str, Any]]] = []
    for call in calls:
        tool = tool_of(call["name"])
        if tool is None:
            continue
        new = model.ensure(tool, call["arguments"])
        made += [(uri, key, dict(model.table(uri)[key])) for uri, key in new if key in model.table(uri)]
        model.call(tool, call["arguments"], strict=True)
    model.restore(start)
    for uri, key, row in made:
        model.put_records(uri, {key: row})
    for (
        call
    ) in calls:  # going back has lost the results of analyses; with all records there, these alone are made again
        tool = tool_of(call["name"])
        if tool is not None and not tool.endpoint.is_table:
            model.ensure(tool, call["arguments"])


def start_of(item: Item) -> Model:
    """The model as a turn's calls meet it."""
    model = before(item)
    with_needs(model, item.gold)
    return model


def outcome(item: Item, found: Sequence[Call], exact: bool) -> Outcome:
    """How a model's calls went from the state before the turn."""
    if not item.gold or item.refused or any(tool_of(call["name"]) is None for call in item.gold):
        return NOT_MEASURED
    true = start_of(item)
    true_answers = run(true, item.gold)
    if any(refused(answer) for answer in true_answers):
        return NOT_MEASURED
    if exact:
        return Outcome(True, True)
    own = start_of(item)
    answers = run(own, found)
    ran = bool(found) and not any(refused(answer) for answer in answers)
    return Outcome(ran, ran and same_end(true.snapshot(), own.snapshot(), item.gold, found, true_answers, answers))


def same_end(
    a: Snapshot, b: Snapshot, gold: Sequence[Call], found: Sequence[Call], theirs: Sequence[Any], ours: Sequence[Any]
) -> bool:
    """The same tables, and the same answers to what was only read or shown."""
    if diff(a, b) or (a.opened, a.path) != (b.opened, b.path):
        return False
    return sorted(_read(gold, theirs)) == sorted(_read(found, ours))


def _read(calls: Sequence[Call], answers: Sequence[Any]) -> list[str]:
    """Answers of the calls that write no table, with their endpoints."""
    out = []
    for call, answer in zip(calls, answers, strict=True):
        tool = tool_of(call["name"])
        if tool is not None and not (tool.endpoint.is_table and tool.method in WRITING):
            out.append(f"{tool.endpoint.uri} {answer!r}")
    return out
