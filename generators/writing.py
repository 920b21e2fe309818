"""Run a generation and write its folder: parts an endpoint each, then the split files, manifest, coverage page and dataset card.

Parts lie in `OUT.partial/`, so that a run that was interrupted goes on where it stopped; the folder appears under its name only when it is whole.
"""

from __future__ import annotations

import gc
import hashlib
import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from gennx.generators.lexicon import folder_of
from gennx.generators.making import Made, kind_weights, make_endpoint, workshop
from gennx.generators.settings import Settings
from gennx.generators.tokens import encoding

SPLITS = ("train", "eval", "test", "test_phrasing", "test_endpoints")
MANIFEST = "manifest.json"
Progress = Callable[[int, int, int], None]
Rewrite = Callable[[list[tuple[str, dict[str, Any]]]], dict[str, Any]]
"""A step over the finished (split, dialogue) pairs, in place; what it returns stands in the manifest."""


class OutputProblem(Exception):
    """A folder that cannot be written or must not be; the message says how to mend it."""


@dataclass
class Written:
    """A finished run."""

    folder: Path
    manifest: dict[str, Any]


def make_parts(settings: Settings, uris: list[str], workers: int, parts: Path) -> Iterator[int]:
    """Write the parts of all endpoints; how many dialogues each has, as they are finished. Parallel over endpoints with more than one worker."""
    if workers <= 1:
        prepare(settings)
        for uri in uris:
            yield _make_part(settings, uri, parts)
        return
    # small frames, many processes: threads of their own only get in each other's way
    for library in ("OPENBLAS", "OMP", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    prepare(settings)  # before the processes part, so that they share it where they are forked
    with ProcessPoolExecutor(workers, initializer=prepare, initargs=(settings,)) as pool:
        waiting: set[Future[int]] = set()
        rest = iter(reversed(uris))  # operations and results, which take longest, come last in the catalogue
        try:
            for uri in rest:
                waiting.add(pool.submit(_make_part, settings, uri, parts))
                if len(waiting) >= workers * 3:
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in done:
                        yield future.result()
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def prepare(settings: Settings) -> None:
    """Load what every endpoint needs, and tell the garbage collector that it stays."""
    workshop(settings)
    kind_weights(settings)
    encoding()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


# ---------------------------------------------------------------- parts


def check_output(out: Path, overwrite: bool) -> None:
    """Refuse a folder that holds something else. Raises OutputProblem."""
    if out.exists() and not out.is_dir():
        raise OutputProblem(f"--out {out}: is a file; name a folder")
    if out.is_dir() and any(out.iterdir()) and not overwrite:
        raise OutputProblem(f"--out {out}: holds data already; name another folder or pass --overwrite")


def _open_parts(out: Path, settings: Settings) -> Path:
    parts = out.with_name(out.name + ".partial")
    stamp = parts / "settings.txt"
    try:
        if parts.exists() and (not stamp.exists() or stamp.read_text("utf-8") != settings.fingerprint()):
            shutil.rmtree(parts)
        parts.mkdir(parents=True, exist_ok=True)
        stamp.write_text(settings.fingerprint(), "utf-8")
    except OSError as error:
        raise OutputProblem(f"--out {out}: cannot write there ({error.strerror})") from None
    return parts


def _part_path(parts: Path, uri: str) -> Path:
    return parts / (folder_of(uri).replace("/", "-") + ".part")


def _make_part(settings: Settings, uri: str, parts: Path) -> int:
    made = make_endpoint(settings, uri)
    _save_part(parts, made)
    return len(made.rows)


def _save_part(parts: Path, made: Made) -> None:
    body = b"".join(orjson.dumps([split, row]) + b"\n" for split, row in made.rows)
    head = orjson.dumps(
        {
            "uri": made.uri,
            "dropped": made.dropped,
            "missing": made.missing,
            "rows": len(made.rows),
            "sha256": hashlib.sha256(body).hexdigest(),
        }
    )
    path = _part_path(parts, made.uri)
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(head + b"\n" + body)
    os.replace(temporary, path)


def _load_part(path: Path) -> Made | None:
    """A part, or None where it is missing or damaged."""
    try:
        head_text, _, body = path.read_bytes().partition(b"\n")
        head = orjson.loads(head_text)
    except (OSError, orjson.JSONDecodeError):
        return None
    if hashlib.sha256(body).hexdigest() != head["sha256"]:
        return None
    rows = [orjson.loads(line) for line in body.splitlines()]
    return Made(head["uri"], [(s, r) for s, r in rows], Counter(head["dropped"]), head["missing"])


# ---------------------------------------------------------------- the run


def run(
    settings: Settings,
    uris: list[str],
    out: Path,
    workers: int,
    overwrite: bool,
    progress: Progress,
    rewrite: Rewrite | None = None,
) -> Written:
    """Make and write a data set. Raises OutputProblem; an interrupted run keeps its parts."""
    check_output(out, overwrite)
    parts = _open_parts(out, settings)
    started = time.perf_counter()
    open_ = [u for u in uris if _load_part(_part_path(parts, u)) is None]
    rows = 0
    progress(len(uris) - len(open_), len(uris), rows)
    try:
        for finished, count in enumerate(make_parts(settings, open_, workers, parts), 1):
            rows += count
            progress(len(uris) - len(open_) + finished, len(uris), rows)
        written = _assemble(settings, uris, out, parts, time.perf_counter() - started, rewrite)
    except OSError as error:
        raise OutputProblem(
            f"--out {out}: cannot write ({error.strerror}); the finished parts are kept in {parts}"
        ) from None
    shutil.rmtree(parts)
    return written


def _assemble(
    settings: Settings, uris: list[str], out: Path, parts: Path, seconds: float, rewrite: Rewrite | None
) -> Written:
    """Put the parts together in an order that depends on the seed alone."""
    from gennx.generators.manifest import manifest_of

    rows: list[tuple[str, dict[str, Any]]] = []
    dropped: Counter[str] = Counter()
    missing: dict[str, int] = {}
    for uri in uris:
        made = _load_part(_part_path(parts, uri))
        if made is None:
            raise OutputProblem(f"{_part_path(parts, uri)}: part is damaged; run the same command again")
        rows += made.rows
        dropped.update(made.dropped)
        if made.missing:
            missing[uri] = made.missing
    rows = _one_split_a_call(_distinct(rows, dropped, missing))
    random.Random(f"order/{settings.seed}").shuffle(rows)
    rewritten = {"paraphrase": rewrite(rows)} if rewrite else {}
    stage = parts / "whole"
    if stage.exists():
        shutil.rmtree(stage)
    stage.mkdir()
    files: dict[str, dict[str, Any]] = {}
    by_file: dict[str, list[dict[str, Any]]] = {}
    for split in SPLITS:
        own = [row for s, row in rows if s == split]
        if not own and split in ("test_phrasing", "test_endpoints"):
            continue
        data = b"".join(orjson.dumps(row) + b"\n" for row in own)
        (stage / f"{split}.jsonl").write_bytes(data)
        by_file[f"{split}.jsonl"] = own
        files[f"{split}.jsonl"] = {"rows": len(own), "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    manifest = {**manifest_of(settings, rows, files, dropped, missing), **rewritten}
    (stage / MANIFEST).write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2) + b"\n")
    from gennx.generators.card import dataset_card
    from gennx.reports.coverage import coverage_page

    (stage / "README.md").write_text(dataset_card(manifest), "utf-8", newline="\n")
    (stage / "coverage.html").write_text(coverage_page(stage, by_file=by_file), "utf-8", newline="\n")
    if out.exists():
        shutil.rmtree(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    os.replace(stage, out)
    del seconds  # the time is printed, never written: same settings, same bytes
    return Written(out, manifest)


def _one_split_a_call(rows: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
    """Dialogues of several endpoints with the same calls go to the split of the first."""
    first: dict[str, str] = {}
    out = []
    for split, row in rows:
        functions = [c["function"] for m in row["messages"] for c in m.get("tool_calls", ())]
        if functions and row["meta"]["kind"] not in ("single", "no_tool", "guard"):
            split = first.setdefault("\n".join(sorted(f["name"] + f["arguments"] for f in functions)), split)
        out.append((split, row))
    return out


def _distinct(
    rows: list[tuple[str, dict[str, Any]]], dropped: Counter[str], missing: dict[str, int]
) -> list[tuple[str, dict[str, Any]]]:
    """Without dialogues whose words another endpoint's dialogue has too; their endpoints miss one."""
    seen: set[str] = set()
    kept = []
    for split, row in rows:
        text = "\n".join(m["content"] for m in row["messages"] if m["role"] == "user")
        if text in seen:
            dropped["same words as another endpoint"] += 1
            uri = row["meta"]["endpoint"]
            missing[uri] = missing.get(uri, 0) + 1
            continue
        seen.add(text)
        kept.append((split, row))
    return kept
