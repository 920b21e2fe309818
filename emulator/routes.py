"""From a method and a path to a tool and its arguments.

Paths are matched in any letter case, with or without the product's `/gen` before them. Record numbers may follow a
table: `/db/NODE/3,4`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gennx.emulator.rules import Rules
from gennx.schemas import Endpoint

PRODUCT_PREFIX = "gen"


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint with the record numbers (or the path parameter) that the address carries."""

    endpoint: Endpoint
    ids: tuple[str, ...] = ()


def find(rules: Rules, path: str) -> Route | None:
    """The route of a path below the base address, None where there is none."""
    address = path.strip("/")
    catalogue = rules.catalogue
    exact = catalogue._by_lower.get(address.lower())
    if exact is not None and "{" not in exact:
        return Route(catalogue.endpoints[exact])
    parent, _, last = address.rpartition("/")
    known = catalogue._by_lower.get(parent.lower())
    if known is not None and catalogue.endpoints[known].is_table:
        return Route(catalogue.endpoints[known], tuple(part.strip() for part in last.split(",")))
    for endpoint in catalogue:
        stem = endpoint.uri.partition("{")[0].lower()
        if endpoint.path_parameter is not None and address.lower().startswith(stem) and len(address) > len(stem):
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
