"""Restorers outside the package, timed in the same run: ``peer:bm3d``.

Development peers only: never a dependency, never shipped; the licence of ``bm3d`` forbids other than
non-commercial research use. Whoever wants the row installs it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from restore.bench.conditions import Condition
from restore.errors import UsageError, unknown
from restore.names import Value, parse_name

PREFIX = "peer:"
PEERS = ("bm3d",)


def load_peer(text: str, condition: Condition) -> Callable[[Tensor], Tensor]:
    """``"peer:bm3d"`` or ``"peer:bm3d:sigma=25"`` as a function of ``1 x C x H x W``.

    The noise level, in units of 255, is the condition's unless the name gives one.

    Raises:
        UsageError: an unknown peer or value, a peer that is not installed, or a noise level nobody gave.
    """
    name, values = parse_name(text.removeprefix(PREFIX))
    if name not in PEERS:
        raise unknown("peer", name, PEERS)
    extra = set(values) - {"sigma"}
    if extra:
        raise UsageError(f"{text}: unknown parameter {sorted(extra)[0]!r}", hint="known: sigma")
    try:
        module = importlib.import_module(name)
    except ImportError as problem:
        raise UsageError(
            f"{text}: the package {name!r} cannot be imported ({problem})",
            hint=f"pip install {name} (not part of restore; mind its licence)",
        ) from None
    return _bm3d(module, _sigma(values, condition) / 255)


def _sigma(values: Mapping[str, Value], condition: Condition) -> float:
    value = values.get("sigma", "known")
    return float(condition.known("sigma") if value == "known" else value)


def _bm3d(module: Any, sigma: float) -> Callable[[Tensor], Tensor]:
    """Colour through ``bm3d_rgb``, which denoises in an opponent colour space; grey through ``bm3d``."""

    def restore(x: Tensor) -> Tensor:
        noisy = x[0].permute(1, 2, 0).double().cpu().numpy()
        out = module.bm3d_rgb(noisy, sigma) if noisy.shape[2] == 3 else module.bm3d(noisy[:, :, 0], sigma)
        return torch.from_numpy(out.reshape(noisy.shape)).permute(2, 0, 1)[None].to(x)

    return restore
