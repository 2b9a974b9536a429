"""A set of really degraded pictures: one folder per kind, and which families and treatments fit each kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from restore.errors import UsageError

# Per kind of picture the families that are really there, and the treatments that fit.
FAMILIES_OF: Mapping[str, tuple[str, ...]] = {
    "noise": ("noise",),
    "lowlight": ("lowlight",),
    "haze": ("haze",),
    "rain": ("rain", "snow"),
    "snow": ("snow", "rain"),
    "raindrop": ("raindrop",),
    "blur": ("blur",),
    "underwater": ("underwater",),
    "oldphoto": ("damage", "print"),
}
FITTING: Mapping[str, tuple[str, ...]] = {
    "noise": ("denoise", "denoise-raw"),
    "lowlight": ("lowlight", "enlighten"),
    "haze": ("dehaze",),
    "rain": ("derain", "desnow"),
    "snow": ("desnow", "derain"),
    "raindrop": ("raindrop",),
    "blur": ("deblur",),
    "underwater": ("underwater",),
    "oldphoto": ("oldphoto",),
    "web": ("dejpeg", "denoise", "denoise-raw", "re-enlarge"),
    "ordinary": (),
}


@dataclass(frozen=True)
class RealPicture:
    """One picture of the set.

    Attributes:
        kind: the name of its folder.
        path: where it lies.
        number: its place among the sorted names of its kind; even ones may choose thresholds, odd ones report.
        truth: the picture without the fault, where there is one.
    """

    kind: str
    path: Path
    number: int
    truth: Path | None


def list_real(folder: Path) -> Iterator[RealPicture]:
    """The pictures below ``folder/KIND/``, their truths from ``folder/KIND/truth/`` by the same stem.

    Raises:
        UsageError: no folder of a known kind.
    """
    kinds = [kind for kind in FITTING if (folder / kind).is_dir()]
    if not kinds:
        raise UsageError(f"no folder of a known kind in {folder}", hint=f"one of {', '.join(FITTING)}")
    for kind in kinds:
        truths = {p.stem: p for p in (folder / kind / "truth").glob("*")}
        for number, path in enumerate(sorted(p for p in (folder / kind).iterdir() if p.is_file())):
            yield RealPicture(kind, path, number, truths.get(path.stem))
