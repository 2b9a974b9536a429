"""Networks as restorers: shipped ones and anybody's weight files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from restore.engines import Choice, choose
from restore.errors import UsageError
from restore.models.registry import SHIPPED, ZOO, load_file, load_shipped
from restore.models.spec import ModelSpec
from restore.models.survey import place_of
from restore.names import Value, format_name
from restore.restorers.base import Restorer
from restore.restorers.computed import Computed
from restore.restorers.noise import damp_clean, look_for_noise, shipped_estimator
from restore.restorers.spec import RestorerSpec
from restore.restorers.turns import COUNTS, mean_of_turns
from restore.runtime import autocast, pick_precision
from restore.tiling import Read, window_side


class LearnedRestorer(Restorer):
    """A network that takes a picture and, where its header says so, the picture's noise level.

    ``sigma`` (in units of 255) is estimated from the picture where it is not given. ``turns`` (1, 2, 4 or 8) is how
    many positions of the picture are restored and averaged, see :func:`restore.restorers.turns.mean_of_turns`.
    """

    def __init__(
        self,
        name: str,
        net: nn.Module,
        about: ModelSpec,
        *,
        sha256: str,
        description: str,
        header: dict[str, Any],
        device: torch.device,
        choice: Choice,
        tile: int | None,
        values: dict[str, Value],
    ) -> None:
        precision = choice.precision
        self.header, self.placed = header, about.placed
        self.choice = choice
        spec = RestorerSpec(
            task=about.task,
            kind="learned",
            description=description,
            scale=about.scale,
            engine=choice.engine,
            radius=about.radius,
            multiple=about.multiple,
            takes=about.conditions,
            precision=precision,
            mask=about.mask,
        )
        self.sigma = float(values["sigma"]) / 255 if "sigma" in values else None
        self.turns = int(values.get("turns", 1))
        self.blind = "sigma" in spec.takes and self.sigma is None
        parts = [sha256, sorted(values.items()), precision]
        if choice.engine != "torch":
            parts.append(choice.engine)
        if self.blind:
            parts.append(shipped_estimator(device)[1])
        fingerprint = hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
        super().__init__(
            format_name(name, values),
            spec,
            fingerprint=fingerprint,
            device=device,
            tile=window_side(about.tiling, tile or about.window or None),
        )
        self.net = net.to(device).to(memory_format=torch.channels_last)
        self._compute = Computed(
            self.net,
            choice,
            device,
            conditions=len(spec.takes),
            scale=spec.scale,
            check=not hasattr(net, "residual"),  # nobody made it for engines
        )
        self.sha256 = sha256
        self.shipped = name in SHIPPED

    @property
    def identity(self) -> str:
        """The SHA-256 of the weights: intervals belong to them, whatever values are given."""
        return self.sha256

    @property
    def calibration_file(self) -> Path | None:
        """``intervals.json`` beside the card; a restorer that turns pictures errs less, and has its own."""
        own = f"intervals-turns{self.turns}.json" if self.turns > 1 else "intervals.json"
        name = self.name.partition(":")[0]
        folder = ZOO / name if self.shipped else Path(name).parent
        return folder / own

    def look(self, read: Read, height: int, width: int) -> Tensor | None:
        """``B x 1``: sigma in units of [0, 1] as given or as estimated; None for a network that is told nothing."""
        if self.blind:
            return damp_clean(
                look_for_noise(read, height, width, device=self.device, precision=self.spec.precision)
            )[:, None]
        if self.sigma is None:
            return None
        return torch.full((read(0, 1, 0, 1).shape[0], 1), self.sigma, device=self.device)

    def restore_window(self, x: Tensor, seen: Any, *, exact: bool = False) -> Tensor:
        if seen is not None and not bool((told := seen.view(len(x), -1).amax(1) > 0).all()):
            # Where there is no noise it is the picture itself, bit for bit, and costs nothing.
            kept = x.clone()
            if bool(told.any()):
                kept[told] = self.restore_window(x[told], seen[told], exact=exact).to(kept.dtype)
            return kept
        rgb = x.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)

        def network(turned: Tensor) -> Tensor:
            return self._compute(turned, seen, exact=exact)

        y = mean_of_turns(network, rgb, count=self.turns, multiple=self.spec.multiple, scale=self.spec.scale)
        return y if x.shape[1] == 3 else y.mean(1, keepdim=True)


class GuidedRestorer(LearnedRestorer):
    """A network that looks at the whole picture once and tells its windows what it saw."""

    def look(self, read: Read, height: int, width: int) -> Tensor:
        """What the network says of the whole picture, ``B x N``; the same for all windows."""
        net: Any = self.net
        return net.look(net.read_view(read, height, width))

    def beside(self, read: Read, seen: Any, height: int, width: int) -> Read:
        """For a network that asks for it: windows with the place of every pixel behind their colours."""
        if not self.placed:
            return read

        def both(top: int, bottom: int, left: int, right: int) -> Tensor:
            x = read(top, bottom, left, right)
            return torch.cat([x, place_of(x, top=top, left=left, height=height, width=width).to(x)], 1)

        return both

    def restore_window(self, x: Tensor, seen: Any, *, exact: bool = False) -> Tensor:
        picture, place = (x[:, :-2], x[:, -2:]) if self.placed else (x, x[:, :0])
        given = torch.cat([picture.expand(-1, 3, -1, -1), place], 1)
        given = given.contiguous(memory_format=torch.channels_last)
        with autocast(self.device, "fp32" if exact else self.spec.precision):
            y = self.net(given, seen)
        return y if picture.shape[1] == 3 else y.mean(1, keepdim=True)


class MaskedRestorer(LearnedRestorer):
    """A network that fills what a mask, the last channel of its windows, says is missing."""

    def look(self, read: Read, height: int, width: int) -> None:
        return None

    def restore_window(self, x: Tensor, seen: Any, *, exact: bool = False) -> Tensor:
        picture, mask = x[:, :-1], x[:, -1:]
        if not bool(mask.any()):
            return picture.clone()
        both = torch.cat([picture.expand(-1, 3, -1, -1), mask], 1)
        both = both.contiguous(memory_format=torch.channels_last)
        with autocast(self.device, "fp32" if exact else self.spec.precision):
            y = mean_of_turns(self.net, both, count=self.turns, multiple=self.spec.multiple, scale=1)
        y = y if picture.shape[1] == 3 else y.mean(1, keepdim=True)
        return torch.where(mask > 0, y, picture)  # what is known stays, bit for bit


def _kind(about: ModelSpec) -> type[LearnedRestorer]:
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
    kind = _kind(about)
    check_values(name, values, values_of(net, header))
    if kind is not LearnedRestorer:  # the engines hand over a picture and numbers, nothing else
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
            usual=pick_precision(precision, device, safe=about.precisions),
            device=device,
            splits=hasattr(net, "residual"),
        ),
        tile=tile,
        values=values,
    )


def check_values(name: str, values: dict[str, Value], takes: tuple[str, ...]) -> None:
    """Refuses values a restorer does not take.

    Raises:
        UsageError: an unknown value, a sigma outside 0 to 255, or a number of turns that there is not.
    """
    for key, value in values.items():
        if key not in takes:
            raise UsageError(f"{name} takes no {key!r}", hint=f"it takes {', '.join(takes) or 'no values'}")
        if key == "sigma" and (isinstance(value, bool | str) or not 0 <= value <= 255):
            raise UsageError(f"{name}: expected sigma from 0 to 255, got {value!r}")
        if key == "turns" and (isinstance(value, bool) or value not in COUNTS):
            raise UsageError(f"{name}: expected 1, 2, 4 or 8 turns, got {value!r}")
