"""A page of dialogues to read: so many of each kind, drawn by seed, as Markdown."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from gennx.reports.coverage import rows_of

KINDS = ("single", "parallel", "chain", "multi_turn", "session", "next_id", "clarify", "no_tool", "repair", "guard")
ANSWER = 110
"""Characters of a tool's answer that are shown."""


def samples_page(folder: Path, each: int, seed: int) -> str:
    """Markdown with `each` dialogues of every kind of a data set. Raises ReportProblem."""
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for row in rows_of(folder):
        by_kind.setdefault(str(row["meta"].get("kind", "single")), []).append(row)
    rng = random.Random(seed)
    out = [
        "# Dialogues to read",
        "",
        f"{each} of each kind, drawn with seed {seed}. Written by `gennx-report samples`; system prompts stand in italics, tool answers are shortened.",
    ]
    for kind in sorted(by_kind, key=lambda k: (KINDS.index(k) if k in KINDS else len(KINDS), k)):
        out += ["", f"## {kind.replace('_', ' ')}"]
        rows = sorted(by_kind[kind], key=lambda r: str(r["meta"]["id"]))
        for number, row in enumerate(rng.sample(rows, min(each, len(rows))), 1):
            meta = row["meta"]
            out += ["", f"### {number}. {meta['endpoint']} ({meta['language']}, {meta['phrasing']})", ""]
            out += [line for message in row["messages"] for line in _said(message)]
    return "\n".join(out) + "\n"


def _said(message: dict[str, Any]) -> list[str]:
    text = " / ".join(line for line in (message["content"] or "").split("\n") if line.strip())
    match message["role"]:
        case "system":
            return [f"*{text}*  "]
        case "user":
            return [f"**User** {_plain(text)}  "]
        case "tool":
            return [f"← `{text[:ANSWER]}{'…' if len(text) > ANSWER else ''}`  "]
        case _:
            calls = [
                f"→ `{c['function']['name']}` `{c['function']['arguments']}`  " for c in message.get("tool_calls") or ()
            ]
            return [*([f"**Assistant** {_plain(text)}  "] if text else []), *calls]


def _plain(text: str) -> str:
    """Text in which Markdown finds nothing of its own."""
    return "".join(f"\\{c}" if c in "*_`|<#" else c for c in text)
