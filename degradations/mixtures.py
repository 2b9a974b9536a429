"""Named mixtures: the published real-world pipelines, weather in the dark, old photographs.

Physical order: medium, lens, motion, exposure, sensor noise, processing, resize, codec, storage damage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from restore.degradations.base import Degradation
from restore.degradations.life import LIVES
from restore.degradations.mixture import Draws, Find, Mixture, Recipe
from restore.degradations.real_world import BSRGAN, REAL_ESRGAN
from restore.degradations.varied_camera import VARIED_CAMERA
from restore.degradations.varied_surface import VARIED_SURFACE
from restore.degradations.varied_weather import VARIED_WEATHER
from restore.names import format_name

# OneRestore's CDD-11 (Guo et al. 2024): the combinations that it is made of.
CDD11 = (
    ("lowlight",), ("haze",), ("rain",), ("snow",),
    ("lowlight", "haze"), ("lowlight", "rain"), ("lowlight", "snow"), ("haze", "rain"), ("haze", "snow"),
    ("lowlight", "haze", "rain"), ("lowlight", "haze", "snow"),
)  # fmt: skip
# Falling water and snow are nearer than the haze behind them; darkness is what the camera makes of both. Several at
# once at their full ranges would leave nothing to see: without a severity they are drawn from these [ours].
_WEATHER = {"haze": "0.5..3", "rain": "1..4", "snow": "1..4", "lowlight": "0.5..2"}


def weather(
    d: Draws, find: Find, values: Mapping[str, float], *, parts: tuple[str, ...]
) -> list[Degradation]:
    """The given kinds of weather at once, from the scene to the camera."""
    return [find(f"{name}:severity={levels}") for name, levels in _WEATHER.items() if name in parts]


def any_weather(d: Draws, find: Find, values: Mapping[str, float]) -> list[Degradation]:
    """One of CDD-11's combinations, each as likely."""
    return weather(d, find, values, parts=CDD11[d.whole(0, len(CDD11) - 1)])


def old_photo(d: Draws, find: Find, values: Mapping[str, float]) -> list[Degradation]:
    """Wan et al. 2020: blur, noise, another size and back, JPEG, each with p 0.7 in random order; then holes."""
    steps: list[list[str]] = []
    if d.chance(0.7):
        size = (3, 5, 7)[d.whole(0, 2)]
        steps.append([_name("kernel-blur", size=size, sigma=d.uniform(1.0, 5.0))])
    if d.chance(0.7):
        steps.append([_old_noise(d)])
    if d.chance(0.7):
        sides = {side: max(round(n * d.uniform(0.5, 1.0)), 1) for side, n in _sides(d).items()}
        back = d.one(("nearest", "bilinear"))
        steps.append(
            [
                _name("resize", factor=1, mode="smooth-bicubic", **sides),
                _name("resize", factor=1, mode=back, **_sides(d)),
            ]
        )
    if d.chance(0.7):
        steps.append([_name("jpeg", quality=d.whole(40, 100))])
    made = [text for i in d.order(len(steps)) for text in steps[i]]
    if d.chance(0.1):
        made.append("fade:black=0,white=1,saturation=0,yellow=0,sepia=0")
    if d.chance(0.5):
        # How much the holes cover is not published [ours].
        made.append(_name("mask", shape="holes", cover=d.uniform(0.02, 0.15), value=1))
    return [find(text) for text in made]


def worn_print(d: Draws, find: Find, values: Mapping[str, float]) -> list[Degradation]:
    """A print from an album [ours]: soft and grainy, faded, stained, folded, scratched, scanned."""
    steps = [
        _name("blur", sigma=d.uniform(0.3, 1.2)),
        _name("noise", sigma=d.uniform(3.0, 15.0), channels="grey"),
        _name("fade", sepia=d.one(("0", "0.5", "1"), (2, 1, 1))),
        *(["mildew"] if d.chance(0.4) else []),
        *(["water-stain"] if d.chance(0.3) else []),
        *(["crease"] if d.chance(0.5) else []),
        *(["scratches:direction=any"] if d.chance(0.8) else []),
        *(["dust"] if d.chance(0.7) else []),
        *([_name("mask", shape="tears", cover=d.uniform(0.005, 0.03), value=0.95)] if d.chance(0.2) else []),
        _name("jpeg", quality=d.whole(60, 95)),
    ]
    return [find(text) for text in steps]


def _old_noise(d: Draws) -> str:
    kind = d.whole(0, 2)
    if kind == 0:
        return _name("noise", sigma=d.uniform(5.0, 50.0))
    if kind == 1:
        return _name("speckle", sigma=d.uniform(5.0, 50.0) / 255)
    return _name("impulse", amount=d.uniform(0.0, 0.01), salt=d.uniform(0.3, 0.8))


def _sides(d: Draws) -> dict[str, float]:
    return {"height": d.height, "width": d.width}


def _name(name: str, **values: float | str) -> str:
    return format_name(name, values)


MIXTURES: dict[str, Recipe] = {
    "real-esrgan": REAL_ESRGAN,
    "bsrgan": BSRGAN,
    "cdd11": Recipe("one of CDD-11's eleven combinations of weather", any_weather, tuple(_WEATHER)),
    **{
        "-".join(parts): Recipe(f"{', '.join(parts)} at once (CDD-11)", partial(weather, parts=parts), parts)
        for parts in CDD11
        if len(parts) > 1
    },
    "old-photo": Recipe(
        "degraded as for old photographs (Wan et al. 2020)",
        old_photo,
        ("kernel-blur", "noise", "speckle", "impulse", "resize", "jpeg", "fade", "mask"),
    ),
    "worn-print": Recipe(
        "a print from an album: faded, stained, folded, scratched",
        worn_print,
        ("blur", "noise", "fade", "mildew", "water-stain", "crease", "scratches", "dust", "mask", "jpeg"),
    ),
    **LIVES,
    **VARIED_WEATHER,
    **VARIED_CAMERA,
    **VARIED_SURFACE,
}


def mixture(name: str, find: Callable[[str], Degradation]) -> Mixture:
    """The mixture of that name; ``find`` turns ``"noise:sigma=25"`` into a degradation."""
    return Mixture((), name, recipe=MIXTURES[name], lookup=find)
