"""The emulated program over HTTP, as the vendor's relay shows it.

One program, one document, one call at a time, in the order of arrival. `/gen/...` are its endpoints, `/mapikey/verify`
and `/health` lie at the root. Every answer is JSON; nothing that a client sends ends in a 500.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gennx.emulator.model import Model
from gennx.emulator.replies import Reply, failure
from gennx.emulator.routes import GONE, NOT_FOUND, respond

LARGEST_BODY = 64 * 2**20
DEEPEST_BODY = 200
PREFIX = "/gen"
NO_KEY = "invalid MAPI-Key"
SLOW = ("/doc/anal", "/ope/automesh", "/ope/divideelem", "/post/", "/view/capture")


class Program:
    """The model behind the server, with what the relay knows of it. `faults` counts errors of the emulator itself."""

    def __init__(self, model: Model, key: str | None = None, strict: bool = False) -> None:
        self.model, self.key, self.strict = model, key, strict
        self.lock = asyncio.Lock()
        self.faults = 0

    def knows(self, key: str | None) -> bool:
        """True for the key that the server was started with, or for any when it was started without."""
        return bool(key) if self.key is None else key == self.key

    async def answer(self, method: str, path: str, body: Any) -> Reply:
        """One call, after those that came before it; long ones run beside the event loop."""
        async with self.lock:
            try:
                if path.lower().startswith(SLOW):
                    return await run_in_threadpool(respond, self.model, method, path, body, self.strict)
                return respond(self.model, method, path, body, self.strict)
            except Exception:
                self.faults += 1
                traceback.print_exc(file=sys.stderr)
                return failure("Unknown Error")


class App:
    """The ASGI application: any method and path, JSON answers; anything but HTTP is closed."""

    def __init__(self, program: Program) -> None:
        self.program = program

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1003})
        if scope["type"] != "http":
            return
        try:
            reply = await _reply(self.program, Request(scope, receive))
            await sent(reply)(scope, receive, send)
        except ClientDisconnect:
            return  # the client left in mid-request; there is nobody to answer


def build(model: Model, key: str | None = None, strict: bool = False) -> App:
    """The application for a model."""
    return App(Program(model, key, strict))


@contextmanager
def running(model: Model, key: str | None = None, strict: bool = False) -> Iterator[str]:
    """Serve a model from a thread on a free local port; gives the base address for clients, `http://.../gen`."""
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(build(model, key, strict), port=0, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}{PREFIX}"
    finally:
        server.should_exit = True
        thread.join(10)


def sent(reply: Reply) -> Response:
    """The reply on the wire."""
    return Response(orjson.dumps(reply.body), reply.status, media_type="application/json")


async def _reply(program: Program, request: Request) -> Reply:
    path, method = request.url.path, request.method
    lower = path.lower().rstrip("/")
    if lower == "/health":
        return Reply(200, {"status": "ok", "faults": program.faults})
    if not program.knows(request.headers.get("MAPI-Key")):
        return failure(NO_KEY, 401)
    if lower == "/mapikey/verify":
        return _verify(program)
    if lower.startswith("/civil"):
        return failure(GONE, 404)
    if not lower.startswith(PREFIX + "/"):
        return failure(NOT_FOUND, 404)
    if method not in ("GET", "POST", "PUT", "DELETE"):
        return failure(f"{method} is not supported here", 405)
    body, problem = await _body(request) if method in ("POST", "PUT") else (None, None)
    if problem is not None:
        return problem
    return await program.answer(method, path[len(PREFIX) :], body)


def _verify(program: Program) -> Reply:
    status = "connected" if program.model.document.running else "disconnected"
    body = {"user": "emulator@localhost", "program": "gen", "connectionID": "emulator", "keyVerified": True}
    return Reply(200, {**body, "status": status})


async def _body(request: Request) -> tuple[Any, Reply | None]:
    """The parsed body, or the refusal of one too large, too deep or not JSON."""
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > LARGEST_BODY:
            return None, failure(f"body larger than {LARGEST_BODY} bytes", 413)
    if not raw.strip():
        return {}, None
    try:
        body = orjson.loads(bytes(raw))
    except orjson.JSONDecodeError as error:
        return None, failure(f"body is not JSON: {error}", 400)
    if _deeper(body, DEEPEST_BODY):
        return None, failure(f"body nested deeper than {DEEPEST_BODY} levels", 400)
    return body, None


def _deeper(value: Any, limit: int) -> bool:
    """True for JSON nested deeper than `limit`; walks level by level, so depth costs no stack."""
    level = [value]
    for _ in range(limit):
        level = [c for v in level if isinstance(v, (dict, list)) for c in (v.values() if isinstance(v, dict) else v)]
        level = [v for v in level if isinstance(v, (dict, list))]
        if not level:
            return False
    return True
