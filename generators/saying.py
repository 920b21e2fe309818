"""Say a call: choose a phrasing, print it, add what it left unsaid, and record which words say which leaf."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from jinja2 import UndefinedError

from gennx.generators.conditions import holds
from gennx.generators.forms import number_list, settle_particles
from gennx.generators.leaves import Leaf, Place, call_leaves
from gennx.generators.phrasings import Folder, Library, Phrasing
from gennx.generators.words import MARKED, Unsayable, Voice, Word, switch
from gennx.schemas.catalogue import Tool

FACTS = "\ue003"
NOUNS = {
    "node_id": ("절점", "node"),
    "element_id": ("요소", "element"),
    "material_id": ("재료", "material"),
    "section_id": ("단면", "section"),
    "thickness_id": ("두께", "thickness"),
    "wall_id": ("벽체", "wall"),
    "member_id": ("부재", "member"),
    "stage_id": ("시공단계", "stage"),
    "story_id": ("층", "story"),
    "group_id": ("그룹", "group"),
    "lane_id": ("차선", "lane"),
}


class NothingToSay(Exception):
    """No phrasing could say the call; the message names the tool."""


@dataclass(frozen=True)
class Said:
    """A finished request: the text, the phrasing it came from, and for each leaf the words that say it."""

    text: str
    phrasing: str
    grounding: tuple[tuple[Place, str], ...]


@dataclass
class Row:
    """One of the alike things that a call holds: a record, or an item of a record."""

    key: Leaf | None
    leaves: list[Leaf] = field(default_factory=list)


def rows_of(tool: Tool, leaves: Sequence[Leaf]) -> list[Row]:
    """The records of a table call, or their items where records hold an ITEMS array; one row for any other body."""
    rows: dict[Place, Row] = {}
    keys = {leaf.place[1]: leaf for leaf in leaves if leaf.kind == "key" and leaf.place[0] == "Assign"}
    for leaf in leaves:
        if leaf.kind == "key":
            continue
        place = leaf.place
        if place[0] == "Assign":
            prefix = place[:4] if len(place) > 3 and place[2] == "ITEMS" else place[:2]
            rows.setdefault(prefix, Row(keys[place[1]])).leaves.append(leaf)
        else:
            rows.setdefault((), Row(None)).leaves.append(leaf)
    return list(rows.values())


def relative(leaf: Leaf) -> Place:
    """Place within its row: without record key, ITEMS index and the Argument wrapper."""
    place = leaf.place
    if place[0] == "Assign":
        return place[4:] if len(place) > 3 and place[2] == "ITEMS" else place[2:]
    return place[1:] if place[0] == "Argument" and len(place) > 1 else place


def row_scope(rows: Sequence[Row], voice: Voice) -> dict[str, Any]:
    """Names for the leaves that all the rows share, each one saying it for every row."""
    by_place: dict[Place, list[Leaf]] = {}
    for row in rows:
        for leaf in row.leaves:
            by_place.setdefault(relative(leaf), []).append(leaf)
    scope: dict[str, Any] = {}
    short: dict[str, list[str]] = {}
    arrays: dict[str, dict[int, dict[str, Any]]] = {}
    for place, leaves in by_place.items():
        if len(leaves) != len(rows) or any(leaf.value != leaves[0].value for leaf in leaves):
            continue
        at = next((i for i, part in enumerate(place) if isinstance(part, int)), None)
        if at is not None:
            members = arrays.setdefault("__".join(map(str, place[:at])), {})
            members.setdefault(int(place[at]), {})["__".join(map(str, place[at + 1 :])) or "value"] = Word(voice, leaves)
            continue
        full = "__".join(map(str, place))
        scope[full] = Word(voice, leaves)
        short.setdefault(str(place[-1]) if place else "value", []).append(full)
    for name, fulls in short.items():
        if len(fulls) == 1:
            scope.setdefault(name, scope[fulls[0]])
    for name, indexed in arrays.items():
        scope.setdefault(name, [indexed[i] for i in sorted(indexed)])
        scope.setdefault(name.rsplit("__", 1)[-1], scope[name])
    return scope


def follows_places(tool: Tool, folder: Folder, arguments: dict[str, Any], leaves: Sequence[Leaf]) -> set[Place]:
    """Leaves that need no words: they follow by a stated rule."""
    out: set[Place] = set()
    for leaf in leaves:
        if (leaf.kind == "key" and tool.endpoint.single) or leaf.note.get("kind") == "serial" and leaf.kind != "key":
            out.add(leaf.place)
    for rule in folder.follows:
        for leaf in leaves:
            if leaf.field == rule["path"] and follows(rule, leaf, arguments):
                out.add(leaf.place)
    return out


def follows(rule: dict[str, Any], leaf: Leaf, arguments: dict[str, Any]) -> bool:
    """True if the rule explains the leaf's value: the value is the stated one and the condition on the object that
    holds the leaf (or on the record) is met."""
    if "value" in rule and leaf.value != rule["value"]:
        return False
    if "values" in rule and leaf.value not in rule["values"]:
        return False
    condition = rule.get("when")
    if condition is None:
        return True
    node: Any = arguments
    trail = []
    for part in leaf.place[:-1]:
        node = node[part]
        trail.append(node)
    if rule.get("at") == "record":
        node = trail[1] if leaf.place[0] == "Assign" else arguments
    return holds(condition, node)


def say(tool: Tool, arguments: dict[str, Any], lang: str, rng: random.Random, library: Library) -> Said:
    """Words for a call. Raises NothingToSay when no phrasing fits, which the shared ones should prevent."""
    folder = library.folder(tool.endpoint.uri)
    shared = library.folder("shared")
    leaves = call_leaves(tool, arguments)
    silent = follows_places(tool, folder, arguments, leaves)
    rows = rows_of(tool, leaves)
    uneven = _uneven(rows, silent)
    for phrasing in _candidates(tool, arguments, lang, rng, folder, shared, rows, silent, uneven):
        voice = Voice(lang, rng, folder.roles)
        scope = _scope(tool, leaves, rows, voice, uneven)
        try:
            if phrasing.applies is not None and not phrasing.applies(**scope):
                continue
            text = phrasing.render(**scope)
        except (Unsayable, UndefinedError, TypeError):
            continue
        return _finish(text, phrasing, leaves, silent, rows, voice)
    raise NothingToSay(f"{tool.name}: no phrasing in {lang} fits {str(arguments)[:120]}")


def _uneven(rows: Sequence[Row], silent: set[Place]) -> bool:
    """True if the rows do not all say the same."""
    told = [{relative(leaf): leaf.value for leaf in row.leaves if leaf.place not in silent} for row in rows]
    return any(t != told[0] for t in told[1:])


def _candidates(
    tool: Tool,
    arguments: dict[str, Any],
    lang: str,
    rng: random.Random,
    folder: Folder,
    shared: Folder,
    rows: Sequence[Row],
    silent: set[Place],
    uneven: bool,
) -> list[Phrasing]:
    """Phrasings in the order to try: drawn by how much of the call they say, the shared frames as a rule last."""
    sections = sections_of(tool, arguments)
    probe = row_scope(rows, Voice(lang, random.Random(0), {})) if rows else {}
    names = set(probe)
    needed = {n for n, w in probe.items() if isinstance(w, Word) and w.leaves[0].place not in silent and "__" not in n}
    needed |= {n for n, w in probe.items() if isinstance(w, list) and "__" not in n}
    frame = {"title", "facts", "noun", "count"}
    if any(leaf == "ids" for leaf in arguments) and arguments["ids"] or (
        tool.endpoint.is_table and not tool.endpoint.single and "Assign" in arguments
    ):
        frame |= {"ids", "target"}
    if uneven:
        frame |= {"rows", "table"}
    weighted: list[tuple[float, Phrasing]] = []
    for source, share in ((folder, 1.0), (shared, 0.04)):
        for section in sections if source is folder else _shared_sections(tool, arguments):
            for phrasing in source.get(lang, section):
                if not phrasing.needs <= names | frame or phrasing.by_rows != uneven:
                    continue
                unsaid = len(needed - phrasing.names) if not phrasing.by_rows else 0
                weighted.append((share / (1 + unsaid) ** 2, phrasing))
    order: list[Phrasing] = []
    while weighted and len(order) < 12:
        at = rng.choices(range(len(weighted)), weights=[w for w, _ in weighted])[0]
        order.append(weighted.pop(at)[1])
    backup = [p for _, p in weighted if p.ident.startswith("shared/") and p.needs <= frame]
    return order + backup


def sections_of(tool: Tool, arguments: dict[str, Any]) -> list[str]:
    """Sections of the endpoint's own phrasing files that say this kind of call."""
    if tool.method == "GET":
        return ["GET", "GET some" if arguments.get("ids") else "GET all"]
    return [tool.method]


