"""Operations (`ope/*`) and `config/*`: who answers what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gennx.emulator import dividing, members, springs, stories
from gennx.emulator.document import Document
from gennx.emulator.line_loads import line_load
from gennx.emulator.materials import grades, standards
from gennx.emulator.records import missing, prepared
from gennx.emulator.references import Mention, Target
from gennx.emulator.replies import PRODUCT, Reply, complete, failure, nothing
from gennx.emulator.rules import Rules
from gennx.emulator.sections import FORMS, names
from gennx.emulator.status import project_status, section_properties
from gennx.schemas import Tool

VERSION = {"NAME": f"{PRODUCT} (emulated)", "VERSION": "9.6.0", "USER": "emulator", "COMPANY": "gennx"}
SETTINGS = ("STORY_PARAM", "STORY_IRR_PARAM")


def answer(document: Document, rules: Rules, tool: Tool, arguments: Any, strict: bool) -> Reply:
    """One operation, its arguments already accepted."""
    name = tool.endpoint.uri.partition("/")[2]
    argument = arguments.get("Argument")
    argument = argument if isinstance(argument, dict) else {}
    if name in SETTINGS:
        return _setting(document, name, tool.method, argument)
    if name == "SECTPROP":
        number = str(arguments["Argument"]) if tool.method == "POST" else None
        return section_properties(document, number)
    if name == "LINEBMLD":
        return line_load(document, rules, argument, strict)
    by_path = BY_PATH.get(name.partition("/")[0]) if tool.endpoint.path_parameter else None
    if by_path is not None:
        ids = arguments.get("ids") or [""]
        return by_path(str(ids[0]))
    handler = HANDLERS.get(name)
    return handler(document, rules, argument) if handler else nothing()


def config(document: Document, tool: Tool) -> Reply:
    """`config/VER` names the program; `config/PROJECT` repeats the project information."""
    if tool.endpoint.uri == "config/VER":
        return Reply(200, {"VER": dict(VERSION)})
    row = document.store.rows("db/PJCF").get("1", {})
    return Reply(200, {"PROJECT": {"FILE_NAME": document.path, **row}})


def _setting(document: Document, name: str, method: str, argument: Mapping[str, Any]) -> Reply:
    """Parameters of storey checks: kept as set, absent until then."""
    if method == "POST":
        document.settings[name] = dict(argument)
    kept = document.settings.get(name)
    return Reply(200, {name: dict(kept)}) if kept else nothing()


def _change_property(document: Document, rules: Rules, argument: Mapping[str, Any]) -> Reply:
    """`ope/EDMP`: a size by hand goes to `db/EDMP`; one that the program would compute is taken without effect."""
    numbers = springs.chosen(document, argument["NODE_ELEMS"])
    automatic = argument.get("AUTO", False)
    if automatic and ("PARAMETER" not in argument or argument.get("TYPE") == "VSR"):
        return failure("Unknown Error")
    for number in numbers:
        if str(number) not in document.store.rows("db/ELEM"):
            return failure(missing(rules, Mention(Target("db/ELEM"), number, "")))
    if not automatic and "H_VS" in argument:
        own = rules.at("db/EDMP")
        table = document.store.writable("db/EDMP")
        row = {"TYPE": argument.get("TYPE", "NSM"), "H_VS": argument["H_VS"]}
        for number in numbers:
            table[str(number)] = prepared(own, str(number), row) if own is not None else dict(row)
        document.touched("db/EDMP")
    return complete()


def _analysis_status(document: Document, rules: Rules, argument: Mapping[str, Any]) -> Reply:
    return complete() if document.results is not None else nothing()


def _shapes(document: Document, rules: Rules, argument: Mapping[str, Any]) -> Reply:
    return Reply(200, {"SECT_SHAPE": list(FORMS)})


def _section_names(document: Document, rules: Rules, argument: Mapping[str, Any]) -> Reply:
    known = names().get(str(argument["DB_NAME"]).upper(), {})
    return _listed("SECT_NAME", known.get(str(argument["SHAPE_NAME"]).upper(), []))


def _databases(shape: str) -> Reply:
    return _listed("SECT_DBNAME", [name for name, shapes in names().items() if shape.upper() in shapes])


def _listed(name: str, values: list[str]) -> Reply:
    return Reply(200, {name: values}) if values else nothing()


HANDLERS: dict[str, Callable[[Document, Rules, Mapping[str, Any]], Reply]] = {
    "PROJECTSTATUS": lambda document, rules, argument: project_status(document),
    "DIVIDEELEM": dividing.divide,
    "AUTOMESH": dividing.automesh,
    "SSPS": springs.convert,
    "STOR": stories.calculate,
    "STORYPROP": lambda document, rules, argument: stories.report(document, argument),
    "MEMB": members.assign,
    "USLC": members.cases_from_combinations,
    "EDMP": _change_property,
    "ANALSTATUS": _analysis_status,
    "SECT_SHAPE": _shapes,
    "SECT_NAME": _section_names,
    "POSP": lambda document, rules, argument: complete(),
}
BY_PATH: dict[str, Callable[[str], Reply]] = {
    "MATL_DB": lambda name: _listed("MATL_DB", grades(name) or standards(name)),
    "MATL_STANDARD": lambda name: _listed("MATL_STANDARD", standards(name)),
    "SECT_DBNAME": _databases,
    "SECT_SHAPE": lambda name: _listed("SECT_SHAPE", list(FORMS)),
}
