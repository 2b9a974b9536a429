"""Any classifier behind one face."""

from restore.downstream.classifiers.adapter import Classifier
from restore.downstream.classifiers.load import load_classifier

__all__ = ["Classifier", "load_classifier"]
