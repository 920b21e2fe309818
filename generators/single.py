"""One request with the one call that answers it: from a harvested template, or composed from a sample.

What comes out is checked: the call against the catalogue, every value against the finished words.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from gennx.emulator.rules import default_rules
from gennx.generators.bank import Bank, Template
from gennx.generators.compose import compose
from gennx.generators.drawing import Drawn, draw
from gennx.generators.grounding import NEW_KEY, check, is_default, without
from gennx.generators.leaves import walk
from gennx.generators.lexicon import Lexicon, lexicon_of
from gennx.generators.marks import unmark
from gennx.generators.refill import Clash, fill, marked_words
from gennx.generators.sampler import NO_FOCUS, STYLES, Focus, SamplingError, focus_at, record_validator, sample_record
from gennx.generators.scene import Scene
from gennx.generators.settings import COMPOSED
from gennx.generators.surround import surround
from gennx.generators.telling import Unsayable
from gennx.schemas import Validation
from gennx.schemas.catalogue import Catalogue, Endpoint, Tool

ATTEMPTS = 16
REJECTS = ("invalid", "ungrounded", "unsayable", "no sample", "plural", "repeated")


@dataclass(frozen=True, slots=True)
class Case:
    """A request and its call. `phrasing` names the template or frame; `said` lists (what, words) pairs; `marked` is the text with its values marked."""

    tool: Tool
    arguments: dict[str, Any]
    text: str
    lang: str
    phrasing: str
    style: str
    said: tuple[tuple[str, str], ...] = ()
    marked: str = ""


@dataclass(frozen=True, slots=True)
class Want:
    """What a case is to be like. `turn` moves through styles and fields; `held_out` True takes phrasings kept for their own test, False the others, None all;
    `small` asks for few fields; `strength` is how much surrounds the facts; `names` fixes names of other tables' records; `new` asks for requests that name no
    record number."""

    turn: int = 0
    held_out: bool | None = False
    split: str = "train"
    composed: float = 0.06
    """Share of composed requests where an endpoint has few words of its own."""
    small: bool = False
    strength: float = 1.0
    names: dict[str, str] = field(default_factory=dict)
    new: bool = False
    avoid: frozenset[str] = frozenset()
    """Phrasings that will not do."""


ENOUGH = 4
"""Phrasings from which on composed requests, which read stiffer, are as rare as a run asks for."""
PLAIN = Want(strength=0.0)


class Seen:
    """Texts and calls already used: no text twice, no call in two splits."""

    def __init__(self) -> None:
        self.texts: set[str] = set()
        self.calls: dict[str, str] = {}
        self.barren: set[str] = set()
        """Phrasings from which no value can be left out."""

    def take(self, case: Case, split: str, patient: bool) -> bool:
        """Take up a case if it is new. A call may come again in its own split where a tool has few (impatient)."""
        if case.text in self.texts:
            return False
        if has_values(case.tool, case.arguments):
            key = calls_key([(case.tool, case.arguments)])
            if key in self.calls and (patient or self.calls[key] != split):
                return False
            self.calls[key] = split
        self.texts.add(case.text)
        return True

    def take_calls(self, calls: Sequence[tuple[Tool, dict[str, Any]]], split: str) -> bool:
        """Take up the calls of a dialogue, unless the same ones stand in another split."""
        if any(has_values(tool, arguments) for tool, arguments in calls):
            return self.calls.setdefault(calls_key(calls), split) == split
        return True


@dataclass
class Maker:
    """Makes cases for the tools of a catalogue; keeps the words of an endpoint while it works on it."""

    catalogue: Catalogue
    bank: Bank
    validation: Validation = field(default_factory=lambda: default_rules().validation)
    rejects: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(REJECTS, 0)))
    composed: float = COMPOSED
    """Share of composed requests where an endpoint has words of its own."""
    _lexicons: dict[str, Lexicon] = field(default_factory=dict)
    _templates: dict[tuple[str, str, bool, bool | None], list[Template]] = field(default_factory=dict)
    _unfit: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    uses: Counter[str] = field(default_factory=Counter)
    """How often each phrasing was taken for the endpoint at work."""

    def lexicon(self, endpoint: Endpoint) -> Lexicon:
        if endpoint.uri not in self._lexicons:
            self._lexicons[endpoint.uri] = lexicon_of(endpoint, self.bank.roots)
        return self._lexicons[endpoint.uri]

    def forget(self, endpoint: Endpoint) -> None:
        """Free an endpoint's words."""
        self._lexicons.pop(endpoint.uri, None)
        name = f" /{endpoint.uri.lower()}"
        self._templates = {k: v for k, v in self._templates.items() if not k[0].endswith(name)}
        self._unfit = {k: v for k, v in self._unfit.items() if not k[0].endswith(name)}
        self.bank.forget(endpoint)

    def unfit(self, tool: Tool, purpose: str, fits: Callable[[Template], bool]) -> frozenset[str]:
        """Names of the tool's phrasings that will not do for a purpose, worked out once."""
        key = (tool.name, purpose)
        if key not in self._unfit:
            own = (t for t in self.bank.templates(tool.endpoint) if t.method == tool.method)
            self._unfit[key] = frozenset(t.ident for t in own if not fits(t))
        return self._unfit[key]

    def templates(self, tool: Tool, lang: str, want: Want = PLAIN) -> list[Template]:
        """Templates of a tool and language that fit what is wanted."""
        key = (tool.name, lang, want.new, want.held_out)
        if key not in self._templates:
            every = [
                t for t in self.bank.templates(tool.endpoint) if t.method == tool.method and t.lang == lang and t.next_id == want.new
            ]  # fmt: skip
            if want.held_out is not None:
                apart = held_apart(every)
                every = [t for t in every if (t.ident in apart) == want.held_out]
            self._templates[key] = every
        found = self._templates[key]
        return [t for t in found if t.ident not in want.avoid] if want.avoid else found

    def case(
        self, tool: Tool, lang: str, rng: random.Random, want: Want = PLAIN, seen: Seen | None = None
    ) -> Case | None:
        """A checked case, or None where none was found. `seen` knows the texts and calls already used."""
        templates = self.templates(tool, lang, want)
        if want.held_out and not templates:
            return None
        composed = want.composed * self.composed / PLAIN.composed if len(templates) >= ENOUGH else want.composed
        for attempt in range(ATTEMPTS):
            late = attempt >= ATTEMPTS - 4
            if templates and (want.held_out or late or rng.random() >= composed):
                made = self._from_template(self._little_used(templates, rng), tool, rng, want)
            else:
                made = self._composed(tool, lang, rng, want, attempt)
            if made is None:
                continue
            if seen is not None and not seen.take(made, want.split, patient=attempt < ATTEMPTS // 2):
                self.rejects["repeated"] += 1
                continue
            return made
        return None

    def _little_used(self, templates: list[Template], rng: random.Random) -> Template:
        """One of the phrasings at random, rather one that was not taken yet."""
        picked = min((rng.choice(templates) for _ in range(3)), key=lambda t: self.uses[t.ident])
        self.uses[picked.ident] += 1
        return picked

    # ---- two ways

    def _from_template(self, template: Template, tool: Tool, rng: random.Random, want: Want) -> Case | None:
        lexicon = self.lexicon(tool.endpoint)
        drawn = draw(template, tool.endpoint, lexicon, rng, fixed_names=want.names)
        arguments = self._filled(template, tool, drawn)
        if arguments is None:  # the author's codes with new numbers
            drawn = draw(template, tool.endpoint, lexicon, rng, codes=False, fixed_names=want.names)
            arguments = self._filled(template, tool, drawn)
            if arguments is None:
                self.rejects["invalid"] += 1
                return None
        marked, said = marked_words(template, drawn, rng)
        marked = surround(marked, template.lang, rng, want.strength)
        text = unmark(marked)
        if template.lang == "en" and _ONE_OF_MANY.search(text):
            self.rejects["plural"] += 1
            return None
        if check(text, tool, arguments, lexicon):
            self.rejects["ungrounded"] += 1
            return None
        return Case(tool, arguments, text, template.lang, template.ident, "refilled", tuple(said), marked)

    def _filled(self, template: Template, tool: Tool, drawn: Drawn) -> dict[str, Any] | None:
        """The template's call with what was drawn; None if it cannot stand."""
        try:
            arguments: dict[str, Any] = fill(template.call, drawn)
        except Clash:
            return None
        return arguments if self._valid(tool, arguments) else None

    def _composed(self, tool: Tool, lang: str, rng: random.Random, want: Want, attempt: int) -> Case | None:
        lexicon = self.lexicon(tool.endpoint)
        turn = 0 if want.small or want.new else want.turn + attempt  # a form is never dictated at length
        style = STYLES[turn % len(STYLES)]
        try:
            arguments = sample_arguments(tool, lang, rng, style, turn, want)
            made = compose(tool, arguments, lexicon, lang, rng, picky=attempt < ATTEMPTS // 2)
        except SamplingError:
            self.rejects["no sample"] += 1
            return None
        except Unsayable:
            self.rejects["unsayable"] += 1
            return None
        if not self._valid(tool, arguments):
            self.rejects["invalid"] += 1
            return None
        marked = surround(made.text, lang, rng, want.strength).strip()
        text = unmark(marked)
        if check(text, tool, arguments, lexicon):
            self.rejects["ungrounded"] += 1
            return None
        return Case(tool, arguments, text, lang, f"frame/{made.frame.replace(' ', '-')}", style, (), marked)

    def _valid(self, tool: Tool, arguments: dict[str, Any]) -> bool:
        return self.validation.valid(tool, numbered(arguments, 9001))


_ONE_OF_MANY = re.compile(
    r"(?<![\d.,/~×-])\b1 (?:load |line |equal )?(?:modes|steps|substeps|iterations|nodes|elements|beams|columns|stor(?:ie|ey)s|days|layers|lanes|points|"
    r"segments|spans|bars|legs|divisions|parts|vehicles|cases)\b"
)
"""A number of the refilled words that does not go with its noun any more."""


def held_apart(templates: list[Template]) -> set[str]:
    """Phrasings kept for the test of unseen ones: about one in twelve, chosen by their name, where a tool has four or more."""
    if len(templates) < 4:
        return set()
    ranked = sorted(t.ident for t in templates)
    return {i for i in ranked if int(i, 16) % 12 == 0} or {min(ranked, key=lambda i: i[::-1])}


def calls_key(calls: Sequence[tuple[Tool, dict[str, Any]]]) -> str:
    """What makes two sets of calls the same."""
    return "\n".join(sorted(f"{tool.name} {arguments!r}" for tool, arguments in calls))


def has_values(tool: Tool, arguments: dict[str, Any]) -> bool:
    """True if a call holds anything that a user chose freely; `{"Argument": {}}`, `{"ids": []}` and the one word of a path do not."""
    if tool.endpoint.path_parameter is not None:
        return any(bool(v) for k, v in arguments.items() if k != "ids")
    return any(bool(v) for k, v in arguments.items() if k != "ids" or not tool.endpoint.single)


def sample_arguments(
    tool: Tool, lang: str, rng: random.Random, style: str, turn: int, want: Want = PLAIN
) -> dict[str, Any]:
    """Arguments for a tool. Raises SamplingError."""
    endpoint = tool.endpoint
    scene = Scene(rng, lang)
    for table, name in want.names.items():
        scene.fix(table, name)
    if tool.method in ("GET", "DELETE") and endpoint.path_parameter is None:
        return {"ids": _sample_ids(tool, rng, scene)}
    if tool.method in ("GET", "DELETE"):
        return {"ids": [rng.choice(endpoint.path_values or ("TEST",))]}
    focus = focus_at(endpoint, turn * 7) if turn % 2 else NO_FOCUS
    records = [thin(endpoint, sample_record(endpoint, rng, scene, style, focus), focus, tool.method, rng)]
    if not endpoint.is_table:
        ids = {"ids": [rng.choice(endpoint.path_values or ("TEST",))]} if endpoint.path_parameter is not None else {}
        return {**ids, **records[0]}
    if tool.method == "PUT":
        records = [_partial(endpoint, records[0], focus, rng)]
    if endpoint.single:
        return {"Assign": {"1": records[0]}}
    if want.new:
        return {"Assign": {"NEW1": records[0]}}
    keys = _record_keys(endpoint, rng, scene)
    if len(keys) > 1 and rng.random() < 0.5:
        records += [
            sample_record(endpoint, rng, scene, style) if tool.method == "POST" else records[0] for _ in keys[1:3]
        ]
        keys = keys[: len(records)]
    return {"Assign": {str(k): records[min(i, len(records) - 1)] for i, k in enumerate(keys)}}


def thin(endpoint: Endpoint, record: Any, focus: Focus, method: str, rng: random.Random) -> Any:
    """A created record without most of the optional fields that hold their default: people leave those out."""
    if method != "POST":
        return record
    spared = [
        x.place
        for x in walk(record, endpoint.schema)
        if x.optional and is_default(x) and x.field != focus.path and rng.random() < 0.8
    ]
    thinned = without(record, spared) if spared else record
    return thinned if record_validator(endpoint)(thinned) else record


def _record_keys(endpoint: Endpoint, rng: random.Random, scene: Scene) -> list[int]:
    kind = endpoint.key if endpoint.key != "record_id" else f"record:{endpoint.key_ref}"
    if rng.random() < 0.7:
        return [scene.pick_id(str(kind), rng)]
    return scene.id_run(str(kind), rng, 5)


def _sample_ids(tool: Tool, rng: random.Random, scene: Scene) -> list[int]:
    endpoint = tool.endpoint
    if not endpoint.is_table:
        return []
    if endpoint.single:
        return [1] if tool.method == "DELETE" else []
    if tool.method == "GET" and rng.random() < 0.3:
        return []
    return _record_keys(endpoint, rng, scene)


def _partial(endpoint: Endpoint, record: dict[str, Any], focus: Focus, rng: random.Random) -> dict[str, Any]:
    """Some fields of a record, as a change holds them; conditions decide afterwards."""
    if len(record) < 2:
        return record
    names = list(record)
    wanted = [n for n in names if focus.path.startswith(n)]
    keep = set(wanted or rng.sample(names, rng.randint(1, min(3, len(names)))))
    return {k: v for k, v in record.items() if k in keep}


def numbered(arguments: dict[str, Any], first: int) -> dict[str, Any]:
    """The call with free numbers from `first` on in place of NEW1, NEW2, ..."""
    records = arguments.get("Assign")
    if not isinstance(records, dict):
        return arguments
    return {
        **arguments,
        "Assign": {str(first + int(k[3:]) - 1) if NEW_KEY.fullmatch(k) else k: v for k, v in records.items()},
    }
