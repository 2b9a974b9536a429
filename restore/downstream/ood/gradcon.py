"""GradCON: does the gradient of an auto-encoder point where it pointed in training? (Kwon et al., ECCV 2020)"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore.degradations import sample as draw
from restore.downstream.classifiers.adapter import Classifier
from restore.downstream.ood.base import Bank, Detector

TRAIN_WEIGHT, SCORE_WEIGHT = 0.03, 0.12


class AutoEncoder(nn.Module):
    """Three strided convolutions and four that lead back, whose gradients are watched."""

    def __init__(self, channels: int, width: int = 16) -> None:
        super().__init__()
        sizes = [channels, width, 2 * width, 4 * width]
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(sizes))
        back = [4 * width, 2 * width, width, width, channels]
        self.up = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(back))

    @property
    def watched(self) -> list[Tensor]:
        """The weights of the decoder's convolutions."""
        return [m.weight for m in self.up if isinstance(m, nn.Conv2d)]

    def forward(self, x: Tensor) -> Tensor:
        """Pictures in [0, 1] to their reconstruction."""
        y = x
        for layer in self.down:
            y = F.relu(layer(y))
        for layer in self.up[:-1]:
            y = F.relu(layer(F.interpolate(y, scale_factor=2, mode="nearest")))
        return torch.sigmoid(self.up[-1](F.interpolate(y, size=x.shape[-2:], mode="nearest")))


class GradCon(Detector):
    """``L_rec - 0.12 mean_i cos(dL_rec/dphi_i, avg_i)`` over the four decoder convolutions, per picture.

    Trained with ``L_rec - 0.03 mean_i cos(avg_i, dL_rec/dphi_i)``, avg_i the running mean of the whole loss's
    gradient, without that term in the first iteration; Adam 1e-3, batches of 64.
    """

    name = "gradcon"
    paper = "Kwon et al., ECCV 2020"

    def __init__(self, *, width: int = 16, epochs: int = 5, batch: int = 64, seed: int = 0) -> None:
        self.width, self.epochs, self.batch, self.seed = width, epochs, batch, seed

    def fit(self, classifier: Classifier, bank: Bank) -> GradCon:
        x = bank.pictures
        g = draw.generator(draw.child_seed(self.seed, "gradcon"))
        with torch.enable_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(draw.child_seed(self.seed, "gradcon weights"))
            self.net = AutoEncoder(x.shape[1], self.width)
            watched = self.net.watched
            optimiser = torch.optim.Adam(self.net.parameters(), lr=1e-3)
            self.average: list[Tensor] = []
            count = 0
            for _ in range(self.epochs):
                for chosen in torch.randperm(len(x), generator=g).split(self.batch):
                    error = F.mse_loss(self.net(x[chosen]), x[chosen])
                    loss = error
                    if self.average:
                        slopes = torch.autograd.grad(error, watched, create_graph=True)
                        loss = error - TRAIN_WEIGHT * _alignment(slopes, self.average)
                    optimiser.zero_grad(set_to_none=True)
                    loss.backward()
                    count += 1
                    now = [w.grad.detach().clone() for w in watched if w.grad is not None]
                    self.average = (
                        [a + (n - a) / count for a, n in zip(self.average, now, strict=True)]
                        if self.average
                        else now
                    )
                    optimiser.step()
        return self

    def score(self, classifier: Classifier, x: Tensor, logits: Tensor, features: Tensor) -> Tensor:
        found = []
        with torch.enable_grad():
            watched = self.net.watched
            for picture in x.split(1):
                error = F.mse_loss(self.net(picture), picture)
                slopes = torch.autograd.grad(error, watched)
                found.append((error - SCORE_WEIGHT * _alignment(slopes, self.average)).detach())
        return torch.stack(found)


def _alignment(slopes: tuple[Tensor, ...], average: list[Tensor]) -> Tensor:
    """Mean cosine between gradients and what they were on average."""
    cosines = [
        F.cosine_similarity(s.flatten(), a.flatten(), dim=0) for s, a in zip(slopes, average, strict=True)
    ]
    return torch.stack(cosines).mean()
