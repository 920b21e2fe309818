"""Count tokens as Qwen2.5 does, with its own merge ranks (Apache-2.0, shipped beside this file) and its template.

The template's fixed words are counted once; a dialogue costs the sum of its parts, because each part starts and ends
at a newline or a special token, where no merge crosses.
"""

from __future__ import annotations

import json
import lzma
import re
from binascii import a2b_base64
from functools import lru_cache
from typing import Any

import tiktoken

from gennx.generators.names import FACTS

# The split pattern and special tokens of the tokenizer of Qwen2.5 (tokenizer.json of Qwen/Qwen2.5-1.5B-Instruct).
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TOOLS_HEAD = (
    "\n\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
    "You are provided with function signatures within <tools></tools> XML tags:\n<tools>"
)
TOOLS_TAIL = (
    "\n</tools>\n\nFor each function call, return a json object with function name and arguments within "
    '<tool_call></tool_call> XML tags:\n<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n'
    "</tool_call>"
)


@lru_cache(maxsize=1)
def encoding() -> tiktoken.Encoding:
    """Qwen2.5's byte-pair encoding, loaded in about 0.2 s."""
    lines = lzma.decompress((FACTS / "qwen2.5-ranks.xz").read_bytes()).split(b"\n")
    ranks = {a2b_base64(line): rank for rank, line in enumerate(lines)}
    special = {"<|endoftext|>": 151643, "<|im_start|>": 151644, "<|im_end|>": 151645}
    return tiktoken.Encoding("qwen2.5", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens=special)


def count(text: str) -> int:
    """Tokens of a text."""
    return len(encoding().encode_ordinary(text))


def count_words(text: str) -> int:
    """The same for texts whose words recur: the sum over the words, which are encoded once; a lone space always begins a new piece."""
    if "  " in text or " \n" in text or " \r" in text:  # runs of space may be one piece
        return count(text)
    first, *rest = text.split(" ")
    return count(first) + sum(map(_WORDS.__getitem__, rest))


def count_data(text: str) -> int:
    """The same for calls and answers, in which all but the figures recurs: every figure is a token, and what stands between figures is encoded once."""
    *between, end = _FIGURES.split(text)
    figures = len(text) - sum(map(len, between)) - len(end)
    return sum(map(_BETWEEN.__getitem__, between)) + figures + _ENDS[end]


class _Kept(dict[str, int]):
    """Tokens of texts that stand between two others."""

    def __init__(self, before: str = "", after: str = "") -> None:
        super().__init__()
        self._before, self._after = before, after

    def __missing__(self, text: str) -> int:
        if len(self) >= MOST_KEPT:
            self.clear()
        self[text] = size = count(self._before + text + self._after) - len(self._after)
        return size


MOST_KEPT = 100_000
_FIGURES = re.compile("[0-9]+")
_WORDS, _BETWEEN, _ENDS = _Kept(before=" "), _Kept(after="0"), _Kept()


@lru_cache(maxsize=4096)
def _kept(text: str) -> int:
    return count(text)


_ENCODE = json.JSONEncoder(ensure_ascii=False).encode


def spaced(value: Any) -> str:
    """JSON as the chat template writes it: a space after commas and colons, Korean as it is."""
    return _ENCODE(value)


def definition_tokens(definition: dict[str, Any]) -> int:
    """Tokens that a tool definition adds to a prompt."""
    return _kept("\n" + spaced(definition))


def message_tokens(message: dict[str, Any]) -> int:
    """Tokens that a message adds to a rendered dialogue."""
    total = 5  # <|im_start|>, role, newline, <|im_end|>, newline
    content = message.get("content") or ""
    match message["role"]:
        case "system":
            total += _kept(content)
        case "tool":
            total += count_data(f"<tool_response>\n{content}\n</tool_response>")
        case "user":
            total += count(content)
        case _:
            total += count_data(content)
    for call in message.get("tool_calls", ()):
        function = call["function"]
        name, arguments = function["name"], spaced(function["arguments"])
        total += count_data(f'\n<tool_call>\n{{"name": "{name}", "arguments": {arguments}}}\n</tool_call>')
    return total


def frame_tokens() -> int:
    """Tokens of the template's own words around the tool definitions."""
    return _kept(TOOLS_HEAD) + _kept(TOOLS_TAIL)
