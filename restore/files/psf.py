"""A point spread function from a file."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from restore.errors import UsageError
from restore.files.bounded import read_regular
from restore.files.decode import read_picture
from restore.names import show_name

_MOST_BYTES = 64 << 20


def read_psf(path: Path) -> Tensor:
    """An array (``.npy``) or a picture, whose mean over the channels counts, as ``H x W`` float64 with the sum 1.

    Raises:
        UsageError: a file that cannot be read, even sides, negative or not finite values, or nothing but zeros.
    """
    try:
        if path.suffix.lower() == ".npy":
            # Read whole first: numpy would allocate what the header claims, and unpack archives.
            data = read_regular(path, most=_MOST_BYTES, error=UsageError, what="the point spread function")
            values = np.asarray(
                np.lib.format.read_array(io.BytesIO(data), allow_pickle=False), dtype=np.float64
            )
        else:
            values = read_picture(path).pixels.astype(np.float64).mean(-1)
    except UsageError:
        raise
    except (OSError, ValueError, TypeError, EOFError, MemoryError, OverflowError, SyntaxError) as error:
        raise UsageError(f"cannot read a point spread function from {show_name(path)}: {error}") from None
    if values.ndim != 2 or values.shape[0] % 2 == 0 or values.shape[1] % 2 == 0:
        raise UsageError(
            f"{show_name(path)}: expected a point spread function with odd sides, got shape {values.shape}",
            hint="its middle pixel is where the light of a point belongs",
        )
    if not np.isfinite(values).all() or (values < 0).any() or not values.sum() > 0:
        raise UsageError(f"{show_name(path)}: expected finite values of 0 or more with a positive sum")
    return torch.from_numpy(values / values.sum())
