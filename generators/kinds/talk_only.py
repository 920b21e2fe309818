"""No call at all: questions, small talk, requests outside the API or whose tool is not offered; and removals of everything, confirmed first."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from gennx.generators.dialogues import Dropped, closing
from gennx.generators.kinds.banks import conversations, kept_for
from gennx.generators.kinds.job import Job, stock_keys
from gennx.generators.marks import unmark
from gennx.generators.surround import surround
from gennx.schemas import load_catalogue
from gennx.schemas.catalogue import Endpoint, Tool


def no_tool(job: Job) -> dict[str, Any]:
    """A question that wants no call, or a request whose tool is not among those offered. Raises Dropped."""
    rng = job.rng
    if rng.random() < 0.5:
        return _conversation(job)
    case = job.case(job.tool)
    talk = job.talk()
    talk.user(case.text)
    talk.say(job.pick("absent", title=job.title()))
    both = rng.random() < 0.5  # the endpoint's other methods go too
    own = frozenset(job.tool_of(job.endpoint.uri, m).name for m in job.endpoint.methods if both or m == job.tool.method)
    return job.finish(talk, "no_tool", case.phrasing, [(job.tool, case.arguments)], without=own)


def _conversation(job: Job) -> dict[str, Any]:
    """Each endpoint has its own share of the conversations, so that no two endpoints tell the same one."""
    pool = conversations(job.lang)
    endpoints = list(job.shop.maker.catalogue.endpoints)
    mine = kept_for(pool[endpoints.index(job.endpoint.uri) :: len(endpoints)], job.split)
    if not mine:
        raise Dropped("no conversation of its own")
    row = job.rng.choice(mine)
    text = row["user"]
    if job.rng.random() < 0.2:
        text = f"{job.pick('hello')} {text}"
    talk = job.talk()
    talk.user(text)
    talk.say(row["assistant"])
    return job.finish(talk, "no_tool", f"talk/{row['topic']}", [], near=_near(job, text))


def _near(job: Job, text: str) -> Tool:
    """A tool that the question's words bring to mind, so that the temptation to call stands among those offered."""
    low = text.lower()
    found = [
        e for e, called in _called(job.lang) if e.uri not in job.shop.holdout and any(name in low for name in called)
    ]
    if not found:
        return job.tool
    endpoint = max(found, key=lambda e: len(e.title(job.lang)))
    return Tool(endpoint, endpoint.methods[0])


@lru_cache(maxsize=2)
def _called(lang: str) -> list[tuple[Endpoint, tuple[str, ...]]]:
    """The endpoints with their names, in small letters."""
    return [(e, tuple(name.lower() for name in (e.title(lang), *e.aka(lang)))) for e in load_catalogue()]


def guard(job: Job) -> dict[str, Any]:
    """Everything of a kind is to go: the assistant asks first, and goes on only with a yes. Raises Dropped."""
    delete, get = job.other("DELETE"), job.other("GET")
    if delete is None or get is None or not job.endpoint.is_table or job.endpoint.single:
        raise Dropped("nothing to guard")
    rng = job.rng
    talk = job.talk()
    first = rng.randint(1, 60)
    keys = [first + n for n in range(rng.choice((1, 2, 2, 3)))]
    stock_keys(talk, job.endpoint, keys, rng)
    talk.user(unmark(surround(job.pick("all", title=job.title()), job.lang, rng)))
    talk.say(job.pick("sure", title=job.title()))
    tools: list[tuple[Tool, dict[str, Any]]] = [(get, {"ids": []}), (delete, {"ids": keys})]
    if rng.random() < 0.25:
        talk.user(job.pick("no"))
        talk.say(job.pick("kept"))
        return job.finish(talk, "guard", "guard/no", tools)
    talk.user(job.pick("yes"))
    talk.call(tools[:1])
    talk.say(closing(talk.call(tools[1:]), job.lang, rng))
    return job.finish(talk, "guard", "guard/yes", tools)
