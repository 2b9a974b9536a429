"""Blind deblurring: the picture and its point spread function from coarse to fine.

Gradients of the intermediate picture are made few (L0: Xu, Zheng & Jia, CVPR 2013; Pan et al., CVPR 2014) so that
only strong edges speak for the kernel; the kernel is a least-squares fit between the gradients of both pictures
(Cho & Lee 2009); a last non-blind step with a hyper-Laplacian prior makes the result.

A wrong kernel does more harm than the blur. So it is found twice more, in each half of the picture: one blur leaves the
same kernel everywhere, a mistake does not [ours]. Where the two do not agree, where nearly all light stays in one
pixel (a sharp picture), or where what is made leaves black and white far behind, as the ringing of a wrong kernel
does, the picture comes back as it is.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from restore.classical.deconvolve import difference_power, periodic, transfer
from restore.classical.sparse_gradients import sparse_deconvolve
from restore.errors import UsageError
from restore.image import to_grey
from restore.resample import imresize

_PAIRS = 5  # kernel and picture are improved in turn so often on each scale
_LAST_SCALES = 3  # that is, from half the size on
# Share of the light in one pixel above which a kernel counts as none: blurs that are worth it leave less than 0.3,
# sharp photographs give 0.4 to 0.5.
_SHARP = 0.35
# Mean distance beyond [0, 1] that the result may have more than the picture. Of a few crops of BSDS500, of those that
# lost 3 dB and more six in seven had over 0.001, of those that gained one in six (0.0011).
_BEYOND = 0.001


class Deblurred(NamedTuple):
    """``image`` like the input; ``psf`` ``B x size x size``, each summing to 1, a single pixel where nothing was done;
    ``agreement`` B correlations, up to 1, of the kernels found in the two halves of the picture."""

    image: Tensor
    psf: Tensor
    agreement: Tensor


def blind_deblur(
    x: Tensor,
    *,
    size: int = 25,
    sigma: float = 0.01,
    edges: float = 0.004,
    smooth: float = 2.0,
    agreement: float = 0.88,
) -> Deblurred:
    """Finds one psf for each whole picture and takes it out; leaves the picture alone where it cannot be trusted.

    Args:
        x: ``B x C x H x W`` in [0, 1].
        size: side of the psf, odd, pixels: at least as large as the blur.
        sigma: standard deviation of the noise in units of [0, 1], for the last step.
        edges: weight of the count of gradients: larger keeps only stronger edges.
        smooth: weight of the psf's squared values.
        agreement: least correlation of the kernels found in the two halves; 0: any kernel is used.

    Returns:
        The picture (not clipped) and the psf, its centroid on the middle.

    Raises:
        UsageError: an even size, one below 3, or pictures smaller than twice the psf.
    """
    if size < 3 or size % 2 == 0 or min(x.shape[-2:]) < 2 * size:
        raise UsageError(
            f"expected an odd psf size from 3 to half the picture, got {size} for {x.shape[-2]} x {x.shape[-1]}"
        )
    images, kernels, alike = [], [], []
    for picture in x.detach().split(1):
        plane = to_grey(picture.float())
        kernel = find_psf(plane, size=size, edges=edges, smooth=smooth)
        first, second = (
            find_psf(half, size=size, edges=edges, smooth=smooth) for half in _halves(plane, size)
        )
        alike.append(_agreement(first, second))
        made = None
        if agreement == 0 or (alike[-1] >= agreement and float(kernel.max()) <= _SHARP):
            made = sparse_deconvolve(picture, kernel, sigma=sigma)
        if made is None or (agreement > 0 and _beyond(made) - _beyond(picture) > _BEYOND):
            kernel = torch.zeros_like(kernel)
            kernel[size // 2, size // 2] = 1
            made = picture.clone()
        images.append(made)
        kernels.append(kernel)
    return Deblurred(torch.cat(images), torch.stack(kernels), torch.tensor(alike))


def find_psf(
    y: Tensor, *, size: int, edges: float, smooth: float, start: Tensor | None = None, pairs: int = _PAIRS
) -> Tensor:
    """``size x size`` from ``1 x 1 x H x W``.

    Args:
        start: ``size x size``, about the psf: only the scales from a half on are gone through then.
        pairs: kernel and picture are improved in turn so often on each scale.
    """
    scales = max(math.ceil(2 * math.log2(size / 5)), 0) + 1
    kernel = start
    for k in reversed(range(scales if start is None else min(scales, _LAST_SCALES))):
        shrunk = 2 ** (-k / 2)
        side = max(2 * math.ceil((size * shrunk - 1) / 2) + 1, 3)
        small = imresize(y, scale=shrunk) if k else y
        if kernel is None:
            kernel = torch.zeros(side, side, device=y.device)
            kernel[side // 2, side // 2 - 1 : side // 2 + 1] = 0.5
        else:
            kernel = _tidy(imresize(kernel[None, None], size=(side, side))[0, 0])
        strength = edges
        for _ in range(pairs):
            latent, seen = _strong_edges(small, kernel, strength)
            kernel = _fit(latent, seen, side, smooth)
            strength = max(strength / 1.1, 1e-4)
    assert kernel is not None
    return kernel


def _halves(y: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """``1 x 1 x H x W`` cut across its longer side; both parts at least twice the psf, overlapping if they must."""
    axis = -1 if y.shape[-1] >= y.shape[-2] else -2
    length = y.shape[axis]
    part = max((length + 1) // 2, 2 * size)
    return y.narrow(axis, 0, part), y.narrow(axis, length - part, part)


def _agreement(a: Tensor, b: Tensor) -> float:
    """The largest correlation of two kernels over all shifts."""
    size = (2 * a.shape[0], 2 * a.shape[1])
    shifted = torch.fft.irfft2(torch.fft.rfft2(a, s=size) * torch.fft.rfft2(b, s=size).conj(), s=size)
    return float(shifted.max() / (a.norm() * b.norm()))


def _beyond(x: Tensor) -> float:
    """The mean distance of values from [0, 1]."""
    return float((x - x.clamp(0, 1)).abs().mean())


def _strong_edges(y: Tensor, kernel: Tensor, weight: float) -> tuple[Tensor, Tensor]:
    """min over z of |kernel * z - y|^2 + weight * (number of gradients that are not 0), beta from 2 weight to 1e5."""
    framed, _, _ = periodic(y, kernel)
    size = (framed.shape[-2], framed.shape[-1])
    h = transfer(kernel, size)
    data, blur, smooth = (
        h.conj() * torch.fft.rfft2(framed),
        h.abs().square(),
        difference_power(size, y.device),
    )
    z, beta = framed, 2 * weight
    while beta < 1e5:
        gx, gy = z.roll(-1, -1) - z, z.roll(-1, -2) - z
        kept = (gx.square() + gy.square()) >= weight / beta
        gx, gy = gx * kept, gy * kept
        back = (gx.roll(1, -1) - gx) + (gy.roll(1, -2) - gy)
        z = torch.fft.irfft2((data + beta * torch.fft.rfft2(back)) / (blur + beta * smooth), s=size)
        beta *= 2
    return z, framed


def _fit(latent: Tensor, seen: Tensor, side: int, smooth: float) -> Tensor:
    """The psf whose blur of the latent gradients is nearest to the seen ones."""
    size = (seen.shape[-2], seen.shape[-1])
    top: Tensor | None = None
    bottom = torch.zeros((), device=seen.device)
    for axis in (-1, -2):
        a = torch.fft.rfft2(latent[0, 0].roll(-1, axis) - latent[0, 0])
        b = torch.fft.rfft2(seen[0, 0].roll(-1, axis) - seen[0, 0])
        top = a.conj() * b if top is None else top + a.conj() * b
        bottom = bottom + a.abs().square()
    assert top is not None
    whole = torch.fft.irfft2(top / (bottom + smooth), s=size)
    r = side // 2
    return _tidy(whole.roll((r, r), (0, 1))[:side, :side])


def _tidy(kernel: Tensor) -> Tensor:
    """No negative or weak values, no specks far from the main part, sum 1, the centroid on the middle."""
    from scipy.ndimage import label

    k = kernel.clamp(min=0)
    k = torch.where(k >= 0.05 * k.max(), k, torch.zeros_like(k))
    parts, count = label((k > 0).cpu().numpy(), structure=[[1, 1, 1]] * 3)
    numbers = torch.from_numpy(parts).to(k.device)
    for i in range(1, count + 1):
        if float(k[numbers == i].sum()) < 0.1 * float(k.sum()):
            k = torch.where(numbers == i, torch.zeros_like(k), k)
    if not float(k.sum()) > 0:
        k = torch.zeros_like(k)
        k[k.shape[0] // 2, k.shape[1] // 2] = 1
    k = k / k.sum()
    place = torch.arange(len(k), device=k.device, dtype=k.dtype) - len(k) // 2
    dy, dx = (round(float((k.sum(1 - axis) * place).sum())) for axis in (0, 1))
    moved = torch.zeros_like(k)
    n = len(k)
    moved[max(-dy, 0) : n - max(dy, 0), max(-dx, 0) : n - max(dx, 0)] = k[
        max(dy, 0) : n - max(-dy, 0), max(dx, 0) : n - max(-dx, 0)
    ]
    return moved / moved.sum()
