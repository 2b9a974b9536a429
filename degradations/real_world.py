"""The two published simulations of real low-resolution pictures, drawn per sample.

Real-ESRGAN (Wang et al. 2021, its x4plus configuration) draws sizes, modes and the order per batch and mixes batches
in a queue; here every sample has its own. BSRGAN (Zhang et al. 2021) is without its camera model, as its code is
where the model's file is missing. With scale 1 both keep the size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from restore.degradations.base import Degradation
from restore.degradations.knob import Knob
from restore.degradations.mixture import Draws, Find, Recipe
from restore.names import format_name

_MODES = ("area", "bilinear", "bicubic")


def real_esrgan(d: Draws, find: Find, values: Mapping[str, float]) -> list[Degradation]:
    """Blur, resize, noise, JPEG; the same again, weaker; then the final size, a sinc and JPEG in either order."""
    scale = values["scale"]
    low = {"height": math.ceil(d.height / scale), "width": math.ceil(d.width / scale)}
    first = [
        _kernel(d, sigma=(0.2, 3.0)),
        _resize(d, (0.2, 0.7, 0.1), (1.0, 1.5), (0.15, 1.0)),
        _shot_or_read(d, sigma=(1.0, 30.0), scale=(0.05, 3.0)),
        "clip",
        _jpeg(d, 30),
    ]
    second = [
        *([_kernel(d, sigma=(0.2, 1.5))] if d.chance(0.8) else []),
        _resize(d, (0.3, 0.4, 0.3), (1.0, 1.2), (0.3, 1.0), **low),
        _shot_or_read(d, sigma=(1.0, 25.0), scale=(0.05, 2.5)),
        "clip",
    ]
    size = _name("resize", factor=1, mode=d.one(_MODES), **low)
    ringing = [_sinc(2 * d.whole(3, 10) + 1, d.uniform(math.pi / 3, math.pi))] if d.chance(0.8) else []
    end = [size, *ringing, _jpeg(d, 30)] if d.chance(0.5) else [_jpeg(d, 30), size, *ringing]
    return [find(text) for text in [*first, *second, *end, "quantise:bits=8"]]


def bsrgan(d: Draws, find: Find, values: Mapping[str, float]) -> list[Degradation]:
    """Two blurs, two changes of size, noise and JPEG in random order, and JPEG at the end."""
    f = values["scale"]
    low = {"height": math.ceil(d.height / f), "width": math.ceil(d.width / f)}
    steps: list[str] = []
    if f == 4 and d.chance(0.25):
        steps.append(_name("resize", factor=0.5, mode=d.one((*_MODES, "smooth-bicubic"), (1, 1, 1, 3))))
        f = 2.0
    parts: list[list[str]] = [
        [_eigen_blur(d, f)],
        [_eigen_blur(d, f)],
        _random_downsample(d, f),
        [_name("resize", factor=1, mode=d.one(_MODES), **low)],
        _gaussian(d),
        [_jpeg(d, 30)] if d.chance(0.9) else [],
    ]
    order = d.order(len(parts))
    if order.index(2) > order.index(3):  # the final size comes after the random one
        a, b = order.index(2), order.index(3)
        order[a], order[b] = order[b], order[a]
    steps += [text for place in order for text in parts[place]]
    return [find(text) for text in [*steps, _jpeg(d, 30)]]


def _kernel(d: Draws, *, sigma: tuple[float, float]) -> str:
    """One of Real-ESRGAN's kernels."""
    size = 2 * d.whole(3, 10) + 1
    if d.chance(0.1):
        return _sinc(size, d.uniform(math.pi / 3 if size < 13 else math.pi / 5, math.pi))
    kind = d.one(
        ("gaussian", "gaussian-2", "generalised", "generalised-2", "plateau", "plateau-2"),
        (0.45, 0.25, 0.12, 0.03, 0.12, 0.03),
    )
    shape, _, two = kind.partition("-")
    values: dict[str, float | str] = {"kind": shape, "size": size, "sigma": d.uniform(*sigma)}
    if two:
        values |= {"sigma2": d.uniform(*sigma), "angle": d.uniform(-180.0, 180.0)}
    if shape != "gaussian":
        least, most = (0.5, 4.0) if shape == "generalised" else (1.0, 2.0)
        values["beta"] = d.uniform(least, 1.0) if d.chance(0.5) else d.uniform(1.0, most)
    return _name("kernel-blur", **values)


def _sinc(size: int, cutoff: float) -> str:
    return _name("kernel-blur", kind="sinc", size=size, cutoff=min(cutoff, 3.14159))


def _resize(
    d: Draws,
    chances: tuple[float, float, float],
    up: tuple[float, float],
    down: tuple[float, float],
    **size: float,
) -> str:
    how = d.one(("up", "down", "keep"), chances)
    factor = 1.0 if how == "keep" else d.uniform(*(up if how == "up" else down))
    return _name("resize", factor=factor, mode=d.one(_MODES), **size)


def _shot_or_read(d: Draws, *, sigma: tuple[float, float], scale: tuple[float, float]) -> str:
    gaussian, channels = d.chance(0.5), "grey" if d.chance(0.4) else "each"
    if gaussian:
        return _name("noise", sigma=d.uniform(*sigma), channels=channels)
    return _name("scaled-poisson", scale=d.uniform(*scale), channels=channels)


def _eigen_blur(d: Draws, f: float) -> str:
    """BSRGAN's blur: eigenvalues of the covariance, or one sigma."""
    size = 2 * d.whole(2, 11) + 3
    if d.chance(0.5):
        along, across = (math.sqrt(d.uniform(0.0, 4.0 + f)) for _ in range(2))
        return _name(
            "kernel-blur", size=size, sigma=along, sigma2=max(across, 1e-3), angle=d.uniform(0.0, 180.0)
        )
    return _name("kernel-blur", size=size, sigma=d.uniform(0.0, 2.0 + 0.2 * f))


def _random_downsample(d: Draws, f: float) -> list[str]:
    if d.chance(0.75) or f == 1:
        return [_name("resize", factor=1 / d.uniform(1.0, 2 * f), mode=d.one(_MODES))]
    # Every f-th pixel from the first is off by (f - 1) / 2, and the kernel by as much the other way.
    sigma = d.uniform(0.1, 0.6 * f)
    return [
        _name("kernel-blur", size=25, sigma=sigma, shift=-(f - 1) / 2),
        _name("resize", factor=1 / f, mode="nearest"),
    ]


def _gaussian(d: Draws) -> list[str]:
    kind = d.one(("each", "grey", "correlated"), (0.4, 0.4, 0.2))
    if kind == "correlated":
        return ["channel-noise:level=25", "clip"]
    return [_name("noise", sigma=d.whole(2, 25), channels=kind), "clip"]


def _jpeg(d: Draws, least: int) -> str:
    return _name("jpeg", quality=d.whole(least, 95))


def _name(name: str, **values: float | str) -> str:
    return format_name(name, values)


_SCALE = {
    "scale": Knob("factor by which each side shrinks", legal=(1, 8), default=4, whole=True),
}
_NEEDS = ("kernel-blur", "resize", "noise", "clip", "jpeg")

REAL_ESRGAN = Recipe(
    "Real-ESRGAN's two stages (Wang et al. 2021)",
    real_esrgan,
    (*_NEEDS, "scaled-poisson", "quantise"),
    _SCALE,
    keeps_size=False,
)
BSRGAN = Recipe(
    "BSRGAN's shuffled blur, size, noise and JPEG (Zhang et al. 2021)",
    bsrgan,
    (*_NEEDS, "channel-noise"),
    _SCALE,
    keeps_size=False,
)
