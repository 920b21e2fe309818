"""What evaluation costs and how far its parts can be trusted.

    python benchmarks/evaluation.py speed MODEL --data DIR     # decoding in batches beside one-by-one generation
    python benchmarks/evaluation.py grammar MODEL --data DIR   # constrained decoding: cost a token, true turns admitted
    python benchmarks/evaluation.py retrieval --data DIR       # the right tool among the first 1, 5, 10, 20
    python benchmarks/evaluation.py bfcl EVALUATION            # our verdicts beside BFCL's

The last line of each is its record as JSON.
"""

from __future__ import annotations

import json
import random
import statistics
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

CUTS = (1, 5, 10, 20)
REQUESTS = Path(__file__).resolve().parent.parent / "tests" / "requests" / "requests.jsonl"


@click.group()
def main() -> None:
    """Benchmarks of gennx-eval."""


def closing(record: dict[str, Any]) -> None:
    """The record, as the last line."""
    click.echo(json.dumps(record, ensure_ascii=False))


# ---------------------------------------------------------------- speed


def one_by_one(decoder: Any, prompts: list[list[int]], limit: int) -> tuple[list[list[int]], float]:
    """Turns as the original system wrote them: transformers' generate, one prompt at a time; and the seconds."""
    import torch

    renderer, found = decoder.renderer, []
    started = time.perf_counter()
    with torch.inference_mode():
        for prompt in prompts:
            ids = torch.tensor([prompt], device=decoder.device)
            written = decoder.model.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=limit, do_sample=False,
                eos_token_id=renderer.end_id, pad_token_id=renderer.tokenizer.pad_token_id,
            )  # fmt: skip
            row = written[0, len(prompt) :].tolist()
            found.append(row[: row.index(renderer.end_id)] if renderer.end_id in row else row)
    return found, time.perf_counter() - started


def in_batches(decoder: Any, items: list[Any], prompts: list[list[int]], constrained: bool) -> tuple[list[Any], float]:
    """The same turns by our decoder; and the seconds, grammars included."""
    from gennx.trainer.decoding import Job

    jobs = [
        Job(p, i.tools if constrained else None, len(json.dumps(i.gold)) + len(i.said))
        for p, i in zip(prompts, items, strict=True)
    ]
    started = time.perf_counter()
    found = {one.index: one.ids for one in decoder.decode(jobs)}
    return [found[index] for index in range(len(jobs))], time.perf_counter() - started


@main.command()
@click.argument("model")
@click.option("--data", type=click.Path(path_type=Path), required=True)
@click.option("--split", default="test", show_default=True)
@click.option("--dialogues", default=1000, show_default=True, help="Dialogues decoded in batches.")
@click.option("--alone", default=16, show_default=True, help="Dialogues of these written one by one as well.")
@click.option("--limit", default=512, show_default=True, help="New tokens at most, as in the original.")
@click.option("--device", default="auto", show_default=True)
@click.option("--rows", default=None, type=int, help="Rows at once.")
@click.option("--constrained/--free", default=True, help="Also decode with grammars.")
def speed(
    model: str,
    data: Path,
    split: str,
    dialogues: int,
    alone: int,
    limit: int,
    device: str,
    rows: int | None,
    constrained: bool,
) -> None:
    """Seconds a dialogue: one by one, in batches, and in batches with grammars, in one run."""
    from gennx.trainer.evaluation.cli import load_items
    from gennx.trainer.evaluation.subject import load_decoder
    from gennx.trainer.models import pick_device

    decoder = load_decoder(model, False, pick_device(device), rows, limit)
    items = load_items(data, split, "given", dialogues, 0)
    prompts = [decoder.renderer.prompt_ids(i.messages, i.tools) for i in items]
    names = list(dict.fromkeys(i.id for i in items))
    chosen = set(random.Random(0).sample(names, min(alone, len(names))))
    few = [n for n, i in enumerate(items) if i.id in chosen]
    one_by_one(decoder, prompts[:1], 4)  # kernels and caches are set up before the clock runs
    slow, seconds = one_by_one(decoder, [prompts[n] for n in few], limit)
    record: dict[str, Any] = {
        "model": model, "device": str(decoder.device), "dialogues": len(names), "turns": len(items),
        "alone_dialogues": len(chosen), "alone_turns": len(few), "alone_s_a_dialogue": seconds / len(chosen),
        "prompt_tokens_mean": statistics.mean(map(len, prompts)), "alone_tokens_mean": statistics.mean(map(len, slow)),
    }  # fmt: skip
    for name in ("free", "constrained") if constrained else ("free",):
        fast, seconds = in_batches(decoder, items, prompts, name == "constrained")
        tokens = sum(map(len, fast))
        record[name] = {
            "s_a_dialogue": seconds / len(names), "times_faster": record["alone_s_a_dialogue"] / (seconds / len(names)),
            "seconds": seconds, "tokens_a_second": tokens / seconds, "tokens_mean": tokens / len(fast), "rows": decoder.rows,
            "same_as_alone": sum(fast[n] == s for n, s in zip(few, slow, strict=True)) / len(few),
        }  # fmt: skip
        click.echo(f"{name}: {record[name]['times_faster']:.1f} times faster a dialogue than one by one")
    closing(record)


