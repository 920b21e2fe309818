"""Which tools a prompt offers: those given, another number of look-alikes, or those that the ranker finds.

`given`; `8` tools in all or `+8` look-alikes, half of them close and half random, or all `:close` or all `:random`;
`retrieved:10`. Definitions come from the generator, so that they read as in training.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gennx.schemas.catalogue import Tool, load_catalogue
from gennx.trainer.errors import TrainerError
from gennx.trainer.evaluation.items import Call, Item
from gennx.trainer.retrieval import default_ranker

if TYPE_CHECKING:
    from gennx.generators.definitions import Definitions

USUAL_TOKENS, MANY_TOKENS = 2048, 4096
"""Prompt length to keep to, with up to ten tools and with more."""
LIMITS = (240, 150, 90)  # tokens of a look-alike's definition; the first that fits is taken
LEADERS = 3  # the best of the retrieved tools share half of the room
_PLAIN = re.compile(r"(\+?)(\d+)(?::(close|random|mixed))?")


@dataclass(frozen=True, slots=True)
class Offer:
    """`how`: given, close, random, mixed or retrieved. `count`: tools in all, or look-alikes where `beside`."""

    how: str = "given"
    count: int = 0
    beside: bool = False

    @property
    def name(self) -> str:
        """As it is written on the command line."""
        if self.how == "given":
            return "given"
        if self.how == "retrieved":
            return f"retrieved:{self.count}"
        return f"{'+' if self.beside else ''}{self.count}" + ("" if self.how == "mixed" else f":{self.how}")


def parse_offer(text: str) -> Offer:
    """`--tools` as an Offer. Raises TrainerError."""
    if text == "given":
        return Offer()
    kind, colon, count = text.partition(":")
    if kind == "retrieved" and colon and count.isdigit() and 1 <= int(count) <= 64:
        return Offer("retrieved", int(count))
    plain = _PLAIN.fullmatch(text)
    if plain and 0 < int(plain[2]) <= 64:
        return Offer(plain[3] or "mixed", int(plain[2]), plain[1] == "+")
    raise TrainerError(f"--tools {text}: not understood", "take given, 8, +8, 8:close, 8:random or retrieved:10")


@lru_cache(maxsize=2)
def definitions(style: str) -> Definitions:
    """The generator's definitions of every tool, with names in a style."""
    from gennx.generators.definitions import Definitions

    return Definitions(load_catalogue(), style)


def style_of(names: Iterable[str]) -> str:
    """path or snake, by the names at hand."""
    return "snake" if any("/" not in name and "_" in name for name in names) else "path"


def find_tool(name: str) -> Tool:
    """The catalogue's tool. Raises TrainerError for a name outside it."""
    catalogue = load_catalogue()
    tool = catalogue.named(name)
    if tool is None:
        raise TrainerError(f"{name!r} is no tool of GEN NX", "names are like 'POST /db/node' or post_db_node")
    return tool


def message_room(messages: Sequence[dict[str, Any]], tools: int) -> int:
    """Tokens left for definitions beside the messages, by Qwen2.5's tokenizer."""
    from gennx.generators.tokens import frame_tokens, message_tokens
    from gennx.trainer.data import parse_arguments

    def as_text(message: dict[str, Any]) -> dict[str, Any]:
        calls = [
            {"function": {**c["function"], "arguments": parse_arguments(c["function"]["arguments"], "?")}}
            for c in message.get("tool_calls") or ()
        ]
        return {**message, "tool_calls": calls}

    limit = USUAL_TOKENS if tools <= 10 else MANY_TOKENS
    return limit - frame_tokens() - sum(message_tokens(as_text(m)) for m in messages)


def _json(text: str) -> dict[str, Any]:
    import json

    found: dict[str, Any] = json.loads(text)
    return found


