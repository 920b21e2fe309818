"""`ope/STOR` and `ope/STORYPROP`: storeys from the levels of the nodes, and what is known of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gennx.emulator.document import Document
from gennx.emulator.meshes import point
from gennx.emulator.records import prepared
from gennx.emulator.replies import Reply, failure, nothing
from gennx.emulator.rules import Rules
from gennx.emulator.store import Record
from gennx.emulator.units import Change

NO_STORY = "There is no valid story information."
SAME_LEVEL = 1e-4
MOST_STORIES = 500


def calculate(document: Document, rules: Rules, argument: Mapping[str, Any]) -> Reply:
    """Write `db/STOR`: the storeys that are there with new widths and eccentricities, or one a node level."""
    points = [point(r) for r in document.store.rows("db/NODE").values()]
    points = [p for p in points if all(math.isfinite(c) for c in p)]
    rows = document.store.rows("db/STOR")
    named = [(str(r.get("STORY_NAME")), float(r.get("STORY_LEVEL", 0))) for r in rows.values()]
    named = sorted(named or _levels([p[2] for p in points]), key=lambda pair: -pair[1])
    if not points or not named or len(named) > MOST_STORIES:
        return nothing()
    own = rules.at("db/STOR")
    made: dict[str, Record] = {}
    for index, (name, level) in enumerate(named, 1):
        row = _row(name, level, points, argument, ground=index == len(named))
        made[str(index)] = prepared(own, str(index), row) if own is not None else row
    table = document.store.writable("db/STOR")
    table.clear()
    table.update(made)
    document.touched("db/STOR")
    return Reply(200, {"STOR": {k: dict(r) for k, r in made.items()}})


def _levels(heights: list[float]) -> list[tuple[str, float]]:
    """Named levels, the lowest 1F and the highest Roof."""
    levels: list[float] = []
    for z in sorted(heights):
        if not levels or z - levels[-1] > SAME_LEVEL:
            levels.append(z)
    if len(levels) < 2:
        return []
    return [(f"{n}F" if n < len(levels) else "Roof", z) for n, z in enumerate(levels, 1)]


def _row(
    name: str, level: float, points: list[tuple[float, float, float]], argument: Mapping[str, Any], ground: bool
) -> Record:
    here = [p for p in points if abs(p[2] - level) <= SAME_LEVEL] or points
    low = [min(p[i] for p in here) for i in (0, 1)]
    high = [max(p[i] for p in here) for i in (0, 1)]
    width = [round(h - x, 9) for x, h in zip(low, high, strict=True)]
    row: Record = {"STORY_NAME": name, "STORY_LEVEL": level, "bFLOOR_DIAPHRAGM": not ground}
    seismic, wind = argument["SEIS_ECC"], argument["WIND_ECC"]
    accidental = float(seismic["SEIS_ECC_VALUE"]) / 100 if seismic["INC_SEIS_ECC"] else 0.0
    gust = float(wind["WIND_ECC_VALUE"]) / 100 if wind["INC_WIND_ECC"] else 0.0
    for i, axis in enumerate("XY"):
        across = width[1 - i]  # load along X acts on the width along Y
        row[f"WIND_FLOOR_WIDTH_{axis}"] = width[i]
        row[f"WIND_CENTER_{axis}"] = round((low[i] + high[i]) / 2, 9)
        row[f"WIND_ECCENT_{axis}"] = round(gust * across, 9)
        row[f"SEIS_ACC_ECCENT_{axis}"] = round(accidental * across, 9)
        row[f"SEIS_INHERENT_ECCENT_{axis}"] = 0
        row[f"SEIS_TORSIONAL_AMP_FACTOR_{axis}"] = 1
    return row


def report(document: Document, argument: Mapping[str, Any]) -> Reply:
    """Elevation, loaded height and loaded widths of each storey, from the top. Weights are left blank: they come from
    masses that are not computed here."""
    rows = sorted(document.store.rows("db/STOR").values(), key=lambda r: -float(r.get("STORY_LEVEL", 0)))
    if not rows:
        return failure(NO_STORY)
    unit = dict(document.unit)
    for name, key in (("FORCE_UNIT", "FORCE"), ("LENGTH_UNIT", "DIST")):
        if argument.get(name):
            unit[key] = str(argument[name]).upper()
    scale = Change(document.unit, unit).length
    place = argument.get("PLACE", 4)
    place = place if isinstance(place, int) and 0 <= place <= 15 else 4
    form = f".{place}e" if str(argument.get("FORMAT")).upper() == "SCIENTIFIC" else f".{place}f"
    levels = [float(r.get("STORY_LEVEL", 0)) for r in rows]
    data = []
    for i, row in enumerate(rows):
        above = (levels[i - 1] - levels[i]) / 2 if i else 0.0
        below = (levels[i] - levels[i + 1]) / 2 if i + 1 < len(levels) else 0.0
        widths = [float(row.get(f"WIND_FLOOR_WIDTH_{a}", 0)) for a in "XY"]
        cells = [format(v * scale, form) for v in (levels[i], above + below, *widths)]
        names = ("ELEV", "LOADED_H", "LOADED_BX", "LOADED_BY")
        data.append({"STORY": str(row.get("STORY_NAME")), "WEIGHT": "", **dict(zip(names, cells, strict=True))})
    head = ["Story", "Weight", "Elev.", "LoadedH", "LoadedBx", "LoadedBy"]
    return Reply(200, {"STORYPROP": {"FORCE": unit["FORCE"], "LENGTH": unit["DIST"], "HEAD": head, "DATA": data}})
