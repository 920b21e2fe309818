"""The objects that phrasings print: each says one leaf (or the same leaf of many records) and marks the words.

A printed word is wrapped in private-use marks that carry the number of its leaf group, so that the finished text tells
which of its words say which leaf. Marks are removed before anything is written.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from typing import Any

from gennx.generators.forms import number_list, unit_choice, with_unit, write_number
from gennx.generators.leaves import Leaf
from gennx.schemas.catalogue import ANNOTATION

OPEN, MID, CLOSE = "\ue000", "\ue001", "\ue002"
MARKED = re.compile(f"{OPEN}(\\d+){MID}([^{CLOSE}]*){CLOSE}")
ID_KINDS = frozenset(
    {"node_id", "element_id", "material_id", "section_id", "thickness_id", "wall_id", "member_id", "record_id", "serial"}
)


class Unsayable(Exception):
    """A value that the asked form cannot say; another phrasing is taken."""


class Voice:
    """How one dialogue speaks: language, its random stream, and the units it sticks to."""

    def __init__(self, lang: str, rng: random.Random, roles: dict[str, Any]) -> None:
        self.lang = lang
        self.rng = rng
        self.roles = roles
        self.groups: list[list[Leaf]] = []
        self._units: dict[tuple[str, str], Any] = {}

    def mark(self, leaves: Sequence[Leaf], text: str) -> str:
        """The text, marked as saying these leaves."""
        self.groups.append(list(leaves))
        return f"{OPEN}{len(self.groups) - 1}{MID}{text}{CLOSE}"

    def number(self, value: float, note: dict[str, Any], unit: str | None = None) -> str:
        """A number with a unit that fits its dimension, the same for the whole dialogue."""
        dimension = str(note.get("dim", "none"))
        kind = str(note.get("kind", "number"))
        if dimension == "none" or value == 0 and self.rng.random() < 0.5:
            return write_number(value, self.rng if dimension == "none" and kind not in ID_KINDS else None)
        key = (dimension, kind if kind in ("stress", "modulus", "strength", "coordinate", "section_size") else "")
        if key not in self._units or abs(value) < 0.01:
            choice = unit_choice(dimension, kind, value, self.lang, self.rng)
            self._units.setdefault(key, choice)
        else:
            choice = self._units[key]
        return with_unit(value, choice[0], choice[1], self.rng)

    def role(self, leaf: Leaf) -> str | None:
        """A word for what the value does ('핀', 'fixed'), where the endpoint's words list one."""
        table = self.roles.get(leaf.field)
        if table is None:
            return None
        options = table.get(role_key(leaf.value), {}).get(self.lang)
        return self.rng.choice(options) if options else None

    def value(self, leaf: Leaf) -> str:
        """The usual words for a leaf's value."""
        if leaf.kind in ("enum", "boolean", "list", "string"):
            role = self.role(leaf)
            if role is not None and (leaf.kind != "string" or leaf.note.get("kind") == "dof_flags"):
                return role
        note = leaf.note
        match leaf.kind:
            case "enum":
                return str(note["enum"][_member(leaf.value)][self.lang])
            case "boolean":
                yes = ("예", "켬", "사용") if self.lang == "ko" else ("yes", "on")
                no = ("아니오", "끔", "사용 안 함") if self.lang == "ko" else ("no", "off")
                return self.rng.choice(yes if leaf.value else no)
            case "list":
                return self.list(leaf.value, note.get("members", note), leaf.field)
            case "string":
                text = str(leaf.value)
                if note.get("kind") == "result_case_name":
                    return re.sub(r"\((ST|CB|CS|RS|MV|TH|PO)(:\w+)?\)$", "", text)
                if note.get("kind") == "id_range" and (found := re.fullmatch(r"(\d+)to(\d+)", text)):
                    return number_list(range(int(found[1]), int(found[2]) + 1), self.lang, self.rng)
                if not text:
                    return "없음" if self.lang == "ko" else "none"
                return text
            case "key" if leaf.note.get("kind") not in ID_KINDS and isinstance(leaf.value, str):
                return str(leaf.value)
            case "empty":
                return "기본값" if self.lang == "ko" else "defaults"
            case _:
                return self.number(leaf.value, note)

    def list(self, values: Sequence[Any], note: dict[str, Any], field: str) -> str:
        """A plain array: ranges where it is one, else the members in order."""
        if not values:
            return "없음" if self.lang == "ko" else "none"
        kind = note.get("kind")
        whole = all(isinstance(v, int) and not isinstance(v, bool) for v in values)
        if whole and kind in ID_KINDS:
            return number_list(values, self.lang, self.rng)
        texts = [self.member(v, note) for v in values]
        return ", ".join(texts)

    def member(self, value: Any, note: dict[str, Any]) -> str:
        """One member of a plain array."""
        if note.get("enum"):
            return str(note["enum"][_member(value)][self.lang])
        if isinstance(value, bool):
            return ("O" if value else "X") if self.lang == "ko" else ("yes" if value else "no")
        if isinstance(value, (int, float)):
            return self.number(value, note)
        if isinstance(value, list):
            return "(" + ", ".join(self.member(v, note) for v in value) + ")"
        if note.get("kind") == "result_case_name":
            return re.sub(r"\((ST|CB|CS|RS|MV|TH|PO)(:\w+)?\)$", "", str(value))
        return str(value)


