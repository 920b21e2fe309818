"""Read a finished text: the numbers in it with their units, and the runs of numbers (lists, ranges, steps, exclusions).

This is the only eye of the grounding checker and of the harvester; it knows nothing of how a text was made.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from gennx.generators.units import BASE, UNIT_PATTERN

_DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|(?<![\w.])\.\d+)"
_EXPONENT = r"(?:\s?[x×X*]\s?10\s?(?:(?:\^|\*\*)\s?\(?[-−+]?\d{1,2}\)?|[-−]\d{1,2}(?!\d)|[⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)|[eE][-−+]?\d{1,2}(?![\dA-Za-z]))"
NUMBER = re.compile(
    rf"(?=[-−–+.\d])(?P<sign>(?<![\w)\].])[-−–+](?=\d|\.\d))?(?P<digits>{_DIGITS})(?P<exp>{_EXPONENT})?"
    rf"(?P<fraction>\s?/\s?\d+(?:\.\d+)?(?![\d.]|\s?/)(?!\s?(?:kN|m|℃)\b))?"
    rf"(?P<space> ?)(?P<unit>%|％|퍼센트|percent|프로|{UNIT_PATTERN})?"
)
_SUPER = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")

_KO_UNITS = {
    "하나": 1,
    "한": 1,
    "두": 2,
    "둘": 2,
    "세": 3,
    "셋": 3,
    "네": 4,
    "넷": 4,
    "다섯": 5,
    "여섯": 6,
    "일곱": 7,
    "여덟": 8,
    "아홉": 9,
}
_KO_TENS = {"열": 10, "스물": 20, "스무": 20, "서른": 30, "마흔": 40, "쉰": 50}
_KO_COUNTER = "개|곳|군데|칸|층|번|줄|가닥|본|단|등분|분할|회|모드|스텝|절점|요소|부재|점|경간|스팬|장|대|쌍|배|방향|개소|조|벌|차로|차선"
_KO_WORD = re.compile(
    rf"(?=[가-힣])(?<![가-힣])(?=[열스서마쉰하한두둘세셋네넷다여일아])(?:(?P<tens>열|스물|스무|서른|마흔|쉰)?(?P<unit>하나|한|두|둘|세|셋|네|넷|다섯|여섯|일곱|여덟|아홉)?(?=\s?(?:{_KO_COUNTER}))|(?P<bare>하나|둘|셋|넷|다섯|여섯|일곱|여덟|아홉|열)(?![가-힣]|\s?[가-힣]*계)|(?P<full>(?:열|스물|서른|마흔|쉰)(?:하나|둘|셋|넷|다섯|여섯|일곱|여덟|아홉)|서른|마흔|쉰)(?=으로|[^가-힣]|$))"
)
_SINO = {"영": 0, "공": 0, "일": 1, "이": 2, "삼": 3, "사": 4, "오": 5, "육": 6, "칠": 7, "팔": 8, "구": 9}
_SINO_BIG = {"십": 10, "백": 100, "천": 1000}
_SPOKEN_UNIT = "미터|메타|밀리|미리|센티|센치|킬로|메가|뉴턴|톤|퍼센트|프로|도(?![면심형록])|초(?![과기])|mm|cm|m(?![a-z])|kN|MPa|㎜|배"
_SINO_DIGIT = "[일이삼사오육칠팔구]"
_SINO_LONG = f"{_SINO_DIGIT}?[천백십](?:{_SINO_DIGIT}?[백십])*{_SINO_DIGIT}?"
_SINO_WORD = re.compile(
    rf"(?<![가-힣])(?:(?P<sino>{_SINO_LONG})"
    rf"(?=\s?(?:번|개|회|모드|일|분|층|호|등분|번째|으로|{_SPOKEN_UNIT}))"
    rf"|(?P<digit>{_SINO_DIGIT})(?=\s(?:{_SPOKEN_UNIT}))(?!\s도로)"
    rf"|(?P<whole>영|공|{_SINO_LONG}|{_SINO_DIGIT})점(?P<after>[영공일이삼사오육칠팔구]+)(?=\s?(?:으로|로|{_SPOKEN_UNIT}|[^가-힣]|$)))"
)
_EN_ONES = {
    w: i
    for i, w in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        ]
    )
}
_EN_TENS = {
    w: 10 * i for i, w in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2)
}
_EN_WORD = re.compile(
    rf"(?=[aefnostz])(?<![A-Za-z])(?=(?:a\s|{'|'.join([*_EN_TENS, *_EN_ONES])}))(?:(?P<hundreds>one|two|three|four|five|six|seven|eight|nine|a)\s(?P<hundred>hundred)(?:\s(?:and\s)?)?)?"
    rf"(?P<tens>{'|'.join(_EN_TENS)})?[\s-]?(?P<ones>{'|'.join(_EN_ONES)})?(?![A-Za-z])",
    re.I,
)
_PARTS = {
    "절반": "0.5", "반으로": "0.5", "중앙": "0.5", "한가운데": "0.5", "가운데": "0.5", "half": "0.5", "midspan": "0.5", "mid-span": "0.5",
    "middle": "0.5", "centre": "0.5", "center": "0.5", "quarter": "0.25", "third": "0.3333333333", "double": "2", "twice": "2", "두배": "2", "halve": "0.5",
}  # fmt: skip
_PART = re.compile(
    rf"(?=[{''.join(sorted({w[0] for w in _PARTS}))}])(?<![A-Za-z가-힣])(?:{'|'.join(sorted(_PARTS, key=len, reverse=True))})",
    re.I,
)
_UNIT_AFTER_KO = re.compile(rf" ?({UNIT_PATTERN})")
_UNIT_AFTER_EN = re.compile(rf"\s?({UNIT_PATTERN}|percent)")


@dataclass(slots=True)
class Number:
    """A number in a text: where it stands, its value as written, its unit (None if bare)."""

    start: int
    end: int
    tail: int
    """End with the unit; equals `end` without one."""
    value: Decimal
    unit: str | None
    written: str
    word: bool = False
    """Written in words (두 개, thirty)."""
    glued: bool = False
    """Hangs on a letter, as in H1 or mm2."""


@dataclass(slots=True)
class Run:
    """Several whole numbers that belong together: a list, ranges, a step, exclusions."""

    start: int
    end: int
    values: list[int]
    members: list[Number]
    style: str
    """list, range, step, except."""


@dataclass(slots=True)
class Reading:
    """What stands in a text."""

    text: str
    numbers: list[Number]
    runs: list[Run]
    units: list[str] = field(default_factory=list)
    """Every unit that stands anywhere, also in a table's head."""


