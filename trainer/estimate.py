"""What a run will take: memory on the device, steps and time, worked out before anything is loaded.

The count follows the tensors that training really holds (see `activation_bytes`); benchmarks/training.py prints it
beside what was measured.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gennx.trainer.config import Settings
from gennx.trainer.errors import TrainerError

WORKSPACE = 32 << 20
"""Bytes that cuBLAS takes for itself on Hopper; 8 MiB on smaller cards."""
MIB = 1 << 20
LOSS_TOKENS, LOSS_WIDTH = 4096, 32768  # tile of TRL's fused output head: tokens x vocabulary entries
BYTES = {"bfloat16": 2, "float16": 2, "float32": 4}


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a decoder-only transformer, as in its config.json."""

    hidden: int
    inner: int
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    vocabulary: int
    tied: bool

    @property
    def linears(self) -> dict[str, tuple[int, int]]:
        """Input and output width of each linear layer of one block."""
        q, kv = self.heads * self.head_size, self.kv_heads * self.head_size
        return {
            "q_proj": (self.hidden, q),
            "k_proj": (self.hidden, kv),
            "v_proj": (self.hidden, kv),
            "o_proj": (q, self.hidden),
            "gate_proj": (self.hidden, self.inner),
            "up_proj": (self.hidden, self.inner),
            "down_proj": (self.inner, self.hidden),
        }

    @property
    def linear_parameters(self) -> int:
        """Parameters of all blocks' linear layers: the part that 4-bit weights shrink."""
        return self.layers * sum(width * out for width, out in self.linears.values())

    @property
    def embedding_parameters(self) -> int:
        """Parameters of the input embedding, and of the output head where it is not the same matrix."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2)


def read_shape(path: Path) -> Shape:
    """The shape in a model folder's config.json. Raises TrainerError if it is not a decoder of the usual kind."""
    try:
        config: dict[str, Any] = json.loads((path / "config.json").read_text(encoding="utf-8"))
        config = config.get("text_config", config)
        heads = int(config["num_attention_heads"])
        return Shape(
            hidden=int(config["hidden_size"]),
            inner=int(config["intermediate_size"]),
            layers=int(config["num_hidden_layers"]),
            heads=heads,
            kv_heads=int(config.get("num_key_value_heads") or heads),
            head_size=int(config.get("head_dim") or config["hidden_size"] // heads),
            vocabulary=int(config["vocab_size"]),
            tied=bool(config.get("tie_word_embeddings", False)),
        )
    except (OSError, ValueError, KeyError) as error:
        raise TrainerError(f"{path}: config.json lacks {error}", "a decoder-only language model is needed") from None


@dataclass(frozen=True, slots=True)
class Memory:
    """Parts of the peak of allocated device memory, in bytes."""

    weights: int
    adapter: int
    activations: int
    loss: int

    @property
    def mib(self) -> float:
        """The peak, in MiB."""
        return (self.weights + self.adapter + self.activations + self.loss) / MIB


def weight_bytes(shape: Shape, settings: Settings, element: int) -> int:
    """Frozen (or fully trained) weights. NF4: half a byte and one 8-bit or 32-bit scale for 64 parameters."""
    if settings.model.quantization == "none":
        return (shape.linear_parameters + shape.embedding_parameters) * element
    scale = 1 / 64 + 4 / (64 * 256) if settings.model.double_quantization else 4 / 64
    return int(shape.linear_parameters * (0.5 + scale)) + shape.embedding_parameters * element


def trained_parameters(shape: Shape, settings: Settings) -> int:
    """Parameters that the optimizer moves."""
    if not settings.lora.enabled:
        return shape.linear_parameters + shape.embedding_parameters
    wanted = settings.lora.target_modules
    names = list(shape.linears) if wanted == "all-linear" else [wanted] if isinstance(wanted, str) else wanted
    chosen = [shape.linears[name] for name in names if name in shape.linears]
    return shape.layers * settings.lora.r * sum(width + out for width, out in chosen)


def layer_bytes(shape: Shape, settings: Settings, element: int) -> int:
    """Bytes a token and block that the backward pass reads: inputs of norms and adapters, attention, gate and up.

    With dropout, each adapted layer keeps its own masked input and a mask of one byte an element, and nothing keeps
    the unmasked ones (what the norms give out, and gate times up).
    """
    q, kv = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    kept = (4 * shape.hidden + 2 * q + 2 * kv + 3 * shape.inner) * element + 4 * shape.heads
    if settings.lora.enabled and settings.lora.dropout > 0:
        kept -= (2 * shape.hidden + shape.inner) * element
        targets = settings.lora.target_modules
        widths = [width for name, (width, _) in shape.linears.items() if targets == "all-linear" or name in targets]
        kept += sum(widths) * (element + 1)
    return kept


def activation_bytes(shape: Shape, settings: Settings, tokens: int, element: int) -> int:
    """Activations at the peak: of all blocks, or with checkpointing each block's input and one block's all.

    On top come the gradients that one block's backward pass holds at once: of gate or up, and two hidden.
    """
    passing = (shape.inner + 2 * shape.hidden) * element
    block = layer_bytes(shape, settings, element)
    blocks = (
        shape.layers * shape.hidden * element + block
        if settings.training.gradient_checkpointing
        else shape.layers * block
    )
    return tokens * (blocks + passing)


def loss_bytes(shape: Shape, trained_tokens: int, element: int) -> int:
    """The fused head's tiles of logits and of their gradient, and float32 gradients of the hidden states."""
    tile = min(trained_tokens, LOSS_TOKENS) * min(shape.vocabulary, LOSS_WIDTH)
    return 2 * tile * element + trained_tokens * shape.hidden * 4


def estimate_memory(shape: Shape, settings: Settings, dtype: str, tokens: int, trained_share: float = 1.0) -> Memory:
    """Peak of allocated memory for one pass over `tokens` tokens. The loss and a block never peak together."""
    element = BYTES[dtype]
    held = 4 if not settings.lora.enabled else element
    trained = trained_parameters(shape, settings)
    moments = 2 if "8bit" in settings.training.optimizer else 8
    adapter = trained * ((4 if settings.lora.enabled else 0) + 4 + moments)
    activations = activation_bytes(shape, settings, tokens, element)
    loss = loss_bytes(shape, int(tokens * trained_share), element)
    if settings.training.gradient_checkpointing:
        stored = tokens * shape.layers * shape.hidden * element
        loss = max(0, loss + stored - activations)
    weights = weight_bytes(shape, settings, held) + WORKSPACE
    if settings.model.quantization != "none":
        weights += shape.inner * shape.hidden * element  # the largest layer, unpacked while it is used
    return Memory(weights, adapter, activations, loss)


def row_tokens(settings: Settings, longest: int) -> int:
    """Tokens of the largest pass: packed rows are filled up to their limit."""
    training = settings.training
    return training.batch_size * ((training.row_tokens or training.max_length) if training.packing else longest)


def measured_flops(device: str, dtype: str) -> float:
    """Multiply-adds x 2 a second of a large matrix product on the device, timed for a moment."""
    import torch

    size = 4096 if device == "cuda" else 1024
    kind = getattr(torch, dtype)
    matrix = torch.randn(size, size, device=device).to(kind)

    def seconds(times: int) -> float:
        start = time.perf_counter()
        for _ in range(times):
            matrix @ matrix
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    seconds(2)
    return 8 * 2.0 * size**3 / seconds(8)


def estimate_seconds(shape: Shape, settings: Settings, tokens: float, flops: float) -> float:
    """Time to train on `tokens` tokens: 2 operations a parameter forward, 2 backward to the inputs, 2 more where
    weights are trained or activations recomputed, at half the speed of a large matrix product."""
    parameters = shape.linear_parameters
    operations = 4 + (2 if settings.training.gradient_checkpointing else 0) + (2 if not settings.lora.enabled else 0)
    return tokens * parameters * operations / (0.5 * flops)
