"""Harvest the requests of template folders into their `ko.jinja` and `en.jinja`."""

from __future__ import annotations

import json
import os
from pathlib import Path

from gennx.generators.bank import TemplateProblem, parse_request
from gennx.generators.lexicon import LANGUAGES, folder_of
from gennx.generators.lint import Finding, Linted, lint
from gennx.schemas import Validation
from gennx.schemas.catalogue import Catalogue, CatalogueError, Endpoint

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


def stale(endpoint: Endpoint, root: Path, linted: Linted) -> list[Finding]:
    """A finding for each template file that is not what its requests give now, where nothing else is wrong with them."""
    folder = root / folder_of(endpoint.uri)
    out = []
    for lang in LANGUAGES if not linted.findings else ():
        path, blocks = folder / f"{lang}.jinja", linted.blocks[lang]
        wanted = HEAD[lang] + "\n" + "\n".join(blocks) if blocks else ""
        if wanted != (path.read_text("utf-8") if path.exists() else ""):
            mend = f"gennx-catalog harvest --endpoint {endpoint.uri}"
            out.append(Finding(str(path), "stale", f"not what requests.jsonl gives now; run {mend}"))
    return out


def add_requests(path: Path, root: Path, catalogue: Catalogue) -> list[str]:
    """Sort a file of requests into the folders below `root`; the addresses of the endpoints it holds. Raises TemplateProblem naming file and line."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateProblem(f"{path}: cannot be read as UTF-8 text ({error})") from None
    sorted_: dict[str, list[str]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        try:
            row = json.loads(line)
            row = {**row, **row.pop("gold")} if isinstance(row.get("gold"), dict) else row
            endpoint = catalogue.endpoint(str(row["endpoint"]))
        except (json.JSONDecodeError, KeyError, AttributeError):
            raise TemplateProblem(
                f'{place}: wants a JSON object with "endpoint", "method", "lang", "user", and "ids" or "body"'
            ) from None
        except CatalogueError as error:
            raise TemplateProblem(f"{place}: {error}") from None
        kept = {k: row[k] for k in ("id", "lang", "user", "method", "ids", "body", "keep") if row.get(k) is not None}
        text = json.dumps(kept, ensure_ascii=False)
        parse_request(text, place, endpoint)
        sorted_.setdefault(endpoint.uri, []).append(text)
    if not sorted_:
        raise TemplateProblem(f"{path}: holds no requests")
    for uri, texts in sorted_.items():
        target = root / folder_of(uri) / "requests.jsonl"
        old = target.read_text("utf-8").splitlines() if target.exists() else []
        write_whole(target, "\n".join(dict.fromkeys([*old, *texts])) + "\n")
    return list(sorted_)
