"""Speed and memory of training on the Qwen2.5-1.5B architecture, beside the original's recipe, in one run.

    python benchmarks/training.py --json training.json      # one H100, under ten minutes, no network
    python benchmarks/training.py --quick                   # a toy architecture, also on a CPU: does everything run?

Weights are random: memory and speed do not depend on their values. Dialogues are random tokens, 1,000 to 2,000 each,
of which the last fifth is trained; the memory cases train every token of full rows, which is the worst case. Each case
runs in a process of its own. The last line of every case is its record as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

if __package__ in (None, "") and not os.environ.get("GENNX_INSTALLED"):
    # Without an installed gennx (a bare GPU machine), make `gennx.trainer` of this checkout importable.
    try:
        import gennx.trainer  # noqa: F401
    except ModuleNotFoundError:
        import importlib.util
        import types

        ROOT = Path(__file__).resolve().parent.parent
        sys.modules.setdefault("gennx", types.ModuleType("gennx")).__path__ = []  # type: ignore[attr-defined]
        spec = importlib.util.spec_from_file_location(
            "gennx.trainer", ROOT / "trainer" / "__init__.py", submodule_search_locations=[str(ROOT / "trainer")]
        )
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules["gennx.trainer"] = module
        spec.loader.exec_module(module)

MIB = 1 << 20
CARD_CAP_MIB = 6 * 1024
ORIGINAL_SEEN = {"tokens_per_second": 1201, "peak_mib": 6079}

# name: (preset or "original", overrides, all tokens trained in full rows, warm-up steps, measured steps)
CASES: dict[str, tuple[str, dict[str, Any], bool, int, int]] = {
    "original": ("original", {}, False, 2, 6),
    "original-2048": ("original", {}, True, 1, 2),
    "h100": ("h100", {}, False, 4, 20),
    "h100-dropout": ("h100", {"lora.dropout": 0.05}, False, 4, 10),
    "h100-nf4": ("h100", {"model.quantization": "nf4"}, False, 4, 10),
    "nf4-b8-checkpointing": (
        "rtx3060-6gb", {"training.batch_size": 8, "training.gradient_accumulation": 1}, True, 3, 8),
    "nf4-b8": (
        "rtx3060-6gb", {"training.batch_size": 8, "training.gradient_accumulation": 1,
                        "training.gradient_checkpointing": False}, True, 3, 8),
    "rtx3060-2048": ("rtx3060-6gb", {}, True, 1, 4),
    "rtx3060-4096": ("rtx3060-6gb", {"training.max_length": 4096}, True, 1, 3),
    "gpu-24gb": ("gpu-24gb", {}, False, 1, 4),
    "rtx3060-capped": ("rtx3060-6gb", {}, False, 2, 98),
}  # fmt: skip
QUICK = ("h100", "rtx3060-2048")


def architecture(quick: bool) -> dict[str, Any]:
    """Qwen2.5-1.5B's config.json, or a toy of the same kind."""
    if quick:
        return {"vocab_size": 4096, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
                "num_attention_heads": 4, "num_key_value_heads": 2}  # fmt: skip
    return {"vocab_size": 151936, "hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28,
            "num_attention_heads": 12, "num_key_value_heads": 2}  # fmt: skip


def make_model(folder: Path, quick: bool) -> None:
    """A folder with random weights and a stand-in tokenizer (the rows are tokens already)."""
    import torch
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

    device = "cuda" if torch.cuda.is_available() else "cpu"
    config = Qwen2Config(**architecture(quick), max_position_embeddings=32768, tie_word_embeddings=True,
                         rms_norm_eps=1e-6, rope_theta=1e6, bos_token_id=0, eos_token_id=1, pad_token_id=0)  # fmt: skip
    torch.manual_seed(0)
    with torch.device(device):
        model = Qwen2ForCausalLM(config).to(torch.bfloat16)
    model.save_pretrained(folder)
    words = Tokenizer(models.WordLevel({"<pad>": 0, "<|im_end|>": 1, "<unk>": 2}, unk_token="<unk>"))
    PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", eos_token="<|im_end|>", unk_token="<unk>",
        chat_template="{% for message in messages %}{{ message.content }}<|im_end|>{% endfor %}",
    ).save_pretrained(folder)  # fmt: skip


