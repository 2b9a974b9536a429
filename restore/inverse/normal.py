"""(A'A + alpha)^-1, the one step that every solver repeats: closed where the operator has a closed form.

Masks are diagonal in the picture, Fourier samples and circular blurs in the Fourier domain, and circular blurs that
are sampled afterwards have the form of :mod:`restore.inverse.circulant`. Blurs with mirrored borders and ``imresize``
are nearly that, which makes it the preconditioner of conjugate gradients; whatever else there is gets them alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from restore.degradations.operators import Operator
from restore.inverse.circulant import Solve, closed_form, lapped_form
from restore.inverse.conjugate import conjugate_gradients

_LOCAL = ("blur", "downsample", "stride")


@dataclass(frozen=True)
class Normal:
    """The normal equations of an operator.

    Args:
        operator: A.
        closed: solves them exactly; None where nothing closed is known.
        near: solves those of a similar operator: a preconditioner; None for none.
        tolerance: of conjugate gradients, relative to the right side.
        iterations: at most so many of them.
    """

    operator: Operator
    closed: Solve | None = None
    near: Solve | None = None
    tolerance: float = 3e-5
    iterations: int = 60

    def solve(self, b: Tensor, alpha: Tensor, *, start: Tensor | None = None) -> Tensor:
        """(A'A + alpha)^-1 b for pictures ``B x C x H x W``.

        Args:
            alpha: B x 1 x 1 x 1, above 0.
            start: where conjugate gradients begin; None: at 0.
        """
        if self.closed is not None:
            return self.closed(b, alpha)
        near = self.near
        return conjugate_gradients(
            lambda x: self.operator.normal(x) + alpha * x,
            b,
            start=start,
            precondition=None if near is None else lambda r: near(r, alpha),
            tolerance=self.tolerance,
            iterations=self.iterations,
        )


def normal_equations(operator: Operator, *, tolerance: float = 3e-5, iterations: int = 60) -> Normal:
    """How (A'A + alpha) x = b is solved for this operator: see the module."""
    steps = elementary(operator)
    names = [step.name for step in steps]
    closed: Solve | None = None
    near: Solve | None = None
    if not steps:
        closed = _scaled
    elif names == ["masking"]:
        closed = _masked(steps[0].parts["keep"])
    elif names == ["fourier"]:
        closed = _sampled(steps[0].parts["mask"])
    elif all(name in _LOCAL for name in names):
        scale = sampling(steps)
        if _is_circulant(steps, scale):
            closed = closed_form(operator, scale)
        else:
            near = lapped_form(operator, scale)
    return Normal(operator, closed, near, tolerance, iterations)


def elementary(operator: Operator) -> list[Operator]:
    """The operators that a chain is made of, in order, identities left out."""
    if "steps" in operator.parts:
        return [inner for step in operator.parts["steps"] for inner in elementary(step)]
    return [] if operator.name == "identity" else [operator]


def kind_of(operator: Operator) -> str:
    """What is done in the main: "sensing", "masking", "sampling", "blur" or "nothing"."""
    names = {step.name for step in elementary(operator)}
    if names & {"fourier", "compressed-sensing"}:
        return "sensing"
    if "masking" in names:
        return "masking"
    if names & {"stride", "downsample"}:
        return "sampling"
    return "blur" if names else "nothing"


def sampling(steps: list[Operator]) -> int:
    """How many pixels along a side become one."""
    scale = 1
    for step in steps:
        scale *= int(step.parts.get("scale", 1))
    return scale


def _is_circulant(steps: list[Operator], scale: int) -> bool:
    """Whether the twin is the operator itself: wrapped blurs, and sampling that fits and comes last."""
    if any(step.name == "downsample" for step in steps):
        return False
    sampled = False
    for step in steps:
        if step.name == "blur" and (sampled or step.parts["border"] != "wrap"):
            return False
        if step.name == "stride":
            if any(n % step.parts["scale"] for n in step.input_shape[-2:]):
                return False
            sampled = True
    return True


def _scaled(b: Tensor, alpha: Tensor) -> Tensor:
    return b / (1 + alpha)


def _masked(keep: Tensor) -> Solve:
    return lambda b, alpha: b / (keep.to(b).square() + alpha)


def _sampled(mask: Tensor) -> Solve:
    # Of real pictures a frequency and its opposite are one: A'A weighs both with their mean.
    square = mask.double().square()
    opposite = square.flip(-2, -1).roll((1, 1), (-2, -1))
    weight = ((square + opposite) / 2)[..., : mask.shape[-1] // 2 + 1]

    def solve(b: Tensor, alpha: Tensor) -> Tensor:
        made = torch.fft.rfft2(b) / (weight.to(b) + alpha)
        return torch.fft.irfft2(made, s=(b.shape[-2], b.shape[-1]))

    return solve
