"""Independent calls in one assistant turn, each with its tool answer."""

from __future__ import annotations

from typing import Any

from gennx.generators import scenarios
from gennx.generators.dialogues import Dropped, closing
from gennx.generators.evidence import Haystack
from gennx.generators.grounding import check
from gennx.generators.kinds.chain import little_told, planned
from gennx.generators.kinds.job import Job, bare, gluable, joined, stock
from gennx.generators.marks import unmark
from gennx.generators.registers import one_register
from gennx.generators.settings import METHOD_WEIGHTS
from gennx.generators.single import Case
from gennx.generators.surround import surround
from gennx.schemas.catalogue import Tool

EVERYDAY = (
    "db/NODE", "db/ELEM", "db/CONS", "db/STLD", "db/CNLD", "db/BMLD", "db/GRUP", "db/MATL", "db/SECT", "db/THIK", "db/BODF", "db/NMAS", "db/BNGR",
    "db/LDGR", "db/UNIT", "db/EIGV", "doc/SAVE", "doc/ANAL", "post/TABLE", "view/SELECT",
)  # fmt: skip
FOR_TWO = ("2)", "두 가지", "Two things", "- {a}")
"""Patterns that join two requests and no third."""


def parallel(job: Job) -> dict[str, Any]:
    """From a plan of independent calls that uses the endpoint, else single requests put together. Raises Dropped."""
    plans = scenarios.plans_using(job.endpoint.uri, scenarios.PARALLEL)
    plans = [p for p in plans if p.requests[job.lang]]
    if plans and job.rng.random() < 0.85:
        return planned(job, little_told(job, plans), "parallel")
    return _put_together(job)


def _put_together(job: Job) -> dict[str, Any]:
    """Two to four requests in one message."""
    rng = job.rng
    cases = [job.case(job.tool, strength=0.0, small=True)]
    for _ in range(6):
        if gluable(cases[0]):
            break
        cases = [job.case(job.tool, strength=0.0, small=True)]
    count = rng.choice((2, 2, 2, 3, 3, 4))
    for _ in range(count * 4):
        if len(cases) == count:
            break
        made = job.shop.maker.case(partner(job), job.lang, rng, job.want(strength=0.0, small=True))
        if made is None or not gluable(made) or any(clash(made, c) for c in cases):
            continue
        if one_register([c.text for c in (*cases, made)]):
            cases.append(made)
    if len(cases) < 2:
        raise Dropped("no partner")
    rng.shuffle(cases)
    text = bare(cases[0])
    for case in cases[1:]:
        lines = "\n" in text or "\n" in case.text
        pool = [j for j in job.pool("join") if not lines or "\n" in j]
        if len(cases) > 2:
            pool = [j for j in pool if not any(mark in j for mark in FOR_TWO)]
        text = joined(pool, text, bare(case), rng)
    text = unmark(surround(text, job.lang, rng, 0.4)) if "\n" not in text else text
    hay = Haystack(text)
    if any(check(text, c.tool, c.arguments, job.lexicon(c.tool), hay) for c in cases):
        raise Dropped("ungrounded together")
    talk = job.talk()
    for case in cases:
        stock(talk, case.tool, case.arguments, rng)
    talk.user(text)
    calls = [(c.tool, c.arguments) for c in cases]
    talk.say(closing(talk.call(calls), job.lang, rng))
    return job.finish(talk, "parallel", cases[0].phrasing, calls)


def partner(job: Job, own: float = 0.35) -> Tool:
    """Another tool: of the same endpoint (in so many cases), or one that is used every day."""
    rng = job.rng
    if rng.random() < own:
        methods = job.endpoint.methods
        return job.tool_of(job.endpoint.uri, rng.choices(methods, [METHOD_WEIGHTS[m] for m in methods])[0])
    uri = rng.choice([u for u in EVERYDAY if u not in job.shop.holdout])
    methods = job.shop.maker.catalogue.endpoint(uri).methods
    return job.tool_of(uri, rng.choice(methods if rng.random() < 0.6 else methods[:1]))


def clash(a: Case, b: Case) -> bool:
    """True if two calls touch the same records, or one asks for the same thing as the other."""
    if a.tool.endpoint is not b.tool.endpoint:
        return False
    if a.tool.endpoint.single or not a.tool.endpoint.is_table:
        return True
    mine, theirs = _keys(a.arguments), _keys(b.arguments)
    return not mine or not theirs or bool(mine & theirs)


def _keys(arguments: dict[str, Any]) -> set[str]:
    return set(arguments.get("Assign", ())) | {str(i) for i in arguments.get("ids", ())}
