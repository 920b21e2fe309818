"""Everything the emulator derives from one catalogue entry, compiled when first needed and kept for the process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import jsonschema_rs

from gennx.emulator.defaults import Filler, compile_filler
from gennx.emulator.lenient import lenient, respell
from gennx.emulator.minimal import minimal_record
from gennx.emulator.references import Spot, Target, compile_spots, key_target
from gennx.schemas import Endpoint, Tool, Validation, load_catalogue
from gennx.schemas.catalogue import ANNOTATION, Catalogue, Schema


class EndpointRules:
    """Compiled facts of one endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._lenient: dict[bool, jsonschema_rs.Validator] = {}

    @cached_property
    def spot(self) -> Spot:
        return compile_spots(self.endpoint)

    @cached_property
    def key_owner(self) -> Target | None:
        return key_target(self.endpoint)

    @cached_property
    def filler(self) -> Filler | None:
        return compile_filler(self.endpoint.schema)

    @cached_property
    def minimal(self) -> dict[str, Any]:
        """The smallest record; it must be copied."""
        return minimal_record(self.endpoint.schema)

    @cached_property
    def read_only(self) -> tuple[str, ...]:
        """Fields that the server computes and ignores in a request."""
        properties = self.endpoint.schema.get("properties", {})
        return tuple(n for n, s in properties.items() if isinstance(s, dict) and s.get("readOnly"))

    @cached_property
    def has_items(self) -> bool:
        """True for tables whose record is a list of items, each addressed by (record key, `ID`)."""
        items = self.endpoint.schema.get("properties", {}).get("ITEMS", {}).get("items", {})
        note = items.get("properties", {}).get("ID", {}).get(ANNOTATION, {})
        return bool(note.get("kind") == "item_id")

    def has_argument(self, body: Any) -> bool:
        """True when the body's `Argument` brings what it must; an absent one counts as empty."""
        schema = self.endpoint.schema.get("properties", {}).get("Argument", {})
        argument = body.get("Argument") if isinstance(body, dict) else None
        asked = schema.get("required", ())
        return not asked or (isinstance(argument, dict) and all(name in argument for name in asked))

    def accepts(self, record: Any, method: str) -> bool:
        """Live server's judgement of one record or body."""
        asks = method != "PUT"
        validator = self._lenient.get(asks)
        if validator is None:
            schema = lenient(self.endpoint.schema, asks)
            if self.endpoint.uri == "post/TABLE":  # looked up later, with an error text of its own
                del schema["properties"]["Argument"]["properties"]["TABLE_TYPE"]["enum"]
            validator = self._lenient[asks] = jsonschema_rs.validator_for(schema)
        return judged(validator, record)

    def respelled(self, record: Any) -> Any:
        """The record with enum words spelled as the catalogue has them."""
        return respell(self.endpoint.schema, record)


def judged(validator: jsonschema_rs.Validator, value: Any) -> bool:
    """Validity; a value nested too deeply for the validator is refused like any other misfit."""
    try:
        return bool(validator.is_valid(value))
    except (ValueError, RecursionError):
        return False


@dataclass
class Rules:
    """Rules by endpoint, and the strict judgement of whole calls."""

    catalogue: Catalogue

    def __post_init__(self) -> None:
        self._by_uri: dict[str, EndpointRules] = {}
        self.validation = Validation()

    def of(self, endpoint: Endpoint) -> EndpointRules:
        rules = self._by_uri.get(endpoint.uri)
        if rules is None:
            rules = self._by_uri[endpoint.uri] = EndpointRules(endpoint)
        return rules

    def at(self, uri: str) -> EndpointRules | None:
        """Rules of a table by its exact address, None for one outside the catalogue."""
        endpoint = self.catalogue.endpoints.get(uri)
        return self.of(endpoint) if endpoint is not None else None

    def valid(self, tool: Tool, arguments: Any) -> bool:
        """Strict judgement: the arguments fit the catalogue with all its conditions."""
        try:
            return self.validation.valid(tool, arguments)
        except (ValueError, RecursionError):
            return False

    def record_schema(self, uri: str) -> Schema:
        return self.catalogue.endpoints[uri].schema


@lru_cache(maxsize=1)
def default_rules() -> Rules:
    """Rules of the installed catalogue."""
    return Rules(load_catalogue())
