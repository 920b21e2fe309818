"""Dialogues beyond the single call: several calls at once, chains, several turns, questions back, refusals, repairs, confirmations.

Each maker takes a `Job` (the endpoint's tool, language, random stream, split) and gives a finished row, or raises Dropped. All of them run on one emulated model
and end in the same way: the tools that the calls use, look-alikes, meta.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from gennx.emulator import Model
from gennx.generators import scenarios
from gennx.generators.compose import NOUNS
from gennx.generators.dialogues import Call, Dropped, Talk, closing, system_pool, system_prompt
from gennx.generators.forms import run as write_run
from gennx.generators.grounding import Haystack, check, follows
from gennx.generators.leaves import Leaf, call_leaves
from gennx.generators.lexicon import TEMPLATES
from gennx.generators.marks import MARKED, unmark
from gennx.generators.particles import settle
from gennx.generators.refill import inner_schema, schema_of
from gennx.generators.sampler import SamplingError, sample_record
from gennx.generators.scene import Scene
from gennx.generators.single import Case, Seen, Want, numbered
from gennx.generators.surround import surround
from gennx.generators.tokens import count as count_tokens
from gennx.schemas.catalogue import Endpoint, Tool

if TYPE_CHECKING:
    from gennx.generators.making import Workshop

EVERYDAY = (
    "db/NODE", "db/ELEM", "db/CONS", "db/STLD", "db/CNLD", "db/BMLD", "db/GRUP", "db/MATL", "db/SECT", "db/THIK", "db/BODF", "db/NMAS", "db/BNGR", "db/LDGR", "db/UNIT", "db/EIGV",
    "doc/SAVE", "doc/ANAL", "post/TABLE", "view/SELECT",
)  # fmt: skip
ANSWER_TOKENS = 900
NUMBERED_TABLES = frozenset({"serial", "material_id", "section_id", "thickness_id", "record_id"})


@dataclass
class Job:
    """One dialogue to make."""

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

    def other(self, method: str) -> Tool | None:
        """The endpoint's tool of another method, if it has one."""
        if method not in self.endpoint.methods:
            return None
        return self.shop.maker.catalogue.tool(self.endpoint.uri, method)

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

    def talk(self, new: bool = False) -> Talk:
        """A dialogue with its system prompt; `new` says that the model is empty."""
        talk = Talk(self.lang, Model(), self.shop.settings.tool_names)
        text = system_prompt(self.lang, "kN, m", self.rng)
        if new:
            text += " " + self.rng.choice(system_pool()[f"{self.lang}_new"])
        talk.system(text)
        return talk

    def title(self) -> str:
        title = self.endpoint.title(self.lang)
        return title if self.lang == "ko" or title[1:2].isupper() else title[0].lower() + title[1:]

    def finish(self, talk: Talk, kind: str, phrasing: str, calls: Sequence[tuple[Tool, dict[str, Any]]], **more: Any) -> dict[str, Any]:
        """The row: tools for the calls, look-alikes, meta. Raises Dropped."""
        for message in talk.messages:
            if message["role"] == "tool" and len(message["content"]) > 1000 and count_tokens(message["content"]) > ANSWER_TOKENS:
                raise Dropped("answer too long")
        users = "\n".join(m["content"] for m in talk.messages if m["role"] == "user")
        if kind != "single" and users in self.seen.texts:
            raise Dropped("repeated")
        settings = self.shop.settings
        low, high = settings.distractors
        count = self.rng.randint(low, high)
        if len({t.name for t, _ in calls}) > 2:  # a chain offers several right tools already
            count = min(count, max(1, count - 2))
        budget = settings.max_tokens - talk.tokens()
        without = more.pop("without", frozenset())
        tools, tokens, _ = self.shop.definitions.offer(calls or [(self.tool, {})], count, budget, self.rng, without)
        endpoint = self.endpoint
        meta = {
            "id": f"{endpoint.uri}/{self.index}", "tier": endpoint.tier, "endpoint": endpoint.uri, "method": self.tool.method, "variant": "", "kind": kind,
            "language": self.lang, "phrasing": phrasing, "style": more.pop("style", kind), "grounding": [], **more,
        }  # fmt: skip
        row, _ = talk.row(tools, tokens, meta, settings.max_tokens)
        self.seen.texts.add(users)
        return row


