"""`gennx-emulator serve`: the emulated program on a port."""

from __future__ import annotations

from pathlib import Path

import click

from gennx.emulator.files import FolderFiles
from gennx.emulator.model import Model


@click.group()
def main() -> None:
    """An emulated MIDAS GEN NX, e.g. gennx-emulator serve --port 8900"""


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8900, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option("--key", default=None, help="The only MAPI-Key to accept; without it any key will do.")
@click.option("--files", type=click.Path(file_okay=False, path_type=Path), help="Folder for saved and exported files.")
@click.option("--faithful", is_flag=True, help="Let a DELETE without record numbers empty its table, as the real one.")
@click.option("--strict", is_flag=True, help="Refuse whatever breaks the catalogue or refers to nothing.")
def serve(host: str, port: int, key: str | None, files: Path | None, faithful: bool, strict: bool) -> None:
    """Serve one program until interrupted, e.g. gennx-emulator serve --port 8900 --files saved/

    Clients use the base address http://127.0.0.1:8900/gen and any MAPI-Key.
    """
    try:
        import uvicorn

        from gennx.emulator.server import build
    except ImportError as error:
        raise click.ClickException(f"{error.name} is missing: pip install 'gennx[emulator]'") from None
    try:
        store = FolderFiles(files) if files is not None else None
    except OSError as error:
        raise click.ClickException(f"--files {files}: {error.strerror}; name a folder that can be written") from None
    app = build(Model(files=store, faithful=faithful), key, strict)
    click.echo(f"emulated GEN NX at http://{host}:{port}/gen", err=True)
    uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False, lifespan="off")


if __name__ == "__main__":
    main()
