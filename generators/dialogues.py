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


def closing(call: Call, lang: str, rng: random.Random) -> str:
    """The assistant's words after a call: short, and nothing that the answer does not show."""
    tool, body = call.tool, call.body
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        section = "ERROR"
    elif tool.method == "GET":
        section = "EMPTY" if isinstance(body, dict) and body.get("message") == "" else "GET"
    elif tool.method == "DELETE":
        section = "EMPTY" if isinstance(body, dict) and body.get("message") == "" else "DELETE"
    elif not tool.endpoint.is_table:
        section = (
            "EMPTY"
            if isinstance(body, dict) and body.get("message") == "" and tool.endpoint.uri.startswith("post/")
            else "RUN"
        )
    else:
        section = tool.method
    keys = list(call.arguments.get("Assign", {})) or [str(i) for i in call.arguments.get("ids", ())]
    listed = _listed(keys, lang) if not tool.endpoint.single else ""
    table = body.get(tool.endpoint.table) if isinstance(body, dict) else None
    count = len(table) if isinstance(table, dict) and tool.endpoint.is_table else max(1, len(keys))
    scope = {
        "title": tool.endpoint.title(lang) if lang == "ko" else tool.endpoint.title(lang).lower(), "ids": listed, "count": count,
        "error": body["error"].get("message", "").strip() if section == "ERROR" else "",
    }  # fmt: skip
    pool = frames(lang)[f"DONE {section}"]
    text = " ".join(rng.choice(pool)[0].render(**scope).split())
    text = text.replace(" .", ".").replace(" ,", ",").replace("( ", "(").replace(" )", ")").replace("()", "").strip()
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
