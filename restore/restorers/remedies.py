"""The one table of what `auto` does about what it finds, in the order in which things are undone.

A picture meets weather, lens, darkness, noise, codec and shelf in this order; they are undone backwards, light last,
because brightening would show what is still wrong. Of the restorers of a row the first one that is there is used. A row
without any, or whose only ones are not known to improve things, leaves the picture alone and says so.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Remedy:
    """What is done about one family.

    Args:
        family: as the looker names it.
        restorers: names, the best first; ``{value}`` stands for the measured value of the finding.
        severity: from which on something is done.
        confidence: and how sure the looker must be.
        kind: of the finding, where the family has several.
        includes: families that it undoes on its way: water veils like haze, and its veil is not haze to be taken out.
    """

    family: str
    restorers: tuple[str, ...] = ()
    severity: float = 0.7
    confidence: float = 0.9
    kind: str = ""
    includes: tuple[str, ...] = ()

    def choose(self, there: Collection[str]) -> str | None:
        """The first restorer that is there."""
        return next((name for name in self.restorers if name.partition(":")[0] in there), None)


REMEDIES: tuple[Remedy, ...] = (
    Remedy("damage", ("oldphoto",)),
    Remedy("jpeg", ("dejpeg", "reapplication:quality={value}")),
    Remedy("downsampled", ("re-enlarge:scale={value}",), severity=1.0, confidence=0.9),
    Remedy("noise", ("denoise",)),
    Remedy("noise", ("denoise-raw", "denoise"), kind="correlated"),
    Remedy("raindrop", ("raindrop",)),
    Remedy("blur", ("deblur",), severity=1.0, confidence=0.9),
    Remedy("rain", ("derain", "directional")),
    Remedy("snow", ("desnow",)),
    Remedy("haze", ("dehaze", "dcp:omega=0.7"), severity=1.0, confidence=0.9),
    Remedy("underwater", ("underwater", "white-balance"), severity=1.0, confidence=0.9, includes=("haze",)),
    Remedy("lowlight", ("lowlight", "gamma"), severity=1.0, confidence=0.9),
)
ORDER = tuple(dict.fromkeys(remedy.family for remedy in REMEDIES))
