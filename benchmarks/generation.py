"""Speed and memory of `gennx-gen` with two workers, beside jsf sampling bare arguments of the same endpoints, in one run.

    python benchmarks/generation.py --json generation.json      # a few minutes; wants jsf (the extra dev)

A dialogue of ours is complete and checked: request, calls, the emulator's answers, tool definitions, grounding, tokens. A sample of jsf is
a random body that fits the endpoint's schema without its conditions in prose; how many of them the catalogue takes is counted too.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from gennx.schemas import Endpoint, Validation, load_catalogue
from gennx.schemas.validation import bare

CASES = {"all kinds": (), "single calls": ("--kinds", "single=1")}
FIRST = (
    "from gennx.generators.making import make_endpoint; from gennx.generators.settings import Settings; "
    "made = make_endpoint(Settings(tiers=(1, 2, 3), per_api=1), 'db/NODE'); assert len(made.rows) == 1"
)
EVERY = 0.1
"""Seconds between two looks at a running command."""


@dataclass
class Watched:
    """A command that ran: seconds, CPU seconds and peak memory of its largest process, and when its parts were all there."""

    seconds: float
    cpu_seconds: float
    peak_mib: int
    parts_seconds: float = 0.0


def watch(command: list[str], parts: Path | None = None, count: int = 0) -> Watched:
    """Run a command to its end. `parts` is the folder where gennx-gen keeps finished endpoints, `count` how many there will be."""
    started = time.perf_counter()
    before = os.times()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak, whole = 0, 0.0
    while process.poll() is None:
        peak = max([peak, *(_peak_kib(pid) for pid in _tree(process.pid))])
        if parts is not None and not whole and len(list(parts.glob("*.part"))) >= count:
            whole = time.perf_counter() - started
        time.sleep(EVERY)
    if process.returncode:
        raise click.ClickException(f"{' '.join(command)} ended with {process.returncode}")
    seconds, after = time.perf_counter() - started, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Watched(seconds, cpu, peak // 1024, whole or seconds)


def _seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - started


def _tree(pid: int) -> list[int]:
    """A process and all below it, as Linux lists them; the process alone elsewhere."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(p for child in children for p in _tree(int(child)))]


def _peak_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def generate(options: tuple[str, ...], per_api: int, workers: int) -> dict[str, Any]:
    """One run of `gennx-gen --tier all`, into a folder that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "data")
        command = [
            sys.executable,
            "-m",
            "gennx.generators.cli",
            "--tier",
            "all",
            "--per-api",
            str(per_api),
            "--seed",
            "7",
        ]
        command += ["--workers", str(workers), "--out", str(out), *options]
        ran = watch(command, out.with_name("data.partial"), len(load_catalogue().endpoints))
        dialogues = json.loads((out / "manifest.json").read_text())["dialogues"]
    return {
        "dialogues": dialogues,
        "seconds": round(ran.seconds, 2),
        "making_seconds": round(ran.parts_seconds, 2),
        "cpu_seconds": round(ran.cpu_seconds, 2),
        "dialogues_per_second": round(dialogues / ran.seconds, 1),
        "dialogues_per_second_making": round(dialogues / ran.parts_seconds, 1),
        "cpu_ms_per_dialogue": round(1000 * ran.cpu_seconds / dialogues, 3),
        "peak_mib_per_process": ran.peak_mib,
    }


def sample(uris: list[str], per_api: int) -> tuple[int, int, int]:
    """(bodies that jsf made, those that the catalogue takes, endpoints that it could not do)."""
    from jsf import JSF

    catalogue, validation = load_catalogue(), Validation()
    random.seed(7)
    made = valid = failed = 0
    for uri in uris:
        endpoint = catalogue.endpoint(uri)
        try:
            maker = JSF(bare(endpoint.schema))
            bodies = [maker.generate() for _ in range(per_api)]
        except Exception:  # jsf raises whatever its parts raise
            failed += 1
            continue
        made += len(bodies)
        valid += sum(_valid(validation, endpoint, body) for body in bodies)
    return made, valid, failed


def _valid(validation: Validation, endpoint: Endpoint, body: Any) -> bool:
    tool = next(
        (t for t in load_catalogue().tools.values() if t.endpoint is endpoint and t.method in ("POST", "PUT")), None
    )
    if tool is None or endpoint.path_parameter is not None:
        return True
    try:
        return validation.valid(tool, {"Assign": {"1": body}} if endpoint.is_table else body)
    except ValueError:  # a number too large for the validator
        return False


def jsf_alone(per_api: int, workers: int) -> dict[str, Any]:
    """Bare bodies of every endpoint that takes one, over as many processes."""
    uris = [e.uri for e in load_catalogue() if {"POST", "PUT"} & set(e.methods)]
    started = time.perf_counter()
    with ProcessPoolExecutor(workers) as pool:
        counts = list(pool.map(sample, [uris[n::workers] for n in range(workers)], [per_api] * workers))
    seconds = time.perf_counter() - started
    made, valid, failed = (sum(column) for column in zip(*counts, strict=True))
    return {
        "bodies": made,
        "seconds": round(seconds, 2),
        "bodies_per_second": round(made / seconds, 1),
        "valid_share": round(valid / made, 3),
        "valid_bodies_per_second": round(valid / seconds, 1),
        "endpoints_failed": failed,
    }


@click.command()
@click.option("--per-api", default=20, show_default=True, help="Dialogues an endpoint.")
@click.option("--workers", default=2, show_default=True, help="Processes.")
@click.option("--json", "path", type=click.Path(path_type=Path), help="File for the figures.")
def main(per_api: int, workers: int, path: Path | None) -> None:
    """Measure generation beside jsf."""
    found: dict[str, Any] = {
        "per_api": per_api, "workers": workers, "cores": os.cpu_count(), "load_average_before": round(os.getloadavg()[0], 2)
    }  # fmt: skip
    first = sorted(_seconds([sys.executable, "-c", FIRST]) for _ in range(5))
    found["start_to_first_dialogue_seconds"] = round(first[2], 2)
    click.echo(f"start to first dialogue  {first[2]:.2f} s (median of five, {first[0]:.2f} to {first[-1]:.2f})")
    found["jsf"] = jsf = jsf_alone(per_api, workers)
    click.echo(
        f"jsf, bare arguments      {jsf['bodies_per_second']:8,.0f} bodies/s, {100 * jsf['valid_share']:.1f} % of them valid: "
        f"{jsf['valid_bodies_per_second']:,.0f} valid/s; fails on {jsf['endpoints_failed']} endpoints"
    )
    for name, options in CASES.items():
        found[name] = own = generate(options, per_api, workers)
        own["ratio_to_jsf"] = round(own["dialogues_per_second"] / jsf["bodies_per_second"], 2)
        own["ratio_to_valid_jsf"] = round(own["dialogues_per_second"] / jsf["valid_bodies_per_second"], 2)
        click.echo(
            f"gennx-gen, {name:13} {own['dialogues_per_second']:8,.0f} dialogues/s, {own['dialogues_per_second_making']:,.0f}/s until the last is made; "
            f"{own['dialogues']:,} in {own['seconds']:.1f} s, {own['cpu_ms_per_dialogue']:.2f} ms CPU each; {own['peak_mib_per_process']} MiB a process; "
            f"{own['ratio_to_jsf']:.2f} of jsf, {own['ratio_to_valid_jsf']:.2f} of its valid ones"
        )
    if path is not None:
        path.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
