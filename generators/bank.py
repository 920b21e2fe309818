"""Template folders: the freely written requests of each endpoint, and the templates that were harvested from them.

A folder `templates/db/CONS/` holds `requests.jsonl` (requests as people typed them, with their calls), `words.json` (how people say this endpoint's
values) and the harvested `ko.jinja` and `en.jinja`. A block of the latter is a header `[POST 1f3c9a02]`, the text with slots, the call with slots behind `=>`
and how each slot is said behind `::`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError, meta
from jinja2.sandbox import SandboxedEnvironment

from gennx.generators.lexicon import LANGUAGES, TEMPLATES, folder_of
from gennx.schemas.catalogue import METHODS, Endpoint

if TYPE_CHECKING:
    from gennx.generators.harvest import Harvested


class TemplateProblem(Exception):
    """A template or request file that cannot be used; the message names file and line and how to mend it."""


def environment() -> SandboxedEnvironment:
    """The environment all templates run in: sandboxed, and a missing name is an error."""
    return SandboxedEnvironment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=False)


ENVIRONMENT = environment()
SLOT = re.compile(r"\{\{ (\w+) \}\}")
LOOP = re.compile(
    r"\{% for row in rows %\}(?P<body>(?:[^{]|\{\{ row\.\w+ \}\})*)"
    r"\{% if not loop\.last %\}(?P<between>[^{]*)\{% endif %\}\{% endfor %\}"
)
ROW_SLOT = re.compile(r"\{\{ row\.(\w+) \}\}")


def renderer(text: str) -> Callable[..., str]:
    """The compiled text. Texts with nothing but slots, and at most one loop over rows, are filled without Jinja, which takes a hundred times as long to
    compile them. Raises TemplateError."""
    loop = LOOP.search(text)
    around = [text[: loop.start()], text[loop.end() :]] if loop else [text]
    parts = [SLOT.split(part) for part in around]
    if any("{" in words or "}" in words for part in parts for words in part):
        return ENVIRONMENT.from_string(text).render
    parts[-1][-1] = parts[-1][-1].removesuffix("\n")
    body = ROW_SLOT.split(loop["body"]) if loop else []
    between = loop["between"] if loop else ""

    def render(**scope: Any) -> str:
        out = _filled(parts[0], scope)
        if loop:
            out += between.join(_filled(body, row) for row in scope["rows"]) + _filled(parts[1], scope)
        return out

    return render


def _filled(parts: list[str], scope: Mapping[str, Any]) -> str:
    """Words and, at every second place, names of slots. Raises UndefinedError for one that nothing supplies."""
    try:
        return "".join([str(scope[part]) if at % 2 else part for at, part in enumerate(parts)])
    except KeyError as name:
        raise UndefinedError(f"{name} is undefined") from None


@dataclass(frozen=True)
class Request:
    """A freely written request with its call, as it stands in `requests.jsonl`."""

    ident: str
    lang: str
    user: str
    method: str
    arguments: dict[str, Any]
    place: str
    next_id: bool = False
    keep: bool = False
    """The author's values and names stay; only numbers of things move."""


@dataclass(frozen=True)
class Template:
    """A harvested request: text and call with slots. A run fills a few of a file's templates, so that each is parsed when first looked into."""

    ident: str
    lang: str
    method: str
    text: str
    call_json: str
    slots_json: str
    place: str = field(compare=False, default="")
    keep: bool = False
    """The author's values and names stay; only numbers of things move."""

    @cached_property
    def call(self) -> Any:
        """The call with slots. Raises TemplateProblem naming the place."""
        return _json(self.call_json, f"{self.place}: the call behind =>")

    @cached_property
    def slots(self) -> dict[str, dict[str, Any]]:
        """How each slot is said. Raises TemplateProblem naming the place."""
        found: dict[str, dict[str, Any]] = _json(self.slots_json, f"{self.place}: the slots behind ::")
        return found

    @cached_property
    def render(self) -> Callable[..., str]:
        """The compiled text. Raises TemplateProblem naming the place."""
        try:
            return renderer(self.text)
        except TemplateError as error:
            raise TemplateProblem(f"{self.place}: {error}") from None

    @cached_property
    def kept(self) -> dict[str, Any]:
        """What others work out about the template, once."""
        return {}

    @cached_property
    def loops(self) -> bool:
        return any(s.get("row") for s in self.slots.values())

    @cached_property
    def next_id(self) -> bool:
        """True if the text names no number for the new records."""
        return '"NEW1"' in self.call_json


def template_of(h: Harvested, ident: str, place: str = "", keep: bool = False) -> Template:
    """A harvested template without the way over a file."""
    return Template(ident, h.lang, h.method, h.text, json.dumps(h.call), json.dumps(h.slots), place, keep)


def ident_of(uri: str, method: str, text: str) -> str:
    """Short name of a template, the same wherever it is made."""
    return hashlib.blake2s(f"{uri}\n{method}\n{text}".encode(), digest_size=4).hexdigest()


def read_requests(path: Path, endpoint: Endpoint) -> list[Request]:
    """Requests of one endpoint. Raises TemplateProblem naming file and line for anything that is no request."""
    out: list[Request] = []
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return out
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateProblem(f"{path}: cannot be read as UTF-8 text ({error})") from None
    for number, line in enumerate(lines, 1):
        if line.strip():
            out.append(parse_request(line, f"{path}:{number}", endpoint))
    return out


