"""Independent calls in one assistant turn, each with its tool answer."""

from __future__ import annotations

from typing import Any

from gennx.generators import scenarios
from gennx.generators.dialogues import Dropped
from gennx.generators.kinds.chain import little_told, planned
from gennx.generators.kinds.job import Job
from gennx.generators.kinds.strung import STRUNG, strung


def parallel(job: Job) -> dict[str, Any]:
    """Requests of their own in one message, or from a plan of independent calls that uses the endpoint. Raises Dropped."""
    if job.rng.random() < STRUNG:
        return strung(job, "parallel")
    plans = [p for p in scenarios.plans_using(job.endpoint.uri, scenarios.PARALLEL) if p.requests[job.lang]]
    if not plans:
        raise Dropped("no plan")
    return planned(job, little_told(job, plans), "parallel")
