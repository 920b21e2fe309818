"""The manifest of a data set: settings, versions, counts, checks and digests."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from gennx.generators.settings import Settings

FORMAT = 1


def package_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


@lru_cache(maxsize=1 << 16)
def skeleton(text: str) -> str:
    """A text with its values masked: numbers, Latin names with digits, quoted words."""
    text = re.sub(r"\"[^\"]*\"|'[^']*'|‘[^’]*’", "<q>", text)
    text = re.sub(r"(?<![A-Za-z가-힣])[A-Za-z]*[-+_(]?\d[\w.+\-/()]*", "<n>", text)
    return re.sub(r"(?:<n>[\s,·~\-–]*)+", "<n> ", text).strip()


def manifest_of(
    settings: Settings,
    rows: list[tuple[str, dict[str, Any]]],
    files: dict[str, Any],
    dropped: Counter[str],
    missing: dict[str, int],
) -> dict[str, Any]:
    """Everything about a data set but the data. Same settings, same manifest."""
    metas = [row["meta"] for _, row in rows]
    tokens = sorted(m["tokens"] for m in metas) or [0]
    users = ["\n".join(m["content"] for m in row["messages"] if m["role"] == "user") for _, row in rows]
    return {
        "format": FORMAT,
        "generator": "gennx-gen",
        "versions": {n: package_version(n) for n in ("gennx", "jinja2", "jsonschema-rs", "tiktoken")},
        "settings": settings.as_dict(),
        "dialogues": len(rows),
        "endpoints": len({m["endpoint"] for m in metas}),
        "tools": len(
            {call["function"]["name"] for _, row in rows for m in row["messages"] for call in m.get("tool_calls", ())}
        ),
        "counts": {
            "split": _count(split for split, _ in rows),
            "tier": _count(str(m["tier"]) for m in metas),
            "method": _count(m["method"] for m in metas),
            "language": _count(m["language"] for m in metas),
            "kind": _count(m["kind"] for m in metas),
            "style": _count(m["style"] for m in metas),
        },
        "phrasings": len({(m["endpoint"], m["phrasing"]) for m in metas}),
        "skeletons": len({skeleton(u) for u in users}),
        "tokens": {"median": tokens[len(tokens) // 2], "max": tokens[-1], "total": sum(tokens)},
        "checks": {
            "valid against the catalogue": len(rows),
            "every value said in the words": len(rows),
            "executed on the emulated model": len(rows),
            "distinct user texts": len(set(users)),
            f"within {settings.max_tokens} tokens": sum(t <= settings.max_tokens for t in tokens),
        },
        "dropped": dict(sorted(dropped.items())),
        "missing": missing,
        "files": files,
    }


def _count(values: Any) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
