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

from gennx.generators.bank import Bank
from gennx.generators.definitions import Definitions
from gennx.generators.dialogues import Dropped
from gennx.generators.kinds import MAKERS, Job, fits, single_call
from gennx.generators.settings import METHOD_WEIGHTS, Settings
from gennx.generators.single import PLAIN, Maker, Seen, Want
from gennx.schemas import load_catalogue
from gennx.schemas.catalogue import METHODS, Endpoint

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
def _workshop(packed: _Packed) -> Workshop:
    settings = packed.settings
    catalogue = load_catalogue()
    bank = Bank(Path(settings.templates) if settings.templates else None)
    held = holdout(settings)
    return Workshop(
        settings,
        Maker(catalogue, bank, composed=settings.composed),
        Definitions(catalogue, settings.tool_names, held),
        held,
    )


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
    return _workshop(_Packed(settings))


def holdout(settings: Settings) -> frozenset[str]:
    """Endpoints that training never sees."""
    held = settings.holdout_endpoints
    if isinstance(held, tuple):
        return frozenset(load_catalogue().endpoint(uri).uri for uri in held)
    if not held:
        return frozenset()
    endpoints = settings.chosen(load_catalogue())
    return frozenset(e.uri for e in random.Random(f"holdout/{settings.seed}").sample(endpoints, held))


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
    shop.maker.uses.clear()  # what was taken for other endpoints depends on the process
    methods = turns(endpoint, settings.methods, settings.count(endpoint))
    splits = split_plan(methods, uri, settings.seed)
    nth: Counter[str] = Counter()
    kinds = kind_plan(settings, endpoint, len(methods))
    for index, (method, split, kind) in enumerate(zip(methods, splits, kinds, strict=True)):
        rng = random.Random(f"{settings.seed}/{uri}/{index}")
        tool = shop.maker.catalogue.tool(uri, method)
        lang = settings.lang if settings.lang != "mix" else ("en" if index % 3 == 2 else "ko")
        job = Job(shop, tool, lang, rng, index, nth[method], split, seen)
        one = _one(shop, job, kind, made)
        if one is None:  # the endpoint's own words are used up: its requests among others are never the same twice
            one = _of_kind("session", job, made)
        nth[method] += 1
        if one is None:
            made.missing += 1
        else:
            made.rows.append(("test_endpoints", one[1]) if uri in shop.holdout else one)
    for name, number in shop.maker.rejects.items():
        if number:
            made.dropped[name] += number
            shop.maker.rejects[name] = 0
    shop.maker.forget(endpoint)
    return made


def kind_plan(settings: Settings, endpoint: Endpoint, count: int) -> list[str]:
    """A kind for each of `count` dialogues, so that the shares hold over all endpoints: a kind that fits few of them comes oftener where it fits."""
    weights = {k: w for k, w in kind_weights(settings).items() if fits(k, endpoint)}
    rng = random.Random(f"kinds/{settings.seed}/{endpoint.uri}")
    total = sum(weights.values())
    debt = {k: rng.random() * 0.9 for k in weights}  # endpoints with few dialogues take turns through the rare kinds
    out = []
    for _ in range(count):
        for kind, weight in weights.items():
            debt[kind] += weight / total
        pick = max(weights, key=lambda k: debt[k])
        debt[pick] -= 1
        out.append(pick)
    return out


MADE = {
    "chain": 0.73,
    "clarify": 0.73,
    "multi_turn": 0.87,
    "next_id": 0.92,
    "no_tool": 0.92,
    "parallel": 0.92,
    "single": 1.22,
}
"""How much of what is asked for of a kind is made at --per-api 20; where a kind does not fit, a single call takes its place."""


def kind_weights(settings: Settings) -> dict[str, float]:
    """Weights of kinds such that over all endpoints of the run, each taking those that fit it, the shares come out as asked (proportional fitting)."""
    return _weights(_Packed(settings))


@lru_cache(maxsize=2)
def _weights(packed: _Packed) -> dict[str, float]:
    settings = packed.settings
    wanted = {k: s / MADE.get(k, 1.0) for k, s in settings.kinds.items() if s}
    total = sum(wanted.values())
    groups: Counter[tuple[str, ...]] = Counter()
    for endpoint in settings.chosen(load_catalogue()):
        groups[tuple(k for k in wanted if fits(k, endpoint))] += settings.count(endpoint)
    everything = sum(groups.values())
    weights = dict(wanted)
    for _ in range(30):
        got = dict.fromkeys(wanted, 0.0)
        for kinds, count in groups.items():
            here = sum(weights[k] for k in kinds)
            for k in kinds:
                got[k] += count / everything * weights[k] / here
        weights = {k: w * min(4.0, wanted[k] / total / got[k]) if got[k] else w for k, w in weights.items()}
    if "single" not in weights:  # what fits no endpoint falls back to a single call
        weights["single"] = 0.001
    return weights


def _of_kind(kind: str, job: Job, made: Made) -> tuple[str, dict[str, Any]] | None:
    """A dialogue of the kind, None where four tries were dropped; the reasons are counted."""
    for _ in range(4):
        try:
            return job.split, MAKERS[kind](job)
        except Dropped as reason:
            made.dropped[f"{kind}: {reason}"] += 1
    return None


def _one(shop: Workshop, job: Job, kind: str, made: Made) -> tuple[str, dict[str, Any]] | None:
    """A dialogue of the kind, or of a single call where the kind does not fit the endpoint."""
    if kind != "single" and job.split != "test_phrasing":
        found = _of_kind(kind, job, made)
        if found is not None:
            return found
    small = answer_long = exhausted = False
    for attempt in range(24):
        # the phrasings held out cannot be run: the place goes to training
        if attempt == 4 and job.split == "test_phrasing":
            job.split = "train"
        strength = 3.0 if exhausted or attempt >= 6 else 1.0  # the words run out: more around them
        want = Want(
            turn=job.turn, held_out=job.split == "test_phrasing", split=job.split, small=small, strength=strength,
            composed=1.0 if answer_long else PLAIN.composed,
        )  # fmt: skip
        case = shop.maker.case(job.tool, job.lang, job.rng, want, job.seen)
        if case is None and job.split == "test_phrasing":  # no phrasing to hold out: the place goes to training
            job.split = "train"
            continue
        if case is None:
            if exhausted:
                return None
            exhausted = True
            continue
        try:
            return job.split, single_call(job, case)
        except Dropped as reason:
            made.dropped[str(reason)] += 1
            small = "too long" in str(reason) or "token" in str(reason)
            answer_long = "answer too long" in str(reason)  # phrasings that read many records will not do
    return None


def digest(text: str) -> str:
    return hashlib.blake2s(text.encode(), digest_size=8).hexdigest()


def user_texts(row: dict[str, Any]) -> Iterator[str]:
    for message in row["messages"]:
        if message["role"] == "user":
            yield message["content"]
