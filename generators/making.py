"""Make the dialogues of one endpoint: its tools in turn, both languages, each dialogue with a random stream of its own.

An endpoint is the unit of parallel work; nothing depends on which process makes it or when.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from gennx.emulator import Model
from gennx.generators.bank import Bank
from gennx.generators.definitions import Definitions
from gennx.generators.dialogues import ANSWER_TOKENS, Dropped, Talk, closing, system_prompt
from gennx.generators.sampler import SamplingError, sample_record
from gennx.generators.scene import Scene
from gennx.generators.settings import Settings
from gennx.generators.single import Case, Maker, Seen
from gennx.generators.tokens import count as count_tokens
from gennx.schemas import load_catalogue
from gennx.schemas.catalogue import METHODS, Endpoint, Tool

METHOD_WEIGHTS = {"POST": 5.5, "PUT": 2.0, "GET": 1.5, "DELETE": 1.0}
TEST_SHARE = 0.1
PHRASING_SHARE = 0.06


@dataclass
class Made:
    """Dialogues of one endpoint with their splits, and what was dropped on the way."""

    uri: str
    rows: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    missing: int = 0
    """Dialogues that were asked for and could not be made without repeating one."""


@dataclass
class Workshop:
    """What a process needs to make dialogues: catalogue, words, definitions; made once."""

    settings: Settings
    maker: Maker
    definitions: Definitions
    holdout: frozenset[str]


@lru_cache(maxsize=2)
def _workshop(key: str, packed: Any) -> Workshop:
    settings: Settings = packed.settings
    catalogue = load_catalogue()
    bank = Bank(Path(settings.templates) if settings.templates else None)
    held = holdout(settings)
    return Workshop(settings, Maker(catalogue, bank), Definitions(catalogue, settings.tool_names, held), held)


class _Packed:
    """Settings as a hashable argument."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __hash__(self) -> int:
        return hash(self.settings.seed)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Packed) and other.settings == self.settings


def workshop(settings: Settings) -> Workshop:
    """The process's workshop for these settings."""
    return _workshop(str(settings.seed), _Packed(settings))


def holdout(settings: Settings) -> frozenset[str]:
    """Endpoints that training never sees."""
    if not settings.holdout_endpoints:
        return frozenset()
    endpoints = settings.chosen(load_catalogue())
    return frozenset(
        e.uri for e in random.Random(f"holdout/{settings.seed}").sample(endpoints, settings.holdout_endpoints)
    )


def turns(endpoint: Endpoint, methods: tuple[str, ...], count: int) -> list[str]:
    """Which method each of `count` dialogues uses: every one in turn, by weight."""
    have = [m for m in METHODS if m in endpoint.methods and (not methods or m in methods)]
    debt = dict.fromkeys(have, 0.0)
    total = sum(METHOD_WEIGHTS[m] for m in have)
    out = []
    for _ in range(count):
        for m in have:
            debt[m] += METHOD_WEIGHTS[m] / total
        pick = max(have, key=lambda m: debt[m])
        debt[pick] -= 1
        out.append(pick)
    return out


def split_plan(methods: list[str], uri: str, seed: int) -> list[str]:
    """A split for each dialogue: 10 % eval, 10 % test, some for unseen phrasings, the rest train; methods with many dialogues come first, the others
    take turns from endpoint to endpoint."""
    count = len(methods)
    plan = ["train"] * count
    rng = random.Random(f"split/{seed}/{uri}")
    wanted: list[str] = []
    for split, share in (("eval", TEST_SHARE), ("test", TEST_SHARE), ("test_phrasing", PHRASING_SHARE)):
        whole, part = divmod(count * share, 1)  # a part of a dialogue is one, in so many endpoints
        wanted += [split] * (int(whole) + (rng.random() < part))
    often = Counter(methods)
    by_method: dict[str, list[int]] = {m: [i for i, x in enumerate(methods) if x == m] for m in often}
    for places in by_method.values():
        rng.shuffle(places)
    for split in ("eval", "test", "test_phrasing"):
        need = wanted.count(split)
        order = sorted(often, key=lambda m: (-(often[m] >= 10), rng.random() / often[m]))
        while need and any(len(by_method[m]) > 1 or often[m] == 1 for m in order):
            moved = False
            for m in order:
                if need and (len(by_method[m]) > 1):
                    plan[by_method[m].pop()] = split
                    need -= 1
                    moved = True
            if not moved:
                break
    return plan


