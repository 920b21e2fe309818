"""Requests that have nothing to do with each other, one after another, as somebody works through a list.

Four calls share one prompt's tool definitions, which are most of what a model reads: the cheapest dialogues to train on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gennx.generators.dialogues import Dropped, closing
from gennx.generators.kinds.job import Job, stock
from gennx.generators.kinds.parallel import clash, partner

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
        made = job.shop.maker.case(partner(job, OWN), job.lang, rng, want)
        if made is not None and not any(clash(made, c) for c in cases):
            cases.append(made)
    if len(cases) < 2:
        raise Dropped("no partner")
    rng.shuffle(cases)
    talk = job.talk()
    for case in cases:
        stock(talk, case.tool, case.arguments, rng)
    for case in cases:
        talk.user(case.text)
        talk.say(closing(talk.call([(case.tool, case.arguments)]), job.lang, rng))
    return job.finish(talk, "session", cases[0].phrasing, [(c.tool, c.arguments) for c in cases])
