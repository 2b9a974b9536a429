"""Where solvers begin: the smoothest picture that explains what was measured."""

from __future__ import annotations

import torch
from torch import Tensor

from restore.degradations.operators import Operator
from restore.inverse.conjugate import conjugate_gradients
from restore.inverse.gradient import divergence, gradient
from restore.inverse.normal import elementary

# Weight of the squared gradient against the data: small, it only decides what was not measured.
_SMOOTH = 1e-3
_ITERATIONS = 40


def begin(y: Tensor, operator: Operator, back: Tensor) -> Tensor:
    """A first picture ``B x C x H x W`` for measurements ``y``; ``back`` is A'y.

    Blurred pictures are their own beginning; holes are filled from their edges (Telea); everything else is
    argmin over x of |A x - y|^2 + 0.001 |grad x|^2, about.
    """
    kinds = [step.name for step in elementary(operator)]
    if set(kinds) <= {"blur"}:
        return y.clone()
    if kinds == ["masking"]:
        return _filled(y, elementary(operator)[0].parts["keep"])

    def apply(x: Tensor) -> Tensor:
        return operator.normal(x) - _SMOOTH * divergence(gradient(x))

    return conjugate_gradients(apply, back, tolerance=1e-3, iterations=_ITERATIONS)


def _filled(y: Tensor, keep: Tensor) -> Tensor:
    from restore.classical.inpaint import telea

    kept = keep.to(y).expand(len(y), -1, *y.shape[-2:]) if keep.ndim == 4 else keep.to(y).expand_as(y[:, :1])
    # What is left of a pixel's light below a tenth is hardly more than noise.
    light = torch.where(kept > 0.1, y / kept.clamp(min=0.1), y)
    holes = (kept <= 0.1).any(1, keepdim=True).to(y)
    if bool(holes.flatten(1).all(1).any()):
        return light
    return telea(light, holes)
