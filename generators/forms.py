"""How values are written: Korean particles, numbers with units, lists and ranges of numbers.

Shared knowledge of the renderer and the grounding checker is limited to the unit table; the checker reads the
finished text with its own patterns.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from decimal import Decimal

Number = int | float

# ---------------------------------------------------------------- particles

# Does the spoken form end in a consonant? Digits as read in Korean: 영 일 이 삼 사 오 육 칠 팔 구.
DIGIT_FINAL = dict(zip("0123456789", ("m", "l", "", "m", "", "", "k", "l", "l", ""), strict=True))
# Latin letters as Koreans name them: 엘 엠 엔 알 end in consonants; a word is judged by its last letter.
LETTER_FINAL = {"l": "l", "m": "m", "n": "n", "r": "l"}
# Units and signs by the sound of their last syllable: 미터, 톤, 도, 퍼센트 ...
UNIT_FINAL = {
    "mm": "", "cm": "", "m": "", "kn": "n", "n": "n", "tonf": "", "kgf": "", "kn/m": "", "kn/m2": "", "kn/m²": "",
    "kpa": "l", "mpa": "l", "gpa": "l", "n/mm2": "", "kn·m": "", "kn.m": "", "deg": "", "°": "", "℃": "", "°c": "",
    "%": "", "s": "", "sec": "", "hz": "", "m/s": "", "m/s2": "", "kn/m3": "", "kn/m³": "",
}  # fmt: skip
PAIRS = {
    "을(를)": ("을", "를"),
    "를(을)": ("을", "를"),
    "이(가)": ("이", "가"),
    "가(이)": ("이", "가"),
    "은(는)": ("은", "는"),
    "는(은)": ("은", "는"),
    "과(와)": ("과", "와"),
    "와(과)": ("과", "와"),
    "으로(로)": ("으로", "로"),
    "로(으로)": ("으로", "로"),
    "(이)랑": ("이랑", "랑"),
    "이(랑)": ("이랑", "랑"),
    "이에요(예요)": ("이에요", "예요"),
    "(이)고": ("이고", "고"),
    "(이)야": ("이야", "야"),
    "(이)에요": ("이에요", "예요"),
    "(이)며": ("이며", "며"),
    "(이)나": ("이나", "나"),
}
_PARTICLE = re.compile("|".join(re.escape(p) for p in sorted(PAIRS, key=len, reverse=True)))
_CLOSERS = ")]}\"'”’」』 "


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
    if last.isdigit():
        return _number_final(text)
    word = re.search(r"[A-Za-z°℃%²³·./0-9]+$", text)
    if word:
        unit = re.search(r"(?<![A-Za-z])[A-Za-z°℃%][A-Za-z°℃%²³·./0-9]*$", text)
        if unit and unit.group().lower() in UNIT_FINAL and re.search(r"\d\s*$", text[: unit.start()]):
            return UNIT_FINAL[unit.group().lower()]
    if last.isalpha() and last.isascii():
        return LETTER_FINAL.get(last.lower(), "")
    return ""


def _number_final(text: str) -> str:
    number = re.search(r"[\d.,]+$", text)
    digits = number.group() if number else text[-1]
    if last_nonzero := re.search(r"0+$", digits.replace(",", "")):
        if "." in digits or set(digits) <= {"0"}:
            return "m"
        zeros = len(last_nonzero.group())
        return {1: "p", 2: "k", 3: "n"}.get(zeros, "n" if zeros < 8 else "k")  # 십 백 천 만 억
    return DIGIT_FINAL[digits[-1]]


def particle(text: str, pair: str) -> str:
    """The form of a particle pair such as '을(를)' that follows `text`."""
    closed, open_ = PAIRS[pair]
    final = final_sound(text)
    if closed == "으로":
        return open_ if final in ("", "l") else closed
    return closed if final else open_


def settle_particles(text: str) -> str:
    """Text with every pair such as '을(를)' replaced by the form its surroundings ask for."""
    out: list[str] = []
    at = 0
    for match in _PARTICLE.finditer(text):
        out.append(text[at : match.start()])
        out.append(particle(_plain("".join(out)), match.group()))
        at = match.end()
    out.append(text[at:])
    return "".join(out)


_MARK = re.compile("\ue000[^\ue001]*\ue001|\ue002")


def _plain(text: str) -> str:
    return _MARK.sub("", text[-120:])


# ---------------------------------------------------------------- units

# dimension -> (written unit, factor from the model's kN-m-degC-s system, weight in ordinary use)
UNITS: dict[str, tuple[tuple[str, str, int], ...]] = {
    "length": (("m", "1", 5), ("mm", "1000", 5), ("cm", "100", 1)),
    "length2": (("m2", "1", 3), ("mm2", "1000000", 2), ("cm2", "10000", 2)),
    "length3": (("m3", "1", 3), ("mm3", "1000000000", 1), ("cm3", "1000000", 2)),
    "length4": (("m4", "1", 3), ("mm4", "1000000000000", 1), ("cm4", "100000000", 2)),
    "length6": (("m6", "1", 1),),
    "force": (("kN", "1", 9), ("N", "1000", 1)),
    "moment": (("kN·m", "1", 4), ("kN.m", "1", 2), ("kNm", "1", 3)),
    "force/length": (("kN/m", "1", 9), ("N/mm", "1", 1)),
    "force/length2": (("kN/m2", "1", 6), ("kPa", "1", 2), ("kN/m²", "1", 2)),
    "force/length3": (("kN/m3", "1", 5), ("kN/m³", "1", 1)),
    "angle": (("도", "1", 1),),
    "temperature": (("도", "1", 2), ("℃", "1", 2), ("°C", "1", 1)),
    "1/temperature": (("/℃", "1", 1),),
    "time": (("초", "1", 1), ("s", "1", 1)),
    "1/time": (("Hz", "1", 1),),
    "length/time": (("m/s", "1", 1),),
    "length/time2": (("m/s2", "1", 1), ("m/s²", "1", 1)),
    "percent": (("%", "1", 1),),
    "day": (("일", "1", 1),),
    "hour": (("시간", "1", 1),),
    "moment/radian": (("kN·m/rad", "1", 1),),
    "force*time/length": (("kN·s/m", "1", 1),),
    "mass": (("ton", "1", 1), ("t", "1", 1)),
    "mass/length3": (("t/m3", "1", 1),),
}
STRESS = (("MPa", "0.001", 4), ("N/mm2", "0.001", 4), ("kN/m2", "1", 1), ("GPa", "0.000001", 1))
ENGLISH = {"도": ("deg", "degrees", "°"), "초": ("s", "sec"), "일": ("days",), "시간": ("hours",)}
STRESS_KINDS = frozenset({"stress", "modulus", "strength"})


def plain_number(value: Decimal) -> str:
    """Digits without exponent or trailing zeros: 0.0000120 becomes 0.000012."""
    text = format(value.normalize(), "f")
    return "0" if text in ("-0", "") else text


def write_number(value: Number, rng: random.Random | None = None) -> str:
    """A bare number: thousands separators now and then, exponents for very small ones."""
    exact = Decimal(repr(value))
    text = plain_number(exact)
    if rng is None:
        return text
    if abs(value) >= 10000 and rng.random() < 0.4:
        whole, _, part = text.partition(".")
        return f"{int(whole):,}" + (f".{part}" if part else "")
    if value and (abs(value) < 1e-4 or abs(value) >= 1e7):
        digits = exact.normalize().as_tuple()
        power = len(digits.digits) - 1 + int(digits.exponent)
        head = plain_number(exact.scaleb(-power))
        return rng.choice((f"{head}e{power}", f"{head}E{power}", f"{head}x10^{power}"))
    return text


def unit_choice(dimension: str, kind: str, value: Number, lang: str, rng: random.Random) -> tuple[str, Decimal]:
    """A unit to write a value in, and the factor to get there; ('', 1) for a dimension without units."""
    table = STRESS if dimension == "force/length2" and kind in STRESS_KINDS else UNITS.get(dimension, ())
    options = []
    for unit, factor, weight in table:
        said = abs(Decimal(repr(value)) * Decimal(factor))
        if said == 0 or Decimal("0.001") <= said < 1000000:
            short = len(plain_number(said).replace(".", "")) <= 6
            options.append((unit, factor, weight if short else 1))
    if not options:
        options = list(table[:1])
    if not options:
        return "", Decimal(1)
    unit, factor, _ = rng.choices(options, weights=[o[2] for o in options])[0]
    if lang == "en":
        unit = rng.choice(ENGLISH.get(unit, (unit,)))
    return unit, Decimal(factor)


def with_unit(value: Number, unit: str, factor: Decimal, rng: random.Random) -> str:
    """The value written in that unit: 3 m, 3m, 3000mm."""
    said = Decimal(repr(value)) * factor
    text = plain_number(said)
    if abs(said) >= 10000 and rng.random() < 0.4:
        whole, _, part = text.partition(".")
        text = f"{int(whole):,}" + (f".{part}" if part else "")
    if abs(said) < Decimal("0.0001") and said:
        text = write_number(float(said), rng)
    if not unit:
        return text
    tight = unit in ("%", "°", "도", "℃", "일", "초", "시간", "/℃") or rng.random() < 0.6
    return f"{text}{'' if tight else ' '}{unit}"


# ---------------------------------------------------------------- lists of numbers


def run_step(numbers: Sequence[int]) -> int | None:
    """The common step of a rising sequence of three or more, else None."""
    if len(numbers) < 3:
        return None
    step = numbers[1] - numbers[0]
    return step if step > 0 and all(b - a == step for a, b in zip(numbers, numbers[1:], strict=False)) else None


def number_list(numbers: Sequence[int], lang: str, rng: random.Random, suffix: str = "번") -> str:
    """Record numbers as people write them: 1번부터 6번까지, 1~6번, 2번과 5번, 2 to 20 by 2."""
    texts = [str(n) for n in numbers]
    step = run_step(numbers)
    if lang == "ko":
        return _korean_list(texts, step, rng, suffix)
    return _english_list(texts, step, rng)


def _korean_list(texts: list[str], step: int | None, rng: random.Random, suffix: str) -> str:
    if len(texts) == 1:
        return texts[0] + suffix
    first, last = texts[0], texts[-1]
    if step == 1:
        return rng.choice((
            f"{first}{suffix}부터 {last}{suffix}까지",
            f"{first}~{last}{suffix}",
            f"{first}-{last}{suffix}",
            f"{first}~{last}{suffix}",
            f"{first}에서 {last}{suffix}까지",
        ))  # fmt: skip
    if step is not None and len(texts) > 3 and rng.random() < 0.6:
        return rng.choice((
            f"{first}{suffix}부터 {last}{suffix}까지 {step} 간격",
            f"{first}~{last}{suffix}({step} 간격)",
            f"{first}{suffix}부터 {step}씩 {last}{suffix}까지",
        ))  # fmt: skip
    if len(texts) == 2:
        return rng.choice((
            f"{first}{suffix}{particle(first + suffix, '과(와)')} {last}{suffix}",
            f"{first}, {last}{suffix}",
            f"{first}{suffix}, {last}{suffix}",
            f"{first}{suffix}{particle(first + suffix, '(이)랑')} {last}{suffix}",
        ))  # fmt: skip
    return rng.choice((
        ", ".join(texts) + suffix,
        ",".join(texts) + suffix,
        ", ".join(t + suffix for t in texts),
        " ".join(texts) + suffix,
    ))  # fmt: skip


def _english_list(texts: list[str], step: int | None, rng: random.Random) -> str:
    if len(texts) == 1:
        return texts[0]
    first, last = texts[0], texts[-1]
    if step == 1:
        return rng.choice((f"{first} to {last}", f"{first}-{last}", f"{first} through {last}", f"{first}~{last}"))
    if step is not None and len(texts) > 3 and rng.random() < 0.6:
        return rng.choice((f"{first} to {last} by {step}", f"{first} to {last} in steps of {step}"))
    if len(texts) == 2:
        return rng.choice((f"{first} and {last}", f"{first}, {last}", f"{first} & {last}"))
    return rng.choice((", ".join(texts), ", ".join(texts[:-1]) + " and " + last, ",".join(texts)))
