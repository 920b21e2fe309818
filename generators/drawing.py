"""Draw new values for the slots of a harvested template.

What the author's values had in common stays true: equal numbers stay equal, a range stays a range, a rising column rises, all quantities of one dimension
move by one factor, and references to one thing move together."""

from __future__ import annotations

import itertools
import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from gennx.generators import forms, names
from gennx.generators.bank import Template
from gennx.generators.fields import note_of, schema_of, steering_fields
from gennx.generators.harvest.binding import FACT_KINDS
from gennx.generators.leaves import inner_schema, is_numbered
from gennx.generators.lexicon import Lexicon, value_key
from gennx.generators.quantities import NARROW_SCALES, SCALES, flat, fresh_run, said_anew, shift_of, typed, within
from gennx.generators.units import factor_to
from gennx.schemas.catalogue import Endpoint, Schema

FIXED_KINDS = frozenset({"strength", "modulus", "thermal", "weight_density"})
FIXED_DIMENSIONS = frozenset(
    {"force/length3", "mass/length3", "1/temperature", "energy/mass/temperature", "length/time2"}
)
STEEL = (1.85e8, 2.15e8)
"""Elastic modulus of steel, kN/m2: every engineer knows it."""
POWERS_OF_LENGTH = {"length2": 2, "length3": 3, "length4": 4, "length6": 6}
"""Areas, moduli and inertias move with the lengths beside them: a bar twice as thick has four times the area."""
RECKONED = re.compile(
    r"총\s|총\d|합계|합쳐|합이|층당|개당|손실|배로|두 배|절반|나누|곱하|빼면|더하면|comes? to|percent of|% of|in total|altogether|twice|losses|divided|times the|plus the|sum of",
    re.I,
)
"""Words of a request that reckons with its quantities: they stay as the author wrote them."""
FORMER = re.compile(
    r"\d[^\d\s{}]{0,6} ?(?:에서|→|->|=>|➔|이? ?아니라|가 아니라|아니고|아닌|말고|대신|였는데|인데)[^{}\d]{0,8}\{\{"
    r"|\b(?:from|instead of|rather than|not|was|down from|up from) [^\d{}]{0,4}\d|\}\}[^{}\d]{0,12}\b(?:not|instead of|rather than|was|from) [^\d{}]{0,4}\d"
    r"|\d[^\d\s{}]{0,6} to (?:a )?\{\{|상향|하향 조정|올려|올립|낮춰|낮춥|늘려|늘립|줄여|줄입|키워|키웁|raise|lower(?:ed)? to|increase|decrease|bump|reduce",
    re.I,
)
"""Words that tell a former value or which way it changes: another new one could be the same, or the wrong way."""
FORMER_WORD = re.compile(r"(?:에서|말고|대신|아니라|아니고|→|->|instead of|rather than|,? not) ?\{\{ ?\w+ ?\}\}", re.I)
"""Words that tell a former code or role: another new one could be the same."""
COUNTED = re.compile(
    r"(?<![가-힣])(?:두|둘|세|셋|네) |둘 다|셋 다|양쪽|\d ?(?:개|건|줄|층|곳)|\b(?:both|two|three|four|all \d)\b", re.I
)
"""Words that count what the rows list."""
MANY_QUANTITIES = 3
EXCLUDED = 0.08
"""Share of ranges and lists of numbers that become a range with one or two left out."""
SHORT = 80
KEPT_SHORT, KEPT_LONG = 0.45, 0.75
"""How often a code stays the author's, in short words and in long ones, which more often tell a reason for it."""
SMALL_IDS = frozenset(
    {"material_id", "section_id", "thickness_id", "wall_id", "stage_id", "story_id", "serial", "record_id", "member_id"}
)


@dataclass
class Drawn:
    """Values of a template's slots and how to say them."""

    values: dict[str, Any]
    rows: list[dict[str, Any]]
    specs: dict[str, dict[str, Any]]
    words: dict[str, Any] = field(default_factory=dict)
    """For phrase slots: the phrase that says the value (a list for row slots)."""


def _order(a: float, b: float) -> int:
    """-1, 0 or 1 as a is below, equal to or above b."""
    return (a > b) - (a < b)


