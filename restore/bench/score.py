"""One picture under one condition: degraded once, restored by everyone, scored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from restore.bench.conditions import Condition
from restore.bench.contenders import Contender
from restore.bench.looks import Look
from restore.bench.measure import Cost, run_measured
from restore.bench.save import Saver
from restore.errors import ImageError, RestoreError
from restore.files import Picture, read_picture
from restore.image import array_to_tensor
from restore.metrics import psnr, psnr_y, ssim, ssim_y
from restore.report import Comparison

SCORES = {"psnr": psnr, "psnr_y": psnr_y, "ssim": ssim, "ssim_y": ssim_y}


@dataclass
class Entry:
    """One condition with everyone who takes part in it; ``unclipped``: values outside [0, 1] were seen."""

    condition: Condition
    contenders: list[Contender]
    unclipped: bool = False


@dataclass
class Tally:
    """What grows while the pictures go by."""

    seed: int
    rows: list[dict[str, Any]] = field(default_factory=list)
    failures: list[dict[str, str]] = field(default_factory=list)
    looks: list[Comparison] = field(default_factory=list)
    channels: set[int] = field(default_factory=set)
    pictures: int = 0


def read_clean(path: Path) -> tuple[Picture, Tensor]:
    """A picture and its pixels ``1 x C x H x W`` in [0, 1], float32.

    Raises:
        ImageError: unreadable, CMYK, or floating values outside [0, 1].
    """
    picture = read_picture(path)
    if picture.black is not None:
        raise ImageError("CMYK has no RGB to score", hint="convert it to RGB first")
    clean = array_to_tensor(picture.pixels)
    if not bool(((clean >= 0) & (clean <= 1)).all()):
        raise ImageError("expected values in [0, 1] for a reference", hint="scale the picture first")
    return picture, clean


def score_picture(
    tally: Tally,
    entry: Entry,
    file: Path,
    picture: Picture,
    clean: Tensor,
    *,
    saver: Saver | None = None,
    look_at: bool = False,
    tell: Callable[[str], None] = lambda label: None,
) -> None:
    """Adds a row per contender to ``tally``, or a failure; nothing a contender does ends the bench.

    Args:
        file: the picture's path below the folder; seeds its generator.
        clean: its pixels, ``1 x C x H x W``.
        saver: writes what was made.
        look_at: keeps a crop of it.
        tell: called with a contender's label when it is done.
    """
    condition, image = entry.condition, file.as_posix()
    about = {"image": image, "degradation": condition.label}
    try:
        reference = condition.reference(clean)
        degraded = condition.degrade(reference, seed=tally.seed, image=image)
    except RestoreError as error:
        tally.failures.append({**about, "model": "any", "error": error.message})
        for contender in entry.contenders:
            tell(contender.label)
        return
    entry.unclipped |= bool(((degraded < 0) | (degraded > 1)).any())
    look = Look(reference, degraded, condition.scale) if look_at else None
    for contender in entry.contenders:
        try:
            if contender.needs_mask:
                contender.mask = condition.mask(reference, seed=tally.seed, image=image)
            restored, cost = restore_checked(contender, degraded, reference)
        except RestoreError as error:
            tally.failures.append({**about, "model": contender.label, "error": error.message})
        else:
            scores = score(restored, reference, border=condition.border)
            size = {"height": reference.shape[-2], "width": reference.shape[-1]}
            row = {"image": image, "model": contender.label, "degradation": condition.label, **scores}
            # The starting row is no work of anybody's.
            row["seconds"] = cost.seconds if contender.is_work else None
            row["cpu_seconds"] = cost.cpu_seconds if contender.is_work else None
            tally.rows.append({**row, "megapixels": size["height"] * size["width"] / 1e6, **size})
            if saver is not None:
                saver.write(condition.label, contender.label, file, picture, restored)
            if look is not None:
                look.add(f"{contender.label}  {row['psnr']:.2f} dB", restored)
        tell(contender.label)
    if look is not None:
        tally.looks.append(look.comparison(f"{image}, {condition.label}"))


def restore_checked(contender: Contender, degraded: Tensor, reference: Tensor) -> tuple[Tensor, Cost]:
    """What ``contender`` makes of ``degraded``, clamped to [0, 1], on the CPU, and what it cost.

    Raises:
        ImageError: it failed, or gave another shape than the reference's, or a value that is not finite.
    """
    try:
        # A copy for everyone: who writes into the input must not change what the next one gets.
        out, cost = run_measured(contender, degraded.clone())
    except RestoreError:
        raise
    except Exception as error:
        # Anybody's function may raise anything, and hours of other results are not to be lost with it.
        raise ImageError(f"{contender.label} raised {type(error).__name__}: {error}") from error
    if not isinstance(out, Tensor) or out.shape != reference.shape:
        got = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
        raise ImageError(f"expected {tuple(reference.shape)} from {contender.label}, got {got}")
    if not bool(torch.isfinite(out).all()):
        raise ImageError(f"{contender.label} gave NaN or infinity")
    return out.detach().cpu().float().clamp(0, 1), cost


def score(restored: Tensor, reference: Tensor, *, border: int) -> dict[str, Any]:
    """Every metric of one picture (``1 x C x H x W``) by name."""
    return {name: float(metric(restored, reference, border=border)) for name, metric in SCORES.items()}
