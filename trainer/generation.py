"""Greedy generation in batches, and the share of calls that a model reproduces.

Used by `--select task` while training, by gennx-serve, and open to any evaluation: what goes in are prompts as
`Renderer.prompt_ids` makes them, what comes out are the ids that the model wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from gennx.trainer.data import Dialogue
from gennx.trainer.rendering import Renderer, expected_calls


@dataclass(frozen=True, slots=True)
class Task:
    """A prompt that ends where the assistant must call, and the calls it should make."""

    prompt: list[int]
    expected: list[dict[str, Any]]
    where: str


def tasks_of(dialogues: Iterable[Dialogue], renderer: Renderer, limit: int | None = None) -> list[Task]:
    """One task for each assistant turn that calls, in order; at most `limit` tasks."""
    tasks: list[Task] = []
    for dialogue in dialogues:
        for index, message in enumerate(dialogue.messages):
            if limit is not None and len(tasks) >= limit:
                return tasks
            if message["role"] == "assistant" and message.get("tool_calls"):
                prompt = renderer.prompt_ids(dialogue.messages[:index], dialogue.tools)
                tasks.append(Task(prompt, expected_calls(message), dialogue.where))
    return tasks


def generate(
    model: Any, renderer: Renderer, prompts: Sequence[list[int]], max_new_tokens: int = 512, batch_size: int = 8
) -> list[list[int]]:
    """Greedy continuations, one list of ids a prompt, end token left out. Longest prompts go first together."""
    order = sorted(range(len(prompts)), key=lambda index: -len(prompts[index]))
    outputs: list[list[int]] = [[] for _ in prompts]
    was_training = bool(model.training)
    model.eval()
    pad = int(renderer.tokenizer.pad_token_id or 0)
    for first in range(0, len(order), batch_size):
        chosen = order[first : first + batch_size]
        longest = max(len(prompts[index]) for index in chosen)
        ids = torch.tensor([[pad] * (longest - len(prompts[i])) + prompts[i] for i in chosen], device=model.device)
        mask = torch.tensor(
            [[0] * (longest - len(prompts[i])) + [1] * len(prompts[i]) for i in chosen], device=model.device
        )
        with torch.no_grad():
            written = model.generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=max_new_tokens,
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
                eos_token_id=renderer.end_id,
                pad_token_id=pad,
                use_cache=True,
            )
        for index, row in zip(chosen, written[:, longest:].tolist(), strict=True):
            outputs[index] = row[: row.index(renderer.end_id)] if renderer.end_id in row else row
    model.train(was_training)
    return outputs


def same_calls(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> bool:
    """Whether two lists of calls are the same calls in the same order: names, and arguments as JSON values."""
    return found == expected


def task_score(
    model: Any, renderer: Renderer, tasks: Sequence[Task], max_new_tokens: int = 512, batch_size: int = 8
) -> float:
    """Share of tasks whose calls come out exactly as expected, in [0, 1]. Raises ValueError without tasks."""
    if not tasks:
        raise ValueError("no dialogue with a call to measure on")
    outputs = generate(model, renderer, [task.prompt for task in tasks], max_new_tokens, batch_size)
    right = sum(
        same_calls(renderer.written(ids).calls, task.expected) for ids, task in zip(outputs, tasks, strict=True)
    )
    return right / len(tasks)
