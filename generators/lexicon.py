"""What words mean for an endpoint: names of its fields and codes, the words people use for them, what goes without saying.

Names come from the catalogue; `templates/<endpoint>/words.json` adds how people say things, `templates/shared/words.json` what holds
for every endpoint. `says` maps a field and a value to phrases, `aliases` a field to other names of it, `follows` lists values that need no words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from gennx.generators.leaves import Leaf, inner_schema
from gennx.schemas.catalogue import ANNOTATION, Endpoint, Schema

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
LANGUAGES = ("ko", "en")
WORD_KEYS = frozenset({"aliases", "says", "follows", "fixed"})


class WordsProblem(Exception):
    """A words file that cannot be used; the message names the file and how to mend it."""


def value_key(value: Any) -> str:
    """Key of a value in a `says` table: `true`, `1110000`, `[0, 0, -1]`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(value_key(v) for v in value) + "]"
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    return str(value)


class Phrase(NamedTuple):
    """Words that say a value of a field."""

    text: str
    value: str
    lang: str


@dataclass
class Lexicon:
    """The words of one endpoint."""

    says: dict[str, list[Phrase]]
    by_code: dict[str, list[Phrase]]
    by_kind: dict[str, list[Phrase]]
    aliases: dict[str, list[str]]
    follows: list[dict[str, Any]]
    names: dict[str, list[Phrase]] = field(default_factory=dict)
    fixed: set[str] = field(default_factory=set)
    """Fields whose values stay as the author wrote them."""
    _longer: dict[tuple[str, str, str], list[str]] = field(default_factory=dict)
    _rules: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    _by_value: dict[str, dict[str, list[Phrase]]] = field(default_factory=dict)
    _squeezed: dict[str, list[tuple[str, Phrase]]] = field(default_factory=dict)

    def phrases(self, leaf: Leaf) -> Iterator[Phrase]:
        """Phrases that say the leaf's value, the endpoint's own first."""
        key = value_key(leaf.value)
        if leaf.field not in self._by_value:
            self._by_value[leaf.field] = _by_value(self.members(leaf.field))
        yield from self._by_value[leaf.field].get(key, ())
        if leaf.kind == "enum":
            yield from (p for p in self.by_code.get(key, ()))
        kind = leaf.note.get("kind")
        if kind:
            flags = key.zfill(6) if kind == "dof_flags" and isinstance(leaf.value, int) else key
            yield from (p for p in self.by_kind.get(kind, ()) if p.value == flags or p.value.removesuffix("0") == flags)

    def longer(self, name: str, phrase: Phrase) -> list[str]:
        """Phrases for other values of a field that hold this phrase within them."""
        key = (name, phrase.text, phrase.value)
        if key not in self._longer:
            if name not in self._squeezed:
                self._squeezed[name] = [(_squeezed(p.text), p) for p in self.members(name)]
            inner = _squeezed(phrase.text)
            self._longer[key] = [
                p.text
                for text, p in self._squeezed[name]
                if inner in text and len(text) > len(inner) and p.value != phrase.value
            ]
        return self._longer[key]

    def members(self, name: str) -> list[Phrase]:
        """Every phrase for every value of a field."""
        return [*self.says.get(name, ()), *self.names.get(name, ())]

    def rules(self, name: str) -> list[dict[str, Any]]:
        """What may go without saying of a field."""
        if not self._rules:
            for rule in self.follows:
                self._rules.setdefault(rule["field"], []).append(rule)
        return self._rules.get(name, [])

    def called(self, leaf: Leaf) -> list[str]:
        """Names of the leaf's field: the catalogue's and others."""
        return self.aliases.get(leaf.field, [])


def _by_value(phrases: list[Phrase]) -> dict[str, list[Phrase]]:
    out: dict[str, list[Phrase]] = {}
    for phrase in phrases:
        out.setdefault(phrase.value, []).append(phrase)
    return out


def _squeezed(text: str) -> str:
    return re.sub(r"[\s\-_·]", "", text.lower())


