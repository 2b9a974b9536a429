"""How sure a restorer is of every pixel: lower and upper bounds, calibrated by conformal risk control.

Half-widths are ``scale * exp(w . f)``: ``f`` says per pixel how large the error usually is where the picture looks like
this (spread over mirrored copies, what was taken away around here, edges around here, all fine differences together);
``w`` comes from a regression of log |error| on training photographs, and ``scale`` from conformal risk control
(Angelopoulos et al. 2022, "Conformal Risk Control" and "Image-to-image regression with distribution-free uncertainty
quantification") on other pictures, per degradation, so that the expected share of values outside is at most 1 - level.
That promise holds for pictures like the calibration's and degradations that were calibrated; elsewhere it is measured
(``python -m restore.bench.tables.coverage``), not promised.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from restore.errors import UsageError, WeightsError, did_you_mean
from restore.files.bounded import parse_json, read_text

SCHEMA = 1
# The picture itself and its mirror images; the first is the one that is returned.
FLIPS: tuple[tuple[int, ...], ...] = ((), (-1,), (-2,), (-2, -1))
# Entry of a table calibrated over all its degradations together, for when nobody says which it is.
POOLED = "pooled"
_STEP = 0.25 / 255  # half-widths below a quarter of an 8-bit step mean nothing
_ROWS = 512


@dataclass(frozen=True)
class Calibration:
    """What lies beside the weights as ``intervals.json``.

    Args:
        restorer: whom it was made for; ``identity``: SHA-256 of its weights (of name and version where it has none).
        coefficients: ``w``, see :func:`log_scale`.
        scales: per degradation and level (``"0.9"``) the factor on ``exp(w . f)``.
        about: pictures, protocol, command.
    """

    restorer: str
    identity: str
    coefficients: tuple[float, ...]
    scales: dict[str, dict[str, float]]
    about: dict[str, Any]

    def scale(self, level: float, degradation: str | None) -> float:
        """The factor for a level and a degradation (None: the pooled one).

        Raises:
            UsageError: one that was not calibrated.
        """
        row = self.scales.get(degradation or POOLED)
        if row is None:
            raise UsageError(
                f"no interval of {self.restorer} is calibrated for {degradation!r}",
                hint=did_you_mean(str(degradation), self.scales),
            )
        found = next((v for k, v in row.items() if abs(float(k) - level) < 1e-9), None)
        if found is None:
            raise UsageError(
                f"no interval is calibrated for level {level:g}", hint=f"known: {', '.join(row)}"
            )
        return found

    def to_json(self) -> dict[str, Any]:
        """The file's content."""
        return {
            "schema": SCHEMA,
            "restorer": self.restorer,
            "identity": self.identity,
            "coefficients": [float(f"{c:.6g}") for c in self.coefficients],
            "scales": self.scales,
            "about": self.about,
        }


def read_calibration(path: Path, *, identity: str, restorer: str) -> Calibration:
    """A table checked against the weights it is to be used with.

    Raises:
        WeightsError: missing, damaged, or made for other weights.
    """
    again = "python -m restore.bench.tables.coverage makes one for these weights"
    try:
        path.stat()
        data = parse_json(read_text(path, error=WeightsError, what="the intervals"))
    except OSError:
        raise WeightsError(
            f"{restorer} has no calibrated intervals ({path} is missing)", hint=again
        ) from None
    except ValueError as error:
        raise WeightsError(f"{path} is no calibration: {error}", hint=again) from error
    try:
        if data["schema"] != SCHEMA:
            raise ValueError(f"expected schema {SCHEMA}, got {data['schema']}")
        made = Calibration(
            data["restorer"], data["identity"], tuple(data["coefficients"]), data["scales"], data["about"]
        )
        if not all(isinstance(c, int | float) and math.isfinite(c) for c in made.coefficients):
            raise ValueError("expected coefficients that are finite numbers")
        rows = [*made.scales.values()]
        if not all(isinstance(v, int | float) and math.isfinite(v) for row in rows for v in row.values()):
            raise ValueError("expected scales that are finite numbers")
        if len(made.coefficients) != COEFFICIENTS:
            raise ValueError(f"expected {COEFFICIENTS} coefficients, got {len(made.coefficients)}")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WeightsError(f"{path} is no calibration: {error}", hint=again) from error
    if made.identity != identity:
        raise WeightsError(
            f"the intervals in {path.name} were calibrated for other weights of {restorer}: "
            f"{made.identity[:12]}..., these are {identity[:12]}...",
            hint=again,
        )
    return made


