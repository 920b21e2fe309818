"""No line of the repository repeats the reference's prose."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_every_sentence_is_ours(shared: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(shared / "tools" / "own_words.py"), str(ROOT)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.stdout.splitlines()[-1].startswith("0 lines"), done.stdout
