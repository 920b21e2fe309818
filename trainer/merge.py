"""The command `gennx-merge`: base and adapter into one model, on the CPU, one shard at a time, and checked; or its mean with other models."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from gennx.trainer.errors import TrainerError, note, one_line_errors
from gennx.trainer.runs import Run, check_fits, load_run

TOLERANCE = 0.02  # largest difference of logits, in standard deviations; 16-bit rounding stays well below


def shards(folder: Path) -> list[Path]:
    """The safetensors files of a model folder. Raises TrainerError if there are none."""
    found = sorted(folder.glob("*.safetensors"))
    if not found:
        raise TrainerError(f"{folder}: no safetensors in it", "pickled weights are not read; convert the model first")
    return found


def adapter_pairs(folder: Path) -> dict[str, tuple[Any, Any]]:
    """The adapter's A (r, in) and B (out, r) for each base weight's name, as float32."""
    from safetensors.torch import load_file

    weights = {}
    for path in shards(folder):
        weights.update(load_file(path))
    prefix, pairs = "base_model.model.", {}
    for name, tensor in weights.items():
        if name.endswith(".lora_A.weight"):
            stem = name[: -len(".lora_A.weight")]
            pairs[f"{stem.removeprefix(prefix)}.weight"] = (tensor.float(), weights[f"{stem}.lora_B.weight"].float())
    if len(pairs) * 2 != len(weights):
        raise TrainerError(f"{folder}: not a plain LoRA adapter", "only adapters of gennx-train can be merged")
    return pairs


def merged_tensors(
    shard: Path, pairs: dict[str, tuple[Any, Any]], scale: float, used: set[str]
) -> Iterator[tuple[str, Any]]:
    """The tensors of one shard, adapted ones as base + scale * B A, in the base's dtype. Misfits raise TrainerError."""
    from safetensors import safe_open

    with safe_open(shard, framework="pt") as tensors:
        for name in tensors.keys():  # noqa: SIM118  (safe_open is no mapping)
            tensor = tensors.get_tensor(name)
            if name in pairs:
                a, b = pairs[name]
                if (b.shape[0], a.shape[1]) != tuple(tensor.shape):
                    raise TrainerError(
                        f"{shard}: {name} is {tuple(tensor.shape)}, the adapter's is {(b.shape[0], a.shape[1])}",
                        "give the base it was trained on",
                    )
                tensor = (tensor.float() + scale * (b @ a)).to(tensor.dtype)
                used.add(name)
            yield name, tensor


def merge_adapter(run: Run, base: Path, out: Path) -> None:
    """Write base and adapter as one model, holding one shard of the base in memory at a time."""
    from safetensors.torch import save_file

    pairs = adapter_pairs(run.weights)
    config = json.loads((run.weights / "adapter_config.json").read_text(encoding="utf-8"))
    scale = config["lora_alpha"] / config["r"]
    used: set[str] = set()
    for shard in shards(base):
        save_file(dict(merged_tensors(shard, pairs, scale, used)), out / shard.name, metadata={"format": "pt"})
    if missing := set(pairs) - used:
        raise TrainerError(f"{base}: it has no {sorted(missing)[0]}, which the adapter changes", "use the right base")
    for path in base.glob("*.json"):
        if path.name not in ("tokenizer.json", "tokenizer_config.json", "gennx.json"):
            shutil.copy(path, out / path.name)


def model_folder(given: Path) -> Path:
    """Where the weights of a model lie, or of a run that trained all of them. Raises TrainerError for an adapter."""
    if not (given / "run.json").exists():
        return given
    run = load_run(given)
    if run.settings.lora.enabled:
        raise TrainerError(f"{given}: an adapter is no model to take a mean with", "merge it first, with gennx-merge")
    return run.weights


