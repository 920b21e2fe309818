"""The settings of a run, in the original's three parts: model, lora, training.

Presets and configuration files are YAML pages in this shape. Later sources win: defaults, preset, files in the order
given, then `--set section.key=value`. An unknown key stops the run and names the key that was probably meant.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gennx.trainer.errors import TrainerError

PRESETS = Path(__file__).parent / "presets"
DEFAULT_PRESET = "rtx3060-6gb"


class Section(BaseModel):
    """A part of the settings: frozen, and without room for unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ModelSettings(Section):
    """Which base model, and how its weights are held while training."""

    name: str = "qwen2.5-1.5b"
    """Short name (see docs/TRAINING.md), a local folder, or a hub id."""
    revision: str | None = None
    """Commit or tag of a hub model; None takes the hub's default branch."""
    quantization: Literal["nf4", "none"] = "nf4"
    """nf4: frozen 4-bit weights, 0.52 bytes a parameter; none: weights in `dtype`, 2 or 4 bytes, faster."""
    double_quantization: bool = True
    """Quantise the 4-bit scales as well: saves 0.37 bits a parameter at no loss that was ever measured."""
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    """Arithmetic of the forward pass. auto: bfloat16 where the card has it, else float16; float32 on the CPU."""
    attention: Literal["auto", "varlen", "sdpa", "eager"] = "auto"
    """auto: variable-length flash kernels that ship inside torch, which packing needs; see attention.py."""
    chat_template: str | None = None
    """A Jinja file to use instead of the model's own template; None: chosen by model, see rendering.py."""
    fused_kernels: bool = True
    """Liger's fused RMS norm, rotary embedding and SwiGLU on CUDA where the architecture has them."""


class LoraSettings(Section):
    """The adapter. `enabled: false` trains every weight (small bases only; needs `quantization: none`)."""

    enabled: bool = True
    """False: full fine-tuning."""
    r: int = Field(default=8, ge=1, le=1024)
    """Rank. Higher learns more and costs memory: 1.2 million parameters a rank on Qwen2.5-1.5B."""
    alpha: int = Field(default=16, ge=1)
    """The adapter's output is scaled by alpha / r."""
    dropout: float = Field(default=0.05, ge=0.0, lt=1.0)
    """Share of the adapter's inputs zeroed at random while training."""
    target_modules: str | list[str] = "all-linear"
    """all-linear: every linear layer but the output head; or names such as [q_proj, v_proj]."""
    fallback_modules: list[str] = Field(default_factory=lambda: ["q_proj", "v_proj"])
    """Taken where target_modules match nothing, and when memory runs out at batch size 1."""


class TrainingSettings(Section):
    """How the weights are moved, and what is kept of the run."""

    batch_size: int = Field(default=1, ge=1)
    """Rows a device and forward pass: packed rows of `max_length` tokens, or dialogues when packing is off."""
    gradient_accumulation: int = Field(default=8, ge=1)
    """Forward passes a step; rows a step = batch_size x gradient_accumulation x devices."""
    learning_rate: float = Field(default=2e-4, gt=0.0, lt=1.0)
    """Peak rate, reached after the warm-up."""
    scheduler: Literal["cosine", "linear", "constant", "constant_with_warmup"] = "cosine"
    """Shape of the learning rate after the warm-up."""
    warmup: float = Field(default=0.05, ge=0.0, lt=1.0)
    """Share of all steps in which the rate climbs from 0."""
    weight_decay: float = Field(default=0.01, ge=0.0)
    """Decoupled (AdamW)."""
    max_grad_norm: float = Field(default=1.0, gt=0.0)
    """Gradients are scaled down to this norm."""
    epochs: float = Field(default=10.0, gt=0.0)
    """Passes over the data at most; early stopping usually ends sooner."""
    max_steps: int | None = Field(default=None, ge=1)
    """Ends the run after this many steps, whatever `epochs` says."""
    max_minutes: float | None = Field(default=None, gt=0.0)
    """Ends the run by then, reading and evaluations included, whatever `epochs` says: the learning rate follows the clock where that is ahead of the steps, so
    that it has come down when the time is over. For a rented card."""
    optimizer: Literal["paged_adamw_8bit", "adamw_8bit", "adamw_torch", "adamw_torch_fused"] = "paged_adamw_8bit"
    """8-bit moments, 2 bytes a trained parameter, that can move to main memory; torch's AdamW on the CPU."""
    gradient_checkpointing: bool = True
    """Recompute activations in the backward pass: about a quarter slower, several times less memory."""
    max_length: int = Field(default=2048, ge=64)
    """Tokens a row. A longer dialogue is reported and left out, never cut."""
    row_tokens: int | None = Field(default=None, ge=64)
    """Tokens of a packed row; None: max_length. Longer rows keep a large card busier."""
    left_out_limit: float = Field(default=0.01, ge=0.0, le=1.0)
    """The run stops if a larger share of the dialogues has to be left out."""
    packing: bool = True
    """Several dialogues a row, each attending only to itself; False: batches grouped by length, padded."""
    train_rows: int | None = Field(default=None, ge=1)
    """Use only this many training dialogues, the first in the file; None: all."""
    eval_rows: int | None = Field(default=None, ge=1)
    """Use only this many evaluation dialogues; None: all."""
    select: Literal["loss", "task", "last"] = "loss"
    """Weights to keep: of the lowest eval_loss, of most calls reproduced on the evaluation dialogues, or of the last step (no early stopping).

    Over several epochs of full fine-tuning eval_loss rises from the second on while token accuracy still does too: `loss` would keep the first
    epoch's weights, whose learning rate was still high (docs/results/experiments.md, 6)."""
    select_rows: int = Field(default=32, ge=1)
    """Dialogues generated at each evaluation when selecting by task."""
    keep_checkpoints: int = Field(default=3, ge=1)
    """Checkpoints kept besides the best one."""
    save_steps: int | None = Field(default=None, ge=1)
    """Evaluate and save every so many steps; None: at the end of each epoch."""
    early_stopping_patience: int = Field(default=3, ge=0)
    """Evaluations without improvement before the run ends; 0 switches early stopping off."""
    early_stopping_threshold: float = Field(default=0.01, ge=0.0)
    """Smaller improvements do not count."""
    logging_steps: int = Field(default=1, ge=1)
    """Steps between two points of the curves."""
    seed: int = Field(default=42, ge=0)
    """Order of the data, adapter initialisation and dropout."""


