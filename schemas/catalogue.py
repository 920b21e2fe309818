"""Load the endpoint schemas and offer them as endpoints and tools.

A file `endpoints/<group>/<NAME>.json` holds a JSON Schema 2020-12 of one record (tables, `db/*`) or of one body
(everything else), with our annotations under `x-gennx` (described by `annotation.json`). Shared pieces live in
`defs/*.json`. Everything else here is derived from those files.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import orjson

Schema = dict[str, Any]
HERE = Path(__file__).resolve().parent
METHODS = ("POST", "GET", "PUT", "DELETE")
ANNOTATION = "x-gennx"
RECORD_KEY = "^[1-9][0-9]*$"


class CatalogueError(Exception):
    """A schema file or a name that does not fit the catalogue; the message says where and how to mend it."""


@dataclass(frozen=True, eq=False)
class Endpoint:
    """One endpoint: its facts, its names, and `schema`, the resolved schema of a record or body (never edited)."""

    uri: str
    tier: int
    category: str
    methods: tuple[str, ...]
    schema: Schema
    ko: str
    en: str
    about_ko: str
    about_en: str
    aka_ko: tuple[str, ...] = ()
    aka_en: tuple[str, ...] = ()
    key: str | None = None
    key_ref: str | None = None
    path_parameter: str | None = None
    path_values: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    empty_ok: bool = False
    unconfirmed: tuple[str, ...] = ()

    @cached_property
    def is_table(self) -> bool:
        """True for `db/*`: records under `Assign`, keyed by number."""
        return self.uri.startswith("db/")

    @cached_property
    def single(self) -> bool:
        """True for a table that holds one record, under the key "1"."""
        return self.key == "single"

    @cached_property
    def table(self) -> str:
        """The upper-case key under which the server answers, e.g. `NODE`, `LLANID`."""
        return self.uri.split("/")[1].upper()

    @cached_property
    def partial_schema(self) -> Schema:
        """The record schema of a PUT, which may hold only what changes: nothing is required, conditions apply
        where their fields are given."""
        return relax(self.schema, empty_ok=self.empty_ok)

    def title(self, lang: str) -> str:
        return self.ko if lang == "ko" else self.en

    def aka(self, lang: str) -> tuple[str, ...]:
        """Other names people use for the endpoint."""
        return self.aka_ko if lang == "ko" else self.aka_en

    def about(self, lang: str) -> str:
        return self.about_ko if lang == "ko" else self.about_en


@dataclass(frozen=True)
class Tool:
    """An endpoint with one of its methods: what a model calls."""

    endpoint: Endpoint
    method: str

    @cached_property
    def name(self) -> str:
        """Default name: method, space, lower-case path, e.g. `POST /db/cons`."""
        return f"{self.method} /{self.endpoint.uri.lower()}"

    @property
    def snake_name(self) -> str:
        """The name with `--tool-names snake`, e.g. `post_db_cons`."""
        letters = "".join(c if c.isalnum() else "_" for c in self.endpoint.uri.lower())
        while "__" in letters:
            letters = letters.replace("__", "_")
        return f"{self.method.lower()}_{letters.strip('_')}"

    def named(self, style: str) -> str:
        return self.snake_name if style == "snake" else self.name

    @property
    def takes_ids(self) -> bool:
        return self.method in ("GET", "DELETE") or self.endpoint.path_parameter is not None

    @cached_property
    def arguments(self) -> Schema:
        """JSON Schema of the arguments of a call."""
        endpoint = self.endpoint
        if self.method in ("GET", "DELETE"):
            return _object({"ids": self._ids_schema()}, ["ids"])
        record = endpoint.schema if self.method == "POST" else endpoint.partial_schema
        if endpoint.is_table:
            keys: Schema = {"const": "1"} if endpoint.single else {"pattern": RECORD_KEY}
            assign = {"type": "object", "minProperties": 1, "propertyNames": keys, "additionalProperties": record}
            return _object({"Assign": assign}, ["Assign"])
        if endpoint.path_parameter is None:
            return endpoint.schema
        body = endpoint.schema
        return {
            **body,
            "properties": {"ids": self._ids_schema(), **body.get("properties", {})},
            "required": ["ids", *body.get("required", [])],
        }

    def _ids_schema(self) -> Schema:
        endpoint = self.endpoint
        if endpoint.path_parameter is not None:
            item: Schema = {"type": "string", "minLength": 1}
            if endpoint.path_values:
                item["enum"] = list(endpoint.path_values)
            return {"type": "array", "items": item, "minItems": 1, "maxItems": 1}
        if not endpoint.is_table:
            return {"type": "array", "maxItems": 0}
        ids: Schema = {"type": "array", "items": {"type": "integer", "minimum": 1}, "uniqueItems": True}
        if endpoint.single:
            ids["items"] = {"const": 1}
        if self.method == "DELETE":
            ids["minItems"] = 1
        return ids

    def url(self, ids: Sequence[int | str] = ()) -> str:
        """Path below the server's base URL, e.g. `/db/NODE/3,4`; the path parameter is the one id it takes."""
        if self.endpoint.path_parameter is not None:
            if len(ids) != 1:
                raise CatalogueError(f"{self.name}: takes one value for {{{self.endpoint.path_parameter}}}")
            return "/" + self.endpoint.uri.split("{")[0] + str(ids[0])
        path = "/" + self.endpoint.uri
        return f"{path}/{','.join(map(str, ids))}" if ids and self.method in ("GET", "DELETE") else path


