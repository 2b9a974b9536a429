"""Haze removal by the dark channel prior (He, Sun & Tang, TPAMI 2011), transmission refined by the guided filter."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from restore.classical.guided import box_min, guided_filter


class Dehazed(NamedTuple):
    """``image`` like the input, ``transmission`` ``B x 1 x H x W``, ``airlight`` ``B x C``."""

    image: Tensor
    transmission: Tensor
    airlight: Tensor


def dark_channel(x: Tensor, *, radius: int) -> Tensor:
    """The least value of any channel within ``radius`` pixels, ``B x 1 x H x W``."""
    return box_min(x.amin(1, keepdim=True), radius)


def airlight(x: Tensor, *, radius: int) -> Tensor:
    """``B x C``: the mean of the 0.1 % of pixels with the brightest dark channel that are brightest themselves.

    He et al. take the brightest one of them; the mean of the brighter half is steadier against noise.
    """
    haziest = max(x.shape[-2] * x.shape[-1] // 1000, 1)
    places = dark_channel(x, radius=radius).flatten(1).topk(haziest).indices
    pixels = x.flatten(2).gather(2, places[:, None].expand(-1, x.shape[1], -1))
    brightest = pixels.mean(1).topk(max(haziest // 2, 1)).indices
    return pixels.gather(2, brightest[:, None].expand(-1, x.shape[1], -1)).mean(2)


def dehaze(
    x: Tensor, *, radius: int = 7, omega: float = 0.95, floor: float = 0.1, eps: float = 1e-3
) -> Dehazed:
    """x = J t + A (1 - t), solved for J.

    Args:
        x: ``B x C x H x W`` in [0, 1].
        radius: of the dark channel's windows, pixels (7: 15 x 15 in the paper, for about 600 x 400 pixels);
            the guided filter's is four times that.
        omega: the part of the haze that is removed; a little left keeps the picture's depth.
        floor: the smallest transmission, so that noise in the densest haze is not blown up.
        eps: the guided filter's, in squared units of [0, 1].

    Returns:
        The picture (not clipped), the transmission, and the airlight.
    """
    light = airlight(x, radius=radius)
    a = light[:, :, None, None].clamp(min=1e-3)
    rough = 1 - omega * dark_channel(x / a, radius=radius)
    t = guided_filter(rough, x if x.shape[1] == 3 else x.mean(1, keepdim=True), radius=4 * radius, eps=eps)
    t = t.to(x.dtype).clamp(floor, 1.0)
    return Dehazed((x - a) / t + a, t, light)
