"""Korean particles: which form follows a spoken text, also after digits, units and Latin letters.

A pair such as `을(를)` in a template is settled after rendering, when what stands before it is known.
"""

from __future__ import annotations

import re

from gennx.generators.marks import unmark

# Does the spoken form end in a consonant? Digits as read in Korean: 영 일 이 삼 사 오 육 칠 팔 구.
_DIGIT_FINAL = dict(zip("0123456789", ("m", "l", "", "m", "", "", "k", "l", "l", ""), strict=True))
# Latin letters as Koreans name them: 엘 엠 엔 알 end in consonants; a word is judged by its last letter.
_LETTER_FINAL = {"l": "l", "m": "m", "n": "n", "r": "l"}
# Units and signs by the sound of their last syllable: 미터, 톤, 도, 퍼센트 ...
_UNIT_FINAL = {
    "mm": "", "cm": "", "m": "", "kn": "n", "n": "n", "tonf": "", "kgf": "", "kn/m": "", "kn/m2": "", "kn/m²": "", "kn/㎡": "", "㎡": "",
    "kpa": "l", "mpa": "l", "gpa": "l", "n/mm2": "", "n/mm²": "", "kn·m": "", "kn.m": "", "knm": "", "deg": "", "°": "", "℃": "", "°c": "",
    "%": "", "s": "", "sec": "", "hz": "", "m/s": "", "m/s2": "", "m/s²": "", "kn/m3": "", "kn/m³": "", "kg": "m", "t": "n", "ton": "n",
}  # fmt: skip
PAIRS = {
    "을(를)": ("을", "를"), "이(가)": ("이", "가"), "은(는)": ("은", "는"), "과(와)": ("과", "와"), "으로(로)": ("으로", "로"),
    "(이)랑": ("이랑", "랑"), "이에요(예요)": ("이에요", "예요"), "(이)고": ("이고", "고"), "(이)야": ("이야", "야"), "(이)며": ("이며", "며"),
    "(이)나": ("이나", "나"), "(이)라는": ("이라는", "라는"), "(이)로": ("이로", "로"), "(이)라": ("이라", "라"), "(이)요": ("이요", "요"), "(이)면": ("이면", "면"), "(이)니": ("이니", "니"),
    "(이)라네요": ("이라네요", "라네요"), "(이)라고": ("이라고", "라고"), "(이)래요": ("이래요", "래요"), "(이)래": ("이래", "래"), "(이)랍니다": ("이랍니다", "랍니다"),
    "(이)라서": ("이라서", "라서"), "(이)네요": ("이네요", "네요"), "이었(였)": ("이었", "였"),
}  # fmt: skip
_PARTICLE = re.compile("|".join(re.escape(p) for p in sorted(PAIRS, key=len, reverse=True)))
_CLOSERS = ")]}\"'”’」』 "
_UNREAD = frozenset({"(이)나", "(이)로", "(이)면", "(이)니"})
"""Pairs that are written but not looked for: their forms are too often something else."""
_FORMS = {
    form: pair for pair, forms_ in PAIRS.items() for form in forms_ if pair not in _UNREAD and form not in ("야", "요")
}
"""Forms that can stand after a slot, with the pair they belong to. 이 alone counts only before a space or sign."""
_SURE = frozenset({"을", "를", "으로", "로", "과", "와", "은", "는"})
"""Forms that after a value are always the particle, also where the writer reads the value otherwise (SETTLE을)."""
_AFTER = re.compile(
    rf"({'|'.join(sorted(_FORMS, key=len, reverse=True))})(?:(?<=[었였])(?=습니다|는데|던|대|네|어|음)|(?![가-힣]))"
)


def pair_after(text: str, at: int) -> tuple[str, int] | None:
    """(pair, length of the form) when a particle that agrees with what stands before it begins at `at`."""
    found = _AFTER.match(text, at)
    if found is None:
        return None
    pair = _FORMS[found[1]]
    if found[1] not in _SURE and particle(text[:at], pair) != found[1]:
        return None  # the writer's own slip, or no particle at all
    return pair, len(found[1])


