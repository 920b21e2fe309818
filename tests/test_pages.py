"""The coverage page in a real browser: sorting, searching, details, and data that try to break out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gennx.generators.settings import Settings
from gennx.generators.writing import run
from gennx.reports.coverage import ReportProblem, coverage_page

selenium = pytest.importorskip("selenium")
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

EVIL = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked=1'>"


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("no Chromium with its driver on this machine (Debian: apt install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--window-size=1280,1000",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with webdriver.Chrome(options=options, service=webdriver.ChromeService(driver)) as chrome:
        yield chrome


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pages") / "data"
    run(Settings(endpoints=("db/NODE", "db/CONS"), per_api=10), ["db/NODE", "db/CONS"], out, 1, False, lambda *_: None)
    path = out / "eval.jsonl"  # its dialogues are the first examples
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    rows[0]["messages"][1]["content"] = EVIL
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), "utf-8")
    target = out / "coverage.html"
    target.write_text(coverage_page(out), "utf-8")
    return target


def test_coverage_page(browser: webdriver.Chrome, page: Path) -> None:
    browser.get(page.as_uri())
    rows = browser.find_elements(By.CSS_SELECTOR, "#body tr.row")
    assert len(rows) == 273
    assert len(browser.find_elements(By.CSS_SELECTOR, ".cell")) == 273
    find = browser.find_element(By.ID, "find")
    find.send_keys("구속")
    shown = [r.get_attribute("data-uri") for r in browser.find_elements(By.CSS_SELECTOR, "#body tr.row")]
    assert "db/CONS" in shown and len(shown) < 60
    find.clear()
    find.send_keys("db/node" + Keys.TAB)
    (row,) = [
        r for r in browser.find_elements(By.CSS_SELECTOR, "#body tr.row") if r.get_attribute("data-uri") == "db/NODE"
    ]
    row.send_keys(Keys.ENTER)
    assert browser.find_element(By.CSS_SELECTOR, ".detail .call").text.split()[0] in ("POST", "GET", "PUT", "DELETE")
    header = browser.find_element(By.CSS_SELECTOR, 'th button[data-key="uri"]')
    find.send_keys(Keys.CONTROL + "a" + Keys.DELETE)
    header.click()
    first = [r.get_attribute("data-uri") for r in browser.find_elements(By.CSS_SELECTOR, "#body tr.row")]
    assert first == sorted(first, key=str.lower) or first[0] < first[-1]


def test_data_cannot_break_out(browser: webdriver.Chrome, page: Path) -> None:
    browser.get(page.as_uri())
    for uri in ("db/NODE", "db/CONS"):
        browser.execute_script("reveal(arguments[0])", uri)
        text = browser.find_element(By.CSS_SELECTOR, ".detail").text
        if "window.hacked" in text:
            break
    else:
        pytest.fail("the example is not shown")
    assert browser.execute_script("return window.hacked === undefined")
    severe = [e for e in browser.get_log("browser") if e["level"] == "SEVERE"]
    assert not severe


def test_page_is_one_file_that_asks_for_nothing(page: Path) -> None:
    text = page.read_text("utf-8")
    assert "http://" not in text and "https://" not in text.replace("https://json-schema.org", "")
    assert "<link" not in text and 'src="' not in text.split("<main>")[0]


def test_a_folder_without_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReportProblem, match=r"holds no \.jsonl"):
        coverage_page(tmp_path)
    (tmp_path / "train.jsonl").write_text('{"messages": []}\n', "utf-8")
    with pytest.raises(ReportProblem, match=r"train.jsonl:1"):
        coverage_page(tmp_path)
