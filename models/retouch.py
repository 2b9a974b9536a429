"""RetouchNet: brings light back by a tone curve found on a thumbnail, then takes out the noise that it lifted.

A curve per channel and a colour matrix are what a person would set by hand; they are predicted from a thumbnail and
applied pixel by pixel at full size (HDRNet, Gharbi et al. 2017, without its grid; Zero-DCE, Guo et al. 2020, predicts
curves too). A residual U-Net that also sees the dark original repairs the rest.
"""

from __future__ import annotations

import torch
from torch import Tensor

from restore.models.guided import GuidedNet
from restore.models.look import Look
from restore.models.resunet import ResUNet

KNOTS = 24


class RetouchNet(GuidedNet):
    """``y = z - f(z, x, code)`` with ``z = M c(x)``: curve c per channel, matrix M.

    Args:
        widths, blocks, unshuffle: of f, see :class:`restore.models.resunet.ResUNet`.
        code: numbers that the look at the whole picture tells f.
        side: of the thumbnail, pixels.

    The curve starts as the identity.
    """

    def __init__(
        self,
        *,
        widths: tuple[int, ...] = (48, 96, 144),
        blocks: tuple[int, ...] = (2, 2, 2),
        unshuffle: int = 2,
        code: int = 8,
        side: int = 64,
    ) -> None:
        super().__init__()
        self.side, self.code = side, code
        self.looker = Look(3 * KNOTS + 9 + code, width=24)
        self.refine = ResUNet(widths=widths, blocks=blocks, unshuffle=unshuffle, conditions=code, extra=3)
        self.multiple, self.radius = self.refine.multiple, self.refine.radius

    def look(self, view: Tensor) -> Tensor:
        """Curves, matrix, a code."""
        return self.looker(view.clamp(min=0).sqrt())  # the dark is spread out

    def repair(self, x: Tensor, seen: Tensor) -> dict[str, Tensor]:
        """Parts "picture" and "inverted" (z) of whole windows."""
        lit = self.relight(x.float(), seen.float()).to(x.dtype)
        return {"picture": self.refine(torch.cat([lit, x], 1), seen[:, -self.code :]), "inverted": lit}

    def relight(self, x: Tensor, seen: Tensor) -> Tensor:
        """z of whole windows."""
        curves = curve(seen[:, : 3 * KNOTS].view(-1, 3, KNOTS))
        matrix = torch.eye(3, device=x.device) + 0.5 * torch.tanh(seen[:, 3 * KNOTS : 3 * KNOTS + 9]).view(
            -1, 3, 3
        )
        toned = apply_curve(x, curves)
        mixed = torch.einsum("bij,bjhw->bihw", matrix, toned)
        return mixed.clamp(-0.5, 1.5)


def curve(steepness: Tensor) -> Tensor:
    """``B x C x (KNOTS + 1)`` values of a rising curve at the knots; 0 everywhere is the identity.

    Knots lie at (i / KNOTS)^2, close together in the dark; ``steepness`` (``B x C x KNOTS``) is the logarithm of the
    slope between them.
    """
    places = _places(steepness)
    steps = places.diff() * torch.exp(steepness.clamp(-4, 5))
    return torch.cat([torch.zeros_like(steps[..., :1]), steps.cumsum(-1)], -1)


def apply_curve(x: Tensor, values: Tensor) -> Tensor:
    """``B x C x H x W`` through curves given at the knots, straight lines between them; continued above 1."""
    flat = x.clamp(min=0).flatten(2)
    index = (flat.sqrt() * KNOTS).detach().long().clamp(0, KNOTS - 1)
    places = _places(x)
    low, wide = places[index], places.diff()[index]
    start, rise = values.gather(2, index), values.diff(dim=-1).gather(2, index)
    return (start + (flat - low) / wide * rise).view_as(x)


def _places(like: Tensor) -> Tensor:
    return (torch.arange(KNOTS + 1, device=like.device, dtype=torch.float32) / KNOTS).square()
