"""Scenario plans: a goal, the steps that reach it, the facts that its steps share, and the words people have for it.

A plan is one YAML file in `templates/scenarios/`. `params` are drawn, `steps` are calls whose values are written with them ("=span / 2"), `requests` say the whole at once (a chain),
`turns` say it in several user turns over one model. Every parameter that a call uses must be said; a constant must be said, follow by the endpoint's own rules, or stand
under `given` with its reason.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import yaml
from jinja2 import TemplateError, meta

from gennx.generators import forms, names
from gennx.generators.bank import ENVIRONMENT, TemplateProblem, renderer
from gennx.generators.evidence import Haystack, number_evidence, run_evidence, text_evidence
from gennx.generators.grounding import Ungrounded, check
from gennx.generators.lexicon import LANGUAGES, TEMPLATES, Lexicon
from gennx.generators.marks import CLOSE, mark
from gennx.generators.particles import settle
from gennx.generators.telling import Teller
from gennx.generators.values import clean, tidy
from gennx.schemas import CatalogueError, load_catalogue
from gennx.schemas.catalogue import Catalogue, Tool

AREAS = (
    "buildings",
    "frames",
    "trusses",
    "slabs",
    "walls",
    "foundations",
    "dynamics",
    "stages",
    "bridges",
    "results",
    "documents",
    "design",
)
FOLDER = TEMPLATES / "scenarios"
FEW_WAYS = 20
PARALLEL = TEMPLATES / "parallel"
"""Plans whose steps do not depend on each other: asked for at once, called at once."""
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The C parser takes a tenth of the time, where PyYAML was built with it."""
CALLED = re.compile(r"\bcall: +['\"]?(?:POST|GET|PUT|DELETE) +([\w/-]+(?:\{\w+\})?)")
PARAMS = re.compile(r"^params:.*(?:\n(?:[ #].*)?)*", re.M)
PLAN_KEYS = {"kind", "about", "area", "start", "params", "let", "steps", "given", "requests", "turns"}


Made = list[tuple[Tool, dict[str, Any]]]


class Unfit(Exception):
    """Parameters that do not go together; others are drawn."""


@dataclass(frozen=True)
class Step:
    """One call of a plan: its tool and the arguments with expressions in them."""

    ident: str
    tool: Tool
    arguments: Any

    @cached_property
    def needs(self) -> frozenset[str]:
        """Parameters that the arguments use."""
        return frozenset(_names_in(self.arguments))


@dataclass(frozen=True)
class Turn:
    """What a user says at once, in several wordings, and the steps that answer it."""

    steps: tuple[str, ...]
    words: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Plan:
    """A plan family."""

    name: str
    about: str
    area: str
    start: dict[str, dict[str, Any]]
    new: bool
    params: dict[str, dict[str, Any]]
    let: dict[str, str]
    steps: tuple[Step, ...]
    given: dict[str, str]
    requests: dict[str, tuple[str, ...]]
    turns: tuple[Turn, ...]
    place: str = field(compare=False, default="")

    @cached_property
    def endpoints(self) -> frozenset[str]:
        return frozenset(s.tool.endpoint.uri for s in self.steps)

    def step(self, ident: str) -> Step:
        return next(s for s in self.steps if s.ident == ident)


# ---------------------------------------------------------------- expressions


@lru_cache(maxsize=8192)
def _compiled(text: str) -> Any:
    return ENVIRONMENT.compile_expression(text, undefined_to_none=False)


def evaluate(node: Any, scope: Mapping[str, Any]) -> Any:
    """Arguments with every "=expression" worked out; {"each": {"i": "=range(3)"}, "key": ..., "value": ...} repeats within a mapping or list."""
    if isinstance(node, str):
        if not node.startswith("="):
            return node
        text = node[1:]
        return _tidied(scope[text] if text in scope else _compiled(text)(**scope))  # most are names alone
    if isinstance(node, list):
        out: list[Any] = []
        for item in node:
            if isinstance(item, dict) and "each" in item:
                out += [evaluate(item["value"], inner) for inner in _each(item["each"], scope)]
            else:
                out.append(evaluate(item, scope))
        return out
    if isinstance(node, dict):
        if "each" in node:
            return {
                str(evaluate(node["key"], inner)): evaluate(node["value"], inner)
                for inner in _each(node["each"], scope)
            }
        return {str(evaluate(k, scope)): evaluate(v, scope) for k, v in node.items()}
    return node


