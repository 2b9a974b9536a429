"""MediumNet: takes out what lies between scene and camera, then cleans what is left.

Haze, rain's and snow's veil and water obey one law, I = J t + A (1 - t) (Koschmieder 1924). The light A and what
concerns the whole picture are found on a thumbnail, and so is, where the picture is surveyed, what the transmission t
is roughly in every place; t itself at a quarter of the resolution, because a medium is smooth, beside what the dark
channel says of it (He et al. 2011); the law is inverted; and a residual U-Net repairs what the law leaves: noise,
streaks, flakes, edges.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from restore.models.guided import GuidedNet
from restore.models.look import Look
from restore.models.resunet import ResUNet, UNet, unet_radius, widen_inputs, with_conditions
from restore.models.survey import SIDE, Survey, at_place
from restore.models.windows import largest

# The medium's maps: a small U-Net at this fraction of the resolution.
_COARSE, _WIDTHS, _BLOCKS = 4, (24, 32, 48), (1, 1, 1)
# Radii of the dark channel's windows, in pixels of the maps.
_DARK = (1, 3, 7)
# Least transmission: beyond it there is nothing left to see but noise.
_LEAST = 0.05


class MediumNet(GuidedNet):
    """``y = J - f(J, x)`` with ``J = g ((x - A) / t + A)``.

    Args:
        widths, blocks, unshuffle: of f, see :class:`restore.models.resunet.ResUNet`.
        absorbs: the medium takes each channel differently (water): t per channel, and a gain g per channel; else
            one t, and g is 1.
        space: where light is mixed: "srgb" (encoded values) or "linear" (a power of 2.2).
        dark: shows the maps what the dark channel says of t, in windows of 12, 28 and 60 pixels.
        survey: the look at the whole picture says t in every place too, and the maps only correct it.
        code: numbers that the look at the whole picture tells the maps besides A and g.
        side: of the thumbnail, pixels; 128 of a survey.

    At the start everything but f leaves the picture nearly as it is: t is near 1 (a survey starts at a thin haze).
    """

    def __init__(
        self,
        *,
        widths: tuple[int, ...] = (48, 96, 144),
        blocks: tuple[int, ...] = (2, 2, 2),
        unshuffle: int = 2,
        absorbs: bool = False,
        space: str = "srgb",
        dark: bool = False,
        survey: bool = False,
        code: int = 12,
        side: int = 64,
    ) -> None:
        super().__init__()
        if space not in ("srgb", "linear"):
            raise ValueError(f"expected the space srgb or linear, got {space!r}")
        planes = 3 if absorbs else 1
        self.absorbs, self.space, self.dark, self.side = absorbs, space, dark, SIDE if survey else side
        self.looker: Look | Survey = Survey(6 + code, planes) if survey else Look(6 + code)
        self.placed = survey
        inputs = 3 * _COARSE**2 + 6 + code + dark * len(_DARK) + survey * planes
        self.maps = UNet(inputs, planes, widths=_WIDTHS, blocks=_BLOCKS)
        self.refine = ResUNet(widths=widths, blocks=blocks, unshuffle=unshuffle, conditions=0, extra=3)
        coarse = _COARSE * 2 ** (len(_WIDTHS) - 1)
        self.multiple = max(coarse, self.refine.multiple)
        # Maps, their enlargement by neighbours, then f on top.
        seen = unet_radius(_BLOCKS, _COARSE) + _COARSE * (1 + dark * max(_DARK))
        self.radius = seen + self.refine.radius

    def grown_from(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """As the base's; maps that did not see the dark channel have no weight for it yet; where a survey is new, it
        and the maps that correct it start anew."""
        grown = dict(super().grown_from(state))
        if self.placed and "looker.say.0.weight" in grown:
            kept = {key[7:]: value for key, value in grown.items() if key.startswith("refine.")}
            kept = {f"refine.{key}": value for key, value in self.refine.grown_from(kept).items()}
            return {**self.state_dict(), **kept}
        grown["maps.head.weight"] = widen_inputs(grown["maps.head.weight"], self.maps.head.in_channels)
        return grown

    def look(self, view: Tensor) -> Tensor:
        """Airlight, gains, a code; of a survey planes of t too."""
        return self.looker(view)

    def repair(self, x: Tensor, seen: Tensor) -> dict[str, Tensor]:
        """Parts "picture", "inverted" (J), "transmission", "airlight" of whole windows."""
        inverted, t, air = self.invert(x, seen)
        picture = self.refine(torch.cat([inverted, x[:, :3]], 1))
        return {"picture": picture, "inverted": inverted, "transmission": t, "airlight": air}

    def surveyed(self, seen: Tensor) -> Tensor:
        """t as it was surveyed from afar, ``B x 1 or 3 x 16 x 16``, before windows correct it.

        Raises:
            ValueError: a network without a survey.
        """
        if not isinstance(self.looker, Survey):
            raise ValueError("expected a network with a survey")
        return _transmission(self.looker.split(seen)[1])

    def invert(self, x: Tensor, seen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """J, transmission (``B x 1 or 3 x H x W``) and airlight (``B x 3``) of whole windows."""
        x, place = x[:, :3], x[:, 3:]
        planes = seen
        if isinstance(self.looker, Survey):
            seen, planes = self.looker.split(seen)
        air = torch.sigmoid(seen[:, :3].float() + 1 + self.placed)
        h = with_conditions(F.pixel_unshuffle(x, _COARSE), seen)
        if self.dark:
            h = torch.cat([h, dark_transmission(x, air).to(h)], 1)
        if self.placed:
            surveyed = at_place(planes, F.avg_pool2d(place, _COARSE))
            corrected = surveyed + self.maps(torch.cat([h, surveyed.to(h)], 1)).float()
            t = _transmission(corrected)
        else:
            # At the start nearly everything arrives: sigmoid(3) = 0.95.
            t = _LEAST + (1 - _LEAST) * torch.sigmoid(self.maps(h).float() + 3)
        t = F.interpolate(t, scale_factor=_COARSE, mode="bilinear", align_corners=False)
        gain = torch.exp(seen[:, 3:6].float().clamp(-1, 4)) if self.absorbs else torch.ones_like(air)
        a, g = (v[:, :, None, None] for v in (air, gain))
        light = x.float().clamp(min=0).pow(2.2) if self.space == "linear" else x.float()
        scene = g * (a + (light - a) / t)
        if self.space == "linear":
            return scene.clamp(1e-4, 2).pow(1 / 2.2).to(x.dtype), t, air
        return scene.clamp(-0.5, 1.5).to(x.dtype), t, air


def _transmission(planes: Tensor) -> Tensor:
    """t of planes of a survey; zeros are a thin haze."""
    return _LEAST + (1 - _LEAST) * torch.exp(-F.softplus(planes.float() - 1))


def dark_transmission(x: Tensor, air: Tensor) -> Tensor:
    """1 - min(x / A) over channels and the windows of ``_DARK``, ``B x 3 x H/4 x W/4``: t where something is black.

    Means over 4 x 4 pixels come first, so that noise does not make every window dark.
    """
    coarse = F.avg_pool2d(x.float(), _COARSE) / air[:, :, None, None].clamp(min=0.05)
    least = coarse.amin(1, keepdim=True)
    return 1 - torch.cat([-largest(-least, radius) for radius in _DARK], 1).clamp(-1, 2)