def _written_value(match: re.Match[str]) -> Decimal | None:
    digits = match["digits"].replace(",", "")
    try:
        value = Decimal(digits)
        if match["exp"]:
            text = match["exp"].translate(_SUPER).replace("−", "-")
            power = re.search(r"(?:10\s?(?:\^|\*\*)?\s?\(?|[eE])([-+]?\d{1,2})\)?$", text)
            if power is None:
                return None
            value = value.scaleb(int(power[1]))
        if match["fraction"]:
            below = Decimal(match["fraction"].replace("/", "").strip())
            if below == 0:
                return None
            value = value / below
    except InvalidOperation:
        return None
    return -value if match["sign"] and match["sign"] != "+" else value


MOST_STEP = 25
"""Between numbers of things in a list without spaces."""


def _listed_close(match: re.Match[str], text: str) -> bool:
    """True if commas between groups of three digits may separate small numbers (a colour: 131,131,131) or numbers of things that go up (701,702)
    instead of thousands."""
    groups = match["digits"].split(",")
    if len(groups) < 2 or match["exp"] or any("." in g for g in groups):
        return False
    if len(groups[0]) == 3 and match["unit"] is None:
        steps = [int(b) - int(a) for a, b in itertools.pairwise(groups)]
        if all(0 < step <= MOST_STEP for step in steps):
            return True
    if any(int(g) > 255 for g in groups):
        return False
    return len(groups) > 2 or re.match(r",\s?\d{1,3}(?![\d,])", text[match.end("digits") :]) is not None


def _digit_numbers(text: str, written: Sequence[re.Match[str]]) -> Iterator[Number]:
    for match in written:
        fraction = match["fraction"]
        value = _written_value(match)
        if value is None and not fraction:
            continue
        start = match.start("sign") if match["sign"] else match.start("digits")
        end = match.end("fraction") if fraction else match.end("exp") if match["exp"] else match.end("digits")
        unit = match["unit"]
        tail = match.end("unit") if unit else end
        if unit is not None and unit.startswith("x") and unit[1:2].isdigit():
            unit, tail = None, end
        glued = start > 0 and ((text[start - 1].isalpha() and text[start - 1].isascii()) or text[start - 1] in "_^")
        if value is not None:
            yield Number(start, end, tail, value, unit, text[start:end], False, glued)
        if fraction or _listed_close(
            match, text
        ):  # "1/4" may also be two numbers apart (3/5 as a list), so may 146,208,80
            pieces = list(re.finditer(r"\d+(?:\.\d+)?", text[start:end]))
            for piece in pieces:
                a, b = start + piece.start(), start + piece.end()
                yield Number(
                    a,
                    b,
                    tail if piece is pieces[-1] else b,
                    Decimal(piece.group()),
                    unit if piece is pieces[-1] else None,
                    piece.group(),
                )