def take_mean(out: Path, others: Sequence[Path]) -> None:
    """Make every tensor of the model in `out` the mean of itself and the tensors of that name in the other models.

    Summed in float32, kept in the dtype that it has, one shard at a time. Models trained apart from one start can be averaged, also with that start
    (Wortsman et al. 2022, "Model soups" and "Robust fine-tuning of zero-shot models"). Raises TrainerError where names or shapes differ.
    """
    from safetensors import safe_open
    from safetensors.torch import save_file

    with ExitStack() as stack:
        found: list[dict[str, Any]] = []
        for other in others:
            opened = [stack.enter_context(safe_open(path, framework="pt")) for path in shards(other)]
            found.append({name: file for file in opened for name in file.keys()})  # noqa: SIM118  (no mapping)
        for shard in shards(out):
            with safe_open(shard, framework="pt") as own:
                tensors = {name: own.get_tensor(name) for name in own.keys()}  # noqa: SIM118
            for name, tensor in tensors.items():
                total = tensor.float()
                for other, by_name in zip(others, found, strict=True):
                    shape = tuple(by_name[name].get_slice(name).get_shape()) if name in by_name else None
                    if shape != tuple(tensor.shape):
                        raise TrainerError(
                            f"{other}: {name} is {shape or 'not there'}, the run's is {tuple(tensor.shape)}",
                            "only models of one base have a mean",
                        )
                    total = total + by_name[name].get_tensor(name).float()
                tensors[name] = (total / (len(others) + 1)).to(tensor.dtype)
            save_file(tensors, shard, metadata={"format": "pt"})


def merge_run(run: Run, out: Path, mean_with: Sequence[Path] = ()) -> Path:
    """The merged model of a run in `out`, or its mean with other models, tokenizer and chat template beside it. All or nothing."""
    if out.exists() and any(out.iterdir()):
        raise TrainerError(f"{out} is not empty", "choose another --out")
    working = out.with_name(f".{out.name}.part")
    shutil.rmtree(working, ignore_errors=True)
    working.mkdir(parents=True)
    try:
        if run.settings.lora.enabled:
            base = run.base()
            check_fits(run, base)
            merge_adapter(run, base.path, working)
        else:
            shutil.copytree(run.weights, working, dirs_exist_ok=True)
        if mean_with:
            take_mean(working, [model_folder(other) for other in mean_with])
        run.tokenizer().save_pretrained(working)
        if out.exists():
            out.rmdir()
        working.rename(out)
    finally:
        shutil.rmtree(working, ignore_errors=True)
    return out


def logits_of(model: Any, ids: list[int]) -> Any:
    """Logits (T, V) as float32."""
    import torch

    with torch.no_grad():
        return model(input_ids=torch.tensor([ids])).logits[0].float()


def check_merged(run: Run, out: Path) -> float:
    """Largest difference between logits of merged and unmerged, in standard deviations, on a rendered dialogue.

    Both are computed in float32 on the CPU from unquantised weights. Raises TrainerError if they do not agree.
    """
    from gennx.trainer.models import load_model
    from gennx.trainer.runs import load_trained

    plain = run.settings.model.model_copy(update={"quantization": "none", "dtype": "float32"})
    renderer = run.renderer()
    messages = [{"role": "user", "content": "절점 12를 X=5에 만들어 줘. Create node 12."}]
    ids = renderer.prompt_ids(messages, [])
    unmerged = load_trained(run, "cpu", plain)
    wanted = logits_of(unmerged, ids)
    del unmerged
    found = logits_of(load_model(out, plain, "cpu"), ids)
    difference = float((found - wanted).abs().max() / wanted.std())
    if not difference < TOLERANCE:
        raise TrainerError(
            f"{out}: logits of merged and unmerged differ by {difference:.3f} deviations", "report this as a bug"
        )
    return difference


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the merged model; new or empty.")
@click.option(
    "--mean-with",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Write the mean of its weights and this model's, e.g. of the one that it was trained on from; may be repeated.",
)
@click.option("--check/--no-check", default=True, show_default=True, help="Compare logits of merged and unmerged.")
@one_line_errors
def main(run: Path, out: Path, mean_with: tuple[Path, ...], check: bool) -> None:
    """Merge base and adapter of RUN into one model, e.g. gennx-merge runs/tier1 --out models/tier1"""
    loaded = load_run(run)
    merge_run(loaded, out, mean_with)
    if check and not mean_with:
        difference = check_merged(loaded, out)
        note(f"logits of merged and unmerged agree: largest difference {difference:.5f} standard deviations")
    click.echo(out)


if __name__ == "__main__":
    main()
