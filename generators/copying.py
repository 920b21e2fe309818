"""Put right the names of a written call that the conversation settles: a letter copied wrongly, a bracket lost, a blank too many, a path cut short.

A small model drops or changes a letter of a name that it has seldom seen (`AISC08(US)` for `AISI08(US)`). What stands in the user's words is known, so that a
name which nobody said, but which is nearly one that somebody did, is taken for that one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from gennx.generators.evidence import Haystack, evidence, text_evidence
from gennx.generators.leaves import Leaf, with_elements
from gennx.generators.lexicon import Lexicon

ALIKE = 0.75
"""Least share of a name that must agree (Ratcliff and Obershelp, `difflib`)."""
SHORTEST = 4
"""Characters below which two names that differ in one are two names."""
BRACKETS = {"(": ")", "[": "]"}
_BEGINS = re.compile(r"(?<![A-Za-z0-9_가-힣])\S")
_IN_NAME = re.compile(r"[A-Za-z0-9_]")
_NO_PATH = re.compile(r"[\s'\"‘’“”,]")


def copied(leaves: Sequence[Leaf], gaps: set[str], lexicon: Lexicon, hay: Haystack) -> Iterator[tuple[Leaf, str]]:
    """Names of a call that were copied wrongly, each with what the text has in its place. `gaps`: places of values that nobody said."""
    texts = [leaf for leaf in with_elements(leaves) if leaf.kind == "string" and leaf.value]
    unsaid = {x.place for x in texts if _lies_in(x, gaps) and next(evidence(x, lexicon, hay), None) is None}
    taken = {leaf.value for leaf in texts if leaf.place not in unsaid}
    for leaf in texts:
        name = str(leaf.value).strip()
        if leaf.place in unsaid and len(name) >= SHORTEST:
            found = _nearest(name, hay.text)
            name = found if found is not None and found not in taken else name
        name = _closed(name, hay.text)
        if leaf.note.get("kind") == "file_path":
            name = _whole_path(name, hay)
        if name and name != leaf.value:
            yield leaf, name


def _lies_in(leaf: Leaf, gaps: set[str]) -> bool:
    """Whether the leaf, or the array that it is a member of, is one of those places."""
    return any("/".join(map(str, leaf.place[:end])) in gaps for end in (len(leaf.place), len(leaf.place) - 1))


def _nearest(name: str, text: str) -> str | None:
    """The piece of the text that is most like a name; None where two are or none is."""
    pieces = {piece: _likeness(name, piece) for piece in _pieces(text, len(name))}
    best = max(pieces.values(), default=0.0)
    found = [piece for piece, likeness in pieces.items() if likeness == best]
    return found[0] if best >= ALIKE and len(found) == 1 else None


def _likeness(a: str, b: str) -> float:
    return 1.0 if a.lower() == b.lower() else SequenceMatcher(None, a, b, autojunk=False).ratio()


def _pieces(text: str, size: int) -> Iterator[str]:
    """Pieces of the text of about that size that begin with a word and do not end within a Latin one (a particle may follow)."""
    for start in (found.start() for found in _BEGINS.finditer(text)):
        for end in range(start + max(size - 2, 2), min(start + size + 2, len(text)) + 1):
            piece, after = text[start:end], text[end : end + 1]
            inside = _IN_NAME.match(piece[-1]) and _IN_NAME.match(after)
            balanced = all(piece.count(a) == piece.count(b) for a, b in BRACKETS.items())
            if not inside and balanced and "\n" not in piece and piece == piece.strip(" .,'\"‘’“”"):
                yield piece


def _closed(name: str, text: str) -> str:
    """With the bracket that always follows it in the text and that it opens itself."""
    for opening, closing in BRACKETS.items():
        if name.count(opening) == name.count(closing) + 1:
            after = {text[found.end() : found.end() + 1] for found in re.finditer(re.escape(name), text)}
            name += closing if after == {closing} else ""
    return name


def _whole_path(name: str, hay: Haystack) -> str:
    """With the folders before it, where the text has it with some."""
    said = [(found.start, found.end) for found in text_evidence(name, hay)]
    if not said or any(start == 0 or hay.text[start - 1] not in "\\/" for start, _ in said):
        return name
    wholes = {_NO_PATH.split(hay.text[:start])[-1] + name for start, _ in said}
    return wholes.pop() if len(wholes) == 1 else name
