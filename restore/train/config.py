"""The recipe of paired training: everything that decides what a run gives, as one frozen value."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from dataclasses import field as with_default
from typing import Any

from restore.data.library import SHRINKERS
from restore.degradations import TRACEABLE
from restore.errors import RestoreError, did_you_mean
from restore.losses import loss_named
from restore.models.registry import ARCHITECTURES
from restore.train.recipe import Recipe, out_of_range
from restore.train.simulate import simulator

STEPS = ("paired", "estimate", "find", "worth")
METRICS = ("psnr", "psnr_y")


@dataclass(frozen=True)
class Config(Recipe):
    """One run of the paired trainer."""

    conditions: tuple[str, ...] = ()  # drawn parameters that the network is told (sigma)
    step: str = "paired"
    # Names, or tables such as {one_of = [...]}, in order; empty: two folders matched by name.
    degradation: tuple[Any, ...] = ()
    clean_share: float = 0.05  # samples left undegraded, so that a clean picture stays as it is
    grey_share: float = 0.0  # samples made grey before and after degradation
    stored_share: float = 0.0  # samples clipped and rounded to 8 bits after degradation, as files are
    # schedule
    crop: int = 64
    late_share: float = 0.0  # last share of the steps, on larger crops in smaller batches
    late_batch: int = 16
    late_crop: int = 96
    late_loss: str = ""
    # pictures are degraded in fields of this side, of which crops are cut (0: of the crop's own side), and a field
    # serves this many steps: for degradations that cost more than a step
    field: int = 0
    reuse: int = 1
    # crops are pictures by themselves: small ones of ``long_sides`` count as much as large ones, nothing is turned
    scenes: bool = False
    # what the network is shown and asked besides the picture
    view: str = ""  # of the whole field: lags, thumbnail:SIDE (restore.models.views)
    # degradations whose trace is the mask, to be found or, as an input, to be filled
    mask: tuple[str, ...] = ()
    mask_input: bool = False
    # weights of losses of parts of the answer
    parts: Mapping[str, float] = with_default(default_factory=dict)
    # optimiser
    loss: str = "l1"
    lr: float = 1e-3
    warmup: int = 200
    decay_share: float = 1.0  # the cosine to zero takes the last share of the steps; 1: all of them
    # the first share of the steps trains one part of the answer alone (finding comes before filling)
    first_part: str = ""
    first_share: float = 0.0
    first_lr: float = 1e-3
    clip: float = 0.5
    ema: float = 0.999
    weight_decay: float = 0.0
    precision: str = "auto"
    # pictures
    long_sides: tuple[int, ...] = (1800, 1280, 960, 640, 512)
    min_downscale: float = 1.9
    min_side: int = 160
    shrink_by: tuple[str, ...] = ("lanczos",)  # kernels that sizes and pictures take in turn
    hold_out: int = 8
    # validation and record
    validation: tuple[str, ...] = ()
    validation_crop: int = 256
    # psnr_y: of luma, without a border of the scale, as super-resolution is scored
    validation_metric: str = "psnr"
    validate_every: int = 1000

    @property
    def first_steps(self) -> int:
        """How many steps train ``first_part`` alone."""
        return round(self.steps * self.first_share)

    @property
    def scale(self) -> int:
        """Pixels of the clean picture per pixel of the degraded one along a side."""
        return int(self.arch.get("scale", 1))

    def problems(self) -> list[str]:
        """Everything that cannot be: ranges, names, sizes that do not fit each other, degradations."""
        return [*super().problems(), *_ranges(self), *_unknown_names(self), *_sizes(self), *_simulators(self)]


def _ranges(c: Config) -> list[str]:
    checks = {
        "late_batch": c.late_batch >= 1,
        "crop": c.crop >= 8,
        "late_crop": c.late_crop >= 8,
        "lr": c.lr > 0,
        "first_lr": c.first_lr > 0,
        "first_part": c.first_part in ("", "mask", "inverted") and c.first_part in ("", *c.parts),
        "first_share": 0 <= c.first_share <= 1 - c.late_share and bool(c.first_share) == bool(c.first_part),
        "warmup": c.warmup >= 0,
        "clip": c.clip > 0,
        "ema": 0 <= c.ema < 1,
        "weight_decay": c.weight_decay >= 0,
        "min_downscale": c.min_downscale >= 1,
        "shrink_by": len(c.shrink_by) > 0 and set(c.shrink_by) <= set(SHRINKERS),
        "hold_out": c.hold_out >= 1,
        "validate_every": c.validate_every >= 1,
        "validation_crop": c.validation_crop >= 16,
        "decay_share": 0 < c.decay_share <= 1,
        "field": c.field == 0 or c.field >= c.crop,
        "reuse": c.reuse >= 1,
        "scenes": not c.scenes or (c.field == 0 and c.reuse == 1),
        "mask": set(c.mask) <= set(TRACEABLE) and bool(c.mask) == _asks_for_mask(c),
        "parts": all(isinstance(w, int | float) and w > 0 for w in c.parts.values()),
    }
    for share in ("late_share", "clean_share", "grey_share", "stored_share"):
        checks[share] = 0 <= getattr(c, share) <= 1
    return out_of_range(c, checks)


def _asks_for_mask(c: Config) -> bool:
    return c.mask_input or "mask" in c.parts or c.step == "find"


def _unknown_names(c: Config) -> list[str]:
    found = []
    tables: dict[str, Collection[str]] = {
        "architecture": ARCHITECTURES,
        "step": STEPS,
        "validation_metric": METRICS,
        "precision": ("auto", "fp32", "bf16", "fp16"),
    }
    for key, table in tables.items():
        if getattr(c, key) not in table:
            found.append(f"{key}: unknown {getattr(c, key)!r} ({did_you_mean(getattr(c, key), table)})")
    for key in ("loss", "late_loss"):
        try:
            loss_named(getattr(c, key) or "l1")
        except RestoreError as error:
            found.append(f"{key}: {error.message}" + (f" ({error.hint})" if error.hint else ""))
    return found


def _sizes(c: Config) -> list[str]:
    found = []
    growth = max(c.late_crop - c.crop, 0) if c.late_share else 0
    if max(c.crop, c.field) + growth > c.min_side:
        found.append(f"min_side: {c.min_side} is smaller than the crop or the field")
    if c.scale > 1:
        late = (c.late_crop,) if c.late_share else ()
        if any(side % c.scale for side in (c.crop, c.field, *late)):
            found.append(f"crop, late_crop and field: expected multiples of the scale {c.scale}")
        if c.clean_share:
            found.append("clean_share: a picture that changes its size cannot stay as it is; expected 0")
    return found


def _simulators(c: Config) -> list[str]:
    found = []
    for items in filter(None, (c.degradation, *((v,) for v in c.validation))):
        try:
            keeps_size = simulator(items).keeps_size
        except RestoreError as error:
            text = items[0] if len(items) == 1 else list(items)
            found.append(
                f"degradation {text!r}: {error.message}" + (f" ({error.hint})" if error.hint else "")
            )
        else:
            if keeps_size != (c.scale == 1):
                found.append(f"degradation {items}: its size does not fit the network's scale {c.scale}")
    return found