@dataclass(frozen=True)
class _Known:
    """What a template's slots are, whatever is drawn for them."""

    steering: frozenset[str]
    notes: dict[str, Schema]
    schemas: dict[str, Schema]
    ids: frozenset[str]
    """Slots that hold numbers of things."""
    reckoned: bool
    former: bool
    """A former code or role is told."""
    counted: bool
    """The words count the rows."""
    quantities: int
    dimensions: frozenset[str]
    graded: bool
    listed: frozenset[int]


def _known(template: Template, endpoint: Endpoint, lexicon: Lexicon) -> _Known:
    slots = template.slots
    notes = {name: note_of(endpoint, spec["field"]) for name, spec in slots.items()}
    schemas = {name: inner_schema(schema_of(endpoint, spec["field"])) for name, spec in slots.items()}
    ids = {n for n, s in slots.items() if s["field"] in ("key", "ids") or is_numbered(s["field"], notes[n])}
    kinds = {note.get("kind") for note in notes.values()}
    known = _Known(
        steering_fields(endpoint) | {rule["field"] for rule in lexicon.follows}, notes, schemas, frozenset(ids),
        template.keep or any(p.search(template.text) for p in (RECKONED, FORMER)),
        FORMER_WORD.search(template.text) is not None,
        COUNTED.search(template.text) is not None or any(s.get("counted") for s in slots.values() if s.get("row")),
        sum(s["as"] in ("number", "sequence") and n not in ids for n, s in slots.items()),
        frozenset(str(note.get("dim", "none")) for note in notes.values()), "grade" in kinds and bool(kinds & FIXED_KINDS),
        frozenset(len(s["eg"]) for s in slots.values() if isinstance(s["eg"], list) and len(s["eg"]) > 1),
    )  # fmt: skip
    template.kept["drawing"] = known
    return known


