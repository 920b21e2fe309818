"""Judge the arguments of a call against the catalogue.

`jsonschema-rs` gives the verdicts (about a microsecond each); `jsonschema` is the reference that a test holds it
against, and puts a refusal into words.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jsonschema_rs

from gennx.schemas.catalogue import Schema, Tool

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, where: `place` names the call, `pointer` the field within its arguments."""

    place: str
    pointer: str
    rule: str
    found: str
    known: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"{self.place} {self.pointer or '/'}: {self.rule}: {self.found}"
        if self.known:
            near = difflib.get_close_matches(self.found.strip("'"), self.known, n=1)
            text += f", did you mean {near[0]!r}?" if near else ""
            text += f" Allowed: {', '.join(self.known[:12])}{' ...' if len(self.known) > 12 else ''}"
        return text


class Validation:
    """Validators of tools, compiled when first asked for and kept."""

    def __init__(self) -> None:
        self._compiled: dict[str, jsonschema_rs.Validator] = {}

    def valid(self, tool: Tool, arguments: Any) -> bool:
        """True if the arguments fit the tool's schema."""
        validator = self._compiled.get(tool.name)
        if validator is None:
            validator = self._compiled[tool.name] = jsonschema_rs.validator_for(bare(tool.arguments))
        return validator.is_valid(arguments)

    def problems(self, tool: Tool, arguments: Any) -> list[Problem]:
        """Every refusal, in words, by the reference validator; empty when valid."""
        from jsonschema import Draft202012Validator  # a tenth of a second, which few need

        return [
            problem
            for error in Draft202012Validator(tool.arguments).iter_errors(arguments)
            for problem in _words(tool.name, error)
        ]


def bare(node: Any) -> Any:
    """The schema without annotations, which a validator need not carry."""
    if isinstance(node, list):
        return [bare(x) for x in node]
    if isinstance(node, dict):
        return {k: v if k in ("enum", "const", "default") else bare(v) for k, v in node.items() if k != "x-gennx"}
    return node


def _words(place: str, error: ValidationError) -> Iterator[Problem]:
    pointer = "".join(f"/{p}" for p in error.absolute_path)
    value = error.instance
    schema: Schema = error.schema if isinstance(error.schema, dict) else {}
    match error.validator:
        case "additionalProperties" if isinstance(value, dict):
            known = tuple(schema.get("properties", {}))
            for extra in value.keys() - set(known):
                yield Problem(place, f"{pointer}/{extra}", "unknown field", repr(extra), known)
        case "required":
            wanted: Any = error.validator_value
            given: Any = value
            absent = [name for name in wanted if name not in given]
            for name in absent:
                yield Problem(place, f"{pointer}/{name}", "required field is missing", "nothing")
        case "enum":
            yield Problem(place, pointer, "not one of the allowed values", repr(value), tuple(map(str, schema["enum"])))
        case None:  # the schema `false`: a condition forbids the field
            yield Problem(place, pointer, "field does not apply here (a condition of the endpoint)", repr(value))
        case "type":
            yield Problem(place, pointer, f"wrong type, wants {error.validator_value}", repr(value)[:60])
        case rule:
            yield Problem(place, pointer, f"breaks {rule} {str(error.validator_value)[:80]}", repr(value)[:60])