def make_endpoint(settings: Settings, uri: str) -> Made:
    """All dialogues of one endpoint. Deterministic in settings and uri."""
    shop = workshop(settings)
    endpoint = shop.maker.catalogue.endpoint(uri)
    made = Made(uri)
    seen = Seen()
    methods = turns(endpoint, settings.methods, settings.count(endpoint))
    splits = split_plan(methods, uri, settings.seed)
    nth: Counter[str] = Counter()
    for index, (method, split) in enumerate(zip(methods, splits, strict=True)):
        rng = random.Random(f"{settings.seed}/{uri}/{index}")
        tool = shop.maker.catalogue.tool(uri, method)
        lang = settings.lang if settings.lang != "mix" else ("en" if index % 3 == 2 else "ko")
        made_one = _one(shop, tool, lang, rng, index, nth[method], split, seen, made)
        nth[method] += 1
        if made_one is None:
            made.missing += 1
        else:
            made.rows.append(made_one)
    for name, number in shop.maker.rejects.items():
        if number:
            made.dropped[name] += number
            shop.maker.rejects[name] = 0
    shop.maker.forget(endpoint)
    return made


def _one(
    shop: Workshop, tool: Tool, lang: str, rng: random.Random, index: int, turn: int, split: str, seen: Seen, made: Made
) -> tuple[str, dict[str, Any]] | None:
    small = False
    for _ in range(8):
        case = shop.maker.case(
            tool, lang, rng, turn=turn, held_out=split == "test_phrasing", seen=seen, split=split, small=small
        )
        if case is None and split == "test_phrasing":  # no phrasing to hold out: the place goes to training
            split = "train"
            continue
        if case is None:
            return None
        try:
            row = single_row(shop, case, rng, index)
        except Dropped as reason:
            made.dropped[str(reason)] += 1
            small = True
            continue
        return ("test_endpoints" if tool.endpoint.uri in shop.holdout else split), row
    return None


def single_row(shop: Workshop, case: Case, rng: random.Random, index: int) -> dict[str, Any]:
    """The dialogue of one case. Raises Dropped."""
    settings, tool = shop.settings, case.tool
    talk = Talk(case.lang, Model(), settings.tool_names)
    _stock(talk, tool, case.arguments, rng)
    talk.system(system_prompt(case.lang, "kN, m", rng))
    talk.user(case.text)
    done = talk.call([(tool, case.arguments)])
    if len(talk.messages[-1]["content"]) > 1000 and count_tokens(talk.messages[-1]["content"]) > ANSWER_TOKENS:
        raise Dropped("answer too long")
    talk.say(closing(done[0], case.lang, rng))
    low, high = settings.distractors
    budget = settings.max_tokens - talk.tokens()
    tools, tokens, _ = shop.definitions.offer(tool, case.arguments, rng.randint(low, high), budget, rng)
    row, _ = talk.row(tools, tokens, meta_of(case, index), settings.max_tokens)
    return row


def meta_of(case: Case, index: int) -> dict[str, Any]:
    """What trainers ignore and reports use."""
    endpoint = case.tool.endpoint
    return {
        "id": f"{endpoint.uri}/{index}", "tier": endpoint.tier, "endpoint": endpoint.uri, "method": case.tool.method,
        "variant": variant_of(endpoint, case.arguments), "kind": "single", "language": case.lang, "phrasing": case.phrasing,
        "style": case.style, "grounding": [[name, words] for name, words in case.said],
    }  # fmt: skip


def variant_of(endpoint: Endpoint, arguments: dict[str, Any]) -> str:
    """The record's kind, by the fields that the catalogue names as choosing it; empty where there is none."""
    if not endpoint.variants:
        return ""
    node: Any = next(iter(arguments.get("Assign", {}).values()), arguments) if endpoint.is_table else arguments
    out = []
    for path in endpoint.variants:
        value = node
        for part in path.split("."):
            while isinstance(value, list):
                value = value[0] if value else None
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            out.append(str(value))
    return "/".join(out)


def _stock(talk: Talk, tool: Tool, arguments: dict[str, Any], rng: random.Random) -> None:
    """Put into the model what a read, change or removal is about."""
    endpoint = tool.endpoint
    if not endpoint.is_table or tool.method == "POST":
        return
    ids = [str(i) for i in arguments.get("ids", ())] or list(arguments.get("Assign", {}))
    if endpoint.single:
        ids = ["1"]
    elif tool.method == "GET" and not ids:
        ids = [str(i) for i in sorted(rng.sample(range(1, 40), rng.choice((1, 2, 2, 3))))]
    if endpoint.uri in ("db/UNIT", "db/STYP", "db/PJCF"):
        return
    scene = Scene(rng, talk.lang)
    try:
        first = sample_record(endpoint, rng, scene, "minimal")
        several = len(ids) <= 4
        records = {
            i: sample_record(endpoint, rng, scene, "minimal") if several and n else first for n, i in enumerate(ids)
        }
    except SamplingError as error:
        raise Dropped("no sample") from error
    talk.stock(endpoint.uri, records)


def digest(text: str) -> str:
    return hashlib.blake2s(text.encode(), digest_size=8).hexdigest()


def user_texts(row: dict[str, Any]) -> Iterator[str]:
    for message in row["messages"]:
        if message["role"] == "user":
            yield message["content"]
