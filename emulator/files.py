"""Files that document commands write and read: in memory, or flat in one folder that the user names.

A path from a request (`C:/MIDAS/tower.mgb`) never reaches the file system: it is a key, folded to the letters that
Windows would treat alike. A folder holds each file under a name made from the path's last part and a digest.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Protocol

MAX_FILE = 64 * 2**20
MAX_FILES = 1000
UNSAFE = re.compile(r"[^0-9A-Za-z가-힣._-]")


class FilesFull(Exception):
    """A file is larger than `MAX_FILE` bytes or there are more than `MAX_FILES`."""


class Files(Protocol):
    """What document commands need of a file store."""

    def read(self, path: str) -> bytes | None:
        """Content, None when there is no such file."""

    def write(self, path: str, content: bytes) -> None:
        """Create or replace. Raises FilesFull."""


def folded(path: str) -> str:
    """The path as Windows compares it: one kind of slash, no letter case."""
    return path.strip().replace("\\", "/").lower()


class MemoryFiles:
    """Files that live as long as the emulator."""

    def __init__(self) -> None:
        self._content: dict[str, bytes] = {}

    def read(self, path: str) -> bytes | None:
        return self._content.get(folded(path))

    def write(self, path: str, content: bytes) -> None:
        key = folded(path)
        if len(content) > MAX_FILE or (key not in self._content and len(self._content) >= MAX_FILES):
            raise FilesFull(path)
        self._content[key] = content


class FolderFiles:
    """Files in one folder, flat; two paths that differ never share a file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def place(self, path: str) -> Path:
        """Where the file of a request's path lies."""
        key = folded(path)
        name = UNSAFE.sub("_", key.rsplit("/", 1)[-1])[-80:].lstrip(".") or "file"
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:12]}-{name}"

    def read(self, path: str) -> bytes | None:
        place = self.place(path)
        return place.read_bytes() if place.is_file() else None

    def write(self, path: str, content: bytes) -> None:
        place = self.place(path)
        if len(content) > MAX_FILE or (not place.exists() and sum(1 for _ in self.folder.iterdir()) >= MAX_FILES):
            raise FilesFull(path)
        place.write_bytes(content)
