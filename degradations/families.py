"""What can be wrong with a picture, as people say it: families, each with the degradations that stand for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from restore.degradations.order import PLACES, place_of

# Per family what is drawn for training and measuring, each as likely; severity is drawn beside it.
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "noise": ("noise", "poisson-gaussian", "raw-noise"),
    "jpeg": ("jpeg", "jpeg:subsampling=444"),
    "blur": ("blur", "defocus", "motion"),
    "downsampled": ("low-resolution:back=bicubic|bilinear|lanczos3", "low-resolution:back=nearest"),
    "rain": ("rain",),
    "snow": ("snow",),
    "raindrop": ("raindrop",),
    "haze": ("haze", "fog"),
    "underwater": ("underwater",),
    "lowlight": ("lowlight", "lowlight-gamma"),
    "damage": ("scratches", "dust", "crease", "mildew", "scratches:direction=film"),
}
# The same families in the looks of pictures from anywhere: mixtures that draw one of many makers for every sample
# (domain randomisation). What is to work on real pictures is trained on these, with a life after them (``life``).
WIDE_FAMILIES: Mapping[str, tuple[str, ...]] = {
    "noise": ("varied-noise",),
    "blur": ("varied-blur",),
    "jpeg": ("jpeg", "jpeg:subsampling=444", "double-jpeg", "webp"),
    "downsampled": FAMILIES["downsampled"],
    "rain": ("varied-rain",),
    "snow": ("varied-snow",),
    "raindrop": ("varied-drops",),
    "haze": ("varied-haze",),
    "underwater": ("varied-water",),
    "lowlight": ("varied-dark",),
    "damage": ("varied-damage",),
    "print": ("varied-print",),
    "moire": ("varied-moire",),
}
# Which families a family brings along by itself: nothing is said about them where it is there.
BRINGS: Mapping[str, tuple[str, ...]] = {
    "lowlight": ("noise",),
    "underwater": ("haze", "lowlight", "blur"),
    "rain": ("haze",),
    "snow": ("haze",),
    "haze": ("lowlight",),
    "raindrop": ("blur",),
    "print": ("noise", "blur", "jpeg", "damage", "lowlight", "haze"),
    "moire": ("noise",),
}


def physical_order(families: Sequence[str]) -> list[str]:
    """Families in the order in which a picture meets them: from the scene to the shelf."""
    places = list(PLACES)
    first = {**WIDE_FAMILIES, **FAMILIES}
    return sorted(families, key=lambda f: places.index(place_of(first[f][0].partition(":")[0])))


def family_of(record: Mapping[str, Any]) -> str | None:
    """The family of an elementary degradation's record (``{"name": ...}``), None for one that is in none."""
    name = str(record["name"])
    return next((f for f, specs in FAMILIES.items() if any(s.partition(":")[0] == name for s in specs)), None)
