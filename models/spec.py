"""What a caller must know of a network to run it on any picture."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelSpec:
    """The face of an architecture.

    Args:
        task: what it does (``denoise``, ...).
        scale: output pixels per input pixel along one side.
        multiple: tile origins and sizes are multiples of this; the network itself takes any size.
        radius: receptive radius in input pixels; tiles that overlap by at least this much equal the whole.
        conditions: names of the numbers it takes per picture besides the picture (``sigma``).
        precisions: the arithmetic that is safe inside it; the skip from input to output is always float32.
        tiling: "supported", or "discouraged" for networks with statistics over the whole picture.
        looks: it looks at the whole picture once (``seen = net.look(net.read_view(read, height, width))``), before it
            is given windows and what it saw (``net(window, seen)``).
        window: side of the windows that a large picture is cut into, in pixels, where the caller names none; 0: the
            usual one. Smaller for networks that hold much per pixel.
        placed: windows have two channels more, behind the colours: where in the whole picture each pixel lies
            (:func:`restore.models.survey.place_of`).
        mask: it takes the places to fill as a further channel behind the colours, 1 where they are missing.
    """

    task: str
    scale: int = 1
    multiple: int = 1
    radius: int = 0
    conditions: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ("fp32", "bf16", "fp16")
    tiling: str = "supported"
    looks: bool = False
    window: int = 0
    placed: bool = False
    mask: bool = False
