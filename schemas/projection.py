"""The definition of a tool as a model reads it: what the call at hand may need, in few tokens.

Fields that the variant at hand bars are left out (a concrete material needs no steel fields); the rest is named in
Korean and English with its unit and the meaning of its codes. When that is still too long, optional fields go, the
rarest first, and never one that the call uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gennx.schemas.catalogue import ANNOTATION, Schema, Tool

MAX_TOKENS = 1200
MANY_CODES = 30  # a longer list of codes is shown by its usual members only
RARITY = {"rare": 0, "some": 1, "common": 2, "always": 3}
UNIT_WORDS = {
    "length": "m", "length2": "m2", "length3": "m3", "length4": "m4", "length6": "m6", "angle": "deg",
    "force": "kN", "moment": "kN·m", "force/length": "kN/m", "force/length2": "kN/m2", "force/length3": "kN/m3",
    "temperature": "°C", "temperature/length": "°C/m", "1/temperature": "1/°C", "time": "s", "1/time": "Hz",
    "length/time": "m/s", "length/time2": "m/s2", "percent": "%", "day": "day", "hour": "h", "mass": "t",
    "mass/length3": "t/m3", "moment/radian": "kN·m/rad", "radian": "rad", "force*time/length": "kN·s/m",
    "1/length": "1/m", "mass*length2": "t·m2", "mass/length": "t/m", "mass/length2": "t/m2", "force*length2": "kN·m2",
    "moment*time/radian": "kN·m·s/rad",
}  # fmt: skip
VERBS = {"POST": "create", "PUT": "change", "GET": "read", "DELETE": "delete"}
KEY_WORDS = {
    "node_id": "node number", "element_id": "element number", "material_id": "material number",
    "section_id": "section number", "thickness_id": "thickness number", "wall_id": "wall number",
    "member_id": "member number", "stage_id": "stage number", "single": "always 1",
}  # fmt: skip
Keep = Callable[[str], bool]


def definition(tool: Tool, style: str = "path", dropped: frozenset[str] = frozenset()) -> Schema:
    """OpenAI-style function definition of a tool, without the fields named in `dropped` (dotted paths)."""
    endpoint = tool.endpoint
    verb = (
        VERBS[tool.method]
        if endpoint.is_table
        else {"POST": "run", "GET": "read", "PUT": "change"}.get(tool.method, VERBS[tool.method])
    )
    description = f"{endpoint.ko} ({endpoint.en}): {verb}. {endpoint.about_en}"
    function = {"name": tool.named(style), "description": description, "parameters": parameters(tool, dropped)}
    return {"type": "function", "function": function}


def parameters(tool: Tool, dropped: frozenset[str] = frozenset()) -> Schema:
    """JSON Schema of the arguments, shortened for a prompt."""
    endpoint = tool.endpoint
    if tool.method in ("GET", "DELETE"):
        return _ids(tool)
    body = shorten(endpoint.schema, dropped, required=tool.method == "POST")
    if endpoint.is_table:
        what = KEY_WORDS.get(endpoint.key or "", "record number")
        assign = {"type": "object", "description": f"by {what}", "additionalProperties": body}
        return {"type": "object", "properties": {"Assign": assign}, "required": ["Assign"]}
    if endpoint.path_parameter is not None:
        ids = _ids(tool)["properties"]
        return {**body, "properties": {**ids, **body.get("properties", {})}}
    return body


def _ids(tool: Tool) -> Schema:
    endpoint = tool.endpoint
    if endpoint.path_parameter is not None:
        words = endpoint.path_parameter
        ids: Schema = {"type": "array", "items": {"type": "string"}, "description": f"one value: {words}"}
    else:
        what = KEY_WORDS.get(endpoint.key or "", "record number") if endpoint.is_table else "none"
        words = f"{what}s" if endpoint.is_table and not endpoint.single else what
        every = "" if tool.method == "DELETE" else "; empty for all" if endpoint.is_table else ", leave empty"
        ids = {"type": "array", "items": {"type": "integer"}, "description": words + every}
    return {"type": "object", "properties": {"ids": ids}, "required": ["ids"]}


def shorten(schema: Schema, dropped: frozenset[str], required: bool = True, path: str = "") -> Schema:
    """A schema with types, short names, codes and required fields; conditions and limits stay out of prompts."""
    plain = path and NESTING.isdisjoint(schema)
    if plain and (known := _plain.get(id(schema))) and known[0] is schema:
        return dict(known[1])
    note = schema.get(ANNOTATION, {})
    out: Schema = {}
    if "type" in schema:
        out["type"] = schema["type"]
    words = describe(schema, note) if path else ""
    if words:
        out["description"] = words
    if len(schema.get("enum", ())) and len(schema["enum"]) <= MANY_CODES:
        out["enum"] = schema["enum"]
    properties = {
        key: inner
        for key, inner in schema.get("properties", {}).items()
        if (f"{path}.{key}" if path else key) not in dropped
    }
    if properties:
        out["properties"] = {
            key: shorten(inner, dropped, required, f"{path}.{key}" if path else key)
            for key, inner in properties.items()
            if not _computed(inner)
        }
        wanted = [k for k in schema.get("required", ()) if k in out["properties"]]
        if wanted and required:
            out["required"] = wanted
    if isinstance(schema.get("items"), dict):
        out["items"] = shorten(schema["items"], dropped, True, path)
        out["items"].pop("description", None)
        if not out["items"]:
            del out["items"]
    if isinstance(schema.get("additionalProperties"), dict):
        out["additionalProperties"] = shorten(schema["additionalProperties"], dropped, True, f"{path}.*")
    for key in ("oneOf", "anyOf"):
        if key in schema and not properties:
            out[key] = [shorten(s, dropped, required, path) for s in schema[key]]
    if plain:
        _plain[id(schema)] = schema, dict(out)
    return out


NESTING = frozenset({"properties", "items", "additionalProperties", "oneOf", "anyOf"})
_plain: dict[int, tuple[Schema, Schema]] = {}
"""What is shown of schemas that hold no others: the schema (which keeps its identity taken) and its short form."""


RANGE_EXAMPLE = 'like "1to10"'
"""How ranges are written that are texts."""


def _computed(schema: Schema) -> bool:
    return bool(schema.get("readOnly")) or schema.get(ANNOTATION, {}).get("kind") == "serial"


def describe(schema: Schema, note: Schema) -> str:
    """Short words for a field: names, unit, what its codes mean."""
    inner = schema
    while isinstance(inner.get("items"), dict):
        inner = inner["items"]
    deep = inner.get(ANNOTATION, {})
    ko, en = note.get("ko", ""), note.get("en", "")
    text = en if ko == en else f"{ko} {en}".strip()
    unit = UNIT_WORDS.get(note.get("dim") or deep.get("dim", ""), "")
    if unit:
        text += f" [{unit}]"
    if note.get("hint"):
        text += f"; {note['hint']}"
    if note.get("kind") == "id_range":
        text += f"; {RANGE_EXAMPLE}"
    members = deep.get("enum") or note.get("enum")
    if members and len(members) > MANY_CODES:
        usual = [str(v) for v in note.get("typical", {}).get("values", ()) if str(v) in members] or list(members)
        some = ", ".join(f"{code}={members[code]['en']}" for code in usual[:10])
        text += f"; one of {len(members)} codes, such as {some}"
    elif members and len(members) <= 14:
        meanings = [f"{code}={m['en']}" for code, m in members.items() if m["en"].lower() != code.lower()]
        if meanings:
            text += ": " + ", ".join(meanings)
    return text


def droppable(schema: Schema, path: str = "", depth: int = 0) -> Iterator[tuple[int, int, str]]:
    """(rarity, minus depth, path) of every field that may be left out: optional ones first, then what lies deep within required ones."""
    while isinstance(schema.get("items"), dict):
        schema = schema["items"]
    needed = set(schema.get("required", ()))
    for key, inner in schema.get("properties", {}).items():
        full = f"{path}.{key}" if path else key
        rarity = RARITY[inner.get(ANNOTATION, {}).get("freq", "some")]
        if depth or key not in needed or (schema.get("type") == "object" and len(needed) > 4):
            yield rarity + (len(RARITY) * (1 if depth else 2) if key in needed else 0), -depth, full
        yield from droppable(inner, full, depth + 1)
    if isinstance(schema.get("additionalProperties"), dict):
        yield from droppable(schema["additionalProperties"], f"{path}.*", depth + 1)
