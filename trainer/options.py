"""Options that several commands take."""

from __future__ import annotations

import click

best_of_option = click.option(
    "--best-of",
    default=1,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Weigh this many alternatives of a turn that the user's words do not bear out.",
)
device_option = click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