@lru_cache(maxsize=1)
def turns() -> dict[str, list[str]]:
    data: dict[str, list[str]] = orjson.loads((TEMPLATES / "shared" / "turns.json").read_bytes())
    return data


@lru_cache(maxsize=2)
def conversations(lang: str) -> list[dict[str, str]]:
    """Questions that want no call, with their answers."""
    path = TEMPLATES / "shared" / f"no_tool.{lang}.jsonl"
    return [orjson.loads(line) for line in path.read_bytes().splitlines() if line.strip()] if path.exists() else []


def _bare(case: Case) -> str:
    """A case's text fit to stand beside others."""
    return case.text.strip().rstrip(".~!")


def _say_keys(tool: Tool, keys: Sequence[int], lang: str, rng: random.Random) -> str:
    text = write_run(list(keys), lang, rng, "번" if lang == "ko" else "")
    noun = NOUNS.get(str(tool.endpoint.key), ("", ""))[lang == "en"]
    if lang == "ko":
        return f"{noun} {text}".strip()
    return f"{noun}{'s' if len(keys) > 1 and noun else ''} {text}".strip()


# ---------------------------------------------------------------- parallel


def parallel(job: Job) -> dict[str, Any]:
    """Independent calls in one assistant turn, each with its tool answer."""
    rng = job.rng
    cases = [job.case(job.tool, strength=0.0, small=True)]
    count = rng.choice((2, 2, 2, 3, 3, 4))
    for _ in range(count * 3):
        if len(cases) == count:
            break
        tool = _partner(job)
        made = job.shop.maker.case(tool, job.lang, rng, job.want(strength=0.0, small=True))
        if made is not None and not any(_clash(made, c) for c in cases):
            cases.append(made)
    if len(cases) < 2:
        raise Dropped("no partner")
    rng.shuffle(cases)
    text = _bare(cases[0])
    for case in cases[1:]:
        lines = "\n" in text or "\n" in case.text
        pool = [j for j in job.pool("join") if not lines or "\n" in j]
        if len(cases) > 2:
            pool = [j for j in pool if "2)" not in j and "두 가지" not in j and "Two things" not in j and not j.startswith("-")]
        text = rng.choice(pool).format(a=text, b=_bare(case))
    text = surround(text, job.lang, rng, 0.4) if "\n" not in text else text
    hay = Haystack(text)
    for case in cases:
        if check(text, case.tool, case.arguments, job.shop.maker.lexicon(case.tool.endpoint), hay):
            raise Dropped("ungrounded together")
    talk = job.talk()
    for case in cases:
        _stock(talk, case.tool, case.arguments, rng)
    talk.user(text)
    calls = [(c.tool, c.arguments) for c in cases]
    done = talk.call(calls)
    talk.say(" ".join(dict.fromkeys(closing(d, job.lang, rng) for d in done)))
    return job.finish(talk, "parallel", cases[0].phrasing, calls)


def _partner(job: Job) -> Tool:
    rng = job.rng
    catalogue = job.shop.maker.catalogue
    if rng.random() < 0.35:
        return catalogue.tool(job.endpoint.uri, rng.choice(job.endpoint.methods))
    uri = rng.choice([u for u in EVERYDAY if u not in job.shop.holdout])
    endpoint = catalogue.endpoint(uri)
    return catalogue.tool(uri, rng.choice(endpoint.methods if rng.random() < 0.6 else endpoint.methods[:1]))


def _clash(a: Case, b: Case) -> bool:
    """True if two calls touch the same records, or one asks for the same thing as the other."""
    if a.tool.endpoint is not b.tool.endpoint:
        return False
    if a.tool.endpoint.single or not a.tool.endpoint.is_table:
        return True
    mine, theirs = _keys(a.arguments), _keys(b.arguments)
    return not mine or not theirs or bool(mine & theirs)


def _keys(arguments: dict[str, Any]) -> set[str]:
    return set(arguments.get("Assign", ())) | {str(i) for i in arguments.get("ids", ())}


# ---------------------------------------------------------------- chain and several turns


def chain(job: Job) -> dict[str, Any]:
    """One request, dependent calls in order: from a plan family that uses the endpoint, else around a reference or a document."""
    plans = [p for p in scenarios.plans_using(job.endpoint.uri) if p.requests[job.lang]]
    if plans and job.rng.random() < 0.75:
        return _planned(job, job.rng.choice(plans), in_turns=False)
    return _linked(job)


