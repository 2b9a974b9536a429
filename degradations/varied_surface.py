"""Old prints, their damage, drops on glass and photographed screens in many looks (domain randomisation)."""

from __future__ import annotations

from collections.abc import Mapping

from restore.degradations.base import Degradation
from restore.degradations.mixture import Draws, Find, Recipe
from restore.degradations.varied_weather import reference
from restore.names import format_name

_DAMAGE = {
    "cracks": 2.0, "crease": 1.5, "scratches": 2.0, "dust": 2.0, "mildew": 1.0, "water-stain": 0.7, "mask": 0.8,
}  # fmt: skip


def varied_print(d: Draws, find: Find, values: Mapping[str, float]) -> list[Degradation]:
    """A scanned print: soft, grey or faded, grainy or half-tone, four in five with damage, some with a margin."""
    steps = [format_name("blur", {"sigma": d.uniform(0.3, 1.3)})] if d.chance(0.6) else []
    steps.append(_tone(d))
    grain = d.one(("film-grain", "noise", "chroma-noise", "halftone", "none"), (3, 1.5, 1, 1, 2))
    if grain == "film-grain":
        steps.append(_name("film-grain", sigma=d.uniform(4.0, 22.0), size=d.uniform(0.5, 1.4)))
    if grain == "noise":
        steps.append(_name("noise", sigma=d.uniform(2.0, 12.0), channels="grey"))
    if grain == "chroma-noise":  # the grains of coloured plates
        steps.append(_name("chroma-noise", sigma=d.uniform(3.0, 10.0), size=d.uniform(0.6, 1.5), luma=1))
    if grain == "halftone":
        steps.append(_name("halftone", pitch=d.uniform(2.2, 4.5), contrast=d.uniform(0.1, 0.5)))
    if d.chance(0.8):
        steps += _damage(d)
    if d.chance(0.2):
        steps.append(_margin(d))
    return [find(text) for text in steps]


def varied_damage(d: Draws, find: Find, values: Mapping[str, float]) -> list[Degradation]:
    """One to three kinds of damage on any picture, two in five of them grey or toned before."""
    steps = [_tone(d)] if d.chance(0.4) else []
    return [find(text) for text in [*steps, *_damage(d)]]


def varied_drops(d: Draws, find: Find, values: Mapping[str, float]) -> list[Degradation]:
    """Many small drops, few large ones, runs, in focus or not; one time in five those of the lens."""
    if d.chance(0.2):
        return [find("raindrop")]
    kind, unit = d.one(("small", "middle", "large", "running"), (3, 3, 2, 1.5)), reference(d)
    low, high = {"small": (1.5, 4.0), "middle": (3.0, 9.0), "large": (8.0, 22.0), "running": (3.0, 8.0)}[kind]
    given: dict[str, float | str] = {"radius": unit * d.uniform(low, high)}
    if kind == "running":
        given["runs"] = d.uniform(0.3, 0.9)
    if d.chance(0.4):
        given["focus"] = d.uniform(0.0, 0.12)
    steps = [_name("glass-drops", **given)]
    if d.chance(0.3):  # a second size in front of it
        steps.append(_name("glass-drops", radius=unit * d.uniform(1.5, 6.0), coverage=d.uniform(0.03, 0.1)))
    if d.chance(0.2):  # the pane is misted
        steps.insert(
            0, _name("scene-haze", plan="patches", beta=d.uniform(0.1, 0.7), near=d.uniform(0.2, 0.8))
        )
    return [find(text) for text in steps]


def varied_moire(d: Draws, find: Find, values: Mapping[str, float]) -> list[Degradation]:
    """One or two beats, coarse or fine, over a softened picture."""
    steps = [format_name("blur", {"sigma": d.uniform(0.3, 0.9)})] if d.chance(0.4) else []
    steps.append("moire")
    if d.chance(0.4):
        steps.append(_name("moire", period=d.uniform(2.2, 8.0)))
    return [find(text) for text in steps]


def _tone(d: Draws) -> str:
    """Two in three grey or toned, else a colour print; where browns are usual other casts are not excluded."""
    if d.chance(0.65):
        hue = d.uniform(22.0, 60.0) if d.chance(0.8) else d.uniform(0.0, 360.0)
        return _name("print-tone", mono=1, hue=hue)
    hue = d.uniform(20.0, 80.0) if d.chance(0.6) else d.uniform(0.0, 360.0)
    return _name("print-tone", mono=d.uniform(0.0, 0.4), hue=hue)


def _damage(d: Draws) -> list[str]:
    kinds = list(_DAMAGE)
    chosen = {d.one(kinds, tuple(_DAMAGE.values())) for _ in range(d.whole(1, 3))}
    steps = []
    for kind in sorted(chosen, key=kinds.index):
        if kind == "mask":
            kind = _name(
                "mask",
                shape=d.one(("tears", "holes")),
                cover=d.uniform(0.004, 0.05),
                value=d.uniform(0.7, 1.0),
            )
        steps.append(kind)
    return steps


def _margin(d: Draws) -> str:
    dark = d.chance(0.2)
    return _name(
        "print-margin",
        brightness=d.uniform(0.0, 0.15) if dark else d.uniform(0.75, 1.0),
        rough=d.uniform(0.1, 0.6) if d.chance(0.4) else 0,
        round=d.uniform(0.02, 0.15) if d.chance(0.3) else 0,
    )


def _name(name: str, **values: float | str) -> str:
    return format_name(name, values)


VARIED_SURFACE: dict[str, Recipe] = {
    "varied-print": Recipe(
        "old prints in many looks: toned, faded, grained, half-tone, cracked, torn, stained, with margins",
        varied_print,
        ("blur", "print-tone", "film-grain", "noise", "chroma-noise", "halftone", *_DAMAGE, "print-margin"),
    ),
    "varied-damage": Recipe(
        "one to three kinds of damage on pictures, toned or not", varied_damage, ("print-tone", *_DAMAGE)
    ),
    "varied-drops": Recipe(
        "drops on glass in many looks: small, large, running, in focus or not",
        varied_drops,
        ("glass-drops", "raindrop", "scene-haze"),
    ),
    "varied-moire": Recipe("photographs of screens: one or two beats", varied_moire, ("blur", "moire")),
}
