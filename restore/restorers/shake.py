"""Blind deblurring by a network that finds the point spread function, and by the picture's own strong edges.

What a network reads in how a picture correlates with itself knows nothing of phase: of a path that bends it gives the
outline. From there the classical search sets out (Cho & Lee 2009; Pan et al. 2014): few, strong edges are made of the
picture, and the psf is fitted between their gradients and the seen ones, coarse to fine; once from what was found and
once from its mirror image, which correlates alike. The network restores with each, and the psf is fitted once more, to
the edges of what it made. All this in one window, so that it costs the same however large the picture is.

A round psf (defocus) is left as the network found it. A wrong psf does more harm than blur: of those found by the
network and by the search that one is taken whose blur of what was restored with it comes nearest to the window [ours].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from restore.classical.blind_deblur import find_psf
from restore.convolve import convolve
from restore.image import to_grey
from restore.models.lags import REACH
from restore.names import Value
from restore.restorers.guided import GuidedRestorer
from restore.tiling import Read

_SIDE = 2 * REACH + 1
# Side of the window that is searched, in pixels; a picture must have twice the psf that is searched.
WINDOW = 384
# Of a psf with this share of its light in one pixel there is nothing to be found: a sharp picture.
_SHARP = 0.35
# A psf that correlates more with itself turned by a quarter is round: defocus, which is found without its phase, and
# edges tell no better. On photographs (BSDS500), defocus gave .98 and more, shakes of 10 to 40 pixels mostly less.
_ROUND = 0.98
# Mirror images that correlate more are the same.
_SYMMETRIC = 0.97
# Of the search: pairs of steps on each scale, weight of the count of gradients and of the psf's squares.
_PAIRS, _EDGES, _SMOOTH = 4, 0.003, 2.0
# Of the last fit: share of the gradients that is used, the least power in units of the mean, the weakest value kept.
_STRONG, _FLOOR, _WEAK = 0.2, 0.02, 0.05
_TAPER = 48  # pixels, at the window's borders
# Means over squares of so many pixels are compared: noise, which a wrong psf may well explain, counts less in them.
_COARSE = 7


class ShakeRestorer(GuidedRestorer):
    """A network that finds a psf and deconvolves by it, with a better psf where the picture's edges tell of one.

    ``search=false``: by the network's own, for a second or two less a picture.
    """

    def __init__(self, *given: Any, values: dict[str, Value], **more: Any) -> None:
        super().__init__(*given, values=values, **more)
        self.search = bool(values.get("search", True))

    def look(self, read: Read, height: int, width: int) -> Tensor:
        """The psf of each picture, ``B x (63 * 63)``."""
        seen = super().look(read, height, width)
        if not self.search:
            return seen
        top, left = (max(0, (n - WINDOW) // 2) for n in (height, width))
        window = read(top, min(top + WINDOW, height), left, min(left + WINDOW, width))
        psfs = [
            search_psf(x, psf.view(1, 1, _SIDE, _SIDE), lambda x, psf: self.answer(x, psf.flatten(1)))
            for x, psf in zip(window.split(1), seen.float().split(1), strict=True)
        ]
        return torch.cat(psfs).flatten(1).to(seen)


def search_psf(window: Tensor, psf: Tensor, restore: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """A better psf than ``psf``, or it itself, ``1 x 1 x 63 x 63`` with the sum 1.

    Args:
        window: ``1 x C x h x w`` in [0, 1].
        psf: what to start from.
        restore: ``restore(window, psf)``, the window deconvolved.
    """
    side = _extent(psf)
    power = float(psf.square().sum())
    sharp = float(psf.max()) > _SHARP
    is_round = float((psf * psf.rot90(1, (-2, -1))).sum()) > _ROUND * power
    if sharp or is_round or min(window.shape[-2:]) < 2 * side:
        return psf
    plane = to_grey(window.float())
    mirrored = psf.flip(-2, -1)
    alike = float((psf * mirrored).sum()) / power
    best, least = psf, _unexplained(window, psf, restore(window, psf))
    for start in (psf,) if alike > _SYMMETRIC else (psf, mirrored):
        middle = _framed(start, side)[0, 0]
        found = find_psf(plane, size=side, edges=_EDGES, smooth=_SMOOTH, start=middle, pairs=_PAIRS)
        found = fit_to(restore(window, _framed(found[None, None], _SIDE)), window)
        left = _unexplained(window, found, restore(window, found))
        if left < least:
            best, least = found, left
    return best


def fit_to(sharp: Tensor, blurred: Tensor) -> Tensor:
    """The psf, ``1 x 1 x 63 x 63``, that blurs the strong edges of ``sharp`` into those of ``blurred``, both
    ``1 x C x h x w``: a least-squares fit of gradients, less what is weak or below 0."""
    height, width = sharp.shape[-2:]
    lines = [torch.ones(n, device=sharp.device) for n in (height, width)]
    for line in lines:
        n = min(_TAPER, len(line) // 2)
        rise = torch.hann_window(2 * n, periodic=False, device=sharp.device)[:n]
        line[:n], line[len(line) - n :] = rise, rise.flip(0)
    taper = lines[0][:, None] * lines[1]
    ours, theirs = (_gradients(to_grey(x.float().clamp(0, 1))) for x in (sharp, blurred))
    power = ours.square().sum(0)
    strong = power >= power.flatten().kthvalue(max(1, int((1 - _STRONG) * power.numel()))).values
    near = F.max_pool2d(strong.float()[None], 3, 1, 1)[0]
    a, b = torch.fft.rfft2(ours * near * taper), torch.fft.rfft2(theirs * taper)
    below = a.abs().square().sum(0)
    fitted = torch.fft.irfft2((a.conj() * b).sum(0) / (below + _FLOOR * below.mean()), s=(height, width))
    psf = _framed(torch.fft.fftshift(fitted)[None, None], _SIDE, middle=(height // 2, width // 2)).clamp(
        min=0
    )
    psf = torch.where(psf < _WEAK * psf.max(), 0.0, psf)
    return psf / psf.sum().clamp(min=1e-9)


def _unexplained(window: Tensor, psf: Tensor, restored: Tensor) -> float:
    """How far the restored window, blurred again, is from the window; by the mirrored psf if that explains more."""
    both = (convolve(restored.float(), p[0, 0]) - window for p in (psf, psf.flip(-2, -1)))
    return min(float(F.avg_pool2d(apart, _COARSE, 1).square().mean()) for apart in both)


def _extent(psf: Tensor) -> int:
    """The side of the middle that holds what is not weak, and a little more; odd."""
    rows, columns = torch.nonzero(psf[0, 0] >= _WEAK * psf.max(), as_tuple=True)
    reach = int(max((rows - REACH).abs().max(), (columns - REACH).abs().max())) + 4
    return 2 * min(max(reach, 7), REACH) + 1


def _gradients(plane: Tensor) -> Tensor:
    """Differences across and down, ``2 x h x w``, of ``1 x 1 x h x w``."""
    x = plane[0, 0]
    return torch.stack([F.pad(x[:, 1:] - x[:, :-1], (0, 1)), F.pad(x[1:] - x[:-1], (0, 0, 0, 1))])


def _framed(psf: Tensor, side: int, *, middle: tuple[int, int] | None = None) -> Tensor:
    """``1 x 1 x side x side`` around the middle (or another pixel), zeros beyond; the sum is not changed but by what
    is cut off."""
    reach = side // 2
    row, column = middle or (psf.shape[-2] // 2, psf.shape[-1] // 2)
    wide = F.pad(psf, (reach,) * 4)
    return wide[..., row : row + side, column : column + side]
