"""Ask a model behind an OpenAI-compatible endpoint: at a steady rate, again after a passing failure, and nothing twice.

Answers are kept in an SQLite file in the user's cache folder under a hash of model and messages. A run that was stopped finds there what it had
asked for already.
"""

from __future__ import annotations

import hashlib
import math
import os
import sqlite3
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import orjson

from gennx.generators.settings import BadSettings

KEY_VARIABLE = "GENNX_PARAPHRASE_KEY"
TIMEOUT_S = 120.0
TRIES = 5
FIRST_PAUSE_S = 1.0
"""Wait after a failure, where the server names none; each further wait is twice as long."""
LONGEST_PAUSE_S = 60.0
LARGEST_ANSWER = 1 << 20
IN_A_ROW = 5
"""So many requests without an answer, one after the other, end the run: the server is gone, not one request is bad."""

Messages = list[dict[str, str]]


class NoAnswer(Exception):
    """One request that brought no answer; the message says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said, and its cost as the server reports it (None where it does not)."""

    text: str
    prompt_tokens: int | None
    completion_tokens: int | None


class _Passing(Exception):
    """A failure that may pass; `pause_s` is how long the server asks to wait."""

    def __init__(self, reason: str, pause_s: float | None = None) -> None:
        super().__init__(reason)
        self.pause_s = pause_s


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The key goes to the address that the user named and to no other."""

    def redirect_request(self, *_: Any) -> None:
        return None


def completions_url(url: str) -> str:
    """The full address for a server's root, its /v1, or the address itself. Raises BadSettings."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good or not url.isascii() or any(c.isspace() for c in url):
        raise BadSettings(f"--paraphrase {url}: no address; take one such as http://127.0.0.1:8080/v1")
    if parts.username is not None:
        raise BadSettings(f"--paraphrase: no name or password within the address; put the key into {KEY_VARIABLE}")
    path = parts.path.rstrip("/")
    if not path.endswith("/chat/completions"):
        path = (path or "/v1") + "/chat/completions"
    return urlunsplit(parts._replace(path=path, fragment=""))


def cache_file() -> Path:
    """Where answers are kept between runs."""
    home = Path.home()
    if sys.platform == "win32":
        folder = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        folder = home / "Library" / "Caches"
    else:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return folder / "gennx" / "paraphrases.sqlite"


class Cache:
    """Answers by key, safe for several threads and processes. Raises BadSettings where the file cannot be used."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        with self._told():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._data = sqlite3.connect(path, timeout=30, check_same_thread=False)
            with self._data:
                self._data.execute("CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer BLOB NOT NULL)")

    def get(self, key: str) -> Answer | None:
        """A kept answer, None where there is none."""
        with self._lock, self._told():
            found = self._data.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()
            return Answer(*orjson.loads(found[0])) if found else None

    def put(self, key: str, answer: Answer) -> None:
        """Keep an answer, whole or not at all."""
        body = orjson.dumps([answer.text, answer.prompt_tokens, answer.completion_tokens])
        with self._lock, self._told(), self._data:
            self._data.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (key, body))

    def close(self) -> None:
        self._data.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, ValueError, TypeError) as error:
            raise BadSettings(
                f"{self.path}: cannot keep paraphrases there ({error}); remove or free the file"
            ) from None


@dataclass
class Chat:
    """A model behind an endpoint. `rate` is in requests a second."""

    url: str
    model: str
    rate: float
    key: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)
    _next: float = 0.0
    _answered: bool = False
    _failed: int = 0

    def __post_init__(self) -> None:
        if not math.isfinite(self.rate):
            raise BadSettings(f"--paraphrase-rate {self.rate}: is no number of requests a second")
        if not (self.key.isascii() and self.key.isprintable()):
            raise BadSettings(f"{KEY_VARIABLE}: holds characters that no key has")
        self._open = urllib.request.build_opener(_NoRedirect).open

    def name_of(self, messages: Messages) -> str:
        """What an answer is kept under."""
        return hashlib.blake2b(orjson.dumps([self.model, messages]), digest_size=20).hexdigest()

    def stop(self) -> None:
        """Let no further request out; waiting threads give up at once."""
        self._stop.set()

    def ask(self, messages: Messages) -> Answer:
        """An answer. Raises NoAnswer for a request that brings none, BadSettings where no request would bring one."""
        pause = 0.0
        reason = ""
        for attempt in range(TRIES):
            if attempt:
                self._stop.wait(pause)
            self._take_turn()
            try:
                answer = self._post(messages)
            except _Passing as error:
                reason = str(error)
                pause = error.pause_s if error.pause_s is not None else FIRST_PAUSE_S * 2**attempt
                continue
            with self._lock:
                self._answered, self._failed = True, 0
            return answer
        with self._lock:
            self._failed += 1
            gone = self._failed >= IN_A_ROW
        if gone:
            raise BadSettings(
                f"{self._named()}: {reason}, {IN_A_ROW} times in a row; run the same command again to go on"
            )
        raise NoAnswer(reason)

    def _named(self) -> str:
        return f"--paraphrase {self.url.partition('?')[0]}"

    def _take_turn(self) -> None:
        """Wait until the rate allows another request."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + 1 / self.rate
        self._stop.wait(turn - now)
        if self._stop.is_set():
            raise NoAnswer("stopped")

    def _post(self, messages: Messages) -> Answer:
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {self.key}"} if self.key else {})}
        body = orjson.dumps({"model": self.model, "messages": messages})
        request = urllib.request.Request(self.url, body, headers)
        try:
            with self._open(request, timeout=TIMEOUT_S) as reply:
                return _read(reply.read(LARGEST_ANSWER))
        except urllib.error.HTTPError as error:
            error.close()
            raise self._refused(error.code, error.headers.get("Retry-After", "")) from None
        except (OSError, HTTPException) as error:
            cause = getattr(error, "reason", error)
            reason = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
            if not self._answered:
                raise BadSettings(f"{self._named()}: no answer ({reason})") from None
            raise _Passing(f"no answer ({reason})") from None

    def _refused(self, code: int, wait: str) -> Exception:
        """What an HTTP error means for the run."""
        hints = {401: f"set {KEY_VARIABLE} to a key that is valid", 403: f"the key in {KEY_VARIABLE} may not use it",
                 404: f"no chat completions there, or no model {self.model}"}  # fmt: skip
        if code in hints:
            return BadSettings(f"{self._named()}: HTTP {code}; {hints[code]}")
        if 300 <= code < 400:
            return BadSettings(f"{self._named()}: HTTP {code} sends elsewhere; name the final address")
        if code in (408, 409, 425, 429) or code >= 500:
            return _Passing(f"HTTP {code}", min(float(wait), LONGEST_PAUSE_S) if wait.isdecimal() else None)
        return NoAnswer(f"HTTP {code}")


def _read(body: bytes) -> Answer:
    """The answer in a chat completion. Raises _Passing for anything else."""
    try:
        data = orjson.loads(body)
        text = data["choices"][0]["message"]["content"] or ""
        usage = data.get("usage") or {}
        costs = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
        if not isinstance(text, str):
            raise TypeError
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError, AttributeError):
        raise _Passing("an answer that is no chat completion") from None
    prompt, completion = (c if isinstance(c, int) and c >= 0 else None for c in costs)
    return Answer(text, prompt, completion)
