"""One judgement for each item: what was right about the turn, and every way in which it was wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from gennx.emulator.rules import default_rules
from gennx.schemas.catalogue import ANNOTATION, Schema
from gennx.trainer.evaluation import original
from gennx.trainer.evaluation.comparing import Difference, Pair, held_against, names_agree, paired, tool_of
from gennx.trainer.evaluation.items import CALL, Call, Item
from gennx.trainer.evaluation.predictions import Prediction
from gennx.trainer.evaluation.replay import outcome

SHOWN = 12  # differences kept for the page
UNIT_FACTORS = (
    *(10.0**n for n in (2, 3, 4, 5, 6, 9, 12)), 9.80665, 9806.65, 0.0980665, 98.0665, 0.3048, 0.0254, 25.4, 304.8,
    4.4482216, 6.894757, 47.880259, math.pi / 180, 60.0, 3600.0,
)  # fmt: skip
LABELS = {
    "malformed": "a call that cannot be read",
    "cut": "ran into the token limit",
    "empty": "said nothing",
    "silent": "silent where it should call",
    "called": "called where it should not",
    "missing_call": "fewer calls than wanted",
    "extra_call": "more calls than wanted",
    "invented_tool": "a tool that is not offered",
    "wrong_tool": "another endpoint",
    "wrong_method": "the endpoint, with another method",
    "wrong_key": "another record number",
    "missing_field": "a field is missing",
    "extra_field": "a field too many",
    "wrong_number": "another number",
    "wrong_sign": "the number with the other sign",
    "wrong_unit": "the number in another unit",
    "wrong_enum": "another code",
    "wrong_reference": "another node, element or name",
    "wrong_switch": "yes for no",
    "wrong_text": "another text",
    "wrong_type": "a value of another type",
}


@dataclass(frozen=True, slots=True)
class JudgedCall:
    """A true call and how it fared."""

    endpoint: str
    method: str
    exact: bool
    got: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """A turn, judged. None means not measured. `right`: what the turn should do was done, exactly."""

    id: str
    turn: int
    expect: str
    right: bool
    called: bool
    malformed: bool
    names: bool | None
    exact: bool | None
    ran: bool | None
    same_end: bool | None
    matching: int
    wanted_leaves: int
    found_leaves: int
    found_calls: int
    valid_calls: int
    offered_calls: int
    original_names: bool | None
    original_keys: tuple[int, int]
    original_valid: tuple[int, int]
    original_known: tuple[int, int]
    labels: list[str]
    calls: list[JudgedCall]
    kind: str
    language: str
    tier: str
    variant: str
    tools: int
    last: bool
    prompt_tokens: int | None = None
    tokens: int | None = None
    latency_s: float | None = None
    differences: list[dict[str, Any]] = field(default_factory=list)
    user: str = ""
    gold: list[Call] = field(default_factory=list)
    found: list[Call] = field(default_factory=list)
    text: str = ""

    def as_json(self) -> str:
        """One line of records.jsonl."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))


def judge(item: Item, answer: Prediction | None, known: frozenset[str]) -> Judgement:
    """Judge a turn; an absent answer is an empty one. `known`: every tool that the test offers anywhere."""
    answer = answer or Prediction(item.id, item.turn, "", [], ["no prediction"])
    pairs = paired(item.gold, answer.calls)
    malformed = bool(answer.problems)
    wanted = item.expect == CALL
    exact = wanted and not malformed and all(pair.exact for pair in pairs)
    quiet = not answer.calls and not malformed and bool(answer.content.strip())
    went = outcome(item, answer.calls, exact) if wanted and not malformed else None
    offered = set(item.offered)
    labels = sorted(set(labels_of(item, answer, pairs)), key=list(LABELS).index)
    theirs = answer.original_calls
    meta = item.meta
    return Judgement(
        id=item.id, turn=item.turn, expect=item.expect, right=exact if wanted else quiet and not answer.cut,
        called=bool(answer.calls), malformed=malformed,
        names=not malformed and names_agree(item.gold, answer.calls) if wanted else None,
        exact=exact if wanted else None,
        ran=went.ran if went else False if wanted and not item.refused else None,
        same_end=went.same_end if went else False if wanted and not item.refused else None,
        matching=sum(p.matching for p in pairs), wanted_leaves=sum(p.wanted_leaves for p in pairs),
        found_leaves=sum(p.found_leaves for p in pairs), found_calls=len(answer.calls) + len(answer.problems),
        valid_calls=sum(is_valid(call) for call in answer.calls),
        offered_calls=sum(call["name"] in offered for call in answer.calls),
        original_names=original.tool_name_accuracy([theirs], [item.gold]) == 1 if wanted else None,
        original_keys=original.parameter_counts(theirs, item.gold),
        original_valid=(sum(map(original.has_valid_arguments, theirs)), len(theirs)),
        original_known=(sum(c["name"] in known for c in theirs), len(theirs)),
        labels=labels, calls=[judged_call(pair) for pair in pairs if pair.wanted], kind=str(meta.get("kind", "")),
        language=str(meta.get("language", "")), tier=str(meta.get("tier", "")), variant=str(meta.get("variant", "")),
        tools=len(item.tools), last=item.last, prompt_tokens=answer.prompt_tokens, tokens=answer.tokens,
        latency_s=answer.latency_s, differences=list(shown(pairs)), user=item.user, gold=item.gold, found=answer.calls,
        text=answer.text,
    )  # fmt: skip


def judge_all(items: Sequence[Item], answers: dict[tuple[str, int], Prediction]) -> list[Judgement]:
    """A judgement for every item, in order."""
    known = frozenset(name for item in items for name in item.offered)
    return [judge(item, answers.get(item.key), known) for item in items]


