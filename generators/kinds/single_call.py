"""One request, one call, its answer, closing words."""

from __future__ import annotations

from typing import Any

from gennx.generators.dialogues import closing
from gennx.generators.kinds.job import Job, stock
from gennx.generators.model_units import other_units
from gennx.generators.single import Case
from gennx.schemas.catalogue import Endpoint

OTHER_UNITS = 0.3
"""Share of the requests that name all their units which are put to a model in other units than kN, m."""


def single_call(job: Job, case: Case) -> dict[str, Any]:
    """The dialogue of one case. Raises Dropped."""
    rng, tool, arguments = job.rng, case.tool, case.arguments
    more: dict[str, Any] = {}
    talk = None
    if job.rng.random() < OTHER_UNITS:
        found = other_units(case, job.lexicon(), rng)
        if found is not None and job.shop.maker.validation.valid(tool, found[1]):
            units, arguments = found
            talk = job.talk(units=units)
            more = {"units": units.written}
    talk = talk or job.talk()
    stock(talk, tool, arguments, rng)
    talk.user(case.text)
    done = talk.call([(tool, arguments)])
    talk.say(closing(done, case.lang, rng))
    return job.finish(
        talk, "single", case.phrasing, [(tool, arguments)], style=case.style,
        variant=variant_of(tool.endpoint, arguments), grounding=[[name, words] for name, words in case.said], **more,
    )  # fmt: skip


def variant_of(endpoint: Endpoint, arguments: dict[str, Any]) -> str:
    """The record's kind, by the fields that the catalogue names as choosing it; empty where there is none."""
    if not endpoint.variants:
        return ""
    node: Any = next(iter(arguments.get("Assign", {}).values()), arguments) if endpoint.is_table else arguments
    out = []
    for path in endpoint.variants:
        value = node
        for part in path.split("."):
            while isinstance(value, list):
                value = value[0] if value else None
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            out.append(str(value))
    return "/".join(out)
