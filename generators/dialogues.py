"""Dialogues as they are written: messages, the tools offered, and what is known of them.

A `Talk` is built turn by turn on an emulated model, so every tool message is the model's own answer. The row has the format of the original data set: `arguments` a
JSON string, `tools` a JSON string of a list, the tool message with `name` and a JSON string as `content`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import orjson

from gennx.emulator import Model
from gennx.generators.compose import frames
from gennx.generators.definitions import Definitions
from gennx.generators.leaves import written_alike
from gennx.generators.lexicon import TEMPLATES
from gennx.generators.particles import settle
from gennx.generators.tokens import frame_tokens, message_tokens
from gennx.schemas.catalogue import Tool

ANSWER_TOKENS = 900
"""A tool's answer longer than this is not worth a small model's context; the dialogue is dropped."""


class Dropped(Exception):
    """A dialogue that cannot stand; the message is the reason, counted in the manifest."""


def dumps(value: Any) -> str:
    """Compact JSON, Korean as it is."""
    return orjson.dumps(value).decode()


@lru_cache(maxsize=1)
def system_pool() -> dict[str, list[str]]:
    data: dict[str, list[str]] = orjson.loads((TEMPLATES / "shared" / "system.json").read_bytes())
    return data


def system_prompt(lang: str, units: str, rng: random.Random) -> str:
    """Who the model is and which units its numbers have."""
    return rng.choice(system_pool()[lang]).format(units=units)


@dataclass
class Call:
    """A call that a dialogue makes, and how it went."""

    tool: Tool
    arguments: dict[str, Any]
    status: int
    body: Any


@dataclass
class Talk:
    """A dialogue in the making over one model."""

    lang: str
    model: Model
    style: str = "path"
    messages: list[dict[str, Any]] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    setup: dict[str, dict[str, Any]] = field(default_factory=dict)
    _counted: list[int] = field(default_factory=list)

    def system(self, text: str) -> None:
        self.messages.append({"role": "system", "content": text})

    def user(self, text: str) -> None:
        self.messages.append({"role": "user", "content": text})

    def say(self, text: str) -> None:
        self.messages.append({"role": "assistant", "content": text})

    def stock(self, uri: str, records: dict[str, Any]) -> None:
        """Put records into the model before the dialogue begins; they are written down, so that it can be run again."""
        self.setup.setdefault(uri, {}).update(records)
        self.model.put_records(uri, records)

    def call(
        self, calls: Sequence[tuple[Tool, dict[str, Any]]], content: str = "", may_fail: bool = False
    ) -> list[Call]:
        """One assistant turn with its calls, run on the model, and the tool messages. Raises Dropped when a call fails that should not."""
        calls = [(tool, written_alike(tool, arguments)) for tool, arguments in calls]
        self.messages.append({
            "role": "assistant",
            "content": content,
            "tool_calls": [
                {"type": "function", "function": {"name": tool.named(self.style), "arguments": dumps(arguments)}} for tool, arguments in calls
            ],
        })  # fmt: skip
        done = []
        for tool, arguments in calls:
            if not may_fail:
                self.model.ensure(tool, arguments)
            reply = self.model.call(tool, arguments, strict=True)
            failed = isinstance(reply.body, dict) and "error" in reply.body
            if failed and not may_fail:
                raise Dropped(f"call refused: {tool.method} {tool.endpoint.uri}")
            done.append(Call(tool, arguments, reply.status, reply.body))
            self.messages.append({"role": "tool", "name": tool.named(self.style), "content": dumps(reply.body)})
        self.calls += done
        return done

    def tokens(self) -> int:
        """Tokens of the dialogue by Qwen2.5's template, without tool definitions; each message is counted once."""
        while len(self._counted) < len(self.messages):
            self._counted.append(message_tokens(self.messages[len(self._counted)]))
        return sum(self._counted) + frame_tokens()

    def row(self, tools: str, tool_tokens: int, meta: dict[str, Any], limit: int) -> tuple[dict[str, Any], int]:
        """(the row, its tokens). Raises Dropped over the limit."""
        tokens = self.tokens() + tool_tokens
        if tokens > limit:
            raise Dropped("over the token limit")
        if self.setup:
            meta["setup"] = self.setup
        return {"messages": self.messages, "tools": tools, "meta": {**meta, "tokens": tokens}}, tokens


