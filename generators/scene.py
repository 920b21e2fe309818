"""The model that a dialogue talks about: which nodes, elements, properties, cases and names exist.

References in sampled arguments are drawn from here, so node 12 is named only if there is one, and one dialogue calls
one load case by one name.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

FACTS = Path(__file__).resolve().parent / "facts"


@lru_cache(maxsize=32)
def facts(name: str) -> Any:
    """A table of engineering facts, `facts/<name>.json`; each file says where its facts come from."""
    return json.loads((FACTS / f"{name}.json").read_text("utf-8"))["data"]


class Scene:
    """What exists in one model. Cheap to make: names are drawn when first asked for and then kept."""

    def __init__(self, rng: random.Random, lang: str) -> None:
        self.rng = rng
        self.lang = lang
        self.first_node = rng.choice((1, 1, 1, 1, 101, 1001))
        self.nodes = rng.choice((24, 60, 120, 240, 480))
        self.first_element = rng.choice((1, 1, 1, 1, 101, 2001))
        self.elements = rng.choice((20, 48, 110, 230, 520))
        self.counts = {
            "material_id": rng.randint(3, 9),
            "section_id": rng.randint(6, 30),
            "thickness_id": rng.randint(3, 8),
            "wall_id": rng.randint(4, 20),
            "member_id": rng.randint(5, 40),
        }
        self._names: dict[str, list[str]] = {}
        self._taken: set[Any] = set()
        self._last: dict[str, int] = {}
        self.parts: set[str] = set()

    def start_list(self, path: str) -> None:
        """Begin a list of references: its members are to differ."""
        self._taken.clear()
        self._last.clear()

    def ids(self, kind: str) -> range:
        """All numbers in use for nodes, elements, materials and the like."""
        if kind == "node_id":
            return range(self.first_node, self.first_node + self.nodes)
        if kind == "element_id":
            return range(self.first_element, self.first_element + self.elements)
        return range(1, 1 + self.counts.get(kind, 12))

    def pick_id(self, kind: str, rng: random.Random) -> int:
        """One number in use; within a list mostly the neighbour of the last, as people write them."""
        ids = self.ids(kind)
        last = self._last.get(kind)
        pick = ids[rng.randrange(len(ids))]
        if last is not None and rng.random() < 0.6 and last + 1 in ids:
            pick = last + 1
        for _ in range(20):
            if (kind, pick) not in self._taken:
                break
            pick = ids[rng.randrange(len(ids))]
        self._taken.add((kind, pick))
        self._last[kind] = pick
        return pick

    def id_run(self, kind: str, rng: random.Random, most: int = 8) -> list[int]:
        """Some numbers in use, rising: neighbours, evenly spaced ones or scattered ones."""
        ids = self.ids(kind)
        size = rng.randint(2, min(most, len(ids)))
        form = rng.random()
        if form < 0.5:
            start = rng.randrange(len(ids) - size + 1)
            return list(ids[start : start + size])
        if form < 0.65 and len(ids) > size * 2:
            step = rng.choice([s for s in (2, 3, 4, 5, 10) if s * size < len(ids)] or [1])
            start = rng.randrange(len(ids) - step * (size - 1))
            return list(ids[start : start + step * (size - 1) + 1 : step])
        return sorted(rng.sample(ids, size))

    def names(self, table: str) -> Sequence[str]:
        """The names in use in a table, e.g. those of the load cases."""
        if table not in self._names:
            pools = facts("names")
            pool = pools.get(table) or pools["record"]
            options = pool.get(self.lang) or pool["any"]
            group = self.rng.choice(options)
            self._names[table] = list(group)
        return self._names[table]

    def pick_name(self, table: str, rng: random.Random) -> str:
        """One name in use; within a list the members differ while the names last."""
        names = self.names(table)
        free = [n for n in names if (table, n) not in self._taken] or list(names)
        pick = rng.choice(free)
        self._taken.add((table, pick))
        return pick
