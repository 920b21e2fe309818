"""Banks of requests that are written out whole and call nothing: questions and remarks, and requests that lack something the call needs."""

from __future__ import annotations

import re
import zlib
from functools import lru_cache

import orjson

from gennx.generators.lexicon import TEMPLATES
from gennx.generators.particles import pair_after, particle

Row = dict[str, str]

_UNITS = r"kN|N\b|mm|cm|m\b|m2|m3|MPa|GPa|t\b|tonf|ton\b|kgf?\b|deg|도\b|°|%|sec|층|월|일|년|시|분|개|명|x ?\d|spacing|stor(?:e)?y|floors?|days?|percent"
_NUMBER = re.compile(
    r"(?<![\w.,:/\\@-])(?<!x )(?<!fck )(?<!day )([1-9]\d{1,3})(?:([-~])([1-9]\d{1,3}))?(?=번|호|부터|까지|인데|을|를|과|와|이랑|랑|하고|[,;:?)]|\.(?!\d)|\s|~|$)"
    rf"(?!,\d\d\d)(?!\s?(?:{_UNITS}))"
)
"""Whole numbers that look like those of nodes, elements and records."""


@lru_cache(maxsize=4)
def _rows(name: str, lang: str) -> tuple[Row, ...]:
    path = TEMPLATES / "shared" / f"{name}.{lang}.jsonl"
    return tuple(orjson.loads(line) for line in path.read_bytes().splitlines() if line.strip())


def conversations(lang: str) -> tuple[Row, ...]:
    """Questions that want no call, with their answers and topics."""
    return _rows("no_tool", lang)


@lru_cache(maxsize=2)
def incomplete(lang: str) -> dict[str, list[Row]]:
    """Requests by endpoint that lack something which the call needs, with the assistant's question."""
    out: dict[str, list[Row]] = {}
    for row in _rows("incomplete", lang):
        out.setdefault(row["endpoint"], []).append(row)
    return out


def kept_for(rows: list[Row] | tuple[Row, ...], split: str) -> list[Row]:
    """Rows of a bank for a split: about one in six is kept from training."""
    return [r for r in rows if (zlib.crc32(r["user"].encode()) % 6 == 0) == (split != "train")]


def renumbered(row: Row, by: int) -> tuple[str, str]:
    """Request and question of a row with other numbers of nodes, elements and records, alike in both."""
    return _shifted(row["user"], by), _shifted(row["assistant"], by)


def _shifted(text: str, by: int) -> str:
    """With other numbers, and the particles that these ask for (288을, 289를 but 290을)."""
    out, last = "", 0
    for m in _NUMBER.finditer(text):
        out += text[last : m.start()] + str(int(m[1]) + by) + (f"{m[2]}{int(m[3]) + by}" if m[3] else "")
        last = m.end()
        if found := pair_after(text, last):
            out += particle(out, found[0])
            last += found[1]
    return out + text[last:]