# ---------------------------------------------------------------- grammar


@main.command()
@click.argument("model")
@click.option("--data", type=click.Path(path_type=Path), required=True)
@click.option("--split", default="test", show_default=True)
@click.option("--turns", default=300, show_default=True)
def grammar(model: str, data: Path, split: str, turns: int) -> None:
    """Walk true turns through their grammars: are they admitted, and what do a grammar and a token cost?"""
    import numpy as np
    from llguidance.numpy import fill_next_token_bitmask_par

    from gennx.trainer.config import ModelSettings
    from gennx.trainer.constrain import Constrainer
    from gennx.trainer.evaluation.cli import load_items
    from gennx.trainer.models import find_base, load_tokenizer
    from gennx.trainer.rendering import Renderer

    base = find_base(ModelSettings(name=model))
    renderer = Renderer(load_tokenizer(base.path, base.template))
    constrainer = Constrainer(renderer, len(renderer.tokenizer))
    bits = np.zeros((1, (constrainer.width + 31) // 32), np.int32)
    compiled, masked, refused = [], [], Counter[str]()
    items = load_items(data, split, "given", None, 0)[:turns]
    for item in items:
        answer: dict[str, Any] = {"role": "assistant", "content": item.said}
        if item.gold:
            answer["tool_calls"] = [{"type": "function", "function": call} for call in item.gold]
        whole, prompt = (
            renderer.text([*item.messages, answer], item.tools),
            renderer.text(item.messages, item.tools, True),
        )
        ids = renderer.encode(whole[len(prompt) : whole.rindex(renderer.end_token) + len(renderer.end_token)])
        started = time.perf_counter()
        matcher = constrainer.matcher(item.tools)
        compiled.append(time.perf_counter() - started)
        for token in ids:
            started = time.perf_counter()
            fill_next_token_bitmask_par(constrainer._executor, [(matcher, 0)], bits)
            masked.append(time.perf_counter() - started)
            if not (bits[0, token // 32] >> (token % 32)) & 1:
                refused[str(item.meta.get("endpoint"))] += 1
                break
            matcher.consume_token(token)
    closing({
        "model": model, "turns": len(items), "refused": sum(refused.values()), "refused_endpoints": dict(refused),
        "compile_ms_mean": 1e3 * statistics.mean(compiled), "compile_ms_max": 1e3 * max(compiled),
        "mask_ms_mean": 1e3 * statistics.mean(masked), "mask_ms_p95": 1e3 * sorted(masked)[int(0.95 * len(masked))],
    })  # fmt: skip


# ---------------------------------------------------------------- retrieval


def recall(asked: Iterable[tuple[str, set[str]]], whole_endpoint: bool = False) -> dict[str, Any]:
    """Shares of wanted tools (or endpoints) among the first; and milliseconds a request."""
    from gennx.trainer.retrieval import default_ranker

    ranker = default_ranker()
    hits: dict[int, list[bool]] = {cut: [] for cut in CUTS}
    spent = []
    for text, wanted in asked:
        started = time.perf_counter()
        found = [
            t.endpoint.uri if whole_endpoint else t.name
            for t in ranker.rank(text, max(CUTS) * (4 if whole_endpoint else 1))
        ]
        spent.append(time.perf_counter() - started)
        found = list(dict.fromkeys(found))
        for name in wanted:
            for cut in CUTS:
                hits[cut].append(name in found[:cut])
    shares = {f"recall@{cut}": statistics.mean(hits[cut]) if hits[cut] else None for cut in CUTS}
    return {**shares, "wanted": len(hits[1]), "ms_mean": 1e3 * statistics.mean(spent), "ms_max": 1e3 * max(spent)}


@main.command()
@click.option("--data", type=click.Path(path_type=Path), help="Data set folder, for its test splits.")
def retrieval(data: Path | None) -> None:
    """Recall of the ranker on hand-written requests, on test splits, and on names and purposes of endpoints."""
    from gennx.schemas import load_catalogue
    from gennx.trainer.evaluation.items import read_items
    from gennx.trainer.evaluation.offering import find_tool, wished

    rows = [json.loads(line) for line in REQUESTS.read_text(encoding="utf-8").splitlines()]
    record = {}
    for lang in ("ko", "en"):
        for kinds in (("single",), ("parallel", "chain")):
            asked = [
                (r["user"], {g["tool"] for g in r["gold"]}) for r in rows if r["lang"] == lang and r["kind"] in kinds
            ]
            record[f"requests {lang} {'+'.join(kinds)}"] = recall(asked)
    record["requests, all"] = recall((r["user"], {g["tool"] for g in r["gold"]}) for r in rows if r["gold"])
    for split in ("test", "test_phrasing", "test_endpoints"):
        if data is not None and (data / f"{split}.jsonl").is_file():
            items = [i for i in read_items(data / f"{split}.jsonl") if i.gold]
            for lang in ("ko", "en"):
                asked = [
                    (wished(i.messages), {find_tool(g["name"]).name for g in i.gold})
                    for i in items
                    if i.meta["language"] == lang
                ]
                record[f"{split} {lang}"] = recall(asked)
    for lang in ("ko", "en"):  # the index holds these very texts: a check of the machinery
        record[f"names {lang} (indexed)"] = recall([(e.title(lang), {e.uri}) for e in load_catalogue()], True)
        record[f"purposes {lang} (indexed)"] = recall([(e.about(lang), {e.uri}) for e in load_catalogue()], True)
    for name, figures in record.items():
        shares = "  ".join(f"@{cut} {figures[f'recall@{cut}']:.1%}" for cut in CUTS if figures["wanted"])
        click.echo(f"{name:28s} {shares}  of {figures['wanted']}, {figures['ms_mean']:.2f} ms")
    closing(record)


# ---------------------------------------------------------------- BFCL


@main.command()
@click.argument("evaluation", type=click.Path(path_type=Path))
@click.option("--shown", default=5, show_default=True, help="Disagreements printed.")
def bfcl(evaluation: Path, shown: int) -> None:
    """Agreement of our verdicts with BFCL's on the single and parallel turns of an evaluation."""
    from gennx.reports.cli import one_line
    from gennx.reports.evaluation import records
    from gennx.trainer.evaluation.bfcl import KINDS, load_matcher, reason
    from gennx.trainer.evaluation.comparing import all_exact

    matches = load_matcher()
    both, apart = Counter[str](), Counter[str]()
    with one_line():
        rows = list(records(evaluation))
    for row in rows:
        if row["expect"] != "call" or row["kind"] not in KINDS or row["malformed"]:
            continue
        ours, theirs = all_exact(row["gold"], row["found"]), matches(row["gold"], row["found"])
        both[f"ours {ours}, BFCL {theirs}"] += 1
        if ours != theirs:
            why = reason(row["gold"], row["found"]) or "unexplained"
            apart[why] += 1
            if sum(apart.values()) <= shown:
                click.echo(
                    f"{why}: {json.dumps(row['gold'], ensure_ascii=False)} / {json.dumps(row['found'], ensure_ascii=False)}"
                )
    total = sum(both.values())
    closing(
        {
            "turns": total,
            "agreement": 1 - sum(apart.values()) / total if total else None,
            "verdicts": both,
            "apart": apart,
        }
    )


if __name__ == "__main__":
    main()
