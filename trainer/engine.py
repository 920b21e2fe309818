"""The model behind every way of serving: one prompt renderer, one parser, one generation."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Sequence
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
    """A loaded model. `answer` is safe to call from several threads; answers are written one at a time.

    `constrained` holds turns to the grammar of their tools. `best_of`: how many alternatives of a doubtful
    turn are weighed (best_of.py). `others`: models beside it (beside.py). `retrieve`: how many of the catalogue's tools to find for a conversation that brings none; 0 finds none.
    """

    model: Any
    renderer: Renderer
    name: str
    max_new_tokens: int = 1024
    constrained: bool = False
    retrieve: int = 0
    best_of: int = 1
    others: tuple[Engine, ...] = ()
    lock: Any = None
    writer: Any = None

    def __post_init__(self) -> None:
        self.lock = threading.Lock()

    def prompt(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> str:
        """The text that the model is given: the training renderer's, byte for byte."""
        return self.renderer.text(normal_messages(messages), tools, prompt=True)

    def tools_for(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The tools to offer: those given, else those that the ranker finds for what the user said."""
        if tools or not self.retrieve:
            return tools
        from gennx.trainer.evaluation.offering import message_room, retrieved, wished

        normal = normal_messages(messages)
        return retrieved(wished(normal), self.retrieve, message_room(normal, self.retrieve))

    def answer(
        self, messages: list[dict[str, Any]], tools: list[dict[str, Any]], limit: int | None = None
    ) -> tuple[Turn, int, int]:
        """The model's turn, and the number of tokens read and written."""
        ids = self.renderer.encode(self.prompt(messages, tools))
        with self.lock:
            written = self._write(ids, messages, tools, limit or self.max_new_tokens)
        return self.renderer.written(written), len(ids), len(written)

    def _write(
        self, ids: list[int], messages: list[dict[str, Any]], tools: list[dict[str, Any]], limit: int
    ) -> list[int]:
        """The model's turn on a prompt, as ids."""
        if not self.constrained and self.best_of == 1 and not self.others:
            from gennx.trainer.generation import generate

            return generate(self.model, self.renderer, [ids], limit, 1)[0]
        from gennx.trainer.beside import Writer
        from gennx.trainer.best_of import Talk
        from gennx.trainer.decoding import Decoder, Job

        if self.writer is None:
            first, *others = (Decoder(e.model, e.renderer, limit, 1) for e in (self, *self.others))
            self.writer = Writer(first, self.constrained, self.best_of, tuple(others))
        for decoder in self.writer.decoders:
            decoder.limit = limit
        jobs, talks = [Job(ids, tools if self.constrained else None)], [Talk(normal_messages(messages), tools)]
        return list(next(self.writer.write(jobs, talks)).ids)


def load_engine(
    folder: Path,
    device: str,
    constrained: bool = False,
    retrieve: int = 0,
    best_of: int = 1,
    beside: Sequence[Path] = (),
) -> Engine:
    """An engine over a run (adapter on its base) or over a merged model folder; `beside`: other such folders."""
    model, renderer = _loaded(folder, device)
    others = tuple(Engine(*_loaded(other, device), other.resolve().name) for other in beside)
    name = " beside ".join([folder.resolve().name, *(other.name for other in others)])
    return Engine(model, renderer, name, constrained=constrained, retrieve=retrieve, best_of=best_of, others=others)


def _loaded(folder: Path, device: str) -> tuple[Any, Renderer]:
    """The model of a run or of a merged folder, and its renderer. Raises TrainerError for any other folder."""
    from gennx.trainer.config import ModelSettings
    from gennx.trainer.models import load_model, load_tokenizer

    if (folder / "run.json").is_file():
        run = load_run(folder)
        return load_trained(run, device), run.renderer()
    if not (folder / "config.json").is_file():
        raise TrainerError(f"{folder}: neither a run of gennx-train nor a merged model", "give a folder under runs/")
    model = load_model(folder, ModelSettings(name=str(folder), quantization="none"), device).eval()
    return model, Renderer(load_tokenizer(folder))


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