def _member(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def role_key(value: Any) -> str:
    """Key of a value in a roles table: `true`, `1111110`, `[0, 0, -1]`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(role_key(v) for v in value) + "]"
    return str(value)


class Word:
    """A leaf (or the same leaf of several records) as phrasings see it; printing it says it."""

    __slots__ = ("leaves", "voice")

    def __init__(self, voice: Voice, leaves: Sequence[Leaf]) -> None:
        self.voice = voice
        self.leaves = tuple(leaves)

    @property
    def value(self) -> Any:
        return self.leaves[0].value

    def say(self, text: str) -> str:
        return self.voice.mark(self.leaves, text)

    def __str__(self) -> str:
        return self.say(self.voice.value(self.leaves[0]))

    def __eq__(self, other: object) -> bool:
        return bool(self.value == (other.value if isinstance(other, Word) else other))

    def __hash__(self) -> int:
        return hash(str(self.value))

    def __lt__(self, other: float) -> bool:
        return bool(self.value < other)

    def __gt__(self, other: float) -> bool:
        return bool(self.value > other)

    def __le__(self, other: float) -> bool:
        return bool(self.value <= other)

    def __ge__(self, other: float) -> bool:
        return bool(self.value >= other)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, index: int) -> Member:
        if not isinstance(self.value, list) or not -len(self.value) <= index < len(self.value):
            raise Unsayable(f"{self.leaves[0].field} has no member {index}")
        return Member(self, index)

    def __contains__(self, item: object) -> bool:
        return item in self.value


class Member:
    """One member of a plain array, said apart; the array counts as said when all its members are."""

    __slots__ = ("index", "word")

    def __init__(self, word: Word, index: int) -> None:
        self.word = word
        self.index = index % len(word.value)

    @property
    def value(self) -> Any:
        return self.word.value[self.index]

    @property
    def note(self) -> dict[str, Any]:
        note: dict[str, Any] = self.word.leaves[0].note
        return note.get("members", note)

    @property
    def voice(self) -> Voice:
        return self.word.voice

    def say(self, text: str) -> str:
        return self.voice.mark([_part(leaf, self.index) for leaf in self.word.leaves], text)

    def __str__(self) -> str:
        return self.say(self.voice.member(self.value, self.note))

    def __eq__(self, other: object) -> bool:
        return bool(self.value == (other.value if isinstance(other, Member) else other))

    def __hash__(self) -> int:
        return hash(str(self.value))

    def __lt__(self, other: float) -> bool:
        return bool(self.value < other)

    def __gt__(self, other: float) -> bool:
        return bool(self.value > other)


def _part(leaf: Leaf, index: int) -> Leaf:
    note = leaf.note.get("members", leaf.note)
    return Leaf((*leaf.place, index), leaf.field, leaf.value[index], note, leaf.parents, "part")


def _note(word: Word | Member) -> dict[str, Any]:
    return word.note if isinstance(word, Member) else word.leaves[0].note


# ---------------------------------------------------------------- filters


def as_number(word: Word | Member) -> str:
    """`{{ X|num }}`: the bare number in model units; of an array, its members with commas."""
    if isinstance(word.value, list):
        return word.say(", ".join(write_number(v) if not isinstance(v, (bool, str)) else str(v) for v in word.value))
    if isinstance(word.value, (bool, str)):
        raise Unsayable(f"num: {word.value!r} is no number")
    return word.say(write_number(word.value))


def in_unit(unit: str, factor: str, spoken: tuple[str, ...] = ()) -> Callable[[Word | Member], str]:
    """A filter that writes in one given unit, e.g. `{{ WIDTH|mm }}`."""
    from decimal import Decimal

    def write(word: Word | Member) -> str:
        values = word.value if isinstance(word.value, list) else [word.value]
        if any(isinstance(v, (bool, str)) for v in values):
            raise Unsayable(f"{unit}: {word.value!r} is no number")
        rng = word.voice.rng
        name = rng.choice(spoken) if spoken else unit
        return word.say(", ".join(with_unit(v, name, Decimal(factor), rng) for v in values))

    return write


def bare_in(factor: str) -> Callable[[Word | Member], str]:
    """A filter that writes the number in another unit without naming it; the phrasing names the unit nearby."""
    from decimal import Decimal

    from gennx.generators.forms import plain_number

    def write(word: Word | Member) -> str:
        values = word.value if isinstance(word.value, list) else [word.value]
        if any(isinstance(v, (bool, str)) for v in values):
            raise Unsayable("not a number")
        return word.say("x".join(plain_number(Decimal(repr(v)) * Decimal(factor)) for v in values))

    return write


def size(word: Word | Member) -> str:
    """`{{ P|size }}`: the amount without its sign, with a unit; the phrasing says the direction."""
    if isinstance(word.value, (bool, str, list)):
        raise Unsayable("size: wants one number")
    return word.say(word.voice.number(abs(word.value), _note(word)))


def bare(word: Word | Member) -> str:
    """`{{ ids|bare }}`: numbers without 번."""
    values = word.value if isinstance(word.value, list) else [word.value]
    if not all(isinstance(v, int) for v in values):
        raise Unsayable("bare: wants record numbers")
    return word.say(number_list(values, word.voice.lang, word.voice.rng, suffix=""))


def joined(word: Word, mark: str = "-") -> str:
    """`{{ NODE|joined('-') }}`: members in order with a sign between."""
    if not isinstance(word.value, list):
        raise Unsayable("joined: wants an array")
    note = word.leaves[0].note.get("members", word.leaves[0].note)
    return word.say(mark.join(word.voice.member(v, note) for v in word.value))


def role(word: Word) -> str:
    """`{{ CONSTRAINT|role }}`: the word for what the value does; a phrasing that asks for a missing one is passed over."""
    text = word.voice.role(word.leaves[0])
    if text is None:
        raise Unsayable(f"no role word for {word.leaves[0].field} = {word.value!r}")
    return word.say(text)


def raw(word: Word | Member) -> str:
    """`{{ NAME|raw }}`: the value as it stands in the call."""
    return word.say(str(word.value))


def option(word: Word) -> str:
    """`{{ USE_SHEAR|option }}`: the name of a switch with on or off."""
    leaf = word.leaves[0]
    if not isinstance(leaf.value, bool):
        raise Unsayable("option: wants a switch")
    return word.say(switch(word.voice, leaf))


def switch(voice: Voice, leaf: Leaf, name: str | None = None) -> str:
    """A switch said by its name: 편심 고려 켜고, no eccentricity."""
    name = name or leaf.name(voice.lang)
    if voice.lang == "ko":
        forms = ("{} 켬", "{} 체크", "{} 사용", "{} 적용") if leaf.value else ("{} 끔", "{} 체크 해제", "{} 미적용", "{} 안 함")
    else:
        forms = ("{} on", "with {}", "{} enabled") if leaf.value else ("{} off", "no {}", "{} disabled", "without {}")
    return voice.rng.choice(forms).format(name)


FILTERS: dict[str, Callable[..., str]] = {
    "num": as_number,
    "mm": in_unit("mm", "1000"),
    "cm": in_unit("cm", "100"),
    "m": in_unit("m", "1"),
    "kN": in_unit("kN", "1"),
    "kNm": in_unit("kN·m", "1", ("kN·m", "kN.m", "kNm")),
    "kNpm": in_unit("kN/m", "1"),
    "kPa": in_unit("kN/m2", "1", ("kN/m2", "kPa", "kN/m²")),
    "MPa": in_unit("MPa", "0.001", ("MPa", "N/mm2")),
    "pct": in_unit("%", "100"),
    "in_mm": bare_in("1000"),
    "size": size,
    "bare": bare,
    "joined": joined,
    "role": role,
    "raw": raw,
    "option": option,
}
__all__ = ["ANNOTATION", "FILTERS", "MARKED", "Member", "Unsayable", "Voice", "Word", "role_key", "switch"]
