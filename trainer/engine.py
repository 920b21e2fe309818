"""The model behind every way of serving: one prompt renderer, one parser, one generation."""

from __future__ import annotations

import json
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gennx.trainer.data import parse_arguments
from gennx.trainer.errors import TrainerError
from gennx.trainer.rendering import Renderer, Turn
from gennx.trainer.runs import load_run, load_trained


def normal_messages(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages of a client in the training data's form: text content, calls with their arguments parsed.

    Raises TrainerError naming the message that cannot be read.
    """
    normal = []
    for number, message in enumerate(messages, 1):
        content = message.get("content")
        if isinstance(content, list):  # OpenAI's parts
            content = "".join(str(part.get("text", "")) for part in content if part.get("type") == "text")
        entry: dict[str, Any] = {"role": str(message.get("role")), "content": content or ""}
        if message.get("name"):
            entry["name"] = message["name"]
        if calls := message.get("tool_calls"):
            where = f"messages[{number - 1}]"
            functions = [call["function"] for call in calls]
            entry["tool_calls"] = [
                {
                    "type": "function",
                    "function": {"name": f["name"], "arguments": parse_arguments(f["arguments"], where)},
                }
                for f in functions
            ]
        normal.append(entry)
    return normal


@dataclass(slots=True)
class Engine:
    """A loaded model. `answer` is safe to call from several threads; answers are written one at a time."""

    model: Any
    renderer: Renderer
    name: str
    max_new_tokens: int = 1024
    lock: Any = None

    def __post_init__(self) -> None:
        self.lock = threading.Lock()

    def prompt(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> str:
        """The text that the model is given: the training renderer's, byte for byte."""
        return self.renderer.text(normal_messages(messages), tools, prompt=True)

    def answer(
        self, messages: list[dict[str, Any]], tools: list[dict[str, Any]], limit: int | None = None
    ) -> tuple[Turn, int, int]:
        """The model's turn, and the number of tokens read and written."""
        from gennx.trainer.generation import generate

        ids = self.renderer.encode(self.prompt(messages, tools))
        with self.lock:
            written = generate(self.model, self.renderer, [ids], limit or self.max_new_tokens, 1)[0]
        return self.renderer.written(written), len(ids), len(written)


def load_engine(folder: Path, device: str) -> Engine:
    """An engine over a run (adapter on its base) or over a merged model folder."""
    from gennx.trainer.config import ModelSettings
    from gennx.trainer.models import load_model, load_tokenizer

    if (folder / "run.json").is_file():
        run = load_run(folder)
        return Engine(load_trained(run, device), run.renderer(), folder.resolve().name)
    if not (folder / "config.json").is_file():
        raise TrainerError(f"{folder}: neither a run of gennx-train nor a merged model", "give a folder under runs/")
    model = load_model(folder, ModelSettings(name=str(folder), quantization="none"), device).eval()
    return Engine(model, Renderer(load_tokenizer(folder)), folder.resolve().name)


def openai_message(turn: Turn) -> dict[str, Any]:
    """A turn as OpenAI's assistant message: content or null, calls with ids and arguments as a JSON string."""
    message: dict[str, Any] = {"role": "assistant", "content": turn.content or None}
    if turn.calls:
        message["tool_calls"] = [
            {"id": f"call_{secrets.token_hex(8)}", "type": "function", "function": {**call, "arguments": text}}
            for call in turn.calls
            for text in (json.dumps(call["arguments"], ensure_ascii=False),)
        ]
    return message
