"""The model that a dialogue talks about: which numbers and names are in use.

References in sampled arguments are drawn from here, so node 12 is named only if there is one, and one dialogue calls one load case by one name.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from gennx.generators import names


class Scene:
    """What exists in one model. Cheap to make: names are drawn when first asked for and then kept."""

    def __init__(self, rng: random.Random, lang: str) -> None:
        self.rng = rng
        self.lang = lang
        self.first = {"node_id": rng.choice((1, 1, 1, 101, 1001)), "element_id": rng.choice((1, 1, 1, 101, 2001))}
        self.counts = {"node_id": rng.choice((24, 60, 120, 480)), "element_id": rng.choice((20, 48, 110, 520))}
        self._names: dict[str, list[str]] = {}
        self._taken: set[tuple[str, object]] = set()
        self._last: dict[str, int] = {}

    def start_list(self) -> None:
        """Begin a list of references: its members are to differ."""
        self._taken.clear()
        self._last.clear()

    def ids(self, kind: str) -> range:
        """All numbers in use for nodes, elements, materials and the like."""
        first = self.first.get(kind, 1)
        if kind not in self.counts:
            self.counts[kind] = self.rng.randint(3, 40)
        return range(first, first + self.counts[kind])

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
        if form < 0.55:
            start = rng.randrange(len(ids) - size + 1)
            return list(ids[start : start + size])
        steps = [s for s in (2, 3, 5, 10) if s * size < len(ids)]
        if form < 0.7 and steps:
            step = rng.choice(steps)
            start = rng.randrange(len(ids) - step * (size - 1))
            return list(ids[start : start + step * (size - 1) + 1 : step])
        return sorted(rng.sample(ids, size))

    def fix(self, table: str, name: str) -> None:
        """Have a table hold just this name."""
        self._names[table] = [name]

    def names(self, table: str) -> Sequence[str]:
        """The names in use in a table, e.g. those of the load cases."""
        if table not in self._names:
            self._names[table] = names.several(table, self.lang, self.rng, 5)
        return self._names[table]

    def pick_name(self, table: str, rng: random.Random) -> str:
        """One name in use; within a list the members differ while the names last."""
        known = self.names(table)
        free = [n for n in known if (table, n) not in self._taken] or list(known)
        pick = rng.choice(free)
        self._taken.add((table, pick))
        return pick
