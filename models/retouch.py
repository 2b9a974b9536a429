"""RetouchNet: brings light back by a tone curve found on a thumbnail, then takes out the noise that it lifted.

A curve per channel and a colour matrix are what a person would set by hand; they are predicted from a thumbnail and
applied pixel by pixel at full size (HDRNet, Gharbi et al. 2017, without its grid; Zero-DCE, Guo et al. 2020, predicts
curves too). A residual U-Net that also sees the dark original repairs the rest.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from restore.models.look import Look, thumbnail
from restore.models.resunet import ResUNet, grown_around, pad_to
from restore.models.spec import ModelSpec

KNOTS = 24


class RetouchNet(nn.Module):
    """``y = z - f(z, x, code)`` with ``z = M c(x)``: curve c per channel, matrix M.

    Args:
        widths, blocks, unshuffle: of f, see :class:`restore.models.resunet.ResUNet`.
        code: numbers that the look at the whole picture tells f.
        side: of the thumbnail, pixels.

    ``forward(x, seen)``: as :class:`restore.models.medium.MediumNet`; its parts are "picture" and "inverted" (z).
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

    def spec(self, *, task: str, conditions: tuple[str, ...]) -> ModelSpec:
        """This network's face."""
        return ModelSpec(
            task=task, multiple=self.multiple, radius=self.radius, conditions=conditions, thumbnail=self.side
        )

    def grown_from(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights of a plain ResUNet become those of f; the curve starts as the identity."""
        return grown_around(self, "refine", state)

    def look(self, view: Tensor) -> Tensor:
        """What a thumbnail (``B x 3 x side x side``) says of the whole picture: curves, matrix, a code."""
        return self.looker(view.clamp(min=0).sqrt())  # the dark is spread out

    def forward(
        self, x: Tensor, seen: Tensor | None = None, *, view: Tensor | None = None, parts: bool = False
    ) -> Tensor | dict[str, Tensor]:
        if seen is None:
            seen = self.look(thumbnail(x, self.side) if view is None else view)
        height, width = x.shape[-2:]
        whole = pad_to(x, self.multiple)
        lit = self.relight(whole.float(), seen.float()).to(x.dtype)
        picture = self.refine(torch.cat([lit, whole], 1), seen[:, -self.code :])
        found = {"picture": picture[..., :height, :width], "inverted": lit[..., :height, :width]}
        return found if parts else found["picture"]

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
