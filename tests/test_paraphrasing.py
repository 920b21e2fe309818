"""--paraphrase against a local server that answers as OpenAI's does: what is taken up, what is refused, what is asked again, what it costs."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gennx.generators import chat_client
from gennx.generators.cli import main
from gennx.generators.lexicon import lexicon_of
from gennx.generators.paraphrasing import Judge
from gennx.generators.rewrite_checks import fault, plain
from gennx.generators.settings import Settings
from gennx.generators.verifying import verify
from gennx.schemas.catalogue import Catalogue

Reply = tuple[int, bytes]


def completion(text: str) -> Reply:
    """A chat completion that cost 50 and 7 tokens."""
    body = {"choices": [{"message": {"role": "assistant", "content": text}}], "usage": {"prompt_tokens": 50, "completion_tokens": 7}}  # fmt: skip
    return 200, json.dumps(body).encode()


def politely(text: str) -> str:
    return f"저기 혹시 괜찮으시면 {text}" if any("가" <= c <= "힣" for c in text) else f"When you get a moment, {text}"


class Server(ThreadingHTTPServer):
    """Answers by `behave(text, how often it was asked before)` and remembers what came."""

    behave: Callable[[str, int], Reply]

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.keys: set[str | None] = set()
        self.models: set[str] = set()
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = body["messages"][-1]["content"]
        with self.server.lock:
            before = self.server.asked[text]
            self.server.asked[text] += 1
            self.server.keys.add(self.headers["Authorization"])
            self.server.models.add(body["model"])
        status, answer = self.server.behave(text, before) if self.path == "/v1/chat/completions" else (404, b"")
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        if status == 429:
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr("gennx.generators.paraphrasing.cache_file", lambda: tmp_path / "cache" / "answers.sqlite")
    monkeypatch.setattr(chat_client, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setenv("GENNX_PARAPHRASE_KEY", "sk-test")
    made = Server()
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def gen(out: Path, url: str = "", *more: str) -> Result:
    options = ["--paraphrase", url, "--paraphrase-model", "m", "--paraphrase-share", "1", "--paraphrase-rate", "1000"] if url else []  # fmt: skip
    asked = ["--endpoint", "db/CONS", "--per-api", "60", "--seed", "1", "--workers", "1", "--out", str(out)]
    return CliRunner().invoke(main, [*asked, *options, *more])


def rows_of(folder: Path, split: str = "train") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{split}.jsonl").read_text("utf-8").splitlines()]


def manifest_of(folder: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((folder / "manifest.json").read_text("utf-8"))
    return data


def users(row: dict[str, Any]) -> list[str]:
    return [m["content"] for m in row["messages"] if m["role"] == "user"]


def test_good_rewrites_are_taken_up_and_nothing_is_asked_twice(server: Server, tmp_path: Path) -> None:
    """Only single training requests change; the folder verifies; a second run writes the same bytes without asking."""
    server.behave = lambda text, before: (429, b"slow down") if before == 0 else completion(politely(text))
    assert gen(tmp_path / "plain").exit_code == 0
    done = gen(tmp_path / "said", server.url)
    assert done.exit_code == 0, done.output
    plain, said = rows_of(tmp_path / "plain"), rows_of(tmp_path / "said")
    for before, after in zip(plain, said, strict=True):
        kind, length = before["meta"]["kind"], before["meta"]["tokens"]
        if kind in ("single", "next_id") and len(users(before)) == 1:
            assert users(after) == [politely(users(before)[0])] and after["meta"]["paraphrased"]
            assert length < after["meta"]["tokens"] <= 2048
        else:
            assert after == before
    for split in ("eval", "test", "test_phrasing"):
        assert rows_of(tmp_path / "plain", split) == rows_of(tmp_path / "said", split)
    count = len(server.asked)
    assert count > 3 and set(server.asked.values()) == {2}  # 429, then the answer
    assert server.keys == {"Bearer sk-test"} and server.models == {"m"}
    told = manifest_of(tmp_path / "said")["paraphrase"]
    assert (told["asked"], told["rewritten"], told["originals kept"]) == (count, count, {})
    assert told["tokens"] == {"prompt": 50 * count, "completion": 7 * count, "answers without a count": 0}
    assert "sk-test" not in json.dumps(told)
    assert not any(verify(tmp_path / "said", 2048).failed.values())

    assert gen(tmp_path / "again", server.url).exit_code == 0
    assert server.asked.total() == 2 * count
    for path in (tmp_path / "said").iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name


def test_bad_answers_keep_the_original_and_are_counted(server: Server, tmp_path: Path) -> None:
    """A broken body is asked again and then given up; everything else that is wrong is refused by its reason."""
    order: list[str] = []
    wrong: list[tuple[str | None, str]] = [
        (None, "no answer: an answer that is no chat completion"),
        ("7001번 절점 핀 7002번 롤러", "number added"),
        ('{"Assign": {}}', "names of the API or new names"),
        ("", "not a request alone"),
    ]

    def behave(text: str, _: int) -> Reply:
        with server.lock:
            if text not in order:
                order.append(text)
            at = order.index(text)
        if at >= len(wrong):
            return completion("Füge bitte Lager hinzu: " + text)
        answer = wrong[at][0]
        return (200, b'{"choices": [') if answer is None else completion(answer)

    server.behave = behave
    assert gen(tmp_path / "plain").exit_code == 0
    done = gen(tmp_path / "said", server.url)
    assert done.exit_code == 0, done.output
    assert rows_of(tmp_path / "plain") == rows_of(tmp_path / "said")
    assert server.asked[order[0]] == chat_client.TRIES
    told = manifest_of(tmp_path / "said")["paraphrase"]
    assert told["rewritten"] == 0 and sum(told["originals kept"].values()) == told["asked"] == len(order)
    assert {"no answer: an answer that is no chat completion", "other language"} <= set(told["originals kept"])


def test_an_endpoint_that_is_no_use_ends_the_run_and_the_next_goes_on(server: Server, tmp_path: Path) -> None:
    """One line and exit code 2; nothing is written; what was answered before is not asked again."""
    out = tmp_path / "said"
    alive = 3
    server.behave = lambda text, _: completion(politely(text)) if len(server.asked) <= alive else (503, b"")
    for url, words in ((server.url, "HTTP 503"), (server.url + "/nowhere", "HTTP 404"), ("http://127.0.0.1:9/v1", "no answer"),
                       ("ftp://x", "no address")):  # fmt: skip
        done = gen(out, url)
        assert done.exit_code == 2 and words in done.output and done.output.count("\n") == 1, done.output
        assert not out.exists()
    server.behave = lambda text, _: completion(politely(text))
    answered = list(server.asked)[:alive]
    before = {text: server.asked[text] for text in answered}
    assert gen(out, server.url).exit_code == 0
    assert {text: server.asked[text] for text in answered} == before
    assert gen(tmp_path / "x", "", "--paraphrase-model", "m").exit_code == 2


@pytest.mark.parametrize(
    ("lang", "old", "new", "reason"),
    [
        ("ko", "12번 절점 핀으로", "12번 절점은 힌지로 부탁드려요", None),
        ("ko", "12번 절점 핀으로", "12번 절점은 핀으로, 13번도", "number added"),
        ("ko", "12번 절점 핀으로", "12번 절점 핀으로, 나머지는 고정 절점", "value added"),
        ("ko", "12번 절점 핀으로", "12번 절점은 핀으로 하지 마세요", "meaning turned"),
        ("ko", "12번 절점 핀으로", "please pin node 12", "other language"),
        ("ko", "12번 절점 핀으로", "12번 절점 CONSTRAINT 핀으로", "names of the API or new names"),
        ("ko", "12번 절점 핀으로", "다시 쓴 요청: 12번 절점 핀으로", "not a request alone"),
        ("ko", "12번 절점 핀으로", "12번 절점를 핀으로 해 주세요", "wrong particle"),
        ("ko", "12번 절점 핀으로, 폭 300 높이 500 기둥 밑", "12번 절점 핀으로, 기둥 밑 높이 500 폭 300", "number lost, moved or with another unit"),
        ("en", "pin node 12", "node 12 should be pinned", None),
        ("en", "pin node 12", "fija el nudo 12 con una rótula", "other language"),
    ],
)  # fmt: skip
def test_faults(catalogue: Catalogue, lang: str, old: str, new: str, reason: str | None) -> None:
    calls = [(catalogue.tool("db/CONS", "POST"), {"Assign": {"12": {"ITEMS": [{"CONSTRAINT": "1110000"}]}}})]
    assert fault(old, new, lang, calls, lexicon_of) == reason


def test_judge(catalogue: Catalogue) -> None:
    """A rewrite must say every value, be new in the run and fit the token limit; one that stands keeps the row true."""
    name = catalogue.tool("db/CONS", "POST").name
    arguments = '{"Assign":{"12":{"ITEMS":[{"CONSTRAINT":"1110000"}]}}}'
    row: dict[str, Any] = {
        "messages": [
            {"role": "system", "content": "kN, m"},
            {"role": "user", "content": "12번 절점 핀으로"},
            {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": name, "arguments": arguments}}]},
            {"role": "tool", "name": name, "content": "{}"},
            {"role": "assistant", "content": "네"},
        ],
        "tools": json.dumps([{"function": {"name": name}}]),
        "meta": {"language": "ko", "grounding": [["key", "12"], ["CONSTRAINT", "핀"]], "tokens": 500},
    }  # fmt: skip
    tight, judge = Judge(Settings(max_tokens=512), set()), Judge(Settings(), {plain("12번 절점은 핀이요")})
    before = json.dumps(row)
    assert judge.take(row, "12번 절점 지점 좀 잡아 줘요") == "value not said"
    assert judge.take(row, "12번 절점은, 핀이요!") == "repeated"
    assert tight.take(row, "12번 절점인데요, 여기 지점을 핀으로 잡아 주시면 감사하겠습니다") == "over the token limit"
    assert json.dumps(row) == before
    assert judge.take(row, "12번 절점은 힌지로") is None
    assert row["messages"][1]["content"] == "12번 절점은 힌지로"
    assert row["meta"]["grounding"] == [["key", "12"]] and row["meta"]["tokens"] > 500
