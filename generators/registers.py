"""Speech levels of Korean requests: whether a text ends politely (해요, 합니다) or plainly (해줘, 하자)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

_POLITE = re.compile(r"(?:요|니다|니까|십시오|시오|세요|시죠|까요|시길|십쇼)[\s.,!?~ㅎㅠ;]*$")
_PLAIN = re.compile(
    r"(?:줘|줘라|해|해라|하자|자|라|봐|주라|냐|니|놔|넣어|지워|바꿔|와|됐다|이다|한다|된다|했다|렸다|거임|음|야|지|있어|없어|됐어|했어|돼|줄래)[\s.,!?~ㅎㅠ;]*$"
)


_POLITE_INSIDE = re.compile(r"(?:[가-힣]요|니다|니까|십시오|세요)(?=[\s.,!?~ㅎㅠ;:]|$)")
_PLAIN_INSIDE = re.compile(
    r"(?:(?<=[가-힣])|(?<=[가-힣] ))(?:줘|줘라|주라|줄래|하자|넣자|두자|빼자|지우자|바꾸자|보자|가자|해라|해줘|봐|봐라|빼|거야|이야)(?=[\s.,!?~ㅎㅠ;:→]|$)|(?<=\w)야(?=,)"
)
_OFFICIAL = re.compile(r"십시오|바랍니다|하여 |요망|바람(?=[\s.]|$)|할 것(?=[\s.]|$)|[가-힣]함\.")
_CHATTY = re.compile(
    r"데요,$|줘요\.?$|고요\.$|대요\.$|더라고요\.$|^(?:아 그리고|참,|어,|음\.\.\.|오케이,|자 이제|좋아요\.|그럼|죄송한데|일단)$"
)


def polite_anywhere(text: str) -> bool:
    """True if any clause of a text is polite."""
    return _POLITE_INSIDE.search(text) is not None


def plain_anywhere(text: str) -> bool:
    """True if any clause of a text is plain."""
    return _PLAIN_INSIDE.search(text) is not None


def level_of(text: str) -> tuple[bool, bool, bool]:
    """Whether a text has polite, plain and official clauses."""
    return polite_anywhere(text), plain_anywhere(text), _OFFICIAL.search(text) is not None


@lru_cache(maxsize=2048)
def goes_with(words: str, level: tuple[bool, bool, bool]) -> bool:
    """Whether words put around a request are of its speech level: nothing polite beside a plain request, nothing chatty beside an official one."""
    has_polite, has_plain, official = level
    if (has_plain and polite_anywhere(words)) or (has_polite and plain_anywhere(words)):
        return False
    return not (official and _CHATTY.search(words))


def polite(text: str) -> bool:
    """True if the text ends politely."""
    return _POLITE.search(text) is not None


def plain(text: str) -> bool:
    """True if the text ends plainly; a note without a verb is neither."""
    return not polite(text) and _PLAIN.search(text) is not None


def one_register(texts: Sequence[str]) -> bool:
    """False if some of the requests are polite or official and some plain, at their end or within; notes without a verb go with both."""
    levels = [level_of(t) for t in texts]
    stiff = any(is_polite or official or polite(t) for t, (is_polite, _, official) in zip(texts, levels, strict=True))
    loose = any(is_plain or plain(t) or "ㄱㄱ" in t for t, (_, is_plain, _) in zip(texts, levels, strict=True))
    return not (stiff and loose)
