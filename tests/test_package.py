"""The wheel in a new environment, outside the tree: the main job runs, and nothing lands under a general name."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def _run(*command: str, cwd: Path) -> str:
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, encoding="utf-8", env=env, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    _run(sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(ROOT), cwd=out)
    (path,) = out.glob("*.whl")
    return path


def test_wheel_holds_what_it_needs_under_one_name(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {n.split("/")[0] for n in names if not n.startswith("gennx-")} == {"gennx"}
    assert sum(n.startswith("gennx/schemas/endpoints/") for n in names) == 273
    assert "gennx/templates/db/CONS/ko.jinja" in names and "gennx/reports/page.css" in names
    for package in ("schemas", "generators", "templates", "reports", "emulator", "trainer"):
        assert f"gennx/{package}/py.typed" in names


def test_main_job_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    where = tmp_path / "env"
    venv.create(where, with_pip=True)
    binary = where / ("Scripts" if sys.platform == "win32" else "bin")
    python = binary / ("python.exe" if sys.platform == "win32" else "python")
    _run(str(python), "-m", "pip", "install", "-q", str(wheel), cwd=tmp_path)
    work = tmp_path / "elsewhere"
    work.mkdir()
    command = binary / ("gennx-gen.exe" if sys.platform == "win32" else "gennx-gen")
    said = _run(str(command), "--tier", "1", "--per-api", "2", "--seed", "1", "--workers", "1", cwd=work)
    assert "254 dialogues over 127 endpoints" in said
    assert (work / "data" / "gennx-tier1-seed1" / "coverage.html").exists()
    loaded = _run(str(python), "-c", "import sys, gennx.generators.cli; print('torch' in sys.modules)", cwd=work)
    assert loaded.strip() == "False"
