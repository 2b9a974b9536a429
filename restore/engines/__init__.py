"""What computes a network: torch, torch compiled, ONNX Runtime or OpenVINO, behind one call."""

from __future__ import annotations

from restore.engines.build import Engine, build_engine
from restore.engines.choice import ENGINES, Choice, EngineWarning, choose, installed

__all__ = ["ENGINES", "Choice", "Engine", "EngineWarning", "build_engine", "choose", "installed"]
