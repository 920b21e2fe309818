"""Models in other units than kN, m: the gold call follows the units that the system prompt states.

A request fits any model if it names the unit of every quantity in it ("300 mm", "12 kN/m"): only the call's numbers change. Only requests whose
converted numbers are still round are taken, since nobody expects a person to type 1.0197 tonf.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from gennx.generators.evidence import Haystack, evidence
from gennx.generators.grounding import check, follows
from gennx.generators.leaves import Leaf, call_leaves, with_elements
from gennx.generators.lexicon import Lexicon
from gennx.generators.units import BASE, CATALOGUE

if TYPE_CHECKING:
    from gennx.generators.single import Case

FIGURES = 6
"""Most significant figures of a converted number."""


@dataclass(frozen=True)
class Units:
    """A model's force and length. `written` is how the system prompt says them, `record` what the program's unit table holds."""

    written: str
    force: str
    length: str

    @property
    def record(self) -> dict[str, str]:
        return {"FORCE": self.force.upper(), "DIST": self.length.upper(), "HEAT": "KJ", "TEMPER": "C"}

    def size(self, dimension: str) -> Decimal:
        """How many of the kN-m unit one unit of this dimension is, e.g. 0.001 for a length in mm; 1 for what has neither force nor length."""
        known = CATALOGUE.get(dimension)
        if known is None:
            return Decimal(1)
        length, force = known[0][0], known[0][1]
        return BASE[self.length][0] ** length * BASE[self.force][0] ** force


KN_M = Units("kN, m", "kN", "m")
OTHERS = tuple(
    Units(f"{f}, {d}", f, d) for f, d in (("N", "mm"), ("N", "mm"), ("kN", "mm"), ("tonf", "m"), ("kgf", "cm"), ("N", "m"), ("kN", "cm"))
)  # fmt: skip
BY_NAME = {u.written: u for u in (KN_M, *OTHERS)}


_BRACKET = re.compile(r"\[([^\[\]\"]{1,24})\]")
_UNIT = re.compile(r"(?<![A-Za-z])(kN|m)(?![A-Za-z])")


def restated(definitions: str, units: Units) -> str:
    """Tool definitions with the units in their brackets ([kN/m2]) as a model in other units has them."""

    def swap(found: re.Match[str]) -> str:
        return "[" + _UNIT.sub(lambda m: units.force if m[1] == "kN" else units.length, found[1]) + "]"

    return _BRACKET.sub(swap, definitions)


def other_units(case: Case, lexicon: Lexicon, rng: random.Random) -> tuple[Units, dict[str, Any]] | None:
    """Other units and the call in them, or None where the request leans on the model's units or has no quantity."""
    quantities = [x for x in with_elements(call_leaves(case.tool, case.arguments)) if _is_quantity(x)]
    hay = Haystack(case.text)
    if not quantities or not all(_explicit(x, lexicon, hay, case) for x in quantities):
        return None
    units = rng.choice(OTHERS)
    dimensions = {str(x.note.get("dim")) for x in quantities}
    if all(units.size(d) == 1 for d in dimensions):
        return None
    places = {x.place: units.size(str(x.note["dim"])) for x in quantities}
    arguments = _scaled(case.arguments, places, ())
    if arguments is None or check(case.text, case.tool, arguments, lexicon, Haystack(case.text, units.size)):
        return None
    return units, arguments


def _is_quantity(leaf: Leaf) -> bool:
    numeric = isinstance(leaf.value, (int, float)) and not isinstance(leaf.value, bool)
    known = CATALOGUE.get(str(leaf.note.get("dim", "none")))
    return numeric and leaf.value != 0 and known is not None and (known[0][0] != 0 or known[0][1] != 0)


def _explicit(leaf: Leaf, lexicon: Lexicon, hay: Haystack, case: Case) -> bool:
    """True if the words give the value with its unit."""
    if follows(leaf, lexicon, case.tool):
        return False
    return any(e.how == "number" and e.detail[2] is not None for e in evidence(leaf, lexicon, hay))


def _scaled(node: Any, places: dict[tuple[Any, ...], Decimal], place: tuple[Any, ...]) -> Any:
    """Copy with the numbers at those places divided by the size of their unit; None if one of them is not round."""
    if place in places:
        value = Decimal(repr(node)) / places[place]
        if len(value.normalize().as_tuple().digits) > FIGURES:
            return None
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(node, dict):
        out = {k: _scaled(v, places, (*place, k)) for k, v in node.items()}
        return None if any(v is None and node[k] is not None for k, v in out.items()) else out
    if isinstance(node, list):
        items = [_scaled(v, places, (*place, i)) for i, v in enumerate(node)]
        return None if any(v is None for v in items) else items
    return node