def final_sound(text: str) -> str:
    """'' if the spoken text ends in a vowel, 'l' for ㄹ, another letter for any other final consonant.

    Closing brackets and quotes are looked through; a bracketed remark counts as the last word.
    """
    text = text.rstrip(_CLOSERS)
    if not text:
        return ""
    last = text[-1]
    if "가" <= last <= "힣":
        jong = (ord(last) - 0xAC00) % 28
        return "" if jong == 0 else "l" if jong == 8 else "k"
    unit = re.search(r"(?<=\d)\s?([A-Za-z°℃%㎡][A-Za-z°℃%²³㎡·./0-9]*)$", text)
    if unit and unit[1].lower() in _UNIT_FINAL:
        return _UNIT_FINAL[unit[1].lower()]
    if re.search(r"(?<![A-Za-z])(?:[A-Za-z]+[/·.])*(?:mm|cm|m)[2346]$", text):  # kN/m3, mm2
        return ""
    if last.isdecimal():
        return _number_final(text)
    word = re.search(r"[A-Za-z°℃%㎡·./]+$", text)
    if word and (last_unit := re.split(r"[/·.]", word.group())[-1]) in _UNIT_FINAL:  # units without a number: "N, mm로"
        return _UNIT_FINAL[last_unit]
    if last.isalpha() and last.isascii():
        return _LETTER_FINAL.get(last.lower(), "")
    return ""


def _number_final(text: str) -> str:
    number = re.search(r"[\d.,]+$", text)
    digits = number.group() if number else text[-1]
    zeros = re.search(r"0+$", digits.replace(",", ""))
    if zeros:
        if "." in digits or set(digits) <= {"0"}:
            return "m"
        return {1: "p", 2: "k", 3: "n"}.get(
            len(zeros.group()), "n" if len(zeros.group()) < 8 else "k"
        )  # 십 백 천 만 억
    return _DIGIT_FINAL[digits[-1]]


AFTER_WORD = re.compile(r"^(을|를|이|가|은|는|과|와|으로|로|이랑|랑)(?![가-힣])")
PAIR_OF = {
    form: pair
    for pair, forms_ in PAIRS.items()
    for form in forms_
    if pair in ("을(를)", "이(가)", "은(는)", "과(와)", "으로(로)", "(이)랑")
}
"""A particle right after a word, and the pair it is one form of."""


def particle(text: str, pair: str) -> str:
    """The form of a particle pair such as '을(를)' that follows `text`."""
    closed, open_ = PAIRS[pair]
    final = final_sound(text)
    if closed == "으로":
        return open_ if final in ("", "l") else closed
    return closed if final else open_


def settle(text: str) -> str:
    """Text with every pair such as '을(를)' replaced by the form its surroundings ask for."""
    out: list[str] = []
    at = 0
    for match in _PARTICLE.finditer(text):
        out.append(text[at : match.start()])
        out.append(particle(unmark("".join(out)[-160:]), match.group()))
        at = match.end()
    out.append(text[at:])
    return "".join(out)


# Words that end like a particle and are none.
_NO_PARTICLE = re.compile(
    r"(?:처용로|관로|소각로|가열로|용광로|회로|수로|차로|고속도로|활주로|마을|가을|노을|모을|경로|진입로|승강로|통로|선로|진로|항로|철로|종로|센텀로|테헤란로|폭로|난로|원로|바로|서로|따로|별로|새로|실로|홀로|대로|그대로|제대로|스스로|함부로|추가로)$"
)
_WRITTEN = re.compile(r"([^\s,.!?()\[\]~:;/\"']*[^\s,.!?()\[\]~:;/\"'])(을|를|으로|로|와)(?=[\s,.!?~)]|$)")


def wrong_particles(text: str) -> list[str]:
    """Words of a Korean text whose particle does not agree with what it follows (절점를, 단면로), where that can be told: 을/를, 와, 으로/로."""
    out = []
    for found in _WRITTEN.finditer(text):
        stem, form = found[1], found[2]
        if _NO_PARTICLE.search(found[0]) or (form == "로" and stem.endswith("으")):
            continue
        if re.search(r"[A-Za-z]{4,}$|[A-Za-z]\d+$|Pa$|\dT$", stem) or re.search(
            r"\d/\d+$", text[: found.end(1)]
        ):  # WATER, LM3, kPa, 2/3: read in more ways than one
            continue
        pair = {"을": "을(를)", "를": "을(를)", "으로": "으로(로)", "로": "으로(로)", "와": "과(와)"}[form]
        if particle(text[: found.end(1)], pair) != form:
            out.append(found[0])
    return out