def parse_request(line: str, place: str, endpoint: Endpoint) -> Request:
    """One line of a request file: {"lang", "user", "method", "ids" or "body"}. Raises TemplateProblem."""
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise TemplateProblem(f"{place}: not JSON ({error.msg})") from None
    if not isinstance(row, dict):
        raise TemplateProblem(f"{place}: wants an object with lang, user, method, and ids or body")
    lang, user, method = row.get("lang"), row.get("user"), row.get("method")
    if lang not in LANGUAGES or not isinstance(user, str) or not user.strip():
        raise TemplateProblem(f'{place}: wants "lang" ko or en and "user", the words of the request')
    if method not in endpoint.methods:
        raise TemplateProblem(f"{place}: {endpoint.uri} has no method {method!r}; it has {', '.join(endpoint.methods)}")
    arguments: dict[str, Any] = {}
    if method in ("GET", "DELETE") or endpoint.path_parameter is not None:
        arguments["ids"] = row.get("ids") or []
    if method in ("POST", "PUT"):
        body = row.get("body")
        if not isinstance(body, dict):
            raise TemplateProblem(f'{place}: wants "body", the arguments of the {method}')
        arguments.update(body)
    keep = row.get("keep", False)
    if not isinstance(keep, bool):
        raise TemplateProblem(f'{place}: "keep" is true (values stay as written) or left out')
    ident = str(row.get("id") or ident_of(endpoint.uri, method, user))
    return Request(ident, lang, user, method, arguments, place, "NEW1" in line, keep)


def to_block(h: Harvested, ident: str, keep: bool = False) -> str:
    """A harvested template as it is kept in a file."""
    return f"[{h.method} {ident}{' keep' if keep else ''}]\n{h.text}\n=> {json.dumps(h.call, ensure_ascii=False)}\n:: {json.dumps(h.slots, ensure_ascii=False)}\n"


_CALL = re.compile(r'=> \{["}]')
"""A line with a call; requests too may have lines that begin with =>."""


def read_templates(path: Path, lang: str) -> Iterator[Template]:
    """Blocks of one template file. Raises TemplateProblem for a broken one."""
    try:
        lines = path.read_text("utf-8").split("\n")
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateProblem(f"{path}: cannot be read as UTF-8 text ({error})") from None
    name = str(path)
    head: list[str] = []
    body: list[str] = []
    call = None
    start = 0
    for number, line in enumerate(lines, 1):
        if not head:
            if not line.strip() or line.startswith("#"):
                continue
            head = line.strip().removeprefix("[").removesuffix("]").split()
            if not line.startswith("[") or len(head) < 2 or head[0] not in METHODS or head[2:] not in ([], ["keep"]):
                raise TemplateProblem(
                    f"{path}:{number}: a block begins with a line like [POST 1f3c9a02] or [POST 1f3c9a02 keep]"
                )
            start = number
        elif call is None and _CALL.match(line):
            call = line[3:]
        elif call is not None:
            if not line.startswith(":: "):
                raise TemplateProblem(f"{path}:{number}: after the line => wants :: and the slots")
            yield Template(head[1], lang, head[0], "\n".join(body), call, line[3:], f"{name}:{start}", len(head) > 2)
            head, body, call = [], [], None
        else:
            body.append(line)
    if head:
        raise TemplateProblem(
            f"{path}:{start}: block is not finished; it wants a line => with the call and :: with the slots"
        )


def _json(text: str, what: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise TemplateProblem(f"{what} is not JSON ({error.msg})") from None


class Bank:
    """Templates of all endpoints, read folder by folder when first asked for. `extra` is a user's own templates folder."""

    def __init__(self, extra: Path | None = None) -> None:
        if extra is not None and not extra.is_dir():
            raise TemplateProblem(f"{extra}: no such folder; --templates names one with endpoint folders like db/CONS")
        self.roots = tuple(r for r in (extra, TEMPLATES) if r is not None)
        self._kept: dict[str, list[Template]] = {}

    def templates(self, endpoint: Endpoint) -> list[Template]:
        """All templates of an endpoint, a user's own first."""
        if endpoint.uri not in self._kept:
            out: dict[str, Template] = {}
            for root in self.roots:
                for lang in LANGUAGES:
                    for template in read_templates(root / folder_of(endpoint.uri) / f"{lang}.jinja", lang):
                        out.setdefault(template.ident, template)
            self._kept[endpoint.uri] = list(out.values())
        return self._kept[endpoint.uri]

    def forget(self, endpoint: Endpoint) -> None:
        """Drop an endpoint's templates from memory."""
        self._kept.pop(endpoint.uri, None)


def check_folder(root: Path, endpoints: Iterable[Endpoint]) -> int:
    """Read and compile every template of a user's folder before anything is made; how many there are. Raises TemplateProblem."""
    count = 0
    for endpoint in endpoints:
        for lang in LANGUAGES:
            for template in read_templates(root / folder_of(endpoint.uri) / f"{lang}.jinja", lang):
                unknown = missing_names(template)
                _ = template.call  # raises where it is no JSON
                if unknown:
                    raise TemplateProblem(
                        f"{template.place}: nothing supplies {', '.join(sorted(unknown))}; name a slot behind ::"
                    )
                count += 1
    return count


def missing_names(template: Template) -> set[str]:
    """Names a template's text uses that it has no slot for; raises TemplateProblem for a text that is no Jinja."""
    try:
        names = meta.find_undeclared_variables(ENVIRONMENT.parse(template.text))
    except TemplateSyntaxError as error:
        raise TemplateProblem(f"{template.place}: {error.message}") from None
    return names - {n for n, s in template.slots.items() if not s.get("row")} - {"rows"}