def multi_turn(job: Job) -> dict[str, Any]:
    """Two to five user turns over one model."""
    plans = [p for p in scenarios.plans_using(job.endpoint.uri) if p.turns and all(t.words[job.lang] for t in p.turns)]
    if plans and job.rng.random() < 0.6:
        return _planned(job, job.rng.choice(plans), in_turns=True)
    return _followed_up(job)


def _planned(job: Job, plan: scenarios.Plan, in_turns: bool) -> dict[str, Any]:
    rng, lang, maker = job.rng, job.lang, job.shop.maker
    if plan.endpoints & job.shop.holdout - {job.endpoint.uri}:
        raise Dropped("plan uses a held-out endpoint")
    try:
        scope = scenarios.draw(plan, lang, rng)
    except scenarios.Unfit:
        raise Dropped("plan does not fit") from None
    lexicons = {uri: maker.lexicon(maker.catalogue.endpoint(uri)) for uri in plan.endpoints}
    talk = job.talk(new=plan.new)
    for uri, records in plan.start.items():
        talk.stock(uri, {str(k): v for k, v in scenarios.evaluate(records, scope).items()})
    teller = scenarios.teller_for(plan.steps[0].tool, lexicons[plan.steps[0].tool.endpoint.uri], lang, rng)
    parts: list[tuple[str, tuple[str, ...]]]
    if in_turns:
        parts = [(rng.choice(t.words[lang]), t.steps) for t in plan.turns]
    else:
        parts = [(rng.choice(plan.requests[lang]), tuple(s.ident for s in plan.steps))]
    calls: list[tuple[Tool, dict[str, Any]]] = []
    so_far = ""
    for words, idents in parts:
        marked = scenarios.say(plan, words, scope, lang, rng, teller)
        text = unmark(surround(marked, lang, rng, 0.5 if in_turns else 0.8))
        so_far += "\n" + text
        own = scenarios.calls(plan, scope, idents) if idents else []
        if own and scenarios.unsaid(plan, so_far, scope, own, idents, lexicons):
            raise Dropped("plan not said")
        talk.user(text)
        done: list[Call] = []
        for tool, arguments in own:
            if not maker.validation.valid(tool, arguments):
                raise Dropped("plan invalid")
            done += talk.call([(tool, arguments)])
        calls += own
        talk.say(_closing_of(done, lang, rng) if done else _closing_nothing(job))
    kind = "multi_turn" if in_turns else "chain"
    return job.finish(talk, kind, f"plan/{plan.name}", calls, style=plan.area)


def _closing_of(done: Sequence[Call], lang: str, rng: random.Random) -> str:
    """Closing words after one or several calls."""
    if len(done) <= 2:
        return " ".join(dict.fromkeys(closing(d, lang, rng) for d in done))
    last = closing(done[-1], lang, rng)
    titles = list(dict.fromkeys(d.tool.endpoint.title(lang) for d in done))
    if lang == "ko":
        return rng.choice((f"{', '.join(titles)} 순서로 처리했습니다.", f"요청하신 {len(done)}단계를 모두 마쳤습니다. {last}", f"다 됐습니다. {last}"))
    return rng.choice((f"Done: {', '.join(t.lower() if t[1:2].islower() else t for t in titles)}.", f"All {len(done)} steps are done. {last}", f"Finished. {last}"))


def _closing_nothing(job: Job) -> str:
    return job.rng.choice(("네, 알겠습니다.", "확인했습니다.") if job.lang == "ko" else ("All right.", "Understood."))


