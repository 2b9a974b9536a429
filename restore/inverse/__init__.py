"""Solvers of y = A x + noise for a known linear A: an operator, a prior and a solver."""

from restore.inverse.deep_image_prior import deep_image_prior
from restore.inverse.known import Known, Observation, open_known
from restore.inverse.plug_and_play import Denoiser, plug_and_play
from restore.inverse.solution import Solution, data_consistency
from restore.inverse.total_variation import total_variation

__all__ = [
    "Denoiser",
    "Known",
    "Observation",
    "Solution",
    "data_consistency",
    "deep_image_prior",
    "open_known",
    "plug_and_play",
    "total_variation",
]