class _Draw:
    def __init__(
        self,
        template: Template,
        endpoint: Endpoint,
        lexicon: Lexicon,
        rng: random.Random,
        keep: bool,
        codes: bool,
        fixed_names: dict[str, str],
    ) -> None:
        self.template, self.endpoint, self.lexicon, self.rng = template, endpoint, lexicon, rng
        self.keep, self.fixed_names = keep, fixed_names
        self.stays = keep or template.keep
        known = template.kept.get("drawing") or _known(template, endpoint, lexicon)
        self.steering, self.notes, self.schemas = known.steering, known.notes, known.schemas
        self.dimensions, self.graded, self.listed = known.dimensions, known.graded, known.listed
        self.ids, self.counted = known.ids, self.stays or known.counted
        self.codes = codes and not self.stays and not known.former
        self.specs = {name: dict(spec) for name, spec in template.slots.items()}
        # many that belong together, or told with a reason: half the time as the author had them
        many = MANY_QUANTITIES if len(template.text) <= SHORT else 1
        self.reckoned = known.reckoned or (known.quantities >= many and rng.random() < 0.5)
        self.offsets: dict[str, Callable[[int], int]] = {}
        self.scales: dict[str, Decimal] = {}
        self.named: dict[tuple[str, str], str] = {}
        self.said: dict[tuple[str, str], Decimal] = {}

    # ---- numbers of things

    def id_class(self, name: str) -> str:
        if self.specs[name]["field"] in ("key", "ids"):
            return (
                str(self.endpoint.key or "serial") if self.endpoint.key != "serial" else f"serial:{self.endpoint.uri}"
            )
        note = self.notes[name]
        if note.get("kind") in ("id_range", "index"):
            return "targets"
        return f"record:{note.get('ref')}" if note.get("kind") == "record_id" else str(note.get("kind"))

    def move(self, kind: str) -> Callable[[int], int]:
        """How numbers of one kind of thing move: by one offset, so that differences and order stay."""
        if kind not in self.offsets:
            egs = [n for s in self._id_slots(kind) for n in flat(self.specs[s]["eg"]) if isinstance(n, int)]
            low, high = min(egs), max(egs)
            top = (
                99
                if kind.split(":")[0] in SMALL_IDS or kind.startswith(("record", "serial"))
                else self.rng.choice((99, 400, 999, 2500, 9000))
            )
            span = high - low
            start = self.rng.randint(1, max(2, top - span))
            if any(self.specs[s].get("style") == "parity" for s in self._id_slots(kind)):
                start += (start - low) % 2
            self.offsets[kind] = lambda n, shift=start - low: n + shift  # type: ignore[misc]
        return self.offsets[kind]

    def _id_slots(self, kind: str) -> list[str]:
        return [n for n in self.specs if self.numbered(n) and self.id_class(n) == kind]

    def numbered(self, name: str) -> bool:
        return name in self.ids

    # ---- quantities

    def scale(self, note: dict[str, Any]) -> Decimal:
        """By how much quantities of a dimension move, all alike; what nature or a standard fixes moves little."""
        dimension = str(note.get("dim", "none"))
        fixed = note.get("kind") in FIXED_KINDS or dimension in FIXED_DIMENSIONS
        if dimension in POWERS_OF_LENGTH and "length" in self.dimensions:
            length = self.scale({"dim": "length"})
            return (length ** POWERS_OF_LENGTH[dimension]).normalize()
        key = f"{dimension}/fixed" if fixed else dimension
        if key not in self.scales:
            self.scales[key] = Decimal(str(self.rng.choice(NARROW_SCALES if fixed else SCALES)))
        return self.scales[key]

    def settled(self, note: dict[str, Any], schema: Schema, eg: float) -> bool:
        """Whether the author's number has to stay: a strength beside its grade, a count of what the request lists."""
        if note.get("kind") in FIXED_KINDS and (self.graded or STEEL[0] <= eg <= STEEL[1]):
            return True
        if note.get("dim", "none") != "none":
            return False
        factor_of_one = eg == 1 and schema.get("type") == "number"
        return factor_of_one or (isinstance(eg, int) and eg in self.listed)

    def quantity(self, name: str, eg: float, element: bool = False) -> float | int:
        """A new value near the author's, rounded as it was, within the limits of the field; an `element` of a list is none of the field's typical values."""
        spec, note = self.specs[name], self.notes[name]
        if self.keep or self.reckoned or eg == 0 or (note.get("dim") == "length/time2" and 9.7 < abs(eg) < 9.9):
            return eg
        schema = self.schemas[name]
        if not element and self.settled(note, schema, eg):
            return eg
        spec = {**spec, "element": True} if element else spec
        factor = Decimal(spec["factor"])
        memo = (note.get("dim", "none"), f"{eg!r}/{factor}")
        if memo in self.said:
            said = self.said[memo]
        else:
            said = said_anew(spec, note, forms.decimal(eg) / factor, self.scale(note), self.rng)
            self.said[memo] = said
        value = said * factor
        if not within(value, schema) or (note.get("dim") == "percent" and not 0 <= value <= 100):
            return eg
        if schema.get("type") == "integer" or (isinstance(eg, int) and value == value.to_integral_value()):
            return int(value) if value == value.to_integral_value() else eg
        return float(value)

    # ---- names

    def name(self, slot: str, eg: str) -> str:
        note, spec = self.notes[slot], self.specs[slot]
        kind, ref = str(note.get("kind", "text")), str(note.get("ref", ""))
        suffix = str(spec.get("suffix", ""))
        core = eg.removesuffix(suffix) if suffix else eg
        if self.keep:
            return eg
        table: str = ref.split(".")[0] or (
            self.endpoint.uri if kind == "own_name" else "db/STLD" if kind == "result_case" else ""
        )
        memo = (table or kind, core)
        if memo in self.named:
            return self.named[memo] + suffix
        if table in self.fixed_names and table not in {t for t, _ in self.named}:
            self.named[memo] = self.fixed_names[table]
            return self.named[memo] + suffix
        if self.template.keep:
            return eg
        if kind in ("name_ref", "own_name", "result_case"):
            if kind == "result_case" and not suffix and core.endswith(")"):
                new = core
            else:
                new = names.fresh(table, self.template.lang, self.rng, core)
                taken = set(self.named.values())
                while new in taken:
                    new = names.fresh(table, self.template.lang, self.rng, core)
        elif kind == "story_name":
            new = (
                self.rng.choice(names.facts("stories")["floors"]) if core in names.facts("stories")["floors"] else core
            )
        elif kind == "file_path":
            new = names.path(core.rsplit(".", 1)[-1], self.rng) if "." in core[-6:] else core
        elif kind == "grade" and self.graded:
            new = core
        elif kind in ("grade", "section_name"):
            new = names.another(core, json.dumps(self.template.call) + json.dumps(self.specs), self.rng)
        elif kind in ("standard", "shape", "code_name"):
            new = core
        else:
            pool = note.get("typical", {}).get("values")
            new = str(self.rng.choice(pool)) if pool and core in pool and self.rng.random() < 0.7 else core
        self.named[memo] = new
        return new + suffix

    # ---- codes

    def code(self, slot: str, eg: Any, said: str) -> tuple[Any, str]:
        """Another member of the code with words of its own, or the author's."""
        field_name = self.specs[slot]["field"]
        facts = self.notes[slot].get("kind") in FACT_KINDS
        kept = KEPT_SHORT if len(self.template.text) <= SHORT else KEPT_LONG
        if not self.codes or facts or isinstance(eg, list) or field_name in self.steering or self.rng.random() < kept:
            return eg, said
        lang = self.template.lang
        codes = {p.text for p in self.lexicon.members(field_name) if p.lang == ""}
        phrases = [p for p in self.lexicon.members(field_name) if p.lang == lang or (p.lang == "" and said in codes)]
        if said.isascii() and lang == "ko":
            phrases += [p for p in self.lexicon.members(field_name) if p.lang == "en"]
        same_kind = [p for p in phrases if _like(p.text, said) and p.value != value_key(eg)]
        if not same_kind:
            return eg, said
        picked = self.rng.choice(same_kind)
        return typed(picked.value, eg), picked.text

    # ---- everything

    def run(self) -> Drawn:
        drawn = Drawn({}, [], self.specs)
        order = sorted(
            (n for n in self.specs if not self.specs[n].get("row")),
            key=lambda n: self.specs[n]["field"] not in ("key", "ids"),
        )
        self._choose_units()
        for name in order:
            spec = self.specs[name]
            match spec["as"]:
                case "number":
                    drawn.values[name] = (
                        self._moved(name, spec["eg"]) if self.numbered(name) else self.quantity(name, spec["eg"])
                    )
                case "run":
                    drawn.values[name] = self._run(name, drawn)
                    if len(drawn.values[name]) != len(spec["eg"]):
                        spec["style"] = spec["style"] if spec["style"] != "parity" else "list"
                case "sequence" if self.numbered(name):
                    drawn.values[name] = [self._moved(name, v) for v in spec["eg"]]
                case "sequence":
                    drawn.values[name] = self._sequence(name, spec["eg"])
                case "text":
                    drawn.values[name] = self.name(name, spec["eg"])
                case "phrase":
                    value, word = self.code(name, spec["eg"], spec["said"])
                    if word in self.template.text:  # 핀 말고 핀으로
                        value, word = spec["eg"], spec["said"]
                    drawn.values[name], drawn.words[name] = value, word
        self._keep_order(drawn)
        self._rows(drawn)
        return drawn

    def _sequence(self, name: str, eg: list[Any]) -> list[Any]:
        """New values of neighbouring numbers, in the same order of size; the author's where that fails."""
        values = [self.quantity(name, v, element=True) for v in eg]
        same = all((a < b) == (x < y) for (a, x), (b, y) in itertools.combinations(zip(eg, values, strict=True), 2))
        return values if same else list(eg)

    def _keep_order(self, drawn: Drawn) -> None:
        """Two quantities of one dimension that changed places (from above to) go back to the author's."""
        slots = [
            n
            for n, s in self.specs.items()
            if s["as"] == "number" and not s.get("row") and not self.numbered(n) and n in drawn.values
        ]
        for i, a in enumerate(slots):
            for b in slots[i + 1 :]:
                same = self.notes[a].get("dim") == self.notes[b].get("dim") and self.notes[a].get("kind") == self.notes[
                    b
                ].get("kind")
                if same and _order(self.specs[a]["eg"], self.specs[b]["eg"]) != _order(
                    drawn.values[a], drawn.values[b]
                ):
                    drawn.values[a], drawn.values[b] = self.specs[a]["eg"], self.specs[b]["eg"]

    def _moved(self, name: str, eg: Any) -> Any:
        if self.keep or not isinstance(eg, int):
            return eg
        return self.move(self.id_class(name))(eg)

    def _choose_units(self) -> None:
        """Another unit for quantities that carry theirs; all of one written unit change together."""
        if self.stays:
            return
        swaps: dict[tuple[str, str], tuple[str, str] | None] = {}
        for name, spec in self.specs.items():
            unit = spec.get("unit")
            if unit is None:
                continue
            key = (unit, spec["factor"])
            if any(s.get("unit") is None and s.get("factor") == spec["factor"] != "1" for s in self.specs.values()):
                continue  # bare numbers beside it lean on this unit
            if key not in swaps:
                dimension = self.notes[name].get("dim", "none")
                options = [
                    o for o in forms.exchanges(unit, spec["factor"]) if factor_to(o[0], dimension) == Decimal(o[1])
                ]
                ascii_only = [
                    o for o in options if self.template.lang == "ko" or o[0].isascii() or o[0][0] not in "도초일"
                ]
                swaps[key] = self.rng.choice(ascii_only) if ascii_only and self.rng.random() < 0.35 else None
            swap = swaps[key]
            if swap is not None:
                eg = spec["eg"]
                first = eg[0] if isinstance(eg, list) else eg
                if isinstance(first, list) or first == 0:
                    continue
                said = forms.decimal(first) / Decimal(swap[1])
                if Decimal("0.05") <= abs(said) < 100000 and len(forms.plain(said)) <= 8:
                    spec["digits"] = max(0, int(spec.get("digits", 0)) + shift_of(spec["factor"], swap[1]))
                    spec["unit"], spec["factor"] = swap

    def _run(self, name: str, drawn: Drawn) -> list[int]:
        spec = self.specs[name]
        eg = [int(v) for v in spec["eg"]]
        if self.keep:
            return eg
        if not self.numbered(name):
            return eg
        columns = [n for n, s in self.specs.items() if n != name and s.get("along")]
        move = self.move(self.id_class(name))
        shape = schema_of(self.endpoint, spec["field"]) if spec["field"] not in ("key", "ids") else {}
        fixed = (
            "NODE" in spec["field"].rsplit(".", 1)[-1]
            or "maxItems" in shape
            or spec.get("along")
            or columns
            or spec["style"] == "parity"
            or spec.get("counted")
        )
        alone = len(self._id_slots(self.id_class(name))) == 1
        if fixed or not alone or self.rng.random() < 0.25:
            return [move(n) for n in eg]
        style = "range" if "join" in spec else str(spec["style"])
        excludes = style in ("range", "list") and "join" not in spec and self.rng.random() < EXCLUDED
        if excludes and not self._hangs(name):
            style = "except"
        return fresh_run(style, move(eg[0]), self.rng)

    def _hangs(self, name: str) -> bool:
        """True if a particle hangs on the slot, which an exception ("…은 빼고") cannot bear."""
        return re.search(rf"\{{\{{ ?{name} ?\}}\}}(?:\w|\()", self.template.text) is not None

    def _rows(self, drawn: Drawn) -> None:
        slots = [n for n, s in self.specs.items() if s.get("row")]
        if not slots:
            return
        had = len(self.specs[slots[0]]["eg"])
        count = had if self.counted else max(2, min(9, had + self.rng.choice((-2, -1, -1, 0, 0, 1, 1, 2, 3))))
        drawn.rows = [{} for _ in range(count)]
        for name in slots:
            spec = self.specs[name]
            if spec["as"] == "phrase":
                said = [self.code(name, spec["eg"][i % had], spec["said"]) for i in range(count)]
                said = [
                    (v, w)
                    if v != spec["eg"][i % had] or spec["eg"][i % had] == spec["eg"][0]
                    else self._spoken(name, v, w)
                    for i, (v, w) in enumerate(said)
                ]
                drawn.words[name] = [w for _, w in said]
                column = [v for v, _ in said]
            else:
                column = self._column(name, spec, had, count)
            for row, value in zip(drawn.rows, column, strict=True):
                row[name] = value

    def _spoken(self, slot: str, value: Any, said: str) -> tuple[Any, str]:
        """Words for a member other than the first row's."""
        options = [
            p.text
            for p in self.lexicon.members(self.specs[slot]["field"])
            if p.value == value_key(value) and p.lang in (self.template.lang, "")
        ]
        like = [o for o in options if _like(o, said)] or options
        return value, (self.rng.choice(like) if like else said)

    def _column(self, name: str, spec: dict[str, Any], had: int, count: int) -> list[Any]:
        eg = spec["eg"]
        if spec["as"] == "text":
            if len(set(map(str, eg))) == had:
                table = self.notes[name].get("ref", "").split(".")[0] or self.endpoint.uri
                column = [self.name(name, v) for v in eg[:count]]
                while len(column) < count:  # more rows than the author had: more names
                    new = names.fresh(table, self.template.lang, self.rng, str(eg[0])) + spec.get("suffix", "")
                    if new not in column:
                        column.append(new)
                return column
            return [self.name(name, eg[i % had]) for i in range(count)]
        if spec["as"] in ("run", "sequence"):
            return self._list_column(name, spec, had, count)
        if self.numbered(name):
            return self._id_column(name, eg, had, count)
        rising = all(b > a for a, b in itertools.pairwise(eg)) and (had > 2 or eg == [1, 2])
        values = [self.quantity(name, v) for v in eg]
        if not rising:
            return [values[i] if i < had else self.rng.choice(values) for i in range(count)]
        if not all(b > a for a, b in itertools.pairwise(values)):
            values = list(eg)
        while len(values) < count:
            step = forms.decimal(values[-1]) - forms.decimal(values[-2])
            more = forms.decimal(values[-1]) + step
            values.append(int(more) if isinstance(values[-1], int) else float(more))
        schema = self.schemas[name]
        if not all(within(forms.decimal(v), schema) for v in values):
            return [eg[i % had] for i in range(count)]
        return values[:count]

    def _id_column(self, name: str, eg: list[int], had: int, count: int) -> list[int]:
        move = self.move(self.id_class(name)) if not self.keep else (lambda n: n)
        moved = [move(n) for n in eg]
        if count <= had:
            return moved[:count]
        if len(set(eg)) == 1:
            return [moved[0]] * count
        if self.specs[name]["field"] != "key" and len(set(eg)) < had:
            return [moved[i % had] for i in range(count)]
        step = moved[-1] - moved[-2] or 1
        while len(moved) < count:
            moved.append(moved[-1] + step)
        return moved

    def _list_column(self, name: str, spec: dict[str, Any], had: int, count: int) -> list[list[Any]]:
        eg = spec["eg"]
        if self.numbered(name):
            move = self.move(self.id_class(name)) if not self.keep else (lambda n: n)
            rows = [[move(int(n)) for n in r] for r in eg]
            step = (
                [b - a for a, b in zip(rows[-2], rows[-1], strict=False)]
                if len(rows[-1]) == len(rows[-2])
                else [1] * len(rows[-1])
            )
            while len(rows) < count:
                rows.append([a + (d or 0) for a, d in zip(rows[-1], step, strict=False)])
            return rows[:count]
        if "factor" not in spec:
            return [list(eg[i % had]) for i in range(count)]
        rows_f = [[self.quantity(name, v) for v in r] for r in eg]
        return [rows_f[i % had] for i in range(count)]


def _like(a: str, b: str) -> bool:
    """Words that can stand in the same place: both Korean or both Latin, neither a sentence."""
    return a.isascii() == b.isascii() and abs(a.count(" ") - b.count(" ")) <= 1


def draw(
    template: Template,
    endpoint: Endpoint,
    lexicon: Lexicon,
    rng: random.Random,
    keep: bool = False,
    codes: bool = True,
    fixed_names: dict[str, str] | None = None,
) -> Drawn:
    """New values for all slots; with `keep` the author's own, without `codes` the author's codes and words for them; `fixed_names` gives the
    name that the first reference to a table takes."""
    return _Draw(template, endpoint, lexicon, rng, keep, codes, fixed_names or {}).run()
