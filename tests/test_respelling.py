"""Numbers in words and values put right: the reader reads back what the writer wrote, and the checker finds the right value."""

from __future__ import annotations

import random

from gennx.generators.evidence import Haystack
from gennx.generators.marks import mark, unmark
from gennx.generators.respelling import corrected, english, in_words, native, sino, sums


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


def test_a_sum_is_spelled_in_other_ways_with_the_same_values() -> None:
    text = f"조합 {mark(0, '7')}번 {mark(1, '1.2')} {mark(2, 'DL')} + {mark(3, '1.6')} {mark(4, 'LL')} 추가"
    told = {unmark(sums(text, random.Random(seed))) for seed in range(60)}
    assert {"조합 7번 1.2DL+1.6LL 추가", "조합 7번 1.2×DL+1.6×LL 추가"} <= told
    assert all(
        read(one)[0] == 7 and [float(n.value) for n in Haystack(one).reading.numbers][1:] == [1.2, 1.6] for one in told
    )
    alone = f"{mark(0, '1.2')} {mark(1, 'DL')}만"
    assert sums(alone, random.Random(1)) == alone
