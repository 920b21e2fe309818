"""Keys and values of generation in buffers that are written in place: a step copies nothing but its own token.

transformers' own growing cache joins the old states with the new ones at every token, which for a batch of 256 prompts
moves more memory than the attention reads.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

SPARE_COLUMNS = 256


class GrowingLayer(DynamicLayer):  # type: ignore[misc]
    """One layer's states, (rows, heads, columns, size); `keys` and `values` are views into buffers with room behind them."""

    keys: Tensor
    values: Tensor
    _buffers: tuple[Tensor, Tensor] | None = None

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append the states of new tokens; returns all states."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        before = self.keys.shape[-2] if self.keys.numel() else 0
        after = before + key_states.shape[-2]
        if self._buffers is None or not self._ours() or after > self._buffers[0].shape[-2]:
            self._move(key_states, value_states, before, after)
        assert self._buffers is not None
        for buffer, states in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[..., before:after, :] = states
        self.keys, self.values = (buffer[..., :after, :] for buffer in self._buffers)
        return self.keys, self.values

    def _ours(self) -> bool:
        """False after somebody put other tensors into `keys` and `values`, as taking rows out of a batch does."""
        assert self._buffers is not None
        return bool(
            self.keys.data_ptr() == self._buffers[0].data_ptr() and self.keys.shape[0] == self._buffers[0].shape[0]
        )

    def _move(self, key_states: Tensor, value_states: Tensor, before: int, after: int) -> None:
        """Larger buffers with what there is."""
        moved = []
        for old, states in ((self.keys, key_states), (self.values, value_states)):
            rows, heads, _, size = states.shape
            buffer = torch.empty((rows, heads, after + SPARE_COLUMNS, size), dtype=states.dtype, device=states.device)
            if before:
                buffer[..., :before, :] = old
            moved.append(buffer)
        self._buffers = (moved[0], moved[1])


def growing_cache() -> Cache:
    """An empty cache of such layers."""
    return Cache(layer_class_to_replicate=GrowingLayer)
