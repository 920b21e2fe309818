"""The program refuses a call; the assistant says why and mends it."""

from __future__ import annotations

from typing import Any

from gennx.generators.dialogues import Dropped, Talk, closing
from gennx.generators.kinds.job import Job, say_keys, stock_keys
from gennx.generators.leaves import call_leaves
from gennx.generators.names import load_kind
from gennx.generators.single import Case

TYPE_OF = {"dead": "D", "live": "L", "wind": "W", "seismic": "E", "snow": "S", "temperature": "T"}
"""Load case types by what a case's name tells."""
CASE_TYPES = {
    "D": (("고정하중", "고정하중이에요", "사하중입니다"), ("dead load", "Dead load.")),
    "L": (("활하중", "활하중으로", "활하중이요"), ("live load", "Live load, thanks.")),
    "W": (("풍하중", "풍하중입니다"), ("wind load", "Wind load.")),
    "E": (("지진하중", "지진하중이에요"), ("earthquake load", "Earthquake load.")),
    "S": (("적설하중", "설하중이요"), ("snow load", "Snow load.")),
    "T": (("온도하중", "온도하중이요"), ("temperature", "Temperature load.")),
    "USER": (("사용자정의", "사용자 정의로 해줘"), ("user defined", "User defined load.")),
}
"""Load case types as people answer them, Korean and English."""


def repair(job: Job) -> dict[str, Any]:
    """A number that exists already, or a load case that does not. Raises Dropped."""
    post, put = job.other("POST"), job.other("PUT")
    if post is None or not job.endpoint.is_table:
        raise Dropped("nothing to repair")
    rng = job.rng
    case = job.case(post)
    if any(not k.isdigit() for k in case.arguments["Assign"]):
        raise Dropped("no numbers")
    names = sorted({
        x.value for x in call_leaves(post, case.arguments) if x.note.get("ref") == "db/STLD.NAME" and isinstance(x.value, str) and x.value
    })  # fmt: skip
    talk = job.talk()
    if len(names) == 1 and job.endpoint.uri != "db/STLD" and rng.random() < 0.5:
        return _missing_case(job, talk, case, names[0])
    if put is None:
        raise Dropped("nothing to repair")
    keys = [int(k) for k in case.arguments["Assign"]]
    stock_keys(talk, job.endpoint, keys, rng)
    talk.user(case.text)
    talk.model.ensure(post, case.arguments)
    (failed,) = talk.call([(post, case.arguments)], may_fail=True)
    if "error" not in failed.body:
        raise Dropped("not refused")
    if not job.shop.maker.validation.valid(put, case.arguments):
        raise Dropped("no valid change")
    done = talk.call([(put, case.arguments)], content=job.pick("exists", ids=say_keys(post, keys, job.lang, rng)))
    talk.say(closing(done, job.lang, rng))
    return job.finish(talk, "repair", case.phrasing, [(post, case.arguments), (put, case.arguments)])


def _missing_case(job: Job, talk: Talk, case: Case, name: str) -> dict[str, Any]:
    """The load case that a call names is not there: the assistant asks for its type, makes it and calls again."""
    rng = job.rng
    stld = job.tool_of("db/STLD", "POST")
    talk.user(case.text)
    talk.model.ensure(case.tool, case.arguments)
    gone = [int(k) for k, v in talk.model.table("db/STLD").items() if v.get("NAME") == name]
    talk.model.call(job.tool_of("db/STLD", "DELETE"), {"ids": gone})
    (failed,) = talk.call([(case.tool, case.arguments)], may_fail=True)
    if "error" not in failed.body:
        raise Dropped("not refused")
    talk.say(job.pick("nocase", case=name))
    code = TYPE_OF.get(load_kind(name)) or rng.choice(list(CASE_TYPES))
    talk.user(rng.choice(CASE_TYPES[code][job.lang == "en"]))
    number = max((int(k) for k in talk.model.table("db/STLD")), default=0) + 1
    made = {"Assign": {str(number): {"NAME": name, "TYPE": code}}}
    talk.call([(stld, made)])
    talk.say(closing(talk.call([(case.tool, case.arguments)]), job.lang, rng))
    return job.finish(talk, "repair", case.phrasing, [(case.tool, case.arguments), (stld, made)], without_case=name)
