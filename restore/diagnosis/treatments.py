"""The table of treatments that `auto` chooses from, in the order in which they are carried out.

A picture meets weather, lens, darkness, noise, codec and shelf in this order; they are undone backwards, light last,
because brightening would show what is still wrong.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Treatment:
    """One thing that can be done.

    Args:
        name: of the treatment.
        families: the degradations it undoes, of :data:`restore.degradations.families.WIDE_FAMILIES`.
        restorer: its name; ``{scale}`` stands for a measured value.
        includes: families that it undoes on its way: water veils like haze, and its veil is not haze to be taken out.
        relights: whether it is meant to change light and colours.
        keeps_mean: whether the mean of small areas must stay: nothing is filled, nothing is lit.
    """

    name: str
    families: tuple[str, ...]
    restorer: str
    includes: tuple[str, ...] = ()
    relights: bool = False
    keeps_mean: bool = False

    def written(self, values: Mapping[str, str]) -> str:
        """The restorer with its values filled in."""
        return self.restorer.format(**values)


TREATMENTS: tuple[Treatment, ...] = (
    Treatment("oldphoto", ("damage", "print"), "oldphoto"),
    Treatment("dejpeg", ("jpeg",), "dejpeg", keeps_mean=True),
    Treatment("re-enlarge", ("downsampled",), "re-enlarge:scale={scale}"),
    Treatment("denoise", ("noise",), "denoise", keeps_mean=True),
    Treatment("denoise-raw", ("noise",), "denoise-raw", keeps_mean=True),
    Treatment("raindrop", ("raindrop",), "raindrop"),
    Treatment("deblur", ("blur",), "deblur"),
    Treatment("derain", ("rain",), "derain", relights=True),
    Treatment("desnow", ("snow",), "desnow", relights=True),
    Treatment("dehaze", ("haze",), "dehaze", relights=True),
    Treatment("underwater", ("underwater",), "underwater", includes=("haze", "lowlight"), relights=True),
    Treatment("lowlight", ("lowlight",), "lowlight", relights=True),
)
ORDER = tuple(treatment.name for treatment in TREATMENTS)


def treatment_of(restorer: str) -> Treatment:
    """The row whose restorer, with values or without, is called ``restorer``."""
    name = restorer.partition(":")[0]
    return next(treatment for treatment in TREATMENTS if treatment.restorer.partition(":")[0] == name)


def available(there: Collection[str]) -> tuple[Treatment, ...]:
    """The treatments whose restorers can be used."""
    return tuple(t for t in TREATMENTS if t.restorer.partition(":")[0] in there)
