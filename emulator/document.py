"""The state of one running program: the open document, its tables, the analysis of its present state, and files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gennx.emulator.files import Files, MemoryFiles
from gennx.emulator.store import Record, Snapshot, Store
from gennx.emulator.units import BLANK_UNIT

# Writes to these leave analysis results alone: names, colours, units and views.
PASSIVE = frozenset(
    {"db/UNIT", "db/PJCF", "db/CO_M", "db/CO_S", "db/CO_T", "db/CO_F", "db/CLDR", "db/NPLN", "db/CUTL", "db/CLWP"}
)
BLANK: Mapping[str, dict[str, Record]] = {
    "db/PJCF": {"1": {}},
    "db/STYP": {
        "1": {
            "STYP": 0,
            "MASS": 1,
            "GRAV": 9.806,
            "TEMP": 0,
            "bALIGNBEAM": False,
            "bALIGNSLAB": False,
            "bMASSOFFSET": False,
            "bROTRIGID": False,
            "bSELFWEIGHT": False,
            "SMASS": 1,
        }
    },
    "db/UNIT": {"1": dict(BLANK_UNIT)},
}


@dataclass
class Document:
    """`results` is the analysis of the tables as they stand, None when there is none or a write made it stale."""

    store: Store = field(default_factory=lambda: Store(BLANK))
    files: Files = field(default_factory=MemoryFiles)
    opened: bool = True
    running: bool = True
    path: str = ""
    results: Any = None
    faithful: bool = False
    selection: dict[str, list[int]] = field(default_factory=lambda: {"NODE_LIST": [], "ELEM_LIST": []})
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    transaction: dict[str, dict[str, Record]] | None = None

    @property
    def unit(self) -> Record:
        """The current unit row."""
        return self.store.rows("db/UNIT").get("1", BLANK_UNIT)

    def touched(self, uri: str) -> None:
        """A table was written: results of the former state are void."""
        if uri not in PASSIVE:
            self.results = None

    def blank(self) -> None:
        """A new, untitled document with the three rows that a blank one has."""
        self.replace(Store(BLANK), "")

    def replace(self, store: Store, path: str) -> None:
        """Another document takes the place of the open one."""
        self.store, self.path, self.opened, self.running, self.results = store, path, True, True, None
        self.selection = {"NODE_LIST": [], "ELEM_LIST": []}
        self.settings, self.transaction = {}, None

    def snapshot(self) -> Snapshot:
        """The tables now; later writes do not show in it."""
        return Snapshot(self.store.freeze(), self.opened, self.path)

    def next_key(self, uri: str) -> int:
        """One more than the largest record number of a table, 1 for an empty one."""
        return max((int(k) for k in self.store.rows(uri) if k.isdigit()), default=0) + 1
