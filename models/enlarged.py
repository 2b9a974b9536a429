"""What SRCNN and VDSR share: the picture is enlarged first, and its channels go through the network one by one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor, nn

from restore.models.spec import ModelSpec
from restore.resample import imresize


class Enlarged(nn.Module, ABC):
    """MATLAB's bicubic, then :meth:`inner`.

    Args:
        scale: output pixels per input pixel along one side.
        reach: receptive radius of the network, in output pixels.
    """

    def __init__(self, *, scale: int, reach: int) -> None:
        super().__init__()
        if scale < 1:
            raise ValueError(f"expected a scale of 1 or more, got {scale}")
        self.scale = scale
        self.multiple = 1
        self.radius = -(-reach // scale) + (2 if scale > 1 else 0)  # bicubic looks two pixels around

    def spec(self, *, task: str, conditions: tuple[str, ...]) -> ModelSpec:
        """This network's face."""
        return ModelSpec(task=task, scale=self.scale, radius=self.radius, conditions=conditions)

    @abstractmethod
    def inner(self, large: Tensor) -> Tensor:
        """The enlarged picture, restored."""

    def prepare(self, x: Tensor) -> Tensor:
        """The picture enlarged: what :meth:`inner` works on."""
        return imresize(x, scale=self.scale) if self.scale > 1 else x

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(self.prepare(x)).to(x.dtype)


def by_channel(layers: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """``layers``, made for one channel, on every channel of ``B x C x H x W``."""
    batch, channels, height, width = x.shape
    return layers(x.reshape(batch * channels, 1, height, width)).reshape(batch, channels, height, width)
