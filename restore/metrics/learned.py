"""Measures on deep features (LPIPS, DISTS), computed by piq with weights that the user has.

No package holds the VGG16 they stand on, so nothing is downloaded here: what is missing is named.
"""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from restore.errors import UsageError, WeightsError
from restore.metrics.psnr import pair

VGG16 = "vgg16-397923af.pth"
FILES = {"lpips": (VGG16, "lpips_weights.pt"), "dists": (VGG16, "dists_weights.pt")}
SMALLEST = 32


def lpips(x: Tensor, y: Tensor, *, border: int = 0) -> Tensor:
    """LPIPS of each image against its reference, VGG16, version 0.1 heads (Zhang et al., CVPR 2018); lower is better.

    Args:
        x: images ``B x C x H x W`` in [0, 1], 32 px a side or more; ``y``: references of the same shape.
        border: pixels left out along each edge.

    Raises:
        WeightsError: a weight file that is not in torch's cache, by its name and place.
        UsageError: piq is not installed, or a border that leaves nothing.
    """
    return _measure("lpips", x, y, border)


def dists(x: Tensor, y: Tensor, *, border: int = 0) -> Tensor:
    """DISTS of each image against its reference (Ding et al., TPAMI 2020); lower is better. See :func:`lpips`."""
    return _measure("dists", x, y, border)


def require(name: str) -> None:
    """Checks what ``lpips`` or ``dists`` stands on, before any picture is restored for it.

    Raises:
        WeightsError, UsageError: see :func:`lpips`.
    """
    _load(name, Path(torch.hub.get_dir()) / "checkpoints")


def _measure(name: str, x: Tensor, y: Tensor, border: int) -> Tensor:
    a, b = pair(x, y, border=border)
    if min(a.shape[-2:]) < SMALLEST:
        return torch.full((len(a),), torch.nan, dtype=torch.float64, device=a.device)
    model = _load(name, Path(torch.hub.get_dir()) / "checkpoints")
    a, b = (v.float().clamp(0, 1).expand(-1, 3, -1, -1) for v in (a, b))
    with torch.no_grad():
        return torch.stack([model(p, q).double() for p, q in zip(a.split(1), b.split(1), strict=True)])


@cache
def _load(name: str, folder: Path) -> Any:
    missing = [file for file in FILES[name] if not (folder / file).exists()]
    if missing:
        raise WeightsError(
            f"{name} needs {' and '.join(missing)} in {folder}, and cannot be measured without",
            hint="VGG16's file is torchvision's, the other one is published by piq; niqe, gmsd and ms-ssim need none",
        )
    try:
        import piq
    except ImportError as error:
        raise UsageError(
            f"{name} needs piq, which is not installed", hint='pip install "restore-kit[metrics]"'
        ) from error
    with warnings.catch_warnings():  # piq asks torchvision in a way that is on its way out
        warnings.simplefilter("ignore", UserWarning)
        return {"lpips": piq.LPIPS, "dists": piq.DISTS}[name](reduction="mean").eval()
