"""The new record's number is not said: it is 1 in a new model, one more than the last where the talk shows it, else read from the table first."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from gennx.generators.dialogues import Dropped, closing
from gennx.generators.kinds.job import Job, runs_on, stock_keys
from gennx.generators.single import numbered
from gennx.schemas.catalogue import Endpoint

NEW_MODEL, AFTER_ANOTHER, EMPTY_TABLE = 0.25, 0.15, 0.12
"""Shares: the model is new; a record was made just before; the table turns out to be empty."""


def next_id(job: Job) -> dict[str, Any]:
    """Raises Dropped."""
    post, get = job.other("POST"), job.other("GET")
    if post is None or get is None or not job.endpoint.is_table or job.endpoint.single or not runs_on(job.endpoint):
        raise Dropped("numbers are not given in this table")
    job = replace(job, tool=post)  # a record is made, whichever method had its turn
    rng = job.rng
    case = job.case(post, new=True)
    way = rng.random()
    if way < NEW_MODEL:
        talk = job.talk(new=True)
        arguments = numbered(case.arguments, 1)
        talk.user(case.text)
        talk.say(closing(talk.call([(post, arguments)]), job.lang, rng))
        return job.finish(talk, "next_id", case.phrasing, [(post, arguments)])
    talk = job.talk()
    if way > 1 - AFTER_ANOTHER:
        before = job.case(post, small=True)
        keys = [int(k) for k in before.arguments["Assign"] if k.isdigit()]
        if not keys:
            raise Dropped("no number before")
        talk.user(before.text)
        talk.say(closing(talk.call([(post, before.arguments)]), job.lang, rng))
        arguments = numbered(case.arguments, max(keys) + 1)
        talk.user(job.pick("next_number") + " " + case.text)
        talk.say(closing(talk.call([(post, arguments)]), job.lang, rng))
        return job.finish(talk, "next_id", case.phrasing, [(post, before.arguments), (post, arguments)])
    empty = rng.random() < EMPTY_TABLE
    last = _last_number(job.endpoint, rng)
    if not empty:
        stock_keys(talk, job.endpoint, [last - n for n in reversed(range(rng.choice((1, 2, 2, 3))))], rng)
    talk.user(case.text)
    talk.call([(get, {"ids": []})], content=job.pick("next_read"))
    arguments = numbered(case.arguments, 1 if empty else last + 1)
    talk.say(closing(talk.call([(post, arguments)]), job.lang, rng))
    return job.finish(talk, "next_id", case.phrasing, [(get, {"ids": []}), (post, arguments)])


def _last_number(endpoint: Endpoint, rng: random.Random) -> int:
    return rng.randint(4, 900) if endpoint.uri in ("db/NODE", "db/ELEM") else rng.randint(4, 40)
