"""What speaks against a call that a model wrote, from the conversation alone: values that nobody said, numbers of the request that it leaves out, fields
that such a record is never made without.

The same eyes as the grounding checker's, without the true call at hand. A doubt is no proof: a value may follow from the request by working
(coordinates from spans), a number may be mere context (the 12th floor).
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gennx.emulator.rules import default_rules
from gennx.generators.customary import left_out
from gennx.generators.evidence import Haystack, evidence, run_evidence
from gennx.generators.grounding import Ungrounded, check
from gennx.generators.leaves import Leaf, call_leaves, with_elements
from gennx.generators.lexicon import Lexicon, lexicon_of
from gennx.generators.model_units import KN_M, OTHERS, Units
from gennx.schemas.catalogue import Tool

Message = dict[str, Any]
_EMPTY = re.compile(r"\b(?:empty|blank|new|nothing)\b|비어|빈 |아무 데이터|새 (?:모델|파일)", re.IGNORECASE)
"""A system prompt that says of the model that nothing is in it yet."""


@dataclass(frozen=True, slots=True)
class Doubts:
    """`invalid`: the first broken rule of a schema. `unsaid`: values of the calls that the conversation does not hold. `unused`: numbers of what the
    user said last that stand for no value of these calls nor of those made since; `lacking`: fields without which nobody asks for such a new record."""

    invalid: str | None
    unsaid: tuple[Ungrounded, ...]
    unused: tuple[str, ...]
    lacking: tuple[str, ...] = ()


def units_of(system: str) -> Units:
    """The model's units that a system prompt states; kN and m where it states none."""
    return next((u for u in OTHERS if re.search(rf"(?<![A-Za-z]){re.escape(u.written)}(?![A-Za-z])", system)), KN_M)


def doubts(messages: Sequence[Message], calls: Sequence[dict[str, Any]]) -> Doubts:
    """What speaks against calls (`{"name", "arguments"}`) as the next turn after these messages. Tools outside the catalogue are not judged."""
    users = [str(m["content"]) for m in messages if m["role"] == "user"]
    shown = _told(messages, "tool", "system")
    begins = any(m["role"] == "tool" for m in messages) or _EMPTY.search(_told(messages, "system")) is not None
    hay = said_in(messages)
    rules = default_rules()
    known = [(tool, c["arguments"]) for c in calls if (tool := rules.catalogue.named(str(c["name"]))) is not None]
    invalid: str | None = None
    unsaid: list[Ungrounded] = []
    lacking: list[str] = []
    for tool, arguments in known:
        problems = rules.validation.problems(tool, arguments)
        if problems:
            invalid = invalid or str(problems[0])
            continue
        gaps = check(hay.text, tool, arguments, lexicon_of_tool(tool), hay)
        unsaid += [gap for gap in gaps if not _shown(gap, tool, arguments, shown, begins)]
        lacking += left_out(hay.text, tool, arguments)
    judged = users and not invalid and len(known) == len(calls)
    if not judged:
        return Doubts(invalid, tuple(unsaid), (), tuple(lacking))
    last = hay if len(users) == 1 else Haystack(users[-1], hay.size)
    return Doubts(invalid, tuple(unsaid), _unused(last, [*_calls_since(messages), *known]), tuple(lacking))


def said_in(messages: Sequence[Message]) -> Haystack:
    """What the user has said, measured by the model's units."""
    return Haystack(_told(messages, "user"), units_of(_told(messages, "system")).size)


def _told(messages: Sequence[Message], *roles: str) -> str:
    return "\n".join(str(m["content"]) for m in messages if m["role"] in roles)


def _calls_since(messages: Sequence[Message]) -> list[tuple[Tool, dict[str, Any]]]:
    """Calls made since the user spoke last."""
    last = max((place for place, m in enumerate(messages) if m["role"] == "user"), default=len(messages))
    made = [call["function"] for m in messages[last:] for call in m.get("tool_calls") or ()]
    named = [(default_rules().catalogue.named(str(f["name"])), f["arguments"]) for f in made]
    return [(tool, json.loads(a) if isinstance(a, str) else a) for tool, a in named if tool is not None]


def _shown(gap: Ungrounded, tool: Tool, arguments: dict[str, Any], shown: str, begins: bool) -> bool:
    """True for a value that the program's answers hold, and for record numbers that go on from ones there, or from none where a table may be known
    to be empty (`begins`)."""
    if re.search(rf"(?<![\w.]){re.escape(str(gap.value))}(?![\w.])", shown):
        return True
    keys = sorted(int(k) for k in arguments.get("Assign", {}) if k.isdigit())
    if not gap.place.startswith("Assign/") or gap.place.count("/") > 1 or tool.method != "POST" or not keys:
        return False
    after = (begins and keys[0] == 1) or re.search(rf"(?<!\d){keys[0] - 1}(?!\d)", shown) is not None
    return after and keys == list(range(keys[0], keys[0] + len(keys)))


def _unused(hay: Haystack, calls: Sequence[tuple[Tool, dict[str, Any]]]) -> tuple[str, ...]:
    spans = [span for tool, arguments in calls for span in _spans(hay, tool, arguments)]
    free = (n for n in hay.reading.numbers if not n.glued and not n.word)
    return tuple(n.written for n in free if not any(start < n.end and n.start < end for start, end in spans))


def _spans(hay: Haystack, tool: Tool, arguments: dict[str, Any]) -> list[tuple[int, int]]:
    """Where a call's values may be said."""
    words = lexicon_of_tool(tool)
    leaves = call_leaves(tool, arguments)
    found = [e for part in with_elements(leaves) for e in evidence(part, words, hay)]
    for column in _columns(leaves):
        found += run_evidence(column, hay)
    return [(e.start, e.end) for e in found]


def _columns(leaves: Sequence[Leaf]) -> list[list[int]]:
    """Whole numbers that stand in one field of several records or rows."""
    columns: dict[str, list[int]] = defaultdict(list)
    for leaf in leaves:
        if leaf.kind in ("key", "number") and isinstance(leaf.value, int) and leaf.value not in columns[leaf.field]:
            columns[leaf.field].append(leaf.value)
    return [values for values in columns.values() if len(values) > 1]


def lexicon_of_tool(tool: Tool) -> Lexicon:
    """The words of the tool's endpoint."""
    return _lexicon(tool.endpoint.uri)


@lru_cache(maxsize=512)
def _lexicon(uri: str) -> Lexicon:
    return lexicon_of(default_rules().catalogue.endpoint(uri))
