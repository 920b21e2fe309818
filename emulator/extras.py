"""What answers beside the 273 endpoints: further tables with free records, and further `ope/*` commands.

Design tables (`DESIGN/...`) and three of `db/*` keep whatever object they are given. Of the system commands only those
do something whose effect is documented: transactions, the list of user tables, concrete load combinations.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from gennx.emulator.document import Document
from gennx.emulator.documents import save
from gennx.emulator.records import CREATED, GUARD, prepared, usable
from gennx.emulator.replies import KEY_EXISTS, WRONG_FIELD, Reply, complete, failure, nothing
from gennx.emulator.rules import Rules
from gennx.emulator.store import Record, Store
from gennx.emulator.values import clone, merge

FACTS = Path(__file__).parent / "facts" / "extra_tables.json"
ANSWER_KEYS = {"DRC": "DCON"}  # a response key that is not the last part of the address
REPEATED = "Set_DefaultLoadComb failed; check CheckLcom history (e.g. duplicate LCOM names, name length, stage gate)."
NO_LICENCE = "There is no license to use the specified Steel Design Code."


@lru_cache(maxsize=1)
def tables() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Address and methods of each further table, by lower-case address."""
    out = {}
    for parent, groups in json.loads(FACTS.read_bytes())["tables"].items():
        for methods, names in groups.items():
            for name in names:
                out[f"{parent}/{name}".lower()] = (f"{parent}/{name}", tuple(methods.split()))
    return out


def table_call(document: Document, uri: str, method: str, ids: list[str], body: Any) -> Reply:
    """One call on a further table; the same rules as for others, without a schema."""
    name = uri.rpartition("/")[2].upper()
    key = ANSWER_KEYS.get(name, name)
    if not all(usable(i) for i in ids):
        return failure(WRONG_FIELD)
    rows = document.store.rows(uri)
    if method in ("GET", "DELETE"):
        found = {k: rows[k] for k in (ids or list(rows)) if k in rows}
        if method == "DELETE":
            if not ids and not document.faithful:
                return failure(GUARD.format(uri=uri), 400)
            table = document.store.writable(uri)
            for k in found:
                del table[k]
        return Reply(200, {key: clone(found)}) if found else nothing()
    status = CREATED if method == "POST" and uri.startswith("db/") else 200
    assign = body.get("Assign") if isinstance(body, dict) else None
    fits = isinstance(assign, dict) and assign and all(usable(k) for k in assign)
    if not isinstance(assign, dict) or not fits or not all(isinstance(r, dict) for r in assign.values()):
        return failure(WRONG_FIELD, status)
    if method == "POST" and any(k in rows for k in assign):
        return failure(KEY_EXISTS, status)
    table = document.store.writable(uri)
    for k, record in assign.items():
        table[k] = merge(table.get(k, {}), record)
    document.touched(uri)
    return Reply(status, {key: clone(assign)})


def _begin(document: Document, rules: Rules, argument: Mapping[str, Any]) -> Reply:
    document.transaction = document.store.freeze()
    return complete()


def _commit(document: Document, rules: Rules, argument: Mapping[str, Any]) -> Reply:
    document.transaction = None
    return complete()


def _cancel(document: Document, rules: Rules, argument: Mapping[str, Any]) -> Reply:
    if document.transaction is not None:
        document.store, document.transaction, document.results = Store(document.transaction), None, None
    return complete()


def _concrete_combinations(document: Document, rules: Rules, argument: Mapping[str, Any]) -> Reply:
    """Two combinations of the dead load cases, the part of the program's set that was recorded."""
    uri, own = "db/LCOM-CONC", rules.at("db/LCOM-CONC")
    dead = [str(r.get("NAME")) for r in document.store.rows("db/STLD").values() if r.get("TYPE") == "D"]
    names = {str(r.get("NAME")) for r in document.store.rows(uri).values()}
    if not dead or names & {"cLCB1", "cLCB2"}:
        return failure(REPEATED)
    table = document.store.writable(uri)
    for name, text, active, factor in (("cLCB1", "1.4(D)", "STRENGTH", 1.4), ("cLCB2", "SERV:(D)", "SERVICE", 1.0)):
        key = str(document.next_key(uri))
        parts = [{"ANAL": "ST", "LCNAME": case, "FACTOR": factor} for case in dead]
        row: Record = {"NAME": name, "ACTIVE": active, "DESC": text, "vCOMB": parts}
        table[key] = prepared(own, key, row) if own is not None else row
    return complete()


def _stage_as(document: Document, rules: Rules, argument: Mapping[str, Any]) -> Reply:
    """`doc/STAGAS`: a construction stage as a model of its own; the file holds the whole model."""
    path, stage = argument.get("EXPORT_PATH"), argument.get("STAGE_STEP")
    if path is not None and not str(path).lower().endswith((".mgb", ".mcb")):
        return failure("Please check the file name or extension")
    if stage not in {r.get("NAME") for r in document.store.rows("db/STAG").values()}:
        return failure("Please specify the correct stage name")
    if path is not None:
        save(document, str(path))
    return complete()


def _user_tables(document: Document, rules: Rules, argument: Mapping[str, Any]) -> Reply:
    return Reply(200, {"UTBLTYPES": []})


def _nothing(document: Document, rules: Rules, argument: Mapping[str, Any]) -> Reply:
    return nothing()


def _done(document: Document, rules: Rules, argument: Mapping[str, Any]) -> Reply:
    return complete()


def _refuse(text: str) -> Callable[[Document, Rules, Mapping[str, Any]], Reply]:
    return lambda document, rules, argument: failure(text)


COMMANDS: dict[str, Callable[[Document, Rules, Mapping[str, Any]], Reply]] = {
    "STAGAS": _stage_as,
    "APISTART": _done,
    "APIEND": _done,
    "TRANSACTION-OPEN": _begin,
    "TRANSACTION-CLOSE": _commit,
    "TRANSACTION-CANCEL": _cancel,
    "UTBLTYPES": _user_tables,
    "ELEMPAR": _nothing,
    "ELEMTDNT": _nothing,
    "MXTCMDSHELL": _nothing,
    "MXTINFO": _nothing,
    "SMARTGRAPHVALUE": _nothing,
    "SWPCGIRDER_DLG": _nothing,
    "TEMP_TABLETYPE": _nothing,
    "LCOM-CONC": _concrete_combinations,
    "LCOM-SRC": _done,
    "LCOM-GEN": _refuse(WRONG_FIELD),
    "LCOM-STEEL": _refuse(NO_LICENCE),
    "GUSTFACTOR": _nothing,
}
