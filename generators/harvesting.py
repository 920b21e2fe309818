"""Harvest the requests of template folders into their `ko.jinja` and `en.jinja`."""

from __future__ import annotations

import os
from pathlib import Path

from gennx.generators.lexicon import LANGUAGES, folder_of
from gennx.generators.lint import Linted, lint
from gennx.schemas import Validation
from gennx.schemas.catalogue import Catalogue, Endpoint

HEAD = {
    "ko": "# requests.jsonl에서 거둔 틀. 고칠 때는 requests.jsonl을 고치고 gennx-catalog harvest를 다시 돌리세요.\n",
    "en": "# Harvested from requests.jsonl: to change these, change that and run gennx-catalog harvest again.\n",
}


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is whole or not there: a neighbour first, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(text, "utf-8", newline="\n")
    os.replace(part, path)


def harvest_folder(endpoint: Endpoint, catalogue: Catalogue, root: Path, validation: Validation) -> Linted:
    """Check the requests of one folder and write the templates of those that hold. Findings come back with the result."""
    found = lint(endpoint, catalogue, root, validation, refills=1)
    for lang in LANGUAGES:
        path = root / folder_of(endpoint.uri) / f"{lang}.jinja"
        blocks = found.blocks[lang]
        if blocks:
            write_whole(path, HEAD[lang] + "\n" + "\n".join(blocks))
        elif path.exists() and (root / folder_of(endpoint.uri) / "requests.jsonl").exists():
            path.unlink()
    return found
