"""Constrained decoding: at each step only tokens that keep the turn within its grammar (llguidance, a Rust engine).

One `Constrainer` for a tokenizer; one matcher for each row of a batch. Grammars are compiled once for a set of tools
and copied from then on, and the compiling of many sets runs on all cores beside the model.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from gennx.trainer.errors import TrainerError
from gennx.trainer.grammar import turn_grammar
from gennx.trainer.rendering import CALL_OPEN

if TYPE_CHECKING:
    import torch

    from gennx.trainer.rendering import Renderer

KEPT_GRAMMARS = 512
Tools = list[dict[str, Any]]


class Constrainer:
    """Compiles grammars for one tokenizer and applies them to logits of width `width`."""

    def __init__(self, renderer: Renderer, width: int) -> None:
        try:
            import llguidance
            import llguidance.hf
        except ModuleNotFoundError:
            raise TrainerError("--constrained needs llguidance", "pip install llguidance, or take --free") from None
        self._engine = llguidance
        self._tokenizer = llguidance.hf.from_tokenizer(renderer.tokenizer, n_vocab=width, eos_token=renderer.end_id)
        mark = renderer.tokenizer.convert_tokens_to_ids(CALL_OPEN)
        known = isinstance(mark, int) and mark != renderer.tokenizer.unk_token_id
        self._marks_are_tokens = bool(known and self._tokenizer.is_special_token(mark))
        self._limits = llguidance.LLParserLimits(
            max_items_in_row=50_000, step_max_items=500_000, max_grammar_size=5_000_000, initial_lexer_fuel=10_000_000
        )
        threads = os.cpu_count() or 1
        self._executor = llguidance.LLExecutor(num_threads=threads)
        self._pool = ThreadPoolExecutor(threads)
        self._kept: OrderedDict[str, Future[Any]] = OrderedDict()
        self.width = width

    def prepare(self, tools: Tools) -> None:
        """Start to compile the grammar of a set of tools, if it is not kept already."""
        key = self._key(tools)
        if key not in self._kept:
            self._kept[key] = self._pool.submit(self._compile, tools)
            if len(self._kept) > KEPT_GRAMMARS:
                self._kept.popitem(last=False)

    def matcher(self, tools: Tools) -> Any:
        """A fresh matcher for a turn with these tools."""
        self.prepare(tools)
        key = self._key(tools)
        self._kept.move_to_end(key)
        return self._kept[key].result().deep_copy()

    @staticmethod
    def _key(tools: Tools) -> str:
        return repr(tools)

    def _compile(self, tools: Tools) -> Any:
        grammar = turn_grammar(tools, self._marks_are_tokens)
        matcher = self._engine.LLMatcher(self._tokenizer, grammar, log_level=0, limits=self._limits)
        if matcher.is_error():
            names = ", ".join(tool["function"]["name"] for tool in tools)
            raise TrainerError(f"the grammar of {names} cannot be compiled: {matcher.get_error()[:300]}", "take --free")
        return matcher

    def apply(self, logits: torch.Tensor, matchers: Sequence[Any]) -> torch.Tensor:
        """Logits (rows, width) with every token out that its row's grammar does not allow; None allows all."""
        import numpy as np
        import torch
        from llguidance.numpy import fill_next_token_bitmask_par

        words = (self.width + 31) // 32
        bits = np.full((len(matchers), words), -1, dtype=np.int32)
        live = [(matcher, row) for row, matcher in enumerate(matchers) if matcher is not None]
        if not live:
            return logits
        fill_next_token_bitmask_par(self._executor, live, bits)
        packed = torch.from_numpy(bits).to(logits.device, non_blocking=True)
        shifts = torch.arange(32, device=logits.device, dtype=torch.int32)
        allowed = ((packed[:, :, None] >> shifts) & 1).view(len(matchers), -1)[:, : logits.shape[1]].bool()
        return logits.masked_fill(~allowed, float("-inf"))

    def consume(self, matchers: Sequence[Any], tokens: Sequence[int]) -> None:
        """Move the matchers on by one token each. Raises TrainerError if one cannot go on."""
        for matcher, token in zip(matchers, tokens, strict=True):
            if matcher is not None and not matcher.consume_token(token):
                raise TrainerError(f"constrained decoding stopped: {matcher.get_error()[:300]}", "take --free")
