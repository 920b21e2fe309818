"""What is evaluated: a run of gennx-train, a base by short name, folder or hub id, or an OpenAI-compatible server.

All write predictions the same way: a line a turn, appended as they come, so that an interrupted evaluation goes on.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gennx.trainer.errors import TrainerError
from gennx.trainer.evaluation.items import Item

if TYPE_CHECKING:
    from gennx.trainer.beside import Writer
    from gennx.trainer.decoding import Decoder, Written

Keep = Callable[[dict[str, Any]], None]
TIMED = {"cuda": 24, "cpu": 4}
"""Turns written one at a time first, for the latency that a user would feel."""
ENDPOINT_THREADS = 8
ENDPOINT_TIMEOUT_S = 300


def load_decoder(name: str, base: bool, device: str, rows: int | None, max_new_tokens: int) -> Decoder:
    """A decoder over a run folder (its base alone with `base`), or over a model by short name, folder or hub id."""
    from gennx.trainer.config import ModelSettings
    from gennx.trainer.decoding import Decoder
    from gennx.trainer.models import find_base, load_model, load_tokenizer
    from gennx.trainer.rendering import Renderer
    from gennx.trainer.runs import load_run, load_trained

    folder = Path(name)
    if (folder / "run.json").is_file():
        run = load_run(folder)
        if not base:
            model = load_trained(run, device)
            if run.settings.lora.enabled and run.settings.model.quantization == "none":
                model = model.merge_and_unload()
            return Decoder(model, run.renderer(), max_new_tokens, rows)
        settings = run.settings.model.model_copy(update={"quantization": "none"})
    elif base:
        raise TrainerError(f"--base: {name} is no run of gennx-train", "name the base itself instead")
    else:
        settings = ModelSettings(name=name, quantization="none")
    found = find_base(settings)
    model = load_model(found.path, settings, device)
    return Decoder(model, Renderer(load_tokenizer(found.path, found.template)), max_new_tokens, rows)


def timed_first(count: int, wanted: int) -> list[int]:
    """Places of the turns to time, spread over all."""
    wanted = min(wanted, count)
    return [number * count // wanted for number in range(wanted)] if wanted else []


def generate_all(writer: Writer, items: Sequence[Item], keep: Keep, alone_first: int | None = None) -> dict[str, Any]:
    """Write every turn with a model of our own, some of them alone first for the latency; returns what it took."""
    import torch

    from gennx.trainer.best_of import Talk

    decoder, renderer = writer.decoder, writer.decoder.renderer
    talks = [Talk(item.messages, item.tools) for item in items]
    jobs = writer.jobs(talks, [len(json.dumps(item.gold)) + len(item.said) for item in items])
    if decoder.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()

    def put(place: int, written: Written, seconds: float | None = None) -> None:
        item = items[place]
        row: dict[str, Any] = {"id": item.id, "turn": item.turn, "text": renderer.decode(written.ids)}
        row |= {"tokens": len(written.ids), "prompt_tokens": len(jobs[place].prompt)}
        row |= {"cut": True} if written.cut else {}
        row |= {"latency_s": round(seconds, 4)} if seconds is not None else {}
        row |= {"draft": renderer.decode(written.draft)} if written.draft is not None else {}
        if written.weighed:
            row["weighed"] = [
                [renderer.decode(ids), round(logprob, 3), against] for ids, logprob, against in written.weighed
            ]
        keep(row)

    def write(places: Sequence[int]) -> Iterator[Written]:
        return writer.write([jobs[place] for place in places], [talks[place] for place in places])

    alone = timed_first(len(jobs), TIMED.get(decoder.device.type, 4) if alone_first is None else alone_first)
    if alone:  # kernels, caches and the grammar engine are set up before the clock runs
        list(write(alone[:1]))
    for place in alone:
        began = time.perf_counter()
        (written,) = write([place])
        put(place, written, time.perf_counter() - began)
    rest = [place for place in range(len(jobs)) if place not in set(alone)]
    started, tokens = time.perf_counter(), 0
    for written in write(rest):
        put(rest[written.index], written)
        tokens += len(written.ids)
    seconds = time.perf_counter() - started
    memory = torch.cuda.max_memory_allocated() / 2**20 if decoder.device.type == "cuda" else None
    took = {"turns": len(rest), "seconds": round(seconds, 2), "tokens": tokens, "rows": decoder.rows}
    return took | {"tokens_per_second": round(tokens / seconds, 1) if rest else None, "memory_mib": memory}


def ask_endpoint(url: str, model: str, key: str, item: Item, limit: int) -> dict[str, Any]:
    """One turn of an OpenAI-compatible server. Raises TrainerError for a server that is not there or refuses."""
    messages = []
    for number, message in enumerate(item.messages):
        message = dict(message)
        if calls := message.get("tool_calls"):
            message["tool_calls"] = [
                {"id": f"call_{number}_{n}", "type": "function", "function": {
                    "name": c["function"]["name"],
                    "arguments": json.dumps(c["function"]["arguments"], ensure_ascii=False)}}
                for n, c in enumerate(calls)
            ]  # fmt: skip
        messages.append(message)
    _number_answers(messages)
    body = {"model": model, "messages": messages, "temperature": 0, "max_tokens": limit}
    body |= {"tools": item.tools} if item.tools else {}
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    request = urllib.request.Request(url, json.dumps(body, ensure_ascii=False).encode(), headers)
    started = time.perf_counter()
    try:
        with urllib.request.urlopen(request, timeout=ENDPOINT_TIMEOUT_S) as reply:
            answer = json.loads(reply.read())
        choice = answer["choices"][0]
        message = choice["message"]
    except urllib.error.HTTPError as error:
        raise TrainerError(f"--endpoint {url}: {error.code}: {error.read()[:200].decode(errors='replace')}") from None
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise TrainerError(f"--endpoint {url}: {error}", "is it an OpenAI-compatible server?") from None
    usage = answer.get("usage") or {}
    row = {
        "id": item.id,
        "turn": item.turn,
        "content": message.get("content") or "",
        "calls": message.get("tool_calls") or [],
    }
    row |= {"latency_s": round(time.perf_counter() - started, 4), "tokens": usage.get("completion_tokens")}
    return row | {"prompt_tokens": usage.get("prompt_tokens"), "cut": choice.get("finish_reason") == "length"}


def _number_answers(messages: list[dict[str, Any]]) -> None:
    """Give each tool message the id of its call, in order."""
    open_ids: list[str] = []
    for message in messages:
        if message.get("tool_calls"):
            open_ids = [call["id"] for call in message["tool_calls"]]
        elif message["role"] == "tool" and open_ids:
            message["tool_call_id"] = open_ids.pop(0)


def chat_url(url: str) -> str:
    """The chat address of a server given by its base address or in full."""
    url = url.rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise TrainerError(f"--endpoint {url}: no address", "e.g. http://127.0.0.1:8000/v1")
    if url.endswith("/chat/completions"):
        return url
    return f"{url}/chat/completions" if url.endswith("/v1") else f"{url}/v1/chat/completions"


def ask_all(url: str, model: str, key: str, items: Sequence[Item], limit: int, keep: Keep) -> dict[str, Any]:
    """Write every turn with a server, several at a time."""
    started = time.perf_counter()
    address = chat_url(url)
    with ThreadPoolExecutor(ENDPOINT_THREADS) as pool:
        try:
            for row in pool.map(lambda item: ask_endpoint(address, model, key, item, limit), items):
                keep(row)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return {"turns": len(items), "seconds": round(time.perf_counter() - started, 2)}
