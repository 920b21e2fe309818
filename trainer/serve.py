"""The command `gennx-serve`: a trained model in a terminal, in a page, or behind OpenAI's chat API."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from gennx.trainer.calls import Runner, emulator_runner, live_runner
from gennx.trainer.errors import TrainerError, note, one_line_errors
from gennx.trainer.options import beside_option, best_of_option, device_option


def read_tools(source: str | None) -> tuple[list[dict[str, Any]], int]:
    """(tool definitions from a JSON file or from the first row of a data set file, how many to find instead).

    `retrieved:10` finds ten of the catalogue's tools for each request. Without a source: none of either.
    """
    from gennx.trainer.data import parse_tools

    if source is None:
        return [], 0
    kind, colon, count = source.partition(":")
    if kind == "retrieved" and colon:
        if not count.isdigit() or not 1 <= int(count) <= 64:
            raise TrainerError(f"--tools {source}: no number of tools", "take retrieved:10")
        return [], int(count)
    path = Path(source)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise TrainerError(
            f"{path}: {error.strerror}", "give a JSON file with a list of function definitions"
        ) from None
    try:
        found: Any = json.loads(text)
    except json.JSONDecodeError:
        try:
            found = json.loads(text.splitlines()[0])
        except (json.JSONDecodeError, IndexError):
            raise TrainerError(f"{path}: not valid JSON", "give a list of function definitions") from None
    return parse_tools(found["tools"] if isinstance(found, dict) and "tools" in found else found, str(path)), 0


def pick_runner(run_on: str, live: bool) -> Runner | None:
    """How calls are run, if at all. Raises TrainerError for --live without a key."""
    if live:
        key = os.environ.get("MIDAS_MAPI_KEY", "")
        if not key:
            raise TrainerError("--live needs a MAPI key", "set MIDAS_MAPI_KEY")
        return live_runner(key, os.environ.get("MIDAS_BASE_URL"))
    return emulator_runner() if run_on == "emulator" else None


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--mode", type=click.Choice(["cli", "web", "openai"]), default="cli", show_default=True)
@click.option(
    "--tools", help="JSON list of tools, a data set file to take them from, or retrieved:10 to find them by request."
)
@click.option("--constrained/--free", default=False, help="Hold answers to the grammar of their tools (llguidance).")
@best_of_option
@beside_option
@click.option("--system", default="", help="System text of the terminal chat and the page.")
@click.option(
    "--run",
    "run_on",
    type=click.Choice(["none", "emulator"]),
    default="none",
    show_default=True,
    help="Where calls run once you agree.",
)
@click.option("--live", is_flag=True, help="Run agreed calls on a real GEN NX (needs MIDAS_MAPI_KEY and midas-nx).")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@device_option
@one_line_errors
def main(
    run: Path, mode: str, tools: str | None, constrained: bool, best_of: int, beside: tuple[Path, ...], system: str, run_on: str, live: bool,
    host: str, port: int, device: str,
) -> None:  # fmt: skip
    """Serve RUN (a run folder or a merged model), e.g. gennx-serve runs/tier1 --mode openai"""
    from gennx.trainer.engine import load_engine
    from gennx.trainer.models import pick_device

    offered, retrieve = read_tools(tools)
    runner = pick_runner(run_on, live)
    engine = load_engine(run, pick_device(device), constrained, retrieve, best_of, beside)
    if mode == "cli":
        from gennx.trainer.serve_cli import chat

        chat(engine, offered, system, runner)
    elif mode == "web":
        from gennx.trainer.serve_web import build_page

        note(f"http://{host}:{port}")
        build_page(engine, offered, system, runner).launch(server_name=host, server_port=port, quiet=True)
    else:
        import uvicorn

        from gennx.trainer.serve_openai import build_app

        note(f"http://{host}:{port}/v1/chat/completions")
        uvicorn.run(build_app(engine), host=host, port=port, log_level="warning")


if __name__ == "__main__":
    main()
