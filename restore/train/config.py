"""A recipe: everything that decides what a training run gives, as one frozen value."""

from __future__ import annotations

import dataclasses
import tomllib
import typing
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as with_default
from pathlib import Path
from typing import Any

from restore.degradations import TRACEABLE
from restore.errors import ConfigError, RestoreError, did_you_mean
from restore.losses import loss_named
from restore.models.registry import ARCHITECTURES
from restore.train.simulate import simulator

STEPS = ("paired", "estimate", "findings")
METRICS = ("psnr", "psnr_y")


@dataclass(frozen=True)
class Config:
    """One run. ``batch`` is the whole batch: several processes share it, so the result does not depend on them."""

    name: str
    task: str
    architecture: str
    arch: Mapping[str, Any] = with_default(default_factory=dict)
    conditions: tuple[str, ...] = ()  # drawn parameters that the network is told (sigma)
    step: str = "paired"
    # Names, or tables such as {one_of = [...]}, in order; empty: two folders matched by name.
    degradation: tuple[Any, ...] = ()
    clean_share: float = 0.05  # samples left undegraded, so that a clean picture stays as it is
    grey_share: float = 0.0  # samples made grey before and after degradation
    stored_share: float = 0.0  # samples clipped and rounded to 8 bits after degradation, as files are
    # schedule
    seed: int = 0
    steps: int = 20_000
    batch: int = 32
    crop: int = 64
    late_share: float = 0.0  # last share of the steps, on larger crops in smaller batches
    late_batch: int = 16
    late_crop: int = 96
    late_loss: str = ""
    # pictures are degraded in fields of this side, of which crops are cut (0: of the crop's own side), and a field
    # serves this many steps: for degradations that cost more than a step
    field: int = 0
    reuse: int = 1
    # what the network is shown and asked besides the picture
    view: int = 0  # side of the thumbnail of the whole field; 0: none
    mask: tuple[
        str, ...
    ] = ()  # degradations whose trace is the mask, to be found or, as an input, to be filled
    mask_input: bool = False
    parts: Mapping[str, float] = with_default(
        default_factory=dict
    )  # weights of losses of parts of the answer
    # optimiser
    loss: str = "l1"
    lr: float = 1e-3
    warmup: int = 200
    decay_share: float = 1.0  # the cosine to zero takes the last share of the steps; 1: all of them
    clip: float = 0.5
    ema: float = 0.999
    betas: tuple[float, ...] = (0.9, 0.99)
    weight_decay: float = 0.0
    precision: str = "auto"
    # pictures
    long_sides: tuple[int, ...] = (1800, 1280, 960, 640, 512)
    min_downscale: float = 1.9
    min_side: int = 160
    hold_out: int = 8
    # validation and record
    validation: tuple[str, ...] = ()
    validation_crop: int = 256
    validation_metric: str = (
        "psnr"  # psnr_y: of luma, without a border of the scale, as super-resolution is scored
    )
    validate_every: int = 1000
    log_every: int = 50
    licence: str = "Apache-2.0"
    training_data: str = ""

    @property
    def scale(self) -> int:
        """Pixels of the clean picture per pixel of the degraded one along a side."""
        return int(self.arch.get("scale", 1))


