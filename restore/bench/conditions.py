"""One bench condition: a degradation, how the reference is cut for it, and what of it a restorer may know."""

from __future__ import annotations

import re
from dataclasses import dataclass

from torch import Tensor

from restore.degradations import TRACEABLE, Compose, Degradation, Pipeline, degradation, trace
from restore.degradations import sample as draw
from restore.errors import ImageError, UsageError
from restore.image import quantise, to_y601
from restore.names import Value


@dataclass(frozen=True)
class Condition:
    """A degradation and its scale (1 where the size stays).

    With ``luma`` only the pictures' luma takes part (BT.601, studio range, 8 bits), as a grey picture: how JPEG
    artefacts are scored.
    """

    degradation: Degradation | Pipeline
    scale: int
    luma: bool = False

    @property
    def label(self) -> str:
        """The degradation's name with its values, as it can be given again."""
        return self.degradation.label

    @property
    def border(self) -> int:
        """Pixels left out along each edge when scoring: the scale where the size changes, else none."""
        return self.scale if self.scale > 1 else 0

    def reference(self, clean: Tensor) -> Tensor:
        """``clean`` cut at the right and at the bottom to a multiple of the scale.

        Raises:
            ImageError: a picture too small to leave anything inside the border.
        """
        height, width = ((side // self.scale) * self.scale for side in clean.shape[-2:])
        if min(height, width) <= 2 * self.border:
            sides = f"{clean.shape[-1]} x {clean.shape[-2]}"
            raise ImageError(f"expected sides above {2 * self.border} px for scale {self.scale}, got {sides}")
        cut = clean[..., :height, :width]
        return quantise(to_y601(cut)) if self.luma else cut

    def degrade(self, reference: Tensor, *, seed: int, image: str) -> Tensor:
        """The degraded picture, float, as the degradation leaves it: nothing is clipped or quantised here.

        The picture's generator starts from a hash of ``seed`` and its relative path ``image``, as for a
        folder, so neither the order nor the other pictures matter.
        """
        g = draw.generator(draw.child_seed(seed, image))
        degraded, _ = self.degradation(reference, generator=g)
        expected = tuple(side // self.scale for side in reference.shape[-2:])
        if tuple(degraded.shape[-2:]) != expected:
            got = tuple(degraded.shape[-2:])
            raise ImageError(f"{self.label}: expected {expected} after scale {self.scale}, got {got}")
        return degraded

    def mask(self, reference: Tensor, *, seed: int, image: str) -> Tensor:
        """Which pixels :meth:`degrade` took away, ``1 x 1 x H x W``: those that keep less than half of their light.

        Raises:
            UsageError: a degradation that takes none.
        """
        if not any(step.name in TRACEABLE for step in steps(self.degradation)):
            raise UsageError(
                f"{self.label!r} takes no pixels away", hint="a mask is that of -d mask:cover=0.1"
            )
        g = draw.generator(draw.child_seed(seed, image))
        params = self.degradation.sample(tuple(reference.shape), generator=g)
        return (trace(params, tuple(reference.shape)) > 0.5).float()

    def known(self, key: str) -> Value:
        """What this condition fixes for ``key``, in the units of a name.

        Raises:
            UsageError: nothing, or a range, or different values in different steps.
        """
        values = {s.fixed[key] for s in steps(self.degradation) if key in s.fixed}
        if len(values) != 1 or ".." in str(next(iter(values))):
            raise UsageError(f"{self.label!r} does not fix one {key}", hint=f"name it: {key}=...")
        return values.pop()

    def protocol(self, *, channels: str, seed: int, unclipped: bool) -> str:
        """Everything that changes the numbers, in one line.

        Args:
            channels: "rgb", "grey" or "rgb+grey": what the pictures had.
            seed: the bench's.
            unclipped: whether a restorer was given values outside [0, 1].
        """
        legacy = all(s.name == "awgn" for s in steps(self.degradation))
        parts = [
            f"psnr-{'luma601-as-grey' if self.luma else channels},y601",
            "ssim-gauss11-sigma1.5-valid",
            f"{self.label}-{'npseed0' if legacy else f'seed{seed}-by-path'}".replace(" ", ""),
            "in-float-unclipped" if unclipped else "in-float",
            "out-clamped-unrounded",
            *([f"crop-to-multiple-of-{self.scale}"] if self.scale > 1 else []),
            f"border{self.border}",
            "mean-of-images",
        ]
        return "/".join(parts)


def parse_condition(text: str) -> Condition:
    """``"noise:sigma=25"``, or a pipeline ``"blur:sigma=2 + noise:sigma=10"``, as a condition.

    Raises:
        UsageError: an unknown name or value, or a change of size that is not by one fixed whole scale.
    """
    # A plus is a joint only before a name, so that 1e+3 stays a number.
    parts = [part.strip() for part in re.split(r"\+(?=\s*[A-Za-z])", text)]
    if not all(parts):
        raise UsageError(f"expected a degradation, or several joined by +, got {text!r}")
    wanted = degradation(parts[0] if len(parts) == 1 else parts)
    scale = 1
    for step in steps(wanted):
        if not step.keeps_size:
            scale *= _scale_of(step)
    return Condition(wanted, scale)


def steps(wanted: Degradation | Pipeline) -> list[Degradation | Pipeline]:
    """What is joined in order: degradations, named mixtures, combinators."""
    return list(wanted.steps) if type(wanted) in (Pipeline, Compose) else [wanted]  # type: ignore[union-attr]


def _scale_of(step: Degradation | Pipeline) -> int:
    knob = step.knobs.get("scale")
    value = step.fixed.get("scale", knob.default if knob else None)
    try:
        scale = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        scale = 0.0
    if scale < 1 or scale != int(scale):
        raise UsageError(
            f"{step.label}: a bench needs one whole scale for every picture, got {value}",
            hint=f"-d {step.name}:scale=4",
        )
    return int(scale)
