"""Write a drawn template: the call with values in place of slots, and the words that say them.

The caller validates the call and checks the words."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from gennx.generators import forms
from gennx.generators.bank import Template
from gennx.generators.drawing import Drawn
from gennx.generators.marks import mark, unmark
from gennx.generators.particles import particle, settle


class Clash(Exception):
    """Two records of a call got one number: the words tell of both, and the call would lose one."""


def fill(node: Any, drawn: Drawn, row: dict[str, Any] | None = None, at: int = 0, key: int = 0) -> Any:
    """The call with values in place of slots. Raises Clash where two records got one number."""
    if isinstance(node, list):
        return [fill(v, drawn, row, at, key) for v in node]
    if not isinstance(node, dict):
        return node
    if len(node) == 1:
        ((word, value),) = node.items()
        match word:
            case "$":
                return _joined(drawn.values[value], drawn.specs[value])
            case "$row":
                return _joined((row or {})[value], drawn.specs[value])
            case "$each":
                return drawn.values[value][at]
            case "$key":
                return key
            case "$rows":
                return [fill(value, drawn, r, i, key) for i, r in enumerate(drawn.rows)]
    out = {}
    for name, value in node.items():
        out[name] = (
            _records(value, drawn) if name == "Assign" and isinstance(value, list) else fill(value, drawn, row, at, key)
        )
    return out


def _joined(value: Any, spec: dict[str, Any]) -> Any:
    """A run that the call holds as one text, "701to730"."""
    return f"{value[0]}{spec['join']}{value[-1]}" if "join" in spec else value


def _records(groups: list[Any], drawn: Drawn) -> dict[str, Any]:
    numbered = list(_numbered(groups, drawn))
    out = {str(number): record for number, record in numbered}
    if len(out) != len(numbered):
        raise Clash
    return out


def _numbered(groups: list[Any], drawn: Drawn) -> Iterator[tuple[Any, Any]]:
    for group in groups:
        if "each" in group:
            for i, number in enumerate(drawn.values[group["each"]]):
                yield number, fill(group["record"], drawn, None, i, number)
        elif group.get("rows"):
            for i, row in enumerate(drawn.rows):
                number = row[group["key"]["$row"]]
                yield number, fill(group["record"], drawn, row, i, number)
        else:
            number = fill(group["key"], drawn)
            yield number, fill(group["record"], drawn, None, 0, number)


def _say(value: Any, spec: dict[str, Any], word: str | None, lang: str, rng: random.Random) -> str:
    match spec["as"]:
        case "number":
            return forms.quantity(value, spec, rng)
        case "sequence":
            plain = {**spec, "unit": None}
            units = spec.get("units", [False, False])
            last = spec if units[-1] else plain
            each = spec if units[0] else plain
            texts = [forms.quantity(v, each, rng) for v in value[:-1]] + [forms.quantity(value[-1], last, rng)]
            return _strung(texts, str(spec["sep"]))
        case "run":
            return forms.run(value, lang, rng, spec.get("tag", ""), spec.get("style", ""))
        case "phrase":
            return word or str(spec["said"])
        case _:
            return str(value).removesuffix(spec.get("suffix", "")) if spec.get("suffix") else str(value)


def words(template: Template, drawn: Drawn, rng: random.Random) -> tuple[str, list[tuple[str, str]]]:
    """The finished request, and for each slot the words that say it."""
    text, said = marked_words(template, drawn, rng)
    return unmark(text), said


def _strung(texts: list[str], between: str) -> str:
    """Values in a row; 과 and 와 between them go by the value before."""
    if between.strip() not in ("과", "와"):
        return between.join(texts)
    *firsts, last = texts
    return "".join(f"{text}{particle(text, '과(와)')} " for text in firsts) + last


def marked_words(template: Template, drawn: Drawn, rng: random.Random) -> tuple[str, list[tuple[str, str]]]:
    """The request with its values marked, and for each slot the words that say it."""
    said: list[tuple[str, str]] = []

    def marked(name: str, text: str) -> str:
        said.append((name, text))
        return mark(len(said) - 1, text)

    scope: dict[str, Any] = {}
    for name, value in drawn.values.items():
        scope[name] = marked(name, _say(value, drawn.specs[name], drawn.words.get(name), template.lang, rng))
    if template.loops:
        draws = rng.random()

        def told(name: str, value: Any, at: int) -> str:
            word = drawn.words[name][at] if name in drawn.words else None
            same = random.Random(f"{draws}{name}")  # a column keeps to one way of writing
            return marked(name, _say(value, drawn.specs[name], word, template.lang, same))

        scope["rows"] = [{n: told(n, v, i) for n, v in row.items()} for i, row in enumerate(drawn.rows)]
    text = template.render(**scope)
    return (settle(text) if template.lang == "ko" else forms.article(text)), said
