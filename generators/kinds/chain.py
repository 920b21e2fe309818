"""One request, dependent calls in order; and plans told over several turns."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from gennx.generators import scenarios
from gennx.generators.bank import Template
from gennx.generators.dialogues import Call, Dropped, closing
from gennx.generators.evidence import Haystack
from gennx.generators.fields import note_of
from gennx.generators.kinds.job import Job, gluable, glued, runs_on, stock
from gennx.generators.kinds.strung import STRUNG, strung
from gennx.generators.marks import unmark
from gennx.generators.registers import one_register
from gennx.generators.single import Case
from gennx.generators.surround import surround
from gennx.schemas.catalogue import Endpoint, Tool

NAMED = ("db/STLD", "db/LDGR", "db/BNGR", "db/GRUP")
"""Tables whose records other records name."""
TOLD_OUT = 4
"""How often a plan's wordings are told for an endpoint in a small run."""


def chain(job: Job) -> dict[str, Any]:
    """Requests of their own in a said order, or from a plan family that uses the endpoint, else around a name that is made first. Raises Dropped."""
    if job.rng.random() < STRUNG:
        return strung(job, "chain")
    plans = [p for p in scenarios.plans_using(job.endpoint.uri) if p.requests[job.lang]]
    if not plans:
        return _linked(job)
    plan = little_told(job, plans)
    linkable = "POST" in job.endpoint.methods and _named_tables(job.endpoint)
    if linkable and job.rng.random() < (0.1 if told(job, plan) < 1 else 0.6):
        return _linked(job)
    if told(job, plan) >= TOLD_OUT:
        raise Dropped("plans told out")
    return planned(job, plan, "chain")


def planned(job: Job, plan: scenarios.Plan, kind: str) -> dict[str, Any]:
    """A plan's steps: asked for at once and called in order (chain) or together (parallel), or turn by turn (multi_turn). Raises Dropped."""
    rng, lang, maker = job.rng, job.lang, job.shop.maker
    in_turns = kind == "multi_turn"
    if plan.endpoints & job.shop.holdout - {job.endpoint.uri}:
        raise Dropped("plan uses a held-out endpoint")
    try:
        scope = scenarios.draw(plan, lang, rng)
    except scenarios.Unfit:
        raise Dropped("plan does not fit") from None
    lexicons = {uri: maker.lexicon(maker.catalogue.endpoint(uri)) for uri in plan.endpoints}
    talk = job.talk(new=plan.new, note="" if plan.new else _unmade(job, plan))
    for uri, records in plan.start.items():
        talk.stock(uri, {str(k): v for k, v in scenarios.evaluate(records, scope).items()})
    first = plan.steps[0].tool
    teller = scenarios.teller_for(first, lexicons[first.endpoint.uri], lang, rng)
    parts: list[tuple[str, tuple[str, ...]]]
    if in_turns:
        parts = [(rng.choice(t.words[lang]), t.steps) for t in plan.turns]
    else:
        wording = _next_wording(job, plan)
        together = kind == "parallel"  # nothing depends on the order: calls are made as they are asked for
        parts = [(wording, scenarios.as_told(plan, wording) if together else tuple(s.ident for s in plan.steps))]
    calls: list[tuple[Tool, dict[str, Any]]] = []
    so_far, derived = "", set[str]()
    for words, idents in parts:
        marked = scenarios.say(plan, words, scope, lang, rng, teller)
        strength = 0.5 if in_turns else 0.8 if told(job, plan) <= 1 else 4.0  # said before: other things around it
        text = unmark(surround(marked, lang, rng, strength, opening=not so_far))
        so_far += "\n" + text
        own = scenarios.calls(plan, scope, idents) if idents else []
        if own:
            hay = Haystack(so_far)
            gaps = scenarios.gaps(hay, own, lexicons)
            if scenarios.unsaid(plan, hay, scope, own, idents, gaps):
                raise Dropped("plan not said")
            derived.update(scenarios.derived(own, gaps))
        talk.user(text)
        done: list[Call] = []
        if not all(maker.validation.valid(tool, arguments) for tool, arguments in own):
            raise Dropped("plan invalid")
        for group in [own] if kind == "parallel" else [[c] for c in own]:
            done += talk.call(group)
        calls += own
        talk.say(closing(done, lang, rng) if done else job.pick("noted"))
    more: dict[str, Any] = {"derived": sorted(derived)} if derived else {}
    return job.finish(talk, kind, f"plan/{plan.name}", calls, style=plan.area, **more)