def _spoken(words: str) -> int:
    """A number as it is read out: 이백오십 is 250."""
    total, digit = 0, 0
    for c in words:
        if c in _SINO:
            digit = _SINO[c]
        else:
            total += (digit or 1) * _SINO_BIG[c]
            digit = 0
    return total + digit


def _word_numbers(text: str) -> Iterator[Number]:
    korean = not text.isascii()
    for match in _KO_WORD.finditer(text) if korean else ():
        if not match.group():
            continue
        said = match["full"] or match["bare"]
        tens = next((t for t in _KO_TENS if (said or match["tens"] or "").startswith(t)), "")
        value = _KO_TENS.get(tens, 0) + _KO_UNITS.get(said[len(tens) :] if said else match["unit"] or "", 0)
        yield Number(match.start(), match.end(), match.end(), Decimal(value), None, match.group(), True)
    for match in _SINO_WORD.finditer(text) if korean else ():
        amount = Decimal(_spoken(match["sino"] or match["digit"] or match["whole"]))
        if match["after"]:
            amount += Decimal(f"0.{''.join(str(_SINO[c]) for c in match['after'])}")
        found = _UNIT_AFTER_KO.match(text[match.end() :])
        tail = match.end() + (found.end() if found else 0)
        yield Number(match.start(), match.end(), tail, amount, found[1] if found else None, match.group(), True)
    for match in _EN_WORD.finditer(text):
        if not (match["ones"] or match["tens"] or match["hundred"]):
            continue
        value = (
            0
            if not match["hundred"]
            else 100 * (1 if match["hundreds"].lower() == "a" else _EN_ONES[match["hundreds"].lower()])
        )
        value += _EN_TENS.get((match["tens"] or "").lower(), 0) + _EN_ONES.get((match["ones"] or "").lower(), 0)
        start = match.start() + len(match.group()) - len(match.group().lstrip(" -"))
        end = match.start() + len(match.group().rstrip(" -"))
        found = _UNIT_AFTER_EN.match(text[end:])
        yield Number(
            start,
            end,
            end + (found.end() if found else 0),
            Decimal(value),
            found[1] if found else None,
            text[start:end],
            True,
        )
    for match in _PART.finditer(text):
        yield Number(
            match.start(), match.end(), match.end(), Decimal(_PARTS[match.group().lower()]), None, match.group(), True
        )


_TAG = r"(?:\s?(?:번|호|열|절점|요소|부재|node|elem|element))?"
_BETWEEN = re.compile(
    rf"^{_TAG}\s?(?P<range>~|∼|〜|-|–|—|to|thru|through|부터|에서|\.\.+|번부터|번에서)\s?(?:no\.?\s?)?$|"
    rf"^{_TAG}\s?(?P<list>,|·|ㆍ|、|/|;|&|\+|와|과|랑|이랑|하고|및|또는|and|,\s?and|또|그리고|,\s?그리고)\s?(?:그리고\s?)?$|^(?P<space>{_TAG}\s)$",
    re.I,
)
_AFTER_RANGE = re.compile(r"^\s?번?\s?(?:까지|끝까지)?")
_STEP = re.compile(
    r"^[^\d\n]{0,14}?(?:(?:by|steps? of|in steps of|every|step|stepping|increments? of)\s?(?P<a>\d+)|(?P<b>\d+)\s?(?:씩|간격|번 간격|개씩|단위|칸씩|스텝|step))",
    re.I,
)
_PARITY = re.compile(
    r"(?P<even>짝수|even)|(?P<odd>홀수|odd)|(?P<second>하나 걸러|한 칸씩 건너|격번|every (?:other|second)|하나씩 건너)",
    re.I,
)
_EXCEPT_BEFORE = re.compile(
    r"(?:except(?:ing)?(?: for)?|excluding|without|but not|not|minus|leave out|leaving out|skip(?:ping)?|omit(?:ting)?|save for|other than|apart from)\W{0,3}(?:the |node |nodes |element |elements |member |members |no\.? ?)*$",
    re.I,
)
_EXCEPT_AFTER = re.compile(
    r"^\s?(?:번|절점|요소|호)?\s?(?:만|은|는|이|가|을|를|도)?\s?[가-힣 ]{0,14}?(?:빼|제외|말고|없|비워|건너|아니|생략|왜|남기|남겨|두고|놔두)",
    re.I,
)


