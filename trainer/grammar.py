"""The grammar of an assistant's turn: free text, or well-formed calls of the offered tools, or both in this order.

A call is written as every chat template of ours writes it, its arguments by the JSON Schema of the tool. For a tool of
the catalogue that is the catalogue's schema, fuller than the shortened one in the prompt; `relaxed` takes out what the
grammar engine (llguidance) cannot hold, which is then left to the check of schema validity.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from gennx.trainer.rendering import CALL_CLOSE, CALL_OPEN
from gennx.trainer.variants import MOST_ALTERNATIVES, alternatives

Schema = dict[str, Any]
MOST_CALLS = 8
MOST_CHARACTERS = 120_000  # of a tool's schema; past this, fewer alternatives are written out
KEPT = frozenset({
    "type", "enum", "const", "properties", "required", "items", "minItems", "maxItems", "minimum", "maximum",
    "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "pattern", "anyOf", "additionalProperties",
    "minProperties",
})  # fmt: skip
"""Keywords that the engine holds exactly. if/then/else becomes alternatives where these are few (variants.py). Dropped:
the rest of allOf, not, oneOf (becomes anyOf), contains, dependentRequired, uniqueItems, multipleOf, maxProperties, formats."""
SPACING = {"item_separator": ", ", "key_separator": ": ", "whitespace_flexible": False}


def relaxed(schema: Any, most: int = MOST_ALTERNATIVES) -> Any:
    """A schema that admits at least all that the given one admits, in the engine's own keywords.

    Keys of objects come in the schema's order; an object without `additionalProperties` is closed, since a model has
    nothing to gain from inventing keys; record keys (`propertyNames`) become a pattern; an object has at most `most` alternatives for its conditions.
    """
    if not isinstance(schema, dict):
        return schema
    if any("if" in rule for rule in schema.get("allOf", ())):
        ways = [relaxed(way, most) for way in alternatives(schema, most)]
        return ways[0] if len(ways) == 1 else {"anyOf": ways}
    out = {key: value for key, value in schema.items() if key in KEPT}
    for key in ("items", "additionalProperties"):
        if isinstance(out.get(key), dict):
            out[key] = relaxed(out[key], most)
    if "properties" in out:
        out["properties"] = {k: relaxed(v, most) for k, v in out["properties"].items() if not _computed(v)}
        if "additionalProperties" not in out:
            out["additionalProperties"] = False
    options = schema.get("anyOf") or schema.get("oneOf")
    out.pop("anyOf", None)
    if options and "properties" not in out:
        out["anyOf"] = [relaxed(option, most) for option in options]
    if "required" in out:
        out["required"] = [name for name in out["required"] if name in out.get("properties", {})]
    if "enum" in out or "const" in out:
        out = {key: out[key] for key in ("enum", "const") if key in out}
    return _with_record_keys(out, schema.get("propertyNames"))


def _computed(schema: Any) -> bool:
    return isinstance(schema, dict) and bool(schema.get("readOnly"))


def _with_record_keys(out: Schema, names: Any) -> Schema:
    """Keys of records: the one that there is, or any number."""
    rest = out.get("additionalProperties")
    if not isinstance(names, dict) or not isinstance(rest, dict):
        return out
    kept = {key: value for key, value in out.items() if key not in ("additionalProperties", "minProperties")}
    if "const" in names:
        return {
            **kept,
            "properties": {names["const"]: rest},
            "required": [names["const"]],
            "additionalProperties": False,
        }
    found = {"patternProperties": {names["pattern"]: rest}, "additionalProperties": False}
    return {**kept, **found, **({"minProperties": out["minProperties"]} if "minProperties" in out else {})}


@lru_cache(maxsize=2048)
def _catalogue_schema(name: str) -> str | None:
    """The relaxed arguments of a catalogue's tool as JSON text, None for a name outside it."""
    from gennx.schemas.catalogue import load_catalogue

    catalogue = load_catalogue()
    tool = catalogue.named(name)
    if tool is None:
        return None
    for most in (MOST_ALTERNATIVES, MOST_ALTERNATIVES // 2, MOST_ALTERNATIVES // 4, 1):
        text = json.dumps(relaxed(tool.arguments, most), ensure_ascii=False)
        if len(text) <= MOST_CHARACTERS:
            break
    return text


def arguments_schema(function: dict[str, Any]) -> str:
    """The schema that the arguments of an offered function are held to, as JSON text."""
    known = _catalogue_schema(function["name"])
    if known is not None:
        return known
    given = function.get("parameters") or {"type": "object"}
    return json.dumps(relaxed(given), ensure_ascii=False)


def turn_grammar(tools: list[dict[str, Any]], marks_are_tokens: bool = False) -> str:
    """The grammar of a turn, in llguidance's Lark dialect. Without tools: text alone.

    `marks_are_tokens`: the tokenizer has the marks around a call as special tokens (Qwen), not as plain text.
    """
    text = "TEXT: /[^<{]+/"
    if not tools:
        return f"start: TEXT\n{text}\n"
    opens, closes = (CALL_OPEN, CALL_CLOSE) if marks_are_tokens else (json.dumps(CALL_OPEN), json.dumps(CALL_CLOSE))
    rules = []
    for number, tool in enumerate(tools):
        function = tool["function"]
        schema = arguments_schema(function)
        schema = schema[:-1] + (", " if len(schema) > 2 else "") + f'"x-guidance": {json.dumps(SPACING)}}}'
        name = json.dumps(function["name"], ensure_ascii=False)
        head = json.dumps(f'\n{{"name": {name}, "arguments": ', ensure_ascii=False)
        rules.append(f'call{number}: {opens} {head} args{number} "}}\\n" {closes}\nargs{number}: %json {schema}')
    names = " | ".join(f"call{number}" for number in range(len(tools)))
    more = f'("\\n" call){{0,{MOST_CALLS - 1}}}'
    return f"start: TEXT | TEXT? call {more}\n{text}\ncall: {names}\n" + "\n".join(rules) + "\n"
