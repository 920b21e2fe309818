"""Whether the words of a request tell a creation from a change: where they do not, only one of the two tools may be offered."""

from __future__ import annotations

import re

_CREATES = re.compile(
    r"추가|새로|신규|새 |하나 더|만들|만든|생성|등록|입력|넣|지정|정의|작성|할당|배치|배정|부여|깔아|깔고|걸어|걸고|재하|잡아|세팅|설정해|작업|필요|없네|없어|없습|없는데|빠졌|누락|"
    r"\b(?:add|new|create|define|make|assign|put|needs?|set up|set|enter|place|apply|insert|give|missing|generate|want|include|register|introduce|model|no \w+ yet|there is no)\b",
    re.I,
)
_CHANGES = re.compile(
    r"바꾸|바꿔|바꿉|바뀌|바뀐|바뀜|변경|수정|고쳐|고치|교체|정정|조정|올려|올리|올림|내려|내리|내림|낮춰|낮추|높여|높이|늘려|늘리|줄여|줄이|줄임|키워|완화|강화|갱신|업데이트|"
    r"대신|에서|→|->|=>|됐|되었|된대|이제|말고|아니|그대로|유지|만\b|켜|켬|꺼|끄|끔|해제|풀어|재지정|개명|상향|하향|원래|기존|현재|다시|맞춰|맞추|맞습|취소|편입|반대로|"
    r"\b(?:chang|updat|revis|modif|edit|switch|instead|now|was|were|from|rais|lower|reduc|increas|becom|renam|replac|correct|fix|turn|bump|drop|only|stay|keep|kept|remain|"
    r"longer|rather|swap|mov|adjust|amend|cut|shift|tight|loosen|relax|extend|shorten|up to|down to|to be|should|must|has gone|ought|back to|any more)",
    re.I,
)
_EITHER = re.compile(
    r"\d만 |만 -?\d|켜|켬|끄|꺼|로 해|로 하|로 잡|로 가|이어야|여야|해야|\b(?:is|are|has|have) to be\b|\b(?:should|must|shall) (?:be|have)\b|\bturn\b",
    re.I,
)


def ambiguous(text: str, method: str) -> bool:
    """True for a creation (POST) whose words may mean a change as well, and for a change (PUT) whose words tell nothing of one.

    A bare noun phrase or table is a creation by convention and not in doubt.
    """
    if method == "POST":
        return _EITHER.search(text) is not None and _CREATES.search(text) is None
    return method == "PUT" and _CHANGES.search(text) is None
