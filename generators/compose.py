"""Say a sampled call from the catalogue's names alone: frames, facts in changing form and order, tables and lists.

This is what an endpoint without words of its own stands on, and what reaches the fields that no freely written request uses. Frames stand in
`templates/shared/ko.jinja` and `en.jinja`, by method and by what the record key means."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from jinja2 import TemplateError

from gennx.generators import forms
from gennx.generators.bank import TemplateProblem, renderer
from gennx.generators.grounding import NEW_KEY, follows
from gennx.generators.leaves import Leaf, call_leaves
from gennx.generators.lexicon import TEMPLATES, Lexicon
from gennx.generators.marks import CLOSE, MID, OPEN
from gennx.generators.particles import settle
from gennx.generators.telling import NOUNS, Teller, Unsayable
from gennx.schemas.catalogue import Tool

MOST_NAMESAKES = 2
HEADER = re.compile(r"^\[([A-Z]+) (\w+)\]$")


@dataclass(frozen=True)
class Frame:
    """Words around the facts, compiled when first used."""

    text: str
    place: str

    @cached_property
    def render(self) -> Callable[..., str]:
        """Raises TemplateProblem naming file and line."""
        try:
            return renderer(self.text)
        except TemplateError as error:
            raise TemplateProblem(f"{self.place}: {error}") from None


@lru_cache(maxsize=8)
def frames(lang: str, root: Path = TEMPLATES) -> dict[str, tuple[tuple[Frame, bool], ...]]:
    """Frames by section, e.g. `POST target`, each with True if the facts stand at its end."""
    path = root / "shared" / f"{lang}.jinja"
    out: dict[str, list[tuple[Frame, bool]]] = {}
    section, block = "", list[str]()
    for number, line in enumerate([*path.read_text("utf-8").split("\n"), ""], 1):
        found = HEADER.match(line)
        if found:
            section = f"{found[1]} {found[2]}"
        elif line.strip() and not line.startswith("#"):
            block.append(line)
        elif block:
            frame = Frame("\n".join(block), f"{path}:{number}")
            out.setdefault(section, []).append((frame, block[-1].endswith("{{ facts }}")))
            block = []
    return {k: tuple(v) for k, v in out.items()}


@dataclass(frozen=True, slots=True)
class Composed:
    """A composed request: the text, its values marked, and the frame's section."""

    text: str
    frame: str


def _told(leaves: Sequence[Leaf], lexicon: Lexicon, tool: Tool) -> list[Leaf]:
    """Leaves that need words."""
    return [x for x in leaves if x.kind not in ("key", "empty") and not follows(x, lexicon, tool)]


def _tell_apart(leaves: Sequence[Leaf], lang: str) -> None:
    """Raises Unsayable where many fields have one name: a list of them would tell nobody which is which."""
    fields: dict[str, set[str]] = {}
    for leaf in leaves:
        fields.setdefault(leaf.name(lang), set()).add(leaf.field)
    if any(len(own) > MOST_NAMESAKES for own in fields.values()):
        raise Unsayable("fields of one name")


def compose(
    tool: Tool, arguments: dict[str, Any], lexicon: Lexicon, lang: str, rng: random.Random, picky: bool = True
) -> Composed:
    """Words for a call. Raises Unsayable where a value has no words, or `picky` ones would mix up fields of one name."""
    teller = Teller(tool, lexicon, lang, rng)
    leaves = call_leaves(tool, arguments)
    if picky:
        _tell_apart(_told(leaves, lexicon, tool), lang)
    section = section_of(tool, arguments)
    scope: dict[str, Any] = {"title": _title(tool, lang, rng), "ids": "", "target": "", "facts": ""}
    keys = [x.value for x in leaves if x.kind == "key"]
    if keys and not tool.endpoint.single:
        _name_keys(scope, keys, tool, teller)
    if tool.method in ("POST", "PUT"):
        scope["facts"] = _facts(tool, arguments, leaves, lexicon, teller, keys)
    if not scope["facts"] and f"{section}_bare" in frames(lang):
        section += "_bare"
    bare = not scope["facts"]
    for number, name in enumerate(
        ("ids", "target", "facts")
    ):  # values are marked, so that what surrounds them may change
        if scope[name]:
            scope[name] = f"{OPEN}{number}{MID}{scope[name]}{CLOSE}"
    pool = frames(lang)[section]
    if "\n" in scope["facts"]:  # several lines of facts end a request, they do not stand within a sentence
        pool = tuple(f for f in pool if f[1]) or pool
    text = rng.choice(pool)[0].render(**scope)
    text = re.sub(r"[ ,.:·-]+$", "", text) if bare else text
    text = re.sub(r"(?<!\S)([가-힣]{2,}) \1(?!\S)", r"\1", text)  # 지반면 설정 설정
    return Composed(settle(text) if lang == "ko" else forms.article(text), section)


