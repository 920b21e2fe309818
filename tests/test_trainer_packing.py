"""Packed rows: the same losses as the dialogues alone, and nothing leaks from one dialogue into another."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from gennx.trainer import attention
from gennx.trainer.config import Settings, load_settings
from gennx.trainer.estimate import Shape, estimate_memory, trained_parameters, weight_bytes
from gennx.trainer.train import packed_rows

LENGTHS = (37, 5, 61, 20)


def tiny(kind: str, implementation: str) -> Any:
    """A two-layer model of the kind: Qwen2, or Gemma 3 with a window of 16 tokens in every other layer."""
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig, Qwen2Config, Qwen2ForCausalLM

    shape: dict[str, Any] = {"vocab_size": 300, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
                             "num_attention_heads": 4, "num_key_value_heads": 2, "attn_implementation": implementation}  # fmt: skip
    torch.manual_seed(3)
    if kind == "qwen2":
        return Qwen2ForCausalLM(Qwen2Config(**shape)).eval()
    config = Gemma3TextConfig(
        **shape, head_dim=8, sliding_window=16, layer_types=["sliding_attention", "full_attention"]
    )
    return Gemma3ForCausalLM(config).eval()


def rows() -> list[Any]:
    generator = torch.Generator().manual_seed(5)
    return [torch.randint(3, 300, (length,), generator=generator) for length in LENGTHS]


def packed_batch(parts: list[Any]) -> dict[str, Any]:
    """What TRL's collator gives the model for one packed row."""
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    ids = torch.cat(parts).tolist()
    example = {"input_ids": ids, "labels": ids, "seq_lengths": [len(part) for part in parts]}
    batch = DataCollatorForLanguageModeling(pad_token_id=0, padding_free=True)([example])
    return {key: value for key, value in batch.items() if key != "labels"}


@pytest.mark.parametrize("kind", ["qwen2", "gemma3"])
def test_packed_losses_are_those_of_the_dialogues_alone(kind: str) -> None:
    packed_model, plain = tiny(kind, attention.register()), tiny(kind, "sdpa")
    parts = rows()
    together = packed_model(**packed_batch(parts)).logits[0]
    alone = torch.cat([plain(input_ids=part[None]).logits[0] for part in parts])
    assert (together - alone).abs().max() < 1e-5
    mixed = plain(input_ids=torch.cat(parts)[None]).logits[0]  # the test can fail: this is what leaking looks like
    assert (mixed - alone)[LENGTHS[0] :].abs().max() > 1e-2


def test_gradients_agree_too() -> None:
    grads = []
    for implementation in (attention.register(), "sdpa"):
        model, parts = tiny("gemma3", implementation), rows()
        logits = (
            [model(**packed_batch(parts)).logits[0]]
            if implementation == attention.NAME
            else [model(input_ids=part[None]).logits[0] for part in parts]
        )
        torch.cat(logits).logsumexp(-1).sum().backward()
        grads.append(model.model.layers[0].self_attn.k_proj.weight.grad)
    assert torch.allclose(grads[0], grads[1], rtol=1e-4, atol=1e-5)


def test_the_cpus_output_head_gives_trls_numbers() -> None:
    from trl.kernels import ChunkedLogProbFunction

    from gennx.trainer.sft import PlainScores

    torch.manual_seed(0)
    targets, found = torch.randint(0, 500, (40,)), []
    for head in (ChunkedLogProbFunction, PlainScores):
        torch.manual_seed(1)
        hidden, weight = torch.randn(40, 16, requires_grad=True), torch.randn(500, 16, requires_grad=True)
        scores, entropy, _, _, right = head.apply(
            hidden, weight, None, targets, 1.0, 128, 30.0, 1.0, ("log_probs", "entropy", "is_top1")
        )
        scores.sum().backward()
        found.append((scores, entropy, right.float(), hidden.grad, weight.grad))
    for ours, theirs in zip(*found, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_padding_and_generation_take_the_ordinary_path() -> None:
    """With a padding mask and a cache, the model answers as with transformers' own sdpa."""
    parts, answers = rows(), []
    for implementation in (attention.register(), "sdpa"):
        model = tiny("gemma3", implementation)
        ids = torch.zeros(2, LENGTHS[2], dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, part in enumerate((parts[0], parts[2])):
            ids[row, -len(part) :], mask[row, -len(part) :] = part, 1
        answers.append(
            model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=12, do_sample=False, pad_token_id=0)
        )
    assert torch.equal(answers[0], answers[1])


def test_rows_are_counted_as_trl_packs_them() -> None:
    from datasets import Dataset
    from trl.data_utils import pack_dataset

    generator = torch.Generator().manual_seed(1)
    lengths = torch.randint(100, 1500, (200,), generator=generator).tolist()
    packed = pack_dataset(Dataset.from_dict({"input_ids": [[1] * n for n in lengths]}), 2048, "bfd")
    assert packed_rows(lengths, 2048) == len(packed)


def test_memory_is_counted_from_the_real_sizes() -> None:
    shape = Shape(1536, 8960, 28, 12, 2, 128, 151936, True)
    assert (shape.linear_parameters, shape.embedding_parameters) == (1_310_195_712, 233_373_696)
    settings = Settings()
    assert trained_parameters(shape, settings) == 9_232_384  # what peft prints for r 8, all-linear
    assert 1085 < weight_bytes(shape, settings, 2) / (1 << 20) < 1095
    short, long = (estimate_memory(shape, settings, "bfloat16", tokens).mib for tokens in (2048, 4096))
    assert short < long < 2 * short


@pytest.mark.parametrize(
    "preset, changes, tokens, share, peak",
    [  # MiB measured on an H200 by benchmarks/training.py (docs/results/training.md)
        ("h100", [], 16384, 0.2, 35807),
        ("h100", ["lora.dropout=0.05"], 16384, 0.2, 48975),
        ("h100", ["model.quantization=nf4"], 16384, 0.2, 33962),
        ("rtx3060-6gb", [], 2048, 1.0, 1684),
        ("rtx3060-6gb", ["training.max_length=4096"], 4096, 1.0, 2107),
    ],
)
def test_memory_is_estimated_as_measured(preset: str, changes: list[str], tokens: int, share: float, peak: int) -> None:
    shape = Shape(1536, 8960, 28, 12, 2, 128, 151936, True)
    estimate = estimate_memory(shape, load_settings(preset, [], changes), "bfloat16", tokens, share).mib
    assert abs(estimate / peak - 1) < 0.1
