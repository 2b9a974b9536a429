"""Inversion of generators: y = A G(latents) + noise, by SPHInX and by what it was compared with."""

from restore.inverse.gan.diagnostics import diagnose
from restore.inverse.gan.fit import Inverter
from restore.inverse.gan.inversion import Inversion
from restore.inverse.gan.methods import METHODS, method_named
from restore.inverse.gan.statistics import CodeStatistics, code_statistics

__all__ = [
    "METHODS",
    "CodeStatistics",
    "Inversion",
    "Inverter",
    "code_statistics",
    "diagnose",
    "method_named",
]
