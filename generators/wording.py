"""How wide and how clean the words of a data set are: skeletons, near-duplicates, particles, names of the API.

A skeleton is a request with its values masked. Near-duplicates are pairs of skeletons whose MinHash estimate of the Jaccard index over character
trigrams is above 0.8 (Broder 1997), found by locality-sensitive hashing (`datasketch`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from gennx.generators.lint import leak_words
from gennx.generators.manifest import skeleton
from gennx.generators.particles import wrong_particles
from gennx.schemas import load_catalogue

ALIKE = 0.8
PERMUTATIONS = 64


@dataclass
class Wording:
    """Measures over the requests of a data set; shares are of the requests of a language."""

    requests: int = 0
    distinct: int = 0
    largest_skeleton: dict[str, float] = field(default_factory=dict)
    near_duplicates: float = 0.0
    """Share of requests that have a near-duplicate before them."""
    wrong_particles: list[str] = field(default_factory=list)
    leaks: float = 0.0
    """Share of requests with names that only the API uses."""


def measure(rows: Iterable[dict[str, Any]]) -> Wording:
    """Measure the users' words of dialogues; the later turns of a talk count with the first. Raises ModuleNotFoundError without datasketch."""
    catalogue = load_catalogue()
    keys = {e.uri: leak_words(e) for e in catalogue}
    texts: list[tuple[str, str]] = []
    wrong: list[str] = []
    leaks = 0
    for row in rows:
        text = "\n".join(m["content"] for m in row["messages"] if m["role"] == "user")
        meta = row["meta"]
        texts.append((meta["language"], text))
        if meta["language"] == "ko":
            wrong += wrong_particles(text)
        words = set(re.findall(r"[A-Za-z_][A-Za-z0-9_]+", text))
        leaks += bool(words & keys.get(meta["endpoint"], set()))
    skeletons = [(lang, skeleton(text)) for lang, text in texts]
    total = max(1, len(texts))
    return Wording(
        len(texts),
        len({t for _, t in texts}),
        {lang: _largest([s for x, s in skeletons if x == lang]) for lang in sorted({x for x, _ in skeletons})},
        _near_duplicates([s for _, s in skeletons]) / total,
        wrong,
        leaks / total,
    )


def _largest(skeletons: list[str]) -> float:
    """Share of the commonest skeleton."""
    return Counter(skeletons).most_common(1)[0][1] / len(skeletons) if skeletons else 0.0


def _near_duplicates(skeletons: list[str]) -> int:
    """How many skeletons have one much like them before them."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=ALIKE, num_perm=PERMUTATIONS)
    sketches: dict[str, Any] = {}
    found = 0
    for number, text in enumerate(skeletons):
        plain = re.sub(r"\s+", " ", text)
        sketch = MinHash(num_perm=PERMUTATIONS)
        sketch.update_batch([plain[i : i + 3].encode() for i in range(max(1, len(plain) - 2))])
        found += any(sketches[other].jaccard(sketch) > ALIKE for other in index.query(sketch))
        sketches[str(number)] = sketch
        index.insert(str(number), sketch)
    return found