def make_rows(count: int, vocabulary: int, full: int | None, scale: float = 1.0) -> dict[str, list[list[int]]]:
    """Random dialogues: 1,000 to 2,000 tokens with the last fifth trained, or `full` tokens all trained."""
    chance = random.Random(1)
    ids, labels = [], []
    for _ in range(count):
        length = full or int(chance.randint(1000, 2000) * scale)
        row = [chance.randrange(3, vocabulary) for _ in range(length)]
        start = 0 if full else length * 4 // 5
        ids.append(row)
        labels.append([-100] * start + row[start:])
    return {"input_ids": ids, "labels": labels}


class Stopwatch:
    """A trainer callback that times the steps after the warm-up and counts their tokens."""

    def __init__(self, warm_up: int, tokens: Any) -> None:
        self.warm_up, self.tokens = warm_up, tokens
        self.start = self.end = (0, 0.0)
        self.losses: list[float] = []

    def __getattr__(self, name: str) -> Any:  # every other event of transformers' TrainerCallback
        if name.startswith("on_"):
            return lambda *args, **kwargs: None
        raise AttributeError(name)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Note time and tokens after each step, with the card's queue drained."""
        import torch

        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.end = (self.tokens(), time.perf_counter())
        if state.global_step == self.warm_up:
            self.start = self.end

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        """Keep the losses, to see that they are numbers."""
        if logs and "loss" in logs:
            self.losses.append(logs["loss"])

    @property
    def speed(self) -> float:
        """Tokens a second between warm-up and end."""
        return (self.end[0] - self.start[0]) / (self.end[1] - self.start[1])


def settings_of(preset: str, overrides: dict[str, Any], steps: int, folder: Path, quick: bool) -> Any:
    """The preset as it ships, with the model folder, the number of steps and the case's overrides."""
    from gennx.trainer.config import load_settings

    changes = {"model.name": str(folder), "training.max_steps": steps, "training.epochs": 1000, **overrides}
    if quick:
        changes["training.gradient_accumulation"] = 1
    return load_settings(preset, [], [f"{key}={json.dumps(value)}" for key, value in changes.items()])


def run_ours(case: str, folder: Path, quick: bool, work: Path) -> dict[str, Any]:
    """A case through gennx's own trainer, as gennx-train builds it."""
    from datasets import Dataset

    from gennx.trainer.estimate import estimate_memory, read_shape, row_tokens
    from gennx.trainer.models import load_tokenizer, pick_device, pick_dtype
    from gennx.trainer.sft import build_trainer, peak_memory_mib

    preset, overrides, all_trained, warm_up, measured = CASES[case]
    warm_up, measured = (1, 2) if quick else (warm_up, measured)
    settings = settings_of(preset, overrides, warm_up + measured, folder, quick)
    training, device, shape = settings.training, pick_device("auto"), read_shape(folder)
    capped_mib = cap_card() if case == "rtx3060-capped" and device == "cuda" else None
    full = (128 if quick else training.max_length) if all_trained else None
    columns = make_rows(64 if quick else 512 if not full else 64, shape.vocabulary, full, 0.1 if quick else 1.0)
    tokenizer = load_tokenizer(folder)
    watch = Stopwatch(warm_up, lambda: trainer._total_train_tokens)
    trainer = build_trainer(folder, tokenizer, Dataset.from_dict(columns), None, settings, device, work, [watch])
    trainer.train()
    tokens = row_tokens(settings, full or 0)
    estimate = estimate_memory(
        shape, settings, pick_dtype(settings.model.dtype, device), tokens, 1.0 if full else 0.2
    ).mib
    return {
        "tokens_per_second": round(watch.speed),
        "peak_mib": round(peak_memory_mib(device)),
        "estimate_mib": round(estimate),
        "tokens_a_pass": tokens,
        "steps": trainer.state.global_step,
        "losses_finite": all(abs(loss) < 1e6 for loss in watch.losses),
        "card_capped_to_mib": capped_mib,
    }


def cap_card() -> int:
    """Leave this process 6 GiB of the card, the CUDA context included; returns the cap on allocations in MiB."""
    import torch

    others = used_on_card() * MIB  # the parent's, above all: it wrote the random weights
    torch.zeros(1, device="cuda")
    free, total = torch.cuda.mem_get_info()
    context = max(0, total - free - torch.cuda.memory_reserved() - others)
    cap = CARD_CAP_MIB * MIB - context
    torch.cuda.set_per_process_memory_fraction(cap / total)
    return int(cap / MIB)


