"""From predictions to pages: the command, the page in a real browser, comparison, more data where it fails, retrieval."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gennx.generators.focus import weights
from gennx.generators.settings import BadSettings
from gennx.reports.cli import main as report
from gennx.reports.compare import compare, sign_test
from gennx.reports.evaluation import endpoint_scores, label
from gennx.trainer.evaluation.cli import main as evaluate
from gennx.trainer.evaluation.items import Item, read_items, write_items
from gennx.trainer.evaluation.offering import parse_offer, reoffer
from gennx.trainer.retrieval import default_ranker, words

REQUESTS = Path(__file__).parent / "requests" / "requests.jsonl"
EVIL = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked=1'>"


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "arguments": arguments}


def item(number: int, name: str, arguments: dict[str, Any], user: str = "?") -> Item:
    messages = [{"role": "user", "content": user}]
    tools = [
        {"type": "function", "function": {"name": n, "parameters": {"type": "object"}}} for n in (name, "GET /db/unit")
    ]
    meta = {"endpoint": "db/NODE", "kind": "single", "language": "ko", "tier": 1}
    return Item(
        f"i{number}", 1, messages, tools, [{"name": name, "arguments": arguments}], "call", last=True, meta=meta
    )


ITEMS = [
    item(1, "POST /db/node", {"Assign": {"1": {"X": 1, "Y": 2, "Z": 3}}}, EVIL),
    item(2, "GET /db/node", {"ids": [1, 2]}),
    item(3, "DELETE /db/elem", {"ids": [4]}),
]
RIGHT = [call(i.gold[0]["name"], **i.gold[0]["arguments"]) for i in ITEMS]
WRONG = [
    call("POST /db/node", Assign={"1": {"X": 1, "Y": 2, "Z": 4, "N": EVIL}}),
    call("GET /db/unit", ids=[]),
    RIGHT[2],
]


def scored(folder: Path, name: str, calls: list[dict[str, Any]]) -> Path:
    """An evaluation of ITEMS with these answers."""
    write_items(ITEMS, folder / "items.jsonl")
    rows = [{"id": i.id, "turn": 1, "calls": [c]} for i, c in zip(ITEMS, calls, strict=True)]
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    options = ["--data", str(folder / "items.jsonl"), "--predictions", str(path), "--out", str(folder / name)]
    done = CliRunner().invoke(evaluate, [name, *options])
    assert done.exit_code == 0, done.output
    return folder / name


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    where = tmp_path_factory.mktemp("evaluations")
    return scored(where, "base", WRONG), scored(where, "tuned", RIGHT)


def test_from_predictions_to_figures(folders: tuple[Path, Path]) -> None:
    base, tuned = (json.loads((f / "metrics.json").read_text("utf-8"))["figures"] for f in folders)
    assert (base["calls_exact"]["value"], tuned["calls_exact"]["value"]) == (1 / 3, 1.0)
    assert base["tool_name_accuracy"]["value"] == 2 / 3
    assert endpoint_scores(folders[0])["db/NODE"] == {"exact": 0.0, "cases": 2}


def test_what_changed(folders: tuple[Path, Path]) -> None:
    found = compare(*folders)
    assert (len(found["won"]), len(found["lost"])) == (2, 0) and found["endpoints"] == {"db/NODE": 1.0}
    said = CliRunner().invoke(report, ["compare", *map(str, folders)]).output
    assert "of 3 turns 2 were won and 0 lost" in said and "better: db/NODE +100%" in said
    assert sign_test(5, 5) == 1.0 and round(sign_test(9, 1), 4) == 0.0215


def test_focus_gives_failing_endpoints_more(folders: tuple[Path, Path], tmp_path: Path) -> None:
    found = weights(folders[0])
    assert 1 < found["db/ELEM"] < found["db/NODE"] < 3
    with pytest.raises(BadSettings, match="name a folder that gennx-eval has scored"):
        weights(tmp_path)


def test_bad_input_is_one_line(folders: tuple[Path, Path], tmp_path: Path) -> None:
    data, base = str(folders[0].parent / "items.jsonl"), str(folders[0])
    (tmp_path / "other.jsonl").write_text('{"id": "x", "turn": 1, "text": ""}\n', "utf-8")
    cases = {
        ("--data", str(tmp_path / "none")): "nothing to evaluate",
        ("m", "--data", str(tmp_path / "none")): "no such folder or file",
        ("m", "--data", data, "--tools", "many"): "--tools many: not understood",
        ("m", "--data", data, "--predictions", str(tmp_path / "none.jsonl"), "--out", str(tmp_path / "a")): "No such file",
        ("m", "--data", data, "--predictions", str(tmp_path / "other.jsonl"), "--out", str(tmp_path / "b")): "answers none of",
        ("m", "--data", data, "--predictions", data, "--out", base): "holds another evaluation",
    }  # fmt: skip
    for arguments, said in cases.items():
        done = CliRunner().invoke(evaluate, list(arguments))
        assert done.exit_code == 2 and said in done.output and len(done.output.splitlines()) <= 2, (
            arguments,
            done.output,
        )
    done = CliRunner().invoke(report, ["evaluation", str(tmp_path)])
    assert done.exit_code == 2 and "no metrics.json" in done.output


# ---------------------------------------------------------------- the page


@pytest.fixture(scope="module")
def page(folders: tuple[Path, Path]) -> Path:
    target = folders[0].parent / "both.html"
    done = CliRunner().invoke(report, ["evaluation", str(folders[1]), str(folders[0]), "--out", str(target)])
    assert done.exit_code == 0, done.output
    return target


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    pytest.importorskip("selenium")
    from test_pages import browser as chromium

    yield from chromium.__wrapped__()


def test_page_in_a_browser(browser: Any, page: Path) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    text = page.read_text("utf-8")
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "") and "https://" not in text
    browser.get(page.as_uri())
    assert not browser.execute_script("return window.hacked")
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert "100" in browser.find_element(By.ID, "figures").text
    tabs = browser.find_elements(By.CSS_SELECTOR, "#tabs button")
    tabs[0].send_keys(Keys.ARROW_RIGHT)
    assert "33.3" in browser.find_element(By.ID, "figures").text
    row = browser.find_element(By.CSS_SELECTOR, 'tr[data-uri="db/NODE"]')
    if row.get_attribute("aria-expanded") == "false":
        row.send_keys(Keys.ENTER)
    marks = [m.text for m in browser.find_elements(By.CSS_SELECTOR, ".detail mark")]
    assert "3" in marks and "4" in marks and "GET /db/unit" in marks
    browser.find_element(By.CSS_SELECTOR, "[data-lang=ko]").click()
    assert browser.find_element(By.TAG_NAME, "h1").text == "평가"
    assert not browser.execute_script("return window.hacked")
    browser.set_window_size(390, 844)
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")


# ---------------------------------------------------------------- retrieval and offers


def test_words_of_both_languages() -> None:
    assert words("절점하중 Nodes loading 12") == ["절점", "점하", "하중", "node", "load"]


def test_the_right_tool_is_among_ten() -> None:
    """Recall at 10 on the hand-written requests: 97.6 % when written; the goal is 97 %."""
    ranker, hits = default_ranker(), []
    for line in REQUESTS.read_text("utf-8").splitlines():
        row = json.loads(line)
        wanted = {gold["tool"] for gold in row["gold"]}
        found = {tool.name for tool in ranker.rank(row["user"], 10)} if wanted else set()
        hits += [name in found for name in wanted]
    assert sum(hits) / len(hits) >= 0.97


@pytest.mark.parametrize("offer, count", [("4", 4), ("16:random", 16), ("+8:close", 9), ("retrieved:10", 10)])
def test_tools_are_offered_in_the_number_asked_for(offer: str, count: int) -> None:
    (found,) = reoffer(ITEMS[:1], parse_offer(offer))
    assert len(found.tools) == count == len(set(found.offered))
    assert offer.startswith("retrieved") or "POST /db/node" in found.offered
    assert [found] == reoffer(ITEMS[:1], parse_offer(offer))


def test_requests_become_turns(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        evaluate, ["--data", str(REQUESTS), "--tools", "8", "--prepare", str(tmp_path / "p.jsonl")]
    )
    assert done.exit_code == 0 and "440 dialogues" in done.output, done.output
    items = read_items(tmp_path / "p.jsonl")
    assert all(len(i.tools) == 8 and i.messages[0]["role"] == "system" for i in items)
    assert all(set(call["name"] for call in i.gold) <= set(i.offered) for i in items)
    later = [i for i in items if i.turn > 2]
    assert later and all(i.messages[-1]["role"] == "tool" for i in later)


@pytest.mark.parametrize(
    ("model", "called"),
    [
        ("runs/tier1", "tier1"),
        ("evaluations/tier1/predictions.jsonl", "tier1"),
        ("stored/mine.jsonl", "mine.jsonl"),
        ("runs/gemma beside runs/smol", "gemma beside smol"),
    ],
)
def test_an_evaluation_is_called_by_its_models(model: str, called: str) -> None:
    assert label({"model": model, "split": "test.jsonl", "tools": "given"}) == f"{called} · test"