def _linked(job: Job) -> dict[str, Any]:
    """A named thing is made first, then the endpoint's call that refers to it; or a file is opened, worked on and saved."""
    rng = job.rng
    catalogue = job.shop.maker.catalogue
    main = job.other("POST") if "POST" in job.endpoint.methods else job.tool
    assert main is not None
    tables = [t for t in ("db/STLD", "db/LDGR", "db/BNGR", "db/GRUP") if t != job.endpoint.uri and t in references(job.endpoint)]
    if main.method == "POST" and job.endpoint.is_table and tables and rng.random() < 0.7:
        table = rng.choice(tables)
        first = job.case(catalogue.tool(table, "POST"), strength=0.0, small=True)
        records = list(first.arguments["Assign"].values())
        if len(records) != 1:
            raise Dropped("several first records")
        name = records[0].get("NAME")
        second = job.case(main, strength=0.0, names={table: name})
        if not isinstance(name, str) or name not in str(second.arguments):
            raise Dropped("name not used")
        cases = [first, second]
    elif job.endpoint.uri.startswith("doc/"):
        raise Dropped("no chain for documents")
    else:
        cases = [job.case(main, strength=0.0, small=True)]
        if rng.random() < 0.7:
            cases.insert(0, job.case(catalogue.tool("doc/OPEN", "POST"), strength=0.0))
        if len(cases) == 1 or rng.random() < 0.6:
            cases.append(job.case(catalogue.tool("doc/SAVE", "POST"), strength=0.0))
    text = _bare(cases[0])
    for case in cases[1:]:
        lines = "\n" in text or "\n" in case.text
        pool = [j for j in job.pool("then") if (not lines or "\n" in j) and ("2." not in j or len(cases) == 2)]
        text = rng.choice(pool).format(a=text, b=_bare(case))
    hay = Haystack(text)
    if any(check(text, c.tool, c.arguments, job.shop.maker.lexicon(c.tool.endpoint), hay) for c in cases):
        raise Dropped("ungrounded together")
    talk = job.talk()
    for case in cases:
        _stock(talk, case.tool, case.arguments, rng)
    talk.user(text)
    done = []
    for case in cases:
        done += talk.call([(case.tool, case.arguments)])
    talk.say(_closing_of(done, job.lang, rng))
    return job.finish(talk, "chain", cases[-1].phrasing, [(c.tool, c.arguments) for c in cases])


@lru_cache(maxsize=512)
def references(endpoint: Endpoint) -> frozenset[str]:
    """Tables that names in an endpoint's records point to."""
    out: set[str] = set()

    def look(node: Any) -> None:
        if isinstance(node, dict):
            ref = node.get("x-gennx", {}).get("ref") if isinstance(node.get("x-gennx"), dict) else None
            if ref:
                out.add(str(ref).split(".")[0])
            for key, inner in node.items():
                if key != "x-gennx":
                    look(inner)
        elif isinstance(node, list):
            for inner in node:
                look(inner)

    look(endpoint.schema)
    return frozenset(out)


def _followed_up(job: Job) -> dict[str, Any]:
    """A creation, then what people add: a correction, the same elsewhere, a look, taking it back."""
    rng = job.rng
    post = job.other("POST")
    if post is None or not job.endpoint.is_table:
        raise Dropped("nothing to follow up")
    first = job.case(post, small=True)
    records = first.arguments["Assign"]
    if len(records) > 2 or any(not k.isdigit() for k in records):
        raise Dropped("too many records to follow up")
    talk = job.talk()
    talk.user(first.text)
    talk.say(closing(talk.call([(post, first.arguments)])[0], job.lang, rng))
    calls: list[tuple[Tool, dict[str, Any]]] = [(post, first.arguments)]
    state = {k: dict(v) for k, v in records.items()}
    said = first.text
    moves: list[Callable[[Job, dict[str, Any], str], tuple[str, Tool, dict[str, Any]] | None]] = [_correct, _read_back, _same_elsewhere]
    rng.shuffle(moves)
    for move in moves[: rng.choice((1, 1, 2, 2, 3))] + ([_take_back] if rng.random() < 0.25 else []):
        made = move(job, state, said)
        if made is None:
            continue
        text, tool, arguments = made
        talk.user(text)
        said += "\n" + text
        talk.say(closing(talk.call([(tool, arguments)])[0], job.lang, rng))
        calls.append((tool, arguments))
        if tool.method == "DELETE":
            break
    if len(calls) < 2:
        raise Dropped("no follow-up fits")
    return job.finish(talk, "multi_turn", first.phrasing, calls)


