"""Which engine and which arithmetic: what was asked for, what is installed, and what was measured to be fast."""

from __future__ import annotations

import importlib.util
import warnings
from dataclasses import dataclass

import torch

from restore.errors import UsageError, unknown
from restore.runtime import pick_precision

# Packages an engine needs, and the extra that brings them.
NEEDS = {
    "torch": (),
    "compile": (),
    "onnxruntime": ("onnxruntime", "onnx"),
    "openvino": ("openvino", "onnx"),
}
ENGINES = ("auto", *NEEDS)
ARITHMETIC = {
    "torch": ("fp32", "bf16", "fp16"),
    "compile": ("fp32", "bf16", "fp16"),
    "onnxruntime": ("fp32",),
    "openvino": ("fp32", "bf16"),
}
# Fastest first on CPUs, as measured (restore/bench/results/engines.md). `compile` stands in neither row: what it
# gains over torch is less than the minute that it takes to compile, unless a run is long, and then one may ask for it.
FASTEST = (
    ("openvino", "bf16"),
    ("torch", "bf16"),
    ("openvino", "fp32"),
    ("onnxruntime", "fp32"),
    ("torch", "fp32"),
)


class EngineWarning(UserWarning):
    """An engine that was asked for is not to be had, and another one computes."""


@dataclass(frozen=True)
class Choice:
    """An engine and its arithmetic; ``asked``: somebody named the engine and is told when another one computes."""

    engine: str
    precision: str
    asked: bool = False


def installed(engine: str) -> bool:
    """Whether the packages of an engine are there."""
    return all(importlib.util.find_spec(name) is not None for name in NEEDS[engine])


def choose(
    engine: str,
    precision: str,
    *,
    device: torch.device,
    safe: tuple[str, ...] = ("fp32", "bf16", "fp16"),
    splits: bool = True,
) -> Choice:
    """The engine and the precision that a call means.

    ``auto`` takes the fastest pair that is installed, safe and fits the other one; on CUDA that is torch. An engine
    whose package is missing is replaced by ``auto`` with an :class:`EngineWarning`.

    Args:
        engine: one of ``ENGINES``.
        precision: as it was asked for, ``auto`` or one of ``restore.runtime.PRECISIONS``.
        safe: precisions that the network bears.
        splits: whether the network can be computed without its skip; bf16 outside torch needs that, because there
            the picture itself would be rounded.

    Raises:
        UsageError: an unknown name, an unsafe precision, or an engine that cannot compute on the device or in that
            precision.
    """
    usual = pick_precision(precision, device, safe=safe)
    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)
    if engine != "auto" and not installed(engine):
        warnings.warn(
            f"engine {engine} needs {' and '.join(NEEDS[engine])}, which are not installed: the fastest one that is "
            f"there computes instead (pip install 'restore-kit[{engine}]')",
            EngineWarning,
            stacklevel=2,
        )
        engine = "auto"
    if device.type == "cuda":
        if NEEDS.get(engine):
            raise UsageError(f"engine {engine} computes on the CPU", hint="--device cpu, or --engine torch")
        return Choice("torch", usual) if engine == "auto" else Choice(engine, usual, asked=True)
    if engine == "auto":
        return _fastest(usual, precision, splits=splits)
    if usual in ARITHMETIC[engine] and (usual == "fp32" or splits or not NEEDS[engine]):
        return Choice(engine, usual, asked=True)
    if precision != "auto":
        what = "this network" if usual in ARITHMETIC[engine] else "it"
        raise UsageError(f"engine {engine} cannot compute {what} in {precision}", hint="--precision fp32")
    return Choice(engine, "fp32", asked=True)


def _fastest(usual: str, asked: str, *, splits: bool) -> Choice:
    """The first row of ``FASTEST`` that fits; ``usual`` is the precision that the processor is good at."""
    for engine, precision in FASTEST:
        fits = precision == usual if asked != "auto" else precision in ("fp32", usual)
        if fits and installed(engine) and (precision == "fp32" or splits or not NEEDS[engine]):
            return Choice(engine, precision)
    return Choice("torch", usual)
