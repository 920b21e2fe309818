"""From a method, a path and a body to a reply.

Paths are matched in any letter case below the product's address. Record numbers may follow a table: `/db/NODE/3,4`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gennx.emulator import extras
from gennx.emulator.documents import BAD_PATH
from gennx.emulator.files import FilesFull
from gennx.emulator.model import Model
from gennx.emulator.replies import NOT_OPENED, WRONG_FIELD, Reply, failure
from gennx.schemas import Endpoint, load_catalogue
from gennx.schemas.validation import bare

GONE = "client does not exist"
NOT_FOUND = "not found"
LONGEST_PATH = 20_000
REOPENING = ("doc/NEW", "doc/OPEN")


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint with the record numbers (or the path parameter) that the address carries."""

    endpoint: Endpoint
    ids: tuple[str, ...] = ()


@lru_cache(maxsize=1)
def _by_lower() -> dict[str, Endpoint]:
    return {e.uri.lower(): e for e in load_catalogue()}


@lru_cache(maxsize=1)
def _parametric() -> list[tuple[str, Endpoint]]:
    """Endpoints whose address ends in a parameter, with what comes before it."""
    return [(e.uri.partition("{")[0].lower(), e) for e in load_catalogue() if e.path_parameter is not None]


def find(path: str) -> Route | None:
    """The route of a path below the product's address, None where there is none."""
    address = path.strip("/")
    exact = _by_lower().get(address.lower())
    if exact is not None and exact.path_parameter is None:
        return Route(exact)
    parent, _, last = address.rpartition("/")
    table = _by_lower().get(parent.lower())
    if table is not None and table.is_table:
        return Route(table, tuple(part.strip() for part in last.split(",")))
    for stem, endpoint in _parametric():
        if address.lower().startswith(stem) and len(address) > len(stem):
            return Route(endpoint, (address[len(stem) :],))
    return None


def arguments_of(route: Route, method: str, body: Any) -> Any:
    """Tool arguments of a request: a body, or record numbers; a POST or PUT on one record names it in its path."""
    if method in ("GET", "DELETE"):
        return {"ids": list(route.ids)}
    if route.endpoint.path_parameter is not None:
        return {**body, "ids": list(route.ids)} if isinstance(body, dict) else body
    if route.ids and isinstance(body, dict) and isinstance(body.get("Assign"), dict):
        record = body["Assign"]
        if not record or not all(k.isdigit() for k in record):
            return {"Assign": {route.ids[0]: record}}
    return body


def respond(model: Model, method: str, path: str, body: Any, strict: bool = False) -> Reply:
    """Answer a request whose path is below `/gen`. Unknown addresses give 404, methods that one lacks 405."""
    if len(path) > LONGEST_PATH:
        return failure(NOT_FOUND, 404)
    address = path.strip("/")
    route = find(address)
    if not model.document.running and (route is None or route.endpoint.uri not in REOPENING):
        return failure(GONE, 404)
    if address.lower().startswith("info/"):
        return _schema(address[5:]) if method == "GET" else _no_method(method, ("GET",))
    if route is None:
        return _other(model, method, address, body)
    if method not in route.endpoint.methods:
        return _no_method(method, route.endpoint.methods)
    tool = model.rules.catalogue.tool(route.endpoint.uri, method)
    return model.call(tool, arguments_of(route, method, body), strict)


def _no_method(method: str, has: tuple[str, ...]) -> Reply:
    return failure(f"{method} is not supported here; supported: {', '.join(has)}", 405)


def _schema(address: str) -> Reply:
    """`/info/db/NODE`: the schema of an address; 404 where there is none."""
    route = find(address)
    if route is None or (route.ids and route.endpoint.path_parameter is None):
        return failure(NOT_FOUND, 404)
    return Reply(200, {"Argument": bare(route.endpoint.schema)})


def _other(model: Model, method: str, address: str, body: Any) -> Reply:
    """Addresses outside the catalogue: further tables and commands."""
    lower = address.lower()
    parent, _, last = lower.rpartition("/")
    if lower in extras.tables() or parent in extras.tables():
        uri, methods = extras.tables().get(lower) or extras.tables()[parent]
        ids = [] if lower in extras.tables() else [part.strip() for part in last.split(",")]
        if method not in methods:
            return _no_method(method, methods)
        if not model.document.opened:
            return failure(NOT_OPENED)
        return extras.table_call(model.document, uri, method, ids, body)
    family, _, rest = lower.partition("/")
    name = rest.partition("/")[0].upper()
    command = extras.COMMANDS.get(name) if family == ("doc" if name == "STAGAS" else "ope") else None
    if command is None:
        return failure(NOT_FOUND, 404)
    if method not in ("GET", "POST"):
        return _no_method(method, ("GET", "POST"))
    if not model.document.opened:
        return failure(NOT_OPENED)
    argument = body.get("Argument") if isinstance(body, dict) else None
    if method == "POST" and body is not None and not isinstance(body, dict):
        return failure(WRONG_FIELD)
    try:
        return command(model.document, model.rules, argument if isinstance(argument, dict) else {})
    except FilesFull:
        return failure(BAD_PATH)
