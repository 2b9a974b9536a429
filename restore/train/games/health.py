"""Whether a game is well: numbers to watch, and alarms with names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from restore.errors import TrainingError
from restore.metrics.exposure import WHITE, mean_luma

# A critic whose margin stays above this has nothing left to learn, and the generator nothing left to learn from.
WON_MARGIN = 0.9
# Below these shares of the ordinary spread an output says next to nothing.
FLAT, ALIKE = 0.15, 0.1
NEW_CLIPPED = 0.02


@torch.no_grad()
def game_notes(x: Tensor, out: Tensor, normal: Tensor, added: Tensor) -> dict[str, Tensor]:
    """Numbers of a batch ``B x 3 x H x W`` that tell a working generator from a collapsed one.

    ``luma`` mean luma of the output; ``ratio`` to that of the input; ``added`` mean of what is added;
    ``contrast`` spread inside the outputs over that inside well-lit pictures; ``variety`` spread between the
    outputs over that between the inputs, both as thumbnails (1 for a single picture: it cannot be told);
    ``clipped`` share of pixels that the output newly burns out.
    """
    x, out, normal = (v.float() for v in (x, out, normal))
    contrast = out.std((2, 3)).mean() / normal.std((2, 3)).mean().clamp(min=1e-6)
    thumbs = [F.adaptive_avg_pool2d(v, 8) for v in (out, x)]
    # Relative to the brightness: a bright copy of a dark batch varies more in absolute terms.
    spreads = [(t.std(0) / t.mean().clamp(min=1e-3)).mean() if len(t) > 1 else t.new_ones(()) for t in thumbs]
    burnt = ((out > WHITE) & (x <= WHITE)).any(1).float().mean()
    return {
        "luma": mean_luma(out).mean(),
        "ratio": mean_luma(out).mean() / mean_luma(x).mean().clamp(min=1e-6),
        "added": added.float().abs().mean(),
        "contrast": contrast,
        "variety": spreads[0] / spreads[1].clamp(min=1e-6),
        "clipped": burnt,
    }


def watcher(*, patience: int = 10) -> Callable[[Mapping[str, float], dict[str, Any]], Sequence[str]]:
    """``watch(numbers, carried)``: the alarms of a log window. Counts are kept in ``carried["alarms"]``.

    Args:
        patience: windows in a row after which "critic won" is said, and after which a collapse ends the run.

    Raises:
        TrainingError: (from ``watch``) a collapse that lasts: going on would only cost time.
    """

    def watch(numbers: Mapping[str, float], carried: dict[str, Any]) -> list[str]:
        counts: dict[str, int] = carried.setdefault("alarms", {})
        found = {
            "critic won": any(v > WON_MARGIN for k, v in numbers.items() if k.startswith("margin")),
            "collapse, the outputs are flat": numbers.get("contrast", 1.0) < FLAT,
            "collapse, the outputs are all alike": numbers.get("variety", 1.0) < ALIKE,
            "saturation": numbers.get("clipped", 0.0) > NEW_CLIPPED,
        }
        alarms = []
        for name, seen in found.items():
            counts[name] = counts.get(name, 0) + 1 if seen else 0
            if counts[name] >= (patience if name == "critic won" else 1):
                alarms.append(_words(name, numbers))
            if name.startswith("collapse") and counts[name] >= patience:
                raise TrainingError(
                    f"{name}: {patience} log windows in a row ({_words(name, numbers)})",
                    hint="a lower --set critic_lr=..., smaller critics, or a larger weight of the feature terms",
                )
        return alarms

    return watch


def _words(name: str, numbers: Mapping[str, float]) -> str:
    keys = {"critic won": "margin", "saturation": "clipped"}.get(name, "contrast variety").split()
    shown = ", ".join(f"{k} {v:.2g}" for k, v in numbers.items() if any(k.startswith(key) for key in keys))
    return f"{name} ({shown})"


def validation_alarms(scores: Mapping[str, float]) -> list[str]:
    """Alarms of a validation: brightened too little, clipped too much, or coloured."""
    found = []
    if scores.get("luma_in", 1.0) < 0.2 and scores["luma_out"] < 1.2 * scores["luma_in"]:
        found.append(f"weak brightening (luma {scores['luma_in']:.2f} to {scores['luma_out']:.2f})")
    if scores.get("burnt", 0.0) > NEW_CLIPPED:
        found.append(f"saturation ({scores['burnt']:.1%} of the pixels newly burnt out)")
    if scores.get("cast", 0.0) > 5:
        found.append(f"colour cast (mean colour moved by {scores['cast']:.1f} Lab units)")
    return found
