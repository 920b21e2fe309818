"""Names as engineers give them: load cases, groups, stories, materials, files. Pools come from `facts/names.json`, variety from suffixes."""

from __future__ import annotations

import json
import random
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

FACTS = Path(__file__).resolve().parent / "facts"


@lru_cache(maxsize=16)
def facts(name: str) -> dict[str, Any]:
    """A data file of facts, without its source note."""
    data: dict[str, Any] = json.loads((FACTS / f"{name}.json").read_text("utf-8"))["data"]
    return data


def _pool(table: str, lang: str) -> list[list[str]]:
    names = facts("names")
    entry = names.get(table) or names["own"]
    pools: list[list[str]] = entry.get("any") or entry[lang]
    return pools


# fmt: off
_MARKS = (
    "1", "2", "3", "4", "5", "7", "12", "A", "B", "C", "_1", "_2", "-1", "-2", "-A", "-B", "_NEW", "_R1", "01", "02", "03", "(1)", "(2)", "_X", "_Y",
)
# fmt: on
_CASES = (
    "LC{}",
    "LC{}",
    "LC-{}",
    "CASE{}",
    "Case {}",
    "P{}",
    "C{}",
    "LCASE_{}",
    "케이스{}",
    "검토{}",
    "F{}",
    "L{:02d}",
)
INVENTED = 0.3
"""Share of names that are made up."""
LONG = 14
GROUPS = frozenset({"db/GRUP", "db/LDGR"})
KEPT = 0.35
"""Share of names that stay an author's, with another mark at the end: what he named (a gap link, a vehicle of a code) stays to be seen."""
# fmt: off
_PLACES = (
    "동관", "서관", "남측", "북측", "별관", "본동", "교육동", "체육관", "연구동", "로비", "램프", "지하", "코어", "옥상", "필로티", "연결통로",
    "정문", "기계실", "전기실", "수조", "물탱크", "주차", "캐노피", "1공구", "2공구", "증축부", "기존동", "창고동", "배면", "전면", "외곽", "중정",
)
_PARTS = ("보", "기둥", "벽", "슬래브", "기초", "지점", "구간", "부재", "가새", "트러스", "검토", "안", "라인", "존", "열", "파트")
_NEUTRAL = ("구간", "검토", "안", "라인", "존", "열", "파트", "구역", "타입", "세트")
# fmt: on
_MATERIAL = re.compile(r"SHN|SRT|SMA|SM|SS|SN|SD|HSB|S(?=\d)|C(?=\d)|GR|A(?=\d)")
"""How names of grades begin."""
_SIDES = frozenset({"_X", "_Y"})
_LOADS = {
    "seismic": r"E|RX|RY|RS|지진", "wind": r"W|풍", "snow": r"S$|SN|설|적설", "temperature": r"T|온도", "live": r"L|RL|ROOF|활|적재|지붕|Crane",
    "dead": r"D|SW|SDL|자중|고정|마감|Self|Finish",
}  # fmt: skip


def load_kind(name: str) -> str:
    """What a load case's name tells of it: seismic, wind, snow, temperature, live, dead, or nothing."""
    return next((kind for kind, begin in _LOADS.items() if re.match(begin, name)), "")


@lru_cache(maxsize=512)
def _like_pool(table: str, lang: str, hangul: bool | None, kind: str) -> tuple[str, ...]:
    """Names of a table in Korean or Latin letters, of load cases those of a kind; all of them where there is none such."""
    every = [n for names in _pool(table, lang) for n in names]
    fitting = [n for n in every if hangul is None or hangul == any("가" <= c <= "힣" for c in n)]
    of_kind = [n for n in fitting if load_kind(n) == kind] if kind else fitting
    return tuple(of_kind or fitting or every)


def _invented(hangul: bool, rng: random.Random, table: str) -> str:
    """A name that no list holds, so that names are copied from the request and not guessed: KR-07, G23A, 별관보 2. Groups alone are called after members."""
    if hangul:
        parts = _PARTS if table in GROUPS else _NEUTRAL
        return f"{rng.choice(_PLACES)}{rng.choice(('', '', '_', ' '))}{rng.choice(parts)}{rng.choice(('', '', '1', '2', '_A', '-3', '01'))}"
    letters = rng.choice("BCDFGKMPRSTW") + (rng.choice("ABCDEGKLNPRSTW") if rng.random() < 0.6 else "")
    number = rng.choice(
        (str(rng.randint(1, 9)), f"{rng.randint(1, 40):02d}", str(rng.randint(10, 99)), str(rng.randint(101, 830)))
    )
    return f"{letters}{rng.choice(('', '', '', '-', '_'))}{number}{rng.choice(('', '', '', '', 'A', 'B', 'a', '_R'))}"


