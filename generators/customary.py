"""What every request that creates such a record gives: learned from the requests in `templates/`, held against a call that a model wrote.

A settlement without a displacement, a combination of nothing, a node without its height: the schema lets them pass, no value in them is unsaid, and yet
nobody asks for one. Where each of many requests for a new record, or for one with the same code in the same field (`LINK` = `GEN`), gives a field, a call
that leaves it out or empty rather lacks something that the user has yet to tell.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from gennx.generators.bank import read_requests
from gennx.generators.leaves import Leaf, call_leaves
from gennx.generators.lexicon import TEMPLATES, folder_of
from gennx.schemas.catalogue import Tool

ENOUGH = 40
"""Requests that must agree. Learned from one half of the bank, rules of so many speak against 0.1 % of the other half's creations."""
_NOTHING = re.compile(
    r"(?<![\d.])0(?:\.0+)?(?!\d|\.\d)|\b(?:zero|none|no|without|free|off|origin|empty)\b|영|없|제로|자유|원점|끄|빼|비우|비워|제외",
    re.IGNORECASE,
)
"""Words that may say a zero, an empty list or a switch turned off."""
Code = tuple[str, Any] | None
"""A field and its code; None stands for any record."""


def _records(tool: Tool, arguments: dict[str, Any]) -> Iterator[list[Leaf]]:
    """The leaves of each new record, or of the body."""
    by_record: dict[str, list[Leaf]] = defaultdict(list)
    for leaf in call_leaves(tool, arguments):
        if leaf.kind != "key":
            by_record[str(leaf.place[1]) if tool.endpoint.is_table else ""].append(leaf)
    yield from by_record.values()


def _holds(value: Any) -> bool:
    """Whether a value is more than nothing: an empty list, zeros, a blank."""
    return any(_holds(v) for v in value) if isinstance(value, list) else value not in (None, "", 0, {})


def _given(record: list[Leaf], nothing_said: bool) -> set[tuple[str, bool]]:
    """(field, whether it holds something) of what a record gives. Where the words say a zero, zeros are something."""
    marks: set[tuple[str, bool]] = set()
    for leaf in record:
        if leaf.value not in ([], {}):
            marks.add((leaf.field, False))
            if nothing_said or _holds(leaf.value):
                marks.add((leaf.field, True))
    return marks


def _codes(record: list[Leaf]) -> set[Code]:
    return {None, *((leaf.field, leaf.value) for leaf in record if leaf.kind == "enum")}


@lru_cache(maxsize=512)
def _customs(tool: Tool) -> dict[Code, frozenset[tuple[str, bool]]]:
    """What all requests for a new record of a code give; codes of fewer than `ENOUGH` requests left out."""
    counts: Counter[Code] = Counter()
    common: dict[Code, set[tuple[str, bool]]] = {}
    for request in read_requests(TEMPLATES / folder_of(tool.endpoint.uri) / "requests.jsonl", tool.endpoint):
        if request.method != tool.method:
            continue
        nothing_said = _NOTHING.search(request.user) is not None
        found: set[Code] = set()
        for record in _records(tool, request.arguments):
            given = _given(record, nothing_said)
            for code in _codes(record):
                common[code] = common[code] & given if code in common else given
                found.add(code)
        counts.update(found)
    return {code: frozenset(common[code]) for code, count in counts.items() if count >= ENOUGH}


def left_out(words: str, tool: Tool, arguments: dict[str, Any]) -> tuple[str, ...]:
    """Fields that every request for such a new record gives and this creation, asked for in these words, leaves out or empty."""
    if tool.method != "POST":
        return ()
    customs = _customs(tool)
    nothing_said = _NOTHING.search(words) is not None
    out: list[str] = []
    for record in _records(tool, arguments):
        given = _given(record, nothing_said)
        wanted = set().union(*(customs.get(code, frozenset()) for code in _codes(record)))
        out += sorted(field for field, _ in wanted - given)
    return tuple(dict.fromkeys(out))
