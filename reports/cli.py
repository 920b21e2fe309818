"""`gennx-report`: make the pages of a data set or an evaluation again from its files."""

from __future__ import annotations

from pathlib import Path

import click

from gennx.reports.coverage import ReportProblem, coverage_page


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """HTML reports that open offline."""


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="File to write.  [default: coverage.html in the folder]")
def coverage(folder: Path, out: Path | None) -> None:
    """What the data set in FOLDER covers, e.g. gennx-report coverage data/gennx-tier1-seed0"""
    target = out or folder / "coverage.html"
    try:
        if not folder.is_dir():
            raise ReportProblem(f"{folder}: no such folder")
        text = coverage_page(folder)
        part = target.with_name(target.name + ".part")
        part.write_text(text, "utf-8", newline="\n")
        part.replace(target)
    except (ReportProblem, OSError) as error:
        raise click.UsageError(str(error)) from None
    click.echo(str(target))


if __name__ == "__main__":
    main()
