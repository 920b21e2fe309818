"""How far a run is: in words, and as the points kept on disk. Light, unlike callbacks.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def in_time(seconds: float) -> str:
    """Seconds as a person says them: '40 s', '12 min', '3 h 5 min'."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def read_history(path: Path) -> list[dict[str, Any]]:
    """The points of a run so far, oldest first; a last line cut short by a kill is dropped."""
    points = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            points.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return points
