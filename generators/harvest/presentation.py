"""How the words of a span present a value: number form and unit, run, sequence, name, phrase. What cannot be written anew is told apart."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any

from gennx.generators.evidence import ID_RANGE, Evidence, Haystack, evidence
from gennx.generators.leaves import Leaf, is_numbered
from gennx.generators.lexicon import Lexicon


def spans_of(leaf: Leaf, lexicon: Lexicon, hay: Haystack) -> list[Evidence]:
    """Evidence that a slot can be made of."""
    if leaf.field in lexicon.fixed:
        return []
    found = [
        e
        for e in evidence(leaf, lexicon, hay)
        if e.how in ("number", "text", "run", "sequence", "phrase") and not unfit(e, hay)
    ]
    numbered = leaf.kind == "key" or is_numbered(leaf.field, leaf.note)
    whole = [e for e in found if e.how == "sequence" or (e.how == "run" and numbered)] or [
        e for e in found if e.how == "run" and e.detail[1] != "list"
    ]
    if whole and whole[0].how == "run" and not numbered:
        return []  # a range of plain numbers stays as it is
    return whole or found


_EXCLUSION_WORDS = re.compile(
    r"번|호|까지|절점|요소|부재|단|중|에서|만|은|는|이|가|을|를|도|빼고|제외하고|제외한|제외|말고|빼|남기고|두고|간격|씩|으로|그리고|하고|랑|과|와|및|"
    r"except|excluding|for|without|but|not|skip(?:ping)?|leave|leaving|out|omit(?:ting)?|minus|and|nodes?|elements?|members?|by|in|steps?|of|every|the|step",
    re.I,
)


_EXCLUDED = re.compile(r"빼|제외|말고|남기|두고|except|exclud|without|but|not|skip|leav|out|omit|minus", re.I)


_COUNTED = re.compile(
    r"\s?(?:개|곳|군데|칸|줄|본|개소|절점|요소|부재|층|점|장|대|조|벌|명|쌍|nodes|elements|members|beams|columns|joints|points|of them|supports|records|rows|plates)|"
    r"\s?(?:다|모두|전부)(?![가-힣])", re.I
)  # fmt: skip


_PAIRS_OF = {2: re.compile(r"둘|양쪽|양단|\bboth\b|\bpair\b", re.I), 3: re.compile(r"셋"), 4: re.compile(r"넷")}


def counted(hay: Haystack, count: int, spans: Sequence[tuple[int, int]]) -> bool:
    """True if the words say how many there are (네 군데, 둘 다, all three): then there must stay as many."""
    if count in _PAIRS_OF and _PAIRS_OF[count].search(hay.text):
        return True
    return any(
        n.value == count
        and not any(a <= n.start < b for a, b in spans)
        and (n.word or _COUNTED.match(hay.text[n.end :]))
        for n in hay.reading.numbers
    )


def unfit(span: Evidence, hay: Haystack) -> bool:
    """A run whose exclusions stand far away, a fraction in words (중앙, half), or numbers with different words between (X 1, Y 2) cannot be written anew in
    their place."""
    if span.how == "sequence":
        return len({hay.text[a.end : b.start].strip() for a, b in zip(span.detail, span.detail[1:], strict=False)}) > 1
    if span.how == "text":  # TR-01~06: the name is the first of several
        return (
            hay.text[span.end - 1].isdigit() and re.match(r"\s?[~–]\s?[A-Za-z-]*\d", hay.text[span.end :]) is not None
        )
    if (
        span.how == "run"
        and span.detail[1] == "except"
        and not _EXCLUDED.search(hay.text[span.detail[0].end : span.end])
    ):
        return True  # 6번은 이미 봤으니 빼고요: the reason would stand behind another exclusion
    if (
        span.how == "run"
        and span.detail[1] == "except"
        and re.match(r"\s?(?:\(|나머지)", hay.text[piece_end(span, hay) :])
    ):
        return True  # 213번 빼고(실내라서)
    if span.how == "run":
        between = _EXCLUSION_WORDS.sub("", hay.text[span.detail[0].end : span.end])
        return len(re.findall(r"[A-Za-z가-힣]", between)) > 2
    return bool(span.how == "number" and span.detail[0].word and span.detail[0].value % 1 != 0)


def slot_of(leaf: Leaf, span: Evidence, hay: Haystack) -> dict[str, Any]:
    """How the words of a span present the leaf's value."""
    spec: dict[str, Any]
    match span.how:
        case "number":
            return {"as": "number", **_number_look(span), "eg": leaf.value}
        case "sequence":
            chain = span.detail
            seps = {hay.text[a.end : b.start] for a, b in itertools.pairwise(chain)}
            return {"as": "sequence", **_number_look(chain[0], chain), "sep": sorted(seps, key=len)[0], "eg": leaf.value,
                    "units": [bool(e.detail[0].unit) for e in chain][-2:]}  # fmt: skip
        case "run":
            _run, style = span.detail
            if isinstance(leaf.value, str):  # "701to730" in the call, a range in the words
                found = ID_RANGE.fullmatch(leaf.value)
                assert found is not None
                numbers = list(range(int(found[1]), int(found[2]) + 1, int(found[3] or 1)))
                return {
                    "as": "run",
                    "style": style,
                    "tag": _tag(span, hay),
                    "eg": numbers,
                    "join": leaf.value[len(found[1]) : -len(found[2])],
                }
            spec = {"as": "run", "style": style, "tag": _tag(span, hay), "eg": leaf.value}
            if counted(hay, len(leaf.value), [(span.start, span.end)]):
                spec["counted"] = True
            return spec
        case "phrase":
            return {"as": "phrase", "said": hay.text[span.start : span.end], "eg": leaf.value}
        case _:
            spec = {"as": "text", "eg": leaf.value}
            if isinstance(span.detail, str):
                spec["suffix"] = span.detail
            return spec


def _number_look(span: Evidence, chain: Sequence[Evidence] = ()) -> dict[str, Any]:
    if any(e.detail[0].unit for e in chain):
        span = next(e for e in chain if e.detail[0].unit)
    number, factor, _, apart = span.detail
    look: dict[str, Any] = {"factor": str(factor.normalize())}
    if number.unit is not None:
        look["unit"] = number.unit
        look["gap"] = bool(number.tail - number.end > len(number.unit))
    if apart:
        look["apart"] = True
    if number.word:
        look["word"] = number.written
    written = number.written
    look["digits"] = len(written.split(".")[1].split("e")[0].split("E")[0]) if "." in written else 0
    if "," in written:
        look["comma"] = True
    return look


def _tag(span: Evidence, hay: Haystack) -> str:
    run = span.detail[0]
    inner = hay.text[run.members[0].end : run.members[0].end + 1]
    return "번" if inner == "번" or hay.text[span.end : span.end + 1] == "번" else ""


def piece_end(span: Evidence, hay: Haystack) -> int:
    """A run takes its 번 and 까지 along, since the writer may say them elsewhere."""
    if span.how == "run":
        found = re.match(r"\s?번?\s?까지|번(?!째)", hay.text[span.end :])
        if found:
            return span.end + found.end()
    return span.end
