"""The adversarial part of a judgement: the whole chain under attack, and what restoring does to attacked pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from restore.downstream.attacks.carlini import carlini_wagner
from restore.downstream.attacks.gradient import EPS_LARGE, EPS_SMALL, Model, PassThrough, bim, fgsm, pgd
from restore.downstream.attacks.smoothing import certify_smoothed
from restore.downstream.attacks.spatial import spatial
from restore.errors import UsageError


def attack_block(
    classifier: Model,
    restorer: Callable[[Tensor], Tensor],
    x: Tensor,
    labels: Tensor,
    *,
    eps: float | None = None,
    steps: int = 10,
    draws: int = 1,
    seed: int = 0,
) -> dict[str, Any]:
    """Accuracies under attack on the bare classifier and on the chain end to end.

    Args:
        restorer: a module that lets gradients pass (``net.as_module()``), else it is passed around (BPDA).
        x: ``B x C x H x W`` in [0, 1] at the classifier's size.
        eps: L-infinity budget; None: 8/255 up to 64 px, 4/255 above.
        steps: of PGD and BIM.
        draws: gradients averaged per step for a restorer that draws at random.

    Returns:
        ``attacks``: rows with ``attack``, ``bare`` (accuracy of f on pictures made against f), ``chain`` (of f(R) on
        pictures made against f(R): the number that counts), ``purified`` (of f(R) on pictures made against f: shown
        beside it, never alone); ``flags``: signs that gradients are hidden rather than absent.
    """
    radius = (EPS_SMALL if min(x.shape[-2:]) <= 64 else EPS_LARGE) if eps is None else eps
    chain, around = _chain(classifier, restorer, x)
    methods: dict[str, Callable[[Model], Tensor]] = {
        "fgsm": lambda m: fgsm(m, x, labels, eps=radius, draws=draws),
        "bim": lambda m: bim(m, x, labels, eps=radius, steps=steps),
        "pgd": lambda m: pgd(m, x, labels, eps=radius, steps=steps, draws=draws, seed=seed),
        "pgd-unbounded": lambda m: pgd(m, x, labels, eps=1.0, steps=steps, seed=seed),
        "carlini-wagner": lambda m: carlini_wagner(m, x, labels, steps=5 * steps, searches=3),
        "spatial": lambda m: spatial(m, x, labels)[0],
    }
    rows: list[dict[str, Any]] = []
    for name, make in methods.items():
        against_bare, against_chain = make(classifier), make(chain)
        row: dict[str, Any] = {
            "attack": name,
            "bare": _accuracy(classifier, against_bare, labels),
            "chain": _accuracy(chain, against_chain, labels),
            "purified": _accuracy(chain, against_bare, labels),
        }
        if name == "carlini-wagner":
            for key, made in (("bare_l2", against_bare), ("chain_l2", against_chain)):
                row[key] = float((made - x).flatten(1).norm(dim=1).mean())
        rows.append(row)
    by_name = {r["attack"]: r for r in rows}
    flags = []
    if by_name["pgd"]["chain"] > by_name["fgsm"]["chain"] + 0.02:
        flags.append("PGD is weaker than FGSM: its gradients mislead")
    if by_name["pgd-unbounded"]["chain"] > 0.02:
        flags.append("an unbounded attack does not reach 0: gradients are masked")
    if by_name["pgd"]["purified"] < by_name["pgd"]["chain"] - 0.02:
        flags.append("pictures made against the classifier alone harm the chain more than its own")
    return {
        "n": len(x),
        "eps": radius,
        "clean": {"bare": _accuracy(classifier, x, labels), "chain": _accuracy(chain, x, labels)},
        "attacks": rows,
        "gradient": "around the restorer (BPDA)" if around else "through the restorer",
        "flags": flags,
    }


def smoothing_block(
    model: Model, x: Tensor, labels: Tensor, *, sigma: float = 0.25, n: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """Certified accuracy of the smoothed chain at several L2 radii; indicative below n = 10,000."""
    found = [certify_smoothed(model, picture, sigma=sigma, n=n, seed=seed + i) for i, picture in enumerate(x)]
    right = [c.label == int(y) for c, y in zip(found, labels, strict=True)]
    radii = [0.0, 0.25 * sigma, 0.5 * sigma, sigma, 2 * sigma]
    return {
        "sigma": sigma,
        "n": n,
        "abstained": sum(c.label is None for c in found) / len(found),
        "certified": [
            {
                "radius": r,
                "accuracy": sum(ok and c.radius > r for ok, c in zip(right, found, strict=True)) / len(found)
                if r
                else sum(right) / len(found),
            }
            for r in radii
        ],
    }


def _chain(classifier: Model, restorer: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Model, bool]:
    """The whole chain, and whether gradients go around the restorer."""
    as_module = getattr(restorer, "as_module", None)
    inner = as_module() if as_module is not None else restorer
    try:
        with torch.enable_grad():
            probe = x[:1].detach().clone().requires_grad_(True)
            (g,) = torch.autograd.grad(inner(probe).sum(), probe, allow_unused=True)
        passes = g is not None and bool((g != 0).any())
    except (RuntimeError, UsageError):
        passes = False
    used = inner if passes else PassThrough(restorer)
    return (lambda y: classifier(used(y).clamp(0, 1))), not passes


@torch.no_grad()
def _accuracy(model: Model, x: Tensor, labels: Tensor) -> float:
    return float((model(x).argmax(1) == labels).float().mean())
