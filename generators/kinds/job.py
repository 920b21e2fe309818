"""One dialogue to make: what it is about, its random stream, and what every kind of dialogue needs."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from gennx.emulator import Model
from gennx.generators.dialogues import ANSWER_TOKENS, Dropped, Talk, system_pool, system_prompt
from gennx.generators.evidence import Haystack
from gennx.generators.forms import run as write_run
from gennx.generators.grounding import check
from gennx.generators.intent import ambiguous
from gennx.generators.leaves import Leaf
from gennx.generators.lexicon import TEMPLATES, Lexicon
from gennx.generators.model_units import BY_NAME, KN_M, Units, restated
from gennx.generators.particles import settle
from gennx.generators.sampler import SamplingError, sample_record
from gennx.generators.scene import Scene
from gennx.generators.single import Case, Seen, Want
from gennx.generators.telling import NOUNS
from gennx.generators.tokens import count_data
from gennx.schemas.catalogue import Endpoint, Tool

if TYPE_CHECKING:
    from gennx.generators.making import Workshop

LONGEST_GLUED = 110
"""Characters of a request that is put together with others."""
SMALL_RECORDS = 16
LARGE_RECORD = 900
"""Characters from which on a table holds one record when all of it is read: answers have a limit."""
NUMBERED_TABLES = frozenset({"serial", "record_id"})
THINGS = frozenset({"db/NODE", "db/ELEM", "db/MATL", "db/SECT", "db/THIK"})
"""Tables whose numbers others go by: bars are entered for a section, so that their records have no numbers of their own."""


@dataclass
class Job:
    """One dialogue to make. `turn` counts the tool's dialogues; `split` is where it goes."""

    shop: Workshop
    tool: Tool
    lang: str
    rng: random.Random
    index: int
    turn: int
    split: str
    seen: Seen
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def endpoint(self) -> Endpoint:
        return self.tool.endpoint

    def lexicon(self, tool: Tool | None = None) -> Lexicon:
        return self.shop.maker.lexicon((tool or self.tool).endpoint)

    def tool_of(self, uri: str, method: str) -> Tool:
        return self.shop.maker.catalogue.tool(uri, method)

    def other(self, method: str) -> Tool | None:
        """The endpoint's tool of another method, if it has one."""
        return self.tool_of(self.endpoint.uri, method) if method in self.endpoint.methods else None

    def pool(self, name: str) -> list[str]:
        return turns()[f"{name}_{self.lang}"]

    def pick(self, sentences: str, /, **words: str) -> str:
        """One of the shared sentences, filled."""
        text = self.rng.choice(self.pool(sentences)).format(**words)
        return settle(text) if self.lang == "ko" else text

    def want(self, **more: Any) -> Want:
        return Want(turn=self.turn, split=self.split, **more)

    def case(self, tool: Tool, **more: Any) -> Case:
        """A checked case. Raises Dropped."""
        made = self.shop.maker.case(tool, self.lang, self.rng, self.want(**more))
        if made is None:
            raise Dropped("no case")
        return made

    def talk(self, new: bool = False, units: Units = KN_M, note: str = "") -> Talk:
        """A dialogue with its system prompt; `new` says that the model is empty, `note` what else is known of it."""
        talk = Talk(self.lang, Model(), self.shop.settings.tool_names)
        text = system_prompt(self.lang, units.written, self.rng)
        if new:
            text += " " + self.rng.choice(system_pool()[f"{self.lang}_new"])
        talk.system(f"{text} {note}" if note else text)
        if units is not KN_M:
            talk.stock("db/UNIT", {"1": units.record})
        return talk

    def title(self) -> str:
        title = self.endpoint.title(self.lang)
        return title if self.lang == "ko" or title[1:2].isupper() else title[0].lower() + title[1:]

    def field_name(self, leaf: Leaf, tool: Tool | None = None) -> str:
        """What people of the dialogue's language call a field."""
        return next(
            (a for a in self.lexicon(tool).called(leaf) if _korean(a) == (self.lang == "ko")), leaf.name(self.lang)
        )

    def _in_doubt(self, users: str, calls: Sequence[tuple[Tool, dict[str, Any]]]) -> frozenset[str]:
        """The endpoint's other tool for writing, where the words do not tell a creation from a change: nobody could choose between the two."""
        written = {tool.name: tool for tool, _ in calls if tool.method in ("POST", "PUT")}
        if len(written) != 1:
            return frozenset()
        (tool,) = written.values()
        other = "PUT" if tool.method == "POST" else "POST"
        if other not in tool.endpoint.methods or not ambiguous(users, tool.method):
            return frozenset()
        return frozenset({self.tool_of(tool.endpoint.uri, other).name})

    def _method(self, calls: Sequence[tuple[Tool, dict[str, Any]]]) -> str:
        """The method that the dialogue is about: the one asked for, or where it is not called the endpoint's last that is."""
        called = [tool.method for tool, _ in calls if tool.endpoint.uri == self.endpoint.uri]
        return self.tool.method if self.tool.method in called or not called else called[-1]

    def finish(
        self,
        talk: Talk,
        kind: str,
        phrasing: str,
        calls: Sequence[tuple[Tool, dict[str, Any]]],
        near: Tool | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """The row: tools for the calls (or `near` where nothing is called), look-alikes, meta. Raises Dropped."""
        for message in talk.messages:
            text = message["content"]
            if message["role"] == "tool" and len(text) > 1000 and count_data(text) > ANSWER_TOKENS:
                raise Dropped("answer too long")
        users = "\n".join(m["content"] for m in talk.messages if m["role"] == "user")
        if kind != "single" and users in self.seen.texts:
            raise Dropped("repeated")
        if kind not in ("single", "no_tool", "guard") and not self.seen.take_calls(calls, self.split):
            raise Dropped("same calls in another split")
        settings = self.shop.settings
        count = self.rng.randint(*settings.distractors)
        if len({t.name for t, _ in calls}) > 2:  # a chain offers several right tools already
            count = min(count, max(1, count - 2))
        budget = settings.max_tokens - talk.tokens()
        without = more.pop("without", frozenset()) | self._in_doubt(users, calls)
        tools, tokens, _ = self.shop.definitions.offer(
            calls or [(near or self.tool, {})], count, budget, self.rng, without
        )
        meta = {
            "id": f"{self.endpoint.uri}/{self.index}",
            "tier": self.endpoint.tier,
            "endpoint": self.endpoint.uri,
            "method": self._method(calls),
            "variant": "",
            "kind": kind,
            "language": self.lang,
            "phrasing": phrasing,
            "style": more.pop("style", kind),
            "grounding": [],
            **more,
        }
        if "units" in more:
            tools = restated(tools, BY_NAME[more["units"]])
        row, _ = talk.row(tools, tokens, meta, settings.max_tokens)
        self.seen.texts.add(users)
        return row


@lru_cache(maxsize=1)
def turns() -> dict[str, list[str]]:
    data: dict[str, list[str]] = orjson.loads((TEMPLATES / "shared" / "turns.json").read_bytes())
    return data


def _korean(text: str) -> bool:
    return any("가" <= c <= "힣" for c in text)


_GREETING = re.compile(
    r"^(?:안녕하세요|수고하십니다|수고하세요|고생 많으십니다|(?:good )?morning|hi(?: all| team| there)?|hello(?: all)?|hey(?: team)?)[.,!~]*\s+",
    re.I,
)


_TOLD = re.compile(
    r"방금|아까|지난번|앞서|위에서|던데|[가-힣]네(?:요|[,.\s]|$)|거든|잖아|just (?:now|entered|added|made)|earlier|last time|a moment ago|"
    r"일단|우선|먼저|마지막으로|이것만|이거만|어떨까|that'?s (?:all|it)|nothing else|just this|for now|how about|right away|바로 들어|끝나면|시작 ?전|before (?:we|I) start",
    re.I,
)
"""What a request tells of before or after it, which is not so beside others, and words of order of its own."""
_ARROW = re.compile(r"→|->|=>")
_TIGHT = re.compile(r"\}(?: ?(?:→|->|[+/;,])| and )")
"""Patterns that join within a line, which only short requests without joints of their own can bear."""
SHORT = 45
_JOINT = re.compile(r"[/:;,+\n]|→|->|[가-힣](?:요|다|시오|까)\b")


def gluable(text: str) -> bool:
    """True for a request that can stand beside another in one message: short, one sentence or a table, nothing told before or after."""
    lines = text.strip()
    if len(lines) > LONGEST_GLUED or lines[:1] in "-*•·":
        return False
    return not (re.search(r"[.!?;]\s+\S", lines) or _GREETING.match(lines) or _TOLD.search(lines))


def bare(case: Case) -> str:
    """A case's text fit to stand beside others."""
    return case.text.strip().rstrip(".~!")


def glued(job: Job, patterns: str, cases: Sequence[Case]) -> str:
    """Requests in one message, by one of the shared patterns of that name; nothing where the whole no longer says every value."""
    lines = any("\n" in case.text for case in cases)
    arrows = any(
        _ARROW.search(case.text) for case in cases
    )  # an arrow within a request would be read as one between them
    texts = [bare(case) for case in cases]
    short = all(len(t) <= SHORT and not _JOINT.search(t) for t in texts)
    fit = [
        p
        for p in job.pool(patterns)
        if (not lines or "\n" in p) and not (arrows and _ARROW.search(p)) and (short or not _TIGHT.search(p))
    ]
    text = joined(job.rng.choice(fit), texts)
    hay = Haystack(text)
    return "" if any(check(text, c.tool, c.arguments, job.lexicon(c.tool), hay) for c in cases) else text


def joined(pattern: str, texts: Sequence[str]) -> str:
    """Requests as one message, by a pattern over {a}, {b}, ...; within a sentence a request begins in lower case."""
    out, *rest = re.split(r"\{([a-d])\}", pattern)
    for text, after in zip(texts, rest[1::2], strict=True):
        before = out.rstrip(" ")
        if before:
            text = _GREETING.sub("", text)
            ends = before[-1] in ".\n)?!-:>→①②③④"
            if not ends and text[:1].isascii() and text[1:2].islower():
                text = text[0].lower() + text[1:]
            if before.endswith(".") and text[:1].islower():
                text = text[0].upper() + text[1:]
        out += text + after
    return re.sub(r"\?[.,;]", "?", out)


def say_keys(tool: Tool, keys: Sequence[int], lang: str, rng: random.Random) -> str:
    """Record numbers in words: 절점 3~6번, elements 4 and 7."""
    text = write_run(list(keys), lang, rng, "번" if lang == "ko" else "")
    noun = NOUNS.get(str(tool.endpoint.key), ("", ""))[lang == "en"]
    if lang == "ko":
        return f"{noun} {text}".strip()
    return f"{noun}{'s' if len(keys) > 1 and noun else ''} {text}".strip()


def runs_on(endpoint: Endpoint) -> bool:
    """True for tables whose records have running numbers of their own, not those of a node, section or material they belong to."""
    return endpoint.key in NUMBERED_TABLES or endpoint.uri in THINGS


def stock(talk: Talk, tool: Tool, arguments: dict[str, Any], rng: random.Random) -> None:
    """Put into the model what a read, change or removal is about. Raises Dropped."""
    endpoint = tool.endpoint
    if not endpoint.is_table or tool.method == "POST":
        return
    ids = [str(i) for i in arguments.get("ids", ())] or list(arguments.get("Assign", {}))
    if endpoint.single:
        ids = ["1"]
    elif tool.method == "GET" and not ids:
        try:
            many = len(str(_small_record(endpoint, talk.lang, 0))) < LARGE_RECORD
        except SamplingError:
            raise Dropped("no sample") from None
        ids = [str(i) for i in sorted(rng.sample(range(1, 40), rng.choice((1, 2, 2, 3)) if many else 1))]
    if endpoint.uri in ("db/UNIT", "db/STYP", "db/PJCF"):
        return
    stock_keys(talk, endpoint, ids, rng)


def stock_keys(talk: Talk, endpoint: Endpoint, keys: Sequence[int | str], rng: random.Random) -> None:
    """Small records under these numbers. Raises Dropped."""
    try:
        talk.stock(
            endpoint.uri, {str(k): _small_record(endpoint, talk.lang, rng.randrange(SMALL_RECORDS)) for k in keys}
        )
    except SamplingError:
        raise Dropped("no sample") from None


@lru_cache(maxsize=2048)
def _small_record(endpoint: Endpoint, lang: str, number: int) -> dict[str, Any]:
    """A record with few fields, the same in every run and process: what stands in the model before the talk begins. Raises SamplingError."""
    rng = random.Random(f"stock/{endpoint.uri}/{lang}/{number}")
    record: dict[str, Any] = sample_record(endpoint, rng, Scene(rng, lang), "minimal")
    return record
