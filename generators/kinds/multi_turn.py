"""Two to five user turns over one model: from a plan, or a creation and what people add to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gennx.generators import scenarios
from gennx.generators.dialogues import Dropped, closing
from gennx.generators.fields import schema_of
from gennx.generators.grounding import check
from gennx.generators.kinds.chain import planned
from gennx.generators.kinds.job import Job, say_keys, stock_keys
from gennx.generators.leaves import Leaf, call_leaves, inner_schema
from gennx.schemas.catalogue import Tool

RENUMBERED = frozenset({"db/STLD", "db/TDME"})
"""Tables in which the program gives a new record the next free number, whatever number is sent."""
NOT_CORRECTED = frozenset({"index", "dof_flags", "serial", "code", "color"})
PLACED = frozenset({"node_id", "element_id"})
"""Record keys of what is put on nodes and elements, which may be wanted on others too."""


@dataclass
class State:
    """What the dialogue has made: the first record or two as they stand, the numbers made last, and all that was said."""

    records: dict[str, Any]
    latest: list[int]
    said: str


Move = Callable[[Job, State], tuple[str, Tool, dict[str, Any]] | None]


def multi_turn(job: Job) -> dict[str, Any]:
    """Raises Dropped."""
    plans = [p for p in scenarios.plans_using(job.endpoint.uri) if p.turns and all(t.words[job.lang] for t in p.turns)]
    if plans and job.rng.random() < 0.6:
        return planned(job, job.rng.choice(plans), "multi_turn")
    return _followed_up(job)


def _followed_up(job: Job) -> dict[str, Any]:
    """A creation, then a correction, the same elsewhere, a look, taking it back."""
    rng = job.rng
    post = job.other("POST")
    if post is None or not job.endpoint.is_table:
        raise Dropped("nothing to follow up")
    first = job.case(post, small=True)
    records = first.arguments["Assign"]
    if len(records) > 2 or any(not k.isdigit() for k in records):
        raise Dropped("too many records to follow up")
    numbers = sorted(int(k) for k in records)
    talk = job.talk()
    if job.endpoint.uri in RENUMBERED:
        if numbers[0] > 9 or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
            raise Dropped("number would not stand")
        if numbers[0] > 1:
            stock_keys(talk, job.endpoint, range(1, numbers[0]), rng)
    talk.user(first.text)
    talk.say(closing(talk.call([(post, first.arguments)]), job.lang, rng))
    calls: list[tuple[Tool, dict[str, Any]]] = [(post, first.arguments)]
    state = State({k: dict(v) for k, v in records.items()}, numbers, first.text)
    moves: list[Move] = [_correct, _read_back, _same_elsewhere]
    rng.shuffle(moves)
    for move in moves[: rng.choice((1, 1, 2, 2, 3))] + ([_take_back] if rng.random() < 0.25 else []):
        made = move(job, state)
        if made is None:
            continue
        text, tool, arguments = made
        talk.user(text)
        state.said += "\n" + text
        talk.say(closing(talk.call([(tool, arguments)]), job.lang, rng))
        calls.append((tool, arguments))
        if tool.method == "POST":
            state.latest = [int(k) for k in arguments["Assign"]]
    if len(calls) < 2:
        raise Dropped("no follow-up fits")
    return job.finish(talk, "multi_turn", first.phrasing, calls)


def _correct(job: Job, state: State) -> tuple[str, Tool, dict[str, Any]] | None:
    """One value is changed: the record as it stands with the new value, or that field alone where it stands at the top."""
    put = job.other("PUT")
    if put is None or len(state.records) != 1 or state.latest != [int(k) for k in state.records]:
        return None
    ((key, record),) = state.records.items()
    leaves = call_leaves(put, {"Assign": {key: record}})
    options = [x for x in leaves if _correctable(x) and sum(y.value == x.value for y in leaves) == 1]
    if not options:
        return None
    leaf = job.rng.choice(options)
    new = _other_value(job, leaf)
    if new is None:
        return None
    teller = scenarios.teller_for(put, job.lexicon(), job.lang, job.rng)
    text = job.pick("change", name=job.field_name(leaf), new=teller.number(new, leaf.note))
    changed = _replaced({"Assign": {key: record}}, leaf.place, new)
    arguments = {"Assign": {key: {leaf.place[2]: new}}} if len(leaf.place) == 3 else changed
    valid = job.shop.maker.validation.valid(put, arguments)
    if not valid or check(f"{state.said}\n{text}", put, arguments, job.lexicon()):
        return None
    state.records[key] = changed["Assign"][key]
    return text, put, arguments


def _correctable(leaf: Leaf) -> bool:
    kind = str(leaf.note.get("kind", ""))
    return (
        leaf.kind == "number"
        and isinstance(leaf.value, (int, float))
        and bool(leaf.value)
        and not kind.endswith("_id")
        and kind not in NOT_CORRECTED
        and "ko" in leaf.note
    )


def _other_value(job: Job, leaf: Leaf) -> float | None:
    """Another value near the old one, within the field's limits."""
    schema = inner_schema(schema_of(job.endpoint, leaf.field))
    for factor in job.rng.sample((0.5, 0.6, 0.8, 0.9, 1.1, 1.2, 1.25, 1.5, 2.0), 5):
        new = float(f"{leaf.value * factor:.3g}")
        if schema.get("type") == "integer" or (isinstance(leaf.value, int) and abs(leaf.value) > 3):
            new = round(new)
        fits = schema.get("minimum", float("-inf")) <= new <= schema.get("maximum", float("inf")) and schema.get(
            "exclusiveMinimum", float("-inf")
        ) < new < schema.get("exclusiveMaximum", float("inf"))
        if new != leaf.value and new and fits:
            return int(new) if new == int(new) else new
    return None


def _replaced(node: Any, place: Sequence[str | int], value: Any) -> Any:
    if not place:
        return value
    if isinstance(node, dict):
        return {k: _replaced(v, place[1:], value) if k == place[0] else v for k, v in node.items()}
    return [_replaced(v, place[1:], value) if i == place[0] else v for i, v in enumerate(node)]


def _read_back(job: Job, state: State) -> tuple[str, Tool, dict[str, Any]] | None:
    get = job.other("GET")
    if get is None:
        return None
    return job.pick("again"), get, {"ids": [] if job.endpoint.single else state.latest}


def _take_back(job: Job, state: State) -> tuple[str, Tool, dict[str, Any]] | None:
    delete = job.other("DELETE")
    if delete is None:
        return None
    return job.pick("undo"), delete, {"ids": state.latest}


def _same_elsewhere(job: Job, state: State) -> tuple[str, Tool, dict[str, Any]] | None:
    """The same record for other nodes or elements."""
    post = job.other("POST")
    single = len(state.records) == 1 and state.latest == [int(k) for k in state.records]
    if post is None or job.endpoint.key not in PLACED or job.endpoint.uri in ("db/NODE", "db/ELEM") or not single:
        return None
    ((key, record),) = state.records.items()
    if key in str(record):
        return None
    start = int(key) + job.rng.randint(1, 30)
    step = job.rng.choice((1, 1, 2))
    keys = [start + i * step for i in range(job.rng.choice((1, 2, 3)))]
    text = job.pick("also", ids=say_keys(post, keys, job.lang, job.rng))
    arguments = {"Assign": {str(k): record for k in keys}}
    if check(f"{text}\n{state.said}", post, arguments, job.lexicon()):
        return None
    return text, post, arguments