def _marked(name: str, rng: random.Random) -> str:
    """A name with another mark at its end: GAP1 -> GAP4, KL-510 -> KL-510_A."""
    number = re.search(r"(?<=[^\d.,-])\d{1,2}$", name)
    if number and rng.random() < 0.7:
        return f"{name[: number.start()]}{rng.randint(1, 99):0{len(number[0])}d}"
    marks = [m for m in _MARKS if not (m[0].isdigit() and name[-1].isdigit())]
    return name + rng.choice(marks)


def fresh(table: str, lang: str, rng: random.Random, like: str = "") -> str:
    """A name for a record of that table (`db/STLD`); `like` is a name whose looks are kept: Korean or not, and what load it tells of."""
    hangul = any("가" <= c <= "힣" for c in like)
    kind = load_kind(like) if table == "db/STLD" else ""
    if table == "db/STLD" and like and not kind:  # the author's name told nothing of the load: nor does ours
        return rng.choice(_CASES).format(rng.randint(1, 12))
    if like and len(like) < LONG and rng.random() < KEPT:
        return _marked(like, rng)
    if table == "db/MATL" and (made_of := _MATERIAL.match(like)):  # a steel stays a steel
        alike = [n for n in _like_pool(table, lang, False, "") if (m := _MATERIAL.match(n)) and m[0] == made_of[0]]
        return rng.choice(alike) if alike and rng.random() < 0.6 else _marked(like, rng)
    pool = _like_pool(table, "ko" if hangul else lang, hangul if like else None, kind)
    name = rng.choice(pool)
    if kind and rng.random() < INVENTED / 2:  # what load it is stays to be seen
        return f"{name}_{rng.choice('ABCDEFGHKLMNPRST')}{rng.choice(('', rng.randint(1, 40)))}"
    if not kind and rng.random() < INVENTED:
        return _invented(hangul or (not like and lang == "ko" and rng.random() < 0.4), rng, table)
    if rng.random() < 0.4 and len(name) < 12:
        mark = rng.choice(_MARKS)
        if table != "db/STLD" or mark not in _SIDES or load_kind(name) in ("seismic", "wind"):
            name += mark
    elif rng.random() < 0.12:
        name = f"{rng.choice(('T', 'N', 'S', 'A', 'B', 'PH', 'Z', 'K'))}{rng.randint(1, 99)}-{name}"
    return name


def several(table: str, lang: str, rng: random.Random, count: int, like: str = "") -> list[str]:
    """Different names that belong together where the pool has such a set."""
    pool = rng.choice(_pool(table, lang))
    out = list(dict.fromkeys(rng.sample(pool, min(count, len(pool)))))
    while len(out) < count:
        name = fresh(table, lang, rng, like)
        if name not in out:
            out.append(name)
    return out


@lru_cache(maxsize=2)
def _families() -> dict[str, list[tuple[str, str, list[str]]]]:
    """Grade or section name -> the lists it stands in: (type or shape, standard or database, members)."""
    out: dict[str, list[tuple[str, str, list[str]]]] = {}
    for table in ("materials", "sections"):
        for kind, standards in facts(table).items():
            for standard, members in standards.items():
                for member in members:
                    out.setdefault(member, []).append((kind, standard, members))
    return out


def another(name: str, context: str, rng: random.Random) -> str:
    """Another grade or section of the same standard; `context` is text that tells the standard where several have the name."""
    families = _families().get(name, [])
    named = [f for f in families if f'"{f[1]}"' in context] or families
    return rng.choice(named[0][2]) if named else name


def path(extension: str, rng: random.Random) -> str:
    """A file path as it stands on an engineer's disk."""
    pools = facts("names")["path"]
    return f"{rng.choice(pools['folders'])}{rng.choice(pools['files'])}.{extension}"
