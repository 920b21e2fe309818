"""Check a template folder: do the requests parse, do their calls hold, is every value said, do the templates fill, do they read as people type.

Findings name file and line. Nothing is mended here.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gennx.generators.bank import Request, TemplateProblem, ident_of, read_requests, template_of, to_block
from gennx.generators.definitions import unshown
from gennx.generators.drawing import draw
from gennx.generators.grounding import NEW_KEY, check, without_unsaid
from gennx.generators.harvest import Harvested, harvest
from gennx.generators.lexicon import LANGUAGES, Lexicon, WordsProblem, fields_of, folder_of, lexicon_of
from gennx.generators.refill import Clash, fill, words
from gennx.schemas import Validation
from gennx.schemas.catalogue import Catalogue, Endpoint
from gennx.schemas.projection import parameters

LEAK_LIMIT = 0.03


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with one line of a file: `rule` is invalid, unsaid, leak, repeated, unfilled, broken or stale."""

    place: str
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.rule}: {self.text}"


@dataclass
class Linted:
    """What was found in one folder."""

    uri: str
    findings: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    blocks: dict[str, list[str]] = field(default_factory=lambda: {lang: [] for lang in LANGUAGES})


def lint(endpoint: Endpoint, catalogue: Catalogue, root: Path, validation: Validation, refills: int = 2) -> Linted:
    """Check the folder of one endpoint below `root`, and harvest it on the way."""
    out = Linted(endpoint.uri)
    path = root / folder_of(endpoint.uri) / "requests.jsonl"
    try:
        lexicon = lexicon_of(endpoint, tuple(dict.fromkeys((root, *_roots()))))
        requests = read_requests(path, endpoint)
    except (TemplateProblem, WordsProblem) as error:
        out.findings.append(Finding(str(path.parent), "broken", str(error)))
        return out
    seen: dict[str, str] = {}
    keys = leak_words(endpoint)
    leaks: list[Finding] = []
    rng = random.Random(0)
    for request in requests:
        out.counts[f"{request.method} {request.lang}"] += 1
        out.counts["all"] += 1
        out.counts[request.lang] += 1
        plain = re.sub(r"\W+", "", request.user).lower()
        if plain in seen:
            out.findings.append(Finding(request.place, "repeated", f"same words as {seen[plain]}"))
            continue
        seen[plain] = request.place
        found = sorted({w for w in re.findall(r"[A-Za-z_][A-Za-z0-9_]+", request.user) if w in keys})
        if found:
            leaks.append(Finding(request.place, "leak", f"names of the API in the words: {', '.join(found)}"))
        harvested = _request(request, endpoint, catalogue, lexicon, validation, out)
        if harvested is None:
            continue
        ident = ident_of(endpoint.uri, request.method, request.user)
        out.blocks[request.lang].append(to_block(harvested, ident, request.keep))
        out.counts[f"shape {harvested.shape}"] += 1
        out.counts["slots"] += len(harvested.slots)
        _refill(harvested, request, endpoint, catalogue, lexicon, validation, rng, refills, out)
    if len(leaks) > max(2, LEAK_LIMIT * len(requests)):
        out.findings += leaks
    return out


def _roots() -> tuple[Path, ...]:
    from gennx.generators.lexicon import TEMPLATES

    return (TEMPLATES,)


def leak_words(endpoint: Endpoint) -> set[str]:
    """Names that only the API uses: keys with underscores, capitals inside or Hungarian marks."""
    out = set()
    for path, _ in fields_of(endpoint.schema):
        key = path.rsplit(".", 1)[-1]
        if "_" in key or re.match(r"^[a-z]{1,2}[A-Z]{2}", key):
            out.add(key)
    return out


def concrete(arguments: dict[str, Any]) -> dict[str, Any]:
    """The call with numbers in place of NEW1, NEW2, ..."""
    records = arguments.get("Assign")
    if not isinstance(records, dict):
        return arguments
    return {
        **arguments,
        "Assign": {str(9000 + int(k[3:])) if NEW_KEY.fullmatch(k) else k: v for k, v in records.items()},
    }


def _request(
    request: Request, endpoint: Endpoint, catalogue: Catalogue, lexicon: Lexicon, validation: Validation, out: Linted
) -> Harvested | None:
    tool = catalogue.tool(endpoint.uri, request.method)
    if not validation.valid(tool, concrete(request.arguments)):
        for problem in validation.problems(tool, concrete(request.arguments))[:3]:
            out.findings.append(Finding(request.place, "invalid", str(problem)))
        return None
    hidden = unshown(parameters(tool), concrete(request.arguments))
    if hidden:
        out.findings.append(Finding(request.place, "invalid", f"{hidden} is the program's own to write; leave it out"))
        return None
    harvested = harvest(request.user, request.lang, tool, request.arguments, lexicon)
    if harvested.unsaid:
        texts = list(dict.fromkeys(re.sub(r"^Assign/[^/]+/", "", str(u)) for u in harvested.unsaid))
        out.findings.append(Finding(request.place, "unsaid", "; ".join(texts[:6]) + f"   <- {request.user[:300]!r}"))
        return None
    return harvested


def _refill(
    h: Harvested, request: Request, endpoint: Endpoint, catalogue: Catalogue, lexicon: Lexicon, validation: Validation,
    rng: random.Random, times: int, out: Linted,
) -> None:  # fmt: skip
    tool = catalogue.tool(endpoint.uri, request.method)
    template = template_of(h, request.ident, request.place, request.keep)
    own = without_unsaid(request.user, tool, request.arguments, lexicon)
    try:
        same = fill(h.call, draw(template, endpoint, lexicon, rng, keep=True)) == own
    except Clash:
        same = False
    if not same:
        out.findings.append(Finding(request.place, "unfilled", "the template does not give back the author's own call"))
        return
    for _ in range(times):
        drawn = draw(template, endpoint, lexicon, rng)
        out.counts["refills"] += 1
        try:
            arguments = fill(h.call, drawn)
        except Clash:  # dialogues draw again
            continue
        text, _ = words(template, drawn, rng)
        valid = validation.valid(tool, concrete(arguments))
        out.counts["refills good"] += valid and not check(text, tool, arguments, lexicon)


def summary(linted: Linted) -> str:
    """One line for a terminal."""
    c = linted.counts
    methods = ", ".join(f"{k} {v}" for k, v in sorted(c.items()) if k.split()[0] in ("POST", "GET", "PUT", "DELETE"))
    good = f"{100 * c['refills good'] // max(1, c['refills'])} %" if c["refills"] else "-"
    return f"{linted.uri}: {c['all']} requests ({methods}); refills good {good}; {len(linted.findings)} findings"


def numbered(findings: list[Finding], limit: int) -> Iterator[str]:
    for finding in findings[:limit]:
        yield f"   {finding}"
    if len(findings) > limit:
        yield f"   ... and {len(findings) - limit} more"