def _correct(job: Job, state: dict[str, Any], said: str) -> tuple[str, Tool, dict[str, Any]] | None:
    """One value is changed: the record as it stands with the new value, or that field alone where it stands at the top."""
    put = job.other("PUT")
    if put is None or len(state) != 1:
        return None
    rng = job.rng
    ((key, record),) = state.items()
    lexicon = job.shop.maker.lexicon(job.endpoint)
    options = [
        x
        for x in call_leaves(put, {"Assign": {key: record}})
        if x.kind == "number" and isinstance(x.value, (int, float)) and x.value and not str(x.note.get("kind", "")).endswith("_id") and x.note.get("kind") not in ("index", "dof_flags", "serial", "code", "color")
        and x.note.get("ko") and sum(y.value == x.value for y in call_leaves(put, {"Assign": {key: record}})) == 1
    ]  # fmt: skip
    if not options:
        return None
    leaf = rng.choice(options)
    new = _other_value(job, leaf)
    if new is None:
        return None
    teller = scenarios.teller_for(put, lexicon, job.lang, rng)
    name = next((a for a in lexicon.called(leaf) if any("가" <= c <= "힣" for c in a) == (job.lang == "ko")), leaf.name(job.lang))
    text = job.pick("change", name=name, new=teller.number(new, leaf.note))
    changed = _replaced({"Assign": {key: record}}, leaf.place, new)
    if len(leaf.place) == 3:
        arguments = {"Assign": {key: {leaf.place[2]: new}}}
    else:
        arguments = changed
    if not job.shop.maker.validation.valid(put, arguments) or check(f"{said}\n{text}", put, arguments, lexicon):
        return None
    state[key] = changed["Assign"][key]
    return text, put, arguments


def _other_value(job: Job, leaf: Leaf) -> float | None:
    """Another value near the old one, within the field's limits."""
    schema = inner_schema(schema_of(job.endpoint, leaf.field))
    for factor in job.rng.sample((0.5, 0.6, 0.8, 0.9, 1.1, 1.2, 1.25, 1.5, 2.0), 5):
        new = float(f"{leaf.value * factor:.3g}")
        if schema.get("type") == "integer" or isinstance(leaf.value, int) and abs(leaf.value) > 3:
            new = round(new)
        fits = (
            schema.get("minimum", float("-inf")) <= new <= schema.get("maximum", float("inf"))
            and schema.get("exclusiveMinimum", float("-inf")) < new < schema.get("exclusiveMaximum", float("inf"))
        )
        if new != leaf.value and new and fits:
            return int(new) if new == int(new) else new
    return None


def _replaced(node: Any, place: Sequence[str | int], value: Any) -> Any:
    if not place:
        return value
    if isinstance(node, dict):
        return {k: _replaced(v, place[1:], value) if k == place[0] else v for k, v in node.items()}
    return [_replaced(v, place[1:], value) if i == place[0] else v for i, v in enumerate(node)]


def _read_back(job: Job, state: dict[str, Any], said: str) -> tuple[str, Tool, dict[str, Any]] | None:
    get = job.other("GET")
    if get is None:
        return None
    return job.pick("again"), get, {"ids": [] if job.endpoint.single else [int(k) for k in state]}


def _take_back(job: Job, state: dict[str, Any], said: str) -> tuple[str, Tool, dict[str, Any]] | None:
    delete = job.other("DELETE")
    if delete is None:
        return None
    return job.pick("undo"), delete, {"ids": [int(k) for k in state]}


def _same_elsewhere(job: Job, state: dict[str, Any], said: str) -> tuple[str, Tool, dict[str, Any]] | None:
    """The same record for other nodes, elements or sections."""
    post = job.other("POST")
    if post is None or job.endpoint.key not in ("node_id", "element_id", "section_id", "material_id") or job.endpoint.uri in EVERYDAY[:2] or len(state) != 1:
        return None
    if job.endpoint.uri in ("db/MATL", "db/SECT", "db/THIK"):
        return None
    ((key, record),) = state.items()
    if key in str(record):
        return None
    start = int(key) + job.rng.randint(1, 30)
    keys = [start + i * job.rng.choice((1, 1, 2)) for i in range(job.rng.choice((1, 2, 3)))]
    keys = sorted(set(keys))
    text = job.pick("also", ids=_say_keys(post, keys, job.lang, job.rng))
    arguments = {"Assign": {str(k): record for k in keys}}
    if check(f"{text}\n{said}", post, arguments, job.shop.maker.lexicon(job.endpoint)):
        return None
    return text, post, arguments


# ---------------------------------------------------------------- next free number


