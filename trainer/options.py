"""Options that several commands take."""

from __future__ import annotations

from pathlib import Path

import click

best_of_option = click.option(
    "--best-of",
    default=1,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Weigh this many alternatives of a turn that the user's words do not bear out.",
)
beside_option = click.option(
    "--beside",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A further trained model (as often as you like); where they differ, the turn that all together find likeliest.",
)
device_option = click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
