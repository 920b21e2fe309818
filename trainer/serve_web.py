"""A chat page (Gradio): calls are shown and validated; a button runs them, a second one agrees to deletions."""

from __future__ import annotations

import json
from typing import Any

from gennx.trainer.calls import Runner, deletes
from gennx.trainer.conversation import Conversation
from gennx.trainer.engine import Engine

Shown = list[dict[str, str]]


def shown(text: str, role: str = "assistant") -> dict[str, str]:
    """One bubble of the page."""
    return {"role": role, "content": text}


def as_bubble(talk: Conversation, lines: list[str]) -> str:
    """Lines of `Conversation.describe` as Markdown; what the model wrote is fenced, so it is never markup."""
    fence = "`" * 6
    return "\n\n".join(f"{fence}\n{line}\n{fence}" if "\n" in line or "<" in line else line for line in lines) or "…"


def answer(talk: Conversation, text: str, history: Shown) -> Shown:
    """The page's history after the user said something."""
    lines = talk.describe(talk.ask(text))
    return [*history, shown(text, "user"), shown(as_bubble(talk, lines))]


def run_calls(talk: Conversation, runner: Runner | None, may_delete: bool, history: Shown) -> Shown:
    """The page's history after the run button; deletions only with the box ticked."""
    if not talk.waiting:
        return [*history, shown("no call is waiting")]
    if runner is None:
        return [*history, shown("calls are not run: start gennx-serve with --run emulator or --live")]
    if any(deletes(call) for call in talk.waiting) and not may_delete:
        return [*history, shown("a call deletes: tick 'deletions are meant' and run again")]
    answers = [json.dumps(found, ensure_ascii=False) for found in talk.run_waiting(runner, lambda question: may_delete)]
    lines = talk.describe(talk.go_on())
    return [*history, *(shown(f"answer: {text}") for text in answers), shown(as_bubble(talk, lines))]


def build_page(engine: Engine, tools: list[dict[str, Any]], system: str, runner: Runner | None) -> Any:
    """The page, ready to launch; every visitor has a conversation of their own."""
    import gradio as gr

    def start() -> Conversation:
        return Conversation(engine, tools, system)

    with gr.Blocks(title=f"gennx {engine.name}", analytics_enabled=False) as page:
        talk = gr.State(None)
        gr.Markdown(f"## {engine.name}\n{len(tools)} tools. Calls are shown and validated, and run only on request.")
        chatbot = gr.Chatbot(height=520, show_label=False)
        box = gr.Textbox(placeholder="절점 1을 (0,0,0)에 만들어 줘", show_label=False)
        with gr.Row():
            run_button = gr.Button("Run the calls", interactive=runner is not None)
            may_delete = gr.Checkbox(label="deletions are meant", value=False)
            new_button = gr.Button("New conversation")

        def say(text: str, history: Shown, state: Conversation | None) -> tuple[str, Shown, Conversation]:
            state = state or start()
            return "", (answer(state, text, history or []) if text.strip() else history), state

        def run(history: Shown, allowed: bool, state: Conversation | None) -> tuple[Shown, bool, Conversation]:
            state = state or start()
            return run_calls(state, runner, allowed, history or []), False, state

        box.submit(say, [box, chatbot, talk], [box, chatbot, talk], api_name=False)
        run_button.click(run, [chatbot, may_delete, talk], [chatbot, may_delete, talk], api_name=False)
        new_button.click(lambda: ([], None), None, [chatbot, talk], api_name=False)
    return page
