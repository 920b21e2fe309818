"""TRL's SFTTrainer with our data, our packed attention and our settings; no training loop of our own.

Heavy: importing this module imports torch, transformers and trl.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import PrinterCallback, set_seed
from trl import SFTConfig, SFTTrainer

from gennx.trainer import attention
from gennx.trainer.config import Settings
from gennx.trainer.errors import TrainerError, note
from gennx.trainer.generation import Task, task_score
from gennx.trainer.models import load_model, pick_dtype
from gennx.trainer.prepare import Rows
from gennx.trainer.rendering import Renderer

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

MIB = 1 << 20


def peak_memory_mib(device: str) -> float:
    """Highest memory so far: allocated on the card, or resident in main memory without one. MiB."""
    if device == "cuda":
        return float(torch.cuda.max_memory_allocated() / MIB)
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class GennxTrainer(SFTTrainer):  # type: ignore[misc]
    """SFTTrainer that also logs tokens a second and memory, and scores tasks at each evaluation if asked to."""

    tasks: Sequence[Task] = ()
    renderer: Renderer | None = None
    device_kind = "cpu"
    control: Any
    _clock: tuple[float, float] | None = None

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """SFTTrainer's evaluation; with tasks, `eval_task_score` is added: the share of calls reproduced."""
        metrics: dict[str, float] = super().evaluate(*args, **kwargs)
        if self.tasks and self.renderer is not None:
            model = self.accelerator.unwrap_model(self.model)
            with self.accelerator.autocast():
                score = task_score(model, self.renderer, self.tasks)
            metrics["eval_task_score"] = score
            self.state.log_history.append({"eval_task_score": score, "step": self.state.global_step})
            self.control = self.callback_handler.on_log(
                self.args, self.state, self.control, {"eval_task_score": score, "epoch": self.state.epoch or 0.0}
            )
        self._clock = None  # evaluation time is no training time
        return metrics

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds `tokens_per_second` since the last logged step and `memory_mib`, the peak so far."""
        if "loss" in logs:
            tokens, now = float(self._total_train_tokens), time.perf_counter()
            if self._clock is not None and now > self._clock[1]:
                logs["tokens_per_second"] = (tokens - self._clock[0]) / (now - self._clock[1])
            self._clock = (tokens, now)
            logs["memory_mib"] = peak_memory_mib(self.device_kind)
        super().log(logs, start_time)


def use_fused_kernels(model: Any) -> None:
    """Put Liger's RMS norm, rotary embedding and SwiGLU/GeGLU into the model; the loss stays TRL's."""
    try:
        from liger_kernel.transformers import _apply_liger_kernel_to_instance
    except ImportError:
        note("liger-kernel is not installed: going on without its fused kernels")
        return
    _apply_liger_kernel_to_instance(
        model=model,
        rope=True,
        rms_norm=True,
        swiglu=True,
        geglu=True,
        cross_entropy=False,
        fused_linear_cross_entropy=False,
    )


class PlainScores:
    """TRL's output head for the CPU: the same numbers from ordinary operations, several times faster there.

    Stands in for `ChunkedLogProbFunction`; hidden (N, H), weight (V, H), targets (N,). Only trained tokens come in, so
    N x V floats fit; where they would take more than `LIMIT` bytes, TRL's own tiles do the work.
    """

    LIMIT = 1 << 30

    @staticmethod
    def apply(
        hidden: Any, weight: Any, bias: Any, targets: Any, temperature: float, chunk_size: int,
        softcap: float | None = None, logit_scale: float = 1.0, outputs: tuple[str, ...] = (),
    ) -> tuple[Any, ...]:  # fmt: skip
        """Log-probabilities, entropy, two outputs that training does not ask for, and top-1 hits, each (N,)."""
        from trl.kernels import ChunkedLogProbFunction

        if len(targets) * weight.shape[0] * 4 > PlainScores.LIMIT:
            return ChunkedLogProbFunction.apply(  # type: ignore[no-any-return]
                hidden, weight, bias, targets, temperature, chunk_size, softcap, logit_scale, outputs
            )
        logits = torch.nn.functional.linear(hidden, weight.to(hidden.dtype), bias).float() * logit_scale
        logits = (softcap * torch.tanh(logits / softcap) if softcap else logits) / temperature
        scores = -torch.nn.functional.cross_entropy(logits, targets, reduction="none")
        with torch.no_grad():
            total = logits.logsumexp(-1, keepdim=True)
            entropy = total[:, 0] - ((logits - total).exp() * logits).sum(-1)
            right = logits.argmax(-1) == targets
        return scores, entropy, None, None, right


def use_plain_scores() -> None:
    """On the CPU, score trained tokens only (TRL does so on a card; nine tenths are not trained), with `PlainScores`."""
    import trl.trainer.utils as trl_utils

    if hasattr(trl_utils, "_use_triton") and hasattr(trl_utils, "_ChunkedLogProbFunction"):
        trl_utils._use_triton = lambda device: True  # its one use there decides which tokens are scored
        trl_utils._ChunkedLogProbFunction = PlainScores


def adapter_targets(model: Any, settings: Settings) -> str | list[str]:
    """The modules to adapt: the settings' own where the model has them, else the fallback. Raises TrainerError."""
    wanted, fallback = settings.lora.target_modules, settings.lora.fallback_modules
    if wanted == "all-linear":
        return wanted
    names = [wanted] if isinstance(wanted, str) else wanted
    for candidates in (names, fallback):
        if any(name.split(".")[-1] in candidates for name, _ in model.named_modules()):
            if candidates is fallback and candidates != names:
                note(f"no module is called {', '.join(names)}: adapting {', '.join(fallback)} instead")
            return candidates
    raise TrainerError(
        f"lora.target_modules {names} and the fallback {fallback} match no module", "name modules of this model"
    )


