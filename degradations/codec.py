"""The end of the chain: clipping, quantisation, JPEG.

``jpeg`` is the real codec (OpenCV's libjpeg, with the same pixels as Pillow's), its gradient that of the identity;
``jpeg-diff`` is the same arithmetic in torch, for losses that must see through it.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from restore import image
from restore.degradations.base import Degradation
from restore.degradations.knob import Knob
from restore.errors import ImageError

# ITU-T T.81, Annex K.1: luminance and chrominance.
LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8 for _ in range(4)),
)
_JPEG_LARGEST = 65500  # as libjpeg holds them
_HALF = torch.tensor(0.5)
# Sampling of the luminance and both chroma planes, as OpenCV has it: two hexadecimal digits each.
_SAMPLING = {"444": 0x111111, "420": 0x221111}


class _PassGradient(torch.autograd.Function):
    """``made`` forwards, the gradient of the identity backwards; unlike ``x + (made - x)`` it is exact."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, made: Tensor) -> Tensor:
        return made.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0], None


def straight_through(x: Tensor, made: Tensor) -> Tensor:
    """The values of ``made`` with the gradient of ``x``."""
    if not (torch.is_grad_enabled() and x.requires_grad):
        return made.detach()
    return _PassGradient.apply(x, made.detach())


def clip(x: Tensor, *, seed: Tensor) -> Tensor:
    """Values cut to [0, 1]."""
    return x.clamp(0, 1)


def quantise(x: Tensor, *, seed: Tensor, bits: Tensor) -> Tensor:
    """Cut to [0, 1], rounded half up to ``bits`` bits (B whole numbers); the gradient is the identity's."""
    parts = [
        image.quantise(part, bits=int(b)) for part, b in zip(x.detach().split(1), bits.tolist(), strict=True)
    ]
    return straight_through(x, torch.cat(parts))


def jpeg(x: Tensor, *, seed: Tensor, quality: Tensor, subsampling: list[str]) -> Tensor:
    """What Pillow decodes after encoding; the picture is cut to [0, 1] and rounded to 8 bits first.

    One channel is coded as a grey JPEG. The gradient passes straight through.

    Args:
        quality: B whole numbers from 1 to 100.
        subsampling: B names, "420" or "444".

    Raises:
        ImageError: a side above 65500 pixels, which the codec cannot hold.
    """
    if max(x.shape[-2:]) > _JPEG_LARGEST:
        raise ImageError(f"jpeg: expected sides up to {_JPEG_LARGEST} pixels, got {tuple(x.shape[-2:])}")
    made = torch.empty(x.shape, dtype=torch.float32)
    for target, part, q, kind in zip(made, x.detach(), quality.tolist(), subsampling, strict=True):
        _from_bytes(_recode(_to_bytes(part), int(q), kind), target)
    return straight_through(x, made.to(x))


def jpeg_diff(
    x: Tensor, *, seed: Tensor, quality: Tensor, subsampling: list[str], rounding: list[str]
) -> Tensor:
    """JPEG in torch: YCbCr, chroma halved, 8 x 8 DCT, libjpeg's tables, and back; cut to [0, 1].

    Planes are rounded to bytes between the stages, as in libjpeg, with the gradient passing straight: what
    differs from the real codec is its whole-number arithmetic (some 0.02 dB in its error).

    Args:
        rounding: B names: "straight" rounds, with gradient 1; "cubic" adds the cube of the remainder, which
            has a gradient of its own (Shin & Song 2017) and values a little off.
    """
    rows = zip(x.split(1), quality.tolist(), subsampling, rounding, strict=True)
    return torch.cat([_jpeg_diff(part, int(q), kind, how) for part, q, kind, how in rows])


def quantisation_table(quality: int, *, chroma: bool = False) -> Tensor:
    """``8 x 8`` steps as libjpeg derives them from a quality of 1 to 100, rows are vertical frequencies."""
    base = torch.tensor(CHROMINANCE if chroma else LUMINANCE)
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return ((base * percent + 50) // 100).clamp(1, 255)


def _to_bytes(x: Tensor) -> np.ndarray:
    """``C x H x W`` to ``H x W x C`` uint8, blue first as OpenCV has it."""
    # Half added and cut off is rounding half up, as everywhere.
    levels = torch.add(_HALF, x.to("cpu", torch.float32), alpha=255).clamp_(0, 255).numpy().astype(np.uint8)
    return cv2.merge(list(levels[::-1]))


def _from_bytes(pixels: np.ndarray, out: Tensor) -> None:
    """``H x W x C`` uint8, blue first, into ``C x H x W`` float32, in [0, 1]."""
    for plane, target in zip(cv2.split(pixels)[::-1], out, strict=True):
        target.copy_(torch.from_numpy(plane))
    out.div_(255)


def _recode(pixels: np.ndarray, quality: int, subsampling: str) -> np.ndarray:
    """``H x W x C`` uint8, blue first, through the codec."""
    grey = pixels.ndim == 2 or pixels.shape[2] == 1
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    if not grey:
        options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, _SAMPLING[subsampling]]
    made, file = cv2.imencode(".jpg", pixels, options)
    decoded = cv2.imdecode(file, cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR) if made else None
    if decoded is None:
        raise ImageError(f"jpeg: the codec could not hold a picture of {pixels.shape[:2]} pixels")
    return decoded