def closing(calls: Sequence[Call], lang: str, rng: random.Random) -> str:
    """The assistant's words after calls: short, and nothing that the answers do not show."""
    if len(calls) <= 2:
        return " ".join(dict.fromkeys(_told(call, lang, rng) for call in calls))
    titles = list(dict.fromkeys(_title(call.tool, lang) for call in calls))
    scope = {"titles": ", ".join(titles), "count": len(calls), "last": _told(calls[-1], lang, rng)}
    return _render("DONE SEVERAL", scope, lang, rng)


def _told(call: Call, lang: str, rng: random.Random) -> str:
    """The words after one call."""
    tool, body = call.tool, call.body
    empty = isinstance(body, dict) and body.get("message") == ""
    error = body["error"] if isinstance(body, dict) and isinstance(body.get("error"), dict) else None
    if error is not None:
        section = "ERROR"
    elif tool.method in ("GET", "DELETE"):
        section = "EMPTY" if empty else tool.method
    elif not tool.endpoint.is_table:
        section = "EMPTY" if empty and tool.endpoint.uri.startswith("post/") else "RUN"
    else:
        section = tool.method
    keys = list(call.arguments.get("Assign", {})) or [str(i) for i in call.arguments.get("ids", ())]
    table = body.get(tool.endpoint.table) if isinstance(body, dict) else None
    scope = {
        "title": _title(tool, lang),
        "ids": _listed(keys, lang) if not tool.endpoint.single else "",
        "count": len(table) if isinstance(table, dict) and tool.endpoint.is_table else max(1, len(keys)),
        "error": error.get("message", "").strip() if error is not None else "",
    }
    return _render(f"DONE {section}", scope, lang, rng)


def _title(tool: Tool, lang: str) -> str:
    """The endpoint's name within a sentence; the words that follow say themselves that something was read."""
    if lang == "ko":
        return tool.endpoint.title(lang).removesuffix(" 조회")
    return " ".join(w.lower() if w[1:].islower() or len(w) == 1 else w for w in tool.endpoint.title(lang).split())


def _render(section: str, scope: dict[str, Any], lang: str, rng: random.Random) -> str:
    text = " ".join(rng.choice(frames(lang)[section])[0].render(**scope).split())
    text = (
        text.replace(" .", ".")
        .replace(" ,", ",")
        .replace("( ", "(")
        .replace(" )", ")")
        .replace("()", "")
        .replace(" 입니다", "입니다")
        .strip()
    )
    return settle(text) if lang == "ko" else text[0].upper() + text[1:]


def _listed(keys: Sequence[str], lang: str) -> str:
    mark = "번" if lang == "ko" else ""
    if not keys or not all(k.isdigit() for k in keys):
        return ", ".join(keys)
    numbers = [int(k) for k in keys]
    if len(numbers) > 2 and numbers == list(range(numbers[0], numbers[0] + len(numbers))):
        return f"{numbers[0]}~{numbers[-1]}{mark}" if lang == "ko" else f"{numbers[0]} to {numbers[-1]}"
    if len(numbers) > 5:
        return (
            f"{numbers[0]}{mark} 외 {len(numbers) - 1}건"
            if lang == "ko"
            else f"{numbers[0]} and {len(numbers) - 1} more"
        )
    return ", ".join(map(str, numbers)) + mark


__all__ = ["Call", "Definitions", "Dropped", "Talk", "closing", "dumps", "system_prompt"]
