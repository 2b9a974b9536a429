"""Delta-UQ: one network, many anchors, an uncertainty that costs no ensemble (Thiagarajan et al., NeurIPS 2022)."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from restore.degradations import sample as draw
from restore.errors import UsageError


class Anchored(nn.Module):
    """A network of pairs: what it is told is an anchor and how far the picture is from it, ``f([c, x - c])``.

    In training every picture gets another picture of its batch as its anchor. After :meth:`store` a fixed bank of
    anchors, the same for every picture, gives the mean prediction and its spread, so that no prediction depends on
    its neighbours.

    Args:
        net: whose first convolution takes twice the channels.
    """

    bank: Tensor

    def __init__(self, net: nn.Module, *, channels: int) -> None:
        super().__init__()
        self.net = net
        self.channels = channels
        self.register_buffer("bank", torch.zeros(0))

    def pair(self, x: Tensor, anchor: Tensor, *, shown: Tensor | None = None) -> Tensor:
        """Logits of pictures told by ``anchor``; ``shown`` takes the anchor's place in the first slot only.

        One batch in five is trained with an augmented ``shown`` while the residual keeps the clean anchor.
        """
        return self.net(torch.cat([anchor if shown is None else shown, x - anchor], 1))

    def store(self, anchors: Tensor) -> Anchored:
        """Keeps ``K x C x H x W`` anchors (5 to 20, of the training pictures, every class among them)."""
        if anchors.ndim != 4 or anchors.shape[1] != self.channels:
            raise UsageError(f"expected anchors K x {self.channels} x H x W, got {tuple(anchors.shape)}")
        self.bank = anchors.detach().clone()
        return self

    def each(self, x: Tensor) -> Tensor:
        """``K x B x classes``: logits under every stored anchor.

        Raises:
            UsageError: no anchors are stored.
        """
        if not len(self.bank):
            raise UsageError("expected stored anchors", hint="net.store(training_pictures[:10])")
        return torch.stack([self.pair(x, a[None].expand_as(x)) for a in self.bank.to(x)])

    def uncertain(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(mean logits ``B x classes``, spread ``B x classes``: unbiased deviation of the sigmoids over anchors)."""
        logits = self.each(x)
        return logits.mean(0), logits.sigmoid().std(0)

    def forward(self, x: Tensor) -> Tensor:
        """In training logits under shuffled anchors; else the mean over the stored ones, scaled by the spread.

        Scaled as in the anomaly score of AMP: ``mu / (1 + exp(tau))``, tau the mean spread.
        """
        if self.training:
            return self.pair(x, x.roll(1, 0))
        mean, spread = self.uncertain(x)
        return mean / (1 + spread.mean(1, keepdim=True).exp())


def wrap_anchored(net: nn.Module) -> Anchored:
    """An anchored copy of ``net``: its first convolution takes twice the channels.

    The original is not changed. Before training every anchor gives what the original gives, so a trained network
    can be finetuned instead of trained again.

    Raises:
        UsageError: a network without a plain convolution.
    """
    made = copy.deepcopy(net)
    for name, layer in made.named_modules():
        if isinstance(layer, nn.Conv2d):
            if layer.groups != 1:
                break
            wide = copy.deepcopy(layer)
            wide.in_channels *= 2
            # [anchor, residual]: both slots start as the layer itself, so that f([c, x - c]) = f(x).
            wide.weight = nn.Parameter(torch.cat([layer.weight, layer.weight], 1).detach().clone())
            parent = made.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], wide)
            return Anchored(made, channels=layer.in_channels)
        if isinstance(layer, nn.Linear):
            break
    raise UsageError("expected a network that begins with a convolution of one group")


def pick_anchors(labels: Tensor, count: int, *, seed: int = 0) -> Tensor:
    """Numbers of ``count`` pictures, classes in turn, so that each is there as often as possible."""
    g = draw.generator(draw.child_seed(seed, "anchors"))
    shuffled = torch.randperm(len(labels), generator=g)
    by_class = [shuffled[labels[shuffled] == c].tolist() for c in labels.unique().tolist()]
    picked: list[int] = []
    turn = 0
    while len(picked) < min(count, len(labels)):
        queue = by_class[turn % len(by_class)]
        if queue:
            picked.append(queue.pop())
        turn += 1
    return torch.tensor(picked)


def amp_score(mean: Tensor, spread: Tensor, *, imagenet: bool = False) -> Tensor:
    """AMP (ACML 2022), larger for more foreign: ``(1/C) sum_c log softmax(Hc)_c``.

    ``Hc = mu / (1 + exp(tau))``, or ``mu / tau`` at the scale of ImageNet; tau is the mean spread over classes.
    """
    tau = spread.double().mean(1, keepdim=True)
    scaled = mean.double() / (tau if imagenet else 1 + tau.exp())
    return scaled.log_softmax(1).mean(1)
