"""A run's folder: what lies where in it, and how a finished run is loaded again.

runs/NAME/
  adapter/          LoRA weights (safetensors), tokenizer with chat template, model card; `model/` after full tuning
  checkpoints/      checkpoint-N, for --resume
  config.yaml       the resolved settings
  run.json          data, base and versions, written before the first step
  history.jsonl     the curves, point by point
  metrics.json      the results
  training.html     the curves to look at, offline
  tensorboard/      the same as TensorBoard events
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from gennx.trainer.config import ModelSettings, Settings, build_settings, check_keys
from gennx.trainer.errors import TrainerError
from gennx.trainer.estimate import Shape, read_shape
from gennx.trainer.models import Base, find_base, load_model, load_tokenizer
from gennx.trainer.rendering import Renderer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Run:
    """A run on disk."""

    folder: Path
    settings: Settings
    record: dict[str, Any]

    @property
    def weights(self) -> Path:
        """Folder of the trained weights: `adapter`, or `model` after full fine-tuning."""
        return self.folder / ("adapter" if self.settings.lora.enabled else "model")

    def base(self) -> Base:
        """The base model that the run started from, on this machine."""
        return find_base(self.settings.model)

    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The tokenizer as it was in training, chat template included."""
        return load_tokenizer(self.weights)

    def renderer(self) -> Renderer:
        """The training renderer."""
        return Renderer(self.tokenizer())


def shape_record(shape: Shape) -> dict[str, int]:
    """What must agree between a run and the base it is laid on."""
    return {"hidden": shape.hidden, "layers": shape.layers, "vocabulary": shape.vocabulary, "inner": shape.inner}


def load_run(folder: Path, finished: bool = True) -> Run:
    """A run folder as a `Run`. Raises TrainerError if it is none, or has no trained weights yet."""
    try:
        page = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TrainerError(
            f"{folder}: no run of gennx-train (no {Path(error.filename).name})", "give a folder under runs/"
        ) from None
    except (yaml.YAMLError, json.JSONDecodeError) as error:
        raise TrainerError(f"{folder}: damaged run: {error}", "train again") from None
    run = Run(folder, build_settings(check_keys(page, str(folder / "config.yaml")), str(folder)), record)
    if finished and not list(run.weights.glob("*.safetensors")):
        raise TrainerError(
            f"{folder}: no trained weights in {run.weights.name}/", "finish it with gennx-train DATA --resume"
        )
    return run


def last_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint: its trainer_state.json, written last, can be read."""
    found = [(int(match[1]), path) for path in (folder / "checkpoints").glob("checkpoint-*")
             if (match := re.fullmatch(r"checkpoint-(\d+)", path.name))]  # fmt: skip
    for _, path in sorted(found, reverse=True):
        try:
            json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError):
            continue
        return path
    return None


def check_fits(run: Run, base: Base) -> None:
    """Raise TrainerError if the run's weights were trained on a base of another shape."""
    trained_on, found = run.record.get("shape"), shape_record(read_shape(base.path))
    if trained_on and trained_on != found:
        raise TrainerError(
            f"{run.folder}: its adapter was trained on {run.record.get('base')} ({trained_on}), "
            f"which does not fit {base.path} ({found})",
            "give the base it was trained on",
        )


def load_trained(run: Run, device: str, settings: ModelSettings | None = None) -> Any:
    """The base with the run's adapter on it, or the fully trained model, in evaluation mode."""
    chosen = settings or run.settings.model
    if not run.settings.lora.enabled:
        return load_model(run.weights, chosen, device).eval()
    from peft import PeftModel

    base = run.base()
    check_fits(run, base)
    model = load_model(base.path, chosen, device)
    try:
        return PeftModel.from_pretrained(model, run.weights, torch_device="cpu" if device == "cpu" else None).eval()
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0][:200]
        raise TrainerError(
            f"{run.weights}: the adapter does not fit {base.name}: {reason}", "use its own base"
        ) from None
