"""Views (`view/*`): settings of the screen, and pictures that show nothing."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from gennx.emulator.document import Document
from gennx.emulator.files import FilesFull
from gennx.emulator.replies import NO_RESULTS, PRODUCT, Reply, complete, failure
from gennx.schemas import Tool

LARGEST = 4096  # pixels a side
NO_CASE = f"{PRODUCT} Empty Load Case Type"
BAD_PATH = "path is wrong"


def answer(document: Document, tool: Tool, arguments: Any) -> Reply:
    """One view command, its arguments already accepted."""
    name = tool.endpoint.uri.partition("/")[2]
    if name == "SELECT":
        return Reply(200, {"SELECT": {k: list(v) for k, v in document.selection.items()}})
    argument = arguments.get("Argument")
    argument = argument if isinstance(argument, dict) else {}
    if name in ("CAPTURE", "PRECAPTURE"):
        return _capture(document, argument, post=str(argument.get("SET_MODE", "")).lower() == "post")
    if name == "RESULTGRAPHIC" and document.results is None:
        return failure(NO_CASE)
    document.settings[name] = dict(argument)
    return complete()


def _capture(document: Document, argument: Mapping[str, Any], post: bool) -> Reply:
    """A white picture of the size asked for: to a file, or in the answer. In post mode it needs results."""
    if post and document.results is None:
        return failure(f"[{argument.get('URL_NAME') or 'empty'}] {NO_RESULTS}")
    sides = [argument.get("WIDTH", 800), argument.get("HEIGHT", 600)]
    width, height = (min(max(int(s), 1), LARGEST) if isinstance(s, (int, float)) else 1 for s in sides)
    picture = white_png(width, height)
    path = argument.get("EXPORT_PATH")
    if not isinstance(path, str) or not path.strip():
        return Reply(200, {"base64String": base64.b64encode(picture).decode()})
    try:
        document.files.write(path, picture)
    except FilesFull:
        return failure(BAD_PATH)
    return complete()


@lru_cache(maxsize=16)
def white_png(width: int, height: int) -> bytes:
    """A white PNG, one bit a pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\0" + b"\xff" * ((width + 7) // 8)
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row * height)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body
