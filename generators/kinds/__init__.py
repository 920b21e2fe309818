"""Kinds of dialogue, a module each; each makes a finished row for a job, or raises Dropped with the reason.

All of them run on one emulated model and end in the same way: the tools that the calls use, look-alikes, meta. `MAKERS` are the kinds beyond the
single call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gennx.generators import scenarios
from gennx.generators.kinds.chain import chain
from gennx.generators.kinds.clarify import clarify
from gennx.generators.kinds.job import Job, runs_on
from gennx.generators.kinds.multi_turn import multi_turn
from gennx.generators.kinds.next_id import next_id
from gennx.generators.kinds.parallel import parallel
from gennx.generators.kinds.repair import repair
from gennx.generators.kinds.session import session
from gennx.generators.kinds.single_call import single_call
from gennx.generators.kinds.talk_only import guard, no_tool
from gennx.schemas.catalogue import Endpoint

MAKERS: dict[str, Callable[[Job], dict[str, Any]]] = {
    "parallel": parallel,
    "chain": chain,
    "multi_turn": multi_turn,
    "session": session,
    "next_id": next_id,
    "clarify": clarify,
    "no_tool": no_tool,
    "repair": repair,
    "guard": guard,
}


def fits(kind: str, endpoint: Endpoint) -> bool:
    """True if dialogues of a kind can be about an endpoint."""
    has = set(endpoint.methods)
    match kind:
        case "next_id":
            return endpoint.is_table and not endpoint.single and {"POST", "GET"} <= has and runs_on(endpoint)
        case "multi_turn":
            return (endpoint.is_table and "POST" in has) or scenarios.has_turns(endpoint.uri)
        case "guard":
            return endpoint.is_table and not endpoint.single and {"DELETE", "GET"} <= has
        case "repair":
            return endpoint.is_table and {"POST", "PUT"} <= has
        case "clarify":
            return "POST" in has and bool(endpoint.schema.get("properties"))
        case _:
            return True


__all__ = ["MAKERS", "Job", "fits", "single_call"]
