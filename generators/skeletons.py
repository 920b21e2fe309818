"""How many different sentences a tool's words can make: distinct skeletons (requests with their values masked) in so many draws."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gennx.generators.bank import Bank
from gennx.generators.manifest import skeleton
from gennx.generators.single import Maker, Want
from gennx.schemas.catalogue import Catalogue, Endpoint, Tool

DRAWS = 1000
WANTED = {1: (300, 120), 2: (150, 60), 3: (80, 40)}
"""Tier -> skeletons wanted in 1,000 draws of a tool that creates or runs, and of the others."""


@dataclass(frozen=True, slots=True)
class Width:
    """`made` requests of a tool in `draws` draws, two thirds Korean, and how many skeletons they have."""

    tool: Tool
    draws: int
    made: int
    skeletons: int

    @property
    def wanted(self) -> int:
        """As many as the tool should have, for fewer draws in proportion."""
        creating, other = WANTED[self.tool.endpoint.tier]
        return round((creating if self.tool.method == "POST" else other) * self.draws / DRAWS)


def widths(
    catalogue: Catalogue, endpoints: list[Endpoint], draws: int, seed: int, templates: Path | None = None
) -> Iterator[Width]:
    """A `Width` for every tool of the endpoints."""
    maker = Maker(catalogue, Bank(templates))
    for endpoint in endpoints:
        for method in endpoint.methods:
            tool, found, made = Tool(endpoint, method), set(), 0
            for index in range(draws):
                rng = random.Random(f"{seed}/{tool.name}/{index}")
                case = maker.case(tool, "en" if index % 3 == 2 else "ko", rng, Want(turn=index, held_out=None))
                if case is not None:
                    made += 1
                    found.add(skeleton(case.text))
            yield Width(tool, draws, made, len(found))
        maker.forget(endpoint)
