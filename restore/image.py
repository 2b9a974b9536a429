"""The image contract, stated once.

An image is a float tensor ``B x C x H x W``, RGB (``C = 3``) or grey (``C = 1``), encoded sRGB in ``[0, 1]``.
Values outside that range are kept (benchmarks add unclipped noise); NaN and infinity are refused, and so are floats
of another scale (0 to 255). Arrays are ``H x W`` or ``H x W x C``; integers span their type (``uint8``: 255,
``uint16``: 65535).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from restore.errors import ImageError

# ITU-R BT.601, studio range, in units of 255: what the literature calls "Y" (MATLAB's rgb2ycbcr).
Y601 = (65.481, 128.553, 24.966)
# Full-range grey, BT.601.
GREY = (0.299, 0.587, 0.114)
# White noise of standard deviation 1 on white reaches 6.5 among a gigapixel; what is above this has another scale.
LARGEST = 8.0


def check_image(x: Tensor, *, where: str = "image") -> Tensor:
    """Returns ``x`` if it keeps the contract.

    Raises:
        ImageError: not a floating tensor of shape ``B x {1,3} x H x W`` with every side at least 1, or a value
            that is NaN or infinite.
    """
    if not isinstance(x, Tensor):
        raise ImageError(f"{where}: expected a tensor B x C x H x W, got {type(x).__name__}")
    if x.ndim != 4 or x.shape[1] not in (1, 3) or min(x.shape) < 1:
        raise ImageError(
            f"{where}: expected shape B x C x H x W with C = 1 or 3, got {tuple(x.shape)}",
            hint="a single picture C x H x W needs a batch axis: x[None]",
        )
    if not x.is_floating_point():
        raise ImageError(
            f"{where}: expected floating values in [0, 1], got {x.dtype}", hint="x.float() / 255"
        )
    if not bool(torch.isfinite(x).all()):
        raise ImageError(f"{where}: expected finite values, got NaN or infinity")
    return x


def check_scale(largest: float, *, where: str = "image") -> None:
    """Refuses floats whose largest value tells that white is not 1.

    Raises:
        ImageError: above 8, which no noise on a picture in [0, 1] reaches.
    """
    if largest > LARGEST:
        white = 255 if largest <= 512 else 65535 if largest > 4096 else 4095
        raise ImageError(
            f"{where}: expected floating values in [0, 1], got values up to {largest:g}",
            hint=f"divide by what white is ({white}?), or give whole numbers (uint8, uint16)",
        )


def to_grey(x: Tensor) -> Tensor:
    """Full-range grey ``B x 1 x H x W`` (BT.601 weights); grey input is returned as it is."""
    if x.shape[1] == 1:
        return x
    weights = x.new_tensor(GREY).view(1, 3, 1, 1)
    return (x * weights).sum(1, keepdim=True)


def to_y601(x: Tensor) -> Tensor:
    """Studio-range luma ``Y = 16 + (65.481 R + 128.553 G + 24.966 B)``, divided by 255: ``B x 1 x H x W``.

    A grey image is taken as R = G = B, as MATLAB's ``rgb2ycbcr`` would see it.
    """
    rgb = x.expand(-1, 3, -1, -1)
    weights = x.new_tensor(Y601).view(1, 3, 1, 1)
    return ((rgb * weights).sum(1, keepdim=True) + 16.0) / 255.0


def quantise(x: Tensor, *, bits: int = 8) -> Tensor:
    """Clamps to [0, 1] and rounds half up to ``bits`` bits, as a file would store it."""
    top = float(2**bits - 1)
    return torch.floor(x.clamp(0, 1) * top + 0.5) / top


def array_to_tensor(array: np.ndarray) -> Tensor:
    """``H x W`` or ``H x W x C`` (uint8, uint16, bool or floating) to ``1 x C x H x W`` float32.

    Raises:
        ImageError: another dtype or another number of axes or channels.
    """
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3) or min(array.shape) < 1:
        raise ImageError(
            f"expected an array H x W or H x W x C with C = 1 or 3, got shape {array.shape}",
            hint="split alpha off first; restore.restore_folder does it for files",
        )
    if array.dtype == np.uint8 or array.dtype == np.uint16:
        values = array.astype(np.float32) / np.float32(np.iinfo(array.dtype).max)
    elif np.issubdtype(array.dtype, np.floating) or array.dtype == np.bool_:
        values = array.astype(np.float32)
    else:
        raise ImageError(f"expected uint8, uint16 or floating values, got {array.dtype}")
    return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))[None]


def tensor_to_array(x: Tensor, dtype: np.dtype | type) -> np.ndarray:
    """``1 x C x H x W`` to ``H x W x C`` of ``dtype``; integers are clamped and rounded, floats kept as they are."""
    values = x.detach()[0].permute(1, 2, 0).to("cpu", torch.float32)
    dtype = np.dtype(dtype)
    if np.issubdtype(dtype, np.integer):
        top = float(np.iinfo(dtype).max)
        values = (values.clamp(0, 1) * top + 0.5).floor()
    return np.ascontiguousarray(values.numpy().astype(dtype))


def as_batch(image: Any) -> tuple[Tensor, Callable[[Tensor], Any]]:
    """Any kind of image as a checked batch, and the function that turns a batch back into that kind.

    Takes a tensor (``B x C x H x W`` or ``C x H x W``), an array, or a PIL image (mode L, RGB, 1, or I;16).

    Raises:
        ImageError: a kind, mode or shape that is none of these, or floats of another scale than [0, 1].
    """
    if isinstance(image, Tensor):
        if image.ndim == 3:
            return _checked(image[None]), lambda y: y[0]
        return _checked(image), lambda y: y
    if isinstance(image, np.ndarray):
        flat = image.ndim == 2
        dtype = image.dtype

        def back_array(y: Tensor) -> np.ndarray:
            out = tensor_to_array(y, dtype)
            return out[:, :, 0] if flat else out

        return _checked(array_to_tensor(image)), back_array
    from PIL import Image

    if isinstance(image, Image.Image):
        if image.mode not in ("L", "RGB", "1", "I;16"):
            raise ImageError(
                f"expected a PIL image of mode L, RGB, 1 or I;16, got {image.mode}",
                hint="image.convert('RGB'), or give the file to restore.restore_folder, which keeps alpha and CMYK",
            )
        pixels = np.asarray(image)

        def back_pil(y: Tensor) -> Image.Image:
            out = tensor_to_array(y, np.uint16 if pixels.dtype == np.uint16 else np.uint8)
            return Image.fromarray(out[:, :, 0] if out.shape[2] == 1 else out)

        return check_image(array_to_tensor(pixels)), back_pil
    raise ImageError(f"expected a tensor, an array or a PIL image, got {type(image).__name__}")


def _checked(x: Tensor) -> Tensor:
    """``x`` if it keeps the contract and has its scale."""
    check_image(x)
    check_scale(float(x.detach().amax()))
    return x


def largest_integer(image: Any) -> float | None:
    """What stands for 1 in an array or a PIL picture of integers; None where values are floating."""
    mode = getattr(image, "mode", None)
    if isinstance(mode, str):
        return 65535.0 if mode.startswith("I;16") else 255.0
    return {"uint8": 255.0, "uint16": 65535.0}.get(str(getattr(image, "dtype", "")))
