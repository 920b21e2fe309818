"""What goes when a record goes.

Recorded on live servers: elements go with their nodes. What is keyed by a node or an element that is gone (supports,
loads, releases ...) goes too, since it could not be read or drawn any more; that part is inferred. Everything else
keeps its reference, dangling, because no source says otherwise.
"""

from __future__ import annotations

from collections.abc import Collection

from gennx.emulator.document import Document
from gennx.emulator.rules import Rules


def delete_rows(document: Document, rules: Rules, uri: str, keys: Collection[str]) -> None:
    """Remove records that exist, with what depends on them."""
    document.touched(uri)
    table = document.store.writable(uri)
    for key in keys:
        table.pop(key, None)
    if uri == "db/NODE":
        _drop_dependents(document, rules, uri, keys)
        gone = {int(k) for k in keys}
        broken = [k for k, e in document.store.rows("db/ELEM").items() if gone & _nodes(e.get("NODE"))]
        if broken:
            delete_rows(document, rules, "db/ELEM", broken)
    elif uri == "db/ELEM":
        _drop_dependents(document, rules, uri, keys)


def _nodes(value: object) -> set[int]:
    return {n for n in value if isinstance(n, int)} if isinstance(value, list) else set()


def _drop_dependents(document: Document, rules: Rules, owner: str, keys: Collection[str]) -> None:
    for uri in list(document.store.uris()):
        own = rules.at(uri)
        if own is None or own.key_owner is None or own.key_owner.table != owner or own.key_owner.field:
            continue
        doomed = [k for k in keys if k in document.store.rows(uri)]
        if doomed:
            table = document.store.writable(uri)
            for key in doomed:
                del table[key]
