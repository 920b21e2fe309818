"""A chat in the terminal: calls are shown and validated, and run when you say so."""

from __future__ import annotations

from typing import Any

import click

from gennx.trainer.calls import Runner
from gennx.trainer.conversation import Conversation
from gennx.trainer.engine import Engine


def agree(question: str) -> bool:
    """Ask before something is deleted; no is the answer unless yes is typed."""
    return click.confirm(question, default=False)


def handle_calls(talk: Conversation, runner: Runner | None) -> None:
    """Offer to run the calls that wait, show the answers, and let the model close or call again."""
    while talk.waiting and runner is not None:
        if not click.confirm(f"run {len(talk.waiting)} call(s)?", default=False):
            talk.waiting = []
            return
        for answer in talk.run_waiting(runner, agree):
            click.echo(f"  -> {answer}")
        click.echo("\n".join(talk.describe(talk.go_on())))


def chat(engine: Engine, tools: list[dict[str, Any]], system: str, runner: Runner | None) -> None:
    """Talk until end of input or 'exit'; 'new' starts over."""
    talk = Conversation(engine, tools, system)
    click.echo(f"{engine.name}: {len(tools)} tools; 'new' starts over, 'exit' ends", err=True)
    while True:
        try:
            text = input("> ").strip()
        except (EOFError, KeyboardInterrupt):
            click.echo("", err=True)
            return
        if text in ("exit", "quit"):
            return
        if text == "new":
            talk = Conversation(engine, tools, system)
        elif text:
            click.echo("\n".join(talk.describe(talk.ask(text))))
            handle_calls(talk, runner)
