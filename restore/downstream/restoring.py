"""Anything that restores, as a function from a batch to a batch in [0, 1]."""

from __future__ import annotations

import hashlib
import importlib
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from restore import restorers
from restore.errors import RestoreError, UsageError

Function = Callable[[Tensor], Tensor]


class Restoring:
    """A named restorer under judgement.

    Args:
        name: as it is reported.
        function: ``B x C x H x W`` in [0, 1] to the same, or to another size; run without gradients, its result is
            clamped to [0, 1].
        fingerprint: changes when the result may.
    """

    def __init__(self, name: str, function: Function, *, fingerprint: str, parameters: int = 0) -> None:
        self.name, self.function, self.fingerprint = name, function, fingerprint
        self.parameters = parameters
        self.seconds = 0.0
        self.pictures = 0

    def module(self) -> Function:
        """What gradients can pass through, where there is such a thing; else the function itself."""
        as_module = getattr(self.function, "as_module", None)
        return as_module() if as_module is not None else self.function

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        """The restored batch, clamped.

        Raises:
            RestoreError: a result that is no batch of pictures, or not finite.
        """
        start = time.perf_counter()
        y = self.function(x)
        self.seconds += time.perf_counter() - start
        self.pictures += len(x)
        if not isinstance(y, Tensor) or y.ndim != 4 or y.shape[:2] != x.shape[:2]:
            got = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
            raise RestoreError(f"{self.name}: expected a batch like {tuple(x.shape)} back, got {got}")
        if not bool(torch.isfinite(y).all()):
            raise RestoreError(f"{self.name}: the restored pictures are not finite")
        return y.float().clamp(0, 1)


def load_restoring(
    name: str | tuple[str, Function], *, device: str = "auto", precision: str = "auto"
) -> Restoring:
    """A restorer by name, ``module:function``, a chain ``denoise + clahe``, or (name, callable).

    A function is called with ``B x C x H x W`` in [0, 1]; one that gives a module when called without arguments is
    not guessed at: name the module itself.

    Raises:
        UsageError: an unknown name.
    """
    if not isinstance(name, str):
        label, function = name
        return Restoring(label, function, fingerprint=f"callable {label}", parameters=_parameters(function))
    parts = [part.strip() for part in name.split(" + ")] if " + " in name else [name]
    chain = [_one(part, device, precision) for part in parts]
    if len(chain) == 1:
        return chain[0]

    def through(x: Tensor) -> Tensor:
        for one in chain:
            x = one(x)
        return x

    mark = hashlib.sha256("/".join(c.fingerprint for c in chain).encode()).hexdigest()[:16]
    return Restoring(
        " + ".join(parts), through, fingerprint=mark, parameters=sum(c.parameters for c in chain)
    )


def _one(name: str, device: str, precision: str) -> Restoring:
    module, _, function = name.partition(":")
    if function and "=" not in function and module not in restorers.names():
        try:
            found = getattr(importlib.import_module(module), function)
        except (ImportError, AttributeError) as error:
            raise UsageError(
                f"cannot find {name}: {error}", hint="a restorer's name, or module:function on PYTHONPATH"
            ) from None
        return Restoring(name, found, fingerprint=name, parameters=_parameters(found))
    loaded = restorers.load(name, device=device, precision=precision)
    return Restoring(name, loaded, fingerprint=loaded.fingerprint, parameters=_parameters(loaded))


def _parameters(thing: Any) -> int:
    net = thing if isinstance(thing, nn.Module) else getattr(thing, "net", None)
    return sum(p.numel() for p in net.parameters()) if isinstance(net, nn.Module) else 0
