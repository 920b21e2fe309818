"""Elastic constants of `db/MATL` records, in the units of the model.

User data as given; database grades of the Korean standards from facts/materials.json. A grade that is not there has
no constants, and a model that uses it has no results.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from gennx.emulator.units import FORCE, GRAVITY, LENGTH

MPA = 1000.0  # kN/m2
FACTS = Path(__file__).parent / "facts" / "materials.json"


@dataclass(frozen=True)
class Elastic:
    """Modulus of elasticity, shear modulus (force/length2), Poisson's ratio, weight density (force/length3),
    thermal expansion (1/degree)."""

    modulus: float
    shear: float
    poisson: float
    weight: float
    thermal: float = 0.0


@lru_cache(maxsize=1)
def facts() -> dict[str, Any]:
    """The data file."""
    return dict(json.loads(FACTS.read_bytes()))


def elastic(material: Mapping[str, Any], unit: Mapping[str, Any]) -> Elastic | None:
    """Constants of a material with one isotropic entry, None for any other or for an unknown grade."""
    entries = material.get("PARAM")
    if not isinstance(entries, list) or len(entries) != 1 or not isinstance(entries[0], dict):
        return None
    entry = entries[0]
    if entry.get("P_TYPE") == 2:
        return _elastic(entry.get("ELAST"), entry.get("POISN", 0), entry.get("DEN", 0), entry.get("THERMAL", 0))
    if entry.get("P_TYPE") != 1:
        return None
    known = database(str(entry.get("STANDARD")), str(entry.get("DB")))
    if known is None:
        return None
    length, force = LENGTH.get(str(unit.get("DIST")), 1.0), FORCE.get(str(unit.get("FORCE")), 1.0)
    stress, density = length**2 / force, length**3 / force
    modulus = entry.get("ELAST") if entry.get("bELAST") else known.modulus * stress
    return _elastic(modulus, known.poisson, known.weight * density, known.thermal)


def _elastic(modulus: Any, poisson: Any, weight: Any, thermal: Any) -> Elastic | None:
    if not all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in (modulus, poisson, weight, thermal)):
        return None
    if not (0 < modulus < math.inf and -1 < poisson < 0.5 and 0 <= weight < math.inf):
        return None
    return Elastic(modulus, modulus / (2 * (1 + poisson)), poisson, weight, thermal)


@lru_cache(maxsize=256)
def database(standard: str, grade: str) -> Elastic | None:
    """Constants of a grade in kN and m."""
    concrete, steel = facts()["concrete"], facts()["steel"]
    if standard in steel["standards"]:
        return _elastic(steel["elastic_mpa"] * MPA, steel["poisson"], steel["density_t"] * GRAVITY, steel["thermal"])
    match = re.match(concrete["grade"], grade)
    if standard in concrete["standards"] and match:
        modulus = 8500 * math.cbrt(int(match[1]) + _margin(int(match[1]))) * MPA
        return _elastic(modulus, concrete["poisson"], concrete["density_t"] * GRAVITY, concrete["thermal"])
    return None


def _margin(strength: float) -> float:
    """What mean strength has above the specified one, MPa."""
    return min(6.0, max(4.0, 4 + (strength - 40) / 10))


def standards(kind: str) -> list[str]:
    """Standards that have grades here, of CONC, STEEL or ALUMINUM."""
    ending = {"CONC": "(RC)", "STEEL": "(S)", "ALUMINUM": "(AL)"}.get(kind.upper())
    return [s for s in facts()["grades"] if ending and s.endswith(ending)]


def grades(standard: str) -> list[str]:
    """Grades of a standard, [] for one without."""
    return list(facts()["grades"].get(standard, ()))
