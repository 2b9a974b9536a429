"""The 19 corruptions of ImageNet-C (Hendrycks & Dietterich 2019) at their five severities, under their own names.

The rule of the names: a corruption has the name it has in the benchmark (``gaussian_noise``, ``frost``), unless
another degradation here is called so; then it is ``imagenet-c-`` and that name (``imagenet-c-fog``,
``imagenet-c-snow``, ``imagenet-c-pixelate``). :func:`corruptions` lists all in the benchmark's order.

Severities follow the published tables of the three sizes 32 (CIFAR-10-C), 64 (Tiny-ImageNet-C) and 224 pixels, and
the size-aware rule of ``severity`` between and beyond. As in the benchmark every result is cut to [0, 1].
"""

from __future__ import annotations

from restore.degradations import imagenet_c_blur as blur
from restore.degradations import imagenet_c_move as move
from restore.degradations import imagenet_c_noise as noise
from restore.degradations import imagenet_c_pixel as pixel
from restore.degradations import imagenet_c_weather as weather
from restore.degradations.base import Degradation
from restore.degradations.imagenet_c_spatter import SPATTER
from restore.errors import unknown

# Fifteen of the benchmark proper, then the four meant for validation.
CORRUPTIONS: dict[str, Degradation] = {
    "gaussian_noise": noise.GAUSSIAN,
    "shot_noise": noise.SHOT,
    "impulse_noise": noise.IMPULSE,
    "defocus_blur": blur.DEFOCUS,
    "glass_blur": move.GLASS,
    "motion_blur": blur.MOTION,
    "zoom_blur": blur.ZOOM,
    "snow": weather.SNOW,
    "frost": weather.FROST,
    "fog": weather.FOG,
    "brightness": pixel.BRIGHTNESS,
    "contrast": pixel.CONTRAST,
    "elastic_transform": move.ELASTIC,
    "pixelate": pixel.PIXELATE,
    "jpeg_compression": pixel.JPEG,
    "speckle_noise": noise.SPECKLE,
    "gaussian_blur": blur.GAUSSIAN,
    "spatter": SPATTER,
    "saturate": pixel.SATURATE,
}
SUBSETS = {"all": slice(0, 19), "common": slice(0, 15), "validation": slice(15, 19)}
# By the names that ``degradation`` takes; the elastic transform has a second table.
TABLE = {d.name: d for d in (*CORRUPTIONS.values(), move.ELASTIC_2019)}


def corruptions(subset: str = "all") -> list[str]:
    """The names that :func:`restore.degradations.degradation` takes, in the benchmark's order.

    Args:
        subset: "all" 19, the "common" 15 that the mean corruption error is taken over, or 4 for "validation".

    Raises:
        UsageError: another subset.
    """
    if subset not in SUBSETS:
        raise unknown("subset", subset, SUBSETS)
    return [d.name for d in CORRUPTIONS.values()][SUBSETS[subset]]
