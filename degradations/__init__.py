"""What happens to pictures: simulated, drawn per sample, replayable (see ``base`` for the contract)."""

from restore.degradations.base import Degradation, Params
from restore.degradations.pipeline import Pipeline
from restore.degradations.presets import degradation, names

__all__ = ["Degradation", "Params", "Pipeline", "degradation", "names"]
