"""What people put around their facts: greetings, reasons, numbers that belong to something else, thanks; their register, synonyms and slips.

Works on a text whose values are marked, so that no value is ever touched.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from gennx.generators.lexicon import TEMPLATES
from gennx.generators.marks import MARKED, unmark
from gennx.generators.particles import AFTER_WORD, PAIR_OF, particle
from gennx.generators.registers import goes_with, level_of, plain, polite
from gennx.generators.respelling import corrected, in_words, sums

_ENDING = re.compile(
    r"(?<=[가-힣]) ?(줘요|줘라|줘|주세요|주세용|주십시오|주시겠어요\?|주실래요\?|주실 수 있나요\?|주시기 바랍니다|주라|줄래\?|주시면 감사하겠습니다|주시면 됩니다)(?=[.!~ ㅎㅠ]*(?:\n|$))"
)
_LISTING = re.compile(r"\s*(?:[-*•|#(\d]|[^\n]{0,40}\n)")
_SENTENCE = re.compile(r"(?:다|요|[a-z])[.!] ?\S|[a-z0-9][.?!] [A-Z]")
_BRIDGE = re.compile(
    r"차로|차선|차량|교량|교각|거더|텐던|트럭|이동하중|\b(?:moving load|live load control|lane|vehicle|truck|bridge|pier|girder|tendon|deck)",
    re.I,
)
_BUILDING = re.compile(r"층|물류|공장|학교|주차|상가|리모델링|storey|floors|Tower|Warehouse|school|Car park")
_OPENER = re.compile(r"^(?:우선|일단|그럼|자 이제|참,|OK so|Right,|So|btw|ok,|Quick one:)$")
_STEM = re.compile(r"[해어아여려겨쳐줘와워내]$")
_KEYS_EN = {"a": "s", "s": "d", "e": "r", "r": "t", "t": "y", "o": "p", "i": "o", "n": "m", "l": "k", "d": "f"}


@lru_cache(maxsize=1)
def pools() -> dict[str, Any]:
    """The shared pools, read once."""
    data: dict[str, Any] = json.loads((TEMPLATES / "shared" / "surroundings.json").read_text("utf-8"))
    return data


@lru_cache(maxsize=1)
def casual_pool() -> dict[str, list[str]]:
    """The Korean surroundings that are not polite."""
    return {k: [w for w in v if not polite(w)] for k, v in pools()["ko"].items()}


def _noise(text: str, rng: random.Random) -> str:
    """Numbers that must not enter the call, where a phrase wants them."""
    if "{" not in text:
        return text
    return text.format(
        n=rng.randint(3, 38), n2=rng.randint(1, 9), n3=f"{rng.randint(1, 4)}{rng.randint(0, 9)}{rng.randint(1, 9)}", m=rng.randint(1, 12),
        d=rng.randint(1, 28), h=rng.randint(2, 7), f=rng.choice(("3.3", "3.6", "4.2", "4.5", "5.1")),
    )  # fmt: skip


_SPOKEN = re.compile(r"(?:[요다줘해함임음죠까자라어아네게봐렴셔용]|바람|부탁|요망|필요|ㄱㄱ)$")
"""Ends of what is spoken; after a bare noun thanks need a stop (총질량. 감사합니다)."""


def surround(text: str, lang: str, rng: random.Random, strength: float = 1.0, opening: bool = True) -> str:
    """The text with what surrounds it, more or less of it by `strength` (0 leaves it alone); nobody greets in the middle of a talk."""
    pool = pools()[lang]
    if rng.random() < 0.3 * strength:
        text = _synonyms(text, lang, rng)
    if lang == "ko" and rng.random() < 0.4 * strength:
        text = _register(text, rng)
    if rng.random() < 0.3 * strength:
        text = in_words(text, lang)
    if rng.random() < 0.5 * strength:
        text = sums(text, rng)
    if rng.random() < 0.05 * strength:
        text = corrected(text, lang, rng)
    several = "\n" in text
    bare = unmark(text)
    if lang == "ko" and plain(bare):  # who speaks plainly does not greet politely
        pool = casual_pool()
    listing = _LISTING.match(bare) is not None
    before = rng.random() / strength if strength and opening else 1.0
    place = "context" if before < 0.09 else "greeting" if before < 0.18 else ""
    if not place and rng.random() < 0.13 * strength:  # people who begin at length do not end so too
        place = "after"
    fitting = _fitting(pool[place], bare, listing) if place else []
    if not fitting:
        pass
    elif place == "context":
        text = (
            f"{_noise(rng.choice(fitting), rng)}{chr(10) if several and (listing or rng.random() < 0.3) else ' '}{text}"
        )
    elif place == "greeting":
        gap = "\n" if bare[:1] in "-*•·" else " "  # no greeting on the line of a list's first item
        text = f"{rng.choice(fitting)}{gap}{text if lang == 'ko' else _lower(text, rng)}"
    else:
        gap = "\n" if several else " "
        stop = (
            ""
            if re.search(r"[.!?~:)ㅎㅠ]\s*$", text) or several
            else rng.choice((".", ".", ","))
            if lang == "en"
            else rng.choice((".", "", "~", ",") if _SPOKEN.search(text) else (".", ",", "."))
        )
        after = _noise(rng.choice(fitting), rng)
        text = f"{text.rstrip()}{stop}{gap}{_lower(after, rng) if stop == ',' else after}"
    if rng.random() < 0.05 * strength:
        text = _slip(text, lang, rng)
    return text


@lru_cache(maxsize=2048)
def _building(words: str) -> bool:
    return _BUILDING.search(words) is not None


@lru_cache(maxsize=2048)
def _opener(words: str) -> bool:
    return _OPENER.search(words) is not None


def _fitting(words: Sequence[str], text: str, listing: bool) -> list[str]:
    """What can stand around this text: of its speech level, no opener before a list or before a remark, no building around a bridge."""
    level = level_of(text)
    bridge = _BRIDGE.search(text) is not None
    stiff = listing or _SENTENCE.search(text) is not None
    return [w for w in words if goes_with(w, level) and not (bridge and _building(w)) and not (stiff and _opener(w))]


def _lower(text: str, rng: random.Random) -> str:
    return (
        text[0].lower() + text[1:]
        if len(text) > 1 and text[0].isupper() and text[1].islower() and rng.random() < 0.7
        else text
    )


def _literals(text: str) -> list[str]:
    return MARKED.split(text)


def _register(text: str, rng: random.Random) -> str:
    """Another ending for the last request: 넣어줘, 넣어 주세요, 넣어주시기 바랍니다."""
    found = list(_ENDING.finditer(text))
    if not found:
        return text
    last = found[-1]
    if not _STEM.search(text[: last.start()].rstrip()):
        return text
    before, after = text[: last.start()].rstrip(), text[last.end() :]
    level = level_of(unmark(before) + " " + unmark(after))
    fitting = [w for w in pools()["endings_ko"] if goes_with("해" + w, level)]
    if not fitting:
        return text
    new = rng.choice(fitting)
    gap = " " if len(new) > 3 or rng.random() < 0.4 else ""
    return f"{before}{gap}{new}{after.lstrip('.') if new.endswith('?') else after}"


def _synonyms(text: str, lang: str, rng: random.Random) -> str:
    groups = pools()[f"synonyms_{lang}"]
    group = rng.choice([g for g in groups if any(w in text for w in g)] or groups)
    have = [w for w in group if w in text]
    if not have:
        return text
    old = have[0]
    new = rng.choice([w for w in group if w != old])
    parts = _literals(text)
    for i in range(0, len(parts), 2):
        parts[i] = _swap(parts[i], old, new, lang)
    return "".join(parts)


def _swap(text: str, old: str, new: str, lang: str) -> str:
    if lang == "en":
        return re.sub(rf"(?<![A-Za-z]){re.escape(old)}(?=s?(?![A-Za-z]))", new, text)
    out, at = [], 0
    whole = (
        ""
        if old[-1] in "해어여아"
        else r"(?![가-힣])|(?=(?:을|를|이|가|은|는|과|와|으로|로|이랑|랑|에|의|도|만|들|요)(?![가-힣]))"
    )
    latin = r"(?![A-Za-z0-9_-])" if old[-1].isascii() else ""
    for found in re.finditer(rf"(?<![가-힣A-Za-z0-9_-]){re.escape(old)}{latin}(?:{whole})", text):
        out.append(text[at : found.start()] + new)
        at = found.end()
        after = AFTER_WORD.match(text[at:])
        if after:
            out.append(particle(new, PAIR_OF[after[1]]))
            at += after.end()
    out.append(text[at:])
    return "".join(out)


def _slip(text: str, lang: str, rng: random.Random) -> str:
    """A slip of spacing, of a particle or of the keyboard, outside of values."""
    parts = _literals(text)
    spots = [i for i in range(0, len(parts), 2) if len(parts[i].strip()) > 4]
    if not spots:
        return text
    i = rng.choice(spots)
    words = parts[i].split(" ")
    if lang == "ko":
        plain = [
            k for k in range(len(words) - 1) if re.search(r"[가-힣]$", words[k]) and re.match(r"[가-힣]", words[k + 1])
        ]
        if plain and rng.random() < 0.6:
            k = rng.choice(plain)
            words[k : k + 2] = [words[k] + words[k + 1]]
        else:
            marked = [k for k, w in enumerate(words) if re.fullmatch(r"[가-힣]{2,}(을|를|은|는)", w)]
            if marked:
                k = rng.choice(marked)
                words[k] = words[k][:-1]
    else:
        long = [k for k, w in enumerate(words) if re.fullmatch(r"[a-z]{5,}", w)]
        if long:
            k = rng.choice(long)
            at = rng.randrange(1, len(words[k]) - 1)
            w = words[k]
            words[k] = (
                w[:at] + w[at + 1] + w[at] + w[at + 2 :]
                if rng.random() < 0.6 and at + 2 < len(w)
                else w[:at] + _KEYS_EN.get(w[at], w[at]) + w[at + 1 :]
            )
    parts[i] = " ".join(words)
    return "".join(parts)
