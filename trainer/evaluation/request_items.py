"""Requests written by people, with the calls they want, as items: a system prompt, tools, and answers on the way.

A line is `{"id", "lang", "kind", "user", "gold": [{"tool", "arguments"}], "system"?}`. A chain is asked step by step,
each step after the emulator's answer to the true call before it; anything else is one turn.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from gennx.emulator import Model
from gennx.emulator.minimal import minimal_record
from gennx.trainer.errors import TrainerError
from gennx.trainer.evaluation.items import ABSTAIN, CALL, Call, Item
from gennx.trainer.evaluation.offering import Offer, find_tool, reoffer
from gennx.trainer.evaluation.replay import refused

USUAL_OFFER = Offer("mixed", 4, beside=True)


def is_requests(path: Path) -> bool:
    """Whether a file holds requests rather than dialogues or prepared items."""
    try:
        with path.open(encoding="utf-8") as lines:
            first = json.loads(next((line for line in lines if line.strip()), "null"))
    except (OSError, ValueError):
        return False
    return isinstance(first, dict) and "user" in first and "gold" in first


def read_requests(path: Path, offer: Offer = USUAL_OFFER, seed: int = 0) -> list[Item]:
    """Items of a file of requests, with tools offered. Raises TrainerError with file and line."""
    items: list[Item] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            row = json.loads(line)
            items += _items(row, where, seed)
        except json.JSONDecodeError as error:
            raise TrainerError(f"{where}: not valid JSON ({error.msg})", "mend the line") from None
        except (KeyError, TypeError) as error:
            shape = 'a line has "id", "lang", "kind", "user" and "gold"'
            raise TrainerError(f"{where}: no request ({error})", shape) from None
    return reoffer(items, USUAL_OFFER if offer.how == "given" else offer, seed)


def _system(row: dict[str, Any], seed: int) -> str:
    from gennx.generators.dialogues import system_prompt

    return str(row.get("system") or system_prompt(row["lang"], "kN, m", random.Random(f"{seed}/{row['id']}/system")))


def _setup(gold: list[Call]) -> dict[str, dict[str, Any]]:
    """Small records under the numbers that calls change, read or remove and none of them creates before."""
    out: dict[str, dict[str, Any]] = {}
    made: set[tuple[str, str]] = set()
    for call in gold:
        tool = find_tool(call["name"])
        uri, arguments = tool.endpoint.uri, call["arguments"]
        if not tool.endpoint.is_table or tool.endpoint.single:
            continue
        keys = [str(key) for key in arguments.get("Assign", arguments.get("ids", ()))]
        if tool.method != "POST":
            absent = [key for key in keys if (uri, key) not in made]
            out.setdefault(uri, {}).update({key: minimal_record(tool.endpoint.schema) for key in absent})
        made |= {(uri, key) for key in keys}
    return {uri: records for uri, records in out.items() if records}


def _items(row: dict[str, Any], where: str, seed: int) -> list[Item]:
    ident, kind = str(row["id"]), str(row["kind"])
    gold: list[Call] = [{"name": g["tool"], "arguments": g["arguments"]} for g in row["gold"]]
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": _system(row, seed)},
        {"role": "user", "content": str(row["user"])},
    ]
    meta: dict[str, Any] = {"id": ident, "kind": kind, "language": row["lang"]}
    if gold:
        tool = find_tool(gold[0]["name"])
        meta |= {"endpoint": tool.endpoint.uri, "method": tool.method, "tier": tool.endpoint.tier}
        if setup := _setup(gold):
            meta["setup"] = setup
    if kind != "chain" or len(gold) < 2:
        return [Item(ident, 2, messages, [], gold, CALL if gold else ABSTAIN, last=True, meta=meta)]
    items, model = [], Model()
    for uri, records in meta.get("setup", {}).items():
        model.put_records(uri, records)
    for call in gold:
        items.append(Item(ident, len(messages), list(messages), [], [call], CALL, last=call is gold[-1], meta=meta))
        tool = find_tool(call["name"])
        model.ensure(tool, call["arguments"])
        body = model.call(tool, call["arguments"], strict=True).body
        if refused(body):
            raise TrainerError(f"{where}: the emulator refuses {call['name']}: {body}", "mend the request's calls")
        messages.append({"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": call}]})
        answer = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        messages.append({"role": "tool", "name": call["name"], "content": answer})
    return items
