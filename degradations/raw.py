"""A camera's raw data from a developed picture, and back (Brooks et al. 2019, "Unprocessing").

Noise enters a camera before white balance, demosaicing, colour matrix and tone curve, which make it coloured,
correlated and dependent on the light. :func:`unprocess` undoes those steps with a camera drawn from a seed,
:func:`process` does them again. A grey picture is a sensor without a colour filter: one gain and the curves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from restore import image
from restore.degradations import sample as draw
from restore.degradations.base import Degradation
from restore.degradations.codec import straight_through
from restore.degradations.colour import elementwise
from restore.degradations.demosaic import KINDS, mosaic
from restore.degradations.demosaic import demosaic as fill_in
from restore.degradations.knob import Knob
from restore.degradations.params import Params
from restore.errors import RestoreError, unknown

_RGB_TO_XYZ = (
    (0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041),
)  # fmt: skip
# XYZ to the colours of four cameras, as in Brooks et al.
_XYZ_TO_CAMERAS = (
    ((1.0234, -0.2969, -0.2266), (-0.5625, 1.6328, -0.0469), (-0.0703, 0.2188, 0.6406)),
    ((0.4913, -0.0541, -0.0202), (-0.613, 1.3513, 0.2906), (-0.1564, 0.2151, 0.7183)),
    ((0.838, -0.263, -0.0639), (-0.2887, 1.0725, 0.2496), (-0.0627, 0.1427, 0.5438)),
    ((0.6596, -0.2079, -0.0562), (-0.4782, 1.3016, 0.1933), (-0.097, 0.1581, 0.5181)),
)
# Lines in log-log between shot and read noise: lowest and highest shot; the logarithm's base, slope, offset, spread.
PROFILES = {
    "brooks": (1e-4, 0.012, math.e, 2.18, 1.20, 0.26),  # Darmstadt's cameras
    "sidd": (6.8674e-4, 0.02194856, 10.0, 1.85, 0.30, 0.20),  # CycleISP, telephones
}
DEMOSAICS = (*KINDS, "none")


@dataclass(frozen=True)
class Camera:
    """What a camera does to colours: ``matrix`` from linear sRGB to its own (rows sum to 1), and its gains."""

    matrix: Tensor
    exposure: float
    red: float
    blue: float

    def gains(self, channels: int) -> tuple[float, ...]:
        """Factors per channel from raw data to white-balanced light."""
        e = self.exposure
        return (e * self.red, e, e * self.blue) if channels == 3 else (e,)


def random_camera(seed: int) -> Camera:
    """A camera drawn from ``seed``: a mix of four colour matrices, gains 1 / N(0.8, 0.1), U(1.9, 2.4), U(1.5, 1.9)."""
    g = draw.generator(draw.child_seed(seed, "camera"))
    red, blue, *weights = draw.draw_uniform(6, 0.0, 1.0, g).tolist()
    level = 0.8 + 0.1 * float(draw.draw_normal(1, g))
    cameras = torch.tensor(_XYZ_TO_CAMERAS, dtype=torch.float64)
    mixed = (cameras * torch.tensor(weights, dtype=torch.float64).view(4, 1, 1)).sum(0) / sum(weights)
    matrix = mixed @ torch.tensor(_RGB_TO_XYZ, dtype=torch.float64)
    # The normal distribution has no ends; a gain must be one of a camera.
    return Camera(
        matrix / matrix.sum(1, keepdim=True), 1 / max(level, 0.4), 1.9 + 0.5 * red, 1.5 + 0.4 * blue
    )


def unprocess(x: Tensor, camera: Camera, *, saturated: bool = True) -> Tensor:
    """Encoded ``B x C x H x W`` (cut to [0, 1], as the reference does) to linear raw values per pixel and channel.

    Inverse smoothstep, power 2.2, inverse colour matrix, inverse gains.

    Args:
        saturated: near white the gains fade out, so that white stays a saturated sensor (Brooks et al.). Without it
            white is as much light as it looks: what is to be darkened must be that, else the gains of the way back
            tint highlights that are no longer cut.
    """
    light = elementwise(_from_display, x)
    if x.shape[1] == 3:
        light = _mix_channels(light, camera.matrix)
    inverse = 1 / _per_channel(camera.gains(x.shape[1]), light)
    if not saturated:
        return (light * inverse).clamp(0, 1)
    near_white = ((light.mean(1, keepdim=True) - 0.9).clamp(min=0) / 0.1) ** 2
    return (light * torch.maximum(near_white + (1 - near_white) * inverse, inverse)).clamp(0, 1)


def process(
    raw: Tensor, camera: Camera, *, demosaic: str = "none", gamma: float = 2.2, tone: bool = True
) -> Tensor:
    """Raw values to an encoded picture in [0, 1]: gains, demosaicing, colour matrix, power 1 / gamma, smoothstep.

    Args:
        raw: ``B x C x H x W``; only the filter's colour of each pixel is looked at where demosaicing is wanted.
        demosaic: "malvar", "bilinear", or "none" where every pixel has all colours.

    Raises:
        UsageError: an unknown kind of demosaicing.
    """
    if demosaic not in DEMOSAICS:
        raise unknown("demosaicing", demosaic, DEMOSAICS)
    light = (raw * _per_channel(camera.gains(raw.shape[1]), raw)).clamp(0, 1)
    if raw.shape[1] == 3:
        light = light if demosaic == "none" else fill_in(mosaic(light), kind=demosaic)
        light = _mix_channels(light, torch.linalg.inv(camera.matrix))
    return elementwise(lambda v: _to_display(v, gamma, tone), light.clamp(0, 1))


def raw_noise(
    x: Tensor, *, seed: Tensor, shot: Tensor, read: Tensor, profile: list[str], demosaic: list[str]
) -> Tensor:
    """Sensor noise seen through the camera: raw ~ N(x, shot x + read), then developed; cut to [0, 1].

    Args:
        shot: B slopes of the raw variance; 0: drawn from the seed, log-uniform over the profile's range.
        read: B variances in the dark; 0: from the profile's line through ``shot``, with its spread.
        profile: B names of :data:`PROFILES`.
        demosaic: B names of :data:`DEMOSAICS`; the mosaic's own errors are in the result.
    """
    made = []
    columns = zip(x.split(1), *noise_levels(seed, shot, read, profile), seed.tolist(), demosaic, strict=True)
    for part, slope, dark, s, kind in columns:
        camera = random_camera(s)
        made.append(expose(part, camera, s, shot=slope, read=dark, demosaic=kind))
    return torch.cat(made)


def expose(
    x: Tensor,
    camera: Camera,
    seed: int,
    *,
    shot: float,
    read: float,
    demosaic: str,
    light: float = 1.0,
    bits: int = 0,
    gamma: float = 2.2,
    tone: bool = True,
) -> Tensor:
    """One sample ``1 x C x H x W`` photographed again with ``light`` times the light.

    Args:
        bits: depth of the raw data; 0: not rounded. The gradient passes straight through the rounding.
    """
    h, w = x.shape[-2:]
    kind = torch.promote_types(x.dtype, torch.float32)
    whole = F.pad(x.to(kind), (0, int(w == 1), 0, int(h == 1)), mode="replicate")
    raw = light * unprocess(whole, camera, saturated=light >= 1)
    noisy = sensor_noise(raw, seed, shot=shot, read=read, one_plane=demosaic != "none")
    if bits:
        noisy = straight_through(noisy, image.quantise(noisy.detach(), bits=bits))
    return process(noisy, camera, demosaic=demosaic, gamma=gamma, tone=tone)[..., :h, :w].to(x.dtype)


def sensor_noise(raw: Tensor, seed: int, *, shot: float, read: float, one_plane: bool = False) -> Tensor:
    """One sample ``1 x C x H x W`` of N(raw, shot raw + read); ``one_plane`` draws once for all channels of a pixel.

    Behind a colour filter only one channel of each pixel is looked at, so that one draw is enough.
    """
    shape = (1 if one_plane else raw.shape[1], *raw.shape[-2:])
    field = draw.normal_fields(torch.tensor([draw.child_seed(seed, "sensor")]), shape)
    return raw + (shot * raw + read).clamp(min=1e-20).sqrt() * field.to(raw)


def noise_levels(
    seed: Tensor, shot: Tensor, read: Tensor, profile: Sequence[str]
) -> tuple[list[float], list[float]]:
    """Shot and read noise of every sample: as given, or where 0 from the profile and the seed."""
    shots, reads = [], []
    for s, slope, dark, name in zip(seed.tolist(), shot.tolist(), read.tolist(), profile, strict=True):
        low, high, base, rise, offset, spread = PROFILES[name]
        g = draw.generator(draw.child_seed(s, "noise level"))
        place, shift = float(draw.draw_uniform(1, 0.0, 1.0, g)), float(draw.draw_normal(1, g))
        slope = slope or low * (high / low) ** place
        shots.append(slope)
        reads.append(dark or base ** (rise * math.log(slope, base) + offset + spread * shift))
    return shots, reads


def levels(params: Params) -> tuple[Tensor, Tensor]:
    """B shot and B read variances, float64, that recorded parameters of ``raw-noise`` or ``lowlight`` stand for.

    Raises:
        RestoreError: parameters of something else.
    """
    if params.name not in ("raw-noise", "lowlight"):
        raise RestoreError(f"expected parameters of raw-noise or lowlight, got {params.name!r}")
    v = params.values
    shots, reads = noise_levels(params.seeds, v["shot"], v["read"], v["profile"])
    return torch.tensor(shots, dtype=torch.float64), torch.tensor(reads, dtype=torch.float64)


def _from_display(x: Tensor) -> Tensor:
    # The margin keeps the gradient of asin finite at black and white.
    inner = x.clamp(1e-7, 1 - 1e-7)
    return (0.5 - torch.sin(torch.asin(1 - 2 * inner) / 3)).clamp(min=1e-8).pow(2.2)


def _to_display(light: Tensor, gamma: float, tone: bool) -> Tensor:
    y = light.clamp(min=1e-8).pow(1 / gamma)
    return 3 * y**2 - 2 * y**3 if tone else y


def _mix_channels(x: Tensor, matrix: Tensor) -> Tensor:
    return torch.matmul(matrix.to(x), x.flatten(2)).view(x.shape)


def _per_channel(values: tuple[float, ...], x: Tensor) -> Tensor:
    return torch.tensor(values, dtype=x.dtype, device=x.device).view(1, -1, 1, 1)


SHOT = Knob(
    "slope of the raw variance over the light; 0: drawn from the seed",
    legal=(0.0, 1.0),
    levels={224: (4e-4, 1e-3, 2.5e-3, 6e-3, 0.012)},
    default=0.0,
)
READ = Knob("variance of the raw data in the dark; 0: by the profile", legal=(0.0, 1.0), default=0.0)
PROFILE = Knob("published range and line of noise levels", choices=tuple(PROFILES), default="brooks")
DEMOSAIC = Knob("how colours are filled in", choices=DEMOSAICS, default="malvar")

RAW_NOISE = Degradation(
    "raw-noise", raw_noise, {"shot": SHOT, "read": READ, "profile": PROFILE, "demosaic": DEMOSAIC}
)