def _pair(job: Job) -> list[Case] | None:
    """Requests for a named thing and for a record that refers to it, None where they do not go together. Raises Dropped."""
    main, tables = job.other("POST"), _named_tables(job.endpoint)
    if main is None or not tables:
        raise Dropped("nothing to refer to")
    table = job.rng.choice(tables)
    maker, named = job.shop.maker, job.tool_of(table, "POST")
    plain = maker.unfit(named, "glue", lambda t: gluable(t.text))
    linking = maker.unfit(main, f"link {table}", lambda t: gluable(t.text) and table in _names_of(t, job.endpoint))
    if not maker.templates(main, job.lang, job.want(avoid=linking)):
        raise Dropped("no words that refer to it")
    first = job.case(named, strength=0.0, small=True, composed=0.0, avoid=plain)
    records = list(first.arguments["Assign"].values())
    name = records[0].get("NAME")
    if len(records) != 1 or not isinstance(name, str):
        return None
    second = job.case(main, strength=0.0, small=True, composed=0.0, names={table: name}, avoid=linking)
    fit = name in str(second.arguments) and gluable(first.text) and gluable(second.text)
    return [first, second] if fit and one_register([first.text, second.text]) else None


def _unmade(job: Job, plan: scenarios.Plan) -> str:
    """A sentence that says which numbered tables are still empty, so that a plan may number its records from 1."""
    endpoints = {s.tool.endpoint.uri: s.tool.endpoint for s in plan.steps if s.tool.method == "POST"}
    titles = [e.title(job.lang) for uri, e in endpoints.items() if uri not in plan.start and runs_on(e)]
    if not titles:
        return ""
    if job.lang == "ko":
        return job.pick("unmade", titles=", ".join(titles))
    titles = [t if t[1:2].isupper() else t[0].lower() + t[1:] for t in titles]
    return job.pick("unmade", titles=" or ".join([", ".join(titles[:-1]), titles[-1]] if len(titles) > 1 else titles))


def little_told(job: Job, plans: list[scenarios.Plan]) -> scenarios.Plan:
    """The plan that the endpoint has told least often, as far as it has wordings of its own."""
    return min(job.rng.sample(plans, len(plans)), key=lambda plan: told(job, plan))


def told(job: Job, plan: scenarios.Plan) -> float:
    """How often the endpoint has told its own share of the plan's wordings; in large runs for each 20 dialogues of the endpoint."""
    own = max(1.0, len(plan.requests[job.lang]) / len(plan.endpoints))
    size = max(1.0, job.shop.settings.count(job.endpoint) / 20)
    return job.shop.maker.uses[_use(job, plan)] / (own * size)


def _use(job: Job, plan: scenarios.Plan) -> str:
    """What a telling of the plan is counted under."""
    return f"{job.endpoint.uri}/{plan.name}/{job.lang}"


def _next_wording(job: Job, plan: scenarios.Plan) -> str:
    """The plan's wordings in turn, each endpoint beginning with another one."""
    wordings = plan.requests[job.lang]
    # words without a value would be the same for all endpoints: one has them
    if job.endpoint.uri != min(plan.endpoints):
        wordings = tuple(w for w in wordings if "{{" in w or "{%" in w)
    if not wordings:
        raise Dropped("another endpoint's words")
    used = job.shop.maker.uses[_use(job, plan)]
    job.shop.maker.uses[_use(job, plan)] += 1
    rank = sorted(plan.endpoints).index(job.endpoint.uri)
    return str(wordings[(rank * len(wordings) // len(plan.endpoints) + used) % len(wordings)])


def _named_tables(endpoint: Endpoint) -> list[str]:
    """Tables that records of the endpoint refer to by a name that is made first."""
    return [t for t in NAMED if t != endpoint.uri and t in references(endpoint)] if endpoint.is_table else []


def _names_of(template: Template, endpoint: Endpoint) -> set[str]:
    """Tables whose records a template names."""
    notes = (note_of(endpoint, spec["field"]) for spec in template.slots.values() if spec["as"] == "text")
    return {str(note.get("ref", "")).split(".")[0] for note in notes}


def _linked(job: Job) -> dict[str, Any]:
    """A named thing is made first, then the endpoint's call that refers to it. Raises Dropped."""
    rng = job.rng
    for _ in range(12):
        cases = _pair(job)
        if cases is not None:
            break
    else:
        raise Dropped("name not used")
    text = glued(job, "then", cases)
    if not text:
        raise Dropped("ungrounded together")
    talk = job.talk()
    for case in cases:
        stock(talk, case.tool, case.arguments, rng)
    talk.user(text)
    done = []
    for case in cases:
        done += talk.call([(case.tool, case.arguments)])
    talk.say(closing(done, job.lang, rng))
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
