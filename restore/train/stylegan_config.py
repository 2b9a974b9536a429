"""The recipe of a generator: everything that decides what an adversarial run gives."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from restore.errors import ConfigError
from restore.train.config import checked_values, override, required_keys
from restore.train.diffaugment import POLICIES

AUGMENTATIONS = ("none", "diffaugment", "ada")


@dataclass(frozen=True)
class GeneratorConfig:
    """One run; constants of Karras et al. 2020 (both papers) unless the recipe says otherwise."""

    name: str
    task: str = "generate"
    step: str = "stylegan"
    architecture: str = "stylegan2"
    arch: Mapping[str, Any] = field(default_factory=dict)  # of both networks: resolution, channels, widths
    generator: Mapping[str, Any] = field(
        default_factory=dict
    )  # of the generator alone: z_dim, mapping_layers
    discriminator: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    steps: int = 100_000
    batch: int = 32
    lr: float = 2e-3
    lr_discriminator: float = 2e-3
    betas: tuple[float, ...] = (0.0, 0.99)
    r1: float = 0.5  # gamma; the weight is gamma / 2
    r1_every: int = 16
    path: float = 2.0  # weight of the path length penalty; 0: none
    path_every: int = 4
    path_decay: float = 0.01
    path_shrink: int = 2  # it is computed on batch / this many
    mixing: float = 0.9  # probability of style mixing
    ema_images: float = 10_000  # half-life of the averaged generator, in pictures
    ema_ramp: float = 0.05  # young averages: at most this share of the pictures seen
    mirror: bool = False  # real pictures mirrored at random
    augment: str = "none"
    policies: tuple[str, ...] = ("colour", "translation", "cutout")
    ada_target: float = 0.6
    ada_images: float = 500_000
    ada_every: int = 4
    distance_images: int = 5000
    measure_steps: int = 1500  # of the classifier whose features measure the distance
    snapshot_every: int = 2000
    log_every: int = 100
    licence: str = "Apache-2.0"
    training_data: str = ""


def is_generator_recipe(path: Path) -> bool:
    """Whether ``recipe.toml`` is one of these; False for what cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")).get("step") == "stylegan"
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return False


def load_generator_config(path: Path, overrides: Sequence[str] = ()) -> GeneratorConfig:
    """Reads the recipe and applies ``key=value`` overrides.

    Raises:
        ConfigError: every problem found, one a line.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the recipe {path}: {error}") from error
    problems = [problem for text in overrides if (problem := override(values, text))]
    return make_generator_config(values, problems)


def make_generator_config(values: Mapping[str, Any], problems: Sequence[str] = ()) -> GeneratorConfig:
    """A checked recipe from plain values; see :func:`load_generator_config` for errors."""
    known, wrong = checked_values(GeneratorConfig, values)
    found = [*problems, *wrong]
    if not required_keys(GeneratorConfig) - set(known):
        config = GeneratorConfig(**known)
        found += _range_problems(config)
        if not found:
            return config
    raise ConfigError("the recipe has problems:\n" + "\n".join(f"  - {p}" for p in found))


def to_plain(config: GeneratorConfig) -> dict[str, Any]:
    """JSON-able values."""
    return dataclasses.asdict(config)


def _range_problems(c: GeneratorConfig) -> list[str]:
    counts = ["steps", "batch", "path_shrink", "distance_images", "measure_steps"]
    periods = ["r1_every", "path_every", "ada_every", "snapshot_every", "log_every"]
    checks = {key: getattr(c, key) >= 1 for key in (*counts, *periods)}
    checks |= {key: getattr(c, key) > 0 for key in ("lr", "lr_discriminator", "ema_images", "ada_images")}
    checks |= {key: getattr(c, key) >= 0 for key in ("r1", "path", "ema_ramp")}
    checks |= {key: 0 <= getattr(c, key) <= 1 for key in ("mixing", "path_decay", "ada_target")}
    checks["betas"] = len(c.betas) == 2 and all(0 <= b < 1 for b in c.betas)
    checks["augment"] = c.augment in AUGMENTATIONS
    checks["policies"] = all(p in POLICIES for p in c.policies)
    checks["batch"] = c.batch % c.path_shrink == 0 and c.batch >= 1
    return [f"{key}: {getattr(c, key)!r} is out of range" for key, good in checks.items() if not good]
