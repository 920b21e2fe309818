"""Units: factors between the program's unit systems, and stored records carried over when `db/UNIT` changes.

The program keeps quantities, not numbers: after a change of unit every table and result speaks in the new one
(vendor clients set `db/UNIT` before each read and rely on it). Which field is what comes from the catalogue's `dim`.
Temperatures and heat are left as they are: a field does not say whether it is a difference or a reading.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gennx.schemas.catalogue import ANNOTATION, Schema

LENGTH = {"MM": 0.001, "CM": 0.01, "M": 1.0, "IN": 0.0254, "FT": 0.3048}  # in metres
FORCE = {"N": 0.001, "KN": 1.0, "KGF": 0.00980665, "TONF": 9.80665, "LBF": 0.0044482216152605, "KIPS": 4.4482216152605}
GRAVITY = 9.80665  # m/s2; a live reading of 23.536 kN/m3 for 2.4 t/m3 confirms it
BLANK_UNIT = {"FORCE": "KN", "DIST": "M", "HEAT": "KJ", "TEMPER": "C"}
# (powers of force, of length) of the words in a `dim`; a word that is not here does not scale
POWERS = {"length": (0, 1), "force": (1, 0), "moment": (1, 1), "mass": (1, -1)}
WORD = re.compile(r"([a-z]+)(\d*)")
# db/BMLD.P has no `dim` of its own: it follows the item's TYPE
BEAM_LOADS = {
    "CONLOAD": "force",
    "CONMOMENT": "moment",
    "UNILOAD": "force/length",
    "UNIMOMENT": "moment/length",
    "PRESSURE": "force/length2",
}


def powers(dim: str) -> tuple[int, int]:
    """Powers of force and length in a dimension, e.g. `force/length2` -> (1, -2), `time` -> (0, 0)."""
    total = [0, 0]
    sign = 1
    for part in re.split(r"([*/])", dim):
        if part in "*/":
            sign = 1 if part == "*" else -1
            continue
        match = WORD.fullmatch(part)
        if match and match[1] in POWERS:
            exponent = sign * int(match[2] or 1)
            for i in (0, 1):
                total[i] += exponent * POWERS[match[1]][i]
    return total[0], total[1]


# Lists whose later terms belong to rotations: their `dim` is that of the first, a translation
SIX_TERMS = ("SDR", "Cr")  # three translations, three rotations
TRIANGLES = ("SPRING", "MASS", "DAMPING")  # upper triangle of a 6 x 6 matrix, row by row
ROTATIONS = [(i > 2) + (j > 2) for i in range(6) for j in range(i, 6)]  # of the 21 terms: lengths that they hold more


class Change:
    """From one unit row to another: how much larger a number becomes."""

    def __init__(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        self.force = FORCE.get(str(old.get("FORCE")), 1.0) / FORCE.get(str(new.get("FORCE")), 1.0)
        self.length = LENGTH.get(str(old.get("DIST")), 1.0) / LENGTH.get(str(new.get("DIST")), 1.0)

    def __bool__(self) -> bool:
        return self.force != 1.0 or self.length != 1.0

    def factor(self, dim: str) -> float:
        force, length = powers(dim)
        return float(self.force**force * self.length**length)

    def record(self, schema: Schema, record: Any) -> Any:
        """A copy of a record with every dimensioned number in the new unit."""
        return self._scaled(schema, record)

    def _scaled(self, schema: Schema, value: Any) -> Any:
        if isinstance(value, dict):
            properties = schema.get("properties", {})
            return {
                k: self._field(k, properties[k], v, value) if isinstance(properties.get(k), dict) else v
                for k, v in value.items()
            }
        if isinstance(value, list):
            items = schema.get("items")
            items = items if isinstance(items, dict) else {}
            if "dim" not in items.get(ANNOTATION, {}):
                items = {**items, ANNOTATION: {"dim": schema.get(ANNOTATION, {}).get("dim")}}
            return [self._scaled(items, v) for v in value]
        dim = schema.get(ANNOTATION, {}).get("dim")
        return self._number(value, self.factor(dim)) if dim else value

    def _field(self, name: str, schema: Schema, value: Any, owner: Mapping[str, Any]) -> Any:
        """One field of an object, with the few that their annotation does not describe."""
        dim = schema.get(ANNOTATION, {}).get("dim")
        if name == "P" and owner.get("TYPE") in BEAM_LOADS and "DIRECTION" in owner:
            return self._scaled({**schema, ANNOTATION: {"dim": BEAM_LOADS[owner["TYPE"]]}}, value)
        if name == "VALUES" and isinstance(value, list) and len(value) == 6:  # db/SDSP: the last three are angles
            return self._scaled(schema, value[:3]) + value[3:]
        if dim and isinstance(value, list) and (lengths := _more_lengths(name, len(value))):
            factors = [self.factor(dim) * self.length**more for more in lengths]
            return [self._number(v, f) for v, f in zip(value, factors, strict=True)]
        return self._scaled(schema, value)

    @staticmethod
    def _number(value: Any, factor: float) -> Any:
        if factor == 1.0 or isinstance(value, bool) or not isinstance(value, (int, float)):
            return value
        return tidy(value * factor)


def _more_lengths(name: str, count: int) -> list[int]:
    """Powers of length that each term of a list has above its first, [] for a plain list."""
    if name in SIX_TERMS and count == 6:
        return [0, 0, 0, 2, 2, 2]
    return ROTATIONS if name in TRIANGLES and count == 21 else []


def tidy(number: float) -> float:
    """The number at twelve significant digits, so that m to mm and back gives what was there."""
    return float(f"{number:.12g}")
