"""The command `gennx-eval`."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gennx.trainer.errors import TrainerError, note, one_line_errors
from gennx.trainer.options import beside_option, best_of_option, device_option

if TYPE_CHECKING:
    from gennx.trainer.evaluation.items import Item
    from gennx.trainer.evaluation.keeping import Folder


def load_items(data: Path, split: str, tools: str, limit: int | None, seed: int) -> list[Item]:
    """What is asked: a prepared file as it is, requests and dialogues with the tools that `--tools` wants."""
    from gennx.trainer.evaluation.items import find_split, read_items

    path = find_split(data, split)
    with path.open(encoding="utf-8", errors="replace") as lines:
        head = next((line for line in lines if line.strip()), "")
    if '"user"' in head and '"gold"' in head and '"messages"' not in head:
        from gennx.trainer.evaluation.offering import parse_offer
        from gennx.trainer.evaluation.request_items import read_requests

        items = read_requests(path, parse_offer(tools), seed)
    else:
        items = read_items(path)
        if tools != "given":
            from gennx.trainer.evaluation.offering import parse_offer, reoffer

            items = reoffer(items, parse_offer(tools), seed)
    if limit is not None:
        kept = list(dict.fromkeys(item.id for item in items))[:limit]
        items = [item for item in items if item.id in set(kept)]
    return items


def digest(items: Sequence[Item]) -> str:
    """SHA-256 over everything that is asked."""
    whole = hashlib.sha256()
    for item in items:
        whole.update(json.dumps(asdict(item), ensure_ascii=False, sort_keys=True).encode())
    return whole.hexdigest()


def default_out(model: str | None, data: Path, split: str, tools: str, mode: str) -> Path:
    """evaluations/MODEL-SPLIT-TOOLS-MODE."""
    parts = (
        Path(model).name if model else "predictions",
        data.stem if data.is_file() else Path(split).stem,
        tools,
        mode,
    )
    return Path("evaluations") / re.sub(r"[^\w.+-]+", "-", "-".join(p for p in parts if p != "given").lower())


def known_run(predictions: Path, what: dict[str, Any]) -> dict[str, Any]:
    """What was evaluated: by the run.json beside the predictions if there is one. Raises TrainerError if it is of
    other data."""
    from gennx.trainer.evaluation.keeping import RUN, read_json

    path = predictions.with_name(RUN)
    if not path.is_file():
        return what
    known = read_json(path)
    if known.get("items_sha256") != what["items_sha256"]:
        raise TrainerError(f"{predictions}: written for other data than --data {what['data']}", f"see {path}")
    return {**known, "data": what["data"]}


def finish(items: Sequence[Item], predictions: Path, folder: Folder) -> None:
    """Score, write the page, print the headline; where the packages for it are absent, say so."""
    try:
        from gennx.trainer.evaluation.scoring import score, table
    except ModuleNotFoundError as error:
        note(f"{error.name} is not installed here: score with gennx-eval --data THE_SAME --predictions {predictions} "
             "where gennx is installed whole")  # fmt: skip
        return
    metrics = score(items, predictions, folder.path, folder.what)
    click.echo(table(metrics))
    from gennx.reports.evaluation import write_page

    click.echo(str(write_page([folder.path])))


@click.command(context_settings={"max_content_width": 110})
@click.argument("model", required=False)
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Data set folder, or a file of items.")
@click.option(
    "--split", default="test", show_default=True, help="Split of the folder, or a file of dialogues or requests."
)
@click.option(
    "--tools",
    default="given",
    show_default=True,
    help="given, 8 (in all), +8 (look-alikes), 8:close, 8:random, retrieved:10.",
)
@click.option(
    "--constrained/--free", default=False, help="Hold the model to the grammar of the offered tools (llguidance)."
)
@best_of_option
@beside_option
@click.option("--base", is_flag=True, help="Evaluate the base of the run, without what was trained.")
@click.option("--rollout", is_flag=True, help="Also run whole dialogues on the model's own calls, on the emulator.")
@click.option("--predictions", type=click.Path(path_type=Path), help="Score this file instead of generating.")
@click.option("--endpoint", help="Ask this OpenAI-compatible server; MODEL is its model name, OPENAI_API_KEY its key.")
@click.option("--prepare", type=click.Path(path_type=Path), help="Only write what would be asked to this file.")
@click.option("--no-score", is_flag=True, help="Only generate; score later with --predictions.")
@click.option("--batch-size", default="auto", show_default=True, help="Rows at once; halved when memory runs out.")
@click.option(
    "--timed",
    type=click.IntRange(0),
    help="Turns written one at a time for the latency.  [default: 24 on a GPU, 4 on the CPU]",
)
@click.option("--max-new-tokens", default=1024, show_default=True, type=click.IntRange(1))
@click.option("--limit", type=click.IntRange(1), help="Only the first dialogues.")
@click.option("--seed", default=0, show_default=True, help="Choice of look-alikes.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write.  [default: evaluations/...]")
@click.option("--overwrite", is_flag=True, help="Start anew in that folder.")
@device_option
@one_line_errors
def main(
    model: str | None, data: Path, split: str, tools: str, constrained: bool, best_of: int, beside: tuple[Path, ...], base: bool,
    rollout: bool, predictions: Path | None, endpoint: str | None, prepare: Path | None, no_score: bool, batch_size: str,
    timed: int | None, max_new_tokens: int, limit: int | None, seed: int, out: Path | None, overwrite: bool, device: str,
) -> None:  # fmt: skip
    """Evaluate MODEL (a run of gennx-train, a short name, a folder), e.g.

    gennx-eval runs/tier1 --data data/gennx-tier1-seed0 --split test --constrained

    gennx-eval --data DIR --split tests/requests/requests.jsonl --tools +8 --prepare items.jsonl
    """
    rows = batch_rows(batch_size)
    if model is None and predictions is None and prepare is None:
        raise TrainerError("nothing to evaluate", "give a MODEL, --predictions FILE or --prepare FILE")
    items = load_items(data, split, tools, limit, seed)
    if prepare is not None:
        from gennx.trainer.evaluation.items import write_items

        write_items(items, prepare)
        click.echo(f"{len(items):,} turns of {len({item.id for item in items}):,} dialogues in {prepare}")
        return
    from gennx.trainer.evaluation.keeping import ITEMS, PREDICTIONS, Folder

    for option, given in (("--best-of", best_of > 1), ("--beside", beside)):
        if given and endpoint:
            raise TrainerError(f"{option} needs a model of our own", "leave it out with --endpoint")
    mode = "endpoint" if endpoint else "constrained" if constrained else "free"
    mode += f", best of {best_of}" if best_of > 1 else ""
    mode += "".join(f", beside {other.name}" for other in beside)
    what = {
        "model": (model or str(predictions)) + (" (base)" if base else "") + "".join(f" beside {other}" for other in beside), "mode": "predictions" if predictions else mode,
        "data": str(data), "split": data.stem if data.is_file() else split,
        "tools": str(items[0].meta.get("offer", tools)) if items else tools, "seed": seed, "items_sha256": digest(items),
        "max_new_tokens": max_new_tokens,
    }  # fmt: skip
    if predictions is not None:
        what = known_run(predictions, what)
    folder = Folder(out or default_out(model, data, split, tools, mode + ("-base" if base else "")), what, overwrite)
    if not no_score and not (folder.path / ITEMS).is_file():
        folder.put_items(items)
    if predictions is not None:
        finish(items, predictions, folder)
        return
    assert model is not None
    left = [item for item in items if item.key not in (done := folder.done())]
    note(f"{len(left):,} turns to write, {len(done):,} written already, in {folder.path}")
    writer = None
    if endpoint is None and (left or rollout):
        from gennx.trainer.beside import Writer
        from gennx.trainer.evaluation.subject import load_decoder
        from gennx.trainer.models import pick_device

        place = pick_device(device)
        others = tuple(load_decoder(str(other), False, place, rows, max_new_tokens) for other in beside)
        decoder = load_decoder(model, base, place, rows, max_new_tokens)
        writer = Writer(decoder, constrained, best_of, others)
    took = None
    try:
        if endpoint is not None:
            from gennx.trainer.evaluation.subject import ask_all

            took = ask_all(endpoint, model, os.environ.get("OPENAI_API_KEY", ""), left, max_new_tokens, folder.keep)
        elif left and writer is not None:
            from gennx.trainer.evaluation.subject import generate_all

            took = generate_all(writer, left, folder.keep, timed)
    except KeyboardInterrupt:
        folder.close()
        note(f"\ninterrupted; what is written is kept in {folder.path}, run the same command again to go on")
        raise SystemExit(130) from None
    finally:
        folder.close(took)
    if took:
        note(", ".join(f"{key} {value}" for key, value in took.items()))
    if rollout and writer is not None:
        from gennx.trainer.evaluation.rollout import roll_out

        folder.what["rollout"] = roll_out(writer, items, folder.path)
        folder.close({"turns": 1, **(folder.what.get("took") or {})})
    if not no_score:
        finish(items, folder.path / PREDICTIONS, folder)


def batch_rows(text: str) -> int | None:
    """`--batch-size` as rows, None for auto. Raises TrainerError."""
    if text == "auto":
        return None
    if not text.isdigit() or not 1 <= int(text) <= 4096:
        raise TrainerError(f"--batch-size {text}: no number of rows", "take auto or a number such as 64")
    return int(text)


if __name__ == "__main__":
    main()
