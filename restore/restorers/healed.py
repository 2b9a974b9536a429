"""Networks that find and heal, on pictures of any size: what is larger than they know is healed on smaller copies.

Drops are as large as a picture has pixels; the network knows those of small pictures. So, before it restores the
picture itself, it is shown copies of half, a quarter ... of its size, the smallest first. What it surely finds there,
and finds very large, or hardly at all on the copy twice as large, is healed there and laid over the picture.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from restore.models.heal import HealNet
from restore.models.resunet import pad_to
from restore.models.windows import largest
from restore.restorers.learned import LearnedRestorer
from restore.restorers.patch import Patch, patched
from restore.restorers.shrunk import shrunk
from restore.runtime import autocast
from restore.tiling import Read, run_tiled

# The short side of the smallest picture that is shrunk, and of the smallest copy: the network was trained on pictures
# of 240 to 850 pixels and on Kodak's 500 it knows what severity 3 leaves.
_LARGE, _SMALL = 640, 190
# A thing is where the network is more than half sure, if it is surer in the mean and much surer somewhere: of what it
# takes for a drop by mistake it is less sure.
_LIKELY, _MEAN, _SURE = 0.5, 0.72, 0.9
# Left to the copy twice as large is what a circle of this radius, in pixels of that copy, does not fit in, and unless
# an even larger one fits in, what that copy sees more than this share of: it keeps more detail. All chosen by the error
# of every thing found on 58 photographs of BSDS500, 4 samples and 3 large photographs, clean and behind drops of a mean
# radius of 12, 32 and 64 pixels.
_RADIUS, _SEEN, _TOO_LARGE = 32, 0.3, 48


def copies(height: int, width: int) -> list[int]:
    """How many times smaller the copies of a picture are that are looked at before itself: powers of two, falling."""
    short = min(height, width)
    powers = [2**k for k in range(1, 17) if short / 2**k >= _SMALL]
    return powers[::-1] if short >= _LARGE else []


class HealRestorer(LearnedRestorer):
    """See the module. A picture whose short side is below 640 pixels is looked at once."""

    net: HealNet
    memory = 4.0

    def look(self, read: Read, height: int, width: int) -> list[Patch]:  # type: ignore[override]
        patches: list[Patch] = []
        for times in copies(height, width):
            patch = self._healed(patched(read, patches), height, width, times)
            if patch is not None:
                patches.append(patch)
        return patches

    def beside(self, read: Read, seen: list[Patch], height: int, width: int) -> Read:
        return patched(read, seen)

    def restore_window(self, x: Tensor, seen: Any, *, exact: bool = False) -> Tensor:
        return super().restore_window(x, None, exact=exact)

    def _healed(self, read: Read, height: int, width: int, times: int) -> Patch | None:
        """What is to be laid over the picture from the copy that is ``times`` smaller."""
        small = shrunk(read, height, width, times)
        channels, (h, w) = small.shape[1], small.shape[-2:]
        both = self._tiled(self._found_and_filled, _of(small), h, w, channels + 1, self.spec.radius)
        picture, likely = both[:, :channels], both[:, channels:]
        things = [_things(one[0].cpu().numpy()) for one in likely]
        if not any(len(names) for _, names in things):
            return None
        if times > 2:  # else it is the picture itself, which is read by windows
            larger = shrunk(read, height, width, times // 2)
            read, (height, width) = _of(larger), larger.shape[-2:]
        seen = self._tiled(
            lambda x, _: (self._logits(_rgb(x)).sigmoid() > _LIKELY).float(),
            read,
            height,
            width,
            1,
            self.net.detect.radius,
            pool=2,
        )
        holes = [_chosen(*found, one[0].cpu().numpy()) for found, one in zip(things, seen, strict=True)]
        if not any(hole.any() for hole in holes):
            return None
        weight = largest(torch.from_numpy(np.stack(holes)).float()[:, None].to(small.device), 1)
        return Patch(times, picture, weight)

    def _tiled(
        self,
        function: Callable[[Tensor, bool], Tensor],
        read: Read,
        height: int,
        width: int,
        channels: int,
        radius: int,
        *,
        pool: int = 1,
    ) -> Tensor:
        """``function`` of a window, and of whether it must be exact, over a picture; means over squares of ``pool``."""
        size = -(-height // pool), -(-width // pool)
        made = torch.empty((read(0, 1, 0, 1).shape[0], channels, *size), device=self.device)

        def write(top: int, left: int, y: Tensor) -> None:
            y = F.avg_pool2d(y, pool, ceil_mode=True) if pool > 1 else y
            top, left = top // pool, left // pool
            made[..., top : top + y.shape[-2], left : left + y.shape[-1]] = y

        run_tiled(
            lambda x: function(x, False),
            read,
            write,
            height=height,
            width=width,
            radius=radius,
            multiple=self.spec.multiple,
            tile=self.tile,
            exact=lambda x: function(x, True),
        )
        return made

    def _logits(self, whole: Tensor) -> Tensor:
        """In float32: how likely something lies on a pixel must not hang on the processor's short numbers."""
        with torch.autocast(self.device.type, enabled=False):
            return self.net.detect(whole)

    def _found_and_filled(self, x: Tensor, exact: bool) -> Tensor:
        """A window healed, and behind its channels how likely something lies there; as it is where nothing does."""
        height, width = x.shape[-2:]
        whole = pad_to(_rgb(x), self.net.multiple)
        logits = self._logits(whole)
        likely = logits[..., :height, :width].sigmoid()
        if not bool((likely > _SURE).any()):
            return torch.cat([x, likely], 1)
        with autocast(self.device, "fp32" if exact else self.spec.precision):
            y = whole - self.net.taken_off(whole, logits).float()
        y = y[..., :height, :width]
        return torch.cat([y if x.shape[1] == 3 else y.mean(1, keepdim=True), likely], 1)


def _of(picture: Tensor) -> Read:
    return lambda top, bottom, left, right: picture[..., top:bottom, left:right]


def _rgb(x: Tensor) -> Tensor:
    return x.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)


def _things(likely: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``h x w`` of names, 0 where nothing is, and the names of what is surely there and large."""
    names, count = ndimage.label(likely > _LIKELY)
    every = np.arange(1, count + 1)
    if not count:
        return names, every
    sure = (ndimage.maximum(likely, names, every) > _SURE) & (ndimage.mean(likely, names, every) > _MEAN)
    return names, every[sure & (_radius(names, every) > _RADIUS)]


def _chosen(named: np.ndarray, large: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Where something lies that is not to be left to the copy twice as large, which sees ``seen`` of it (shares)."""
    if not len(large):
        return np.zeros(named.shape, bool)
    chosen = (_radius(named, large) > _TOO_LARGE) | (ndimage.mean(seen, named, large) < _SEEN)
    return np.isin(named, large[chosen])


def _radius(named: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Of the largest circle that fits into each thing, in pixels of the copy twice as large."""
    return ndimage.maximum(2 * ndimage.distance_transform_edt(named > 0), named, names)
