"""What the server answers: a status and a JSON body.

Texts and statuses are those recorded on live servers; where nobody recorded one, the text is ours and keeps the
recorded form `{"error": {"message": ...}}` (docs/EMULATOR.md lists which are which).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PRODUCT = "MIDAS GEN NX"
COMPLETE = f"{PRODUCT} command complete"
KEY_EXISTS = "Key Already Exist"
WRONG_FIELD = "Wrong Field"
WRONG_NAME = "Wrong DB Name"
NOT_OPENED = "The project is not opened"
NO_RESULTS = "Cannot generate table data as there is no analysis result."


@dataclass(frozen=True, slots=True)
class Reply:
    """HTTP status and body; the body is the caller's own copy."""

    status: int
    body: dict[str, Any]

    @property
    def failed(self) -> bool:
        """True when the body carries an `error`; the status says nothing, a refusal comes with 200 or 201."""
        return "error" in self.body


def failure(message: str, status: int = 200) -> Reply:
    """A refusal in the server's form."""
    return Reply(status, {"error": {"message": message}})


def nothing(status: int = 200) -> Reply:
    """What an empty table, an absent record or a silent no-op answers."""
    return Reply(status, {"message": ""})


def complete() -> Reply:
    """What a document command answers when it is done."""
    return Reply(200, {"message": COMPLETE})
