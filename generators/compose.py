"""Say a sampled call from the catalogue's names alone: frames, facts in changing form and order, tables and lists.

This is what an endpoint without words of its own stands on, and what reaches the fields that no freely written request uses. Frames stand in
`templates/shared/ko.jinja` and `en.jinja`, by method and by what the record key means.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Template as Frame

from gennx.generators import dofs, forms
from gennx.generators.bank import ENVIRONMENT, TemplateProblem
from gennx.generators.grounding import CASE_SUFFIX, ID_RANGE, NEW_KEY, follows
from gennx.generators.leaves import Leaf, call_leaves
from gennx.generators.lexicon import TEMPLATES, Lexicon
from gennx.generators.marks import CLOSE, MID, OPEN
from gennx.generators.particles import settle
from gennx.generators.units import factor_to
from gennx.schemas.catalogue import Tool

HEADER = re.compile(r"^\[([A-Z]+) (\w+)\]$")
NOUNS = {
    "node_id": ("절점", "node"), "element_id": ("요소", "element"), "material_id": ("재료", "material"), "section_id": ("단면", "section"),
    "thickness_id": ("두께", "thickness"), "wall_id": ("벽체", "wall"), "member_id": ("부재", "member"), "stage_id": ("시공단계", "stage"),
    "story_id": ("층", "story"),
}  # fmt: skip
# dimension -> (written unit, factor to model units, weight), for values that no author wrote
WRITTEN: dict[str, tuple[tuple[str, str, int], ...]] = {
    "length": (("m", "1", 5), ("mm", "0.001", 5), ("cm", "0.01", 1)),
    "length2": (("m2", "1", 3), ("mm2", "0.000001", 2), ("cm2", "0.0001", 2)),
    "length3": (("m3", "1", 3), ("cm3", "0.000001", 2)),
    "length4": (("m4", "1", 3), ("mm4", "0.000000000001", 1), ("cm4", "0.00000001", 2)),
    "length6": (("m6", "1", 1),),
    "force": (("kN", "1", 9), ("tonf", "9.80665", 1)),
    "moment": (("kN·m", "1", 4), ("kN.m", "1", 2), ("kNm", "1", 3)),
    "force/length": (("kN/m", "1", 9), ("N/mm", "1", 1)),
    "force/length2": (("kN/m2", "1", 6), ("kPa", "1", 2), ("kN/㎡", "1", 2)),
    "force/length3": (("kN/m3", "1", 5), ("kN/㎥", "1", 1)),
    "force*length2": (("kN·m2", "1", 1),),
    "temperature": (("℃", "1", 2), ("도", "1", 2)),
    "time": (("s", "1", 1), ("초", "1", 1)),
    "1/time": (("Hz", "1", 1),),
    "length/time": (("m/s", "1", 1),),
    "length/time2": (("m/s2", "1", 1),),
    "angle": (("도", "1", 2), ("°", "1", 1)),
    "percent": (("%", "1", 1),),
    "day": (("일", "1", 1),),
    "hour": (("시간", "1", 1),),
    "mass": (("ton", "1", 1),),
    "1/temperature": (("/℃", "1", 1),),
}
STRESS = (("MPa", "1000", 5), ("N/mm2", "1000", 3), ("kN/m2", "1", 1))
ENGLISH = {"도": "deg", "초": "s", "일": "days", "시간": "hours", "kN/㎡": "kN/m2", "kN/㎥": "kN/m3"}


class Unsayable(Exception):
    """A call that these means cannot say; the message names the field."""


@lru_cache(maxsize=8)
def frames(lang: str, root: Path = TEMPLATES) -> dict[str, tuple[tuple[Frame, bool], ...]]:
    """Frames by section, e.g. `POST target`, each with True if the facts stand at its end. Raises TemplateProblem naming file and line."""
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
            try:
                out.setdefault(section, []).append(
                    (ENVIRONMENT.from_string("\n".join(block)), block[-1].endswith("{{ facts }}"))
                )
            except Exception as error:  # noqa: BLE001 - jinja raises many kinds
                raise TemplateProblem(f"{path}:{number}: {error}") from None
            block = []
    return {k: tuple(v) for k, v in out.items()}


@dataclass(frozen=True, slots=True)
class Composed:
    """A composed request: the text, its values marked, and the frame's section."""

    text: str
    frame: str


