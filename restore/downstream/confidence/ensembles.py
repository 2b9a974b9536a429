"""Several answers for one picture: deep ensembles and MC dropout, and how far they disagree."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from restore.degradations import sample as draw
from restore.errors import UsageError


class Ensemble(nn.Module):
    """Classifiers whose probabilities are averaged (Lakshminarayanan et al., NeurIPS 2017; five in the paper).

    ``forward`` gives the logarithm of the mean probability, so that an ensemble is a classifier like any other.
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        if not members:
            raise UsageError("expected at least one member of an ensemble")
        self.members = nn.ModuleList(members)

    def each(self, x: Tensor) -> Tensor:
        """``M x B x classes`` log-probabilities."""
        return torch.stack([m(x).log_softmax(1) for m in self.members])

    def forward(self, x: Tensor) -> Tensor:
        return mean_log_p(self.each(x))


def mean_log_p(log_p: Tensor) -> Tensor:
    """``B x classes``: the logarithm of the mean over the first axis of probabilities."""
    return log_p.logsumexp(0) - torch.log(torch.tensor(float(len(log_p))))


def uncertainty(log_p: Tensor) -> dict[str, Tensor]:
    """Entropies of ``M x B x classes`` log-probabilities, nats.

    ``total`` of the mean prediction, ``aleatoric`` the mean over members, ``epistemic`` their difference: how much
    the members disagree.
    """
    mean = mean_log_p(log_p)
    total = -(mean.exp() * mean).sum(1)
    aleatoric = -(log_p.exp() * log_p).sum(2).mean(0)
    return {"total": total, "aleatoric": aleatoric, "epistemic": total - aleatoric}


@torch.no_grad()
def mc_dropout(net: nn.Module, x: Tensor, *, passes: int = 30, seed: int = 0) -> Tensor:
    """``passes x B x classes`` log-probabilities with dropout at work (Gal & Ghahramani, ICML 2016).

    Only dropout layers are switched to training; batch normalisation keeps its statistics. Modes are put back.

    Raises:
        UsageError: a network without dropout, whose passes would all be alike.
    """
    with torch.random.fork_rng(devices=[]), dropping(net):
        torch.manual_seed(draw.child_seed(seed, "mc dropout"))
        return torch.stack([net(x).log_softmax(1) for _ in range(passes)])


@contextlib.contextmanager
def dropping(net: nn.Module) -> Iterator[None]:
    """Inside the context dropout is at work and everything else is as in evaluation."""
    layers = [m for m in net.modules() if isinstance(m, nn.modules.dropout._DropoutNd)]
    if not any(m.p > 0 for m in layers):
        raise UsageError("expected a network with dropout", hint="a deep ensemble needs none")
    before = [(m, m.training) for m in net.modules()]
    net.eval()
    for layer in layers:
        layer.train()
    try:
        yield
    finally:
        for module, mode in before:
            module.training = mode