def next_id(job: Job) -> dict[str, Any]:
    """The new record's number is not said: it is 1 in a new model, one more than the last where the talk shows it, else read from the table."""
    post, get = job.other("POST"), job.other("GET")
    if post is None or get is None or not job.endpoint.is_table or job.endpoint.single or not _runs_on(job.endpoint):
        raise Dropped("numbers are not given in this table")
    rng = job.rng
    case = job.case(post, new=True)
    way = rng.random()
    if way < 0.25:
        talk = job.talk(new=True)
        arguments = numbered(case.arguments, 1)
        talk.user(case.text)
        done = talk.call([(post, arguments)])
        talk.say(closing(done[0], job.lang, rng))
        return job.finish(talk, "next_id", case.phrasing, [(post, arguments)])
    last = _last_number(job.endpoint, rng)
    talk = job.talk()
    if way > 0.85 and "POST" in job.endpoint.methods:
        before = job.case(post, small=True)
        keys = [int(k) for k in before.arguments["Assign"] if k.isdigit()]
        if not keys:
            raise Dropped("no number before")
        talk.user(before.text)
        talk.say(closing(talk.call([(post, before.arguments)])[0], job.lang, rng))
        arguments = numbered(case.arguments, max(keys) + 1)
        talk.user(("다음 번호로 " if job.lang == "ko" else "With the next number: ") + case.text)
        done = talk.call([(post, arguments)])
        talk.say(closing(done[0], job.lang, rng))
        return job.finish(talk, "next_id", case.phrasing, [(post, before.arguments), (post, arguments)])
    empty = rng.random() < 0.12
    if not empty:
        _stock_keys(talk, job.endpoint, [last - n for n in reversed(range(rng.choice((1, 2, 2, 3))))], rng)
    talk.user(case.text)
    talk.call([(get, {"ids": []})], content=job.pick("next_read"))
    arguments = numbered(case.arguments, 1 if empty else last + 1)
    done = talk.call([(post, arguments)])
    talk.say(closing(done[0], job.lang, rng))
    return job.finish(talk, "next_id", case.phrasing, [(get, {"ids": []}), (post, arguments)])


def _runs_on(endpoint: Endpoint) -> bool:
    """True for tables whose records have running numbers of their own, not those of a node or element they belong to."""
    return endpoint.key in NUMBERED_TABLES or endpoint.uri in ("db/NODE", "db/ELEM")


def _last_number(endpoint: Endpoint, rng: random.Random) -> int:
    return rng.randint(4, 900) if endpoint.uri in ("db/NODE", "db/ELEM") else rng.randint(2, 40)


# ---------------------------------------------------------------- questions back


def clarify(job: Job) -> dict[str, Any]:
    """A required value is missing; the assistant asks for exactly it, the user answers, the call follows."""
    post = job.other("POST") or job.tool
    rng = job.rng
    lexicon = job.shop.maker.lexicon(job.endpoint)
    for _ in range(12):
        case = job.shop.maker.case(post, job.lang, rng, job.want(strength=0.0, small=True))
        if case is None or len(case.arguments.get("Assign", {"1": 0})) != 1:
            continue
        for leaf, shortened, words in _omissions(case, lexicon):
            gaps = check(shortened, post, case.arguments, lexicon)
            wanted = "/".join(map(str, leaf.place))
            if [g.place for g in gaps] != [wanted]:
                continue
            name = next((a for a in lexicon.called(leaf) if any("가" <= c <= "힣" for c in a) == (job.lang == "ko")), leaf.name(job.lang))
            answer = job.pick("answer", value=words, name=name)
            if check(f"{shortened}\n{answer}", post, case.arguments, lexicon):
                continue
            talk = job.talk()
            _stock(talk, post, case.arguments, rng)
            talk.user(shortened)
            talk.say(job.pick("ask", name=name))
            talk.user(answer)
            done = talk.call([(post, case.arguments)])
            talk.say(closing(done[0], job.lang, rng))
            return job.finish(talk, "clarify", case.phrasing, [(post, case.arguments)], missing=leaf.field)
    raise Dropped("nothing to leave out")


_CLAUSE = re.compile(r"(, |\. |\n|; | / )")