@torch.no_grad()
def restore_with_spread(restore: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """The restored ``B x C x H x W`` (clamped) and the standard deviation over its mirror images, ``B x 1 x H x W``."""
    first: Tensor | None = None
    total = square = torch.zeros(())
    for axes in FLIPS:
        y = restore(x.flip(axes) if axes else x).clamp(0, 1)
        y = y.flip(axes) if axes else y
        if first is None:
            first, total, square = y, torch.zeros_like(y), torch.zeros_like(y)
        total += y - first
        square += (y - first).square()
    assert first is not None
    n = len(FLIPS)
    variance = (square / n - (total / n).square()).clamp(min=0).mean(1, keepdim=True)
    return first, variance.sqrt()


def bounds(y: Tensor, half: Tensor, *, top: float | None = None) -> tuple[Tensor, Tensor]:
    """``y`` less and plus its half-widths, within [0, 1]; rounded outwards to multiples of 1 / ``top``."""
    lower, upper = ((y + sign * half).clamp(0, 1) for sign in (-1, 1))
    return (lower, upper) if top is None else ((lower * top).floor() / top, (upper * top).ceil() / top)


def log_scale(x: Tensor, y: Tensor, spread: Tensor) -> Tensor:
    """``f``: ``B x COEFFICIENTS x H x W`` from degraded ``x``, restored ``y`` (same size) and ``spread``.

    The features are logarithms; beside them stand their squares and products, and a constant.
    """
    rest = (x.clamp(0, 1) - y).square().mean(1, keepdim=True)
    steep = _steepness(y)
    low = y.mean(1, keepdim=True)
    features = [
        torch.log(_around(spread, 3) + _STEP),
        torch.log(_around(rest, 9).sqrt() + _STEP),
        torch.log(rest.mean((2, 3), keepdim=True).sqrt() + _STEP).expand_as(rest),
        torch.log(_around(steep, 3) + _STEP),
        torch.log(_around(steep, 15) + _STEP),
        torch.log(torch.minimum(low, 1 - low).clamp(min=0) + 0.01),
    ]
    f = torch.cat(features, 1) + 3.5  # about zero, so that products do not repeat the features themselves
    pairs = [f[:, i : i + 1] * f[:, j : j + 1] for i in range(f.shape[1]) for j in range(i, f.shape[1])]
    return torch.cat([torch.ones_like(rest), f, *pairs], 1)


COEFFICIENTS = 1 + 6 + 21


def usual_error(x: Tensor, y: Tensor, spread: Tensor, coefficients: tuple[float, ...]) -> Tensor:
    """``exp(w . f)``: ``B x 1 x H x W``, by bands of rows so that memory stays that of a few pictures."""
    w = torch.tensor(coefficients, dtype=torch.float32)
    height, border = x.shape[-2], 16
    level = (x.clamp(0, 1) - y).square().mean((1, 2, 3), keepdim=True).sqrt()
    parts = []
    for top in range(0, height, _ROWS):
        bottom = min(height, top + _ROWS)
        outer = slice(max(0, top - border), min(height, bottom + border))
        f = log_scale(x[..., outer, :], y[..., outer, :], spread[..., outer, :])
        _set_level(f, level)
        s = torch.einsum("k,bkhw->bhw", w, f)[:, None]
        parts.append(s[..., top - outer.start : top - outer.start + bottom - top, :])
    return torch.exp(torch.cat(parts, 2).clamp(-9, 0))


def _set_level(f: Tensor, level: Tensor) -> None:
    """Puts the whole picture's level where a band has put its own."""
    whole = (torch.log(level + _STEP) + 3.5).expand(-1, 1, *f.shape[-2:])
    f[:, 3:4] = whole
    k = 7
    for i in range(6):
        for j in range(i, 6):
            if 2 in (i, j):
                other = f[:, 1 + (i if j == 2 else j)]
                f[:, k] = other * whole[:, 0]
            k += 1


def _steepness(y: Tensor) -> Tensor:
    p = F.pad(y, (0, 1, 0, 1), mode="replicate")
    return ((p[..., :-1, 1:] - y).abs() + (p[..., 1:, :-1] - y).abs()).mean(1, keepdim=True)


def _around(p: Tensor, size: int) -> Tensor:
    half = size // 2
    padded = F.pad(p, (half,) * 4, mode="replicate")
    return F.avg_pool2d(F.avg_pool2d(padded, (1, size), stride=1), (size, 1), stride=1)