def _shared_sections(tool: Tool, arguments: dict[str, Any]) -> list[str]:
    endpoint = tool.endpoint
    if tool.method == "GET":
        if endpoint.path_parameter is not None:
            return ["GET value"]
        if arguments.get("ids") and not endpoint.single:
            return ["GET target" if endpoint.key in NOUNS else "GET serial"]
        return ["GET all" if endpoint.is_table and not endpoint.single else "GET single"]
    if not endpoint.is_table:
        return [f"{tool.method} body"]
    kind = "single" if endpoint.single else "target" if endpoint.key in NOUNS else "serial"
    return [f"{tool.method} {kind}"]


def _scope(tool: Tool, leaves: Sequence[Leaf], rows: Sequence[Row], voice: Voice, uneven: bool) -> dict[str, Any]:
    endpoint = tool.endpoint
    scope = row_scope(rows, voice) if rows else {}
    scope["title"] = endpoint.title(voice.lang)
    scope["facts"] = FACTS
    keys = [leaf for leaf in leaves if leaf.kind == "key"]
    scope["count"] = len(keys)
    noun = NOUNS.get(endpoint.key or "", ("", ""))
    scope["noun"] = noun[0] if voice.lang == "ko" else noun[1] + ("s" if len(keys) > 1 else "")
    if keys and not endpoint.single:
        scope["ids"] = Keys(voice, keys)
        scope["target"] = Target(voice, keys, noun)
    if uneven:
        entries = []
        for row in rows:
            entry = row_scope([row], voice)
            if row.key is not None:
                entry["id"] = Word(voice, [row.key])
            entries.append(entry)
        scope["rows"] = entries
        scope["table"] = Table(voice, rows)
    return scope