def _runs(text: str, numbers: Sequence[Number]) -> list[Run]:
    """Chains of whole numbers joined by list or range signs."""
    whole = [n for n in numbers if not n.word and n.value == n.value.to_integral_value() and "." not in n.written and "/" not in n.written
             and 0 <= n.value < 10**7 and (n.unit is None or n.unit in ("개", "번"))]  # fmt: skip
    out: list[Run] = []
    i = 0
    while i < len(whole):
        members = [whole[i]]
        values = [int(whole[i].value)]
        style = "list"
        j = i
        loose = False
        while j + 1 < len(whole):
            gap = text[members[-1].end : whole[j + 1].start]
            if len(gap) > 14:
                break
            if "까지" in gap:  # a range is closed: only a list sign goes on, never bare space
                gap = _AFTER_RANGE.sub("", gap)
                if not gap.strip():
                    break
            found = _BETWEEN.match(gap)
            if found is None:
                break
            nxt = int(whole[j + 1].value)
            if style == "range" and nxt in values:
                break  # "31~36번, 33번은 빼고", "1~20번 5씩": what follows is about the range
            if found["range"]:
                low = values[-1]
                if not low < nxt <= low + 5000:
                    break
                if found["range"] in ("-", "–", "—") and nxt - low == 0:
                    break
                values.extend(range(low + 1, nxt + 1))
                style = "range"
            else:
                loose = loose or bool(found["space"])
                values.append(nxt)
            members.append(whole[j + 1])
            j += 1
        if len(members) > 1:
            out.append(Run(members[0].start, members[-1].end, values, members, style))
        i = j + 1
    return out


@lru_cache(maxsize=16)
def read(text: str) -> Reading:
    """All numbers and runs of a text, in order; the last few are kept, since a text is looked at more than once."""
    written = list(NUMBER.finditer(text))
    numbers = list(_digit_numbers(text, written))
    covered = [(n.start, n.end) for n in numbers]
    for n in _word_numbers(text):
        if not any(a < n.end and n.start < b for a, b in covered):
            numbers.append(n)
    numbers.sort(key=lambda n: (n.start, -n.end))
    return Reading(text, numbers, _runs(text, numbers), _units(text, written))


_UNIT_STARTS = re.escape("".join(sorted({name[0] for name in BASE} | set("1/"))))
_LONE_UNIT = re.compile(rf"(?=[{_UNIT_STARTS}])(?<![A-Za-z0-9가-힣])(?:{UNIT_PATTERN})(?![A-Za-z])")
_SPELLED = re.compile(r"단위|unit", re.I)


def _units(text: str, written: Sequence[re.Match[str]]) -> list[str]:
    found = {m["unit"] for m in written if m["unit"]}
    found |= {m.group() for m in _LONE_UNIT.finditer(text)}
    return sorted(found)


_LEFT_OUT = re.compile(
    r"^\s?(?:번|절점|요소|호)?\s?(?:만|은|는|이|가|을|를|도)?\s?(?:빼고|제외하고|제외한|제외|말고|빼|남기고|남겨두고|두고|놔두고)"
)


def _said_after(text: str, at: int) -> int:
    """Length of the word of exclusion right behind a number: 번은 빼고."""
    found = _LEFT_OUT.match(text[at : at + 24])
    return found.end() if found else 0


def expansions(reading: Reading, run: Run) -> Iterator[tuple[list[int], str, int]]:
    """Every way a run can be meant: (numbers, style, end of the words that say so): as it stands, with a step, without some."""
    text = reading.text
    yield run.values, run.style, run.end
    if run.style != "range":
        return
    low, high = run.values[0], run.values[-1]
    step = _STEP.match(text[run.end : run.end + 40])
    if step:
        by = int(step["a"] or step["b"])
        if by > 1:
            yield list(range(low, high + 1, by)), "step", run.end + step.end()
    around = text[max(0, run.start - 40) : run.end + 40]
    parity = _PARITY.search(around)
    if parity:
        want = 0 if parity["even"] else 1 if parity["odd"] else low % 2
        yield [n for n in range(low, high + 1) if n % 2 == want], "parity", run.end
    gone: set[int] = set()
    end = run.end
    for n in reading.numbers:
        if (
            n.word
            or n.start < run.end - 30
            or n.start > run.end + 90
            or n.value != n.value.to_integral_value()
            or n in run.members
        ):
            continue
        value = int(n.value)
        if not low < value < high:
            continue
        if _EXCEPT_BEFORE.search(text[max(0, n.start - 30) : n.start]) or _EXCEPT_AFTER.match(text[n.end : n.end + 30]):
            gone.add(value)
            end = max(end, n.end + _said_after(text, n.end))
    for other in reading.runs:
        if other is run or other.start < run.start or other.start > run.end + 90:
            continue
        if set(other.values) < set(run.values) and (
            _EXCEPT_BEFORE.search(text[max(0, other.start - 30) : other.start])
            or _EXCEPT_AFTER.match(text[other.end : other.end + 30])
        ):
            gone |= set(other.values)
            end = max(end, other.end + _said_after(text, other.end))
    if gone:
        if "(" in text[run.end : end] and text[end : end + 1] == ")":
            end += 1
        yield [v for v in run.values if v not in gone], "except", end
