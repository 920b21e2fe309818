"""Say single values and facts from the catalogue's names: numbers with units, codes, names, lists, switches."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

from gennx.generators import dofs, forms
from gennx.generators.evidence import CASE_SUFFIX, ID_RANGE
from gennx.generators.leaves import Leaf
from gennx.generators.lexicon import Lexicon
from gennx.generators.units import factor_to
from gennx.schemas.catalogue import Tool

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


class Teller:
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
        said = forms.decimal(value) / Decimal(spec["factor"])
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
            said = abs(forms.decimal(value) / Decimal(factor))
            if (
                factor_to(written, dimension) is not None
                and self._neat(value, spec)
                and (said == 0 or Decimal("0.001") <= said < 10**7)
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
        if not held or (len(str(leaf.value)) > 6 and str(leaf.value)[6] == "1") or len(str(leaf.value)) < 6:
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
            if fitting and not _shares_a_word(fitting[0], name):  # no "main bars main bar size"
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


def _shares_a_word(above: str, name: str) -> bool:
    words = {w.rstrip("s") for w in above.lower().split()}
    return any(w.rstrip("s") in words for w in name.lower().split() if len(w) > 2 or not w.isascii())


def _key(value: Any) -> str:
    from gennx.generators.lexicon import value_key

    return value_key(value)
