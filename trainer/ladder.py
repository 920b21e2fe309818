"""What to give up when memory runs out, one rung at a time, each said in one line."""

from __future__ import annotations

from typing import Any

from gennx.trainer.config import Settings

SHORTEST_LIMIT = 256
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "cublas_status_alloc_failed", "mha_graph.execute")
"""The last is how cuDNN's attention puts it on a card that others fill too (pytorch/pytorch#190321, and four evaluations on one H200)."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that memory ran out, on the card or in main memory."""
    if type(error).__name__ in ("OutOfMemoryError", "MemoryError"):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in text for words in _OUT_OF_MEMORY)


def is_disk_full(error: BaseException) -> bool:
    """Whether an exception means that the disk is full; safetensors and torch have their own ways to say it."""
    text = str(error)
    return "No space left" in text or "os error 28" in text or "PytorchStreamWriter failed writing" in text


def _with(settings: Settings, **training: Any) -> Settings:
    return settings.model_copy(update={"training": settings.training.model_copy(update=training)})


def next_rung(settings: Settings) -> tuple[Settings, str] | None:
    """Settings that need less memory, and the line that says what changed; None when nothing is left to give up.

    The micro-batch is halved first (rows, then tokens of a packed row) with as many dialogues a step as before, then
    activations are recomputed, then only the fallback modules are adapted, then the limit is shortened by a quarter.
    """
    training, lora = settings.training, settings.lora
    if training.batch_size > 1:
        half, steps = training.batch_size // 2, training.gradient_accumulation * 2
        return _with(settings, batch_size=half, gradient_accumulation=steps), f"batch size {half} x {steps} from now on"
    if training.packing and (training.row_tokens or 0) > training.max_length:
        half, steps = max(training.max_length, (training.row_tokens or 0) // 2), training.gradient_accumulation * 2
        return (
            _with(settings, row_tokens=half, gradient_accumulation=steps),
            f"packed rows of {half} tokens, {steps} of them a step, from now on",
        )
    if not training.gradient_checkpointing:
        return _with(settings, gradient_checkpointing=True), "activations are recomputed from now on"
    if lora.enabled and lora.target_modules != lora.fallback_modules:
        smaller = settings.model_copy(
            update={"lora": lora.model_copy(update={"target_modules": lora.fallback_modules})}
        )
        return smaller, f"only {', '.join(lora.fallback_modules)} are adapted from now on"
    if training.max_length * 3 // 4 >= SHORTEST_LIMIT:
        limit = training.max_length * 3 // 4
        return _with(settings, max_length=limit, row_tokens=None), f"the limit is {limit} tokens a dialogue from now on"
    return None


def same_weights(before: Settings, after: Settings) -> bool:
    """Whether a checkpoint made under `before` can be continued under `after`: same adapter, same rows."""
    a, b = before.training, after.training
    return before.lora == after.lora and (a.max_length, a.row_tokens) == (b.max_length, b.row_tokens)
