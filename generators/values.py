"""Values as an engineer would give them, by what the catalogue says of a field: kind, dimension, typical values, reference.

Numbers are in model units (kN, m, degrees, seconds, Celsius) and rounded as people say them.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Sequence
from typing import Any

from gennx.generators import names
from gennx.generators.conditions import Schema, holds
from gennx.generators.leaves import NUMBERED
from gennx.generators.scene import Scene

Number = int | float
FLAGS = (
    "1111110",
    "1111111",
    "1110000",
    "1100000",
    "0010000",
    "1010000",
    "0110000",
    "1111000",
    "1110010",
    "0101010",
    "1000110",
    "0001110",
)


def tidy(rng: random.Random, low: float, high: float) -> Number:
    """A number between the two as people say it: on a step of 1, 2 or 5 times a power of ten, 10 to 50 to the span."""
    if low >= high:
        return clean(low)
    step = 10.0 ** math.floor(math.log10((high - low) / 10.0)) * rng.choice((1.0, 1.0, 2.0, 5.0, 0.5))
    if low > 0 and high / low > 200:  # magnitudes rather than an even spread
        value = math.exp(rng.uniform(math.log(low), math.log(high)))
        step = 10.0 ** (math.floor(math.log10(value)) - 1)
        return clean(max(low, min(high, round(value / step) * step)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return clean(rng.randint(first, last) * step) if last >= first else clean((low + high) / 2)


def clean(value: float) -> Number:
    """Without binary dust; whole numbers as integers."""
    value = float(f"{value:.10g}")
    return int(value) if value == int(value) and abs(value) < 1e15 else value


def list_size(schema: Schema, narrowed: Sequence[Schema], rng: random.Random, style: str) -> int:
    """How many members a sampled array gets."""
    low: int = max([schema.get("minItems", 0), *(n.get("minItems", 0) for n in narrowed)])
    highs = [s["maxItems"] for s in (schema, *narrowed) if "maxItems" in s]
    high = min(highs) if highs else None
    if high is not None and low >= high:
        return low
    inner = schema.get("items") or {}
    usual: tuple[int, ...] = (1, 1, 1, 2, 3) if "properties" in inner else (1, 2, 2, 3, 4)
    if style == "minimal":
        usual = (1,) if "properties" in inner else (1, 2)
    size = max(low, rng.choice(usual))
    return size if high is None else min(size, high)


def leaf_value(schema: Schema, narrowed: Sequence[Schema], note: Schema, rng: random.Random, scene: Scene) -> Any:
    """A value of one field. `narrowed` holds further schema parts that the value must satisfy."""
    for part in (schema, *narrowed):
        if "const" in part:
            return part["const"]
    pools = [p["enum"] for p in (schema, *narrowed) if "enum" in p]
    if pools:
        options = [
            o for o in pools[0] if all(o in p for p in pools[1:]) and all(holds(_judged(p), o) for p in narrowed)
        ]
        typical = [o for o in note.get("typical", {}).get("values", ()) if o in options]
        return rng.choice(typical if typical and rng.random() < 0.5 else options or pools[0])
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "boolean":
        fits = [v for v in (True, False) if all(holds(_judged(p), v) for p in narrowed)]
        if len(fits) == 1:
            return fits[0]
        return rng.random() < (0.2 if schema.get("default") is True else 0.85)
    if kind in ("integer", "number"):
        return _number(schema, narrowed, note, kind, rng, scene)
    return _string(schema, narrowed, note, rng, scene)


def _judged(part: Schema) -> Schema:
    return {
        k: v
        for k, v in part.items()
        if k in ("enum", "const", "not", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
    }


def _number(
    schema: Schema, narrowed: Sequence[Schema], note: Schema, kind: str, rng: random.Random, scene: Scene
) -> Number:
    semantic = note.get("kind", "number")
    if semantic in NUMBERED:
        return scene.pick_id(f"record:{note.get('ref', '')}" if semantic == "record_id" else semantic, rng)
    if semantic == "color":
        return rng.choice((0, 32, 64, 90, 128, 160, 192, 224, 255))
    parts = (schema, *narrowed)
    low = max((p["minimum"] for p in parts if "minimum" in p), default=None)
    high = min((p["maximum"] for p in parts if "maximum" in p), default=None)
    above = max((p["exclusiveMinimum"] for p in parts if "exclusiveMinimum" in p), default=None)
    below = min((p["exclusiveMaximum"] for p in parts if "exclusiveMaximum" in p), default=None)
    multiple = schema.get("multipleOf")

    def fits(value: Number) -> bool:
        return (
            (low is None or value >= low)
            and (high is None or value <= high)
            and (above is None or value > above)
            and (below is None or value < below)
            and (multiple is None or value % multiple == 0)
            and all(holds(_judged(p), value) for p in narrowed)
        )

    value: Number = 0
    for _ in range(14):
        value = _draw(note.get("typical", {}), kind, rng)
        if fits(value):
            return value
    bottom = (
        low
        if low is not None
        else above
        if above is not None
        else (high if high is not None else below if below is not None else 10) - 10
    )
    top = high if high is not None else below if below is not None else bottom + 10
    for _ in range(40):
        value = (
            rng.randint(math.ceil(bottom), max(math.ceil(bottom), math.floor(top)))
            if kind == "integer"
            else tidy(rng, bottom, top)
        )
        if fits(value):
            return value
    return value


def _draw(typical: Schema, kind: str, rng: random.Random) -> Number:
    if "values" in typical:
        value: Number = rng.choice(typical["values"])
    elif "range" in typical:
        low, high = typical["range"]
        value = (
            rng.randint(math.ceil(low), max(math.ceil(low), math.floor(high)))
            if kind == "integer"
            else tidy(rng, low, high)
        )
    else:
        value = rng.randint(1, 9)
    if kind == "integer":
        return int(value) if value == int(value) else max(1, round(value))
    return value


def _string(schema: Schema, narrowed: Sequence[Schema], note: Schema, rng: random.Random, scene: Scene) -> str:
    semantic = note.get("kind", "text")
    barred = {p["not"]["const"] for p in narrowed if "const" in p.get("not", {})} | {
        o for p in narrowed for o in p.get("not", {}).get("enum", ())
    }
    typical = [t for t in note.get("typical", {}).get("values", ()) if t not in barred]
    if typical and semantic not in ("name_ref", "own_name", "story_name"):
        return str(rng.choice(typical))
    patterns = [p["pattern"] for p in (schema, *narrowed) if "pattern" in p]
    if "^[1-9][0-9]*$" in patterns:  # a number written as text
        return str(scene.pick_id("record:text", rng))
    if "^[0-5]$" in patterns:
        return str(rng.randint(0, 5))
    if patterns and semantic == "dof_flags":
        schema = {**schema, "pattern": patterns[-1]}
    given = [c for p in narrowed for c in _constants(p) if all(holds(_judged(q), c) for q in narrowed)]
    if given and not all(holds(_judged(q), "x") for q in narrowed):
        return str(rng.choice(given))
    value = STRINGS.get(semantic, _text)(schema, note, rng, scene)
    longest = schema.get("maxLength")
    return value[:longest] if longest else value


def _constants(part: Any) -> list[str]:
    """Every text that a schema part names, however deep."""
    if isinstance(part, dict):
        own = [part["const"]] if isinstance(part.get("const"), str) else []
        return own + [c for v in part.values() for c in _constants(v)]
    return [c for v in part for c in _constants(v)] if isinstance(part, list) else []


def _name_ref(schema: Schema, note: Schema, rng: random.Random, scene: Scene) -> str:
    return scene.pick_name(str(note.get("ref", "own")).split(".")[0], rng)


def _result_case(schema: Schema, note: Schema, rng: random.Random, scene: Scene) -> str:
    return f"{scene.pick_name('db/STLD', rng)}(ST)"


def _story(schema: Schema, note: Schema, rng: random.Random, scene: Scene) -> str:
    return str(rng.choice(names.facts("stories")["floors"]))


def _flags(schema: Schema, note: Schema, rng: random.Random, scene: Scene) -> str:
    flags = rng.choice(FLAGS)
    pattern = schema.get("pattern", "")
    found = re.search(r"\{(\d)\}", pattern)
    return flags[: int(found[1])] if found else flags


def _id_range(schema: Schema, note: Schema, rng: random.Random, scene: Scene) -> str:
    start = rng.randint(1, 400)
    return f"{start}to{start + rng.randint(2, 40)}"


def _path(schema: Schema, note: Schema, rng: random.Random, scene: Scene) -> str:
    return names.path(rng.choice(note.get("extensions") or ("json",)), rng)


def _pool(name: str) -> Callable[[Schema, Schema, random.Random, Scene], str]:
    def pick(schema: Schema, note: Schema, rng: random.Random, scene: Scene) -> str:
        pool = names.facts("names")[name]
        return str(rng.choice(pool if isinstance(pool, list) else pool[scene.lang]))

    return pick


def _text(schema: Schema, note: Schema, rng: random.Random, scene: Scene) -> str:
    return names.fresh("own", scene.lang, rng)


STRINGS: dict[str, Callable[[Schema, Schema, random.Random, Scene], str]] = {
    "name_ref": _name_ref,
    "result_case": _result_case,
    "own_name": _text,
    "story_name": _story,
    "description": _pool("description"),
    "file_path": _path,
    "dof_flags": _flags,
    "id_range": _id_range,
    "person": _pool("person"),
    "company": _pool("company"),
    "date": _pool("date"),
    "code_name": _pool("code"),
    "standard": _pool("db_standard"),
    "grade": _pool("grade"),
    "section_name": _pool("section"),
    "shape": _pool("shape"),
}