class _Teller:
    """Says leaves in one language, sticking to one unit a dimension and one form a request."""

    def __init__(self, tool: Tool, lexicon: Lexicon, lang: str, rng: random.Random) -> None:
        self.tool, self.lexicon, self.lang, self.rng = tool, lexicon, lang, rng
        self.units: dict[str, dict[str, Any]] = {}
        self.bind = rng.choice((" ", " ", ": ", "=", " ") if lang == "ko" else (" ", " ", ": ", " = ", " "))

    # ---- values

    def number(self, value: float, note: dict[str, Any]) -> str:
        dimension = str(note.get("dim", "none"))
        if dimension == "none":
            return forms.bare(forms.decimal(value), {}, self.rng)
        key = f"{dimension}/{note.get('kind')}"
        if key not in self.units or not self._neat(value, self.units[key]):
            self.units[key] = self._unit(value, dimension, str(note.get("kind")))
        return forms.quantity(value, self.units[key], self.rng)

    def _neat(self, value: float, spec: dict[str, Any]) -> bool:
        said = forms.decimal(value) / forms.Decimal(spec["factor"])
        return len(forms.plain(said).replace(".", "").lstrip("-0")) <= 6

    def _unit(self, value: float, dimension: str, kind: str) -> dict[str, Any]:
        table = (
            STRESS
            if dimension == "force/length2" and kind in ("stress", "modulus", "strength")
            else WRITTEN.get(dimension, ())
        )
        options = []
        for unit, factor, weight in table:
            written = ENGLISH.get(unit, unit) if self.lang == "en" else unit
            spec = {"unit": written, "factor": factor, "gap": written.isascii() and self.rng.random() < 0.5}
            said = abs(forms.decimal(value) / forms.Decimal(factor))
            if (
                factor_to(written, dimension) is not None
                and self._neat(value, spec)
                and (said == 0 or forms.Decimal("0.001") <= said < 10**7)
            ):
                options += [spec] * weight
        return self.rng.choice(options) if options else {"factor": "1"}

    def phrase(self, leaf: Leaf) -> str | None:
        """Words for a code or a role, the endpoint's own first."""
        options = [p.text for p in self.lexicon.phrases(leaf) if p.lang == self.lang]
        own = [
            p.text
            for p in self.lexicon.names.get(leaf.field, ())
            if p.value == _key(leaf.value) and p.lang == self.lang
        ]
        if own and self.rng.random() < 0.5:
            return own[0]
        return self.rng.choice(options) if options else None

    def value(self, leaf: Leaf) -> str:
        match leaf.kind:
            case "enum":
                text = self.phrase(leaf)
                if text is None:
                    raise Unsayable(leaf.field)
                return text
            case "list":
                return self.list(leaf)
            case "string":
                return self.string(leaf)
            case "number" | "key":
                return self.number(leaf.value, leaf.note)
            case _:
                raise Unsayable(leaf.field)

    def string(self, leaf: Leaf) -> str:
        text, kind = str(leaf.value), leaf.note.get("kind")
        if kind == "dof_flags":
            return self.flags(leaf)
        if (found := ID_RANGE.fullmatch(text)) and kind == "id_range":
            return forms.run(
                list(range(int(found[1]), int(found[2]) + 1)), self.lang, self.rng, "번" if self.lang == "ko" else ""
            )
        if kind == "result_case":
            return CASE_SUFFIX.sub("", text)
        if not text:
            return "없음" if self.lang == "ko" else "none"
        return text

    def flags(self, leaf: Leaf) -> str:
        """Degrees of freedom in words; a fitting role word (핀, fixed) now and then."""
        said = self.phrase(leaf)
        if said is not None and self.rng.random() < 0.6:
            return said
        held = [dofs.NAMES[self.lang][i] for i, c in enumerate(str(leaf.value)[:6]) if c == "1"]
        if not held or len(str(leaf.value)) > 6 and str(leaf.value)[6] == "1" or len(str(leaf.value)) < 6:
            if said is None:
                raise Unsayable(leaf.field)
            return said
        if self.lang == "en":
            return " ".join(("D" if len(h) == 1 else "R") + h[-1].lower() for h in held)
        return (
            ", ".join(held)
            if self.rng.random() < 0.5
            else " ".join(("D" if "이동" in h else "R") + h[0].lower() for h in held)
        )

    def list(self, leaf: Leaf) -> str:
        said = self.phrase(leaf)
        if said is not None:
            return said
        values, note = leaf.value, leaf.note
        if not values:
            return "없음" if self.lang == "ko" else "none"
        if all(isinstance(v, int) and not isinstance(v, bool) for v in values) and str(note.get("kind", "")).endswith(
            "_id"
        ):
            tag = "번" if self.lang == "ko" and self.rng.random() < 0.5 else ""
            ordered = "NODE" in leaf.field
            return forms.run(values, self.lang, self.rng, tag, "list" if ordered else "")
        if any(isinstance(v, (bool, list)) for v in values):
            raise Unsayable(leaf.field)
        if note.get("enum"):
            names = [self.phrase(Leaf(leaf.place, leaf.field, v, note, None, "enum")) for v in values]
            if None in names:
                raise Unsayable(leaf.field)
            return ", ".join(str(n) for n in names)
        if all(isinstance(v, str) for v in values):
            return ", ".join(
                CASE_SUFFIX.sub("", v)
                if note.get("kind") == "result_case"
                else v or ("없음" if self.lang == "ko" else "none")
                for v in values
            )
        texts = [self.number(v, note) for v in values]
        spec = next((s for s in self.units.values() if s.get("unit") and texts[-1].endswith(str(s["unit"]))), None)
        if spec is not None and len(texts) > 1 and all(t.endswith(str(spec["unit"])) for t in texts):
            texts = [t.removesuffix(str(spec["unit"])).rstrip() for t in texts[:-1]] + [texts[-1]]
        if len(values) == 3 and note.get("kind") == "vector":
            return "(" + ", ".join(texts) + ")"
        return ", ".join(texts)

    # ---- facts

    def name(self, leaf: Leaf, parents: bool) -> str:
        known = [a for a in self.lexicon.called(leaf) if any("가" <= c <= "힣" for c in a) == (self.lang == "ko")] or [
            leaf.name(self.lang)
        ]
        name = known[0] if self.rng.random() < 0.6 else self.rng.choice(known)
        if parents and leaf.holder is not None and "." in leaf.field:
            above = self.lexicon.aliases.get(leaf.field.rsplit(".", 1)[0], [])
            fitting = [a for a in above if any("가" <= c <= "힣" for c in a) == (self.lang == "ko")]
            if fitting:
                return f"{fitting[0]} {name}"
        return name

    def fact(self, leaf: Leaf, parents: bool) -> str:
        """One field with its value, as people note it down."""
        if leaf.kind == "boolean":
            return self.switch(leaf, parents)
        value = self.value(leaf)
        if leaf.kind == "enum" and self.rng.random() < 0.35 and not parents:
            return value
        name = self.name(leaf, parents)
        if self.lang == "en" and leaf.kind == "number" and self.bind == " " and self.rng.random() < 0.25:
            return f"{name} of {value}"
        return f"{name}{self.bind}{value}"

    def switch(self, leaf: Leaf, parents: bool) -> str:
        said = [p.text for p in self.lexicon.phrases(leaf) if p.lang == self.lang]
        if said and self.rng.random() < 0.5:
            return self.rng.choice(said)
        name = self.name(leaf, parents)
        if self.lang == "ko":
            form = self.rng.choice(
                ("{} 켬", "{} 체크", "{} 사용", "{} 적용", "{} on")
                if leaf.value
                else ("{} 끔", "{} 체크 해제", "{} 미사용", "{} 안 함", "{} off")
            )
        else:
            form = self.rng.choice(
                ("{} on", "with {}", "{} enabled") if leaf.value else ("{} off", "no {}", "{} disabled", "without {}")
            )
        return form.format(name)