def _omissions(case: Case, lexicon: Any) -> list[tuple[Leaf, str, str]]:
    """(a required leaf, the request without the clause that says it, the words that said it): clauses that hold one value and nothing else that counts."""
    pieces = _CLAUSE.split(case.marked)
    out = []
    leaves = [
        x for x in call_leaves(case.tool, case.arguments)
        if x.kind in ("number", "string") and not x.optional and not x.slot and not follows(x, lexicon, case.tool)
    ]  # fmt: skip
    for index in range(0, len(pieces), 2):
        marks = MARKED.findall(pieces[index])
        if len(marks) != 1 or len(pieces) < 3:
            continue
        words = unmark(marks[0])
        rest = pieces[: max(0, index - 1)] + pieces[index + 1 :] if index else pieces[2:]
        shortened = unmark("".join(rest)).strip(" ,./;\n")
        if len(shortened) < 6:
            continue
        for leaf in leaves:
            if str(leaf.value) == words or (leaf.kind == "number" and re.match(r"^-?[\d.,]+", words)):
                out.append((leaf, shortened, words))
    return out


def guard(job: Job) -> dict[str, Any]:
    """Everything of a kind is to go: the assistant asks first, and goes on only with a yes."""
    delete, get = job.other("DELETE"), job.other("GET")
    if delete is None or get is None or not job.endpoint.is_table or job.endpoint.single:
        raise Dropped("nothing to guard")
    rng = job.rng
    talk = job.talk()
    first = rng.randint(1, 60)
    keys = [first + n for n in range(rng.choice((1, 2, 2, 3)))]
    _stock_keys(talk, job.endpoint, keys, rng)
    talk.user(unmark(surround(job.pick("all", title=job.title()), job.lang, rng)))
    talk.say(job.pick("sure", title=job.title()))
    if rng.random() < 0.25:
        talk.user(job.pick("no"))
        talk.say(job.pick("kept"))
        return job.finish(talk, "guard", "guard/no", [(delete, {"ids": keys}), (get, {"ids": []})])
    talk.user(job.pick("yes"))
    talk.call([(get, {"ids": []})])
    done = talk.call([(delete, {"ids": keys})])
    talk.say(closing(done[0], job.lang, rng))
    return job.finish(talk, "guard", "guard/yes", [(get, {"ids": []}), (delete, {"ids": keys})])


# ---------------------------------------------------------------- no call


def no_tool(job: Job) -> dict[str, Any]:
    """A question that wants no call, or a request whose tool is not among those offered."""
    rng = job.rng
    pool = conversations(job.lang)
    talk = job.talk()
    if pool and rng.random() < 0.5:
        for _ in range(20):
            row = rng.choice(pool)
            text = unmark(surround(row["user"], job.lang, rng, 0.5))
            if text not in job.seen.texts:
                break
        talk.user(text)
        talk.say(row["assistant"])
        return job.finish(talk, "no_tool", f"talk/{row.get('topic', 'other')}", [])
    case = job.case(job.tool)
    talk.user(case.text)
    talk.say(job.pick("absent", title=job.title()))
    own = frozenset(t.name for t in job.shop.maker.catalogue.tools.values() if t.endpoint is job.endpoint and (t.method == job.tool.method or rng.random() < 0.5))
    return job.finish(talk, "no_tool", case.phrasing, [(job.tool, case.arguments)], without=own | {job.tool.name})


# ---------------------------------------------------------------- repair


def repair(job: Job) -> dict[str, Any]:
    """The program refuses a call; the assistant says why and mends it."""
    post, put = job.other("POST"), job.other("PUT")
    if post is None or not job.endpoint.is_table:
        raise Dropped("nothing to repair")
    rng = job.rng
    catalogue = job.shop.maker.catalogue
    case = job.case(post)
    if any(not k.isdigit() for k in case.arguments["Assign"]):
        raise Dropped("no numbers")
    cases = sorted({x.value for x in call_leaves(post, case.arguments) if x.note.get("ref") == "db/STLD.NAME" and isinstance(x.value, str) and x.value})
    talk = job.talk()
    if len(cases) == 1 and job.endpoint.uri != "db/STLD" and rng.random() < 0.5:
        return _missing_case(job, talk, case, cases[0], catalogue.tool("db/STLD", "POST"))
    if put is None:
        raise Dropped("nothing to repair")
    _stock_keys(talk, job.endpoint, [int(k) for k in case.arguments["Assign"]], rng)
    talk.user(case.text)
    talk.model.ensure(post, case.arguments)
    (failed,) = talk.call([(post, case.arguments)], may_fail=True)
    if "error" not in failed.body:
        raise Dropped("not refused")
    if not job.shop.maker.validation.valid(put, case.arguments):
        raise Dropped("no valid change")
    keys = [int(k) for k in case.arguments["Assign"]]
    done = talk.call([(put, case.arguments)], content=job.pick("exists", ids=_say_keys(post, keys, job.lang, rng)))
    talk.say(closing(done[0], job.lang, rng))
    return job.finish(talk, "repair", case.phrasing, [(post, case.arguments), (put, case.arguments)])


