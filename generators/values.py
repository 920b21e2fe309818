"""Values as an engineer would give them, by the semantic kind that the catalogue states for a field.

Numbers are in model units (kN, m, degrees, seconds, Celsius) and rounded as people say them.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

from gennx.generators.conditions import Schema, holds
from gennx.generators.scene import Scene, facts
from gennx.schemas.catalogue import ANNOTATION

Number = int | float

# Ranges (low, high) or lists where a field gives no typical values of its own.
RANGES: dict[str, tuple[float, float] | tuple[Number, ...]] = {
    "coordinate": (-12.0, 48.0),
    "length": (0.5, 12.0),
    "span": (4.0, 15.0),
    "height": (2.8, 5.4),
    "thickness": (0.1, 0.12, 0.15, 0.18, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6),
    "section_size": (0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    "cover": (0.03, 0.04, 0.05, 0.06, 0.07, 0.08),
    "bar_diameter": (0.01, 0.013, 0.016, 0.019, 0.022, 0.025, 0.029, 0.032),
    "spacing": (0.1, 0.125, 0.15, 0.2, 0.25, 0.3),
    "displacement": (-0.05, 0.05),
    "eccentricity": (0.05, 0.1, 0.15, 0.2, 0.25, 0.3),
    "area": (0.01, 0.6),
    "section_modulus": (0.0005, 0.02),
    "volume": (0.5, 40.0),
    "inertia": (0.0002, 0.02),
    "warping_constant": (0.000001, 0.0001),
    "angle": (0, 15, 30, 45, 60, 90, 120, 180, -15, -30, -45, -90),
    "rotation": (-0.01, 0.01),
    "force": (-250.0, 250.0),
    "moment": (-180.0, 180.0),
    "line_load": (-45.0, 45.0),
    "line_moment": (-20.0, 20.0),
    "pressure": (-15.0, 15.0),
    "stress": (1000.0, 40000.0),
    "modulus": (2.0e7, 2.1e8),
    "strength": (21000, 24000, 27000, 30000, 35000, 40000, 275000, 355000, 400000, 500000),
    "weight_density": (18.0, 20.0, 22.0, 23.5, 24.0, 25.0, 76.98, 77.0, 78.5),
    "subgrade_modulus": (8000.0, 60000.0),
    "mass": (0.5, 120.0),
    "mass_inertia": (1.0, 400.0),
    "mass_density": (1.8, 2.0, 2.3, 2.4, 2.5, 7.85),
    "spring": (500.0, 200000.0),
    "rotational_spring": (500.0, 100000.0),
    "damping": (50.0, 2000.0),
    "temperature": (-20, -15, -10, 5, 10, 15, 20, 25, 30, 35, 40),
    "temperature_gradient": (-15.0, 15.0),
    "thermal_coefficient": (1.0e-5, 1.2e-5),
    "time": (0.01, 30.0),
    "day": (1, 3, 5, 7, 14, 21, 28, 30, 56, 60, 90, 180, 365, 1000),
    "hour": (6, 12, 24, 36, 48, 72, 96, 120, 168),
    "period": (0.05, 4.0),
    "frequency": (0.2, 20.0),
    "speed": (20.0, 44.0),
    "acceleration": (0.1, 3.0),
    "ratio": (0.0, 1.0),
    "factor": (0.5, 2.0),
    "percent": (1, 2, 3, 5, 10, 20, 25, 30, 50, 100),
    "coefficient": (0.1, 2.0),
    "count": (1, 2, 3, 4, 5, 6, 8, 10, 12, 20),
    "strain": (0.0001, 0.004),
    "curvature": (0.001, 0.05),
    "number": (0.1, 10.0),
    "code": (1, 2, 3),
    "heat": (50.0, 400.0),
    "color": (0, 32, 64, 96, 128, 160, 192, 224, 255),
    "serial": (1, 2, 3),
    "dof_digits": (111111, 111000, 110000, 100000, 1000, 111110, 10000, 1),
}

REFERENCE_KINDS = ("node_id", "element_id", "material_id", "section_id", "thickness_id", "wall_id", "member_id")
NAME_KINDS = {
    "load_case_name": "db/STLD",
    "structure_group": "db/GRUP",
    "boundary_group": "db/BNGR",
    "load_group": "db/LDGR",
    "tendon_group": "db/TDGR",
    "story_name": "db/STOR",
    "stage_name": "db/STAG",
}


def tidy(rng: random.Random, low: float, high: float) -> Number:
    """A number between the two as people say it: on a step of 1, 2 or 5 times a power of ten, 10 to 50 to the span."""
    if low == high:
        return low
    span = high - low
    step = 10.0 ** math.floor(math.log10(span / 10.0))
    step *= rng.choice((1.0, 1.0, 2.0, 5.0, 0.5))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    if last < first:
        return clean((low + high) / 2)
    return clean(rng.randint(first, last) * step)


def clean(value: float) -> Number:
    """Without binary dust; whole numbers as integers."""
    value = float(f"{value:.10g}")
    return int(value) if value == int(value) and abs(value) < 1e15 else value


def list_size(schema: Schema, narrowed: Sequence[Schema], rng: random.Random, style: str) -> int:
    """How many members a sampled array gets."""
    low = max([schema.get("minItems", 0), *(n.get("minItems", 0) for n in narrowed)])
    highs = [s["maxItems"] for s in (schema, *narrowed) if "maxItems" in s]
    high = min(highs) if highs else None
    if high is not None and low == high:
        return low
    inner = schema.get("items") or {}
    usual = (1, 1, 1, 2, 3) if "properties" in inner else (1, 2, 2, 3, 4)
    if style == "minimal":
        usual = (1,) if "properties" in inner else (1, 2)
    size = max(low, rng.choice(usual))
    return size if high is None else min(size, high)


def leaf_value(
    schema: Schema, narrowed: Sequence[Schema], path: str, rng: random.Random, scene: Scene, style: str
) -> Any:
    """A value of one field. `narrowed` holds further schema parts that the value must satisfy."""
    note = schema.get(ANNOTATION, {})
    for part in (schema, *narrowed):
        if "const" in part:
            return part["const"]
    options = next((p["enum"] for p in (schema, *narrowed) if "enum" in p), None)
    if options is not None:
        for part in narrowed:
            options = [o for o in options if holds(_judged(part), o)] or options
        return rng.choice(options)
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "boolean":
        barred = [p["not"]["const"] for p in narrowed if "const" in p.get("not", {})]
        if True in barred:
            return False
        if False in barred:
            return True
        return rng.random() < 0.85 if schema.get("default") is not True else rng.random() < 0.2
    if kind in ("integer", "number"):
        return _number(schema, narrowed, note, kind, path, rng, scene, style)
    return _string(schema, narrowed, note, rng, scene)


def _judged(part: Schema) -> Schema:
    return {k: v for k, v in part.items() if k in ("enum", "const", "not", "minimum", "maximum", "exclusiveMinimum")}


def _number(
    schema: Schema,
    narrowed: Sequence[Schema],
    note: Schema,
    kind: str,
    path: str,
    rng: random.Random,
    scene: Scene,
    style: str,
) -> Number:
    semantic = note.get("kind", "number")
    if semantic in REFERENCE_KINDS:
        return scene.pick_id(semantic, rng)
    if semantic == "record_id":
        return scene.pick_id(f"record:{note.get('ref', '')}", rng)
    parts = (schema, *narrowed)
    low = max((p["minimum"] for p in parts if "minimum" in p), default=None)
    high = min((p["maximum"] for p in parts if "maximum" in p), default=None)
    above = max((p["exclusiveMinimum"] for p in parts if "exclusiveMinimum" in p), default=None)
    below = min((p["exclusiveMaximum"] for p in parts if "exclusiveMaximum" in p), default=None)

    def fits(value: Number) -> bool:
        return (
            (low is None or value >= low)
            and (high is None or value <= high)
            and (above is None or value > above)
            and (below is None or value < below)
            and all(holds(_judged(p), value) for p in narrowed)
        )

    typical = note.get("typical")
    for _ in range(12):
        value = _draw(typical, semantic, kind, rng, style)
        if fits(value):
            return value
    bottom = low if low is not None else (above if above is not None else (high or below or 10) - 10)
    top = high if high is not None else (below if below is not None else bottom + 10)
    for _ in range(30):
        value = rng.randint(math.ceil(bottom), max(math.ceil(bottom), math.floor(top))) if kind == "integer" else tidy(
            rng, bottom, top
        )
        if fits(value):
            return value
    return value


def _draw(typical: Schema | None, semantic: str, kind: str, rng: random.Random, style: str) -> Number:
    if typical and "values" in typical:
        value: Number = rng.choice(typical["values"])
    elif typical and "range" in typical:
        low, high = typical["range"]
        value = rng.randint(int(low), int(high)) if kind == "integer" else tidy(rng, low, high)
    else:
        spread = RANGES.get(semantic, RANGES["number"])
        if len(spread) == 2 and any(isinstance(v, float) for v in spread):
            value = tidy(rng, *spread)
        else:
            value = rng.choice(spread)
    if kind == "integer":
        return int(value) if value == int(value) else max(1, round(value))
    return value


def _string(
    schema: Schema, narrowed: Sequence[Schema], note: Schema, rng: random.Random, scene: Scene
) -> str:
    semantic = note.get("kind", "text")
    typical = note.get("typical", {}).get("values")
    barred = {p["not"]["const"] for p in narrowed if "const" in p.get("not", {})}
    if typical and semantic not in NAME_KINDS:
        return str(rng.choice([t for t in typical if t not in barred] or typical))
    if semantic in NAME_KINDS:
        return scene.pick_name(NAME_KINDS[semantic], rng)
    maker = STRINGS.get(semantic, _text)
    value = maker(schema, note, rng, scene)
    longest = schema.get("maxLength")
    return value[:longest] if longest else value


def _result_case(schema: Schema, note: Schema, rng: random.Random, scene: Scene) -> str:
    return f"{scene.pick_name('db/STLD', rng)}(ST)"


def _record_name(schema: Schema, note: Schema, rng: random.Random, scene: Scene) -> str:
    return scene.pick_name(note.get("ref", "record").split(".")[0], rng)


def _own_name(schema: Schema, note: Schema, rng: random.Random, scene: Scene) -> str:
    return rng.choice(scene.names("own"))


def _description(schema: Schema, note: Schema, rng: random.Random, scene: Scene) -> str:
    return str(rng.choice(facts("names")["description"][scene.lang]))


def _file_path(schema: Schema, note: Schema, rng: random.Random, scene: Scene) -> str:
    paths = facts("names")["path"]
    extension = rng.choice(note.get("extensions", ["json"]))
    return f"{rng.choice(paths['folders'])}{rng.choice(paths['files'])}.{extension}"


def _flags(schema: Schema, note: Schema, rng: random.Random, scene: Scene) -> str:
    return str(rng.choice(("1111110", "1111111", "1110000", "1100000", "0010000", "1010000", "0110000", "1111000")))


def _id_range(schema: Schema, note: Schema, rng: random.Random, scene: Scene) -> str:
    ids = scene.ids("node_id" if "node" in note.get("en", "") else "element_id")
    start = rng.randrange(len(ids) - 2)
    return f"{ids[start]}to{ids[min(len(ids) - 1, start + rng.randint(1, 40))]}"


def _from_pool(name: str) -> Callable[[Schema, Schema, random.Random, Scene], str]:
    def pick(schema: Schema, note: Schema, rng: random.Random, scene: Scene) -> str:
        pool = facts("names")[name]
        return str(rng.choice(pool if isinstance(pool, list) else pool[scene.lang]))

    return pick


def _text(schema: Schema, note: Schema, rng: random.Random, scene: Scene) -> str:
    return str(rng.choice(scene.names("own")))


STRINGS: dict[str, Callable[[Schema, Schema, random.Random, Scene], str]] = {
    "result_case_name": _result_case,
    "record_name": _record_name,
    "own_name": _own_name,
    "description": _description,
    "file_path": _file_path,
    "dof_flags": _flags,
    "id_range": _id_range,
    "person": _from_pool("person"),
    "company": _from_pool("company"),
    "date": _from_pool("date"),
    "code_name": _from_pool("code"),
    "db_standard": _from_pool("db_standard"),
    "grade": _from_pool("grade"),
    "section_db_name": _from_pool("section"),
    "shape": _from_pool("shape"),
    "color": _from_pool("color"),
}
