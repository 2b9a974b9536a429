"""Squared gradient norms of every parameter for every picture of a batch, from one backward pass.

A layer's gradient of one picture is a product of its input ``a`` and the gradient ``g`` of its output, so its norm is
known from both without the gradient itself ("ghost norms"; Goodfellow 2015, Li et al. 2022).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

KINDS: tuple[type[nn.Module], ...] = (nn.Linear, nn.Conv2d, nn.BatchNorm2d)


def ghost_norms(
    net: nn.Module, loss: Callable[[Tensor], Tensor], x: Tensor, *, kinds: tuple[type[nn.Module], ...] = KINDS
) -> dict[str, Tensor]:
    """Per parameter tensor B squared L2 norms of the gradient of each picture's own loss.

    Args:
        net: in eval mode; batch statistics would couple the pictures of a batch.
        loss: ``loss(net(x))``, a sum over the batch of terms that depend on one picture each.
        x: as the network takes it.
        kinds: which layers; depthwise convolutions on large maps are the expensive ones.

    ``.grad``, ``requires_grad`` and modes stay as they were; works under ``no_grad``. A layer used twice adds the
    gradients of both uses before the norm, as autograd does.
    """
    seen: dict[str, list[tuple[Tensor, Tensor]]] = {}
    layers: dict[str, nn.Module] = {
        name: m
        for name, m in net.named_modules()
        if isinstance(m, kinds) and any(True for _ in m.parameters(recurse=False))
    }
    outputs: list[tuple[str, Tensor, Tensor]] = []

    def keep(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
            outputs.append((name, given[0], out))

        return hook

    handles = [m.register_forward_hook(keep(name)) for name, m in layers.items()]
    try:
        with torch.enable_grad():
            value = loss(net(x.detach().requires_grad_(True)))
            slopes = torch.autograd.grad(value, [out for _, _, out in outputs], allow_unused=True)
    finally:
        for handle in handles:
            handle.remove()
    for (name, a, _), g in zip(outputs, slopes, strict=True):
        if g is not None:
            seen.setdefault(name, []).append((a.detach(), g.detach()))
    found: dict[str, Tensor] = {}
    with torch.no_grad():
        for name, uses in seen.items():
            for part, norm in _layer_norms(layers[name], uses).items():
                found[f"{name}.{part}" if name else part] = norm
    return found


def _layer_norms(layer: nn.Module, uses: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    if isinstance(layer, nn.Linear):
        return _linear(layer, uses)
    if isinstance(layer, nn.Conv2d):
        return _convolution(layer, uses)
    assert isinstance(layer, nn.BatchNorm2d)
    return _normalisation(layer, uses)


def _linear(layer: nn.Linear, uses: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    # Any axes between the batch and the features are places that share the weight.
    flat = [(a.flatten(1, -2) if a.ndim > 2 else a[:, None], g.flatten(1, -2) if g.ndim > 2 else g[:, None])
            for a, g in uses]  # fmt: skip
    a, g = (torch.cat([u[i] for u in flat], 1) for i in (0, 1))
    return _factored(a.transpose(1, 2)[:, None], g.transpose(1, 2)[:, None], bias=layer.bias is not None)


def _convolution(layer: nn.Conv2d, uses: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    groups = layer.groups
    unfolded, slopes = [], []
    for a, g in uses:
        padded = _padded(layer, a)
        columns = F.unfold(padded, layer.kernel_size, layer.dilation, 0, layer.stride)
        columns = columns[:, :, : g[0, 0].numel()]
        unfolded.append(columns.view(len(a), groups, -1, columns.shape[-1]))
        slopes.append(g.flatten(2).view(len(g), groups, -1, columns.shape[-1]))
    return _factored(torch.cat(unfolded, -1), torch.cat(slopes, -1), bias=layer.bias is not None)


def _padded(layer: nn.Conv2d, a: Tensor) -> Tensor:
    """The input as the convolution sees it; a subclass may bring its own padding."""
    static = getattr(layer, "static_padding", None)
    if isinstance(static, nn.Module):
        a = static(a)
    if isinstance(layer.padding, str):
        if layer.padding == "valid":
            return a
        total = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
        sides = [total[1] // 2, total[1] - total[1] // 2, total[0] // 2, total[0] - total[0] // 2]
    else:
        sides = [layer.padding[1], layer.padding[1], layer.padding[0], layer.padding[0]]
    if not any(sides):
        return a
    return F.pad(a, sides, mode="constant" if layer.padding_mode == "zeros" else layer.padding_mode)


def _factored(u: Tensor, g: Tensor, *, bias: bool) -> dict[str, Tensor]:
    """Norms of ``G U'`` per group, summed: u is ``B x groups x inputs x places``, g ``B x groups x outputs x places``.

    Where there are few places ``sum (U'U) * (G'G)`` costs less than the product of both.
    """
    places, size = u.shape[-1], u.shape[-2] * g.shape[-2]
    if places * places < size:
        weight = ((u.transpose(2, 3) @ u) * (g.transpose(2, 3) @ g)).sum((1, 2, 3))
    else:
        weight = (g @ u.transpose(2, 3)).square().sum((1, 2, 3))
    found = {"weight": weight.clamp(min=0)}
    if bias:
        found["bias"] = g.sum(-1).square().sum((1, 2))
    return found


def _normalisation(layer: nn.BatchNorm2d, uses: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    assert layer.running_mean is not None and layer.running_var is not None
    mean, var = (v.view(1, -1, 1, 1) for v in (layer.running_mean, layer.running_var))
    weight = sum((g * (a - mean) / (var + layer.eps).sqrt()).sum((2, 3)) for a, g in uses)
    bias = sum(g.sum((2, 3)) for _, g in uses)
    assert isinstance(weight, Tensor) and isinstance(bias, Tensor)
    return {"weight": weight.square().sum(1), "bias": bias.square().sum(1)}
