"""A plain multi-layer perceptron on patches (Burger, Schuler & Harmeling 2012: "Can plain neural networks compete
with BM3D?").

Every patch of the picture goes through fully connected layers with tanh, and overlapping answers are averaged with a
Gaussian window. The paper trained one network per noise level for weeks; channels go through one by one.
"""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore.models.enlarged import by_channel
from restore.models.spec import ModelSpec


class PatchMLP(nn.Module):
    """``B x C x H x W`` of any size in and out, any number of channels.

    Training sees patches that do not overlap, so that the loss is that of single patches, as in the paper; afterwards
    patches start every ``stride`` pixels.

    Args:
        patch: side of the patch that is seen, odd.
        out: side of the patch that is answered, odd, not larger.
        hidden: units of the hidden layers.
        stride: pixels between patches, a divisor of no more than ``out``.
    """

    def __init__(
        self,
        *,
        patch: int = 17,
        out: int = 17,
        hidden: tuple[int, ...] = (2047, 2047, 2047, 2047),
        stride: int = 3,
    ) -> None:
        super().__init__()
        if patch % 2 == 0 or out % 2 == 0 or not 1 <= out <= patch or not 1 <= stride <= out:
            raise ValueError(
                f"expected odd sides and stride <= out <= patch, got {patch}, {out} and {stride}"
            )
        self.patch, self.out, self.stride = patch, out, stride
        self.multiple = stride
        self.radius = patch + stride
        sides = [patch**2, *hidden]
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sides))
        self.answer = nn.Linear(sides[-1], out**2)
        place = torch.arange(out) - out // 2
        bell = torch.exp(-(place[:, None] ** 2 + place[None] ** 2) / (2 * (out / 3) ** 2))
        self.register_buffer("window", bell.flatten(), persistent=False)

    def spec(self, *, task: str, conditions: tuple[str, ...]) -> ModelSpec:
        """This network's face."""
        return ModelSpec(task=task, multiple=self.multiple, radius=self.radius, conditions=conditions)

    def forward(self, x: Tensor) -> Tensor:
        return x - self.residual(x).to(x.dtype)

    def residual(self, x: Tensor) -> Tensor:
        """The noise: patches answered and averaged."""
        return by_channel(self._noise, x)

    def _noise(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        step = self.out if self.training else self.stride
        margin = (self.patch - self.out) // 2
        # Where patches overlap, the first ones begin before the picture, so that its border is averaged as well.
        before = 0 if self.training else -(-(self.out - 1) // step) * step
        below, right = (_fill(n + before, self.out, step) + before for n in (height, width))
        pads = (before + margin, right + margin, before + margin, below + margin)
        padded = F.pad((x - 0.5) * 4, pads, mode="replicate")  # the paper's range for tanh units
        # The layers on every patch at once, as convolutions: the first looks at a patch, the others at its units.
        first, *others = (layer for layer in self.hidden if isinstance(layer, nn.Linear))
        assert isinstance(self.window, Tensor)
        h = F.conv2d(padded, first.weight.view(-1, 1, self.patch, self.patch), first.bias, stride=step)
        for layer in others:
            h = F.conv2d(torch.tanh(h), layer.weight[:, :, None, None], layer.bias)
        h = torch.tanh(h)
        answer = (self.answer.weight.T * self.window).view(-1, 1, self.out, self.out)
        bias = (self.answer.bias * self.window).view(1, 1, self.out, self.out)
        every = torch.ones_like(h[:1, :1])
        total = F.conv_transpose2d(h, answer, stride=step) + F.conv_transpose2d(every, bias, stride=step)
        weight = F.conv_transpose2d(every, self.window.view(1, 1, self.out, self.out), stride=step)
        return (total / (4 * weight))[..., before : before + height, before : before + width]


def _fill(length: int, patch: int, step: int) -> int:
    """How many pixels ``length`` lacks to be covered by patches every ``step`` pixels."""
    count = max(0, -(-(length - patch) // step)) + 1
    return (count - 1) * step + patch - length
