"""What every degradation draws and makes, in a few numbers: published scores rest on their staying the same.

PYTHONPATH=tests python -m frozen        # writes tests/frozen.tsv anew, after a change that is meant
"""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import torch

from restore.degradations import degradation, names
from restore.degradations import sample as draw

TABLE = Path(__file__).with_name("frozen.tsv")
SIDES, SEVERITIES, COUNT = (32, 64, 224, 500), (None, 1, 2, 3, 4, 5), 24
COLUMNS = ("name", "parameters", "mild", "strong")


def every_name() -> list[str]:
    """All names, and each with each of the choices that its knobs offer."""
    found = []
    for name in sorted(names()):
        found.append(name)
        for key, knob in getattr(degradation(name), "knobs", {}).items():
            found += [f"{name}:{key}={choice}" for choice in knob.choices if len(knob.choices) < 12]
    return found


def parameters_of(name: str) -> str:
    """A digest of what is drawn at every severity and size, and of what the knobs say of themselves."""
    d = degradation(name)
    told: list[Any] = []
    for key, knob in getattr(d, "knobs", {}).items():
        told.append(
            (key, knob.legal, knob.span, knob.unit, knob.default, knob.whole, knob.is_length, knob.choices)
        )
    for side in SIDES:
        for severity in SEVERITIES:
            params = d.sample((COUNT, 3, side, side), severity=severity, generator=draw.generator(side))
            told.append(params.to_json())
    return hashlib.sha256(json.dumps(_rounded(told), sort_keys=True).encode()).hexdigest()[:12]


def _rounded(value: Any) -> Any:
    """Numbers to five digits, so that another processor's last bit is no change."""
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    return [_rounded(v) for v in value] if isinstance(value, list | tuple) else value


def picture() -> torch.Tensor:
    """1 x 3 x 48 x 56: slopes, an edge, a bright and a dark corner, some noise beyond the range."""
    g = draw.generator(3)
    down, right = torch.linspace(0, 1, 48)[:, None], torch.linspace(0, 1, 56)[None]
    x = torch.stack([down + 0 * right, right + 0 * down, (down - right).abs()])
    x[:, 20:30, 10:40] = 1 - x[:, 20:30, 10:40]
    x[:, :8, :8], x[:, -8:, -8:] = 1.0, 0.0
    return (x + 0.03 * torch.randn(x.shape, generator=g))[None]


def pixels_of(name: str, severity: int) -> list[float]:
    """Mean, deviation, and three weighted means of a degraded picture."""
    y, _ = degradation(name)(picture(), severity=severity, generator=draw.generator(severity))
    y = y.double()
    h, w = y.shape[-2:]
    rows, columns = torch.linspace(-1, 1, h).double()[:, None], torch.linspace(-1, 1, w).double()[None]
    checks = (torch.arange(h)[:, None] + torch.arange(w)[None]) % 2 * 2.0 - 1
    made = [y.mean(), y.std(), (y * rows).mean(), (y[:, :1] * columns).mean(), (y * checks).mean()]
    return [float(v) for v in made]


def frozen() -> dict[str, dict[str, str]]:
    """The committed numbers by name."""
    with TABLE.open(newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file, delimiter="\t")}


def write() -> None:
    """The numbers of this code."""
    with TABLE.open("w", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(COLUMNS)
        for name in every_name():
            made = [" ".join(f"{v:.5f}" for v in pixels_of(name, severity)) for severity in (2, 5)]
            table.writerow([name, parameters_of(name), *made])


if __name__ == "__main__":
    write()
