"""Whole dialogues on the model's own calls: they run on the emulator, and their answers are what it reads next.

The user says what the true dialogue's user says, in order, whatever the model did. A dialogue succeeds when the model
of GEN NX ends as after the true calls, no call was refused that should not be, and every user turn got closing words.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gennx.emulator import Model, diff
from gennx.trainer.evaluation.items import Call, Item
from gennx.trainer.evaluation.predictions import read_text
from gennx.trainer.evaluation.replay import refused, run, with_needs

if TYPE_CHECKING:
    from gennx.trainer.beside import Writer

MOST_STEPS = 10
"""Turns that a model may take for one thing that the user says."""
ROLLOUTS = "rollouts.jsonl"


@dataclass(slots=True)
class Talk:
    """A dialogue under way."""

    last: Item
    model: Model
    gold: list[Call]
    messages: list[dict[str, Any]]
    to_say: list[dict[str, Any]]
    steps: int = 0
    failures: list[str] = field(default_factory=list)
    over: bool = False

    def take(self, text: str) -> None:
        """The model's turn: its calls run, or the user goes on."""
        content, calls, problems = read_text(text)
        self.steps += 1
        message: dict[str, Any] = {"role": "assistant", "content": content}
        if problems:
            self.failures.append("malformed")
        if calls and not problems:
            message["tool_calls"] = [{"type": "function", "function": call} for call in calls]
            self.messages.append(message)
            for call, answer in zip(calls, run(self.model, calls), strict=True):
                if refused(answer):
                    self.failures.append("refused")
                words = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
                self.messages.append({"role": "tool", "name": call["name"], "content": words})
            if self.steps >= MOST_STEPS:
                self.failures.append("no end")
                self.over = True
            return
        self.messages.append(message)
        self.steps = 0
        if problems or not self.to_say:
            self.over = True
        else:
            self.messages.append(self.to_say.pop(0))


def start(turns: Sequence[Item]) -> Talk:
    """A dialogue at its first user turn, with everything there that its true calls refer to."""
    last = max(turns, key=lambda item: item.turn)
    gold = [call for item in sorted(turns, key=lambda item: item.turn) for call in item.gold]
    first = min(turns, key=lambda item: item.turn)
    later = [m for m in last.messages[first.turn :] if m["role"] == "user"]
    return Talk(last, _model(last, gold), gold, list(first.messages), later)


def _model(item: Item, gold: Sequence[Call]) -> Model:
    model = Model()
    for uri, records in item.meta.get("setup", {}).items():
        model.put_records(uri, records)
    with_needs(model, gold)
    return model


def verdict(talk: Talk, may_be_refused: bool) -> dict[str, Any]:
    """How a dialogue ended."""
    true = _model(talk.last, talk.gold)
    run(true, talk.gold)
    same = not diff(true.snapshot(), talk.model.snapshot())
    failures = [f for f in talk.failures if not (may_be_refused and f == "refused")]
    return {
        "id": talk.last.id,
        "kind": talk.last.meta.get("kind"),
        "same_end": same,
        "failures": failures,
        "right": same and not failures,
    }


def roll_out(writer: Writer, items: Sequence[Item], out: Path) -> dict[str, Any]:
    """Run every dialogue, in rounds of one turn each; writes rollouts.jsonl and gives the shares by kind."""
    from gennx.trainer.best_of import Talk

    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(item.id, []).append(item)
    talks = [start(turns) for turns in groups.values()]
    while active := [talk for talk in talks if not talk.over]:
        asked = [Talk(talk.messages, talk.last.tools) for talk in active]
        for written in list(writer.write(writer.jobs(asked), asked)):
            active[written.index].take(writer.decoder.renderer.decode(written.ids))
    found = [verdict(talk, any(i.refused for i in groups[talk.last.id])) for talk in talks]
    lines = [json.dumps({**v, "messages": t.messages}, ensure_ascii=False) for v, t in zip(found, talks, strict=True)]
    (out / ROLLOUTS).write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    from gennx.trainer.evaluation.figures import share_of

    kinds = sorted({str(v["kind"]) for v in found})
    by_kind = {kind: share_of(v["right"] for v in found if str(v["kind"]) == kind) for kind in kinds}
    return {
        "right": share_of(v["right"] for v in found),
        "same_end": share_of(v["same_end"] for v in found),
        "kinds": by_kind,
    }
