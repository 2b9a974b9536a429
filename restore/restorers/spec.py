"""What a caller must know of a restorer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RestorerSpec:
    """What a caller must know of a restorer.

    Args:
        task: ``denoise``, ``upscale``, ...
        kind: ``learned`` or ``classical``.
        scale: output pixels per input pixel along one side.
        engine: what computes it, one of :data:`restore.engines.ENGINES`.
        radius: how far, in input pixels, a pixel's result depends on its neighbours.
        multiple: grid of the tiles.
        takes: names of the values that may be given (``sigma``).
        description: one sentence.
        precision: the arithmetic in use.
        mask: whether it must be told which pixels are missing.
        keeps_light: whether it keeps the local mean (see :mod:`restore.restorers.local_mean`); restorers that are
            there to change light, or that fill, do not.
    """

    task: str
    kind: str
    description: str
    scale: int = 1
    engine: str = "torch"
    radius: int = 0
    multiple: int = 1
    takes: tuple[str, ...] = ()
    precision: str = "fp32"
    mask: bool = False
    keeps_light: bool = False
