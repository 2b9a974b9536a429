"""Rain, snow, haze and water in many looks, one drawn for every sample (domain randomisation, Tobin et al. 2017)."""

from __future__ import annotations

from collections.abc import Mapping

from restore.degradations.base import Degradation
from restore.degradations.mixture import Draws, Find, Recipe
from restore.names import format_name


def varied_rain(d: Draws, find: Find, values: Mapping[str, float]) -> list[Degradation]:
    """Long lines, drizzle, near drops, smeared noise, or sheets of several sizes; a veil before, splashes after."""
    kind = d.one(("lines", "drizzle", "near", "noise", "sheets", "spread"), (3, 2, 1.5, 2, 2, 1))
    angle = d.uniform(-8.0, 8.0) if d.chance(0.4) else d.uniform(-45.0, 45.0)
    steps = [_veil(d, 0.15, 0.9)] if d.chance(0.4) else []
    unit = reference(d)
    if kind in ("lines", "sheets"):
        steps.append(
            _streaks(d, angle, length=unit * d.uniform(18.0, 60.0), width=unit * d.uniform(0.6, 1.4))
        )
    if kind in ("drizzle", "sheets"):
        steps.append(
            _streaks(
                d, angle + d.uniform(-3.0, 3.0), length=unit * d.uniform(5.0, 16.0), width=d.uniform(0.6, 1.1)
            )
        )
    if kind == "noise":
        steps.append(
            _streaks(
                d, angle, source="noise", length=unit * d.uniform(8.0, 40.0), width=unit * d.uniform(0.6, 1.6)
            )
        )
    if kind == "spread":
        steps.append(_streaks(d, angle, spread=d.uniform(6.0, 20.0), length=unit * d.uniform(6.0, 20.0)))
    if kind == "near" or (kind != "drizzle" and d.chance(0.25)):
        wide = unit * d.uniform(1.8, 5.0)
        steps.append(
            _streaks(
                d,
                angle,
                source="lines",
                coverage=d.uniform(0.03, 0.15),
                length=wide * d.uniform(4.0, 15.0),
                width=wide,
                blur=wide * d.uniform(0.1, 0.5),
            )
        )
    if d.chance(0.2):
        steps.append(_name("rain-splashes", radius=unit * d.uniform(1.0, 4.0)))
    return [find(text) for text in steps]


def varied_snow(d: Draws, find: Find, values: Mapping[str, float]) -> list[Degradation]:
    """Small flakes, large ones, near ones out of focus, falling streaks, or several of them; a veil at times."""
    kind = d.one(("small", "large", "streaky", "depths", "storm"), (3, 2, 2, 3, 1))
    unit, angle = reference(d), d.uniform(-60.0, 60.0)
    steps = [_veil(d, 0.15, 1.2)] if d.chance(0.9 if kind == "storm" else 0.35) else []
    if kind in ("small", "depths", "storm"):
        steps.append(_flakes(d, angle, radius=unit * d.uniform(0.6, 1.6)))
    if kind in ("large", "depths"):
        steps.append(_flakes(d, angle, radius=unit * d.uniform(1.6, 4.0), softness=d.uniform(0.4, 1.5)))
    if kind in ("streaky", "storm"):
        steps.append(_flakes(d, angle, radius=unit * d.uniform(0.7, 2.2), length=unit * d.uniform(4.0, 22.0)))
    if d.chance(0.6 if kind == "depths" else 0.2):
        steps.append(
            _flakes(
                d,
                angle,
                coverage=d.uniform(0.02, 0.12),
                radius=unit * d.uniform(4.0, 14.0),
                softness=d.uniform(0.3, 2.0),
                ring=d.uniform(0.0, 0.5),
                opacity=d.uniform(0.15, 0.6),
            )
        )
    return [find(text) for text in steps]


def varied_haze(d: Draws, find: Find, values: Mapping[str, float]) -> list[Degradation]:
    """Any air over any plan of depth; grey haze and fog as published beside it."""
    kind = d.one(("scene-haze", "haze", "fog", "sandstorm"), (6, 1.5, 1.5, 0.5))
    if kind != "scene-haze":
        return [find(kind)]
    # Most haze is nearly grey; some is the blue of distance, or the brown of dust and smoke.
    colours = {"warmth": d.uniform(-0.08, 0.08), "tint": d.uniform(-0.02, 0.02)} if d.chance(0.5) else {}
    return [find(_name("scene-haze", **colours))]


def varied_water(d: Draws, find: Find, values: Mapping[str, float]) -> list[Degradation]:
    """Water of any cold colour, with and without its own light; one time in five one of Jerlov's."""
    if d.chance(0.15):
        return [find("underwater:water=I|IA|IB|II|III|1C|3C")]
    given: dict[str, float | str] = {}
    if d.chance(0.3):
        given |= {"backscatter": d.uniform(0.0, 0.25), "attenuation": d.uniform(0.4, 1.8)}
    if d.chance(0.15):  # a tint over all of it alone
        given |= {"plan": "even", "near": 1}
    return [find(_name("tinted-water", **given))]


def reference(d: Draws) -> float:
    """How much larger a length is than in pictures of some 500 pixels; small pictures are crops of such ones."""
    return max(min(d.height, d.width) / 512, 1.0)


def _streaks(d: Draws, angle: float, **values: float | str) -> str:
    patches = d.uniform(0.2, 0.9) if d.chance(0.4) else 0.0
    angle = min(max(angle, -90.0), 90.0)
    return _name("rain-streaks", angle=angle, patchiness=patches, **values)


def _flakes(d: Draws, angle: float, **values: float | str) -> str:
    patches = d.uniform(0.2, 0.9) if d.chance(0.3) else 0.0
    return _name("snow-flakes", angle=angle, patchiness=patches, **values)


def _veil(d: Draws, low: float, high: float) -> str:
    return _name(
        "haze", beta=d.uniform(low, high), airlight=d.uniform(0.5, 0.95), patchiness=d.uniform(0.0, 0.6)
    )


def _name(name: str, **values: float | str) -> str:
    return format_name(name, values)


VARIED_WEATHER: dict[str, Recipe] = {
    "varied-rain": Recipe(
        "rain in many looks: lines, drizzle, near drops, smeared noise, sheets; veil and splashes at times",
        varied_rain,
        ("haze", "rain-streaks", "rain-splashes"),
    ),
    "varied-snow": Recipe(
        "snow in many looks: small, large, out of focus, streaky, storms; a veil at times",
        varied_snow,
        ("haze", "snow-flakes"),
    ),
    "varied-haze": Recipe(
        "haze of any colour over planar, perspective, patchy and layered depth",
        varied_haze,
        ("scene-haze", "haze", "fog", "sandstorm"),
    ),
    "varied-water": Recipe(
        "water from green to blue, with and without backscatter",
        varied_water,
        ("tinted-water", "underwater"),
    ),
}
