"""The benchmark runs anywhere in its quick form, and packing is checked on the device that it runs on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("trl")

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "training.py"


def test_the_quick_benchmark_measures_and_checks_packing(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--quick", "--only", "packing,h100", "--json", str(tmp_path / "out.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["results"]
    assert results["packing"]["largest_difference"] < 1e-3 < 1e-1 < results["packing"]["difference_if_dialogues_mixed"]
    assert results["h100"]["tokens_per_second"] > 0 and results["h100"]["losses_finite"], results
