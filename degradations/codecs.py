"""More of what storing does: JPEG twice on shifted grids, WebP, AVIF, banding; all with the identity's gradient."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import torch
from torch import Tensor

from restore import image
from restore.degradations.base import Degradation
from restore.degradations.blur import pad
from restore.degradations.codec import jpeg, straight_through
from restore.degradations.knob import Knob
from restore.errors import ImageError
from restore.image import to_grey

_WEBP_LARGEST = 16383


def double_jpeg(
    x: Tensor,
    *,
    seed: Tensor,
    quality: Tensor,
    quality2: Tensor,
    down: Tensor,
    right: Tensor,
    subsampling: list[str],
) -> Tensor:
    """JPEG, a crop that moves the grid of blocks, and JPEG again: what a picture sent on looks like.

    Args:
        quality, quality2: B whole qualities of the first and the second, 1 to 100.
        down, right: B whole offsets of the second grid, pixels.
        subsampling: B names, "420" or "444", for both.

    Raises:
        ImageError: a side that JPEG cannot hold.
    """
    rows = zip(x.detach().split(1), down.int().tolist(), right.int().tolist(), strict=True)
    made = []
    for i, (part, dy, dx) in enumerate(rows):
        one = slice(i, i + 1)
        kind = subsampling[one]
        # The first grid starts outside of what is left after the crop.
        wide = pad(part, dy, dx)[..., : part.shape[-2] + dy, : part.shape[-1] + dx]
        first = jpeg(wide, seed=seed[one], quality=quality[one], subsampling=kind)[..., dy:, dx:]
        made.append(jpeg(first.contiguous(), seed=seed[one], quality=quality2[one], subsampling=kind))
    return straight_through(x, torch.cat(made))


def webp(x: Tensor, *, seed: Tensor, quality: Tensor) -> Tensor:
    """What Pillow decodes after encoding as lossy WebP; cut to [0, 1] and rounded to 8 bits first.

    A grey picture is coded as three equal channels, and its luminance comes back.

    Args:
        quality: B whole numbers from 0 to 100.

    Raises:
        ImageError: a side above 16383 pixels, which WebP cannot hold, or a Pillow without WebP.
    """
    if max(x.shape[-2:]) > _WEBP_LARGEST:
        raise ImageError(f"webp: expected sides up to {_WEBP_LARGEST} pixels, got {tuple(x.shape[-2:])}")
    return _coded(x, quality, "webp", method=2)


def avif(x: Tensor, *, seed: Tensor, quality: Tensor) -> Tensor:
    """What Pillow decodes after encoding as lossy AVIF (4:2:0); cut to [0, 1] and rounded to 8 bits first.

    A grey picture is coded as three equal channels, and its luminance comes back.

    Args:
        quality: B whole numbers from 0 to 100.

    Raises:
        ImageError: a Pillow without AVIF.
    """
    # One thread: the number of tiles, and with it the result, must not depend on the machine.
    return _coded(x, quality, "avif", speed=9, max_threads=1, subsampling="4:2:0")


def _coded(x: Tensor, quality: Tensor, kind: str, **options: Any) -> Tensor:
    """Every sample encoded and decoded by Pillow, with the gradient of the identity."""
    from PIL import features

    if not features.check(kind):
        raise ImageError(f"{kind}: this Pillow was built without it", hint="pip install --upgrade pillow")
    rows = zip(x.detach().split(1), quality.tolist(), strict=True)
    made = [_coded_one(part, int(q), kind, options) for part, q in rows]
    return straight_through(x, torch.cat(made).to(x))


def _coded_one(x: Tensor, quality: int, kind: str, options: dict[str, Any]) -> Tensor:
    """One sample ``1 x C x H x W``."""
    from PIL import Image

    file = io.BytesIO()
    pixels = image.tensor_to_array(x.expand(1, 3, *x.shape[2:]), np.uint8)
    Image.fromarray(pixels).save(file, kind.upper(), quality=quality, **options)
    with Image.open(file) as coded:
        y = image.array_to_tensor(np.asarray(coded.convert("RGB")))
    return to_grey(y) if x.shape[1] == 1 else y


def banding(x: Tensor, *, seed: Tensor, levels: Tensor, channels: list[str]) -> Tensor:
    """Few levels without dither: smooth skies break into steps. Cut to [0, 1] first.

    Args:
        levels: B whole numbers of levels from black to white, from 2.
        channels: B names: "each" on its own, or "luma" with the differences to it kept.
    """
    top = (levels.to(x) - 1).view(-1, 1, 1, 1)
    cut = x.detach().clamp(0, 1)
    each = (cut * top + 0.5).floor() / top
    luma = to_grey(cut)
    shifted = cut + ((luma * top + 0.5).floor() / top - luma)
    on_luma = torch.tensor([kind == "luma" for kind in channels], device=x.device).view(-1, 1, 1, 1)
    return straight_through(x, torch.where(on_luma, shifted, each))


def _offset(where: str) -> Knob:
    return Knob(f"offset of the second grid {where}, pixels", span=(0, 7), legal=(0, 63), whole=True)


DOUBLE_JPEG = Degradation(
    "double-jpeg",
    double_jpeg,
    {
        # The first as strong as ImageNet-C's jpeg_compression, the second a little weaker [ours].
        "quality": Knob(
            "quality of the first, 1 to 100",
            span=(30, 95),
            legal=(1, 100),
            levels={32: (80, 65, 58, 50, 40), 64: (65, 58, 50, 40, 25), 224: (25, 18, 15, 10, 7)},
            whole=True,
        ),
        "quality2": Knob(
            "quality of the second",
            span=(30, 95),
            legal=(1, 100),
            levels={32: (90, 80, 72, 64, 55), 64: (80, 72, 64, 52, 38), 224: (40, 30, 22, 15, 10)},
            whole=True,
        ),
        "down": _offset("downwards"),
        "right": _offset("to the right"),
        "subsampling": Knob(
            "chroma at half (420) or full (444) resolution", choices=("420", "444"), default="420"
        ),
    },
)
# Ranges: [ours].
WEBP = Degradation(
    "webp",
    webp,
    {
        "quality": Knob(
            "quality from 0 to 100, as libwebp counts",
            span=(20, 90),
            legal=(0, 100),
            levels={64: (80, 60, 40, 25, 10), 224: (50, 30, 18, 9, 2)},
            whole=True,
        )
    },
)
AVIF = Degradation(
    "avif",
    avif,
    {
        "quality": Knob(
            "quality from 0 to 100, as libavif counts",
            span=(20, 80),
            legal=(0, 100),
            levels={64: (70, 55, 40, 25, 10), 224: (45, 32, 22, 13, 5)},
            whole=True,
        )
    },
)
BANDING = Degradation(
    "banding",
    banding,
    {
        "levels": Knob(
            "levels from black to white",
            span=(6, 48),
            legal=(2, 65536),
            levels={224: (40, 26, 17, 11, 7)},
            whole=True,
        ),
        "channels": Knob("each channel, or the luminance alone", choices=("each", "luma"), default="each"),
    },
)
