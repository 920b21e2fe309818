"""What a run of `gennx-gen` is asked for, checked as a whole before anything is made."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from gennx.schemas.catalogue import METHODS, Catalogue, CatalogueError, Endpoint

METHOD_WEIGHTS = {"POST": 5.5, "PUT": 2.8, "GET": 1.0, "DELETE": 0.8}
"""How often each method's calls are asked for: creations and changes are harder to learn."""
TIER_WEIGHTS = {1: 20, 2: 8, 3: 2}
KINDS = {
    "single": 40,
    "parallel": 8,
    "chain": 15,
    "multi_turn": 10,
    "next_id": 9,
    "clarify": 6,
    "no_tool": 8,
    "repair": 2,
    "guard": 2,
    "session": 0,
}
"""Kinds of dialogue and their usual shares in per cent; `session` is for training sets, where it teaches most a token."""


COMPOSED = 0.0
"""Share of single requests composed from the catalogue's names where an endpoint has words of its own: data to be read has none, training sets take some."""


class BadSettings(Exception):
    """A setting that cannot be used; the message says which and how to mend it."""


@dataclass(frozen=True)
class Settings:
    """One run. `per_api` is None for the tiers' own weights; `distractors` the fewest and most look-alikes."""

    tiers: tuple[int, ...] = ()
    endpoints: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    per_api: int | None = None
    lang: str = "mix"
    distractors: tuple[int, int] = (4, 4)
    max_tokens: int = 2048
    seed: int = 0
    tool_names: str = "path"
    holdout_endpoints: int | tuple[str, ...] = 0
    """How many endpoints training never sees, or which."""
    kinds: dict[str, float] = field(default_factory=lambda: dict(KINDS))
    composed: float = COMPOSED
    templates: str | None = None
    focus: dict[str, float] = field(default_factory=dict)
    """Endpoint -> how many times the usual number of dialogues it gets."""

    def chosen(self, catalogue: Catalogue) -> list[Endpoint]:
        """The endpoints of the run. Raises BadSettings for an unknown one or an empty choice."""
        if self.endpoints:
            try:
                picked = [catalogue.endpoint(u) for u in self.endpoints]
            except CatalogueError as error:
                raise BadSettings(f"--endpoint: {error}") from None
        else:
            picked = catalogue.select(tiers=self.tiers or (1,))
        wanted = [e for e in dict.fromkeys(picked) if not self.methods or set(self.methods) & set(e.methods)]
        if not wanted:
            raise BadSettings(
                f"no endpoint of this choice has a method of {', '.join(self.methods)}; --method takes {', '.join(METHODS)}"
            )
        held = self.holdout_endpoints
        if isinstance(held, tuple):
            try:
                outside = [e.uri for e in map(catalogue.endpoint, held) if e not in wanted]
            except CatalogueError as error:
                raise BadSettings(f"--holdout-endpoints: {error}") from None
            if outside:
                raise BadSettings(
                    f"--holdout-endpoints {outside[0]}: not an endpoint of this run; add its tier, or leave it out"
                )
        count = held if isinstance(held, int) else len(held)
        if count >= len(wanted):
            raise BadSettings(f"--holdout-endpoints {count}: the run has {len(wanted)} endpoints, hold out fewer")
        return wanted

    def count(self, endpoint: Endpoint) -> int:
        """Dialogues of an endpoint."""
        usual = self.per_api if self.per_api is not None else TIER_WEIGHTS[endpoint.tier]
        return max(1, round(usual * self.focus.get(endpoint.uri, 1.0)))

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "tiers": list(self.tiers), "distractors": list(self.distractors)}

    def fingerprint(self) -> str:
        """Short name of everything that decides the data, the package's own words and code included."""
        return hashlib.blake2s(
            f"{json.dumps(self.as_dict(), sort_keys=True)}\n{package_digest()}".encode(), digest_size=8
        ).hexdigest()


@lru_cache(maxsize=1)
def package_digest() -> str:
    """Digest over names and sizes of the package's data and code, so that parts of an older version are not taken up."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.blake2s(digest_size=8)
    for folder in ("generators", "templates", "schemas"):
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                stat = path.stat()
                digest.update(f"{path.relative_to(root).as_posix()} {stat.st_size} {int(stat.st_mtime)}\n".encode())
    return digest.hexdigest()
