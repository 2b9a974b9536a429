"""What lies between scene and camera: light that still arrives, and light that the medium adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from restore.degradations import colour

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Medium:
    """I = J * direct + veil, in the space named; for haze ``direct = t`` and ``veil = A (1 - t)``.

    Args:
        direct: ``B x (1 or C) x H x W``, the share of the scene's light that arrives.
        veil: ``B x C x H x W``, the light added on the way.
        transmission: t of the added light, ``B x (1 or C) x H x W`` in [0, 1].
        airlight: A, ``B x C x (1 or H) x (1 or W)``, the light of an endless depth, in ``space``.
        space: B names of :data:`restore.degradations.colour.SPACES`.
    """

    direct: Tensor
    veil: Tensor
    transmission: Tensor
    airlight: Tensor
    space: list[str]

    def compose(self, clean: Tensor) -> Tensor:
        """The picture seen through the medium, of a clean one (``B x C x H x W``, encoded)."""
        kind = torch.promote_types(clean.dtype, torch.float32)
        parts = [
            colour.to_encoded(colour.to_linear(j, space=s).mul(d.to(j)).add(v.to(j)), space=s)
            for j, d, v, s in zip(
                clean.to(kind).split(1), self.direct.split(1), self.veil.split(1), self.space, strict=True
            )
        ]
        return torch.cat(parts).to(clean.dtype)


@dataclass(frozen=True)
class Fall:
    """y = V (1 - a) + E a ("screen") or V + E a ("add"), V the scene through ``veil``, in the veil's space.

    Args:
        mask: a, the share of the exposure that each pixel is covered, ``B x 1 x H x W`` in [0, 1].
        light: E, ``B x C x 1 x 1``.
        veil: what the distant drops or flakes do.
        mode: B names.
    """

    mask: Tensor
    light: Tensor
    veil: Medium
    mode: list[str]

    def compose(self, clean: Tensor) -> Tensor:
        """The picture with rain or snow, of a clean one (``B x C x H x W``, encoded)."""
        kind = torch.promote_types(clean.dtype, torch.float32)
        made = []
        for i, part in enumerate(clean.to(kind).split(1)):
            space = self.veil.space[i]
            direct, veil, a, e = (
                v[i : i + 1].to(part) for v in (self.veil.direct, self.veil.veil, self.mask, self.light)
            )
            seen = colour.to_linear(part, space=space) * direct + veil
            seen = seen + a * (e - seen) if self.mode[i] == "screen" else seen + a * e
            made.append(colour.to_encoded(seen, space=space))
        return torch.cat(made).to(clean.dtype)


def scatter(transmission: Tensor, airlight: Tensor, space: str, light: Tensor | float = 1.0) -> Medium:
    """One sample of I = light J t + A (1 - t)."""
    return Medium(transmission * light, airlight * (1 - transmission), transmission, airlight, [space])


def join(parts: Sequence[Medium]) -> Medium:
    """Samples of one shape as one batch."""
    planes = ("direct", "veil", "transmission", "airlight")
    joined = {name: torch.cat(_alike([getattr(p, name) for p in parts])) for name in planes}
    return Medium(**joined, space=[s for p in parts for s in p.space])


def colour_of(values: Sequence[float], channels: int, space: str) -> Tensor:
    """A colour given as it is seen (encoded RGB) as ``1 x C x 1 x 1`` in ``space``; grey gets its luminance."""
    rgb = torch.tensor(values, dtype=torch.float64).view(1, 3, 1, 1)
    if channels == 3:
        return colour.to_linear(rgb, space=space).float()
    if space == "srgb":
        return (rgb * torch.tensor(colour.GREY, dtype=torch.float64).view(1, 3, 1, 1)).sum(1, True).float()
    return colour.for_channels(colour.to_linear(rgb, space=space), channels).float()


def _alike(planes: list[Tensor]) -> list[Tensor]:
    shape = torch.broadcast_shapes(*[p.shape for p in planes])
    return [p.expand(shape) for p in planes]
