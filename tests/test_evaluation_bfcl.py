"""Our exact-call verdict beside that of BFCL's AST matcher: they agree, or part for a reason that has a name."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("bfcl_eval", reason="pip install --no-deps bfcl-eval")

from gennx.trainer.evaluation.bfcl import REASONS, load_matcher, reason
from gennx.trainer.evaluation.comparing import all_exact


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "arguments": arguments}


def load(**more: Any) -> dict[str, Any]:
    return call("POST /db/cnld", Assign={"3": {"ITEMS": [{"ID": 1, "LCNAME": "DL", "FZ": -10, **more}]}})


NODES = call("GET /db/node", ids=[1, 2])
FILE = call("POST /doc/open", Argument="D:/a-1.mgb")
TABLE = call("POST /post/table", Argument={"TABLE_TYPE": "REACTIONG", "UNIT": {"FORCE": "kN", "DIST": "m"}})
GROUP = call("POST /db/grup", Assign={"1": {"NAME": "A", "N_LIST": [1, 2]}})


@pytest.mark.parametrize(
    "gold, found, ours, theirs, why",
    [
        ([load()], [load()], True, True, ""),
        ([load()], [load(FZ=-11)], False, False, ""),
        ([load()], [call("POST /db/cons", Assign={})], False, False, ""),
        ([load()], [], False, False, ""),
        ([load(), NODES], [NODES, load()], True, True, ""),
        ([load(), NODES], [NODES, NODES], False, False, ""),
        ([TABLE], [TABLE], True, True, ""),
        ([load()], [load(FX=0)], True, False, "default"),
        ([GROUP], [call("POST /db/grup", Assign={"1": {"NAME": "A", "N_LIST": [2, 1]}})], True, False, "order"),
        ([NODES], [call("GET /db/node", ids=[2, 1])], True, False, "order"),
        ([load()], [load(FZ=-10.0000000001)], True, False, "tolerance"),
        ([FILE], [call("POST /doc/open", Argument="d:/A1.mgb")], False, True, "spelling"),
    ],
)
def test_verdicts_agree_or_part_for_a_known_reason(
    gold: list[Any], found: list[Any], ours: bool, theirs: bool, why: str
) -> None:
    assert all_exact(gold, found) is ours
    assert load_matcher()(gold, found) is theirs
    assert reason(gold, found) == why if ours != theirs else why == ""
    assert why in ("", *REASONS)