def add_adapter(model: Any, settings: Settings) -> Any:
    """The model with a LoRA adapter whose weights are float32, trained under autocast in the base's dtype."""
    from peft import LoraConfig, get_peft_model

    lora = settings.lora
    config = LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=adapter_targets(model, settings),
        bias="none",
        task_type="CAUSAL_LM",
    )
    try:
        adapted = get_peft_model(model, config)
    except ValueError as error:
        raise TrainerError(
            f"the adapter does not fit the base: {str(error).splitlines()[0]}", "check lora.target_modules"
        ) from None
    for module in adapted.modules():
        if hasattr(module, "cast_input_dtype_enabled"):
            module.cast_input_dtype_enabled = False  # autocast does it, without a float32 copy of every input
    return adapted


def build_model(path: Path, settings: Settings, device: str) -> Any:
    """The base with its adapter, ready for the trainer."""
    chosen = settings.model
    name = attention.register() if chosen.attention in ("auto", "varlen") else chosen.attention
    if not settings.lora.enabled:  # float32 masters, 16-bit arithmetic: 16-bit masters lose small updates
        chosen = chosen.model_copy(update={"dtype": "float32"})
    model = load_model(path, chosen, device, name)
    if device == "cuda" and chosen.fused_kernels:
        use_fused_kernels(model)
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            # bitsandbytes would repack 4-bit weights at the first evaluation on the CPU, and round differently after
            module.support_avx512bf16_for_cpu = False
    model.config.use_cache = False
    if settings.lora.enabled:
        return add_adapter(model, settings)
    half = getattr(torch, pick_dtype(settings.model.dtype, device))
    if half != torch.float32:  # autocast leaves norms and sums in float32 unless what comes in is 16-bit
        model.get_input_embeddings().register_forward_hook(lambda module, given, out: out.to(half))
    return model


def optimizer_name(settings: Settings, device: str) -> str:
    """The optimizer, with torch's AdamW in place of the 8-bit ones where there is no card."""
    name = settings.training.optimizer
    return "adamw_torch" if device == "cpu" and name != "adamw_torch" else name


def build_arguments(settings: Settings, device: str, output: Path, evaluates: bool) -> SFTConfig:
    """TRL's configuration for our settings. With `evaluates`, the best checkpoint is found and loaded at the end."""
    training = settings.training
    dtype = pick_dtype(settings.model.dtype, device)
    by = "steps" if training.save_steps else "epoch"
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(output / "tensorboard")
    return SFTConfig(
        output_dir=str(output / "checkpoints"),
        per_device_train_batch_size=training.batch_size,
        per_device_eval_batch_size=training.batch_size,
        gradient_accumulation_steps=training.gradient_accumulation,
        learning_rate=training.learning_rate,
        lr_scheduler_type=training.scheduler,
        warmup_steps=training.warmup,
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        num_train_epochs=training.epochs,
        max_steps=training.max_steps or -1,
        optim=optimizer_name(settings, device),
        bf16=dtype == "bfloat16",
        fp16=dtype == "float16",
        use_cpu=device == "cpu",
        gradient_checkpointing=training.gradient_checkpointing,
        max_length=training.row_tokens or training.max_length,
        packing=training.packing,
        train_sampling_strategy="random" if training.packing else "group_by_length",
        eval_strategy=by if evaluates else "no",
        save_strategy=by,
        **({"eval_steps": training.save_steps, "save_steps": training.save_steps} if training.save_steps else {}),
        save_total_limit=training.keep_checkpoints,
        load_best_model_at_end=evaluates and training.select != "last",
        metric_for_best_model="eval_task_score" if training.select == "task" else "eval_loss",
        greater_is_better=training.select == "task",
        logging_steps=training.logging_steps,
        logging_nan_inf_filter=False,
        report_to=["tensorboard"],
        disable_tqdm=True,
        dataloader_pin_memory=device == "cuda",
        seed=training.seed,
        data_seed=training.seed,
        ddp_find_unused_parameters=False,
    )


def dataset_of(rows: Rows) -> Dataset:
    """`input_ids` and `labels`, as TRL takes them without preparing anything itself; no token becomes an object."""
    import pyarrow
    from datasets import Dataset

    ids, labels, starts = rows.arrays()
    columns = [pyarrow.LargeListArray.from_arrays(starts, values) for values in (ids, labels)]
    return Dataset(pyarrow.Table.from_arrays(columns, names=["input_ids", "labels"]))


def build_trainer(
    path: Path,
    tokenizer: PreTrainedTokenizerBase,
    train_set: Dataset,
    eval_set: Dataset | None,
    settings: Settings,
    device: str,
    output: Path,
    callbacks: list[Any],
) -> GennxTrainer:
    """A trainer over data sets of `input_ids` and `labels`, as `dataset_of` makes them."""
    from datasets.utils import disable_progress_bars

    disable_progress_bars()
    if device == "cpu":
        use_plain_scores()
    warnings.filterwarnings("ignore", message=".*lr_scheduler.step.*")
    arguments = build_arguments(settings, device, output, eval_set is not None)
    set_seed(settings.training.seed)  # the adapter is drawn before TRL sets the seed itself
    trainer = GennxTrainer(
        model=build_model(path, settings, device),
        args=arguments,
        train_dataset=train_set,
        eval_dataset=eval_set,
        processing_class=tokenizer,
        callbacks=callbacks,
    )
    trainer.device_kind = device
    trainer.remove_callback(PrinterCallback)
    for parameter in trainer.model.parameters():
        if parameter.requires_grad and parameter.dtype != torch.float32:
            parameter.data = (
                parameter.data.float()
            )  # TRL rounds a 4-bit model's adapter to bfloat16; small steps need more
    return trainer
