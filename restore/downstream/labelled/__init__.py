"""Labelled pictures: embedded, from files, or anybody's dataset, and their disjoint splits."""

from restore.downstream.labelled.base import Labelled, Splits, split
from restore.downstream.labelled.digits import digits

__all__ = ["Labelled", "Splits", "digits", "split"]
