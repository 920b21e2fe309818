"""Shared fixtures: the catalogue, a small data set made once, the reference folder where there is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from gennx.schemas import load_catalogue
from gennx.schemas.catalogue import Catalogue

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The reference folder beside the authors' checkout; a stranger's clone has none."""
    if not (SHARED / "spec" / "index.json").exists():
        pytest.skip("no ../shared beside this checkout")
    return SHARED