def _jpeg_diff(x: Tensor, quality: int, subsampling: str, rounding: str) -> Tensor:
    """One sample ``1 x C x H x W``."""
    h, w = x.shape[-2:]
    kind = torch.promote_types(x.dtype, torch.float32)
    pixels = _bytes(x.to(kind).clamp(0, 1) * 255)
    if x.shape[1] == 1:
        return (_code_plane(pixels, quantisation_table(quality), rounding) / 255).to(x.dtype)
    r, g, b = pixels.split(1, dim=1)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    chroma = _bytes(torch.cat([(b - y) / 1.772, (r - y) / 1.402], 1) + 128)
    halved = subsampling == "420"
    if halved:
        even = F.pad(chroma, (0, w % 2, 0, h % 2), mode="replicate")
        chroma = _bytes(F.avg_pool2d(even, 2))
    y = _code_plane(_bytes(y), quantisation_table(quality), rounding)
    chroma = _code_plane(chroma, quantisation_table(quality, chroma=True), rounding)
    if halved:  # libjpeg's "fancy" upsampling is the triangle filter
        chroma = F.interpolate(chroma, scale_factor=2, mode="bilinear", align_corners=False)[..., :h, :w]
    cb, cr = (chroma - 128).split(1, dim=1)
    red, blue = y + 1.402 * cr, y + 1.772 * cb
    green = (y - 0.299 * red - 0.114 * blue) / 0.587
    return (_bytes(torch.cat([red, green, blue], 1)) / 255).to(x.dtype)


def _bytes(x: Tensor) -> Tensor:
    """Rounded and cut to 0..255, as the codec keeps its planes; the gradient passes straight through."""
    return straight_through(x, x.round().clamp(0, 255))


def _code_plane(plane: Tensor, table: Tensor, rounding: str) -> Tensor:
    """Planes ``1 x C x H x W`` in 0..255: cut into blocks, transformed, rounded to the steps, and back."""
    c, h, w = plane.shape[1:]
    padded = F.pad(plane - 128, (0, -w % 8, 0, -h % 8), mode="replicate")
    basis = _dct_basis().to(plane)
    blocks = padded.view(c, padded.shape[-2] // 8, 8, padded.shape[-1] // 8, 8).transpose(2, 3)
    steps = table.to(plane)
    scaled = basis @ blocks @ basis.T / steps
    whole = scaled.round()
    levels = (
        straight_through(scaled, whole)
        if rounding == "straight"
        else whole.detach() + (scaled - whole.detach()) ** 3
    )
    blocks = basis.T @ (levels * steps) @ basis
    return _bytes(blocks.transpose(2, 3).reshape(padded.shape)[..., :h, :w] + 128)


def _dct_basis() -> Tensor:
    """The orthonormal 8-point DCT-II, rows are frequencies, float64."""
    k = torch.arange(8, dtype=torch.float64)
    basis = torch.cos((2 * k + 1) * k[:, None] * torch.pi / 16) / 2
    basis[0] /= 2**0.5
    return basis


# ImageNet-C, jpeg_compression; drawn as Real-ESRGAN draws it.
_QUALITY = Knob(
    "quality from 1 to 100, as libjpeg counts",
    span=(30, 95),
    legal=(1, 100),
    levels={32: (80, 65, 58, 50, 40), 64: (65, 58, 50, 40, 25), 224: (25, 18, 15, 10, 7)},
    whole=True,
)
_SUBSAMPLING = Knob("chroma at half (420) or full (444) resolution", choices=("420", "444"), default="420")

CLIP = Degradation("clip", clip, {})
QUANTISE = Degradation(
    "quantise",
    quantise,
    {
        "bits": Knob(
            "bits per value", span=(4, 7), legal=(1, 16), levels={224: (7, 6, 5, 4, 3)}, default=8, whole=True
        )
    },
)
JPEG = Degradation("jpeg", jpeg, {"quality": _QUALITY, "subsampling": _SUBSAMPLING})
JPEG_DIFF = Degradation(
    "jpeg-diff",
    jpeg_diff,
    {
        "quality": _QUALITY,
        "subsampling": _SUBSAMPLING,
        "rounding": Knob("how coefficients are rounded", choices=("straight", "cubic"), default="straight"),
    },
)
