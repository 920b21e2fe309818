"""More data where a model fails: weights of endpoints from an evaluation (`gennx-gen --focus DIR`)."""

from __future__ import annotations

import json
from pathlib import Path

from gennx.generators.settings import BadSettings

MOST = 3.0
"""Times the usual number of dialogues that an endpoint gets whose calls all fail."""
PRIOR_CALLS = 2.0
"""An endpoint's share is drawn towards that of all as if so many more calls had been measured."""


def weights(eval_dir: Path) -> dict[str, float]:
    """Endpoint -> times the usual number of dialogues, between 1 and MOST; endpoints that were not measured are absent.

    From the shares of exact calls in metrics.json of an evaluation. Raises BadSettings.
    """
    path = eval_dir / "metrics.json"
    try:
        measured = json.loads(path.read_text(encoding="utf-8"))["by"]["endpoint"]
        shares = {str(uri): figures["calls_exact"] for uri, figures in measured.items()}
        total = sum(share["n"] for share in shares.values())
        mean = sum(share["value"] * share["n"] for share in shares.values()) / total
    except OSError as error:
        raise BadSettings(f"--focus {path}: {error.strerror}; name a folder that gennx-eval has scored") from None
    except (ValueError, KeyError, TypeError, ZeroDivisionError):
        raise BadSettings(f"--focus {path}: holds no shares by endpoint; score the evaluation again") from None
    out = {}
    for uri, share in shares.items():
        near = (share["value"] * share["n"] + mean * PRIOR_CALLS) / (share["n"] + PRIOR_CALLS)
        out[uri] = round(1 + (MOST - 1) * (1 - near), 2)
    return out