class Keys(Word):
    """All record numbers of a call."""

    __slots__ = ()

    @property
    def value(self) -> Any:
        return [leaf.value for leaf in self.leaves]

    def __str__(self) -> str:
        values = self.value
        if any(isinstance(v, str) for v in values):
            return self.say(", ".join(map(str, values)))
        return self.say(number_list(values, self.voice.lang, self.voice.rng))


class Target(Keys):
    """The record numbers with the noun they number: 3번 절점, nodes 3 to 7."""

    __slots__ = ("noun",)

    def __init__(self, voice: Voice, leaves: Sequence[Leaf], noun: tuple[str, str]) -> None:
        super().__init__(voice, leaves)
        self.noun = noun

    def __str__(self) -> str:
        values = self.value
        if self.voice.lang == "ko":
            if self.voice.rng.random() < 0.2:
                numbers = number_list(values, "ko", self.voice.rng)
                return f"{self.noun[0]} {self.say(numbers)}"
            return f"{super().__str__()} {self.noun[0]}"
        return f"{self.noun[1]}{'s' if len(values) > 1 else ''} {super().__str__()}"


class Table:
    """What differs between rows, as a pasted table or a line for each."""

    def __init__(self, voice: Voice, rows: Sequence[Row]) -> None:
        self.voice = voice
        self.rows = rows

    def __str__(self) -> str:
        voice, rng = self.voice, self.voice.rng
        shared = row_scope(self.rows, voice)
        said = {leaf.place for w in shared.values() if isinstance(w, Word) for leaf in w.leaves}
        said |= {
            leaf.place
            for w in shared.values()
            if isinstance(w, list)
            for member in w
            for word in member.values()
            for leaf in word.leaves
        }
        columns: dict[Place, str] = {}
        for row in self.rows:
            for leaf in row.leaves:
                if leaf.place not in said:
                    columns.setdefault(relative(leaf), leaf.name(voice.lang))
        if len(columns) > 8:
            raise Unsayable("too many columns")
        names = labels(columns, self.rows, voice.lang)
        cells = []
        for row in self.rows:
            by_place = {relative(leaf): leaf for leaf in row.leaves}
            line = {p: voice.mark([by_place[p]], voice.value(by_place[p])) for p in columns if p in by_place}
            key = voice.mark([row.key], str(row.key.value)) if row.key is not None else None
            cells.append((key, line))
        if rng.random() < 0.55 and all(len(line) == len(columns) for _, line in cells):
            gap = rng.choice(("\t", " | ", ", ", "  "))
            if gap == ", " and any(", " in text for _, line in cells for text in line.values()):
                gap = " / "
            head = ["번호" if voice.lang == "ko" else "No."] if cells[0][0] is not None else []
            lines = [gap.join([*head, *(names[p] for p in columns)])]
            lines += [gap.join([*([key] if key is not None else []), *line.values()]) for key, line in cells]
            return "\n".join(lines)
        bullet = rng.choice(("- ", "", "* ", "· "))
        suffix = "번" if voice.lang == "ko" else ""
        out = []
        for key, line in cells:
            facts = ", ".join(f"{names[p]} {text}" for p, text in line.items())
            out.append(f"{bullet}{key}{suffix}: {facts}" if key is not None else f"{bullet}{facts}")
        return "\n".join(out)