def _each(loops: dict[str, Any], scope: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    (name, values), *rest = loops.items()
    for value in evaluate(values, scope):
        inner = {**scope, name: value}
        if rest:
            yield from _each(dict(rest), inner)
        else:
            yield inner


def _tidied(value: Any) -> Any:
    if isinstance(value, float):
        return clean(value)
    if isinstance(value, range):
        return list(value)
    if isinstance(value, (list, tuple)):
        return [_tidied(v) for v in value]
    return value


@lru_cache(maxsize=8192)
def _names_of(expression: str) -> frozenset[str]:
    return frozenset(meta.find_undeclared_variables(ENVIRONMENT.parse("{{ " + expression + " }}")))


def _names_in(node: Any) -> set[str]:
    if isinstance(node, str):
        return set(_names_of(node[1:])) if node.startswith("=") else set()
    if isinstance(node, list):
        return {n for v in node for n in _names_in(v)}
    if isinstance(node, dict):
        inner = {n for k, v in node.items() for n in _names_in(k) | (set() if k == "each" else _names_in(v))}
        loops = node.get("each")
        if isinstance(loops, dict):
            inner = (inner - set(loops)) | {n for v in loops.values() for n in _names_in(v)} - set(loops)
        return inner
    return set()


# ---------------------------------------------------------------- reading plans


def read_plan(path: Path, catalogue: Catalogue) -> Plan:
    """A plan from its file. Raises TemplateProblem naming file and what is wrong."""
    try:
        data = yaml.load(path.read_text("utf-8"), LOADER)
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateProblem(f"{path}: cannot be read ({error})") from None
    except yaml.YAMLError as error:
        at = getattr(error, "problem_mark", None)
        raise TemplateProblem(
            f"{path}:{at.line + 1 if at else 1}: not YAML ({getattr(error, 'problem', error)})"
        ) from None
    if not isinstance(data, dict) or set(data) - PLAN_KEYS:
        raise TemplateProblem(
            f"{path}: unknown keys {sorted(set(data) - PLAN_KEYS)}; a plan has {', '.join(sorted(PLAN_KEYS))}"
        )
    try:
        return _plan(path, data, catalogue)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TemplateProblem(f"{path}: {type(error).__name__}: {error}") from None
    except (CatalogueError, TemplateError) as error:
        raise TemplateProblem(f"{path}: {error}") from None


def _plan(path: Path, data: dict[str, Any], catalogue: Catalogue) -> Plan:
    steps = []
    for number, raw in enumerate(data["steps"], 1):
        method, uri = raw["call"].split(maxsplit=1)
        arguments = raw["args"]
        steps.append(Step(str(raw.get("id", number)), catalogue.tool(uri, method), arguments))
    if data["area"] not in AREAS:
        raise TemplateProblem(f"{path}: area {data['area']!r}; take one of {', '.join(AREAS)}")
    start = data.get("start", "new")
    turns = tuple(
        Turn(tuple(map(str, t["steps"])), {lang: tuple(t.get(lang, ())) for lang in LANGUAGES})
        for t in data.get("turns", ())
    )
    requests = {lang: tuple((data.get("requests") or {}).get(lang, ())) for lang in LANGUAGES}
    return Plan(
        path.stem, data["about"], data["area"], {} if start == "new" else start, start == "new", data.get("params") or {},
        {k: str(v) for k, v in (data.get("let") or {}).items()}, tuple(steps), data.get("given") or {}, requests, turns, str(path),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class PlanFile:
    """A plan that is read when its words are wanted; what it is about shows in its text, in a hundredth of the time."""

    path: Path
    text: str

    @cached_property
    def endpoints(self) -> frozenset[str]:
        return frozenset(CALLED.findall(self.text))

    @cached_property
    def turns(self) -> bool:
        return "\nturns:" in self.text

    @cached_property
    def tellers(self) -> frozenset[str]:
        """Endpoints whose dialogues tell this plan: all of its own, or one alone where its parameters vary too little to say something else for each."""
        found = PARAMS.search(self.text)
        params = (yaml.load(found[0], LOADER) or {}).get("params") or {} if found else {}
        ways = 1
        for spec in params.values():
            if not spec.get("silent"):
                values = spec.get("values")
                ways *= len(values) if isinstance(values, list) else FEW_WAYS
        return self.endpoints if ways >= FEW_WAYS else frozenset({min(self.endpoints)})

    @cached_property
    def plan(self) -> Plan:
        """The plan. Raises TemplateProblem."""
        return read_plan(self.path, load_catalogue())


@lru_cache(maxsize=4)
def plan_files(root: Path = FOLDER) -> tuple[PlanFile, ...]:
    """All plan families, in the order of their names."""
    return tuple(PlanFile(p, p.read_text("utf-8")) for p in sorted(root.glob("*.yaml")))


def plans(root: Path = FOLDER) -> tuple[Plan, ...]:
    """All plan families, read."""
    return tuple(file.plan for file in plan_files(root))


def has_turns(uri: str) -> bool:
    """Whether an endpoint's dialogues tell a plan in several turns."""
    return any(uri in file.tellers and file.turns for file in plan_files(FOLDER) if uri in file.endpoints)


def plans_using(uri: str, root: Path = FOLDER) -> list[Plan]:
    """Plans that an endpoint's dialogues tell."""
    return [file.plan for file in plan_files(root) if uri in file.endpoints and uri in file.tellers]


# ---------------------------------------------------------------- drawing parameters


def draw(plan: Plan, lang: str, rng: random.Random) -> dict[str, Any]:
    """Values of a plan's parameters and of what is worked out from them. Raises Unfit."""
    scope: dict[str, Any] = {}
    for name, spec in plan.params.items():
        scope[name] = _value(spec, lang, rng, scope)
    for name, text in plan.let.items():
        scope[name] = _tidied(_compiled(text.removeprefix("="))(**scope))
    return scope


def _value(spec: dict[str, Any], lang: str, rng: random.Random, scope: Mapping[str, Any]) -> Any:
    if "values" in spec:
        return rng.choice(evaluate(spec["values"], scope))
    if "choice" in spec:  # a list among the facts: materials / CONC / KS19(RC)
        node: Any = names.facts(spec["choice"][0])
        for part in spec["choice"][1:]:
            node = node[evaluate(part, scope)]
        return rng.choice(node)
    if "name" in spec:
        taken = {v for v in scope.values() if isinstance(v, str)}
        for _ in range(20):
            new = names.fresh(spec["name"], lang, rng, str(spec.get("like", "")))
            if new not in taken:
                return new
        raise Unfit(spec["name"])
    low, high = evaluate(spec["range"], scope)
    step = spec.get("step")
    if step:
        return clean(low + step * rng.randint(0, round((high - low) / step)))
    return tidy(rng, low, high)


def calls(plan: Plan, scope: Mapping[str, Any], idents: tuple[str, ...] = ()) -> list[tuple[Tool, dict[str, Any]]]:
    """The plan's calls (or those steps) with values."""
    chosen = [plan.step(i) for i in idents] if idents else list(plan.steps)
    return [(s.tool, evaluate(s.arguments, scope)) for s in chosen]


# ---------------------------------------------------------------- words

_SLOT = re.compile(r"\{\{.*?\}\}|\{%.*?%\}")
_CLAUSE = re.compile(r"[^,.;?!\n]+")


def as_told(plan: Plan, wording: str) -> tuple[str, ...]:
    """The steps in the order in which a wording tells them: where the parameters stand that are theirs alone, else where something like the
    endpoint's name does; what has neither comes last, in the plan's own order."""
    first: dict[str, int] = {}
    shared: dict[str, int] = {}
    for slot in _SLOT.finditer(wording):
        named = set(re.findall(r"\w+", slot[0])) & (set(plan.params) | set(plan.let))
        owners = [s.ident for s in plan.steps if s.needs & named]
        owners = owners or [s.ident for s in plan.steps if _roots(plan, set(s.needs)) & _roots(plan, named)]
        for ident in owners:
            (first if len(owners) == 1 else shared).setdefault(ident, slot.start())
    claimed = set(first.values())
    for step in plan.steps:
        if step.ident not in first:
            place = _named_at(step.tool, wording, claimed)
            first[step.ident] = shared.get(step.ident, len(wording)) if place is None else place
    return tuple(sorted((s.ident for s in plan.steps), key=first.__getitem__))


def _named_at(tool: Tool, wording: str, claimed: set[int]) -> int | None:
    """Where the clause begins that has most in common with the names of the tool's endpoint, of those in which no other step's parameter stands
    if there is one."""
    endpoint = tool.endpoint
    known = {w for lang in LANGUAGES for name in (endpoint.title(lang), *endpoint.aka(lang)) for w in _pieces(name)}
    found = []
    for clause in _CLAUSE.finditer(_SLOT.sub(lambda slot: " " * len(slot[0]), wording)):
        alike = len(known & _pieces(clause[0]))
        if alike:
            free = not any(clause.start() <= place < clause.end() for place in claimed)
            found.append((free, alike, -clause.start()))
    return -max(found)[2] if found else None


def _pieces(text: str) -> set[str]:
    """Pairs of neighbouring Korean syllables, English words."""
    words_ = re.findall(r"[가-힣]+|[a-z]+", text.lower())
    return {w[i : i + 2] for w in words_ if w[0] >= "가" for i in range(len(w) - 1)} | {
        w for w in words_ if w[0] < "가"
    }


_TWICE = re.compile(f"번({CLOSE})번")
"""A list that says 번 itself, before the author's own."""


def say(plan: Plan, text: str, scope: Mapping[str, Any], lang: str, rng: random.Random, teller: Teller) -> str:
    """A wording with its parameters said, each marked."""
    said = {
        name: mark(i, _said(plan.params.get(name, {}), value, teller)) for i, (name, value) in enumerate(scope.items())
    }
    out = _TWICE.sub("번\\1", renderer(text)(**said))
    return settle(out) if lang == "ko" else forms.article(out)


def _said(spec: dict[str, Any], value: Any, teller: Teller) -> str:
    if isinstance(value, bool):
        return "O" if value else "X"
    if isinstance(value, (int, float)):
        return teller.number(value, {"dim": spec.get("dim", "none"), "kind": spec.get("kind", "")})
    if isinstance(value, list):
        if all(isinstance(v, int) for v in value):
            return forms.run(
                value,
                teller.lang,
                teller.rng,
                "번" if teller.lang == "ko" and spec.get("dim", "none") == "none" else "",
            )
        return ", ".join(teller.number(v, spec) if isinstance(v, (int, float)) else str(v) for v in value)
    words = spec.get("words", {}).get(value)  # how a value is said, by language
    if words:
        pool = words.get(teller.lang) or [str(value)]
        return str(teller.rng.choice(pool))
    return str(value)


def teller_for(tool: Tool, lexicon: Lexicon, lang: str, rng: random.Random) -> Teller:
    return Teller(tool, lexicon, lang, rng)


def slots(text: str) -> set[str]:
    """Parameters that a wording says."""
    return set(meta.find_undeclared_variables(ENVIRONMENT.parse(text)))


def gaps(hay: Haystack, made: Made, lexicons: Mapping[str, Lexicon]) -> list[list[Ungrounded]]:
    """What a text does not say of each call."""
    return [check(hay.text, tool, arguments, lexicons[tool.endpoint.uri], hay) for tool, arguments in made]


def derived(made: Made, found: list[list[Ungrounded]]) -> set[str]:
    """Fields (`db/NODE.X`) whose values the plan works out from what was said, or gives a reason for; record numbers are `db/NODE.key`."""
    return {field_of(tool, gap) for (tool, _), own in zip(made, found, strict=True) for gap in own}


def field_of(tool: Tool, gap: Ungrounded) -> str:
    """Endpoint and field of a place, array levels left out."""
    parts = gap.place.split("/")
    if parts[0] == "ids" or (parts[0] == "Assign" and len(parts) == 2):
        return f"{tool.endpoint.uri}.key"
    names_ = parts[2:] if parts[0] == "Assign" else parts
    return f"{tool.endpoint.uri}." + ".".join(p for p in names_ if not p.isdigit())


def unsaid(
    plan: Plan,
    hay: Haystack,
    scope: Mapping[str, Any],
    made: Made,
    idents: tuple[str, ...],
    found: list[list[Ungrounded]],
) -> list[str]:
    """What the words leave out: parameters that a call uses and the text does not show, constants that nothing explains."""
    out = []
    used = {n for s in plan.steps if not idents or s.ident in idents for n in s.needs}
    for name in sorted(_roots(plan, used)):
        if not _shown(plan.params[name], scope[name], hay):
            out.append(f"parameter {name} = {scope[name]!r}")
    chosen = [plan.step(i) for i in idents] if idents else list(plan.steps)
    for step, (tool, arguments), own in zip(chosen, made, found, strict=True):
        fixed = _fixed_places(step.arguments, arguments)
        for gap in own:
            if gap.place in fixed and not _given(plan, gap, tool):
                out.append(f"{tool.name} {gap}")
    return out


def _roots(plan: Plan, used: set[str]) -> set[str]:
    """Parameters behind the names in use, through `let` and through other parameters' ranges."""
    out: set[str] = set()
    todo = list(used)
    while todo:
        name = todo.pop()
        if name in plan.let:
            todo += _names_of(plan.let[name].removeprefix("="))
        elif name in plan.params:
            out.add(name)
    return {n for n in out if not plan.params[n].get("silent")}


def _shown(spec: dict[str, Any], value: Any, hay: Haystack) -> bool:
    if isinstance(value, bool):
        return True
    if isinstance(value, (int, float)):
        return (
            next(number_evidence(value, {"dim": spec.get("dim", "none"), "kind": spec.get("kind", "")}, hay), None)
            is not None
        )
    if isinstance(value, list):
        return all(_shown(spec, v, hay) for v in value) or next(run_evidence(value, hay), None) is not None
    words = spec.get("words", {}).get(value, {})
    return any(
        True
        for phrase in [str(value), *(w for pool in words.values() for w in pool)]
        for _ in (text_evidence(phrase, hay) if phrase == value else hay.find(phrase))
    )


def _fixed_places(template: Any, arguments: Any) -> set[str]:
    """Places of values that are written out in the plan, not worked out."""
    out: set[str] = set()

    def look(node: Any, value: Any, place: tuple[str, ...]) -> None:
        if isinstance(node, dict) and isinstance(value, dict):
            if "each" in node:
                for key, inner in value.items():
                    look(node["value"], inner, (*place, key))
                return
            for key, inner in node.items():
                if not str(key).startswith("=") and key in value:
                    look(inner, value[key], (*place, str(key)))
        elif (
            isinstance(node, list)
            and isinstance(value, list)
            and not any(isinstance(n, dict) and "each" in n for n in node)
        ):
            if not any(isinstance(n, str) and n.startswith("=") for n in node):
                out.add("/".join(place))
            for index, inner in enumerate(node):
                if index < len(value):
                    look(inner, value[index], (*place, str(index)))
        elif not (isinstance(node, str) and node.startswith("=")) and not isinstance(node, (dict, list)):
            out.add("/".join(place))

    look(template, arguments, ())
    return out


def _given(plan: Plan, gap: Ungrounded, tool: Tool) -> bool:
    """True if the plan says why this constant needs no words; record numbers of a new model need none."""
    parts = gap.place.split("/")
    if (parts[0] == "Assign" and len(parts) == 2) or parts[0] == "ids":
        return True
    last = next((p for p in reversed(parts) if not p.isdigit()), "")
    return last in plan.given or f"{tool.endpoint.uri}.{last}" in plan.given