def _key(value: Any) -> str:
    from gennx.generators.lexicon import value_key

    return value_key(value)


# ---------------------------------------------------------------- whole requests


def _told(leaves: Sequence[Leaf], lexicon: Lexicon, tool: Tool) -> list[Leaf]:
    """Leaves that need words."""
    return [x for x in leaves if x.kind not in ("key", "empty") and not follows(x, lexicon, tool)]


def compose(tool: Tool, arguments: dict[str, Any], lexicon: Lexicon, lang: str, rng: random.Random) -> Composed:
    """Words for a call. Raises Unsayable where a value has no words."""
    teller = _Teller(tool, lexicon, lang, rng)
    leaves = call_leaves(tool, arguments)
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
        title = title.removesuffix(" 조회")  # the frame says that it is read
    return title if lang == "ko" or title[1:2].isupper() else title[0].lower() + title[1:]


def _name_keys(scope: dict[str, Any], keys: Sequence[Any], tool: Tool, teller: _Teller) -> None:
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
    teller: _Teller,
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
    if same or len(records) == 1:
        return _one(first, teller)
    lines = []
    for key, own in zip(keys, per_record, strict=True):
        head = f"{key}번" if teller.lang == "ko" else f"no. {key}"
        lines.append(f"{head}: {_one(own, teller, inline=True)}")
    return "\n" + "\n".join(lines)


def _one(leaves: Sequence[Leaf], teller: _Teller, inline: bool = False) -> str:
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
    facts = ", ".join(texts)
    if len(facts) > 90 and teller.rng.random() < 0.4:
        return "\n- " + "\n- ".join(f for f in facts.split(", ") if f)
    return facts
