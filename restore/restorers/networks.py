"""Networks by name or weight file, as the restorers that fit them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from restore.engines import choose
from restore.errors import RestoreError, UsageError, WeightsError
from restore.models.deconvolve import DeconvolveNet
from restore.models.heal import HealNet
from restore.models.registry import SHIPPED, load_file, load_shipped
from restore.models.spec import ModelSpec
from restore.models.weights import first_line
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


def _about(net: Any, header: dict[str, Any], where: str) -> ModelSpec | None:
    """The face that a weight file's header gives its network; None for one that restores nothing by itself."""
    face = getattr(net, "spec", None)
    if face is None:
        return None
    task: Any = header.get("task")
    conditions: Any = header.get("conditions")
    names = [task, *conditions] if isinstance(conditions, list | tuple) else [None]
    if not all(isinstance(name, str) and re.fullmatch(r"[a-z][a-z0-9-]{0,31}", name) for name in names):
        raise WeightsError(
            f"{where}: expected a task and the names of conditions in the header, got {str(task)[:40]!r} and "
            f"{str(conditions)[:40]!r}",
            hint="only weights saved by `restore train` say what they do",
        )
    return cast(ModelSpec, face(task=task, conditions=tuple(conditions)))


def _try_out(restorer: LearnedRestorer, path: str) -> None:
    """Restores a small picture, because a header may fit the weights and still not say what the network takes.

    Raises:
        WeightsError: whatever the network makes of it, if it is not a picture.
    """
    x = torch.linspace(0, 1, 3 * 64 * 64, device=restorer.device).view(1, 3, 64, 64)
    side = 64 * restorer.spec.scale
    if restorer.spec.mask:  # it is told the places to fill with every picture
        return
    try:
        with torch.no_grad():
            y = restorer.restore_whole(x, exact=True)
        if tuple(y.shape) != (1, 3, side, side):
            raise ValueError(f"it makes {tuple(y.shape)} of a picture of 64 x 64")
    except RestoreError:
        raise
    except Exception as error:  # anything can go wrong in a network that was put together by hand
        raise WeightsError(
            f"{path}: its network does not compute a picture ({first_line(error)})",
            hint="the header names other conditions, or another configuration, than it was trained with",
        ) from error


def values_of(net: nn.Module, header: dict[str, Any], where: str = "the weights") -> tuple[str, ...]:
    """The values that a network's restorer takes: what it is told, and in how many positions it is asked."""
    about = _about(net, header, where)
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
    about = _about(net, header, name)
    if about is None:
        raise UsageError(
            f"{name} holds a {header['architecture']!r} network, which restores nothing by itself"
        )
    kind = _kind(net, about)
    check_values(name, values, values_of(net, header, name))
    if not kind.by_engines:
        if engine not in ("auto", "torch"):
            raise UsageError(f"{name} is computed by torch only", hint="--engine torch")
        engine = "torch"
    made = kind(
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
    if not shipped:
        _try_out(made, name)
    return made
