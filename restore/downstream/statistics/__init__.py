"""Tests, bounds and resampling for paired decisions; no picture is seen here."""

from restore.downstream.statistics.bootstrap import interval, resample_counts
from restore.downstream.statistics.bounds import clopper_pearson, upper_bound
from restore.downstream.statistics.paired import holm, mcnemar
from restore.downstream.statistics.power import pictures_needed

__all__ = [
    "clopper_pearson",
    "holm",
    "interval",
    "mcnemar",
    "pictures_needed",
    "resample_counts",
    "upper_bound",
]
