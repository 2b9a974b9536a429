"""A picture of any size through a function of bounded size: by windows, equal to the whole.

Every window is computed with a border at least as wide as the receptive radius and starts on a multiple of the
network's grid, so that its core equals the same pixels of the whole picture: there is nothing to blend and no seam.
A window that does not fit into memory is halved and done again; a window with a non-finite value is done again in
float32; pixels are written only by the window that owns them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from restore.errors import ImageError, RestoreError

Read = Callable[[int, int, int, int], Tensor]
Write = Callable[[int, int, Tensor], None]
SMALLEST = 32
# The side of a window that no picture exceeds.
WHOLE = 1 << 30


@dataclass(frozen=True)
class Window:
    """Rows ``top`` to ``bottom`` and columns ``left`` to ``right`` of the input."""

    top: int
    bottom: int
    left: int
    right: int

    def grown(self, border: int, height: int, width: int) -> Window:
        """The window with a border, inside the picture."""
        return Window(
            max(0, self.top - border),
            min(height, self.bottom + border),
            max(0, self.left - border),
            min(width, self.right + border),
        )


def window_side(tiling: str, tile: int | None) -> int | None:
    """The side of windows: what was asked for, but the whole picture for a network that must see it.

    Args:
        tiling: "supported"; "discouraged": cut only where a size is asked for; "internal": it cuts by itself.
        tile: what was asked for.
    """
    if tiling == "internal" or (tiling == "discouraged" and tile is None):
        return WHOLE
    return tile


def windows(area: Window, side: int) -> Iterator[Window]:
    """Squares of ``side`` (the last ones smaller) that cover ``area`` without overlap, row by row."""
    for top in range(area.top, area.bottom, side):
        for left in range(area.left, area.right, side):
            yield Window(top, min(top + side, area.bottom), left, min(left + side, area.right))


def run_tiled(
    function: Callable[[Tensor], Tensor],
    read: Read,
    write: Write,
    *,
    height: int,
    width: int,
    scale: int = 1,
    radius: int = 0,
    multiple: int = 1,
    tile: int = 1024,
    exact: Callable[[Tensor], Tensor] | None = None,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Runs ``function`` over a picture of ``height`` x ``width`` window by window.

    Args:
        function: ``B x C x h x w`` to ``B x C' x scale h x scale w``.
        read: ``read(top, bottom, left, right)`` gives that part of the input as a tensor.
        write: ``write(top, left, y)`` takes a finished part of the output, in output pixels.
        radius: receptive radius of ``function`` in input pixels.
        multiple: its grid; a picture no larger than a window with its border is done whole.
        tile: side of a window's core in input pixels; rounded up to the grid.
        exact: the same function in float32, used where ``function`` gives a non-finite value.
        progress: called with the share of the picture that is done.

    Raises:
        ImageError: a value that is not finite even in float32.
        RestoreError: out of memory even for the smallest window.
    """
    side = -(-max(tile, SMALLEST) // multiple) * multiple
    border = -(-radius // multiple) * multiple
    whole = Window(0, height, 0, width)
    if max(height, width) <= side + 2 * border:
        side = -(-max(height, width) // multiple) * multiple
    done = 0
    for core in windows(whole, side):
        _run_window(function, exact, read, write, core, whole, scale, border, multiple)
        done += (core.bottom - core.top) * (core.right - core.left)
        if progress is not None:
            progress(done / (height * width))


def _run_window(
    function: Callable[[Tensor], Tensor],
    exact: Callable[[Tensor], Tensor] | None,
    read: Read,
    write: Write,
    core: Window,
    whole: Window,
    scale: int,
    border: int,
    multiple: int,
) -> None:
    outer = core.grown(border, whole.bottom, whole.right)
    try:
        x = read(outer.top, outer.bottom, outer.left, outer.right)
        y = function(x)
        if exact is not None and not bool(torch.isfinite(y).all()):
            y = exact(x)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        half = -(-max(core.bottom - core.top, core.right - core.left) // (2 * multiple)) * multiple
        if half < SMALLEST:
            raise RestoreError(
                "out of memory even for the smallest tile", hint="close other programs"
            ) from error
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        for part in windows(core, half):
            _run_window(function, exact, read, write, part, whole, scale, border, multiple)
        return
    if not bool(torch.isfinite(y).all()):
        raise ImageError(f"the restorer gave a value that is not finite in rows {core.top} to {core.bottom}")
    top, left = (core.top - outer.top) * scale, (core.left - outer.left) * scale
    rows, columns = (core.bottom - core.top) * scale, (core.right - core.left) * scale
    write(core.top * scale, core.left * scale, y[..., top : top + rows, left : left + columns])


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, in the words of torch or of the system."""
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    text = str(error).lower()
    words = (
        "out of memory",
        "can't allocate memory",
        "not enough memory",
        "bad_alloc",
        "failed to allocate memory",
    )
    return any(word in text for word in words)