def labels(columns: dict[Place, str], rows: Sequence[Row], lang: str) -> dict[Place, str]:
    """Names of fields, told apart by the name of what they lie in where two share one."""
    counts: dict[str, int] = {}
    for name in columns.values():
        counts[name] = counts.get(name, 0) + 1
    if all(c == 1 for c in counts.values()):
        return columns
    by_place = {relative(leaf): leaf for row in rows for leaf in row.leaves}
    out = {}
    for place, name in columns.items():
        if counts[name] > 1 and place in by_place:
            parents = [p.get(lang) for p in by_place[place].parents if p.get(lang)]
            index = next((f" {p + 1}" for p in reversed(place) if isinstance(p, int)), "")
            out[place] = f"{parents[-1]}{index} {name}" if parents else f"{name}{index}"
        else:
            out[place] = name
    return out


def _finish(
    text: str, phrasing: Phrasing, leaves: Sequence[Leaf], silent: set[Place], rows: Sequence[Row], voice: Voice
) -> Said:
    """Put what is unsaid where the phrasing wants it or after it, settle particles, take the marks out."""
    printed = {int(i) for i, _ in MARKED.findall(text)}
    said = {leaf.place for i in printed for leaf in voice.groups[i]}
    unsaid = [
        leaf
        for leaf in leaves
        if leaf.place not in said and leaf.place not in silent and not _all_members_said(leaf, said)
    ]
    extra = facts_text(unsaid, rows, voice) if unsaid else ""
    if FACTS in text:
        text = text.replace(FACTS, extra, 1).replace(FACTS, "")
        if not extra:
            text = tidy_gaps(text)
    elif extra:
        text = text.rstrip() + _joint(text, extra, voice) + extra
    text = settle_particles(text)
    grounding: list[tuple[Place, str]] = []
    for index, words in MARKED.findall(text):
        grounding += [(leaf.place, words) for leaf in voice.groups[int(index)]]
    clean = MARKED.sub(lambda m: m.group(2), text)
    return Said(clean.strip(), phrasing.ident, tuple(grounding))


def _all_members_said(leaf: Leaf, said: set[Place]) -> bool:
    return leaf.kind == "list" and bool(leaf.value) and all((*leaf.place, i) in said for i in range(len(leaf.value)))


def tidy_gaps(text: str) -> str:
    """Text without the commas and colons that an empty insertion leaves behind."""
    for before, after in ((" ,", ","), (": .", "."), (",.", "."), (", .", "."), ("  ", " ")):
        text = text.replace(before, after)
    return text.rstrip(" ,:\n")


def _joint(text: str, extra: str, voice: Voice) -> str:
    if extra.startswith("\n") or "\n" in extra:
        return "\n" if not extra.startswith("\n") else ""
    end = text.rstrip()[-1:]
    if end in ".?!~":
        return " "
    return voice.rng.choice((". ", ", ", "\n")) if voice.lang == "ko" else voice.rng.choice((", ", ". ", "; "))


