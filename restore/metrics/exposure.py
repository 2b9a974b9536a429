"""How bright, how clipped, how coloured pictures are: what needs no reference, or only the input.

Every function takes ``B x 3 x H x W`` in [0, 1] and gives B values.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from restore.image import to_grey

BLACK, WHITE = 0.01, 0.99


def mean_luma(x: Tensor) -> Tensor:
    """Mean of full-range luma (BT.601)."""
    return to_grey(x).mean((1, 2, 3))


def clipped(x: Tensor) -> tuple[Tensor, Tensor]:
    """Shares of pixels with luma below 0.01 and above 0.99."""
    luma = to_grey(x)
    return (luma < BLACK).float().mean((1, 2, 3)), (luma > WHITE).float().mean((1, 2, 3))


def burnt_share(x: Tensor) -> Tensor:
    """Share of pixels in which a channel is above 0.99: highlights whose colour is lost."""
    return (x.amax(1) > WHITE).float().mean((1, 2))


def misexposure(x: Tensor, *, level: float = 0.6, side: int = 16) -> Tensor:
    """Mean distance of the luma of ``side`` x ``side`` pixels from ``level`` (pictures smaller than that: of all)."""
    luma = to_grey(x)
    side = min(side, *luma.shape[-2:])
    return (F.avg_pool2d(luma, side) - level).abs().mean((1, 2, 3))


def colour_cast(x: Tensor, source: Tensor) -> Tensor:
    """How far the mean colour moved (Lab, a and b, CIE units) after ``x`` is scaled to the mean luma of ``source``."""
    from skimage.color import rgb2lab

    scaled = x * (mean_luma(source) / mean_luma(x).clamp(min=1e-6)).view(-1, 1, 1, 1)
    means = []
    for batch in (scaled, source):
        pixels = batch.detach().clamp(0, 1).cpu().permute(0, 2, 3, 1).double().numpy()
        means.append(torch.from_numpy(rgb2lab(pixels)[..., 1:].mean((1, 2))))
    return (means[0] - means[1]).norm(dim=1).to(x.device)


def noise_gain(x: Tensor, source: Tensor, *, side: int = 8) -> Tensor:
    """Growth of the spread in the flattest tenth of the source's patches, over their growth in brightness.

    1: noise was brightened like everything else; below: it was also reduced.
    """
    a, b = (to_grey(v) for v in (x, source))
    mean_a, mean_b = F.avg_pool2d(a, side), F.avg_pool2d(b, side)
    std_a, std_b = (
        (F.avg_pool2d(v.square(), side) - m.square()).clamp(min=0).sqrt().flatten(1)
        for v, m in ((a, mean_a), (b, mean_b))
    )
    # Half a grey level on both sides: places that are black or perfectly flat then count as unchanged.
    half = 0.5 / 255
    gain = ((mean_a + half) / (mean_b + half)).flatten(1)
    flat = std_b.argsort(1)[:, : max(1, std_b.shape[1] // 10)]
    growth = (std_a.gather(1, flat) + half) / (std_b.gather(1, flat) + half)
    return (growth / gain.gather(1, flat).clamp(min=1e-3)).mean(1)
