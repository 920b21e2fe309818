"""A conversation with an engine, the same for the terminal and the page: what is said, called, run and answered."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gennx.trainer.calls import Runner, problems_of, run_call, show_call
from gennx.trainer.engine import Engine
from gennx.trainer.errors import TrainerError
from gennx.trainer.rendering import Turn


@dataclass(slots=True)
class Conversation:
    """Messages so far, in the training data's form, and the calls that wait for a decision."""

    engine: Engine
    tools: list[dict[str, Any]]
    system: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)
    offered: list[dict[str, Any]] = field(default_factory=list)
    waiting: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.offered = self.tools
        if self.system:
            self.messages.append({"role": "system", "content": self.system})

    def ask(self, text: str) -> Turn:
        """Say something to the model; its turn is kept, its calls wait."""
        self.messages.append({"role": "user", "content": text})
        return self.go_on()

    def go_on(self) -> Turn:
        """The model's next turn on the messages so far."""
        self.offered = self.engine.tools_for(self.messages, self.tools)
        turn, _, _ = self.engine.answer(self.messages, self.offered)
        message: dict[str, Any] = {"role": "assistant", "content": turn.content}
        if turn.calls:
            message["tool_calls"] = [{"type": "function", "function": call} for call in turn.calls]
        self.messages.append(message)
        self.waiting = list(turn.calls)
        return turn

    def describe(self, turn: Turn) -> list[str]:
        """The last turn for a person: its text, each call with what is wrong with it, the values that nobody said and the fields that are missed, and calls that could not be read."""
        from gennx.generators.doubts import doubts

        lines = [turn.content] if turn.content else []
        for call in turn.calls:
            lines.append(show_call(call))
            lines += [f"invalid: {problem}" for problem in problems_of(call, self.offered)]
            found = doubts(self.messages[:-1], [call])
            lines += [f"nobody said: {gap.place} = {gap.value!r}" for gap in found.unsaid]
            lines += [f"seldom left out: {field}" for field in found.lacking]
        return lines + [f"not readable: {problem}" for problem in turn.problems]

    def run_waiting(self, runner: Runner, agree: Callable[[str], bool]) -> list[Any]:
        """Run the calls that wait and keep the answers as tool messages; `agree` is asked before deleting."""
        answers = []
        for call in self.waiting:
            try:
                answer = run_call(call, self.offered, runner, agree)
            except TrainerError as error:
                answer = {"error": {"message": str(error)}}
            answers.append(answer)
            text = json.dumps(answer, ensure_ascii=False)
            self.messages.append({"role": "tool", "name": call["name"], "content": text})
        self.waiting = []
        return answers