_CASE_TYPES = {
    "D": (("고정하중", "고정하중이에요", "DL 성격입니다"), ("dead load", "Dead.")), "L": (("활하중", "활하중으로", "라이브요"), ("live load", "Live.")), "W": (("풍하중", "풍하중입니다"), ("wind load", "Wind.")),
    "S": (("적설하중", "설하중이요"), ("snow load", "Snow.")), "T": (("온도하중", "온도요"), ("temperature", "Temperature load.")), "USER": (("사용자정의", "사용자 정의로 해줘"), ("user defined", "User defined load.")),
}  # fmt: skip


def _missing_case(job: Job, talk: Talk, case: Case, name: str, stld: Tool) -> dict[str, Any]:
    rng = job.rng
    talk.user(case.text)
    talk.model.ensure(case.tool, case.arguments)
    table = talk.model.table("db/STLD")
    gone = [k for k, v in table.items() if v.get("NAME") == name]
    talk.model.call(job.shop.maker.catalogue.tool("db/STLD", "DELETE"), {"ids": [int(k) for k in gone]})
    (failed,) = talk.call([(case.tool, case.arguments)], may_fail=True)
    if "error" not in failed.body:
        raise Dropped("not refused")
    talk.say(job.pick("nocase", case=name))
    code = rng.choice(list(_CASE_TYPES))
    talk.user(rng.choice(_CASE_TYPES[code][job.lang == "en"]))
    number = max((int(k) for k in talk.model.table("db/STLD")), default=0) + 1
    made = {"Assign": {str(number): {"NAME": name, "TYPE": code}}}
    talk.call([(stld, made)])
    done = talk.call([(case.tool, case.arguments)])
    talk.say(closing(done[0], job.lang, rng))
    return job.finish(talk, "repair", case.phrasing, [(case.tool, case.arguments), (stld, made)], without_case=name)


# ---------------------------------------------------------------- shared


def _stock(talk: Talk, tool: Tool, arguments: dict[str, Any], rng: random.Random) -> None:
    """What a read, change or removal is about."""
    from gennx.generators.making import stock

    stock(talk, tool, arguments, rng)


def _stock_keys(talk: Talk, endpoint: Endpoint, keys: Sequence[int], rng: random.Random) -> None:
    """Small records under these numbers."""
    try:
        scene = Scene(rng, talk.lang)
        records = {str(k): sample_record(endpoint, rng, scene, "minimal") for k in keys}
    except SamplingError as error:
        raise Dropped("no sample") from error
    talk.stock(endpoint.uri, records)


def fits(kind: str, endpoint: Endpoint) -> bool:
    """True if dialogues of a kind can be about an endpoint."""
    has = set(endpoint.methods)
    match kind:
        case "next_id":
            return endpoint.is_table and not endpoint.single and {"POST", "GET"} <= has and _runs_on(endpoint)
        case "multi_turn":
            return (endpoint.is_table and "POST" in has) or any(p.turns for p in scenarios.plans_using(endpoint.uri))
        case "chain":
            return not endpoint.uri.startswith("doc/") or bool(scenarios.plans_using(endpoint.uri))
        case "guard":
            return endpoint.is_table and not endpoint.single and {"DELETE", "GET"} <= has
        case "repair":
            return endpoint.is_table and {"POST", "PUT"} <= has
        case "clarify":
            return "POST" in has and bool(endpoint.schema.get("properties"))
        case _:
            return True


MAKERS: dict[str, Callable[[Job], dict[str, Any]]] = {
    "parallel": parallel, "chain": chain, "multi_turn": multi_turn, "next_id": next_id, "clarify": clarify, "no_tool": no_tool, "repair": repair, "guard": guard,
}  # fmt: skip