def lookalikes(tool: Tool, offer: Offer, count: int, without: frozenset[str], rng: random.Random) -> list[Tool]:
    """`count` other tools: close to `tool`, random, or half and half."""
    source = definitions("path")
    same, near = source.close(tool)
    close = {"close": count, "random": 0}.get(offer.how, count - count // 2)
    out: dict[str, Tool] = {}
    banned = without | {tool.name}
    for _ in range(close * 20):
        if len(out) >= close:
            break
        pool = same if same and rng.random() < 0.5 else near or source.pool
        pick = pool[rng.randrange(len(pool))]
        if pick.name not in banned:
            out[pick.name] = pick
    while len(out) < count:  # random ones, and close ones where the endpoint has too few
        pick = source.pool[rng.randrange(len(source.pool))]
        if pick.name not in banned:
            out[pick.name] = pick
    return list(out.values())


def offered(
    calls: Sequence[Call], others: Sequence[Tool], room: int, style: str, rng: random.Random
) -> list[dict[str, Any]]:
    """Definitions of the tools that the calls use and of the others, shuffled; all stand, shortened to the room."""
    from gennx.generators.definitions import RIGHT_TOKENS

    source = definitions(style)
    chosen: dict[str, str] = {}
    wanted: dict[str, list[dict[str, Any]]] = {}
    for call in calls:
        wanted.setdefault(find_tool(call["name"]).name, []).append(call["arguments"])
    for name, own in wanted.items():
        limit = min(RIGHT_TOKENS, max(LIMITS[-1], room // 30 * 30))
        chosen[name], size = source.for_calls(find_tool(name), own, limit, rng.random() < 0.5)
        room -= size
    each = room // max(1, len(others))
    limit = next((n for n in LIMITS if n <= each), LIMITS[-1])
    for tool in others:
        chosen.setdefault(tool.name, source.shown(tool, limit)[0])
    texts = list(chosen.values())
    rng.shuffle(texts)
    return [_json(text) for text in texts]


def retrieved(text: str, count: int, room: int, style: str = "path") -> list[dict[str, Any]]:
    """Definitions of the `count` likeliest tools for a request, best first; the best have the longest definitions."""
    source = definitions(style)
    tools = default_ranker().rank(text, count)
    leaders = min(LEADERS, count)
    long = max(LIMITS[-1], room // (2 * leaders))
    short = max(LIMITS[-1], room // (2 * max(1, count - leaders)))
    limits = [min(640, long if i < leaders else short) // 30 * 30 for i in range(len(tools))]
    return [_json(source.shown(tool, limit)[0]) for tool, limit in zip(tools, limits, strict=True)]


def wished(messages: Sequence[dict[str, Any]]) -> str:
    """What the ranker is asked: all that the user has said so far."""
    return "\n".join(str(m["content"]) for m in messages if m["role"] == "user")


def reoffer(items: Sequence[Item], offer: Offer, seed: int = 0) -> list[Item]:
    """The same items with other tools in their prompts; one set for all turns of a dialogue, but for `retrieved`."""
    if offer.how == "given":
        return list(items)
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(item.id, []).append(item)
    out = {}
    for ident, turns in groups.items():
        rng = random.Random(f"{seed}/{ident}/{offer.name}")
        style = style_of(turns[0].offered)
        if offer.how == "retrieved":
            for item in turns:
                room = message_room(item.messages, offer.count)
                tools = retrieved(wished(item.messages), offer.count, room, style)
                out[item.key] = replace(item, tools=tools, meta={**item.meta, "offer": offer.name})
            continue
        calls = [call for item in turns for call in item.gold] + held_ready(turns[0])
        tools = one_offer(turns, calls, offer, style, rng)
        out |= {i.key: replace(i, tools=tools, meta={**i.meta, "offer": offer.name}) for i in turns}
    return [out[item.key] for item in items]


def held_ready(item: Item) -> list[Call]:
    """Tools that a dialogue offers without calling them: those of a removal that needs a yes first."""
    endpoint = load_catalogue().endpoints.get(str(item.meta.get("endpoint")))
    if item.meta.get("kind") != "guard" or endpoint is None:
        return []
    return [{"name": f"{m} /{endpoint.uri.lower()}", "arguments": {"ids": []}} for m in ("GET", "DELETE")]


def one_offer(
    turns: Sequence[Item], calls: Sequence[Call], offer: Offer, style: str, rng: random.Random
) -> list[dict[str, Any]]:
    """The tools of one dialogue."""
    first = turns[0]
    right = {find_tool(call["name"]).name for call in calls}
    count = max(0, offer.count if offer.beside else offer.count - len(right))
    without = frozenset(right)
    endpoint = load_catalogue().endpoints.get(str(first.meta.get("endpoint")))
    near: list[Tool] = []
    if calls:
        base = find_tool(calls[0]["name"])
    elif endpoint is not None:
        base = Tool(endpoint, str(first.meta.get("method") or endpoint.methods[0]))
        if not str(first.meta.get("phrasing", "")).startswith("talk/"):  # the tool asked for must stay absent
            without |= {Tool(endpoint, method).name for method in endpoint.methods}
    else:  # nothing is known but the words: what they resemble stands beside what they do not
        near = default_ranker().rank(wished(first.messages), count)
        near = {"random": [], "close": near}.get(offer.how, near[: count - count // 2])
        base = default_ranker().rank(wished(first.messages), 1)[0]
    rest = Offer("random" if near else offer.how, count)
    others = near + lookalikes(base, rest, count - len(near), without | {t.name for t in near}, rng)
    room = message_room(turns[-1].messages, len(right) + count)
    return offered(calls, others, room, style, rng)
