"""Stress and speed of the emulator, over real sockets and in process.

python benchmarks/emulator.py requests --count 100000     random requests: valid, broken, hostile; never a 500
python benchmarks/emulator.py clients --clients 300       concurrent clients for a minute; nothing may be lost
python benchmarks/emulator.py speed                       microseconds a call in process
"""

from __future__ import annotations

import asyncio
import copy
import json
import random
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from gennx.emulator import Model
from gennx.emulator.extras import COMMANDS, tables
from gennx.emulator.minimal import minimal_record
from gennx.schemas import Endpoint, load_catalogue

METHODS = ("GET", "POST", "PUT", "DELETE")
STATUSES = frozenset({200, 201, 400, 401, 404, 405, 413, 431})
ODD_VALUES: list[Any] = [
    None, True, -1, 0, 1e308, -1e-308, 2**63, 10**30, "", "x" * 5000, "'; DROP TABLE NODE;--", "\u0000", "절점\u202e",
    [], {}, [[]], [None] * 50, {"": {}}, [1, "a", None], "NaN", "../../etc/passwd",
]  # fmt: skip
ODD_BODIES = [
    b"", b"{", b"[]", b"null", b"1", b'"x"', b"\xff\xfe\x00", b'{"Assign":', b'{"Assign": NaN}', b"{" * 100_000,
    b"[" * 5_000 + b"]" * 5_000, b'{"Assign": {"1": ' + b'{"a": ' * 500 + b"1" + b"}" * 500 + b"}}", b"\x00" * 300,
    b'{"Assign": {"1": {}, "1": {"X": 1}}}', b'{"Assign": {"1": {"X": 1e999}}}', b'{"Assign": {"\\ud800": {}}}',
]  # fmt: skip
ODD_PATHS = [
    "/", "//", "/gen", "/gen/", "/gen//db/NODE", "/gen/db", "/gen/db/", "/gen/db/NODE/", "/gen/db/NODE/0",
    "/gen/db/NODE/-1", "/gen/db/NODE/1,,2", "/gen/db/NODE/abc", "/gen/db/NODE/1/2", "/gen/db/NODE/99999999999999999999",
    "/gen/db/%00", "/gen/../../etc/passwd", "/gen/db/NODE%2F1", "/gen/db/NODE?x=1", "/gen/db/" + "A" * 3000,
    "/civil/db/NODE", "/db/NODE", "/gen/info/db/NODE", "/gen/info/db/NONE", "/gen/ope/MATL_DB/%ED%95%9C", "/health",
    "/mapikey/verify", "/gen/doc/EXPORT/", "/gen/db/NODE/" + ",".join(map(str, range(1, 600))),
]  # fmt: skip


CORNERS = [(0, 0, 0), (0, 0, 4), (6, 0, 4), (6, 0, 0), (6, 5, 4), (0, 5, 4)]
PAIRS = [(1, 2), (2, 3), (4, 3), (3, 5), (5, 6), (6, 2)]
BOX = {"SHAPE": "SB", "DATATYPE": 2, "SECT_I": {"vSIZE": [0.6, 0.6]}}
C24 = {"TYPE": "CONC", "NAME": "C24", "PARAM": [{"P_TYPE": 1, "STANDARD": "KS01(RC)", "DB": "C24"}]}
FRAME: list[tuple[str, str, Any]] = [
    ("POST", "/gen/doc/NEW", {"Argument": {}}),
    ("PUT", "/gen/db/NODE", {"Assign": {n: dict(zip("XYZ", p, strict=True)) for n, p in enumerate(CORNERS, 1)}}),
    ("PUT", "/gen/db/MATL", {"Assign": {"1": C24}}),
    ("PUT", "/gen/db/SECT", {"Assign": {"1": {"SECTTYPE": "DBUSER", "SECT_NAME": "C1", "SECT_BEFORE": BOX}}}),
    ("PUT", "/gen/db/ELEM", {"Assign": {n: {"MATL": 1, "SECT": 1, "NODE": p} for n, p in enumerate(PAIRS, 1)}}),
    ("PUT", "/gen/db/CONS", {"Assign": {n: {"ITEMS": [{"ID": 1, "CONSTRAINT": "1111111"}]} for n in (1, 4)}}),
    ("PUT", "/gen/db/STLD", {"Assign": {"1": {"NAME": "DL", "TYPE": "D"}}}),
    ("PUT", "/gen/db/BODF", {"Assign": {"1": {"LCNAME": "DL", "FV": [0, 0, -1]}}}),
    ("POST", "/gen/doc/ANAL", {"Argument": {}}),
    ("POST", "/gen/post/TABLE", {"Argument": {"TABLE_TYPE": "BEAMFORCE", "LOAD_CASE_NAMES": ["DL(ST)"]}}),
]


