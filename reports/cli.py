"""`gennx-report`: make the pages of a data set or an evaluation again from its files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from gennx.reports.coverage import ReportProblem, coverage_page

FOLDER = click.Path(path_type=Path)


@contextmanager
def one_line() -> Iterator[None]:
    """Expected failures as one line and exit code 2."""
    try:
        yield
    except (ReportProblem, OSError) as error:
        raise click.UsageError(str(error)) from None


def put(text: str, target: Path) -> None:
    """A file, whole or not at all."""
    part = target.with_name(target.name + ".part")
    part.write_text(text, "utf-8", newline="\n")
    part.replace(target)
    click.echo(str(target))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """HTML reports that open offline."""


@main.command()
@click.argument("folder", type=FOLDER)
@click.option("--evaluation", type=FOLDER, help="Folder of an evaluation, shown beside each endpoint.")
@click.option("--out", type=FOLDER, help="File to write.  [default: coverage.html in the folder]")
def coverage(folder: Path, evaluation: Path | None, out: Path | None) -> None:
    """What the data set in FOLDER covers, e.g. gennx-report coverage data/gennx-tier1-seed0"""
    with one_line():
        if not folder.is_dir():
            raise ReportProblem(f"{folder}: no such folder")
        scores = None
        if evaluation is not None:
            from gennx.reports.evaluation import endpoint_scores

            scores = endpoint_scores(evaluation)
        put(coverage_page(folder, scores), out or folder / "coverage.html")


@main.command()
@click.argument("folders", type=FOLDER, nargs=-1, required=True)
@click.option("--out", type=FOLDER, help="File to write.  [default: evaluation.html in the first folder]")
def evaluation(folders: tuple[Path, ...], out: Path | None) -> None:
    """Evaluations side by side, e.g. gennx-report evaluation evaluations/tuned evaluations/base"""
    from gennx.reports.evaluation import evaluation_page

    with one_line():
        put(evaluation_page(folders), out or folders[0] / "evaluation.html")


@main.command()
@click.argument("a", type=FOLDER)
@click.argument("b", type=FOLDER)
def compare(a: Path, b: Path) -> None:
    """What changed from evaluation A to evaluation B, e.g. gennx-report compare evaluations/base evaluations/tuned"""
    from gennx.reports.compare import as_text
    from gennx.reports.compare import compare as compared

    with one_line():
        click.echo(as_text(compared(a, b)))


@main.command()
@click.argument("folder", type=FOLDER)
@click.option("--each", type=click.IntRange(min=1), default=10, show_default=True, help="Dialogues of each kind.")
@click.option("--seed", default=0, show_default=True, help="Other dialogues with another seed.")
@click.option("--out", type=FOLDER, required=True, help="Markdown file to write.")
def samples(folder: Path, each: int, seed: int, out: Path) -> None:
    """Dialogues of every kind to read, e.g. gennx-report samples data/gennx-all-seed0 --out samples.md"""
    from gennx.reports.samples import samples_page

    with one_line():
        put(samples_page(folder, each, seed), out)


if __name__ == "__main__":
    main()
