"""What happens to pictures: simulated, drawn per sample, replayable (see ``base`` for the contract)."""

from restore.degradations.base import Degradation
from restore.degradations.combine import Compose, Maybe, OneOf, Repeat, Shuffle
from restore.degradations.params import Params
from restore.degradations.pipeline import Pipeline
from restore.degradations.presets import degradation, mixtures, names
from restore.degradations.psf_trace import psf_trace
from restore.degradations.trace import TRACEABLE, trace

__all__ = [
    "TRACEABLE",
    "Compose",
    "Degradation",
    "Maybe",
    "OneOf",
    "Params",
    "Pipeline",
    "Repeat",
    "Shuffle",
    "degradation",
    "mixtures",
    "names",
    "psf_trace",
    "trace",
]
