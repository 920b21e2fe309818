"""Samplers: every record valid, every field and code reachable, one stream a record."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from gennx.generators.sampler import STYLES, Focus, SamplingError, focus_list, sample_record
from gennx.generators.scene import Scene
from gennx.generators.single import sample_arguments
from gennx.schemas import Validation, load_catalogue
from gennx.schemas.catalogue import Catalogue, Endpoint

TOOLS = list(load_catalogue().tools.values())
# By the reference's own conditions these fields can stand in no record: SODSTIFF of a tapered section's j-end, flange data of a concrete material.
UNREACHABLE = {"db/SECT": "SODSTIFF", "db/MATD": "_DESIGN"}


@given(tool=st.sampled_from(TOOLS), seed=st.integers(0, 2**32), style=st.sampled_from(STYLES), turn=st.integers(0, 500))
@settings(max_examples=400, deadline=None, derandomize=True)
def test_sampled_arguments_are_valid(tool, seed, style, turn) -> None:  # type: ignore[no-untyped-def]
    try:
        arguments = sample_arguments(tool, "ko", random.Random(seed), style, turn)
    except SamplingError:
        assert tool.endpoint.uri in UNREACHABLE
        return
    if tool.method == "PUT":  # which fields a change may hold is settled by the maker, which checks
        return
    assert Draft202012Validator(tool.arguments).is_valid(arguments), (tool.name, arguments)


def test_same_seed_same_record(catalogue: Catalogue) -> None:
    endpoint = catalogue.endpoint("db/BMLD")

    def draw(seed: int) -> object:
        rng = random.Random(seed)
        return sample_record(endpoint, rng, Scene(rng, "ko"), "typical")

    assert draw(5) == draw(5)
    assert len({str(draw(s)) for s in range(20)}) > 15


def _reached(endpoint: Endpoint, focus: Focus, turn: int) -> bool:
    rng = random.Random(f"{endpoint.uri}/{focus.path}/{turn}")
    try:
        sample_record(endpoint, rng, Scene(rng, "ko"), STYLES[turn % 4], focus)
    except SamplingError:
        return False
    return True


@pytest.mark.parametrize("part", range(4))
def test_every_field_and_code_occurs(catalogue: Catalogue, part: int) -> None:
    """A sample with each optional field and each member of each code, so that turns through them reach all."""
    missing = []
    for number, endpoint in enumerate(catalogue):
        if number % 4 != part:
            continue
        for focus in focus_list(endpoint):
            rng = random.Random(f"{endpoint.uri}/{focus.path}")
            try:
                sample_record(endpoint, rng, Scene(rng, "ko"), "typical", focus)
            except SamplingError:
                if UNREACHABLE.get(endpoint.uri, "\0") not in focus.path:
                    missing.append((endpoint.uri, focus.path, focus.wants.get(focus.path)))
    assert not missing


def test_references_stay_within_the_scene(catalogue: Catalogue) -> None:
    endpoint = catalogue.endpoint("db/ELEM")
    for seed in range(50):
        rng = random.Random(seed)
        scene = Scene(rng, "ko")
        record = sample_record(endpoint, rng, scene, "typical")
        assert set(record.get("NODE", [])) <= set(scene.ids("node_id"))


def test_validation_counts_tools() -> None:
    assert len(TOOLS) == 922
    assert Validation().valid(TOOLS[0], {}) is False
