"""Says which degradations a picture shows, from frozen features of natural pictures and its measurements."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from restore.models.efficientnet_lite import TAP_CHANNELS, EfficientNetLite0, pool_maps
from restore.models.int8 import round_to_int8

# Means and deviations of the crops' maps and, for what lies in places, the largest of their means.
ENCODED = 3 * sum(TAP_CHANNELS)


class DegradationClassifier(nn.Module):
    """Crops of a picture and its measurements in, per family a logit of presence and a severity out.

    Args:
        families: how many families there are; their names stand in the weight file's header (``conditions``).
        measurements: length of the measurement vector (:func:`restore.diagnosis.measure.as_features`).
        hidden: width of the perceptron.
    """

    center: Tensor
    scale: Tensor

    def __init__(self, *, families: int, measurements: int, hidden: int = 96) -> None:
        super().__init__()
        self.families, self.measurements = families, measurements
        self.encoder = EfficientNetLite0()
        self.encoder.requires_grad_(False)
        self.register_buffer("center", torch.zeros(ENCODED + measurements))
        self.register_buffer("scale", torch.ones(ENCODED + measurements))
        self.head = ClassifierHead(ENCODED, measurements, hidden=hidden, outputs=2 * families)

    def encode(self, crops: Tensor) -> Tensor:
        """``1 x ENCODED`` from ``crops`` of one picture, ``N x 3 x s x t`` in [0, 1]."""
        with torch.no_grad(), torch.autocast(crops.device.type, enabled=False):
            maps = self.encoder(crops.contiguous(memory_format=torch.channels_last))
            pooled = torch.cat(pool_maps(maps), 1)
        half = pooled.shape[1] // 2
        return torch.cat([pooled.mean(0, keepdim=True), pooled[:, :half].amax(0, keepdim=True)], 1)

    def classify(self, encoded: Tensor, measured: Tensor) -> Tensor:
        """``B x 2F`` from ``B x ENCODED`` and ``B x measurements``: F logits, then F severities (not clamped)."""
        x = (torch.cat([encoded, measured], 1) - self.center) * self.scale
        return self.head(x.clamp(-4, 4))

    def forward(self, crops: Tensor, measured: Tensor) -> Tensor:
        return self.classify(self.encode(crops), measured)


class ClassifierHead(nn.Module):
    """A perceptron beside a linear path."""

    def __init__(self, encoded: int, measurements: int, *, hidden: int, outputs: int) -> None:
        super().__init__()
        count = encoded + measurements
        self.linear = nn.Linear(count, outputs)
        self.inner = nn.Sequential(
            nn.Dropout(0.3), nn.Linear(count, hidden), nn.ReLU(), nn.Dropout(0.3), nn.Linear(hidden, outputs)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + self.inner(x)


def round_encoder(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The encoder's weights as they are stored: kernels in 8 bits per output channel."""
    return {k: round_to_int8(v) if v.ndim == 4 else v.half().float() for k, v in state.items()}