def is_valid(call: Call) -> bool:
    """Whether the arguments fit the catalogue's schema of the tool, conditions included."""
    tool = tool_of(call["name"])
    return tool is not None and default_rules().valid(tool, call["arguments"])


def judged_call(pair: Pair) -> JudgedCall:
    """The line of a true call."""
    assert pair.wanted is not None
    endpoint, method = endpoint_of(pair.wanted["name"])
    return JudgedCall(endpoint, method, pair.exact, pair.found["name"] if pair.found else "")


def endpoint_of(name: str) -> tuple[str, str]:
    """(address, method) of a tool; of one outside the catalogue, its name."""
    tool = tool_of(name)
    return (tool.endpoint.uri, tool.method) if tool else (name, "")


def shown(pairs: Iterable[Pair]) -> Iterator[dict[str, Any]]:
    """The first differences in full, for a reader."""
    rest = SHOWN
    for number, pair in enumerate(pairs):
        for one in pair.differences[:rest]:
            entry: dict[str, Any] = {"call": number, "place": one.place}
            entry |= {"wanted": one.wanted.value} if one.wanted else {}
            yield entry | ({"found": one.found.value} if one.found else {})
        rest -= min(rest, len(pair.differences))


# ---------------------------------------------------------------- error taxonomy


def labels_of(item: Item, answer: Prediction, pairs: Sequence[Pair]) -> Iterator[str]:
    """Every way in which a turn is wrong."""
    if answer.cut:
        yield "cut"
    if answer.problems:
        yield "malformed"
    if item.expect != CALL:
        if answer.calls:
            yield "called"
        elif not answer.content.strip() and not answer.problems:
            yield "empty"
        return
    if not answer.calls and not answer.problems:
        yield "silent"
        return
    offered = set(item.offered)
    for pair in pairs:
        yield from _pair_labels(pair, offered, bool(answer.problems))


def _pair_labels(pair: Pair, offered: set[str], malformed: bool) -> Iterator[str]:
    if pair.found is None:
        if not malformed:  # else the call that is missing may be the one that cannot be read
            yield "missing_call"
        return
    if pair.found["name"] not in offered:
        yield "invented_tool"
    if pair.wanted is None:
        yield "extra_call"
    elif pair.wanted["name"] != pair.found["name"]:
        same = endpoint_of(pair.wanted["name"])[0] == endpoint_of(pair.found["name"])[0]
        yield "wrong_method" if same else "wrong_tool"
    else:
        renamed = _with_keys(pair.wanted, pair.found)
        if renamed is not None:
            yield "wrong_key"
        for one in (held_against(pair.wanted, renamed) if renamed else pair).differences:
            yield _difference_label(pair.wanted["name"], one)


def _with_keys(wanted: Call, found: Call) -> Call | None:
    """The found call with the wanted record numbers in place of its own, None where they agree."""
    mine, theirs = wanted["arguments"].get("Assign"), found["arguments"].get("Assign")
    if not isinstance(mine, dict) or not isinstance(theirs, dict) or mine.keys() == theirs.keys():
        return None
    absent = [key for key in mine if key not in theirs]
    strange = [key for key in theirs if key not in mine]
    names = dict(zip(strange, absent, strict=False))
    kept = {names.get(key, key): row for key, row in theirs.items() if key in mine or key in names}
    kept |= {key: mine[key] for key in absent[len(strange) :]}  # a record too few is a wrong key, not missing fields
    return {"name": found["name"], "arguments": {**found["arguments"], "Assign": kept}}


def _difference_label(name: str, one: Difference) -> str:
    leaf = one.wanted or one.found
    assert leaf is not None
    if leaf.path == "ids":
        return "wrong_key"
    if leaf.member:
        return "wrong_reference"
    if one.found is None or (one.found.implied and one.wanted is not None and not one.wanted.implied):
        return "missing_field"
    if one.wanted is None or one.wanted.implied:
        return "extra_field"
    return value_label(field_schema(name, leaf.path), one.wanted.value, one.found.value)


def field_schema(name: str, path: str) -> Schema:
    """The schema of a field of a tool's arguments, {} where the path leads nowhere."""
    tool = tool_of(name)
    if tool is None:
        return {}
    node: Any = tool.endpoint.schema
    for part in path.removeprefix("Assign.*.").split("."):
        while isinstance(node.get("items"), dict):
            node = node["items"]
        node = node.get("properties", {}).get(part) or node.get("additionalProperties")
        if not isinstance(node, dict):
            return {}
    found: Schema = node
    return found


def value_label(schema: Schema, wanted: Any, found: Any) -> str:
    """How a wrong value is wrong."""
    note = schema.get(ANNOTATION, {})
    numbers = [isinstance(v, (int, float)) and not isinstance(v, bool) for v in (wanted, found)]
    if note.get("ref") or str(note.get("kind", "")).endswith(("_id", "_ref")):
        return "wrong_reference"
    while isinstance(schema.get("items"), dict):
        schema = schema["items"]
    if "enum" in schema or note.get("enum"):
        return "wrong_enum"
    if all(numbers):
        return number_label(float(wanted), float(found))
    if isinstance(wanted, bool) and isinstance(found, bool):
        return "wrong_switch"
    return "wrong_text" if isinstance(wanted, str) and isinstance(found, str) else "wrong_type"


def number_label(wanted: float, found: float) -> str:
    """A sign, a unit, or just another number."""
    if wanted == -found:
        return "wrong_sign"
    if wanted and found:
        ratio = abs(found / wanted)
        if any(math.isclose(ratio, f, rel_tol=1e-3) or math.isclose(ratio, 1 / f, rel_tol=1e-3) for f in UNIT_FACTORS):
            return "wrong_unit"
    return "wrong_number"
