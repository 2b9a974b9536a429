"""Networks by name or weight file, as the restorers that fit them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from restore.engines import choose
from restore.errors import UsageError
from restore.models.deconvolve import DeconvolveNet
from restore.models.heal import HealNet
from restore.models.registry import SHIPPED, load_file, load_shipped
from restore.models.spec import ModelSpec
from restore.names import Value
from restore.restorers.guided import GuidedRestorer
from restore.restorers.healed import HealRestorer
from restore.restorers.learned import LearnedRestorer
from restore.restorers.masked import MaskedRestorer
from restore.restorers.shake import ShakeRestorer
from restore.restorers.values import check_values


def _kind(net: nn.Module, about: ModelSpec) -> type[LearnedRestorer]:
    if isinstance(net, DeconvolveNet):
        return ShakeRestorer
    if isinstance(net, HealNet):
        return HealRestorer
    return MaskedRestorer if about.mask else GuidedRestorer if about.looks else LearnedRestorer


def _about(net: Any, header: dict[str, Any]) -> ModelSpec | None:
    """The face that a weight file's header gives its network; None for one that restores nothing by itself."""
    face = getattr(net, "spec", None)
    return None if face is None else face(task=str(header["task"]), conditions=tuple(header["conditions"]))


def values_of(net: nn.Module, header: dict[str, Any]) -> tuple[str, ...]:
    """The values that a network's restorer takes: what it is told, and in how many positions it is asked."""
    about = _about(net, header)
    if about is None:
        return ()
    if isinstance(net, DeconvolveNet):
        return (*about.conditions, "search")
    return (*about.conditions, *(() if about.looks else ("turns",)))


def load_learned(
    name: str,
    *,
    device: torch.device,
    precision: str,
    engine: str,
    tile: int | None,
    values: dict[str, Value],
) -> LearnedRestorer:
    """A shipped network by name, or a weight file by path.

    Raises:
        UsageError: a value the network does not take, or a network that is no restorer.
        WeightsError: missing, damaged or foreign weights.
    """
    shipped = SHIPPED.get(name)
    net, header = load_shipped(name) if shipped else load_file(Path(name))
    about = _about(net, header)
    if about is None:
        raise UsageError(
            f"{name} holds a {header['architecture']!r} network, which restores nothing by itself"
        )
    kind = _kind(net, about)
    check_values(name, values, values_of(net, header))
    if not kind.by_engines:
        if engine not in ("auto", "torch"):
            raise UsageError(f"{name} is computed by torch only", hint="--engine torch")
        engine = "torch"
    return kind(
        name,
        net,
        about,
        sha256=str(header["sha256"]),
        description=shipped.description if shipped else f"weights of {header.get('name', name)}",
        device=device,
        header=header,
        choice=choose(
            engine,
            precision,
            device=device,
            safe=about.precisions,
            splits=hasattr(net, "residual"),
        ),
        tile=tile,
        values=values,
    )
