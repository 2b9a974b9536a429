"""A recipe: everything that decides what a training run gives, as one frozen value."""

from __future__ import annotations

import dataclasses
import tomllib
import typing
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from restore.degradations import degradation
from restore.errors import ConfigError, RestoreError, did_you_mean
from restore.losses import TABLE as LOSSES
from restore.models.registry import ARCHITECTURES

STEPS = ("paired", "estimate")


@dataclass(frozen=True)
class Config:
    """One run. ``batch`` is the whole batch: several processes share it, so the result does not depend on them."""

    name: str
    task: str
    architecture: str
    arch: Mapping[str, Any] = field(default_factory=dict)
    conditions: tuple[str, ...] = ()  # drawn parameters that the network is told (sigma)
    step: str = "paired"
    degradation: tuple[str, ...] = ()  # empty: two folders matched by name
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
    validate_every: int = 1000
    log_every: int = 50
    licence: str = "Apache-2.0"
    training_data: str = ""


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
    problems = [problem for text in overrides if (problem := _override(values, text))]
    return make_config(values, problems)


def make_config(values: Mapping[str, Any], problems: Sequence[str] = ()) -> Config:
    """A checked :class:`Config` from plain values; see :func:`load_config` for errors."""
    found = list(problems)
    hints = typing.get_type_hints(Config)
    known: dict[str, Any] = {}
    for key, value in values.items():
        if key not in hints:
            found.append(f"unknown key {key!r} ({did_you_mean(key, hints)})")
            continue
        try:
            known[key] = _as_type(value, hints[key])
        except TypeError as error:
            found.append(f"{key}: {error}")
    required = {
        f.name
        for f in dataclasses.fields(Config)
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    }
    found += [f"missing key {key!r}" for key in sorted(required - set(values))]
    if not required - set(known):
        config = Config(**known)
        found += _range_problems(config)
        if not found:
            return config
    raise ConfigError("the recipe has problems:\n" + "\n".join(f"  - {p}" for p in found))


def to_dict(config: Config) -> dict[str, Any]:
    """Plain JSON-able values."""
    return dataclasses.asdict(config)


def _override(values: dict[str, Any], text: str) -> str | None:
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
    }
    for share in ("late_share", "clean_share", "grey_share", "stored_share"):
        checks[share] = 0 <= getattr(c, share) <= 1
    found = [f"{key}: {getattr(c, key)!r} is out of range" for key, good in checks.items() if not good]
    tables: dict[str, Collection[str]] = {
        "architecture": ARCHITECTURES,
        "loss": LOSSES,
        "step": STEPS,
        "precision": ("auto", "fp32", "bf16", "fp16"),
    }
    if c.late_loss:
        tables["late_loss"] = LOSSES
    for key, table in tables.items():
        if getattr(c, key) not in table:
            found.append(f"{key}: unknown {getattr(c, key)!r} ({did_you_mean(getattr(c, key), table)})")
    if max(c.crop, c.late_crop if c.late_share else 0) > c.min_side:
        found.append(f"min_side: {c.min_side} is smaller than the crop")
    for spec in (*c.degradation, *c.validation):
        try:
            degradation([part.strip() for part in spec.split("+")])
        except RestoreError as error:
            found.append(
                f"degradation {spec!r}: {error.message}" + (f" ({error.hint})" if error.hint else "")
            )
    return found
