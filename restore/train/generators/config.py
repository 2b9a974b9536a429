"""The recipe of a generator: everything that decides what an adversarial run gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from restore.train.generators.diffaugment import POLICIES
from restore.train.recipe import Recipe, out_of_range

STEP = "stylegan"
AUGMENTATIONS = ("none", "diffaugment", "ada")


@dataclass(frozen=True)
class GeneratorConfig(Recipe):
    """One run; constants of Karras et al. 2020 (both papers) unless the recipe says otherwise."""

    task: str = "generate"
    architecture: str = "stylegan2"  # ``arch`` is of both networks: resolution, channels, widths
    step: str = STEP
    generator: Mapping[str, Any] = field(default_factory=dict)  # of it alone: z_dim, mapping_layers
    discriminator: Mapping[str, Any] = field(default_factory=dict)
    steps: int = 100_000
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
    discriminator_first: int = 0  # steps of the discriminator alone, for a generator that has learnt (--init)
    mirror: bool = False  # real pictures mirrored at random
    augment: str = "none"
    policies: tuple[str, ...] = ("colour", "translation", "cutout")
    ada_target: float = 0.6
    ada_images: float = 500_000
    ada_every: int = 4
    distance_images: int = 5000
    measure_steps: int = 1500  # of the classifier whose features measure the distance
    snapshot_every: int = 2000
    precision: str = "fp32"  # of convolutions; R1 is always of float32
    log_every: int = 100

    def problems(self) -> list[str]:
        """Everything that cannot be."""
        c = self
        counts = ["path_shrink", "distance_images", "measure_steps"]
        periods = ["r1_every", "path_every", "ada_every", "snapshot_every"]
        checks = {key: getattr(c, key) >= 1 for key in (*counts, *periods)}
        checks |= {key: getattr(c, key) > 0 for key in ("lr", "lr_discriminator", "ema_images", "ada_images")}
        checks |= {key: getattr(c, key) >= 0 for key in ("r1", "path", "ema_ramp", "discriminator_first")}
        checks |= {key: 0 <= getattr(c, key) <= 1 for key in ("mixing", "path_decay", "ada_target")}
        checks["precision"] = c.precision in ("auto", "fp32", "bf16")
        checks["augment"] = c.augment in AUGMENTATIONS
        checks["policies"] = all(p in POLICIES for p in c.policies)
        checks["batch"] = c.path_shrink >= 1 and c.batch % c.path_shrink == 0
        return [*super().problems(), *out_of_range(c, checks)]