def load_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Reads ``recipe.toml`` and applies ``key=value`` overrides (``arch.widths=[24,48]`` reaches into a table).

    Raises:
        ConfigError: every problem found, one a line: unknown keys, wrong types, values out of range.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the recipe {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    problems = [problem for text in overrides if (problem := override(values, text))]
    return make_config(values, problems)


def make_config(values: Mapping[str, Any], problems: Sequence[str] = ()) -> Config:
    """A checked :class:`Config` from plain values; see :func:`load_config` for errors."""
    known, wrong = checked_values(Config, values)
    found = [*problems, *wrong]
    if not required_keys(Config) - set(known):
        config = Config(**known)
        found += _range_problems(config)
        if not found:
            return config
    raise ConfigError("the recipe has problems:\n" + "\n".join(f"  - {p}" for p in found))


def checked_values(kind: type, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The values that fit the fields of the dataclass ``kind``, and what is wrong with the others."""
    found = []
    hints = typing.get_type_hints(kind)
    known: dict[str, Any] = {}
    for key, value in values.items():
        if key not in hints:
            found.append(f"unknown key {key!r} ({did_you_mean(key, hints)})")
            continue
        try:
            known[key] = _as_type(value, hints[key])
        except TypeError as error:
            found.append(f"{key}: {error}")
    return known, found + [f"missing key {key!r}" for key in sorted(required_keys(kind) - set(values))]


def required_keys(kind: type) -> set[str]:
    """The fields of a dataclass that have no default."""
    return {
        f.name
        for f in dataclasses.fields(kind)
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    }


def to_dict(config: Config) -> dict[str, Any]:
    """Plain JSON-able values."""
    return dataclasses.asdict(config)


def override(values: dict[str, Any], text: str) -> str | None:
    """Sets ``key=value`` in ``values`` (``arch.widths=[24,48]`` reaches into a table); what is wrong, or None."""
    key, equals, value = text.partition("=")
    if not equals:
        return f"--set expects key=value, got {text!r}"
    *path, last = key.strip().split(".")
    table = values
    for part in path:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            return f"--set {text}: {part!r} is not a table"
    try:
        table[last] = tomllib.loads(f"v = {value}")["v"]
    except tomllib.TOMLDecodeError:
        table[last] = value
    return None


def _as_type(value: Any, kind: Any) -> Any:
    origin = typing.get_origin(kind)
    if origin is tuple:
        item = typing.get_args(kind)[0]
        items = value if isinstance(value, list | tuple) else [value]
        return tuple(_as_type(v, item) for v in items)
    if origin is not None and isinstance(value, Mapping):
        return dict(value)
    if kind is Any:
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    expected = kind if isinstance(kind, type) else dict
    if not isinstance(value, expected) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"expected {expected.__name__}, got {value!r}")
    return value


def _range_problems(c: Config) -> list[str]:
    checks = {
        "steps": c.steps >= 1,
        "batch": c.batch >= 1,
        "late_batch": c.late_batch >= 1,
        "crop": c.crop >= 8,
        "late_crop": c.late_crop >= 8,
        "lr": c.lr > 0,
        "warmup": c.warmup >= 0,
        "clip": c.clip > 0,
        "ema": 0 <= c.ema < 1,
        "betas": len(c.betas) == 2 and all(0 <= b < 1 for b in c.betas),
        "weight_decay": c.weight_decay >= 0,
        "min_downscale": c.min_downscale >= 1,
        "hold_out": c.hold_out >= 1,
        "validate_every": c.validate_every >= 1,
        "log_every": c.log_every >= 1,
        "validation_crop": c.validation_crop >= 16,
        "decay_share": 0 < c.decay_share <= 1,
        "field": c.field == 0 or c.field >= c.crop,
        "reuse": c.reuse >= 1,
        "view": c.view >= 0,
        "mask": set(c.mask) <= set(TRACEABLE) and bool(c.mask) == (c.mask_input or "mask" in c.parts),
        "parts": all(isinstance(w, int | float) and w > 0 for w in c.parts.values()),
    }
    for share in ("late_share", "clean_share", "grey_share", "stored_share"):
        checks[share] = 0 <= getattr(c, share) <= 1
    found = [f"{key}: {getattr(c, key)!r} is out of range" for key, good in checks.items() if not good]
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
    growth = max(c.late_crop - c.crop, 0) if c.late_share else 0
    if max(c.crop, c.field) + growth > c.min_side:
        found.append(f"min_side: {c.min_side} is smaller than the crop or the field")
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
    if c.scale > 1:
        late = (c.late_crop,) if c.late_share else ()
        if any(side % c.scale for side in (c.crop, c.field, *late)):
            found.append(f"crop, late_crop and field: expected multiples of the scale {c.scale}")
        if c.clean_share:
            found.append("clean_share: a picture that changes its size cannot stay as it is; expected 0")
    return found
