"""The catalogue: annotations fit their meta-schema, tools are the 922, definitions are short, both validators agree."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from jsonschema import Draft202012Validator

from gennx.generators.definitions import Definitions
from gennx.generators.lexicon import fields_of
from gennx.generators.sampler import STYLES, SamplingError, sample_record
from gennx.generators.scene import Scene
from gennx.schemas import CatalogueError, Validation
from gennx.schemas.catalogue import Catalogue
from gennx.schemas.rules import rules_page
from gennx.schemas.validation import bare

SCHEMAS = Path(__file__).resolve().parents[1] / "schemas"


def _annotations(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, list):
        for inner in node:
            yield from _annotations(inner)
    elif isinstance(node, dict):
        if isinstance(node.get("x-gennx"), dict):
            yield node["x-gennx"]
        for key, inner in node.items():
            if key != "x-gennx":
                yield from _annotations(inner)


def test_annotations_fit_their_meta_schema() -> None:
    meta = json.loads((SCHEMAS / "annotation.json").read_text("utf-8"))
    kinds = {
        k: jsonschema_rs.validator_for({**meta["$defs"][k], "$defs": meta["$defs"]})
        for k in ("endpoint", "field", "rule")
    }
    files = sorted((SCHEMAS / "endpoints").rglob("*.json"))
    assert len(files) == 273
    for path in files:
        top, *rest = _annotations(json.loads(path.read_text("utf-8")))
        assert kinds["endpoint"].is_valid(top), path
        for note in rest:
            assert kinds["rule" if "why" in note else "field"].is_valid(note), f"{path}: {note}"


def test_codes_of_one_field_have_different_names(catalogue: Catalogue) -> None:
    named = 0
    for endpoint in catalogue:
        for path, schema in fields_of(endpoint.schema):
            members = schema.get("x-gennx", {}).get("enum", {})
            for lang in ("ko", "en"):
                names = Counter(m[lang].strip().lower() for m in members.values())
                assert all(n == 1 for n in names.values()), f"{endpoint.uri} {path} {lang}: {names.most_common(1)}"
            named += len(members)
    assert named > 3500


def test_tools(catalogue: Catalogue) -> None:
    by_tier = Counter(t.endpoint.tier for t in catalogue.tools.values())
    assert (len(catalogue.tools), by_tier) == (922, {1: 444, 2: 302, 3: 176})
    assert len(catalogue.snake_tools) == 922
    tool = catalogue.tool("db/CONS", "POST")
    assert (tool.name, tool.snake_name, tool.url()) == ("POST /db/cons", "post_db_cons", "/db/CONS")
    assert catalogue.tool("db/NODE", "DELETE").url([3, 4]) == "/db/NODE/3,4"
    validation = Validation()
    assert not validation.valid(catalogue.tool("db/NODE", "DELETE"), {"ids": []})
    assert validation.valid(catalogue.tool("db/NODE", "GET"), {"ids": []})
    with pytest.raises(CatalogueError, match="did you mean"):
        catalogue.endpoint("db/NODES")


@pytest.mark.parametrize(
    ("uri", "record", "ok"),
    [
        ("db/CONS", {"ITEMS": [{"CONSTRAINT": "1110000"}]}, True),
        ("db/CONS", {"ITEMS": [{"CONSTRAINT": "111000"}]}, False),
        ("db/DOEL", {"TYPE": 1, "KEY_DOMAIN": 2}, True),
        ("db/DOEL", {"TYPE": 0, "KEY_DOMAIN": 2}, False),
        ("db/TDMF", {"NAME": "C", "FTYPE": "CREEP", "SCALE": 1, "vDAY": [{"DAY": 1, "VALUE": 1}]}, False),
        ("db/PRES", {"ITEMS": [{"LCNAME": "L", "FACE_EDGE_TYPE": "FACE", "EDGE_LOADS": [1, 0, 0]}]}, False),
        (
            "db/PRES",
            {"ITEMS": [{"LCNAME": "L", "FACE_EDGE_TYPE": "FACE", "DIRECTION": "VECTOR", "FORCES": [1, 0, 0, 0, 0]}]},
            False,
        ),
        ("db/NODE", {"x": 1}, False),
    ],
)
def test_prose_is_enforced(catalogue: Catalogue, uri: str, record: dict[str, Any], ok: bool) -> None:
    assert Validation().valid(catalogue.tool(uri, "POST"), {"Assign": {"1": record}}) is ok


def test_an_error_names_field_rule_and_allowed_values(catalogue: Catalogue) -> None:
    tool = catalogue.tool("db/STLD", "POST")
    (problem,) = Validation().problems(tool, {"Assign": {"1": {"NAME": "DL", "TYPE": "DEAD"}}})
    assert "POST /db/stld /Assign/1/TYPE" in str(problem) and "'DEAD'" in str(problem) and "Allowed: " in str(problem)


def test_rules_page_is_current(catalogue: Catalogue) -> None:
    assert (SCHEMAS / "rules.md").read_text("utf-8") == rules_page(catalogue), (
        "run: gennx-catalog rules --out schemas/rules.md"
    )


def test_definitions_are_short(catalogue: Catalogue) -> None:
    """Median under 300 tokens, at most 1,200 by Qwen2.5's tokenizer."""
    definitions = Definitions(catalogue)
    sizes = sorted(definitions.shown(t)[1] for t in catalogue.tools.values())
    assert sizes[len(sizes) // 2] < 300
    assert sizes[-1] <= 1200


def _broken(record: Any, rng: random.Random) -> Any:
    """A record with one thing changed: a field gone, a stranger, a wrong type or value."""
    if not isinstance(record, dict) or not record:
        return rng.choice([None, 1, "x", []])
    key = rng.choice(list(record))
    out = dict(record)
    match rng.randrange(5):
        case 0:
            del out[key]
        case 1:
            out["NO_SUCH_FIELD"] = 1
        case 2:
            out[key] = rng.choice([None, True, -1, "?", [], {}])
        case 3 if isinstance(out[key], (dict, list)) and out[key]:
            inner = out[key]
            out[key] = _broken(inner, rng) if isinstance(inner, dict) else [_broken(inner[0], rng), *inner[1:]]
        case _:
            out[key] = [out[key]]
    return out


def test_both_validators_agree(catalogue: Catalogue) -> None:
    """jsonschema, the reference, and jsonschema-rs give one verdict on 20,000 sampled and broken records."""
    count, refused = 0, 0
    for number, endpoint in enumerate(catalogue):
        reference = Draft202012Validator(endpoint.schema)
        fast = jsonschema_rs.validator_for(bare(endpoint.schema))
        for index in range(37):
            rng = random.Random(f"{number}/{index}")
            try:
                record = sample_record(endpoint, rng, Scene(rng, "ko"), STYLES[index % 4])
            except SamplingError:
                continue
            for body in (record, _broken(record, rng)):
                verdict = fast.is_valid(body)
                assert reference.is_valid(body) is verdict, f"{endpoint.uri}: {body}"
                count += 1
                refused += not verdict
    assert count >= 20_000
    assert refused > count // 4
