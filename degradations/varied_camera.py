"""Blur, darkness and noise of cameras in many looks, one drawn for every sample (domain randomisation)."""

from __future__ import annotations

from collections.abc import Mapping

from restore.degradations.base import Degradation
from restore.degradations.mixture import Draws, Find, Recipe
from restore.names import format_name

_BLURS = {
    "line-blur": 3.0, "motion": 3.0, "camera-shake": 1.0, "rotation-blur": 1.0, "zoom-blur": 0.7,
    "partial-blur": 2.5, "defocus": 1.5, "blur": 1.5,
}  # fmt: skip
_EXPOSED = ("0.3", "0.5", "1")  # parts of a trajectory that the shutter sees


def varied_blur(d: Draws, find: Find, values: Mapping[str, float]) -> list[Degradation]:
    """Lines, trajectories, turns, zooms, blur in parts, and softness; one time in four a little defocus beside."""
    kind = d.one(tuple(_BLURS), tuple(_BLURS.values()))
    steps = []
    if kind in ("line-blur", "motion", "camera-shake", "partial-blur") and d.chance(0.25):
        steps.append(format_name("blur", {"sigma": d.uniform(0.4, 1.2)}))
    if kind == "motion":
        return [find(text) for text in [*steps, f"motion:exposure={d.one(_EXPOSED)}"]]
    if kind == "blur" and d.chance(0.5):
        kind = f"blur:angle={d.whole(0, 179)},sigma2={d.uniform(0.3, 1.2):.3f}"
    return [find(text) for text in [*steps, kind]]


def varied_dark(d: Draws, find: Find, values: Mapping[str, float]) -> list[Degradation]:
    """Dim light with and without lamps, raw data of too little light, encoded values to a power; denoised at times."""
    kind = d.one(("dim-light", "lowlight", "lowlight-gamma"), (4, 1, 1))
    if kind == "dim-light":
        kind += f":lamps={d.whole(1, 4)}" if d.chance(0.35) else ""
    steps = [kind]
    if d.chance(0.2):
        steps.append(
            format_name(
                "chroma-noise", {"sigma": d.uniform(1.0, 6.0), "size": d.uniform(0.6, 3.0), "shadows": 1}
            )
        )
    if d.chance(0.3):
        steps.append(
            format_name("camera-denoise", {"strength": d.uniform(2.0, 8.0), "chroma": d.uniform(0.5, 3.0)})
        )
    return [find(text) for text in steps]


def varied_noise(d: Draws, find: Find, values: Mapping[str, float]) -> list[Degradation]:
    """A camera at any ISO with its demosaicing, denoising, sharpening and JPEG; or plain, correlated, grainy noise."""
    kind = d.one(
        ("raw-noise", "chroma-noise", "noise", "poisson-gaussian", "correlated-noise", "film-grain"),
        (5, 2, 2, 1, 1.5, 0.7),
    )
    if kind not in ("raw-noise", "chroma-noise"):
        return [find(kind)]
    steps = [kind]
    if kind == "raw-noise":
        steps = [f"raw-noise:demosaic={d.one(('malvar', 'bilinear'))}"]
        if d.chance(0.4):
            steps.append("chroma-noise")
    if d.chance(0.6):
        steps.append(
            format_name("camera-denoise", {"strength": d.uniform(2.0, 15.0), "chroma": d.uniform(0.0, 3.0)})
        )
    if d.chance(0.4):
        steps.append(format_name("sharpen", {"radius": d.uniform(0.5, 1.5), "amount": d.uniform(0.3, 1.0)}))
    if d.chance(0.7):
        steps.append(f"jpeg:quality={d.whole(70, 98)},subsampling={d.one(('420', '444'))}")
    return [find(text) for text in steps]


VARIED_CAMERA: dict[str, Recipe] = {
    "varied-blur": Recipe(
        "blur in many looks: lines, trajectories, turns, zooms, in parts, out of focus", varied_blur, tuple(_BLURS)
    ),
    "varied-dark": Recipe(
        "too little light in many looks: lamps, casts, noise, deep shadows",
        varied_dark,
        ("dim-light", "lowlight", "lowlight-gamma", "chroma-noise", "camera-denoise"),
    ),
    "varied-noise": Recipe(
        "noise of cameras at any ISO, demosaiced, denoised, sharpened and coded; plain noise beside it",
        varied_noise,
        (
            "raw-noise", "chroma-noise", "noise", "poisson-gaussian", "correlated-noise", "film-grain",
            "camera-denoise", "sharpen", "jpeg",
        ),
    ),
}  # fmt: skip
