"""Several requests in one message that do not depend on each other: answered together, or one after another where the words give an order."""

from __future__ import annotations

from typing import Any

from gennx.generators.dialogues import Dropped, closing
from gennx.generators.kinds.job import Job, gluable, glued, stock
from gennx.generators.registers import one_register
from gennx.generators.settings import METHOD_WEIGHTS
from gennx.generators.single import Case
from gennx.schemas.catalogue import Tool

EVERYDAY = (
    "db/NODE", "db/ELEM", "db/CONS", "db/STLD", "db/CNLD", "db/BMLD", "db/GRUP", "db/MATL", "db/SECT", "db/THIK", "db/BODF", "db/NMAS", "db/BNGR",
    "db/LDGR", "db/UNIT", "db/EIGV", "doc/SAVE", "doc/ANAL", "post/TABLE", "view/SELECT",
)  # fmt: skip
ALONGSIDE = (
    "doc/NEW", "doc/OPEN", "doc/SAVEAS", "doc/CLOSE", "doc/EXPORTMXT", "view/CAPTURE", "view/DISPLAY", "view/RESULTGRAPHIC", "view/ANGLE", "ope/STOR",
    "ope/DIVIDEELEM", "ope/PROJECTSTATUS", "db/STOR", "db/LCOM-GEN", "db/FRLS", "db/PJCF", "db/LENG",
)  # fmt: skip
"""What people ask for in one breath with other things, besides what is used every day."""
NEW = "POST /doc/new"
BUILT = frozenset(
    {NEW, "POST /db/node", "POST /db/matl", "POST /db/stld", "POST /db/pjcf", "PUT /db/unit", "PUT /db/styp"}
)
"""What can be asked for in one breath with a new file, before there is anything else in it."""
CLOSED = "doc/CLOSE"
UNCHANGED = frozenset({
    CLOSED, "doc/OPEN", "doc/SAVE", "doc/SAVEAS", "doc/ANAL", "doc/EXPORT/{NAME}", "doc/EXPORTMXT", "view/CAPTURE", "view/RESULTGRAPHIC", "post/TABLE",
})  # fmt: skip
"""What changes nothing in a file that could be lost when it is closed."""
ENDS = {"doc/NEW": -1, "doc/OPEN": -1, CLOSED: 1}
"""What comes before everything else, and after it."""
COUNTS = ((2, 3, 4), (6, 3, 1))
STRUNG = 0.5
"""How many chains and parallel requests are put together so; the others come from plans."""
TRIES = 8
OWN = 0.3
"""How many of the further requests are about the same endpoint."""


def strung(job: Job, kind: str) -> dict[str, Any]:
    """Two to four requests: `chain` with words of order and a turn each, `parallel` without and in one turn. Raises Dropped."""
    rng, order = job.rng, kind == "chain"
    for _ in range(TRIES):
        cases = _cases(job, rng.choices(*COUNTS)[0])
        text = glued(job, f"{'order' if order else 'both'}{len(cases)}", cases) if len(cases) > 1 else ""
        if text:
            break
    else:
        raise Dropped("no partner")
    talk = job.talk()
    for case in cases:
        stock(talk, case.tool, case.arguments, rng)
    talk.user(text)
    calls = [(case.tool, case.arguments) for case in cases]
    done = []
    for group in [[call] for call in calls] if order else [calls]:
        done += talk.call(group)
    talk.say(closing(done, job.lang, rng))
    return job.finish(talk, kind, cases[0].phrasing, calls)


def _cases(job: Job, count: int) -> list[Case]:
    """Requests that can stand beside each other, one of them the job's own, questions last; fewer where none fits. Raises Dropped."""
    rng, maker = job.rng, job.shop.maker
    cases: list[Case] = []
    tools = [job.tool, *(companion(job, OWN, EVERYDAY + ALONGSIDE) for _ in range(count * 2))]
    for tool in tools:
        if (
            len(cases) == count
            or any(tool is c.tool for c in cases)
            or not (_after_new(tool, cases) and _before_close(tool, cases))
        ):
            continue
        plain = maker.unfit(tool, "glue", lambda t: gluable(t.text))
        made = maker.case(tool, job.lang, rng, job.want(small=True, strength=0.0, composed=0.0, avoid=plain))
        if made is None or not gluable(made.text) or any(clash(made, c) for c in cases):
            if tool is job.tool:
                raise Dropped("no request fit to stand beside others")
            continue
        if one_register([c.text for c in [*cases, made]]):
            cases.append(made)
    rng.shuffle(cases)
    return sorted(cases, key=lambda c: (ENDS.get(c.tool.endpoint.uri, 0), c.text.rstrip().endswith("?")))


def _after_new(tool: Tool, cases: list[Case]) -> bool:
    """False where one of the requests begins a new file and another wants something in it."""
    names = {tool.name, *(c.tool.name for c in cases)}
    return NEW not in names or names <= BUILT


def _before_close(tool: Tool, cases: list[Case]) -> bool:
    """False where a file is to be closed and another request changes something in it that nobody saves."""
    tools = [tool, *(c.tool for c in cases)]
    uris = {t.endpoint.uri for t in tools}
    return (
        CLOSED not in uris or "doc/SAVE" in uris or all(t.endpoint.uri in UNCHANGED or t.method == "GET" for t in tools)
    )


def companion(job: Job, own: float, others: tuple[str, ...] = EVERYDAY) -> Tool:
    """Another tool: of the same endpoint in the share `own`, else of one of the others."""
    rng = job.rng
    if rng.random() < own:
        methods = job.endpoint.methods
        return job.tool_of(job.endpoint.uri, rng.choices(methods, [METHOD_WEIGHTS[m] for m in methods])[0])
    uri = rng.choice([u for u in others if u not in job.shop.holdout])
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
