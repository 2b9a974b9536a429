"""A second opinion on damage, drops and haze, of the networks that find them for their restorers."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class SecondOpinion:
    """How much of a picture must surely be covered before that says anything.

    Args:
        pixel: how likely a pixel must be covered to count; 0: every pixel counts as much as it is covered.
        alone: the share of the picture from which on it is believed whatever the first look said.
        agreed: a smaller share that will do where the first look suspects it.
        severity_3: the share that severity 3 leaves, in the middle of photographs.
        decides: without it the first look may suspect, but nothing is done.
    """

    alone: float
    agreed: float
    severity_3: float
    pixel: float = 0.0
    decides: bool = False

    def share(self, likely: Tensor) -> float:
        """How much of the picture is covered, from 0 to 1."""
        return float(((likely > self.pixel) if self.pixel else likely).float().mean())

    def judge(self, likely: Tensor, *, suspected: bool = False) -> tuple[float, float]:
        """How sure it is that something is there (.9 and more, or 0), and how severe it is, 0 to 5.

        Little of it says nothing (0, 0): leaves, wires and letters are taken for scratches too.
        """
        share = self.share(likely)
        enough = self.agreed if suspected else self.alone
        return (
            (1 - 0.1 * enough / share, min(5.0, 3 * share / self.severity_3))
            if share >= enough
            else (0.0, 0.0)
        )
