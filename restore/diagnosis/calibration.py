"""Raw statistics to values with error bars: small perceptrons fitted to three quantiles on simulated pictures.

A head minimises the pinball loss at 5, 50 and 95 % (Koenker and Bassett, "Regression quantiles", 1978); its interval is
then widened until it holds 90 % of held-out pictures (Romano, Patterson and Candes, "Conformalized quantile
regression", NeurIPS 2019). The numbers are those of ``calibration.json``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("calibration.json")
# Statistics further from the mean than this many deviations are taken as that far: nothing is extrapolated.
FAR = 4.0


@dataclass(frozen=True)
class Head:
    """One quantity's perceptron.

    Args:
        mean, scale: of the statistics, n each.
        hidden, hidden_bias: ``m x n`` and ``m``.
        out, out_bias: ``3 x (m + n)`` and 3: lower end, value, upper end, from the hidden units and the statistics.
        widen: what conformal prediction adds at both ends.
        least, most: the range of what comes out.
    """

    mean: np.ndarray
    scale: np.ndarray
    hidden: np.ndarray
    hidden_bias: np.ndarray
    out: np.ndarray
    out_bias: np.ndarray
    widen: np.ndarray
    least: float
    most: float

    def __call__(self, statistics: np.ndarray) -> tuple[float, float, float]:
        """Value, lower and upper end from n statistics; the ends enclose the value."""
        x = np.clip((statistics - self.mean) / self.scale, -FAR, FAR)
        units = np.concatenate([np.tanh(self.hidden @ x + self.hidden_bias), x])
        low, value, high = self.out @ units + self.out_bias
        low, high = low - self.widen[0], high + self.widen[1]
        value, low, high = (float(np.clip(v, self.least, self.most)) for v in (value, low, high))
        return value, min(low, value), max(high, value)


@cache
def load_head(name: str) -> Head:
    """The head of a quantity by its name."""
    return head_from_json(_read()[name])


def head_from_json(record: dict[str, object]) -> Head:
    """A head from what :func:`head_to_json` made of it."""
    arrays = {k: np.array(v) if isinstance(v, list) else v for k, v in record.items()}
    return Head(**arrays)  # type: ignore[arg-type]


def head_to_json(head: Head) -> dict[str, object]:
    """JSON-able, four significant digits."""

    def rounded(value: object) -> object:
        if isinstance(value, np.ndarray):
            return [rounded(v) for v in value]
        return float(f"{float(value):.4g}")  # type: ignore[arg-type]

    return {key: rounded(value) for key, value in vars(head).items()}


@cache
def _read() -> dict[str, dict[str, object]]:
    return json.loads(FILE.read_text())["heads"]
