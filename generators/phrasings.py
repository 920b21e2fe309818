"""Read phrasing files and the words beside them, and check them when they are read.

A phrasing file is plain text: a header such as `[POST]`, `[GET some]` or `[done PUT]`, then phrasings, each a Jinja
template of one or more lines, parted by empty lines. A line `@ when EXPRESSION` before a phrasing limits it; lines
that start with `#` are remarks. Variables are the field names of the endpoint (`LCNAME`, `SECT_I__vSIZE` where a bare
name is not unique), `ids`, `target`, `title`, `facts`, `rows`, `table`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, meta, nodes
from jinja2.sandbox import SandboxedEnvironment

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
HEADER = re.compile(r"^\[(done |)(POST|PUT|GET|DELETE)(?: (\w+))?\]\s*$")
LANGUAGES = ("ko", "en")
FRAME_NAMES = frozenset({"ids", "target", "title", "facts", "rows", "table", "count", "noun"})


class TemplateProblem(Exception):
    """A phrasing or words file that cannot be used; the message names file and line and how to mend it."""


def environment() -> SandboxedEnvironment:
    """The environment all phrasings run in: sandboxed, and a missing name is an error."""
    env = SandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)
    from gennx.generators.words import FILTERS

    env.filters.update(FILTERS)
    return env


@dataclass(frozen=True)
class Phrasing:
    """One way to say a call."""

    ident: str
    section: str
    text: str
    needs: frozenset[str]
    names: frozenset[str]
    when: str | None
    place: str
    env: SandboxedEnvironment

    @cached_property
    def render(self) -> Callable[..., str]:
        return self.env.from_string(self.text).render

    @cached_property
    def applies(self) -> Callable[..., Any] | None:
        return None if self.when is None else self.env.compile_expression(self.when, undefined_to_none=False)

    @property
    def by_rows(self) -> bool:
        """True if the phrasing says several different records or items, one after the other."""
        return "rows" in self.names or "table" in self.names


@dataclass(frozen=True)
class Folder:
    """All words of one endpoint, or the shared ones: phrasings by language and section, roles and what follows."""

    phrasings: dict[tuple[str, str], tuple[Phrasing, ...]]
    roles: dict[str, dict[str, dict[str, list[str]]]]
    follows: tuple[dict[str, Any], ...]

    def get(self, lang: str, section: str) -> tuple[Phrasing, ...]:
        return self.phrasings.get((lang, section), ())


def parse_file(path: Path, owner: str, lang: str, env: SandboxedEnvironment) -> list[Phrasing]:
    """Phrasings of one file. Raises TemplateProblem for an unknown header, a broken template or a missing one."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateProblem(f"{path}: cannot be read as UTF-8 text ({error})") from None
    out: list[Phrasing] = []
    section: str | None = None
    block: list[str] = []
    when: str | None = None
    start = 0

    def close() -> None:
        nonlocal block, when
        if block:
            if section is None:
                raise TemplateProblem(f"{path}:{start}: words before the first header; begin with a line like [POST]")
            out.append(_phrasing(path, start, owner, lang, section, "\n".join(block), when, env))
        block, when = [], None

    for number, line in enumerate(lines, 1):
        stripped = line.strip()
        if not stripped:
            close()
        elif stripped.startswith("#") and not block:
            continue
        elif stripped.startswith("[") and not block and (found := HEADER.match(stripped)):
            close()
            section = (found[1] + found[2] + (f" {found[3]}" if found[3] else "")).strip()
        elif stripped.startswith("[") and stripped.endswith("]") and not block and "{{" not in stripped:
            raise TemplateProblem(f"{path}:{number}: unknown header {stripped}; use [POST], [GET some], [done PUT] ...")
        elif stripped.startswith("@ when ") and not block:
            when = stripped.removeprefix("@ when ").strip()
        else:
            if not block:
                start = number
            block.append(line.rstrip())
    close()
    return out


def _phrasing(
    path: Path, line: int, owner: str, lang: str, section: str, text: str, when: str | None, env: SandboxedEnvironment
) -> Phrasing:
    try:
        tree = env.parse(text)
        if when is not None:
            env.compile_expression(when)
            names_when = meta.find_undeclared_variables(env.parse("{{ (" + when + ") }}"))
        else:
            names_when = set()
    except TemplateSyntaxError as error:
        raise TemplateProblem(f"{path}:{line + (error.lineno or 1) - 1}: {error.message}") from None
    except TemplateError as error:
        raise TemplateProblem(f"{path}:{line}: {error}") from None
    names = meta.find_undeclared_variables(tree)
    guarded = {
        test.node.name
        for test in tree.find_all(nodes.Test)
        if test.name == "defined" and isinstance(test.node, nodes.Name)
    }
    digest = hashlib.blake2s(f"{section}\n{when}\n{text}".encode(), digest_size=4).hexdigest()
    return Phrasing(
        ident=f"{owner}/{lang}/{section.replace(' ', '-')}/{digest}",
        section=section,
        text=text,
        needs=frozenset((names - guarded) | names_when),
        names=frozenset(names),
        when=when,
        place=f"{path}:{line}",
        env=env,
    )


class Library:
    """All phrasings, read folder by folder when first asked for. `extra` is a user's own templates folder, whose
    files come before ours."""

    def __init__(self, extra: Path | None = None) -> None:
        if extra is not None and not extra.is_dir():
            raise TemplateProblem(f"{extra}: no such folder; --templates names one with endpoint folders like db/CONS")
        self.roots = [r for r in (extra, TEMPLATES) if r is not None]
        self.env = environment()
        self._folders: dict[str, Folder] = {}

    def folder(self, owner: str) -> Folder:
        """Words of an endpoint (by address) or of `shared`. Raises TemplateProblem for a broken file."""
        if owner not in self._folders:
            self._folders[owner] = self._read(owner)
        return self._folders[owner]

    def _read(self, owner: str) -> Folder:
        safe = owner.replace("{", "_").replace("}", "_").replace(" ", "_")
        phrasings: dict[tuple[str, str], list[Phrasing]] = {}
        roles: dict[str, Any] = {}
        follows: list[dict[str, Any]] = []
        for root in self.roots:
            for lang in LANGUAGES:
                for path in sorted((root / safe).glob(f"{lang}*.txt")):
                    for phrasing in parse_file(path, owner, lang, self.env):
                        phrasings.setdefault((lang, phrasing.section), []).append(phrasing)
            path = root / safe / "words.json"
            if path.exists():
                try:
                    data = json.loads(path.read_text("utf-8"))
                except json.JSONDecodeError as error:
                    raise TemplateProblem(f"{path}:{error.lineno}: not JSON ({error.msg})") from None
                roles.update(data.get("roles", {}))
                follows.extend(data.get("follows", ()))
        unique = {k: tuple({p.ident: p for p in v}.values()) for k, v in phrasings.items()}
        return Folder(unique, roles, tuple(follows))
