"""Speech levels of Korean requests: whether a text ends politely (해요, 합니다) or plainly (해줘, 하자)."""

from __future__ import annotations

import re
from collections.abc import Sequence

_POLITE = re.compile(r"(?:요|니다|니까|십시오|시오|세요|시죠|까요|시길|십쇼)[\s.,!?~ㅎㅠ;]*$")
_PLAIN = re.compile(
    r"(?:줘|줘라|해|해라|하자|자|라|봐|주라|냐|니|놔|넣어|지워|바꿔|와|됐다|이다|한다|된다|했다|렸다|거임|음|야|지)[\s.,!?~ㅎㅠ;]*$"
)


def polite(text: str) -> bool:
    """True if the text ends politely."""
    return _POLITE.search(text) is not None


def plain(text: str) -> bool:
    """True if the text ends plainly; a note without a verb is neither."""
    return not polite(text) and _PLAIN.search(text) is not None


def one_register(texts: Sequence[str]) -> bool:
    """False if some of the requests end politely and some plainly; notes without a verb go with both."""
    return not (any(polite(t) for t in texts) and any(plain(t) for t in texts))
