"""The two sides of an unpaired game: two folders, or the two halves of one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from restore.data.crops import centre_crop
from restore.data.library import Library, open_library
from restore.degradations import sample as draw
from restore.errors import UsageError
from restore.files import find_pictures
from restore.image import quantise
from restore.train.games.config import GameConfig
from restore.train.simulate import simulator
from restore.train.sources import open_photographs

# A held-out picture as it comes, and as it should look where that is known.
Held = tuple[Tensor, Tensor | None]


@dataclass(frozen=True)
class Sides:
    """Pictures ``H x W x 3`` uint8 of both sides, held-out low ones, and a hash of everything that was offered.

    ``is_simulated``: the low ones are clean pictures that the recipe's degradation is to make low.
    """

    low: list[np.ndarray]
    normal: list[np.ndarray]
    held: list[Held]
    manifest: str
    is_simulated: bool


def open_sides(
    config: GameConfig,
    *,
    data: Path | None,
    low: Path | None,
    normal: Path | None,
    report: Callable[[str], None],
) -> Sides:
    """Reads both sides.

    With ``data``, its pictures are split by a hash of their names into two halves that share none: the recipe's
    degradation makes one half low. With ``low`` (and, unless the game is played without, ``normal``), the pictures
    are used at the size and with the light they have.

    Raises:
        UsageError: neither or both kinds of source, no degradation for one folder, or nothing usable.
    """
    needs_normal = config.step == "unpaired"
    if (data is None) == (low is None) or (data is not None and normal is not None):
        raise UsageError("expected either --data FOLDER, or --low FOLDER" + " --normal FOLDER" * needs_normal)
    if data is not None:
        return _halves(config, data, report=report)
    assert low is not None
    if needs_normal and normal is None:
        raise UsageError(
            "an unpaired game needs well-lit pictures too", hint="--normal FOLDER: any good photographs"
        )
    lows = _as_they_are(config, low, hold_out=config.hold_out, report=report)
    normals = _as_they_are(config, normal, hold_out=0, report=report).train if normal is not None else []
    held: list[Held] = [(centre_crop(p, config.validation_crop), None) for p in lows.held_out]
    folders = [folder for folder in (low, normal) if folder is not None]
    return Sides(lows.train, normals, held, manifest_of(*folders), is_simulated=False)


def _halves(config: GameConfig, data: Path, *, report: Callable[[str], None]) -> Sides:
    if not config.degradation:
        raise UsageError(
            "one folder needs a recipe with a degradation that makes half of it low",
            hint='--low DARK --normal BRIGHT, or --set degradation=["lowlight"]',
        )

    def half(name: Path) -> int:
        return hashlib.sha256(name.as_posix().encode("utf-8", "surrogateescape")).digest()[-1] & 1

    def side(number: int, hold_out: int) -> Library:
        return open_photographs(
            config, data, hold_out=hold_out, keep=lambda name: half(name) == number, report=report
        )

    low = side(0, config.hold_out)
    normals = side(1, 0).train if config.step == "unpaired" else []
    held: list[Held] = [(quantise(y), clean) for y, clean in _simulated(low.held_out, config)]
    return Sides(low.train, normals, held, manifest_of(data), is_simulated=True)


def _as_they_are(
    config: GameConfig, folder: Path, *, hold_out: int, report: Callable[[str], None]
) -> Library:
    return open_library(folder, long_sides=(), min_side=config.crop, hold_out=hold_out, report=report)


def manifest_of(*folders: Path) -> str:
    """A hash of the names and bytes of every picture in ``folders``: says what a network has seen."""
    digest = hashlib.blake2b(digest_size=16)
    for folder in folders:
        for name in find_pictures(folder):
            content = hashlib.blake2b((folder / name).read_bytes(), digest_size=16).hexdigest()
            digest.update(f"{name.as_posix()} {content}\n".encode("utf-8", "surrogateescape"))
    return f"blake2b:{digest.hexdigest()}"


def held_pairs(pictures: list[np.ndarray], config: GameConfig) -> list[Held]:
    """Held-out pictures of a paired library: degraded as the recipe says, or pairs ``H x W x 6``."""
    if pictures and pictures[0].shape[2] == 6:
        both = [centre_crop(p, config.validation_crop) for p in pictures]
        return [(x[:, 3:], x[:, :3]) for x in both]
    return list(_simulated(pictures, config))


def _simulated(pictures: list[np.ndarray], config: GameConfig) -> Iterator[tuple[Tensor, Tensor]]:
    """The middle of every picture (degraded, clean), always the same."""
    simulate = simulator(config.degradation)
    for i, picture in enumerate(pictures):
        clean = centre_crop(picture, config.validation_crop)
        g = draw.generator(draw.child_seed(0, "held out", i))
        yield simulate(clean, generator=g)[0], clean


def to_device(held: list[Held], device: torch.device) -> list[Held]:
    """The same on ``device``."""
    return [(x.to(device), None if y is None else y.to(device)) for x, y in held]
