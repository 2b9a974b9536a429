"""What a labelled collection is, and how it is split without one source picture in two parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from restore.degradations import sample as draw
from restore.errors import UsageError

PARTS = ("fit", "tune", "certify", "test")


@dataclass(frozen=True)
class Labelled:
    """Pictures with a class each.

    Args:
        name: goes into seeds and reports.
        ids: one name per picture, stable and unique; a picture's seed is a hash of it.
        labels: N class numbers, int64.
        read: ``read(i)`` gives picture i as ``C x H x W`` float32 in [0, 1].
        classes: names of the classes, in the order of the classifier's logits.
        sources: one name per picture; pictures of one source stay together in splits and resamples.
        note: where the pictures are from, and what limits what they show.
    """

    name: str
    ids: Sequence[str]
    labels: np.ndarray
    read: Callable[[int], Tensor]
    classes: Sequence[str]
    sources: Sequence[str] = ()
    note: str = ""

    def __post_init__(self) -> None:
        if len(set(self.ids)) != len(self.ids) or len(self.ids) != len(self.labels):
            raise UsageError(f"{self.name}: expected one unique id per label, got {len(self.ids)} ids")

    def __len__(self) -> int:
        return len(self.labels)

    def source(self, i: int) -> str:
        """The source picture of picture i."""
        return self.sources[i] if self.sources else self.ids[i]

    def batches(self, index: Sequence[int], size: int) -> Iterator[tuple[list[int], Tensor]]:
        """Consecutive pictures of ``index`` of one shape, at most ``size`` together: (their numbers, batch)."""
        waiting: list[int] = []
        held: list[Tensor] = []
        for i in index:
            x = self.read(int(i))
            if held and (x.shape != held[0].shape or len(held) == size):
                yield waiting, torch.stack(held)
                waiting, held = [], []
            waiting.append(int(i))
            held.append(x)
        if held:
            yield waiting, torch.stack(held)


@dataclass(frozen=True)
class Splits:
    """Numbers of the pictures of each part, ascending; no source picture is in two of them."""

    fit: list[int]
    tune: list[int]
    certify: list[int]
    test: list[int]

    @property
    def judged(self) -> list[int]:
        """Everything the arms are run on: tune, certify and test."""
        return sorted([*self.tune, *self.certify, *self.test])

    def sizes(self) -> dict[str, int]:
        """How many pictures each part has."""
        return {part: len(getattr(self, part)) for part in PARTS}


def split(
    data: Labelled, sizes: Mapping[str, int | float], *, seed: int = 0, fixed: Mapping[int, str] | None = None
) -> Splits:
    """Disjoint parts, drawn by a hash of (seed, source), so that more pictures do not reshuffle the others.

    Args:
        sizes: pictures per part; a float below 1 is a share of what is there, 0 leaves the part empty. A part
            not named is empty. Parts are filled in the order certify, tune, fit, test, whole sources at a time.
        fixed: parts that are decided beforehand (a classifier has seen these pictures: ``{7: "fit"}``).

    Raises:
        UsageError: more pictures asked for than there are, or none left to test on.
    """
    fixed = dict(fixed or {})
    wanted = {part: _count(sizes.get(part, 0), len(data)) for part in PARTS}
    groups: dict[str, list[int]] = {}
    for i in range(len(data)):
        if i not in fixed:
            groups.setdefault(data.source(i), []).append(i)
    order = sorted(groups, key=lambda name: (draw.child_seed(seed, "split", name), name))
    found: dict[str, list[int]] = {part: [i for i, p in fixed.items() if p == part] for part in PARTS}
    for part in ("certify", "tune", "fit", "test"):
        while order and len(found[part]) < wanted[part]:
            found[part] += groups[order.pop(0)]
        if len(found[part]) < wanted[part]:
            raise UsageError(
                f"{data.name}: {sum(wanted.values())} pictures are asked for, {len(data)} are there",
                hint="smaller --test, --tune or --certify",
            )
    if not found["test"]:
        raise UsageError(f"{data.name}: no picture is left to test on")
    return Splits(**{part: sorted(found[part]) for part in PARTS})


def _count(size: int | float, total: int) -> int:
    return int(size * total) if isinstance(size, float) and size < 1 else int(size)