def _object(properties: Schema, required: list[str]) -> Schema:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


@dataclass(frozen=True)
class Catalogue:
    """All endpoints, in the order of the reference index, by address."""

    endpoints: dict[str, Endpoint]
    _by_lower: dict[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._by_lower.update({uri.lower(): uri for uri in self.endpoints})

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(self.endpoints.values())

    def __len__(self) -> int:
        return len(self.endpoints)

    def endpoint(self, uri: str) -> Endpoint:
        """The endpoint with that address, in any letter case. Raises CatalogueError with the nearest names."""
        found = self._by_lower.get(uri.lower().strip("/"))
        if found is None:
            near = difflib.get_close_matches(uri.lower().strip("/"), self._by_lower, n=3, cutoff=0.5)
            hint = f"; did you mean {', '.join(self._by_lower[n] for n in near)}?" if near else ""
            raise CatalogueError(f"no endpoint {uri!r}{hint}")
        return self.endpoints[found]

    def select(
        self, tiers: Sequence[int] = (), categories: Sequence[str] = (), methods: Sequence[str] = ()
    ) -> list[Endpoint]:
        """Endpoints of any of the tiers, categories and methods; an empty choice means all."""
        return [
            e
            for e in self
            if (not tiers or e.tier in tiers)
            and (not categories or e.category in categories)
            and (not methods or set(methods) & set(e.methods))
        ]

    @cached_property
    def tools(self) -> dict[str, Tool]:
        """Every tool by its default name."""
        every = [Tool(e, m) for e in self for m in METHODS if m in e.methods]
        return {t.name: t for t in every}

    @cached_property
    def snake_tools(self) -> dict[str, Tool]:
        """Every tool by its snake name."""
        return {t.snake_name: t for t in self.tools.values()}

    def named(self, name: str) -> Tool | None:
        """The tool of that name in either style, None for a name outside the catalogue."""
        return self.tools.get(name) or self.snake_tools.get(name)

    def tool(self, uri: str, method: str) -> Tool:
        """The tool of an endpoint and method. Raises CatalogueError when the endpoint lacks the method."""
        endpoint = self.endpoint(uri)
        if method not in endpoint.methods:
            raise CatalogueError(f"{endpoint.uri} has no {method}; it has {', '.join(endpoint.methods)}")
        return self.tools[f"{method} /{endpoint.uri.lower()}"]


def schema_path(uri: str, root: Path = HERE) -> Path:
    """File of an endpoint; `{NAME}` becomes `_NAME_`, for file systems that dislike braces and spaces."""
    safe = uri.replace("{", "_").replace("}", "_").replace(" ", "_")
    return root / "endpoints" / f"{safe}.json"


def read_json(path: Path) -> Any:
    """Parsed file. Raises CatalogueError naming file and line."""
    try:
        return orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise CatalogueError(f"{path}:{error.lineno}: not JSON ({error.msg})") from None
    except OSError as error:
        raise CatalogueError(f"{path}: {error.strerror}") from None


@lru_cache(maxsize=4)
def load_catalogue(root: Path = HERE) -> Catalogue:
    """The whole catalogue, read once a process. Raises CatalogueError for a broken file."""
    defs = {f"defs/{p.name}": read_json(p) for p in sorted((root / "defs").glob("*.json"))}
    order = read_json(root / "order.json")
    found = {}
    for uri in order:
        path = schema_path(uri, root)
        found[uri] = read_endpoint(path, defs)
        if found[uri].uri != uri:
            raise CatalogueError(f"{path}: its x-gennx.uri is {found[uri].uri!r}, the file belongs to {uri!r}")
    return Catalogue(found)


def read_endpoint(path: Path, defs: dict[str, Schema]) -> Endpoint:
    """One endpoint from its file. Raises CatalogueError for missing annotations or unknown references."""
    raw = read_json(path)
    note = raw.get(ANNOTATION)
    if not isinstance(note, dict):
        raise CatalogueError(f"{path}: no {ANNOTATION} at the top")
    try:
        schema = _resolve(raw, defs)
        return Endpoint(
            uri=note["uri"],
            tier=note["tier"],
            category=note["category"],
            methods=tuple(note["methods"]),
            schema=schema,
            ko=note["ko"],
            en=note["en"],
            about_ko=note["about_ko"],
            about_en=note["about_en"],
            aka_ko=tuple(note.get("aka_ko", ())),
            aka_en=tuple(note.get("aka_en", ())),
            key=note.get("key"),
            key_ref=note.get("key_ref"),
            path_parameter=note.get("path_parameter"),
            path_values=tuple(note.get("path_values", ())),
            variants=tuple(note.get("variants", ())),
            empty_ok=bool(note.get("empty_ok", False)),
            unconfirmed=tuple(note.get("unconfirmed", ())),
        )
    except KeyError as error:
        raise CatalogueError(f"{path}: {ANNOTATION} or a reference lacks {error}") from None


def _resolve(node: Any, defs: dict[str, Schema]) -> Any:
    """Copy of a schema with `$ref`s to the shared files written out; annotations of both places are merged."""
    if isinstance(node, list):
        return [_resolve(x, defs) for x in node] if node and isinstance(node[0], dict) else node
    if not isinstance(node, dict):
        return node
    ref = node.get("$ref")
    if ref is not None:
        file, _, pointer = ref.partition("#/$defs/")
        base = defs["defs/" + file.rsplit("/", 1)[-1]]["$defs"][pointer]
        own = {k: v for k, v in node.items() if k != "$ref"}
        return {**base, **own, ANNOTATION: {**base.get(ANNOTATION, {}), **own.get(ANNOTATION, {})}}
    out = {}
    for key, value in node.items():
        if key == ANNOTATION or key in ("enum", "required", "default", "const"):
            out[key] = value
        else:
            out[key] = _resolve(value, defs) if isinstance(value, (dict, list)) else value
    return out


def relax(schema: Schema, root: bool = True, empty_ok: bool = False) -> Schema:
    """The schema of a partial record: nothing required down to the first array, and a condition holds only where
    all its fields are present, because an absent field keeps a stored value that the call does not show."""
    out = {k: v for k, v in schema.items() if k not in ("required", "oneOf", "anyOf")}
    if "allOf" in out:
        out["allOf"] = [r for entry in schema["allOf"] for r in _relax_rule(entry)]
    if "properties" in out:
        out["properties"] = {
            k: relax(v, False) if isinstance(v, dict) and "properties" in v else v
            for k, v in schema["properties"].items()
        }
    if root and not empty_ok:
        out["minProperties"] = 1
    return out


def _relax_rule(entry: Schema) -> Iterator[Schema]:
    if "if" not in entry:
        yield _no_demands(entry)
        return
    present = _all_present(entry["if"])
    holds = {"allOf": [present, entry["if"]]}
    if "then" in entry:
        yield {"if": holds, "then": _no_demands(entry["then"])}
    if "else" in entry:
        yield {"if": {"allOf": [present, {"not": entry["if"]}]}, "then": _no_demands(entry["else"])}


def _all_present(condition: Schema) -> Schema:
    properties = condition.get("properties", {})
    if not properties:
        return {}
    return {"required": list(properties), "properties": {k: _all_present(v) for k, v in properties.items()}}


def _no_demands(schema: Schema) -> Schema:
    """Without what asks for presence; a choice of one alternative still refuses two at once."""
    out: Schema = {k: v for k, v in schema.items() if k not in ("required", "anyOf", "oneOf", "dependentRequired")}
    if "oneOf" in schema:
        options = schema["oneOf"]
        pairs = [{"allOf": [a, b]} for i, a in enumerate(options) for b in options[i + 1 :]]
        out["not"] = {"anyOf": [*pairs, *([schema["not"]] if "not" in schema else [])]}
    if "properties" in schema:
        out["properties"] = {k: _no_demands(v) if isinstance(v, dict) else v for k, v in schema["properties"].items()}
    return out
