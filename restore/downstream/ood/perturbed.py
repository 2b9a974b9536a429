"""ODIN and GradNorm: what a small step or the gradient at the head says."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from restore.downstream.classifiers.adapter import Classifier
from restore.downstream.ood.base import Bank, Detector


class Odin(Detector):
    """``-max softmax(f(x') / T)`` after a step that raises the confidence (Liang, Li & Srikant, ICLR 2018).

    ``x' = x - eps sign(grad -log softmax_yhat(f(x) / T))``. Here x is in [0, 1] and the step is taken there, so eps
    needs no division by the classifier's standard deviations.
    """

    name = "odin"
    paper = "Liang et al., ICLR 2018"

    def __init__(self, *, temperature: float = 1000.0, epsilon: float = 0.0014) -> None:
        self.temperature, self.epsilon = temperature, epsilon

    def score(self, classifier: Classifier, x: Tensor, logits: Tensor, features: Tensor) -> Tensor:
        with torch.enable_grad():
            moved = x.detach().clone().requires_grad_(True)
            z = classifier(moved) / self.temperature
            (slope,) = torch.autograd.grad(F.cross_entropy(z, z.argmax(1), reduction="sum"), moved)
        with torch.no_grad():
            again = classifier(x - self.epsilon * slope.sign())
            return -(again / self.temperature).softmax(1).max(1).values


class GradNorm(Detector):
    """``-1/(C T) |h|_1 sum_c |1 - C p_c|``: the L1 norm of the gradient of KL(u, p) at the head (Huang et al. 2021).

    The gradient is the outer product of both factors, so nothing is propagated.
    """

    name = "gradnorm"
    paper = "Huang, Geng & Li, NeurIPS 2021"

    def __init__(self, *, temperature: float = 1.0) -> None:
        self.temperature = temperature

    def fit(self, classifier: Classifier, bank: Bank) -> GradNorm:
        return self

    def score(self, classifier: Classifier, x: Tensor, logits: Tensor, features: Tensor) -> Tensor:
        z, h = logits.double(), features.double()
        count = z.shape[1]
        p = (z / self.temperature).softmax(1)
        return -h.abs().sum(1) * (1 - count * p).abs().sum(1) / (count * self.temperature)
