"""What is done with a call that the model wrote: shown, validated, and run only on request.

Validation uses the tool's own parameter schema. Running goes to the emulator or, with a MAPI key and `--live`, to a
real GEN NX; whatever deletes asks first.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from gennx.trainer.errors import TrainerError

Runner = Callable[[dict[str, Any]], Any]


def problems_of(call: dict[str, Any], tools: list[dict[str, Any]]) -> list[str]:
    """What is wrong with a call, each in one line; empty if it is valid."""
    import jsonschema

    schemas = {tool["function"]["name"]: tool["function"].get("parameters") or {} for tool in tools}
    if call["name"] not in schemas:
        return [f"{call['name']} is not among the tools offered"]
    validator = jsonschema.Draft202012Validator(schemas[call["name"]])
    errors = sorted(validator.iter_errors(call["arguments"]), key=lambda error: list(map(str, error.absolute_path)))
    return [f"/{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in errors]


def show_call(call: dict[str, Any]) -> str:
    """A call for a person: name, and arguments indented."""
    return f"{call['name']}\n{json.dumps(call['arguments'], ensure_ascii=False, indent=2)}"


def deletes(call: dict[str, Any]) -> bool:
    """Whether a call removes something: a DELETE, or a project that is replaced or closed."""
    name = call["name"].replace("_", " ", 1).replace("_", "/").upper()
    method, _, path = name.partition(" ")
    return method == "DELETE" or path.strip("/") in ("DOC/NEW", "DOC/OPEN", "DOC/CLOSE", "DOC/EXIT")


def catalogue_tool(name: str) -> Any:
    """The catalogue's entry for a tool name in either style. Raises TrainerError for an unknown one."""
    from gennx.schemas.catalogue import load_catalogue

    catalogue = load_catalogue()
    tool = catalogue.named(name)
    if tool is None:
        raise TrainerError(f"{name!r} is no tool of GEN NX", "names are like 'POST /db/node' or post_db_node")
    return tool


def emulator_runner() -> Runner:
    """Runs calls on an emulated GEN NX that starts with an empty project."""
    from gennx.emulator import Model

    model = Model()

    def run(call: dict[str, Any]) -> Any:
        return model.call(catalogue_tool(call["name"]), call["arguments"]).body

    return run


def live_runner(key: str, url: str | None = None) -> Runner:
    """Runs calls on a real GEN NX through `midas-nx`. Raises TrainerError if the package is not installed."""
    try:
        from midas_nx.client import MidasClient  # type: ignore[import-not-found, unused-ignore]
    except ModuleNotFoundError:
        raise TrainerError("midas-nx is not installed", "pip install midas-nx, or leave out --live") from None
    client = MidasClient(mapi_key=key, base_url=url)

    def run(call: dict[str, Any]) -> Any:
        tool, arguments = catalogue_tool(call["name"]), dict(call["arguments"])
        ids = arguments.pop("ids", []) if tool.method in ("GET", "DELETE") else []
        return client.request(tool.method, tool.url(ids), arguments or None)

    return run


def run_call(call: dict[str, Any], tools: list[dict[str, Any]], runner: Runner, agree: Callable[[str], bool]) -> Any:
    """Run a valid call; `agree` is asked before anything is deleted. Returns the answer, or why it was not run."""
    if wrong := problems_of(call, tools):
        return {"error": {"message": f"not run: {wrong[0]}"}}
    if deletes(call) and not agree(f"{call['name']} deletes. Run it?"):
        return {"error": {"message": "not run: refused by the user"}}
    return runner(call)