def used_on_card() -> int:
    """Memory in use on this process's card before it uses any, MiB."""
    card = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0] or "0"
    query = ["nvidia-smi", "-i", card, "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    return int(subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()[0])


def run_original(case: str, folder: Path, quick: bool, work: Path) -> dict[str, Any]:
    """The original's recipe: 4-bit QLoRA in transformers' Trainer, batch 1 x 8, no packing, plain loss."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig, Trainer, TrainingArguments

    _, _, all_trained, warm_up, measured = CASES[case]
    warm_up, measured = (1, 2) if quick else (warm_up, measured)
    cuda = torch.cuda.is_available()
    columns = make_rows(128, architecture(quick)["vocab_size"], 2048 if all_trained else None, 0.1 if quick else 1.0)
    nf4 = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
                             bnb_4bit_compute_dtype=torch.bfloat16)  # fmt: skip
    model: Any = AutoModelForCausalLM.from_pretrained(
        folder, quantization_config=nf4, device_map={"": 0 if cuda else "cpu"}, dtype=torch.bfloat16
    )
    model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=True)
    model = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, lora_dropout=0.05, target_modules="all-linear",
                                             task_type="CAUSAL_LM"))  # fmt: skip
    counted = 0

    def collate(rows: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        nonlocal counted
        counted += len(rows[0]["input_ids"])
        return {"input_ids": torch.tensor([rows[0]["input_ids"]]), "labels": torch.tensor([rows[0]["labels"]]),
                "attention_mask": torch.ones(1, len(rows[0]["input_ids"]), dtype=torch.long)}  # fmt: skip

    watch = Stopwatch(warm_up, lambda: counted)
    arguments = TrainingArguments(
        str(work), per_device_train_batch_size=1, gradient_accumulation_steps=8, max_steps=warm_up + measured,
        learning_rate=2e-4, bf16=cuda, optim="paged_adamw_8bit" if cuda else "adamw_torch", use_cpu=not cuda,
        gradient_checkpointing=True, save_strategy="no", report_to=[], logging_steps=1, disable_tqdm=True,
        remove_unused_columns=False, dataloader_prefetch_factor=None,
    )  # fmt: skip
    Trainer(model, arguments, collate, Dataset.from_dict(columns), callbacks=[watch]).train()  # type: ignore[list-item]
    peak = torch.cuda.max_memory_allocated() / MIB if cuda else 0.0
    return {
        "tokens_per_second": round(watch.speed),
        "peak_mib": round(peak),
        "losses_finite": all(x < 1e6 for x in watch.losses),
    }


def check_packing(folder: Path) -> dict[str, Any]:
    """Losses of four dialogues packed in one row against the same dialogues alone, on this device."""
    import torch
    from transformers import AutoModelForCausalLM
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    from gennx.trainer import attention

    cuda = torch.cuda.is_available()
    config: dict[str, Any] = {
        "dtype": torch.bfloat16 if cuda else torch.float32,
        "device_map": {"": 0 if cuda else "cpu"},
    }
    rows = make_rows(4, 4096, None, 0.2)
    tokens = [token for row in rows["input_ids"] for token in row]
    labels = [label for row in rows["labels"] for label in row]
    packed = {"input_ids": tokens, "labels": labels, "seq_lengths": [len(row) for row in rows["input_ids"]]}
    batch = DataCollatorForLanguageModeling(pad_token_id=0, padding_free=True)([packed])
    model: Any = AutoModelForCausalLM.from_pretrained(folder, attn_implementation=attention.register(), **config).eval()
    place = {
        key: value.to(model.device) if hasattr(value, "to") else value
        for key, value in batch.items()
        if key != "labels"
    }
    alone = [torch.tensor([row], device=model.device) for row in rows["input_ids"]]
    with torch.no_grad():
        together = model(**place).logits[0].float()
        model.set_attn_implementation("sdpa")
        apart = torch.cat([model(input_ids=row).logits[0].float() for row in alone])
        model.set_attn_implementation(attention.NAME)
        crossed = model(input_ids=torch.cat(alone, dim=1)).logits[0].float()  # as if it were one dialogue
    scale = apart.std().item()
    return {"largest_difference": round((together - apart).abs().max().item() / scale, 4),
            "difference_if_dialogues_mixed": round((crossed - apart).abs().max().item() / scale, 4)}  # fmt: skip


def run_case(case: str, folder: Path, quick: bool) -> dict[str, Any]:
    """One case, in this process."""
    with tempfile.TemporaryDirectory() as work:
        if case == "packing":
            return check_packing(folder)
        run = run_original if CASES[case][0] == "original" else run_ours
        return run(case, folder, quick, Path(work))


def run_apart(case: str, folder: Path, quick: bool) -> dict[str, Any]:
    """One case in a process of its own; a failure is recorded, not hidden."""
    command = [sys.executable, __file__, "--case", case, "--folder", str(folder), *(["--quick"] if quick else [])]
    start = time.perf_counter()
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "HF_HUB_OFFLINE": "1"}
    )
    lines = done.stdout.strip().splitlines()
    try:
        record: dict[str, Any] = json.loads(lines[-1]) if lines and done.returncode == 0 else {}
    except json.JSONDecodeError:
        record = {}
    if not record:
        record = {"failed": (done.stderr.strip().splitlines() or ["no output"])[-12:]}
    record["seconds"] = round(time.perf_counter() - start, 1)
    return record


def verdicts(results: dict[str, dict[str, Any]]) -> list[tuple[str, str, bool | None]]:
    """The figures that the issue asks for, with what was measured; None where a case is missing."""

    def value(case: str, key: str) -> float | None:
        found = results.get(case, {}).get(key)
        return float(found) if found is not None else None

    def judged(text: str, found: float | None, right: bool | None) -> tuple[str, str, bool | None]:
        return text, "not measured" if found is None else f"{found:,.1f}", right if found is not None else None

    ours, theirs = value("h100", "tokens_per_second"), value("original", "tokens_per_second")
    ratio = ours / theirs if ours and theirs else None
    short, long, steps = (
        value("rtx3060-2048", "peak_mib"),
        value("rtx3060-4096", "peak_mib"),
        value("rtx3060-capped", "steps"),
    )
    checked, plain = value("nf4-b8-checkpointing", "tokens_per_second"), value("nf4-b8", "tokens_per_second")
    rows = [
        judged("h100 preset / original recipe, at least 15 times", ratio, ratio is not None and ratio >= 15),
        judged("rtx3060-6gb at 2,048 tokens, at most 2,700 MiB", short, short is not None and short <= 2700),
        judged("rtx3060-6gb at 4,096 tokens, at most 3,400 MiB", long, long is not None and long <= 3400),
        judged("rtx3060-6gb, steps under a 6 GiB cap, 100", steps, steps is not None and steps >= 100),
        judged(
            "4-bit, batch 8, checkpointing, above 15,827 tokens/s", checked, checked is not None and checked > 15827
        ),
        judged("4-bit, batch 8, no checkpointing, above 21,818 tokens/s", plain, plain is not None and plain > 21818),
    ]
    for case, record in results.items():
        if "estimate_mib" in record:
            off = record["estimate_mib"] / record["peak_mib"] - 1
            rows.append((f"memory estimate of {case} within 10 %", f"{off:+.1%}", abs(off) <= 0.10))
    return rows


def print_table(results: dict[str, dict[str, Any]]) -> None:
    """The results for a person, on stdout."""
    print(f"{'case':24}{'tokens/s':>10}{'peak MiB':>10}{'estimate':>10}{'seconds':>9}")
    for case, record in results.items():
        if "failed" in record:
            print(f"{case:24}  failed: {record['failed'][-1][:100]}")
        elif case == "packing":
            print(f"{case:24}  packed against alone: {record}")
        else:
            estimate = f"{record['estimate_mib']:,}" if "estimate_mib" in record else ""
            print(
                f"{case:24}{record['tokens_per_second']:>10,}{record['peak_mib']:>10,}{estimate:>10}{record['seconds']:>9}"
            )
    print()


def print_verdicts(results: dict[str, dict[str, Any]]) -> None:
    """What the issue asks for, and whether it holds."""
    for text, found, right in verdicts(results):
        print(f"{'?' if right is None else 'yes' if right else 'NO':4} {text}: {found}")


def main() -> None:
    """Run all cases, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="toy architecture, few steps")
    parser.add_argument("--json", type=Path, help="write the results there")
    parser.add_argument("--only", help="comma-separated cases")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument(
        "--folder", type=Path, help="folder for the random model, made if absent; default a temporary one"
    )
    given = parser.parse_args()
    if given.case:
        print(json.dumps(run_case(given.case, given.folder, given.quick)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary) / "random-qwen2.5-1.5b"
        if not (folder / "config.json").is_file():
            make_model(folder, given.quick)
        cases = given.only.split(",") if given.only else ["packing", *(QUICK if given.quick else CASES)]
        results = {}
        for case in cases:
            results[case] = run_apart(case, folder, given.quick)
            print(f"{case}: {json.dumps(results[case])}", file=sys.stderr, flush=True)
            if given.json:
                given.json.write_text(
                    json.dumps({"seen_elsewhere": ORIGINAL_SEEN, "results": results}, indent=1) + "\n"
                )
    print_table(results)
    if not given.quick:
        print_verdicts(results)


if __name__ == "__main__":
    main()
