"""Our schemas carry every fact of the reference; each difference is known and has its reason."""

from __future__ import annotations

import json
from pathlib import Path

import fidelity
import jsonschema_rs
import pytest

from gennx.schemas.catalogue import Catalogue
from gennx.schemas.validation import bare

KNOWN = json.loads((Path(__file__).parent / "spec_differences.json").read_text("utf-8"))


@pytest.fixture(autouse=True)
def _reference(shared: Path) -> None:
    fidelity.SPEC = shared / "spec"


def test_index(catalogue: Catalogue) -> None:
    rows = {r["uri"]: r for r in json.loads((fidelity.SPEC / "index.json").read_text("utf-8"))}
    assert list(rows) == list(catalogue.endpoints)
    for uri, row in rows.items():
        endpoint = catalogue.endpoint(uri)
        assert (endpoint.tier, endpoint.category, endpoint.path_parameter) == (
            row["tier"],
            row["category"],
            row["path_parameter"],
        )
        if uri not in ("db/STYP", "db/SINF"):  # methods differ by source: GET and PUT are taken
            assert set(endpoint.methods) == set(row["methods"])


def test_every_fact_is_carried_over(catalogue: Catalogue) -> None:
    found = {}
    for endpoint in catalogue:
        _, theirs = fidelity.reference(endpoint.uri)
        known = set(KNOWN.get(endpoint.uri, {}).get("facts", {}))
        missing = set(fidelity.differences(theirs, endpoint.schema)) ^ known
        if missing:
            found[endpoint.uri] = sorted(missing)
    assert not found


def test_examples_are_accepted(catalogue: Catalogue) -> None:
    """All examples but those that the reference itself contradicts."""
    checked, found = 0, []
    for endpoint in catalogue:
        raw, _ = fidelity.reference(endpoint.uri)
        known = KNOWN.get(endpoint.uri, {}).get("examples", {})
        validator = jsonschema_rs.validator_for(bare(endpoint.schema))
        for name, body in fidelity.bodies(raw):
            checked += 1
            valid = all(validator.is_valid(r) for r in fidelity.records(endpoint.uri, body))
            if valid == (name in known):
                found.append(f"{endpoint.uri} {name}: {'accepted, but listed as wrong' if valid else 'refused'}")
    assert checked > 900
    assert not found


def test_differences_have_reasons() -> None:
    assert KNOWN
    for uri, kinds in KNOWN.items():
        for known in kinds.values():
            assert all(len(why) > 10 for why in known.values()), uri
