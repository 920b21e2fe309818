"""The one place where dialogues become prompts and model output becomes calls.

Training, evaluation and every way of serving go through `Renderer`, so that what is served is what was trained.
A dialogue is rendered by the tokenizer's chat template. The assistant's turns are found in the text by rendering
every prefix: the prompt before a turn ends where the model starts to write, the turn ends with the end token. A
template under which a later turn changes an earlier token is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gennx.trainer.data import Dialogue
from gennx.trainer.errors import TrainerError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TEMPLATES = Path(__file__).parent / "chat_templates"
CALL_OPEN, CALL_CLOSE = "<tool_call>", "</tool_call>"
END_TOKENS = ("<|im_end|>", "<end_of_turn>")  # of ChatML and of Gemma, in this order of preference
NOT_TRAINED = -100


class RenderProblem(Exception):
    """This dialogue cannot be rendered exactly; the text says why."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A dialogue as tokens. `ids` and `trained` have equal length; `turns` are the trained spans [start, end)."""

    ids: list[int]
    trained: list[bool]
    turns: list[tuple[int, int]]

    @property
    def labels(self) -> list[int]:
        """`ids` where trained, -100 elsewhere; the model shifts them by one itself."""
        return [token if on else NOT_TRAINED for token, on in zip(self.ids, self.trained, strict=True)]


@dataclass(frozen=True, slots=True)
class Turn:
    """What a model wrote: text, calls in OpenAI's form with `arguments` parsed, and what was wrong with it."""

    content: str
    calls: list[dict[str, Any]]
    problems: list[str]


