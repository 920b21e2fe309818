"""Tables of records with cheap snapshots.

A table maps record keys (numeric text) to records. Records are never changed in place, only replaced, so that a
snapshot shares them: taking one costs one dict of table references, and the first later write to a table copies that
table's outer dict alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from gennx.emulator.values import same

Record = dict[str, Any]
NOTHING: Mapping[str, Record] = MappingProxyType({})


class Store:
    """All tables of one document, by address (`db/NODE`)."""

    def __init__(self, tables: Mapping[str, dict[str, Record]] | None = None) -> None:
        self._tables: dict[str, dict[str, Record]] = dict(tables or {})
        self._shared: set[str] = set(self._tables)

    def rows(self, uri: str) -> Mapping[str, Record]:
        """The records of a table, to read."""
        return self._tables.get(uri, NOTHING)

    def writable(self, uri: str) -> dict[str, Record]:
        """The records of a table, to add, replace or remove; a dict that a snapshot holds is copied first."""
        table = self._tables.get(uri)
        if table is None:
            table = self._tables[uri] = {}
        elif uri in self._shared:
            table = self._tables[uri] = dict(table)
            self._shared.discard(uri)
        return table

    def freeze(self) -> dict[str, dict[str, Record]]:
        """The tables as they are, shared with this store from now on."""
        self._shared = set(self._tables)
        return dict(self._tables)

    def uris(self) -> Iterator[str]:
        """Addresses of the tables that hold a record."""
        return (uri for uri, table in self._tables.items() if table)


@dataclass(frozen=True)
class Snapshot:
    """A document at one moment. Holds references, not copies; nothing in it may be changed."""

    tables: Mapping[str, Mapping[str, Record]]
    opened: bool = True
    path: str = ""

    def table(self, uri: str) -> Mapping[str, Record]:
        return self.tables.get(uri, NOTHING)


@dataclass(frozen=True, slots=True)
class Change:
    """How one record differs: absent before (`before` None), absent after (`after` None), or other values."""

    table: str
    key: str
    before: Record | None
    after: Record | None
    fields: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        what = "added" if self.before is None else "removed" if self.after is None else "changed"
        return f"{self.table} #{self.key} {what}{': ' + ', '.join(self.fields) if self.fields else ''}"


def compare(a: Snapshot, b: Snapshot, tolerance: float = 1e-9) -> list[Change]:
    """Differences from `a` to `b`, ordered by table and key; tables and records that both share cost nothing."""
    changes: list[Change] = []
    for uri in sorted(a.tables.keys() | b.tables.keys()):
        old, new = a.table(uri), b.table(uri)
        if old is not new:
            changes += _compare_tables(uri, old, new, tolerance)
    return changes


def _compare_tables(
    uri: str, old: Mapping[str, Record], new: Mapping[str, Record], tolerance: float
) -> Iterator[Change]:
    for key in sorted(old.keys() | new.keys(), key=_order):
        before, after = old.get(key), new.get(key)
        if before is after:
            continue
        if before is None or after is None:
            yield Change(uri, key, before, after)
        elif not same(before, after, tolerance):
            names = before.keys() | after.keys()
            missing = object()
            fields = sorted(n for n in names if not same(before.get(n, missing), after.get(n, missing), tolerance))
            yield Change(uri, key, before, after, tuple(fields))


def _order(key: str) -> tuple[int, str]:
    return (int(key), key) if key.isdigit() else (0, key)