@contextmanager
def server(*options: str) -> Iterator[int]:
    """An emulator in a process of its own; gives its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [sys.executable, "-m", "gennx.emulator.cli", "serve", "--port", str(port), *options]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        for _ in range(400):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        else:
            raise click.ClickException("the server did not start within 20 s")
        yield port
    finally:
        process.terminate()
        process.wait(20)


class Connection:
    """One keep-alive HTTP connection; reconnects when the server has closed it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, method: str, path: str, body: bytes | None = None, key: str | None = "k") -> tuple[int, bytes]:
        """Status and body of one exchange."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self.port, limit=2**26)
        reader, writer = self._streams
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        head += f"MAPI-Key: {key}\r\n" if key is not None else ""
        writer.write(f"{head}Content-Length: {len(body or b'')}\r\n\r\n".encode() + (body or b""))
        await writer.drain()
        status_line = await reader.readline()
        if not status_line:
            raise ConnectionError("closed without an answer")
        headers = {}
        while (line := await reader.readline()).strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        answer = await reader.readexactly(int(headers.get("content-length", 0)))
        if headers.get("connection") == "close":
            self.close()
        return int(status_line.split()[1]), answer

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


# ---------------------------------------------------------------- random requests


class Requests:
    """Random requests over every endpoint and method; request `index` of a seed is always the same."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.endpoints = list(load_catalogue())
        self.records = {e.uri: minimal_record(e.schema) for e in self.endpoints}
        self.others = [f"/gen/{a}" for a, _ in tables().values()]
        self.others += [f"/gen/{'doc' if n == 'STAGAS' else 'ope'}/{n}" for n in COMMANDS]

    def make(self, index: int) -> tuple[str, str, str, bytes | None, str | None]:
        """Kind, method, path, body and key."""
        rng = random.Random(f"{self.seed}/{index}")
        if index % 40 < len(FRAME):  # now and then, also after EXIT, a fresh document with a frame to work on
            method, path, body = FRAME[index % 40]
            return "valid", method, path, json.dumps(body).encode(), "k"
        endpoint = self.endpoints[index % len(self.endpoints)]
        method = METHODS[index // len(self.endpoints) % 4]
        kind = rng.choices(("valid", "broken", "hostile"), (45, 30, 25))[0]
        if kind == "hostile":
            return kind, *self._hostile(rng, endpoint, method)
        path = self._path(rng, endpoint, method)
        if method in ("GET", "DELETE"):
            return kind, method, path + ("" if kind == "valid" else rng.choice(["/x", "/0", "/1,", "/-3"])), None, "k"
        body = self._body(rng, endpoint)
        if kind == "broken":
            _break(rng, body)
        return kind, method, path, json.dumps(body).encode(), "k"

    def _path(self, rng: random.Random, endpoint: Endpoint, method: str) -> str:
        uri = endpoint.uri
        if endpoint.path_parameter is not None:
            uri = uri.partition("{")[0] + rng.choice(endpoint.path_values or ("NODE",))
        elif endpoint.is_table and method in ("GET", "DELETE") and rng.random() < 0.7:
            uri += "/" + ",".join(str(rng.randint(1, 40)) for _ in range(rng.randint(1, 4)))
        return "/gen/" + (uri.lower() if rng.random() < 0.3 else uri).replace(" ", "%20")

    def _body(self, rng: random.Random, endpoint: Endpoint) -> dict[str, Any]:
        record = json.loads(json.dumps(self.records[endpoint.uri]))
        if not endpoint.is_table:
            return dict(record)
        keys = ["1"] if endpoint.single else [str(rng.randint(1, 40)) for _ in range(rng.randint(1, 3))]
        return {"Assign": {k: record for k in keys}}

    def _hostile(
        self, rng: random.Random, endpoint: Endpoint, method: str
    ) -> tuple[str, str, bytes | None, str | None]:
        choice = rng.randrange(6)
        path = self._path(rng, endpoint, method)
        if choice == 0:
            return rng.choice([*METHODS, "PATCH", "OPTIONS", "TRACE", "FOO"]), rng.choice(ODD_PATHS), b"{}", "k"
        if choice == 1:
            return rng.choice(("POST", "PUT")), path, rng.choice(ODD_BODIES), "k"
        if choice == 2:
            return method, path, None, rng.choice([None, "", "a" * 5000])
        if choice == 3:
            body: Any = rng.choice(ODD_VALUES)
            wrapped = rng.choice([body, {"Assign": body}, {"Argument": body}, {"Assign": {"1": body}}])
            return rng.choice(("POST", "PUT")), path, json.dumps(wrapped).encode(), "k"
        if choice == 4:
            other = rng.choice(self.others)
            body = {"Assign": {"1": {"A": rng.choice(ODD_VALUES)}}, "Argument": {"X": 1}}
            return method, other, json.dumps(body).encode(), "k"
        many = {"Assign": {str(n): rng.choice(ODD_VALUES) for n in range(1, 200)}}
        return rng.choice(("POST", "PUT")), path, json.dumps(many).encode(), "k"


def _odd(rng: random.Random) -> Any:
    """A copy, so that spoiling goes no further than one body."""
    return copy.deepcopy(rng.choice(ODD_VALUES))


def _break(rng: random.Random, body: Any) -> None:
    """Spoil one to three places of a body."""
    for _ in range(rng.randint(1, 3)):
        node = body
        while isinstance(node, (dict, list)) and node:
            key = rng.choice(list(node)) if isinstance(node, dict) else rng.randrange(len(node))
            below = node[key]
            if isinstance(below, (dict, list)) and below and rng.random() < 0.8:
                node = below
                continue
            action = rng.randrange(4)
            if action == 0 and isinstance(node, dict):
                del node[key]
            elif action == 1 and isinstance(node, dict):
                node[rng.choice(["X!", "", "Assign", "0", "-5", "1e3"])] = _odd(rng)
            else:
                node[key] = _odd(rng)
            break


def problem_of(method: str, path: str, status: int, answer: bytes) -> str | None:
    """What is wrong with an answer, None for one of a documented shape."""
    if status not in STATUSES:
        return f"status {status}"
    if method == "HEAD" or (status in (400, 431) and not answer.startswith(b"{")):
        return None  # refused by the HTTP parser before the emulator saw it
    try:
        body = json.loads(answer)
    except ValueError:
        return "not JSON"
    if not isinstance(body, dict) or not body:
        return "no JSON object"
    if "error" in body:
        error = body["error"]
        fits = isinstance(error, dict) and list(error) == ["message"] and isinstance(error["message"], str)
        return None if fits else f"error {str(error)[:100]}"  # errors of the emulator itself show in /health
    if status >= 400:
        return f"{status} without an error"
    if "message" in body:
        return None if isinstance(body["message"], str) else "message is no text"
    if path.lower().startswith("/gen/db/") and not all(isinstance(v, dict) for v in body.values()):
        return "table answer is no object of records"
    return None


async def _storm(port: int, count: int, seed: int, width: int) -> tuple[Counter[str], list[str]]:
    requests, seen, problems = Requests(seed), Counter[str](), list[str]()
    indices = iter(range(count))

    async def worker() -> None:
        connection = Connection(port)
        for index in indices:
            kind, method, path, body, key = requests.make(index)
            try:
                status, answer = await connection.send(method, path, body, key)
            except (ConnectionError, asyncio.IncompleteReadError, ValueError) as error:
                connection.close()
                problems.append(f"#{index} {method} {path[:80]}: {type(error).__name__} {error}")
                continue
            seen[f"{kind} {status}"] += 1
            problem = problem_of(method, path, status, answer)
            if problem is not None:
                problems.append(f"#{index} {method} {path[:80]} {str(body)[:200]}: {problem}")
        connection.close()

    await asyncio.gather(*(worker() for _ in range(width)))
    _, health = await Connection(port).send("GET", "/health")
    faults = json.loads(health)["faults"]
    if faults:
        problems.append(f"the emulator caught {faults} errors of its own")
    return seen, problems


@click.group()
def main() -> None:
    """Stress and speed of the emulator."""


@main.command()
@click.option("--count", default=100_000, show_default=True, help="Requests to send.")
@click.option("--seed", default=7, show_default=True, help="Seed of the requests.")
@click.option("--width", default=16, show_default=True, help="Connections at a time.")
def requests(count: int, seed: int, width: int) -> None:
    """Send random requests: valid, broken and hostile, over every endpoint and method."""
    started = time.perf_counter()
    with server("--faithful") as port:
        seen, problems = asyncio.run(_storm(port, count, seed, width))
    seconds = time.perf_counter() - started
    for name in sorted(seen):
        click.echo(f"{name:14} {seen[name]:8}")
    click.echo(f"{sum(seen.values())} answers in {seconds:.1f} s; 500s: {_fives(seen)}; problems: {len(problems)}")
    for problem in problems[:20]:
        click.echo(f"  {problem}")
    sys.exit(1 if problems else 0)


def _fives(seen: Counter[str]) -> int:
    return sum(n for name, n in seen.items() if name.split()[1].startswith("5"))


# ---------------------------------------------------------------- concurrent clients


async def _client(port: int, number: int, until: float, times: list[float], lost: list[str]) -> dict[str, float]:
    """Create, read, change and delete nodes of an own range until the time is up; gives those that must be there."""
    connection, mine, serial = Connection(port), dict[str, float](), 0

    async def send(method: str, path: str, body: Any = None) -> Any:
        started = time.perf_counter()
        status, answer = await connection.send(method, path, json.dumps(body).encode() if body else None)
        times.append(time.perf_counter() - started)
        if status not in (200, 201):
            lost.append(f"client {number}: {method} {path} gave {status}")
        return json.loads(answer)

    while time.perf_counter() < until:
        serial += 1
        key, x = str(number * 10_000 + serial), float(serial)
        made = await send("POST", "/gen/db/NODE", {"Assign": {key: {"X": x}}})
        if made != {"NODE": {key: {"X": x}}}:
            lost.append(f"client {number}: creation of {key} answered {made}")
        mine[key] = x
        if serial % 3 == 0:
            mine[key] = -x
            await send("PUT", "/gen/db/NODE", {"Assign": {key: {"X": -x}}})
        read = await send("GET", f"/gen/db/NODE/{key}")
        if read.get("NODE", {}).get(key, {}).get("X") != mine[key]:
            lost.append(f"client {number}: {key} reads {read}")
        if serial % 4 == 0:
            gone = await send("DELETE", f"/gen/db/NODE/{key}")
            if key not in gone.get("NODE", {}):
                lost.append(f"client {number}: deletion of {key} answered {gone}")
            del mine[key]
    connection.close()
    return mine


async def _crowd(port: int, clients: int, seconds: float) -> tuple[list[float], list[str], int]:
    times, lost = list[float](), list[str]()
    until = time.perf_counter() + seconds
    owned = await asyncio.gather(*(_client(port, n, until, times, lost) for n in range(1, clients + 1)))
    _, answer = await Connection(port).send("GET", "/gen/db/NODE")
    table = json.loads(answer).get("NODE", {})
    expected = {k: x for mine in owned for k, x in mine.items()}
    lost += [f"node {k} is missing or differs" for k, x in expected.items() if table.get(k, {}).get("X") != x]
    lost += [f"node {k} is there unasked" for k in table.keys() - expected.keys()]
    return times, lost, len(expected)


@main.command()
@click.option("--clients", default=300, show_default=True, help="Clients at a time.")
@click.option("--seconds", default=60.0, show_default=True, help="How long they go on.")
def clients(clients: int, seconds: float) -> None:
    """Let many clients create, read, change and delete at once, and compare the table with what they did."""
    with server() as port:
        times, lost, records = asyncio.run(_crowd(port, clients, seconds))
    quantiles = statistics.quantiles(times, n=100)
    click.echo(
        f"{clients} clients, {seconds:g} s: {len(times)} requests ({len(times) / seconds:.0f}/s), "
        f"p50 {quantiles[49] * 1000:.0f} ms, p99 {quantiles[98] * 1000:.0f} ms; "
        f"{records} records expected; lost or wrong: {len(lost)}"
    )
    for line in lost[:20]:
        click.echo(f"  {line}")
    sys.exit(1 if lost else 0)


# ---------------------------------------------------------------- speed in process


@main.command()
def speed() -> None:
    """Microseconds of small calls in process, strict mode, best of five runs of 2,000."""
    catalogue = load_catalogue()
    model = Model()
    load = {"ID": 1, "LCNAME": "DL", "CMD": "BEAM", "TYPE": "UNILOAD", "DIRECTION": "GZ", "D": [0, 1], "P": [-9, -9]}
    calls = {
        "PUT /db/node": {"Assign": {"1": {"X": 1.5}}},
        "GET /db/node": {"ids": [1]},
        "PUT /db/elem": {"Assign": {"1": {"TYPE": "BEAM", "MATL": 1, "SECT": 1, "NODE": [1, 2]}}},
        "PUT /db/bmld": {"Assign": {"1": {"ITEMS": [load]}}},
        "PUT /db/cons": {"Assign": {"1": {"ITEMS": [{"ID": 1, "CONSTRAINT": "1111111"}]}}},
        "GET /ope/projectstatus": {"ids": []},
        "POST /doc/anal": {"Argument": {}},
        "POST /post/table": {"Argument": {"TABLE_TYPE": "REACTIONG", "LOAD_CASE_NAMES": ["DL(ST)"]}},
    }
    for name, arguments in calls.items():
        tool = catalogue.tools[name]
        model.ensure(tool, arguments)
        if name.startswith("PUT"):
            model.put_records(tool.endpoint.uri, arguments["Assign"])
        rounds = 50 if name == "POST /doc/anal" else 2000
        best = min(_microseconds(model, tool, arguments, rounds) for _ in range(5))
        click.echo(f"{name:24} {best:9.1f} us")
    click.echo(f"{'Model()':24} {min(_blank() for _ in range(5)):9.1f} us")


def _microseconds(model: Model, tool: Any, arguments: Any, rounds: int) -> float:
    started = time.perf_counter()
    for _ in range(rounds):
        reply = model.call(tool, arguments, strict=True)
    assert not reply.failed, reply
    return (time.perf_counter() - started) / rounds * 1e6


def _blank() -> float:
    started = time.perf_counter()
    for _ in range(2000):
        Model()
    return (time.perf_counter() - started) / 2000 * 1e6


if __name__ == "__main__":
    main()
