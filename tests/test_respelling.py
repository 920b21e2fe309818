"""Numbers in words and values put right: the reader reads back what the writer wrote, and the checker finds the right value."""

from __future__ import annotations

import random

from gennx.generators.evidence import Haystack
from gennx.generators.marks import mark, unmark
from gennx.generators.respelling import corrected, english, in_words, native, sino


def read(text: str) -> list[int]:
    return [int(n.value) for n in Haystack(text).reading.numbers]


def test_counts_in_words_are_read_back() -> None:
    for value in range(1, 60):
        assert read(f"모드는 {native(value)} 개") == [value]
    for value in [*range(10, 100), 120, 180, 300, 305, 999]:
        assert read(f"반복 {sino(value)} 회") == [value]
    for value in range(1, 100):
        assert read(f"use {english(value)} modes") == [value]


def test_only_counts_are_put_into_words() -> None:
    assert unmark(in_words(f"{mark(0, '12')}번 절점에 모드 {mark(1, '30')}개", "ko")) == "12번 절점에 모드 서른 개"
    assert unmark(in_words(f"node {mark(0, '12')}, {mark(1, '30')} modes", "en")) == "node 12, thirty modes"


def test_a_value_put_right_stands_beside_a_wrong_one() -> None:
    for seed in range(200):
        rng = random.Random(seed)
        text = f"두께 {mark(0, '180mm')}, 재료 {mark(1, '3')}번으로"
        told = unmark(corrected(text, "ko", rng))
        numbers = read(told)
        assert {180, 3} <= set(numbers) and len(numbers) > 2, told
