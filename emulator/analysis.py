"""`doc/ANAL`: may the model be analysed, and with what result.

A model of line elements is solved (frames.py); anything else is taken as analysed without numbers, so that its result
tables answer with their head alone.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gennx.emulator.document import Document
from gennx.emulator.frames import Solution, Unstable, solve
from gennx.emulator.loads import Unsupported
from gennx.emulator.replies import PRODUCT, Reply, complete, failure
from gennx.emulator.store import Store

NO_LOAD = "[Error] Load information has not been entered for Analysis."
NO_SUPPORT = "[Error] Boundary condition has not been entered for Analysis."
BAD_TYPE = "The 'TYPE' is invalid."
FAILED = f"{PRODUCT} Analysis failed."
LOADS = (
    *("BODF", "CNLD", "BMLD", "SDSP", "NBOF", "PRES", "PNLA", "FBLA", "FMLD", "EPST", "EPSE", "ETMP", "GTMP", "BTMP"),
    *("STMP", "NTMP", "PRST", "PTNS", "TDPL", "EXLD", "EFCT", "SPLC", "THIS", "THGA", "THNL", "THSL", "MVLD", "SMLC"),
    *("STAG", "SEIS", "WIND", "HSTG"),
)
SUPPORTS = ("CONS", "NSPR", "GSPR", "SSPS", "ELNK")


@dataclass(frozen=True)
class Results:
    """An analysis that ran, in the unit system of its moment; no `solution` where the model cannot be solved here."""

    unit: Mapping[str, Any]
    solution: Solution | None
    reason: str = ""


SMALL, KEPT = 60, 32
_solutions: OrderedDict[str, Solution] = OrderedDict()


def _solved(store: Store, unit: Mapping[str, Any]) -> Solution:
    """The solution of a model; small ones recur, and the last few are kept by all that their tables hold."""
    if len(store.rows("db/ELEM")) > SMALL:
        return solve(store, unit)
    key = repr((unit, [(uri, store.rows(uri)) for uri in store.uris()]))
    if key not in _solutions:
        _solutions[key] = solve(store, unit)
        if len(_solutions) > KEPT:
            _solutions.popitem(last=False)
    return _solutions[key]


def analyse(document: Document, argument: Any) -> Reply:
    """Check the preconditions and solve. A failed analysis is a plain message, as on live servers. Raises RuntimeError
    without PyNite."""
    kind = argument.get("TYPE") if isinstance(argument, dict) else None
    if kind not in (None, "", "Pushover"):
        return failure(BAD_TYPE)
    document.results = None
    if not any(document.store.rows(f"db/{t}") for t in LOADS):
        return failure(NO_LOAD)
    if not any(document.store.rows(f"db/{t}") for t in SUPPORTS):
        return failure(NO_SUPPORT)
    unit = dict(document.unit)
    try:
        document.results = Results(unit, _solved(document.store, unit))
    except Unstable:
        return Reply(200, {"message": FAILED})
    except ImportError:
        raise RuntimeError("analysis needs PyNiteFEA: pip install PyNiteFEA") from None
    except (Unsupported, ArithmeticError, LookupError, TypeError, ValueError) as reason:
        document.results = Results(unit, None, f"{type(reason).__name__}: {reason}")
    return complete()
