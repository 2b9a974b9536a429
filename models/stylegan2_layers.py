"""The layers of StyleGAN2: equalised learning rate, modulated convolution, FIR resampling.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", CVPR 2020 (sections 2.2, 4.1; appendix B);
equalised learning rate from Karras et al., "Progressive Growing of GANs", ICLR 2018 (section 4.1).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Taps of the binomial low-pass filter with which every change of resolution is made.
TAPS = (1.0, 3.0, 3.0, 1.0)
EPS = 1e-8
SLOPE = 0.2
# What keeps the second moment of a normal input near one behind the leaky ReLU. It is folded into weights, biases and
# the normalisation wherever it can: a multiplication of every feature costs more than one of every weight.
GAIN = math.sqrt(2)


def leaky(x: Tensor) -> Tensor:
    """Leaky ReLU of slope 0.2 times :data:`GAIN`."""
    return F.leaky_relu(x, SLOPE) * GAIN


def filter_up(x: Tensor) -> Tensor:
    """``B x C x H x W`` to twice the sides: zeros between the samples, then the low-pass filter with gain 4."""
    return F.conv_transpose2d(x, _kernel(x, 4.0), stride=2, padding=1, groups=x.shape[1])


def filter_same(x: Tensor, *, padding: int, gain: float = 1.0, stride: int = 1) -> Tensor:
    """The low-pass filter with zero padding: sides grow by ``2 padding - 3``, then every ``stride``-th is kept."""
    return F.conv2d(x, _kernel(x, gain), stride=stride, padding=padding, groups=x.shape[1])


def _kernel(x: Tensor, gain: float) -> Tensor:
    taps = x.new_tensor(TAPS)
    return (torch.outer(taps, taps) * (gain / taps.sum() ** 2)).expand(x.shape[1], 1, -1, -1)


class EqualLinear(nn.Module):
    """A linear layer whose weights are N(0, 1) and scaled by 1 / sqrt(inputs) when used.

    Args:
        rate: multiplier of the learning rate of weights and biases (0.01 in the mapping network).
        activate: with :func:`leaky` behind it.
    """

    def __init__(
        self, inputs: int, outputs: int, *, bias: float = 0.0, rate: float = 1.0, activate: bool = False
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate))
        self.scale, self.rate, self.activate = rate / math.sqrt(inputs), rate, activate

    def forward(self, x: Tensor) -> Tensor:
        gain = GAIN if self.activate else 1.0
        y = F.linear(x, self.weight * (self.scale * gain), self.bias * (self.rate * gain))
        return F.leaky_relu(y, SLOPE) if self.activate else y


class EqualConv(nn.Module):
    """A convolution of odd size with the same scaling.

    Args:
        down: filters and halves the resolution first.
        activate: with a leaky ReLU behind it; ``gain``: what the result is multiplied by (as :func:`leaky`: GAIN).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int,
        *,
        down: bool = False,
        bias: bool = True,
        activate: bool = False,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.scale, self.size, self.down = gain / math.sqrt(inputs * size**2), size, down
        self.gain, self.activate = gain, activate

    def forward(self, x: Tensor) -> Tensor:
        y = self._convolve(x, self.weight * self.scale, None if self.bias is None else self.bias * self.gain)
        return F.leaky_relu(y, SLOPE) if self.activate else y

    def _convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if not self.down:
            return F.conv2d(x, weight, bias, padding=self.size // 2)
        if self.size == 1:  # filtering and then taking every second sample, in one pass
            return F.conv2d(filter_same(x, padding=1, stride=2), weight, bias)
        return F.conv2d(filter_same(x, padding=(self.size + 1) // 2), weight, bias, stride=2)


class ModulatedConv(nn.Module):
    """A convolution whose input channels a style scales, its outputs brought back to unit variance.

    The scaling is applied to the input and the normalisation to the output, which equals modulating the weights
    (CVPR 2020, eq. 1 and 3) without a kernel of its own for every sample.

    Args:
        up: twice the resolution: transposed convolution, then the low-pass filter.
        demodulate: the normalisation; without it in RGB layers.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int,
        w_dim: int,
        *,
        up: bool = False,
        demodulate: bool = True,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, size, size))
        self.affine = EqualLinear(w_dim, inputs, bias=1.0)
        self.scale, self.size, self.up, self.demodulate = (
            1 / math.sqrt(inputs * size**2),
            size,
            up,
            demodulate,
        )

    def forward(self, x: Tensor, w: Tensor, *, gain: float = 1.0) -> Tensor:
        style = self.affine(w) if self.demodulate else self.affine(w) * gain
        weight = self.weight * self.scale
        x = x * style[:, :, None, None]
        if self.up:
            x = filter_same(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2), padding=1, gain=4.0)
        else:
            x = F.conv2d(x, weight, padding=self.size // 2)
        if not self.demodulate:
            return x
        power = style.square() @ weight.square().sum((2, 3)).t()
        return x * (gain * torch.rsqrt(power + EPS))[:, :, None, None]


class StyledConv(nn.Module):
    """Modulated convolution, plus noise of one learnt strength, plus bias, leaky ReLU."""

    def __init__(self, inputs: int, outputs: int, w_dim: int, *, up: bool = False) -> None:
        super().__init__()
        self.conv = ModulatedConv(inputs, outputs, 3, w_dim, up=up)
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        x = self.conv(x, w, gain=GAIN) + (self.noise_strength * GAIN) * noise
        return F.leaky_relu(x + (self.bias * GAIN)[:, None, None], SLOPE)


class ToRGB(nn.Module):
    """Features to colour channels: a modulated 1 x 1 convolution without normalisation, plus bias."""

    def __init__(self, inputs: int, channels: int, w_dim: int) -> None:
        super().__init__()
        self.conv = ModulatedConv(inputs, channels, 1, w_dim, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        return self.conv(x, w) + self.bias[:, None, None]