class Renderer:
    """Renders dialogues with one tokenizer and its chat template."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        if not tokenizer.chat_template:
            raise TrainerError("the tokenizer has no chat template", "set model.chat_template to a Jinja file")
        vocabulary = tokenizer.get_vocab()
        ends = [token for token in END_TOKENS if token in vocabulary and token in str(tokenizer.chat_template)]
        self.end_token: str = ends[0] if ends else str(tokenizer.eos_token)
        self.end_id: int = int(tokenizer.convert_tokens_to_ids(self.end_token))
        self.call_id: int = self.encode(CALL_OPEN)[0]
        """The token with which a call begins."""

    def text(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]], prompt: bool = False) -> str:
        """The rendered text; with `prompt` it ends where the assistant starts to write."""
        rendered = self.tokenizer.apply_chat_template(
            messages, tools=tools or None, tokenize=False, add_generation_prompt=prompt
        )
        return str(rendered)

    def encode(self, text: str) -> list[int]:
        """Token ids of rendered text, which already holds every special token."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def prompt_ids(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> list[int]:
        """Token ids a model is given to write the next assistant turn."""
        return self.encode(self.text(messages, tools, prompt=True))

    def spans(self, dialogue: Dialogue) -> tuple[str, list[tuple[int, int]]]:
        """The whole text, and the character span of each assistant turn, end token included.

        Raises RenderProblem if a later turn changes the text of an earlier one or a turn has no end token.
        """
        messages, tools = dialogue.messages, dialogue.tools
        turns = [index for index, message in enumerate(messages) if message["role"] == "assistant"]
        whole = self.text(messages, tools)
        if len(turns) > 1 and tools:  # definitions are most of a text: prefixes are compared without them, or with one
            first = self.text(messages[: turns[0]], tools, prompt=True)
            for few in ([], tools[:1]):
                short, first_short = self.text(messages, few), self.text(messages[: turns[0]], few, prompt=True)
                if whole.startswith(first) and whole[len(first) :] == short[len(first_short) :]:
                    shift = len(first) - len(first_short)
                    return whole, [(a + shift, b + shift) for a, b in self._turns(short, messages, few, turns)]
        return whole, self._turns(whole, messages, tools, turns)

    def _turns(
        self, whole: str, messages: list[dict[str, Any]], tools: list[dict[str, Any]], turns: list[int]
    ) -> list[tuple[int, int]]:
        """Spans of the assistant turns `turns` in `whole`, the text of `messages` with `tools`."""
        prompts = [self.text(messages[:index], tools, prompt=True) for index in turns]
        # Every later prompt holds the turns before it, so they are checked with it; a first turn that looks otherwise
        # while it is the last shows by itself.
        first = self.text(messages[: turns[0] + 1], tools) if turns and turns[0] + 1 < len(messages) else ""
        spans = []
        for index, prompt, after in zip(turns, prompts, [*map(len, prompts), len(whole)][1:], strict=True):
            if not (whole.startswith(prompt) and whole.startswith(first) and len(whole) > len(prompt)):
                raise RenderProblem(f"the template changes message {index + 1} when later messages follow")
            end = whole.find(self.end_token, len(prompt))
            if not 0 <= end < after:
                raise RenderProblem(f"the template ends message {index + 1} without {self.end_token}")
            spans.append((len(prompt), end + len(self.end_token)))
        return spans

    def render(self, dialogue: Dialogue) -> Rendered:
        """Tokens and loss mask: exactly the tokens that the assistant writes, end tokens in, all else out.

        Raises RenderProblem where a token would straddle the border of a turn.
        """
        whole, spans = self.spans(dialogue)
        encoded = self.tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True)
        ids, offsets = list(encoded["input_ids"]), encoded["offset_mapping"]
        trained = [False] * len(ids)
        turns, position = [], 0
        for start, end in spans:
            while position < len(ids) and offsets[position][1] <= start:
                position += 1
            first = position
            while position < len(ids) and offsets[position][0] < end:
                trained[position] = True
                position += 1
            if first == position or offsets[first][0] != start or offsets[position - 1][1] != end:
                raise RenderProblem("a token straddles the start or the end of an assistant turn")
            if ids[position - 1] != self.end_id:
                raise RenderProblem(f"an assistant turn does not end with {self.end_token}")
            turns.append((first, position))
        return Rendered(ids, trained, turns)

    def decode(self, ids: list[int]) -> str:
        """Text of token ids, special tokens included, spaces untouched."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def written(self, ids: list[int]) -> Turn:
        """The turn a model wrote, from the ids it produced (with or without the end token)."""
        text = self.decode(ids)
        return parse_turn(text.split(self.end_token, 1)[0])


def _read_call(text: str, start: int) -> tuple[dict[str, Any] | None, int, str]:
    """The call whose JSON starts at or after `start`: call or None, where to read on, problem or empty."""
    begin = len(text) - len(text[start:].lstrip())
    close = text.find(CALL_CLOSE, begin)
    resume = len(text) if close < 0 else close + len(CALL_CLOSE)
    try:
        value, stop = json.JSONDecoder().raw_decode(text, begin)
    except json.JSONDecodeError as error:
        return None, resume, f"a call is not valid JSON: {error.msg}"
    rest = re.compile(r"\s*" + re.escape(CALL_CLOSE)).match(text, stop)
    resume = rest.end() if rest else max(resume, stop)
    if not rest:
        return None, resume, f"a call does not end with {CALL_CLOSE}"
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return None, resume, "a call has no name"
    if not isinstance(value.get("arguments"), dict):
        return None, resume, f"arguments of {value['name']} are not an object"
    return {"name": value["name"], "arguments": value["arguments"]}, resume, ""


def parse_turn(text: str) -> Turn:
    """Text a model wrote, without the end token, as content and calls. Never raises: problems are listed."""
    content, calls, problems, position = [], [], [], 0
    while (start := text.find(CALL_OPEN, position)) >= 0:
        content.append(text[position:start])
        call, position, problem = _read_call(text, start + len(CALL_OPEN))
        if call is None:
            problems.append(problem)
        else:
            calls.append(call)
    content.append(text[position:])
    return Turn("".join(content).strip(), calls, problems)


def written_calls(calls: Sequence[dict[str, Any]]) -> str:
    """Calls as a model writes them; `parse_turn` reads them back."""
    return "\n".join(f"{CALL_OPEN}\n{json.dumps(call, ensure_ascii=False)}\n{CALL_CLOSE}" for call in calls)


def expected_calls(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The calls of an assistant message in the form that `parse_turn` returns."""
    functions = [call["function"] for call in message.get("tool_calls") or ()]
    return [{"name": function["name"], "arguments": function["arguments"]} for function in functions]
