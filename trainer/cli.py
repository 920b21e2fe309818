"""The command `gennx-train`."""

from __future__ import annotations

from pathlib import Path

import click

from gennx.trainer.errors import TrainerError, one_line_errors
from gennx.trainer.options import device_option


def default_output(source: str, model: str) -> Path:
    """runs/DATA-MODEL, from the last parts of both names."""
    return Path("runs") / f"{Path(source.rstrip('/')).stem}-{Path(model).name.lower()}"


@click.command()
@click.argument("data_dir")
@click.option("--model", help="Short name, folder or hub id of the base, e.g. qwen2.5-0.5b.")
@click.option("--preset", default="rtx3060-6gb", show_default=True, help="rtx3060-6gb, gpu-24gb, h100 or cpu-smoke.")
@click.option(
    "--config", "files", multiple=True, type=click.Path(path_type=Path), help="YAML page laid over the preset."
)
@click.option(
    "--set", "assignments", multiple=True, metavar="SECTION.KEY=VALUE", help="One setting; wins over all files."
)
@click.option("--output", type=click.Path(path_type=Path), help="Run folder; default runs/DATA-MODEL.")
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint in the run folder.")
@click.option("--max-steps", type=click.IntRange(min=1), help="End after so many steps.")
@click.option(
    "--select",
    type=click.Choice(["loss", "task", "last"]),
    help="Weights of the lowest eval_loss, of most calls reproduced, or of the last step.",
)
@device_option
@click.option("--dry-run", is_flag=True, help="Print settings, token counts, steps, memory and time; train nothing.")
@one_line_errors
def main(
    data_dir: str,
    model: str | None,
    preset: str,
    files: tuple[Path, ...],
    assignments: tuple[str, ...],
    output: Path | None,
    resume: bool,
    max_steps: int | None,
    select: str | None,
    device: str,
    dry_run: bool,
) -> None:
    """Train an adapter on DATA_DIR (train.jsonl, eval.jsonl), e.g. gennx-train data/gennx-tier1-seed0 --preset h100"""
    from gennx.trainer.config import load_settings

    given = list(assignments)
    given += [f"model.name={model}"] if model else []
    given += [f"training.max_steps={max_steps}"] if max_steps else []
    given += [f"training.select={select}"] if select else []
    chosen = list(files)
    if resume:
        if output is None:
            output = default_output(data_dir, load_settings(preset, chosen, given).model.name)
        if not chosen and (output / "config.yaml").is_file():
            chosen = [output / "config.yaml"]
    settings = load_settings(preset, chosen, given)
    output = output or default_output(data_dir, settings.model.name)
    if output.exists() and not output.is_dir():
        raise TrainerError(f"{output} is a file", "choose another --output")
    from gennx.trainer.train import dry_run as plan_only
    from gennx.trainer.train import train

    if dry_run:
        plan_only(data_dir, settings, device)
    else:
        train(data_dir, settings, output, device, resume)


if __name__ == "__main__":
    main()
