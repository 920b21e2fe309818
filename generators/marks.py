"""Marks around the values of a text in the making, so that what surrounds them may change and the values may not.

Private-use characters; they are taken out before anything is written.
"""

from __future__ import annotations

import re

OPEN, MID, CLOSE = "\ue000", "\ue001", "\ue002"
MARKED = re.compile(f"({OPEN}\\d+{MID}[^{CLOSE}]*{CLOSE})")
_MARKS = re.compile(f"{OPEN}\\d+{MID}|{CLOSE}")


def mark(number: int, text: str) -> str:
    """The text as the value with that number."""
    return f"{OPEN}{number}{MID}{text}{CLOSE}"


def unmark(text: str) -> str:
    """The text without marks."""
    return _MARKS.sub("", text)
