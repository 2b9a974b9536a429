"""Predicts what each treatment would bring a picture: a mean gain in dB, and how likely it does harm."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class TreatmentGain(nn.Module):
    """A perceptron on a picture's measurements and what the degradation classifier says.

    Args:
        treatments: how many; their names stand in the weight file's header (``conditions``).
        features: length of the input.
        hidden: width.

    ``forward(x)`` takes ``N x features`` and gives ``N x T`` mean gains in dB and ``N x T`` logits of harm ("worse than
    given by more than 0.1 dB").
    """

    center: Tensor
    scale: Tensor

    def __init__(self, *, treatments: int, features: int, hidden: int = 64) -> None:
        super().__init__()
        self.treatments = treatments
        self.register_buffer("center", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        self.net = nn.Sequential(
            nn.Linear(features, hidden),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(hidden, 2 * treatments),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        gain, harm = self.net(((x - self.center) * self.scale).clamp(-4, 4)).chunk(2, -1)
        return gain, harm
