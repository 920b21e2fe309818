"""Check a rewritten request against the one it was made from: the same values and no others, the same language, nothing that people do not type.

Whether every value of the calls is said is the grounding checker's business; this module finds what a rewrite has added, turned or mixed up. In doubt a
rewrite is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from gennx.generators.evidence import Haystack
from gennx.generators.leaves import call_leaves
from gennx.generators.lexicon import Lexicon
from gennx.generators.lint import leak_words
from gennx.generators.particles import wrong_particles
from gennx.generators.reading import Reading, read
from gennx.schemas.catalogue import Endpoint, Tool

TURNS = {
    "denial": re.compile(
        r"삭제|지우|지워|제거|없애|없이|없는|없게|취소|해제|하지\s?[마말않]|말고|말아|않|제외|빼|뺀|(?<![가-힣])안\s(?=[가-힣])|n't|"
        r"\b(?:delet\w*|remov\w*|erase|clear|drop|cancel|discard|except|exclud\w*|without|not|no(?!\.)|none|never|off|skip)\b",
        re.I,
    ),
    "down": re.compile(
        r"아래|하향|밑으로|중력|연직|음의|마이너스|반대|압축|하강|침하|\bdown|gravity|negative|minus|opposite|compress|suction|"
        r"(?<![\w)\].])[-−–](?=\d|\.\d|[XYZxyz]\b)",
        re.I,
    ),
    "up": re.compile(r"위로|상향|인장|양의|\bupwards?\b|uplift|positive|tension", re.I),
}
"""Words that turn a request or a value into its opposite."""
CHATTER = re.compile(
    r"^\W*(?:sure\b|here(?:'s| is| are)\b|certainly|of course|rewrit|rephras|paraphras|reword|다시 (?:쓴|쓰|작성)|바꿔 ?쓴|수정된|재작성|다음은)|```|</?\w+>",
    re.I,
)
CALL_LIKE = re.compile(r"[{}]|(?:\b(?:db|doc|ope|view|post)/\w)|\b(?:post|get|put|delete)_\w+|\bAssign\b|\bids\b")
CAPITALS = re.compile(r"(?<![A-Za-z0-9_])[A-Z][A-Z0-9_]+(?![a-z])")
_COMMON = (
    "the to of at and for with please is are add set change make delete remove show give need can could from by all this that it me my we us i "
    "what which how put use take get let check list should be been was were will would does have has now there these those its into onto then also "
    "just only needs if or any every whose where when why"
)  # fmt: skip
ENGLISH = frozenset(_COMMON.split())
LATIN = re.compile(r"[A-Za-z0-9_]+")
COUNTERS = ("개", "번")

Calls = Sequence[tuple[Tool, dict[str, Any]]]
Words = Callable[[Endpoint], Lexicon]


def fault(old: str, new: str, lang: str, calls: Calls, words: Words) -> str | None:
    """Why a rewrite cannot stand for the original (a short reason to count by), None where it can. `words` gives an endpoint's words."""
    if plain(new) == plain(old):
        return "unchanged"
    if _no_request(old, new):
        return "not a request alone"
    if api_names(old, new, [tool.endpoint for tool, _ in calls]):
        return "names of the API or new names"
    if not same_language(old, new, lang):
        return "other language"
    if not same_matter(old, new, lang):
        return "another request"
    if lang == "ko" and set(wrong_particles(new)) - set(wrong_particles(old)):
        return "wrong particle"
    return changed_numbers(read(old), read(new)) or _turned(old, new, calls) or _values(old, new, calls, words)


def plain(text: str) -> str:
    """A text without what does not make it another: case, spaces, punctuation. Signs and points within numbers stay."""
    return re.sub(r"(?<!\d)\.|\.(?!\d)|[^\w.−-]|_", "", text).casefold()


def _no_request(old: str, new: str) -> bool:
    """Empty, padded out, with an introduction, or with characters that nobody types."""
    if not new or len(new) > 2 * len(old) + 80 or any(not c.isprintable() and c not in "\n\t" for c in new):
        return True
    return CHATTER.search(new) is not None and CHATTER.search(old) is None


# ---------------------------------------------------------------- language


def same_language(old: str, new: str, lang: str) -> bool:
    """Korean stays Korean and English English; words of other scripts only where the original has them."""
    if any(_foreign(c) and c not in old for c in new):
        return False
    if lang == "ko":
        return 2 * _hangul_share(new) >= _hangul_share(old) and _hangul_share(new) > 0
    if set(re.findall(r"[가-힣]+", new)) - set(re.findall(r"[가-힣]+", old)):
        return False
    words = re.findall(r"[a-z']+", new.lower())
    known = ENGLISH | set(re.findall(r"[a-z']+", old.lower()))
    return bool(ENGLISH & set(words)) or 2 * sum(w in known for w in words) >= len(words) > 0


