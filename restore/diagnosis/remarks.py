"""Which measurements stand out, in words: thresholds that few sharp and clean photographs pass."""

from __future__ import annotations

from collections.abc import Mapping

from restore.diagnosis.measurement import Measurement

# Lower ends (of levels and widths) above which a quantity stands out; of clean photographs at most 2 in 100 do.
NOISY = 2.0
BLURRED = 0.45
MOVED = 1.0
ENLARGED = 1.25
# JPEG is seen from here on down; pictures are dark below this mean light, hazy below this transmission.
CODED = 75
DARK, HAZY = 0.12, 0.55
# Log of green over red that only water takes; shares of the pixels.
UNDER_WATER, STREAKED = 0.7, 0.08


def remarks(found: Mapping[str, Measurement]) -> list[str]:
    """A few words for everything that stands out; nothing for what was not measured."""
    if not found:
        return []
    said = []
    noise, white = found["noise level"], found["noise correlation"]
    if noise.lower > NOISY:
        kind = "correlated noise" if white.lower > 1.15 else "noise"
        said.append(f"{kind} {_between(noise, 0)} of 255")
    jpeg = found["JPEG quality"]
    if jpeg.value <= CODED:
        said.append(f"JPEG quality {jpeg.value:.0f}")
    width, length = found["blur width"], found["blur length"]
    if length.value > MOVED and width.value > BLURRED:
        said.append(
            f"moved by about {length.value:.0f} px at {found['blur direction'].value % 180:.0f} degrees"
        )
    elif width.value > BLURRED:
        said.append(f"blurred by about {width.value:.1f} px")
    scale = found["enlargement"]
    if scale.value > ENLARGED:
        said.append(f"enlarged {scale.value:.1f} times")
    light, lamps = found["mean light"], found["lamps"]
    if light.value < DARK:
        said.append("night with lamps" if lamps.value > 0.25 else f"dark ({light.value:.0%} light)")
    if found["transmission"].value < HAZY:
        said.append(f"haze or white ({found['transmission'].value:.0%} comes through)")
    if found["red attenuation"].lower > UNDER_WATER:
        said.append("little red, as under water")
    if found["streaks"].value > STREAKED:
        said.append("thin bright streaks")
    return said


def _between(m: Measurement, digits: int) -> str:
    return f"{m.lower:.{digits}f} to {m.upper:.{digits}f}"
