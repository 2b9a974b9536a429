"""One face for every classifier: pictures in [0, 1] in, logits and features out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore.downstream.labelled import Labelled
from restore.resample import imresize

HEAD_LAYERS = (nn.Linear,)


@dataclass(frozen=True)
class Preprocess:
    """What a classifier wants its pictures to be.

    Args:
        side: height and width of the input in pixels; None: any size.
        crop: share of the short side that is kept before resizing (224/256 for most ImageNet networks).
        mean, std: per channel, of values in [0, 1].
        channels: 1 or 3; grey pictures are repeated, colour ones reduced.
        kernel: how pictures are resized.
    """

    side: int | None = None
    crop: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    channels: int = 3
    kernel: str = "bicubic"


class Classifier(nn.Module):
    """An ``nn.Module`` from pictures ``B x C x H x W`` in [0, 1] to logits ``B x classes``.

    Restoration happens before :meth:`fit_picture` or between it and :meth:`forward`; which of both is a choice of
    the protocol (``degrade_at``). Normalisation belongs to the classifier, so that a restorer and an attack see
    [0, 1].

    Args:
        net: takes normalised pictures and gives logits.
        name: as it is reported.
        classes: names in the order of the logits; empty where they are not known.
        head: the last linear layer, whose input are the features; None: the last ``nn.Linear`` of ``net``.
        trained_on: which pictures of a collection it has seen in training.
    """

    def __init__(
        self,
        net: nn.Module,
        *,
        name: str,
        preprocess: Preprocess | None = None,
        classes: tuple[str, ...] = (),
        head: nn.Module | None = None,
        fingerprint: str = "",
        note: str = "",
        trained_on: Callable[[Labelled], set[int]] = lambda data: set(),
    ) -> None:
        super().__init__()
        self.trained_on = trained_on
        self.net = net
        self.name, self.classes, self.note = name, classes, note
        self.fingerprint = fingerprint or name
        self.preprocess = preprocess or Preprocess()
        linear = [m for m in net.modules() if isinstance(m, HEAD_LAYERS)]
        self.head_layer: nn.Module | None = head or (linear[-1] if linear else None)
        mean, std = (torch.tensor(v).view(1, -1, 1, 1) for v in (self.preprocess.mean, self.preprocess.std))
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("std", std, persistent=False)
        self.eval()

    def fit_picture(self, x: Tensor) -> Tensor:
        """The middle of ``B x C x H x W``, cut and resized to the classifier's input, in [0, 1]."""
        p = self.preprocess
        if x.shape[1] != p.channels:
            x = x.expand(-1, 3, -1, -1) if p.channels == 3 else x.mean(1, keepdim=True)
        if p.side is None or tuple(x.shape[-2:]) == (p.side, p.side):
            return x
        height, width = x.shape[-2:]
        keep = max(1, round(min(height, width) * p.crop))
        top, left = (height - keep) // 2, (width - keep) // 2
        square = x[..., top : top + keep, left : left + keep]
        if x.requires_grad:  # an attack, or training through the classifier
            resized = F.interpolate(square, (p.side, p.side), mode=p.kernel, antialias=True)
        else:
            resized = imresize(square, size=(p.side, p.side), kernel=p.kernel)
        return resized.clamp(0, 1)

    def normalise(self, x: Tensor) -> Tensor:
        """Pictures in [0, 1] as the network was trained on them."""
        return (x - self.get_buffer("mean")) / self.get_buffer("std")

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``B x classes``; gradients pass to ``x``."""
        return self.net(self.normalise(self.fit_picture(x)))

    def both(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(logits, features): features are the input of the last linear layer, ``B x D``.

        Of a network whose layers cannot be seen (a file) the logits stand for the features.
        """
        if self.head_layer is None:
            logits = self.forward(x)
            return logits, logits
        held: list[Tensor] = []
        with hooked([self.head_layer], lambda _, given: held.append(given)):
            logits = self.forward(x)
        return logits, held[0].flatten(1)

    def maps(self, x: Tensor) -> list[Tensor]:
        """The last map ``B x channels x h x w`` of every resolution inside the network, from fine to coarse."""
        seen: dict[tuple[int, ...], Tensor] = {}

        def keep(module: nn.Module, given: object, out: object) -> None:
            if isinstance(out, Tensor) and out.ndim == 4 and min(out.shape[-2:]) > 1:
                seen[tuple(out.shape[-2:])] = out

        leaves = [m for m in self.net.modules() if not list(m.children())]
        handles = [m.register_forward_hook(keep) for m in leaves]
        try:
            self.forward(x)
        finally:
            for handle in handles:
                handle.remove()
        return list(seen.values())

    @property
    def head(self) -> tuple[Tensor, Tensor]:
        """Weight ``classes x D`` and bias of the last linear layer."""
        layer = self.head_layer
        assert isinstance(layer, nn.Linear)
        bias = layer.bias if layer.bias is not None else layer.weight.new_zeros(len(layer.weight))
        return layer.weight, bias


@contextlib.contextmanager
def hooked(layers: list[nn.Module], seen: Callable[[int, Tensor], object]) -> Iterator[None]:
    """Inside the context ``seen(i, x)`` is called with every input of layer i; the hooks are gone afterwards."""

    def hook(i: int) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def called(_: nn.Module, given: tuple[Tensor, ...]) -> None:
            seen(i, given[0])

        return called

    handles = [layer.register_forward_pre_hook(hook(i)) for i, layer in enumerate(layers)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