def same_matter(old: str, new: str, lang: str) -> bool:
    """True if the texts share words beyond the commonest: a tenth of the Korean syllable pairs, or the beginning of one English word. A request
    without values is tied to its tool by nothing else."""
    if lang == "ko":
        pairs = [
            {w[i : i + 2] for w in re.findall(r"[가-힣]+", text) for i in range(len(w) - 1)} for text in (old, new)
        ]
        return not all(pairs) or 10 * len(pairs[0] & pairs[1]) >= min(map(len, pairs))
    stems = [{w[:4] for w in re.findall(r"[a-z]{3,}", text.lower()) if w not in ENGLISH} for text in (old, new)]
    return not stems[0] or bool(stems[0] & stems[1])


def _foreign(c: str) -> bool:
    """A letter of neither Hangul, plain Latin nor Greek."""
    return c.isalpha() and not (
        c.isascii() or "가" <= c <= "힣" or "ㄱ" <= c <= "ㆎ" or "Α" <= c <= "ω" or c in "µ²³ªº"
    )


def _hangul_share(text: str) -> float:
    letters = [c for c in text if c.isalpha()]
    return sum("가" <= c <= "힣" for c in letters) / max(1, len(letters))


# ---------------------------------------------------------------- what is added


def api_names(old: str, new: str, endpoints: Sequence[Endpoint]) -> bool:
    """True for JSON, keys, endpoint codes and words in capitals that the original does not have."""
    keys = set().union(*(leak_words(e) for e in endpoints))
    names = set(CAPITALS.findall(new)) | (keys & set(LATIN.findall(new))) | set(CALL_LIKE.findall(new))
    before = {w.casefold() for pattern in (LATIN, CAPITALS, CALL_LIKE) for w in pattern.findall(old)}
    return any(n.casefold() not in before for n in names)


def changed_numbers(old: Reading, new: Reading) -> str | None:
    """A number that the original does not have, or one lost or in another place: numbers of one unit keep their order, so that width and height cannot
    change places, nor the ends of a range go."""
    had = {abs(n.value) for n in old.numbers} | {Decimal(1)}  # "one" is a pronoun more often than a number
    if any(abs(n.value) not in had for n in new.numbers):
        return "number added"
    return None if _by_unit(old) == _by_unit(new) else "number lost, moved or with another unit"


def _by_unit(reading: Reading) -> dict[str | None, list[Decimal]]:
    """Numbers written in digits, in order, apart for each unit."""
    out: dict[str | None, list[Decimal]] = {}
    for n in reading.numbers:
        if not n.word:
            out.setdefault(None if n.unit in COUNTERS else n.unit, []).append(abs(n.value))
    return out


def _within(part: Sequence[Any], whole: Sequence[Any]) -> bool:
    """True if the members of `part` stand in `whole` in that order."""
    rest = iter(whole)
    return all(any(x == y for y in rest) for x in part)


def _turned(old: str, new: str, calls: Calls) -> str | None:
    """A word of denial or direction too many; a removal also must not lose its own."""
    before, after = ({name for name, words in TURNS.items() if words.search(text)} for text in (old, new))
    lost = before - after if any(tool.method == "DELETE" for tool, _ in calls) else set()
    return "meaning turned" if (after - before) | lost else None


def _values(old: str, new: str, calls: Calls, words: Words) -> str | None:
    """Words for another value of a field that the calls fill, or names in another order."""
    hay_old, hay_new = Haystack(old), Haystack(new)
    for tool, arguments in calls:
        if any(_other_values(hay_old, hay_new, tool, arguments, words(tool.endpoint))):
            return "value added"
    names = {s for _, arguments in calls for s in _strings(arguments) if len(s) > 1 and s in old}
    if names:
        ranked = "|".join(re.escape(s) for s in sorted(names, key=lambda s: (-len(s), s)))
        pattern = re.compile(rf"(?<![A-Za-z0-9])(?:{ranked})(?![A-Za-z0-9])")
        if not _within(pattern.findall(new), pattern.findall(old)):
            return "names in another order or count"
    return None


def _other_values(old: Haystack, new: Haystack, tool: Tool, arguments: Any, lexicon: Lexicon) -> Iterator[str]:
    """Phrases of the rewrite for values that the call does not hold and the original does not say."""
    leaves = call_leaves(tool, arguments)
    right = {p.text for leaf in leaves for p in lexicon.phrases(leaf)}
    spans = [span for text in right for span in new.find(text)]
    for text in {p.text for leaf in leaves for p in lexicon.members(leaf.field)} - right:
        if next(old.find(text), None) is None:
            yield from (text for a, b in new.find(text) if not any(x <= a and b <= y for x, y in spans))


def _strings(node: Any) -> Iterator[str]:
    """Names and texts of a call."""
    if isinstance(node, str) and node:
        yield node
    elif isinstance(node, (dict, list)):
        for inner in node.values() if isinstance(node, dict) else node:
            yield from _strings(inner)