class Settings(Section):
    """Everything about a run but the data and the output folder."""

    model: ModelSettings = ModelSettings()
    lora: LoraSettings = LoraSettings()
    training: TrainingSettings = TrainingSettings()

    def to_yaml(self) -> str:
        """The resolved settings as one YAML page that loads into the same object."""
        return yaml.safe_dump(self.model_dump(), sort_keys=False, allow_unicode=True)


def preset_names() -> list[str]:
    """Names that `--preset` takes."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def _nearest(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"


def read_preset(name: str) -> dict[str, Any]:
    """The page of a preset. Raises TrainerError for an unknown name."""
    if name not in preset_names():
        raise TrainerError(f"--preset {name}: no such preset", _nearest(name, preset_names()))
    return read_page(PRESETS / f"{name}.yaml")


def read_page(path: Path) -> dict[str, Any]:
    """A YAML page as a dictionary of sections. Raises TrainerError with file and line if it cannot be read."""
    try:
        page = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TrainerError(f"{path}: no such configuration file", "check the path given to --config") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not UTF-8 text"
        raise TrainerError(f"{path}{line}: not valid YAML: {problem}", "mend that line") from None
    if page is None:
        return {}
    if not isinstance(page, dict):
        raise TrainerError(f"{path}: a mapping of model, lora and training is expected", "see trainer/presets")
    return check_keys(page, str(path))


def check_keys(page: dict[str, Any], where: str) -> dict[str, Any]:
    """Refuse sections and keys that do not exist, naming the one that was probably meant."""
    sections = {name: field.annotation for name, field in Settings.model_fields.items()}
    for section, values in page.items():
        if section not in sections:
            raise TrainerError(f"{where}: unknown section {section!r}", _nearest(str(section), list(sections)))
        if not isinstance(values, dict):
            raise TrainerError(f"{where}: {section} must hold keys and values", f"write '{section}:' and indent them")
        known = list(sections[section].model_fields)  # type: ignore[union-attr]
        for key in values:
            if key not in known:
                raise TrainerError(f"{where}: unknown key {section}.{key}", _nearest(str(key), known))
    return page


def parse_assignment(text: str) -> dict[str, Any]:
    """`training.learning_rate=1e-4` as a page. Raises TrainerError if it is not of that form."""
    path, equals, value = text.partition("=")
    section, dot, key = path.strip().partition(".")
    if not (equals and dot and key):
        raise TrainerError(f"--set {text}: not of the form section.key=value", "e.g. --set training.learning_rate=1e-4")
    try:
        parsed = yaml.safe_load(value) if value.strip() else None
    except yaml.YAMLError:
        raise TrainerError(f"--set {text}: the value is not valid YAML", "quote it") from None
    return check_keys({section: {key: parsed}}, f"--set {text}")


def merge_pages(*pages: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Pages laid over each other, key by key; the last one wins."""
    merged: dict[str, dict[str, Any]] = {}
    for page in pages:
        for section, values in page.items():
            merged.setdefault(section, {}).update(values)
    return merged


def build_settings(page: dict[str, Any], where: str = "settings") -> Settings:
    """A checked page as settings. Raises TrainerError naming the key, the value and what it may be."""
    try:
        settings = Settings.model_validate(page)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise TrainerError(f"{where}: {key} = {first['input']!r}: {first['msg']}", "mend the value") from None
    if not settings.lora.enabled and settings.model.quantization != "none":
        raise TrainerError(
            f"{where}: lora.enabled = false trains every weight, which 4-bit weights do not allow",
            "add --set model.quantization=none",
        )
    training = settings.training
    if training.row_tokens and training.row_tokens < training.max_length:
        raise TrainerError(
            f"{where}: training.row_tokens {training.row_tokens} is below max_length", "raise row_tokens"
        )
    if training.packing and settings.model.attention == "eager":
        raise TrainerError(f"{where}: packing needs model.attention varlen or sdpa", "add --set training.packing=false")
    return settings


def load_settings(preset: str, files: list[Path], assignments: list[str]) -> Settings:
    """Preset, then files, then `--set` assignments, as one checked object."""
    pages = [read_preset(preset), *(read_page(path) for path in files), *(parse_assignment(a) for a in assignments)]
    return build_settings(merge_pages(*pages))