def section_of(tool: Tool, arguments: dict[str, Any]) -> str:
    """The kind of frame a call wants."""
    endpoint = tool.endpoint
    ids = arguments.get("ids")
    if tool.method in ("GET", "DELETE"):
        if endpoint.path_parameter is not None:
            return f"{tool.method} value"
        if not ids:
            return "GET single" if endpoint.single or not endpoint.is_table else "GET all"
        return f"{tool.method} single" if endpoint.single else f"{tool.method} {_key_frame(tool)}"
    if not endpoint.is_table:
        return f"{tool.method} {'value' if endpoint.path_parameter is not None else 'body'}"
    if any(NEW_KEY.fullmatch(k) for k in arguments.get("Assign", ())):
        return f"{tool.method} next"
    return f"{tool.method} single" if endpoint.single else f"{tool.method} {_key_frame(tool)}"


def _key_frame(tool: Tool) -> str:
    return (
        "target"
        if tool.endpoint.key in NOUNS
        and tool.endpoint.uri not in ("db/NODE", "db/ELEM", "db/MATL", "db/SECT", "db/THIK", "db/STOR", "db/STAG")
        else "serial"
    )


def _title(tool: Tool, lang: str, rng: random.Random) -> str:
    others = tool.endpoint.aka(lang)
    title = rng.choice(others) if others and rng.random() < 0.45 else tool.endpoint.title(lang)
    if tool.method == "GET" and lang == "ko":
        title = title.removesuffix(" 조회").removesuffix(" 확인")  # the frame says that it is read
    return title if lang == "ko" or title[1:2].isupper() else title[0].lower() + title[1:]


def _name_keys(scope: dict[str, Any], keys: Sequence[Any], tool: Tool, teller: Teller) -> None:
    lang, rng = teller.lang, teller.rng
    if not all(isinstance(k, int) for k in keys):
        scope["ids"] = scope["target"] = ", ".join(map(str, keys))
        return
    run = forms.run(list(keys), lang, rng, "번" if lang == "ko" else "")
    noun = NOUNS.get(str(tool.endpoint.key), ("", ""))[lang == "en"]
    scope["ids"] = run
    if lang == "ko":
        scope["target"] = f"{noun} {run}" if rng.random() < 0.5 or not run.endswith("번") else f"{run} {noun}"
    else:
        plural = "s" if len(keys) > 1 and noun else ""
        scope["target"] = f"{noun}{plural} {run}".strip()


def _facts(
    tool: Tool,
    arguments: dict[str, Any],
    leaves: Sequence[Leaf],
    lexicon: Lexicon,
    teller: Teller,
    keys: Sequence[Any],
) -> str:
    records = list(arguments["Assign"].values()) if tool.endpoint.is_table else [arguments]
    per_record: list[list[Leaf]] = [[] for _ in records]
    at = {k: i for i, k in enumerate(arguments.get("Assign", {}))}
    for leaf in _told(leaves, lexicon, tool):
        if leaf.field != "ids":
            per_record[at[str(leaf.place[1])] if tool.endpoint.is_table else 0].append(leaf)
    first = per_record[0]
    same = all([(x.place[2:], x.value) for x in r] == [(x.place[2:], x.value) for x in first] for r in per_record)
    if same and len(records) > 1 and tool.method == "POST" and _key_frame(tool) == "serial":
        raise Unsayable("records of one table that are all alike")
    if same or len(records) == 1:
        return _one(first, teller)
    lines = []
    for key, own in zip(keys, per_record, strict=True):
        head = f"{key}번" if teller.lang == "ko" else f"no. {key}"
        lines.append(f"{head}: {_one(own, teller, inline=True)}")
    return "\n" + "\n".join(lines)


def _one(leaves: Sequence[Leaf], teller: Teller, inline: bool = False) -> str:
    """The facts of one record: its own fields, then the rows of its arrays one after the other."""
    groups: dict[tuple[Any, ...], list[Leaf]] = {}
    for leaf in leaves:
        row = tuple(leaf.place[: 1 + max((i for i, p in enumerate(leaf.place) if isinstance(p, int)), default=-1)])
        groups.setdefault(row, []).append(leaf)
    ordered = [x for g in groups.values() for x in g]
    lasts = [x.field.rsplit(".", 1)[-1] for x in ordered]
    fields = {x.field for x in ordered}
    clash = {f for f in fields if sum(g.rsplit(".", 1)[-1] == f.rsplit(".", 1)[-1] for g in fields) > 1}
    del lasts
    many = len(groups) > 2 or (len(groups) == 2 and () not in groups and len({len(k) for k in groups}) == 1)
    texts = []
    for row, group in groups.items():
        facts = [teller.fact(x, x.field in clash) for x in group]
        if not many and len(facts) > 2 and teller.rng.random() < 0.3:
            teller.rng.shuffle(facts)
        joined = ", ".join(facts)
        if many and row:
            number = int(row[-1]) + 1
            mark = teller.rng.choice((f"{number}) ", f"({number}) ")) if not inline else ""
            texts.append(f"{mark}{joined}")
        else:
            texts.append(joined)
    if inline:
        return " / ".join(texts)
    if many:
        return "\n".join(["", *texts]) if not texts[0].startswith("\n") else "\n".join(texts)
    line = ", ".join(texts)
    if len(line) > 90 and teller.rng.random() < 0.4:
        return "\n- " + "\n- ".join(f for f in line.split(", ") if f)
    return line
