"""Requests that have nothing to do with each other, one after another, as somebody works through a list, with a question now and then.

Four calls share one prompt's tool definitions, which are most of what a model reads: the cheapest dialogues to train on.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

from gennx.generators.dialogues import Dropped, closing
from gennx.generators.kinds.banks import conversations, incomplete, kept_for, renumbered
from gennx.generators.kinds.clarify import lacking, question, twins
from gennx.generators.kinds.job import Job, gluable, glued, stock
from gennx.generators.kinds.strung import clash, companion
from gennx.generators.registers import one_register
from gennx.generators.single import Case

TOGETHER = 0.35
"""How often two requests that can come in one message do: a request for two things is answered by two calls, which few other dialogues show."""
OWN = 0.65
"""How many of the further requests are about the same endpoint."""


def session(job: Job) -> dict[str, Any]:
    """Three to five requests, fewer where they do not fit. Raises Dropped."""
    rng = job.rng
    cases = [job.case(job.tool, small=True)]
    count = rng.choice((3, 3, 4, 4, 5))
    for _ in range(count * 3):
        if len(cases) == count:
            break
        want = replace(job.want(small=rng.random() < 0.7), turn=rng.randrange(1000))
        made = job.shop.maker.case(companion(job, OWN), job.lang, rng, want)
        if made is not None and not any(clash(made, c) for c in cases):
            cases.append(made)
    if len(cases) < 2:
        raise Dropped("no partner")
    rng.shuffle(cases)
    talk = job.talk()
    for case in cases:
        stock(talk, case.tool, case.arguments, rng)
    asides = dict(zip(rng.sample(range(len(cases)), min(2, len(cases))), _asides(job, cases), strict=False))
    index = 0
    while index < len(cases):
        own, text = cases[index : index + 1], cases[index].text
        if index in asides:
            aside, reply, later = asides[index]
            talk.user(aside)
            talk.say(reply)
            text = f"{job.pick('later')} {text}" if later and rng.random() < 0.6 else text
        elif index + 1 < len(cases) and rng.random() < TOGETHER:
            both = _together(job, *cases[index : index + 2])
            own, text = (cases[index : index + 2], both) if both else (own, text)
        talk.user(text)
        talk.say(closing(talk.call([(c.tool, c.arguments) for c in own]), job.lang, rng))
        index += len(own)
    return job.finish(talk, "session", cases[0].phrasing, [(c.tool, c.arguments) for c in cases])


def _together(job: Job, a: Case, b: Case) -> str:
    """Two requests in one message, nothing where they cannot stand together: answered by two calls at once."""
    texts = [a.text, b.text]
    if a.tool is b.tool or not all(map(gluable, texts)) or not one_register(texts):
        return ""
    return glued(job, "both2", [a, b])


def _asides(job: Job, cases: list[Case]) -> list[tuple[str, str, bool]]:
    """What is said between the requests and calls nothing: (user, assistant, whether something was left open).

    A request that lacks something the call needs, and a question or a word that wants no call.
    """
    rng, out = job.rng, []
    bank = incomplete(job.lang)
    rows = kept_for([r for c in cases for r in bank.get(c.tool.endpoint.uri, ())], job.split)
    roll = rng.random()
    if rows and roll < 0.1:  # few rows: said often, they would be learned by heart
        out.append((*renumbered(rng.choice(rows), rng.randint(0, 40)), True))
    elif roll > 1 - twins(job) and (creations := [c.tool for c in cases if c.tool.method == "POST"]):
        with suppress(Dropped):
            made = lacking(job, rng.choice(creations))
            out.append((made.text, question(job, made), True))
    if rng.random() < 0.2:
        row = rng.choice(kept_for(conversations(job.lang), job.split))
        out.append((row["user"], row["assistant"], False))
    return out
