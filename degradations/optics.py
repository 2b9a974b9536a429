"""What lenses and shutters do to a picture besides blur: distortion, colour fringes, dark corners, skew.

Places are normalised: the centre of the picture is 0, its corners are at radius 1. Results show the input at moved
places, bilinearly, mirrored beyond the border; nothing is clipped. Severities are our own design.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from restore.degradations import sample as draw
from restore.degradations.base import Degradation
from restore.degradations.colour import SPACES, to_encoded, to_linear
from restore.degradations.knob import Knob
from restore.image import GREY

_FEWEST, _MOST = 3, 24  # enlargements in a zoom blur


def distortion(x: Tensor, *, seed: Tensor, k1: Tensor, k2: Tensor, p1: Tensor, p2: Tensor) -> Tensor:
    """Brown-Conrady: the result at (u, v) shows the input at (u, v)(1 + k1 r^2 + k2 r^4) plus the tangential terms
    (2 p1 u v + p2 (r^2 + 2 u^2), p1 (r^2 + 2 v^2) + 2 p2 u v) (Brown 1966).

    Args:
        k1, k2: B radial coefficients; positive: barrel, negative: pincushion.
        p1, p2: B tangential coefficients, of a tilted lens.
    """

    def one(x: Tensor, k1: float, k2: float, p1: float, p2: float) -> Tensor:
        u, v = places(x)
        r2 = u * u + v * v
        radial = 1 + r2 * (k1 + k2 * r2)
        return look(
            x,
            u * radial + 2 * p1 * u * v + p2 * (r2 + 2 * u * u),
            v * radial + p1 * (r2 + 2 * v * v) + 2 * p2 * u * v,
        )

    return _each(x, one, k1, k2, p1, p2)


def chromatic_aberration(x: Tensor, *, seed: Tensor, red: Tensor, blue: Tensor) -> Tensor:
    """Lateral colour: red and blue are enlarged by ``1 + red`` and ``1 + blue`` about the centre, green is not.

    In a grey picture the three are mixed: it becomes unsharp towards its corners.
    """

    def one(x: Tensor, red: float, blue: float) -> Tensor:
        u, v = places(x)
        scaled = [x[i % len(x)][None] for i in range(3)]
        for i, extra in ((0, red), (2, blue)):
            if extra:
                scaled[i] = look(scaled[i], u / (1 + extra), v / (1 + extra))
        if len(x) == 3:
            return torch.cat(scaled)
        return x + sum(k * (part - x) for k, part in zip(GREY, scaled, strict=True))

    return _each(x, one, red, blue)


def vignetting(x: Tensor, *, seed: Tensor, falloff: Tensor, kind: list[str], space: list[str]) -> Tensor:
    """Less light towards the corners: by ``1 - falloff r^2`` or by the fourth power of the cosine.

    Args:
        falloff: B shares of the light that the corners lose.
        kind: B names: "polynomial", or "cos4" (the natural law of a thin lens).
        space: B names: "linear" light, "power" 2.2, or "srgb" as stored.
    """
    made = []
    for part, lost, law, domain in zip(x.split(1), falloff.tolist(), kind, space, strict=True):
        u, v = places(part[0])
        r2 = u * u + v * v
        if law == "cos4":  # cos^4 = (1 + r^2 tan^2)^-2, and 1 - lost at r = 1
            light = (1 + r2 * (max(1 - lost, 1e-6) ** -0.5 - 1)) ** -2
        else:
            light = (1 - lost * r2).clamp(min=0)
        made.append(
            to_encoded(to_linear(part, space=domain) * light.to(part), space=domain) if lost else part
        )
    return torch.cat(made)


def zoom_blur(x: Tensor, *, seed: Tensor, amount: Tensor) -> Tensor:
    """The zoom turned while the shutter is open: the mean over enlargements from ``(1 + amount)^-1/2`` to
    ``(1 + amount)^1/2``, so that the picture is as large as before on the average.

    ImageNet-C's ``zoom_blur`` only enlarges.
    """

    def one(x: Tensor, amount: float) -> Tensor:
        h, w = x.shape[-2:]
        count = min(max(math.ceil(amount * math.hypot(h, w) / 2), _FEWEST), _MOST)
        u, v = places(x)
        total = torch.zeros_like(x)
        for i in range(count):
            factor = (1 + amount) ** ((i + 0.5) / count - 0.5)
            total = total + look(x, u / factor, v / factor)
        return total / count

    return _each(x, one, amount)


def rolling_shutter(x: Tensor, *, seed: Tensor, shear: Tensor, wobble: Tensor, waves: Tensor) -> Tensor:
    """Rows are read one after the other while the camera moves sideways: skew, and jelly where it shakes.

    Args:
        shear: B moves from the first row to the last, pixels.
        wobble: B amplitudes of a sine over the rows, pixels; its phase comes from the seed.
        waves: B numbers of its waves in the picture.
    """

    def one(x: Tensor, seed: int, shear: float, wobble: float, waves: float) -> Tensor:
        h, w = x.shape[-2:]
        u, v = places(x)
        row = (torch.arange(h, dtype=torch.float32, device=x.device)[:, None] + 0.5) / h
        phase = float(draw.draw_uniform(1, 0, 1, draw.generator(draw.child_seed(seed, "phase"))))
        move = shear * (row - 0.5) + wobble * torch.sin(2 * math.pi * (waves * row + phase))
        return look(x, u - move * (2 / math.hypot(h, w)), v)

    return _each(x, one, seed, shear, wobble, waves)


def places(x: Tensor) -> tuple[Tensor, Tensor]:
    """Where the pixels of ``... x H x W`` are: u to the right (``1 x W``), v downwards (``H x 1``); corners at 1."""
    h, w = x.shape[-2:]
    unit = 2 / math.hypot(h, w)
    u = torch.arange(w, dtype=torch.float32, device=x.device)[None] - (w - 1) / 2
    v = torch.arange(h, dtype=torch.float32, device=x.device)[:, None] - (h - 1) / 2
    return u * unit, v * unit


def look(x: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """``C x H x W`` seen at the places (u, v), which broadcast to ``H x W``; bilinear, mirrored at the border."""
    h, w = x.shape[-2:]
    unit = math.hypot(h, w)
    grid = torch.stack(torch.broadcast_tensors(u * (unit / w), v * (unit / h)), -1)[None].to(x)
    return F.grid_sample(x[None], grid, padding_mode="reflection", align_corners=False)[0]


def _each(x: Tensor, make: Callable[..., Tensor], *columns: Tensor) -> Tensor:
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    rows = zip(wide, *(c.tolist() for c in columns), strict=True)
    return torch.stack([make(*row) for row in rows]).to(x.dtype)


def _knob(doc: str, legal: tuple[float, float], default: float = 0.0) -> Knob:
    return Knob(doc, legal=legal, default=default)


DISTORTION = Degradation(
    "distortion",
    distortion,
    {
        "k1": Knob(
            "radial coefficient; positive: barrel",
            span=(-0.15, 0.3),
            legal=(-0.3, 2.0),
            levels={224: (0.03, 0.06, 0.11, 0.18, 0.3)},
        ),
        "k2": _knob("second radial coefficient", (-0.3, 2.0)),
        "p1": _knob("tangential coefficient", (-0.3, 0.3)),
        "p2": _knob("tangential coefficient", (-0.3, 0.3)),
    },
)
_FRINGE = (0.002, 0.0035, 0.006, 0.01, 0.016)
CHROMATIC_ABERRATION = Degradation(
    "chromatic-aberration",
    chromatic_aberration,
    {
        "red": Knob(
            "extra enlargement of red", span=(-0.005, 0.005), legal=(-0.5, 0.5), levels={224: _FRINGE}
        ),
        "blue": Knob(
            "extra enlargement of blue",
            span=(-0.005, 0.005),
            legal=(-0.5, 0.5),
            levels={224: (-0.002, -0.0035, -0.006, -0.01, -0.016)},
        ),
    },
)
VIGNETTING = Degradation(
    "vignetting",
    vignetting,
    {
        "falloff": Knob(
            "share of the light that the corners lose",
            span=(0.0, 0.8),
            legal=(0.0, 1.0),
            levels={224: (0.25, 0.4, 0.55, 0.7, 0.85)},
        ),
        "kind": Knob("law of the falloff", choices=("polynomial", "cos4"), default="polynomial"),
        "space": Knob("where light is lost", choices=SPACES, default="linear"),
    },
)
ZOOM_BLUR = Degradation(
    "zoom-blur",
    zoom_blur,
    {
        "amount": Knob(
            "largest over smallest enlargement, less 1",
            span=(0.02, 0.25),
            legal=(0.0, 4.0),
            levels={224: (0.04, 0.07, 0.11, 0.16, 0.25)},
        )
    },
)
ROLLING_SHUTTER = Degradation(
    "rolling-shutter",
    rolling_shutter,
    {
        "shear": Knob(
            "move from the first row to the last, pixels",
            span=(-20.0, 20.0),
            legal=(-10000.0, 10000.0),
            levels={224: (3, 6, 10, 16, 26)},
            is_length=True,
        ),
        "wobble": _knob("amplitude of a sine over the rows, pixels", (-1000.0, 1000.0)),
        "waves": _knob("waves of the sine in the picture", (0.0, 1000.0), 3.0),
    },
)
TABLE = {d.name: d for d in (DISTORTION, CHROMATIC_ABERRATION, VIGNETTING, ZOOM_BLUR, ROLLING_SHUTTER)}