def _phrases(table: Any, where: str) -> list[Phrase]:
    if not isinstance(table, dict):
        raise WordsProblem(f'{where}: wants {{"value": {{"ko": [...], "en": [...]}}}}')
    out = []
    for value, by_lang in table.items():
        if not isinstance(by_lang, dict) or set(by_lang) - set(LANGUAGES):
            raise WordsProblem(f'{where}.{value}: wants {{"ko": [...], "en": [...]}}')
        out += [Phrase(text, value, lang) for lang, texts in by_lang.items() for text in texts]
    return out


def read_words(path: Path) -> dict[str, Any]:
    """A words file, or nothing where there is none. Raises WordsProblem naming file and line."""
    try:
        data = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except json.JSONDecodeError as error:
        raise WordsProblem(f"{path}:{error.lineno}: not JSON ({error.msg})") from None
    if not isinstance(data, dict) or set(data) - WORD_KEYS - {"codes", "kinds"}:
        raise WordsProblem(f"{path}: holds {', '.join(sorted(WORD_KEYS))} and nothing else")
    return data


def folder_of(uri: str) -> str:
    """Folder name of an endpoint: braces and spaces become underscores."""
    return uri.replace("{", "_").replace("}", "_").replace(" ", "_")


@lru_cache(maxsize=8)
def _shared(root: Path) -> tuple[dict[str, list[Phrase]], dict[str, list[Phrase]], dict[str, list[Phrase]]]:
    data = read_words(root / "shared" / "words.json")
    codes: dict[str, list[Phrase]] = {}
    for phrase in _phrases(data.get("codes", {}), "shared/words.json codes"):
        codes.setdefault(phrase.value, []).append(phrase)
    kinds = {k: _phrases(v, f"shared/words.json kinds.{k}") for k, v in data.get("kinds", {}).items()}
    says = {k: _phrases(v, f"shared/words.json says.{k}") for k, v in data.get("says", {}).items()}
    return codes, kinds, says


def lexicon_of(endpoint: Endpoint, roots: tuple[Path, ...] = (TEMPLATES,)) -> Lexicon:
    """Words of an endpoint from the catalogue and the words files of all template roots. Raises WordsProblem."""
    codes, kinds, _ = _shared(TEMPLATES)
    says: dict[str, list[Phrase]] = {}
    aliases: dict[str, list[str]] = {}
    follows: list[dict[str, Any]] = []
    fixed: set[str] = set()
    names: dict[str, list[Phrase]] = {}
    for path, schema in fields_of(endpoint.schema):
        note = schema.get(ANNOTATION, {})
        aliases[path] = [n for n in (note.get("ko"), note.get("en")) if n]
        if note.get("enum"):
            names[path] = [Phrase(m[lang], code, lang) for code, m in note["enum"].items() for lang in LANGUAGES]
            names[path] += [
                Phrase(code, code, "") for code in note["enum"] if not re.fullmatch(r"-?\d+|true|false", code)
            ]
    for root in roots:
        file = root / folder_of(endpoint.uri) / "words.json"
        data = read_words(file)
        for name, table in data.get("says", {}).items():
            says.setdefault(name, []).extend(_phrases(table, f"{file} says.{name}"))
        for name, by_lang in data.get("aliases", {}).items():
            aliases.setdefault(name, []).extend(t for texts in by_lang.values() for t in texts)
        follows += data.get("follows", [])
        fixed |= set(data.get("fixed", ()))
    return Lexicon(says, codes, kinds, aliases, follows, names, fixed)


def fields_of(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """(dotted path, schema) of every field, outer ones first; array levels are not written, free keys are `*`."""
    schema = inner_schema(schema)
    for key, inner in schema.get("properties", {}).items():
        full = f"{path}.{key}" if path else key
        yield full, inner
        yield from fields_of(inner, full)
    rest = schema.get("additionalProperties")
    if isinstance(rest, dict):
        yield from fields_of(rest, f"{path}.*" if path else "*")
