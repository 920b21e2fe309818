"""Attention for packed rows: several dialogues in one row, each attending only to itself.

transformers marks the dialogues' borders with `cu_seq_lens_q`, which its flash-attention back ends read. Those need a
package that is not installed everywhere; the same kernels lie inside torch (`aten::_flash_attention_forward`). This
module registers them under the name `gennx_varlen`: no mask is ever built, and no pair of tokens from different
dialogues is ever computed. Where the kernels cannot run (CPU, float32), each dialogue goes through torch's ordinary
attention alone. Rows that are not packed take transformers' own sdpa path, unchanged.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "gennx_varlen"
FLASH_HEAD_SIZES = 256  # largest head that torch's kernels take


def flash_runs(query: Tensor) -> bool:
    """Whether torch's variable-length flash kernels take this tensor: CUDA (Ampere or newer), 16-bit, head <= 256."""
    if not query.is_cuda or query.dtype not in (torch.float16, torch.bfloat16):
        return False
    return bool(query.shape[-1] <= FLASH_HEAD_SIZES and torch.cuda.get_device_capability(query.device) >= (8, 0))


def flash_varlen(
    query: Tensor, key: Tensor, value: Tensor, starts: Tensor, longest: int, scale: float, window: int
) -> Tensor:
    """Causal attention inside each dialogue; query (T, H, D), key and value (T, H_kv, D), starts (N + 1,) int32.

    `window` is the number of tokens a token sees, itself included; 0 for all before it.
    """
    limits = {"window_size_left": window - 1, "window_size_right": 0} if window else {}
    output = torch.ops.aten._flash_attention_forward(
        query, key, value, starts, starts, longest, longest, 0.0, True, False, scale=scale, **limits
    )[0]
    return output


def segment_attention(query: Tensor, key: Tensor, value: Tensor, starts: Tensor, scale: float, window: int) -> Tensor:
    """The same result as `flash_varlen`, one dialogue after the other. Heads first: (H, T, D)."""
    repeat = query.shape[0] // key.shape[0]
    if repeat > 1:  # torch's grouped attention on the CPU would build the whole T x T matrix
        key, value = key.repeat_interleave(repeat, dim=0), value.repeat_interleave(repeat, dim=0)
    borders = starts.tolist()
    outputs = []
    for start, end in pairwise(borders):
        q, k, v = (tensor[None, :, start:end] for tensor in (query, key, value))
        mask = None
        if window and end - start > window:
            rows = torch.arange(end - start, device=query.device)
            apart = rows[:, None] - rows[None, :]
            mask = (apart >= 0) & (apart < window)
        outputs.append(scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None, scale=scale)[0])
    return torch.cat(outputs, dim=1)


def next_token_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float | None) -> Tensor:
    """Attention of one new token a row with grouped heads: query (B, H, 1, D), key and value (B, H_kv, T, D), to (B, 1, H, D).

    torch's masked attention would first copy every key and value once a query head.
    """
    rows, heads, _, size = query.shape
    grouped = query.reshape(rows, key.shape[1], -1, size)
    scores = torch.matmul(grouped, key.transpose(-1, -2)).float() * (scale if scale is not None else size**-0.5)
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else scores + mask
    weights = scores.softmax(dim=-1).to(value.dtype)
    return torch.matmul(weights, value).reshape(rows, 1, heads, size)


def varlen_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """transformers' attention interface: query (B, H, T, D) to output (B, T, H, D).

    Packed rows come with B = 1 and `cu_seq_lens_q`; everything else goes to transformers' sdpa attention.
    """
    starts = kwargs.get("cu_seq_lens_q")
    if starts is None and query.shape[2] == 1 and query.shape[1] != key.shape[1] and not dropout:
        return next_token_attention(query, key, value, attention_mask, scaling), None
    if starts is None:
        output, _ = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
        return output, None
    if query.shape[0] != 1 or dropout:
        raise ValueError("packed rows come as one row, without attention dropout")
    scale = scaling if scaling is not None else query.shape[-1] ** -0.5
    window = int(kwargs.get("sliding_window") or 0)
    if flash_runs(query):
        q, k, v = (tensor[0].transpose(0, 1) for tensor in (query, key, value))
        return flash_varlen(q, k, v, starts, int(kwargs["max_length_q"]), scale, window)[None], None
    packed = segment_attention(query[0], key[0], value[0], starts, scale, window)
    return packed.transpose(0, 1)[None].contiguous(), None


def varlen_mask(*args: Any, **kwargs: Any) -> Tensor | None:
    """No mask for packed rows, whose borders are in `cu_seq_lens_q`; sdpa's mask for everything else.

    transformers forbids the causal shortcut exactly when it sees packed positions in a row without a padding mask.
    """
    if kwargs.get("attention_mask") is None and kwargs.get("allow_is_causal_skip") is False:
        return None
    return sdpa_mask(*args, **kwargs)


def register() -> str:
    """Make `gennx_varlen` known to transformers; returns the name for `attn_implementation`."""
    AttentionInterface.register(NAME, varlen_attention)
    AttentionMaskInterface.register(NAME, varlen_mask)
    return NAME
