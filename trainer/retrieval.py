"""Which of the 922 tools a request is about: a ranking by words, offline, in well under a millisecond.

Every phrasing, name and purpose of an endpoint is a weighted bag of words (TF-IDF, unit length); an endpoint is the
mean of its bags, and a request is held against all of them at once. What verbs ask for (create, read, change, remove)
is learned from the same phrasings. A request of several parts is ranked as a whole and part by part. BM25 over the
same texts was tried first and finds less (docs/EVALUATION.md).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gennx.schemas.catalogue import METHODS, Catalogue, Endpoint, Tool, load_catalogue

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
Floats = npt.NDArray[np.float32]
NAME_COPIES = 3
"""A name counts as much as this many phrasings."""
METHOD_WEIGHT, METHOD_HEAT = 0.6, 4.0
"""Weight of the verb beside the endpoint; the higher the heat, the less sure it is."""
PART_WEIGHT, PART_WORDS = 0.6, 3
EVERYDAY_WEIGHT = 0.2
EVERYDAY = frozenset({
    "db/NODE", "db/ELEM", "db/CONS", "db/STLD", "db/CNLD", "db/BMLD", "db/GRUP", "db/MATL", "db/SECT", "db/THIK", "db/BODF",
    "db/NMAS", "db/BNGR", "db/LDGR", "db/UNIT", "db/EIGV", "db/LCOM-GEN", "doc/SAVE", "doc/ANAL", "doc/NEW", "doc/OPEN",
    "post/TABLE", "view/SELECT",
})  # fmt: skip
_WORD = re.compile(r"[가-힣]+|[a-z]+")
_PART = re.compile(
    r"[\n.;!?,]|그리고|그 ?다음|다음에|하고|이랑|(?<=[가-힣])고 |\b(?:and|then|after|also)\b", re.IGNORECASE
)
_ENDING = re.compile(r"(?<=\w{3})(ing|ed|(?<=[sxz])es|(?<=[cs]h)es|(?<!s)s)$")


def words(text: str) -> list[str]:
    """Pairs of neighbouring syllables of Korean words, which need no dictionary; English words without endings."""
    out: list[str] = []
    for word in _WORD.findall(text.lower()):
        if word[0] >= "가":
            out += [word[i : i + 2] for i in range(len(word) - 1)] or [word]
        elif len(word) > 1:
            out.append(_ENDING.sub("", word))
    return out


def phrasings(endpoint: Endpoint) -> Iterator[tuple[str, str]]:
    """(method, request) of the endpoint's phrasings; none where the templates are absent."""
    folder = endpoint.uri.replace("{", "_").replace("}", "_").replace(" ", "_")
    path = TEMPLATES / folder / "requests.jsonl"
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.strip():
                row = json.loads(line)
                yield row["method"], row["user"]


class Ranker:
    """The index; built in about half a second."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.tools = list(catalogue.tools.values())
        endpoints = list(catalogue)
        place = {endpoint.uri: index for index, endpoint in enumerate(endpoints)}
        bags: list[list[int]] = []
        owners: list[int] = []
        self.vocabulary: dict[str, int] = {}
        verbs: list[tuple[int, list[int]]] = []
        for index, endpoint in enumerate(endpoints):
            names = " ".join((endpoint.ko, endpoint.en, *endpoint.aka_ko, *endpoint.aka_en))
            texts = [names] * NAME_COPIES + [f"{endpoint.about_ko} {endpoint.about_en}"]
            own = [self._learn(text) for text in texts]
            for method, text in phrasings(endpoint):
                own.append(self._learn(text))
                verbs.append((METHODS.index(method), own[-1]))
            bags += own
            owners += [index] * len(own)
        self._endpoint_of = np.array([place[tool.endpoint.uri] for tool in self.tools])
        self._method_of = np.array([METHODS.index(tool.method) for tool in self.tools])
        self._everyday = EVERYDAY_WEIGHT * np.array([e.uri in EVERYDAY for e in endpoints], np.float32)
        self._weigh(bags, owners, len(endpoints))
        self._weigh_verbs(verbs)

    def _learn(self, text: str) -> list[int]:
        """Numbers of a text's distinct words; new words are taken in."""
        return [self.vocabulary.setdefault(word, len(self.vocabulary)) for word in dict.fromkeys(words(text))]

    def _weigh(self, bags: Sequence[list[int]], owners: Sequence[int], count: int) -> None:
        found = np.bincount(np.concatenate([np.array(bag, int) for bag in bags]), minlength=len(self.vocabulary))
        self._rarity: Floats = np.log((len(bags) + 1) / (found + 0.5)).astype(np.float32)
        means = np.zeros((len(self.vocabulary), count), np.float32)
        for bag, owner in zip(bags, owners, strict=True):
            weights = self._rarity[bag]
            means[bag, owner] += weights / (np.linalg.norm(weights) + 1e-9)
        self._means: Floats = means / (np.linalg.norm(means, axis=0) + 1e-9)

    def _weigh_verbs(self, verbs: Sequence[tuple[int, list[int]]]) -> None:
        counts = np.zeros((len(self.vocabulary), len(METHODS)), np.float32)
        totals = np.ones(len(METHODS), np.float32)
        for method, bag in verbs:
            counts[bag, method] += 1
            totals[method] += 1
        self._verb_odds: Floats = np.log((counts + 0.5) / (totals + 1))
        self._verb_prior: Floats = np.log(totals / totals.sum())

    def _scores(self, text: str) -> Floats:
        """One score for each tool; the best endpoint alone gets 1, its best method METHOD_WEIGHT on top."""
        bag = [self.vocabulary[word] for word in dict.fromkeys(words(text)) if word in self.vocabulary]
        near = self._rarity[bag] @ self._means[bag]
        near = (near - near.min()) / (np.ptp(near) + 1e-9) + self._everyday
        heat = (self._verb_prior + self._verb_odds[bag].sum(axis=0)) / METHOD_HEAT
        verbs = np.exp(heat - heat.max())
        scores: Floats = near[self._endpoint_of] + METHOD_WEIGHT * (verbs / verbs.sum())[self._method_of]
        return scores

    def rank(self, text: str, count: int) -> list[Tool]:
        """The `count` likeliest tools for a request, best first."""
        return [self.tools[index] for index in np.argsort(-self._of(text), kind="stable")[:count]]

    def lead(self, text: str, offered: Sequence[str]) -> float | None:
        """How far the best of the offered tools (by name, in either style) is ahead of the best of another endpoint; below 0 where that fits the
        request better. None where no tool of the catalogue is offered, or all endpoints are."""
        uris = {tool.endpoint.uri for name in offered if (tool := self.catalogue.named(name)) is not None}
        mine = np.array([tool.endpoint.uri in uris for tool in self.tools])
        if mine.all() or not mine.any():
            return None
        scores = self._of(text)
        return float(scores[mine].max() - scores[~mine].max())

    def _of(self, text: str) -> Floats:
        """One score for each tool, of the whole request and its likeliest part."""
        scores = self._scores(text)
        parts = [part for part in _PART.split(text) if len(words(part)) >= PART_WORDS]
        if len(parts) > 1:
            scores = scores + PART_WEIGHT * np.max([self._scores(part) for part in parts], axis=0)
        return scores


@lru_cache(maxsize=1)
def default_ranker() -> Ranker:
    """The ranker over the installed catalogue and its phrasings."""
    return Ranker(load_catalogue())
