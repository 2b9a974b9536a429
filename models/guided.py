"""What networks share that look at the whole picture once, and tell every window what they saw."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from restore.models.look import Read, read_thumbnail, thumbnail
from restore.models.resunet import ResUNet, grown_around, pad_to
from restore.models.spec import ModelSpec
from restore.models.survey import place_of


class GuidedNet(nn.Module, ABC):
    """A look at the whole, an inversion of what happened, and a residual U-Net (``refine``) that repairs the rest.

    A subclass sets ``side`` (of the thumbnail, pixels), ``refine``, ``multiple`` and ``radius``, and defines ``look``
    and ``repair``; one that looks at something else than a thumbnail, ``glance`` and ``read_view`` too.

    ``forward(x, seen)`` takes ``B x 3 x H x W`` of any size and what ``look`` said of the whole picture; without it the
    look is at ``view``, or at ``x`` itself. Where windows are ``placed``, five channels are a window with its place
    (:func:`restore.models.survey.place_of`), three a whole picture. With ``parts`` it gives the dictionary of
    ``repair``, with ``parts="inverted"`` that part alone, else its "picture".
    """

    side: int
    refine: ResUNet
    multiple: int
    radius: int
    window: int = 0  # pixels, where the usual window would hold too much
    placed: bool = False  # windows have two channels more: where they lie in the whole picture

    @property
    def view(self) -> str:
        """What :meth:`look` is shown, as recipes name it (:func:`restore.models.views.view_of`)."""
        return f"thumbnail:{self.side}"

    @abstractmethod
    def look(self, view: Tensor) -> Tensor:
        """What a view (a thumbnail, ``B x 3 x side x side``) says of the whole picture, ``B x N``."""

    def invert(self, x: Tensor, seen: Tensor) -> tuple[Tensor, ...]:
        """The part "inverted" of such windows first, for networks that are taught it alone."""
        return (self.repair(x, seen)["inverted"],)

    @abstractmethod
    def repair(self, x: Tensor, seen: Tensor) -> dict[str, Tensor]:
        """Windows whose sides are multiples of ``multiple``: "picture", "inverted", and what else was found."""

    def glance(self, x: Tensor) -> Tensor:
        """The view of a whole picture in memory."""
        return thumbnail(x, self.side)

    def read_view(self, read: Read, height: int, width: int) -> Tensor:
        """The same view of a picture of any size, read in parts: ``read(top, bottom, left, right)``."""
        return read_thumbnail(read, height, width, self.side)

    def spec(self, *, task: str, conditions: tuple[str, ...]) -> ModelSpec:
        """This network's face; the radius follows from the layers."""
        return ModelSpec(
            task=task,
            multiple=self.multiple,
            radius=self.radius,
            conditions=conditions,
            looks=True,
            window=self.window,
            placed=self.placed,
        )

    def grown_from(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights of a plain ResUNet become those of ``refine``; everything else starts as it is."""
        return grown_around(self, "refine", state)

    def forward(
        self, x: Tensor, seen: Tensor | None = None, *, view: Tensor | None = None, parts: bool | str = False
    ) -> Tensor | dict[str, Tensor]:
        if seen is None:
            seen = self.look(self.glance(x[:, :3]) if view is None else view)
        height, width = x.shape[-2:]
        if self.placed and x.shape[1] == 3:
            x = torch.cat([x, place_of(x).to(x)], 1)
        padded = pad_to(x, self.multiple)
        if parts == "inverted":
            return self.invert(padded, seen)[0][..., :height, :width]
        found = self.repair(padded, seen)
        if not parts:
            return found["picture"][..., :height, :width]
        return {k: v[..., :height, :width] if v.ndim == 4 else v for k, v in found.items()}
