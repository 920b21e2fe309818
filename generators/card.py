"""The README of a data set folder: a Hugging Face dataset card."""

from __future__ import annotations

from typing import Any

_SPLITS = {
    "train": "for training",
    "eval": "for choosing a checkpoint",
    "test": "phrasings that training has seen, with other values",
    "test_phrasing": "phrasings that appear in no other file",
    "test_endpoints": "endpoints that training never sees",
}


def dataset_card(manifest: dict[str, Any]) -> str:
    """Markdown with the card's YAML head."""
    files = manifest["files"]
    configs = "\n".join(f"      - split: {name.removesuffix('.jsonl')}\n        path: {name}" for name in files)
    rows = "\n".join(
        f"| `{name}` | {info['rows']:,} | {_SPLITS[name.removesuffix('.jsonl')]} |" for name, info in files.items()
    )
    languages = ", ".join(f"{k} {v:,}" for k, v in manifest["counts"]["language"].items())
    kinds = ", ".join(f"{k} {v:,}" for k, v in manifest["counts"]["kind"].items())
    settings = manifest["settings"]
    size = (
        "1K<n<10K" if manifest["dialogues"] < 10_000 else "10K<n<100K" if manifest["dialogues"] < 100_000 else "n>100K"
    )
    words = manifest.get("paraphrase")
    reworded = (
        f" The requests of {words['rewritten']:,} training dialogues were reworded by {words['model']}."
        if words
        else ""
    )
    return f"""---
language:
  - ko
  - en
license: apache-2.0
task_categories:
  - text-generation
tags:
  - function-calling
  - tool-use
  - structural-engineering
size_categories:
  - {size}
configs:
  - config_name: default
    data_files:
{configs}
---

# Tool-calling dialogues for MIDAS GEN NX

{manifest["dialogues"]:,} dialogues over {manifest["endpoints"]} endpoints, {manifest["tools"]} tools called, made by `gennx-gen` (seed {settings["seed"]}). Arguments were
sampled first and then said, so every value of a call stands in the user's words or follows from them; each call was checked against the endpoint's JSON Schema and run on an
emulated model, whose answer is the tool message.{reworded}

| file | dialogues | what for |
| --- | ---: | --- |
{rows}

Languages: {languages}. Kinds: {kinds}. Tokens by Qwen2.5's tokenizer and template: median {manifest["tokens"]["median"]:,}, at most {manifest["tokens"]["max"]:,}.

## Format

A line is `{{"messages": [...], "tools": "...", "meta": {{...}}}}`. `tools` is a JSON string of a list of function definitions; the assistant's `arguments` are a JSON string; a tool message has `name` and a JSON
string as `content`. `meta` says where a dialogue comes from (endpoint, method, tier, language, phrasing, and for each value the words that say it); trainers ignore it.

`coverage.html` shows what every endpoint has got; `manifest.json` holds settings, counts and the SHA-256 of each file. No person's data are in here: names and projects are made up.
"""
