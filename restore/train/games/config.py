"""The recipe of a game: what an ordinary recipe says, and the critics, the features and the terms of the loss."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from restore.errors import RestoreError, did_you_mean
from restore.models.critic import PatchCritic
from restore.models.features import FEATURES
from restore.train.config import Config
from restore.train.recipe import out_of_range

# Terms of the generator's loss by step, with the published weights.
TERMS: dict[str, dict[str, float]] = {
    "unpaired": {"global": 1.0, "local": 1.0, "feature": 1.0, "feature_local": 1.0},
    # The two critics are averaged: half of the released 0.001 each.
    "paired-adversarial": {"content": 0.5, "perceptual": 0.006, "full": 0.0005, "patch": 0.0005},
    "curves": {"spatial": 1.0, "exposure": 10.0, "colour": 5.0, "smooth": 200.0},
}
# What may be asked for besides; off unless a recipe gives a weight.
EXTRA_TERMS: dict[str, tuple[str, ...]] = {"unpaired": ("exposure", "colour", "smooth", "calm", "identity")}
CRITICS = {"unpaired": ("global", "local"), "paired-adversarial": ("full", "patch"), "curves": ()}


@dataclass(frozen=True)
class GameConfig(Config):
    """One adversarial (or reference-free) run."""

    step: str = "unpaired"
    critics: Mapping[str, Any] = field(default_factory=dict)  # {global = {n_layers = 5, ndf = 64}}
    critic_lr: float = 0.0  # 0: as the generator's
    relativistic: bool = True  # false: plain least squares everywhere (for the ablation)
    weights: Mapping[str, Any] = field(default_factory=dict)  # of terms; those not named: the published one
    features: str = "efficientnet-lite0-s8"
    feature_weights: str = ""  # file of VGG weights; empty: torch's cache
    patch: int = 32
    patches: int = 6
    jitter_share: float = 0.5  # inputs darkened before the network, while the features' target is not
    jitter: tuple[float, ...] = (2.0, 4.0)  # divisors
    exposure_level: float = 0.6
    calm_sigma: float = 0.08  # largest noise of the term "calm", in units of [0, 1]
    sheets: int = 6  # held-out pictures on each sample sheet
    # usual values of games
    lr: float = 1e-4
    betas: tuple[float, ...] = (0.5, 0.999)
    warmup: int = 0
    decay_share: float = 0.5  # linear to zero over the last share of the steps
    clip: float = 10.0
    log_every: int = 20
    validate_every: int = 500

    def weight(self, term: str) -> float:
        """The weight of a term of the generator's loss; 0: it is not computed."""
        return float(self.weights.get(term, TERMS[self.step].get(term, 0.0)))

    def problems(self) -> list[str]:
        """Everything that cannot be: what every recipe says, critics, terms, patches and features."""
        if self.step not in TERMS:
            return [f"step: unknown {self.step!r} ({did_you_mean(self.step, TERMS)})"]
        # A game's step is no step of an ordinary recipe; the checks of everything else are the same.
        found = Config.problems(dataclasses.replace(self, step="paired"))
        known = (*TERMS[self.step], *EXTRA_TERMS.get(self.step, ()))
        for name, value in self.weights.items():
            if name not in known:
                found.append(f"weights: unknown term {name!r} ({did_you_mean(name, known)})")
            elif isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
                found.append(f"weights.{name}: expected a number of 0 or more, got {value!r}")
        if self.arch.get("refine") and self.step == "unpaired" and self.weight("calm") == 0:
            found.append(
                "weights.calm: nothing else teaches the part that takes the noise away (arch.refine)"
            )
        for name, knobs in self.critics.items():
            if name not in CRITICS[self.step]:
                found.append(
                    f"critics: unknown critic {name!r} (known: {', '.join(CRITICS[self.step]) or 'none'})"
                )
                continue
            try:
                PatchCritic(**knobs)
            except (TypeError, ValueError) as error:
                found.append(f"critics.{name}: {error}")
        if self.features not in FEATURES:
            found.append(f"features: unknown {self.features!r} ({did_you_mean(self.features, FEATURES)})")
        checks = {
            "patch": 8 <= self.patch <= self.crop,
            "patches": self.patches >= 1,
            "jitter_share": 0 <= self.jitter_share <= 1,
            "jitter": len(self.jitter) == 2 and 1 <= self.jitter[0] <= self.jitter[1],
            "critic_lr": self.critic_lr >= 0,
            "exposure_level": 0 < self.exposure_level < 1,
            "calm_sigma": 0 <= self.calm_sigma <= 1,
            "sheets": self.sheets >= 0,
        }
        return found + out_of_range(self, checks)


def build_critics(config: GameConfig) -> dict[str, PatchCritic]:
    """The critics whose term has a weight.

    Raises:
        RestoreError: a term with a weight whose critic the recipe does not describe.
    """
    wanted = [name for name in CRITICS[config.step] if config.weight(name) > 0]
    missing = [name for name in wanted if name not in config.critics]
    if missing:
        raise RestoreError(
            f"the recipe gives no critic for {', '.join(missing)}",
            hint=f"[critics.{missing[0]}] with n_layers and ndf, or weights.{missing[0]} = 0",
        )
    return {name: PatchCritic(**config.critics[name]) for name in wanted}
