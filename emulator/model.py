"""One running GEN NX in memory: give it calls, get replies."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from gennx.emulator import documents, operations, posts, records, result_tables, views
from gennx.emulator.document import Document
from gennx.emulator.ensure import ensure
from gennx.emulator.files import Files
from gennx.emulator.makers import Made
from gennx.emulator.references import mentions
from gennx.emulator.replies import NOT_OPENED, WRONG_FIELD, Reply, failure
from gennx.emulator.rules import Rules, default_rules
from gennx.emulator.store import Change, Record, Snapshot, Store, compare
from gennx.schemas import Tool


class Model:
    """A blank document at first: `db/PJCF`, `db/STYP` and `db/UNIT` hold one record each, as on a live server.

    `faithful` lets a DELETE without record numbers empty its table, as the real server does. Not safe for use from
    several threads at once; the HTTP server takes calls one at a time.
    """

    def __init__(self, files: Files | None = None, rules: Rules | None = None, faithful: bool = False) -> None:
        self.rules = rules or default_rules()
        self.document = Document(faithful=faithful) if files is None else Document(files=files, faithful=faithful)

    def call(self, tool: Tool, arguments: Any, strict: bool = False) -> Reply:
        """Answer one tool call: `{"Assign": ...}`, `{"Argument": ...}` or `{"ids": [...]}`.

        `strict` (for generated data) holds the call against the whole catalogue, and a reference that leads nowhere
        or a PUT on an absent record is an error; without it the answer is a live server's. Never raises for bad
        arguments (JSON nested no deeper than 200 levels); neither keeps nor changes them.
        """
        endpoint = tool.endpoint
        if endpoint.is_table:
            if not self.document.opened:
                return failure(NOT_OPENED)
            return records.answer(self.document, self.rules, tool, arguments, strict)
        if tool.method in ("POST", "PUT"):
            arguments = arguments if strict else self._read(tool, arguments)
            refused = self._refused(tool, arguments) if strict else None
            if arguments is None or refused is not None:
                return refused or failure(WRONG_FIELD)
        elif not isinstance(arguments, dict):
            return failure(WRONG_FIELD)
        return self._run(tool, arguments, strict)

    def _run(self, tool: Tool, arguments: Any, strict: bool) -> Reply:
        """Answer a call on an endpoint that is no table."""
        family = tool.endpoint.uri.partition("/")[0]
        if family == "doc":
            return documents.answer(self.document, self.rules, tool, arguments, strict)
        if not self.document.opened and family != "config":
            return failure(NOT_OPENED)
        if tool.method == "POST" and not self.rules.of(tool.endpoint).has_argument(arguments):
            return failure(WRONG_FIELD)
        match family:
            case "ope":
                return operations.answer(self.document, self.rules, tool, arguments, strict)
            case "view":
                return views.answer(self.document, tool, arguments)
            case "post":
                return posts.answer(self.document, self.rules, tool, arguments, strict)
            case _:
                return operations.config(self.document, tool)

    def _read(self, tool: Tool, arguments: Any) -> dict[str, Any] | None:
        """A body as a live server reads it, None when it would refuse it. Document commands take `{}` and more."""
        if isinstance(arguments, dict) and tool.endpoint.uri.startswith("doc/"):
            return arguments
        own = self.rules.of(tool.endpoint)
        body = result_tables.spelled(arguments) if tool.endpoint.uri == "post/TABLE" else arguments
        for read in (body, own.respelled(body)):
            if own.accepts(read, "POST"):
                return dict(read)
        return None

    def _refused(self, tool: Tool, arguments: Any) -> Reply | None:
        """A reply to arguments that do not fit the catalogue or refer to what is not there; else None."""
        if not self.rules.valid(tool, arguments):
            return failure(WRONG_FIELD)
        for mention in mentions(self.rules.of(tool.endpoint).spot, arguments):
            if not mention.resolves(self.document.store):
                return failure(records.missing(self.rules, mention))
        return None

    def ensure(self, tool: Tool, arguments: dict[str, Any]) -> list[Made]:
        """Create, minimally and always alike, what the call refers to and the model lacks; returns (table, key) of
        each record made, in order. Not created: the record that a PUT, DELETE or GET names."""
        return ensure(self.document, self.rules, tool, arguments)

    def put_records(self, uri: str, rows: Mapping[str, Record]) -> None:
        """Seed a table, unchecked; rows get the server's defaults like any stored record."""
        own = self.rules.at(uri)
        self.document.touched(uri)
        table = self.document.store.writable(uri)
        for key, row in rows.items():
            table[str(key)] = records.prepared(own, str(key), row) if own is not None else dict(row)

    def table(self, uri: str) -> Mapping[str, Record]:
        """The records of a table by key, to read; records must not be changed."""
        return MappingProxyType(dict(self.document.store.rows(uri)))

    def next_key(self, uri: str) -> int:
        """The next free record number: one more than the largest, 1 in an empty table."""
        return self.document.next_key(uri)

    def snapshot(self) -> Snapshot:
        """The tables at this moment, shared until written to."""
        return self.document.snapshot()

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a snapshot; results of analyses are gone."""
        self.document.replace(Store({u: dict(t) for u, t in snapshot.tables.items()}), snapshot.path)
        self.document.opened = snapshot.opened


def diff(a: Model | Snapshot, b: Model | Snapshot, tolerance: float = 1e-9) -> list[Change]:
    """Records that differ from `a` to `b`, by table and key; numbers within `tolerance` count as equal."""
    first, second = (x.snapshot() if isinstance(x, Model) else x for x in (a, b))
    return compare(first, second, tolerance)
