"""Fields of an endpoint by their dotted path: schema, annotation, and which of them steer conditions."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from gennx.generators.leaves import inner_schema
from gennx.schemas.catalogue import ANNOTATION, Endpoint, Schema


def schema_of(endpoint: Endpoint, path: str) -> Schema:
    """Schema of a field by its dotted path; empty for record keys."""
    node: Schema = endpoint.schema
    if path in ("key", "ids"):
        return {}
    for part in path.split("."):
        node = inner_schema(node)
        inner = node.get("properties", {}).get(part)
        if inner is None:
            rest = node.get("additionalProperties")
            inner = rest if isinstance(rest, dict) else {}
        node = inner
    return node


def note_of(endpoint: Endpoint, path: str) -> Schema:
    """Annotation of a field; for record keys their kind."""
    if path in ("key", "ids"):
        return {"kind": endpoint.key or "serial"}
    note: Schema = schema_of(endpoint, path).get(ANNOTATION, {})
    return note


@lru_cache(maxsize=512)
def steering_fields(endpoint: Endpoint) -> frozenset[str]:
    """Fields that conditions read: another code there asks for other fields, so the author's stays."""
    out: set[str] = set(endpoint.variants)

    def look(schema: Schema, path: str) -> None:
        schema = inner_schema(schema)
        for entry in schema.get("allOf", ()):
            read(entry.get("if", {}), path)
        for key, inner in schema.get("properties", {}).items():
            if isinstance(inner, dict):
                look(inner, f"{path}.{key}" if path else key)

    def read(condition: Any, path: str) -> None:
        if isinstance(condition, dict):
            for key, inner in condition.get("properties", {}).items():
                out.add(f"{path}.{key}" if path else key)
                read(inner, f"{path}.{key}" if path else key)

    look(endpoint.schema, "")
    return frozenset(out)