def facts_text(unsaid: Sequence[Leaf], rows: Sequence[Row], voice: Voice) -> str:
    """Unsaid leaves by their catalogue names: in a sentence, with colons, or as lines."""
    keys = [leaf for leaf in unsaid if leaf.kind == "key"]
    groups: dict[Place, list[Leaf]] = {}
    for leaf in unsaid:
        if leaf.kind != "key":
            groups.setdefault(relative(leaf), []).append(leaf)
    shared: dict[Place, list[Leaf]] = {}
    single: list[Leaf] = []
    for place, leaves in groups.items():
        if len(leaves) == len(rows) and all(leaf.value == leaves[0].value for leaf in leaves):
            shared[place] = leaves
        else:
            single += leaves
    names = labels({p: ls[0].name(voice.lang) for p, ls in shared.items()}, rows, voice.lang)
    plain = {p: ls for p, ls in shared.items() if not any(isinstance(x, int) for x in p)}
    nested: dict[Place, dict[int, dict[Place, list[Leaf]]]] = {}
    for place, leaves in shared.items():
        at = next((i for i, part in enumerate(place) if isinstance(part, int)), None)
        if at is not None:
            nested.setdefault(place[:at], {}).setdefault(int(place[at]), {})[place[at + 1 :]] = leaves
    count = len(plain) + len(nested)
    as_lines = count > 5 or voice.rng.random() < 0.12
    pieces = [_piece(names[p], ls, voice, as_lines) for p, ls in plain.items()]
    pieces += [_nested(p, members, voice, as_lines) for p, members in nested.items()]
    if keys:
        word = "번호" if voice.lang == "ko" else "number"
        numbers = number_list([k.value for k in keys], voice.lang, voice.rng, suffix="")
        pieces.insert(0, f"{word} {voice.mark(keys, numbers)}")
    if as_lines:
        bullet = voice.rng.choice(("- ", "- ", "* ", "· ", ""))
        out = "\n" + "\n".join(bullet + p for p in pieces) if pieces else ""
    else:
        out = ", ".join(pieces)
    for leaf in single:  # left over from rows that differ
        place = ", ".join(f"{p}" for p in leaf.place[1:2])
        label = f"{place}{'번' if voice.lang == 'ko' else ''} {leaf.name(voice.lang)}"
        out += ("\n" if out else "") + f"{label} {voice.mark([leaf], voice.value(leaf))}"
    return out


def _piece(name: str, leaves: Sequence[Leaf], voice: Voice, as_lines: bool) -> str:
    leaf = leaves[0]
    if leaf.kind == "boolean" and not as_lines and voice.role(leaf) is None:
        return voice.mark(leaves, switch(voice, leaf, name))
    text = voice.mark(leaves, voice.value(leaf))
    if as_lines:
        return f"{name}: {text}"
    if voice.lang == "ko":
        return voice.rng.choice((f"{name} {text}", f"{name} {text}", f"{name}은(는) {text}", f"{name}: {text}"))
    return voice.rng.choice((f"{name} {text}", f"{name} {text}", f"{name}: {text}", f"{name} = {text}"))


def _nested(place: Place, members: dict[int, dict[Place, list[Leaf]]], voice: Voice, as_lines: bool) -> str:
    first = next(iter(next(iter(members.values())).values()))[0]
    depth = len([p for p in place if not isinstance(p, int)])
    parents = [p.get(voice.lang, "") for p in first.parents if p.get(voice.lang)]
    offset = 1 if first.field.startswith("Argument") else 0
    offset += 1 if first.field.startswith("ITEMS") else 0
    title = parents[min(depth - 1 + offset, len(parents) - 1)] if parents else ""
    out = []
    for index in sorted(members):
        cells = []
        spots = {p: ls[0].name(voice.lang) for p, ls in members[index].items()}
        seen: dict[str, int] = {}
        for p, leaves in members[index].items():
            name = spots[p]
            if list(spots.values()).count(name) > 1:
                chain = [q.get(voice.lang) for q in leaves[0].parents if q.get(voice.lang)]
                seen[name] = seen.get(name, 0) + 1
                inner = [x for x in p if isinstance(x, int)]
                name = f"{chain[-1]}{f' {inner[-1] + 1}' if inner else ''} {name}" if chain else f"{name} {seen[name]}"
            leaf = leaves[0]
            if leaf.kind == "boolean":
                cells.append(voice.mark(leaves, switch(voice, leaf, name)))
            else:
                cells.append(f"{name} {voice.mark(leaves, voice.value(leaf))}")
        out.append("(" + ", ".join(cells) + ")")
    return f"{title}{':' if as_lines or voice.rng.random() < 0.5 else ''} {', '.join(out)}".strip()
