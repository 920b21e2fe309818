"""What is kept of a finished run: weights, model card, metrics, curves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gennx.trainer.errors import TrainerError
from gennx.trainer.progress import read_history

if TYPE_CHECKING:
    from gennx.trainer.train import Plan

CARD = """---
base_model: {base}
library_name: peft
pipeline_tag: text-generation
language: [ko, en]
tags: [tool-calling, midas-gen-nx]
---
# {name}

Calls MIDAS GEN NX's API from requests in Korean and English. {kind} of `{base}`, trained with gennx-train.

| | |
| --- | --- |
| data | `{data}`, {dialogues:,} dialogues, {tokens:,} tokens, {trained:,} of them trained |
| SHA-256 of the data | `{data_sha256}` |
| steps, time | {steps}, {minutes:.1f} min on {device} |
| best {metric} | {best} |
| prompt format | the chat template beside this file (`chat_template.jinja`); a turn ends with `{end_token}` |

## Settings

```yaml
{settings}```

## Versions

{versions}
"""


def results(trainer: Any, plan: Plan, output: Path, seconds: float) -> dict[str, Any]:
    """metrics.json: how the run went, with every logged point."""
    from gennx.trainer.sft import peak_memory_mib

    state = trainer.state
    history = read_history(output / "history.jsonl")
    speeds = [point["tokens_per_second"] for point in history if "tokens_per_second" in point]
    return {
        "steps": state.global_step,
        "seconds": round(seconds, 1),
        "device": plan.device,
        "final_loss": next((point["loss"] for point in reversed(history) if "loss" in point), None),
        "best_metric": state.best_metric,
        "best_step": state.best_global_step,
        "select": plan.settings.training.select,
        "median_tokens_per_second": sorted(speeds)[len(speeds) // 2] if speeds else None,
        "peak_memory_mib": round(peak_memory_mib(plan.device), 1),
        "history": history,
    }


def model_card(plan: Plan, record: dict[str, Any], metrics: dict[str, Any], name: str) -> str:
    """README.md of the adapter: data hash, settings and results."""
    best = metrics["best_metric"]
    return CARD.format(
        base=plan.base.name,
        name=name,
        kind="LoRA adapter" if plan.settings.lora.enabled else "Full fine-tuning",
        data=plan.source,
        data_sha256=record["data_sha256"],
        dialogues=len(plan.train.rendered),
        tokens=plan.train.tokens,
        trained=plan.train.trained_tokens,
        steps=metrics["steps"],
        minutes=metrics["seconds"] / 60,
        device=plan.device,
        metric="task score" if plan.settings.training.select == "task" else "eval_loss",
        best="not measured (no evaluation data)"
        if best is None
        else f"{best:.4f} at step {metrics['best_step']}"
        + (" (the weights are those of the last step)" if plan.settings.training.select == "last" else ""),
        end_token=plan.renderer.end_token,
        settings=plan.settings.to_yaml(),
        versions="\n".join(f"- {package} {version}" for package, version in record["versions"].items()),
    )


def save_weights(trainer: Any, plan: Plan, output: Path) -> Path:
    """The best weights as safetensors, with the tokenizer and its chat template."""
    folder = output / ("adapter" if plan.settings.lora.enabled else "model")
    if trainer.is_fsdp_enabled:  # otherwise every process keeps its own shard, and no file holds the weights
        trainer.accelerator.state.fsdp_plugin.set_state_dict_type("FULL_STATE_DICT")
    trainer.save_model(str(folder))
    if trainer.is_world_process_zero():
        plan.renderer.tokenizer.save_pretrained(folder)
        (folder / "training_args.bin").unlink(missing_ok=True)  # a pickle, and config.yaml says it all
        if not list(folder.glob("*.safetensors")):
            raise TrainerError(f"{folder}: no safetensors were written", "report this as a bug")
    return folder


def keep_results(trainer: Any, plan: Plan, output: Path, seconds: float) -> None:
    """Write adapter/, metrics.json and training.html."""
    from gennx.trainer.ladder import is_disk_full
    from gennx.trainer.page import write_page

    try:
        folder = save_weights(trainer, plan, output)
        if not trainer.is_world_process_zero():
            return
        metrics = results(trainer, plan, output, seconds)
        record = json.loads((output / "run.json").read_text(encoding="utf-8"))
        (output / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
        (folder / "README.md").write_text(model_card(plan, record, metrics, output.name), encoding="utf-8")
        write_page(output, record, metrics, plan.settings)
    except Exception as error:
        if is_disk_full(error):
            raise TrainerError(f"{output}: the disk is full", "free some space and go on with --resume") from None
        raise
