"""What is wrong with a picture, and how badly: several windows at full resolution and a thumbnail, one network.

Fine traces (noise, block borders, lost detail, streaks) live in windows at the picture's own resolution; light, haze,
colour and what lies on the lens show in a thumbnail. Statistics written down by hand (:mod:`restore.models.statistics`)
stand beside learned features of both, and a small perceptron says per family whether it is there and how severe it
is. Several families may be there at once. Without learned features (``width = 0``) it is fitted in minutes.
What lies on a picture in a few places (drops, scratches) changes no mean: finders that were trained for it
(:class:`restore.models.finder.Finder`) say where it is, and how much was found, and how surely, is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore.models.finder import Finder
from restore.models.heal import HealNet
from restore.models.statistics import (
    LIGHT_STATISTICS,
    WINDOW_STATISTICS,
    light_statistics,
    thumbnail,
    window_statistics,
)

# Of every kind of marks: how much of the window is covered, twice, and the surest place.
_TOLD = 3
# Side of a window in pixels; smaller pictures are mirrored until they fill one.
WINDOW = 192


class Looker(nn.Module):
    """Windows and thumbnail in, two numbers per family out.

    Args:
        families: how many families there are; their names stand in the weight file's header (``conditions``).
        width: channels the learned branches start from; 0: statistics alone.
        hidden: width of the perceptron.
        finders: per kind of marks what its finder is made of (widths, colours); they are taken from elsewhere and not
            trained here.

    ``forward(x)`` takes ``B x 3 x H x W`` in [0, 1] of about a window's size, and gives ``B x 2F``: F logits of
    presence, then F severities from 0 to 5 (not clamped). A larger picture is looked at with :meth:`fine` of several
    windows, whose mean :meth:`judge` takes beside the thumbnail.
    """

    def __init__(
        self,
        *,
        families: int,
        width: int = 20,
        hidden: int = 128,
        finders: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__()
        self.families, self.width = families, width
        count = WINDOW_STATISTICS + LIGHT_STATISTICS
        self.centre = nn.Parameter(torch.zeros(count))
        self.scale = nn.Parameter(torch.ones(count))
        w = width
        learned = 0
        if w:
            self.texture = _stack((24, 2 * w, 1), (2 * w, 3 * w, 2), (3 * w, 4 * w, 2), (4 * w, 4 * w, 1))
            self.scene = _stack((3, w, 2), (w, 2 * w, 2), (2 * w, 3 * w, 2), (3 * w, 3 * w, 1))
            learned = 2 * 4 * w + 2 * 3 * w
        self.finders = nn.ModuleList(Finder(**kind) for kind in finders).requires_grad_(False)
        learned += _TOLD * len(finders)
        self.head = nn.Sequential(
            nn.Linear(count + learned, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 2 * families),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.judge(self.fine(x), thumbnail(x))

    def take_finders(self, others: Sequence[Finder | HealNet]) -> None:
        """Copies finders, or what networks find with that fill.

        Raises:
            ValueError: another number of networks, or finders that are made otherwise.
        """
        try:
            for mine, other in zip(self.finders, others, strict=True):
                mine.load_state_dict((other if isinstance(other, Finder) else other.detect).state_dict())
        except RuntimeError as error:
            raise ValueError(f"a finder that is made otherwise: {error}") from error

    def fine(self, windows: Tensor) -> Tensor:
        """What windows ``N x 3 x h x w`` show, as numbers whose mean over the windows is what the picture shows."""
        with torch.autocast(windows.device.type, enabled=False), torch.no_grad():
            found = [window_statistics(windows)]
        if self.width:
            even = windows[..., : windows.shape[-2] // 2 * 2, : windows.shape[-1] // 2 * 2]
            high = even - F.avg_pool2d(F.pad(even, (1, 1, 1, 1), mode="reflect"), 3, stride=1)
            # Twelve channels of what is fine, eight times as strong, beside twelve of the picture itself.
            f = self.texture(F.pixel_unshuffle(torch.cat([8 * high, even - 0.5], 1), 2)).float()
            found += [f.mean((2, 3)), f.square().mean((2, 3))]
        with torch.no_grad():
            found += [_told(finder(windows)) for finder in self.finders]
        return torch.cat(found, 1)

    def statistics(self, x: Tensor) -> Tensor:
        """All statistics of one window per sample, not yet scaled: what a fit without learned features needs."""
        return torch.cat([window_statistics(x), light_statistics(thumbnail(x))], 1)

    def judge(self, fine: Tensor, small: Tensor) -> Tensor:
        """``B x 2F`` from the windows' mean of :meth:`fine` and the thumbnail ``B x 3 x h x w``."""
        with torch.autocast(small.device.type, enabled=False), torch.no_grad():
            statistics = torch.cat([fine[:, :WINDOW_STATISTICS], light_statistics(small)], 1)
        parts = [self.scaled(statistics)]
        if self.width:
            learned = fine[:, WINDOW_STATISTICS : WINDOW_STATISTICS + 2 * 4 * self.width]
            mean, square = learned.chunk(2, 1)
            s = self.scene(small - 0.5).float()
            parts += [mean, (square - mean.square()).clamp(min=1e-6).sqrt(), s.mean((2, 3)), s.amax((2, 3))]
        if self.finders:
            parts += [fine[:, -_TOLD * len(self.finders) :]]
        return self.head(torch.cat(parts, 1))

    def scaled(self, statistics: Tensor) -> Tensor:
        """Statistics about zero and one; what no picture of the training showed is cut at four."""
        return ((statistics - self.centre) * self.scale).clamp(-4, 4)

    def grown_from(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights without learned features or marks as weights of this network: they are not listened to yet."""
        grown = {**self.state_dict(), **state}
        first, wanted = state["head.0.weight"], self.state_dict()["head.0.weight"]
        grown["head.0.weight"] = F.pad(first, (0, wanted.shape[1] - first.shape[1]))
        return grown


def _told(logits: Tensor) -> Tensor:
    """Of maps ``N x 1 x h x w``: covered shares on a scale of tens, and the surest place, ``N x 3``."""
    p = logits.float().sigmoid()
    shares = torch.cat([p.mean((2, 3)), (p * p).mean((2, 3))], 1)
    surest = F.avg_pool2d(p, 4, ceil_mode=True).amax((2, 3))
    return torch.cat([(shares + 1e-4).log10() / 2 + 1, surest], 1)


def _stack(*layers: tuple[int, int, int]) -> nn.Sequential:
    parts: list[nn.Module] = []
    for inner, outer, stride in layers:
        conv = nn.Conv2d(inner, outer, 3, stride=stride, padding=1)
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        parts += [conv, nn.ReLU()]
    return nn.Sequential(*parts)
