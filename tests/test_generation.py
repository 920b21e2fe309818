"""gennx-gen: the folder it writes, same bytes for any number of workers, splits, interruption, bad input."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gennx.emulator import Model
from gennx.generators.dialogues import dumps
from gennx.generators.intent import ambiguous
from gennx.generators.settings import Settings
from gennx.generators.writing import run
from gennx.schemas import Validation
from gennx.schemas.catalogue import Catalogue

SMALL = [
    "--endpoint",
    "db/NODE",
    "--endpoint",
    "db/CONS",
    "--endpoint",
    "doc/SAVE",
    "--endpoint",
    "post/TABLE",
    "--per-api",
    "12",
    "--seed",
    "3",
]


def gen(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gennx.generators.cli", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=cwd,
        check=False,
    )


def rows_of(folder: Path) -> dict[str, list[dict[str, Any]]]:
    return {
        p.stem: [json.loads(line) for line in p.read_text("utf-8").splitlines()] for p in sorted(folder.glob("*.jsonl"))
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("data") / "small"
    done = gen(*SMALL, "--workers", "1", "--out", str(out))
    assert done.returncode == 0, done.stderr
    return out


def digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def test_workers_and_repetition_do_not_change_a_byte(made: Path, tmp_path: Path) -> None:
    again = tmp_path / "small"
    assert gen(*SMALL, "--workers", "2", "--out", str(again)).returncode == 0
    assert digests(made) == digests(again)
    other = tmp_path / "other"
    assert gen(*SMALL[:-1], "4", "--workers", "1", "--out", str(other)).returncode == 0
    assert digests(made)["train.jsonl"] != digests(other)["train.jsonl"]


def test_folder(made: Path) -> None:
    manifest = json.loads((made / "manifest.json").read_text("utf-8"))
    rows = rows_of(made)
    assert manifest["dialogues"] == sum(len(r) for r in rows.values()) == 48
    for name, info in manifest["files"].items():
        assert hashlib.sha256((made / name).read_bytes()).hexdigest() == info["sha256"]
    assert {"README.md", "coverage.html", "manifest.json", "train.jsonl", "eval.jsonl", "test.jsonl"} <= {
        p.name for p in made.iterdir()
    }


def test_dialogues(made: Path, catalogue: Catalogue) -> None:
    """Format of the original; every call valid, offered, and answered as the emulated model answers it again."""
    validation, texts = Validation(), Counter[str]()
    for rows in rows_of(made).values():
        for row in rows:
            tools = {t["function"]["name"] for t in json.loads(row["tools"])}
            model = Model()
            for uri, records in row["meta"].get("setup", {}).items():
                model.put_records(uri, records)
            answers = iter([m for m in row["messages"] if m["role"] == "tool"])
            for message in row["messages"]:
                for call in message.get("tool_calls", ()):
                    name, arguments = call["function"]["name"], json.loads(call["function"]["arguments"])
                    tool = catalogue.tools[name]
                    assert name in tools
                    assert validation.valid(tool, arguments)
                    model.ensure(tool, arguments)
                    answer = next(answers)
                    assert answer["name"] == name
                    assert answer["content"] == dumps(model.call(tool, arguments, strict=True).body)
            assert row["messages"][-1]["role"] == "assistant" and row["messages"][-1]["content"]
            assert row["meta"]["tokens"] <= 2048
            texts.update(m["content"] for m in row["messages"] if m["role"] == "user")
    assert max(texts.values()) == 1


def test_splits_share_nothing(made: Path) -> None:
    calls: dict[str, set[str]] = {}
    phrasings: dict[str, set[str]] = {}
    for split, rows in rows_of(made).items():
        for row in rows:
            functions = [c["function"] for m in row["messages"] for c in m.get("tool_calls", ())]
            if any(v for call in functions for v in json.loads(call["arguments"]).values()):
                calls.setdefault("\n".join(sorted(c["name"] + c["arguments"] for c in functions)), set()).add(split)
            if not row["meta"]["phrasing"].startswith("frame"):
                phrasings.setdefault(row["meta"]["phrasing"], set()).add(split)
    assert all(len(s) == 1 for s in calls.values())
    assert all("test_phrasing" not in s or s == {"test_phrasing"} for s in phrasings.values())


def test_an_interrupted_run_goes_on(made: Path, tmp_path: Path) -> None:
    settings = Settings(endpoints=("db/NODE", "db/CONS", "doc/SAVE", "post/TABLE"), per_api=12, seed=3)
    uris = [e for e in settings.endpoints]
    out = tmp_path / "small"
    seen: list[int] = []

    def stop(done: int, total: int, rows: int) -> None:
        seen.append(done)
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(settings, uris, out, 1, False, stop)
    assert not out.exists()
    resumed: list[int] = []
    run(settings, uris, out, 1, False, lambda done, total, rows: resumed.append(done))
    assert resumed[0] == 2  # two endpoints were not made again
    assert digests(out) == digests(made)
    assert not out.with_name("small.partial").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--tier", "4"], "take 1, 2, 3 or all"),
        (["--endpoint", "db/NODES"], "did you mean"),
        (["--per-api", "0"], "--per-api"),
        (["--distractors", "9-2"], "backwards"),
        (["--kinds", "singel"], "unknown kind"),
        (["--lang", "de"], "--lang"),
        (["--templates", "no/such/folder"], "no such folder"),
        (["--holdout-endpoints", "500"], "hold out fewer"),
        (["--holdout-endpoints", "db/NODE,db/NODES"], "no endpoint 'db/NODES'"),
        (["--mix", "missing.yaml"], "missing.yaml"),
        (["--endpoint", "doc/SAVE", "--method", "DELETE"], "no endpoint of this choice"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], says: str, tmp_path: Path) -> None:
    done = gen(*arguments, "--out", str(tmp_path / "x"), cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_other_data_are_kept(tmp_path: Path) -> None:
    out = tmp_path / "mine"
    out.mkdir()
    (out / "thesis.txt").write_text("mine", "utf-8")
    done = gen("--endpoint", "db/NODE", "--per-api", "2", "--out", str(out))
    assert done.returncode == 2 and "--overwrite" in done.stderr
    assert [p.name for p in out.iterdir()] == ["thesis.txt"]


def test_a_broken_template_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "words" / "db" / "NODE"
    folder.mkdir(parents=True)
    (folder / "ko.jinja").write_text("[POST 00000001]\n{{ key }번 절점\n=> {}\n:: {}\n", "utf-8")
    done = gen(
        "--endpoint",
        "db/NODE",
        "--per-api",
        "20",
        "--templates",
        str(tmp_path / "words"),
        "--out",
        str(tmp_path / "out"),
    )
    assert done.returncode == 2
    assert "ko.jinja:1" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_dialogue_is_named_after_a_call_that_it_makes(made: Path) -> None:
    told, called = [], set()
    for row in (row for rows in rows_of(made).values() for row in rows):
        uri = row["meta"]["endpoint"].lower()
        calls = [call["function"]["name"] for m in row["messages"] for call in m.get("tool_calls") or ()]
        called.update(calls)
        if own := {name.split()[0] for name in calls if name.endswith(f" /{uri}")}:
            told.append(row["meta"]["kind"])
            assert row["meta"]["method"] in own
            assert row["meta"]["kind"] != "next_id" or row["meta"]["method"] == "POST"
    assert {"single", "next_id", "chain"} <= set(told)
    assert json.loads((made / "manifest.json").read_text("utf-8"))["tools"] == len(called)


def test_dry_run_makes_nothing(tmp_path: Path) -> None:
    done = gen("--tier", "all", "--per-api", "4", "--dry-run", cwd=tmp_path)
    assert done.returncode == 0 and "1,092 dialogues over 273 endpoints and 922 tools" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("held_out", ["5", "db/mvldid,db/THRS"])
def test_held_out_endpoints_stay_out_of_training(held_out: str, tmp_path: Path) -> None:
    out = tmp_path / "held"
    assert gen("--tier", "3", "--per-api", "2", "--holdout-endpoints", held_out, "--out", str(out)).returncode == 0
    rows = rows_of(out)
    held = {r["meta"]["endpoint"] for r in rows["test_endpoints"]}
    named = {uri.lower() for uri in held} == set(held_out.lower().split(","))
    assert named if "/" in held_out else len(held) == int(held_out)
    lowered = {f" /{uri.lower()}" for uri in held}
    for row in rows["train"]:  # nobody is asked to choose between creating and changing by words that tell neither
        method, user = row["meta"]["method"], row["messages"][1]["content"]
        if row["meta"]["kind"] == "single" and ambiguous(user, method):
            others = {t["function"]["name"] for t in json.loads(row["tools"])}
            uri = row["meta"]["endpoint"].lower()
            assert not {f"POST /{uri}", f"PUT /{uri}"} <= others
    for split in ("train", "eval", "test"):
        for row in rows.get(split, ()):
            names = {t["function"]["name"] for t in json.loads(row["tools"])}
            assert not any(n[n.index(" ") :] in lowered for n in names)
