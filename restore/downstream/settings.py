"""What a judgement is asked to do, as one frozen value, and the profiles it starts from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from restore.downstream.verdict import Limits
from restore.errors import unknown

# Simple filters that any restorer should beat; the best on the tune pictures is the arm.
CHEAP = ("median:size=3", "gamma", "clahe")


@dataclass(frozen=True)
class Settings:
    """One run.

    Args:
        profile: "full" or "smoke"; stamped on the result.
        corruptions, severities: see :func:`restore.downstream.suite.suite`.
        tune, certify, test, fit: pictures of each part; a float below 1 is a share; 0 tests on all that is left.
        degrade_at: "input" or "native", see :class:`restore.downstream.passes.Passes`.
        cheap: restorers among which the cheap arm is chosen.
        resamples: of the bootstrap.
        null_draws: simulations of the calibration floor.
        detector: whose laundering the verdict looks at.
        detectors: those that are run besides the four of the logits; they are fitted on the fit part.
        attacks: pictures attacked through the whole chain; 0: none.
        smoothing: draws per picture of the smoothing certificate that goes with the attacks.
        foreign: pictures of none of the classes; None: pieces of the packaged photographs.
        waived: clauses that may stay open.
        rows: per-picture rows in the JSON up to this many; above it they stay in the work folder.
        gallery: pictures of each kind shown on the page.
        jobs: processes that share the cells; changes no number.
    """

    profile: str = "full"
    corruptions: tuple[str, ...] = ("common",)
    severities: tuple[float, ...] = (1, 2, 3, 4, 5)
    tune: int | float = 0.2
    certify: int | float = 0.2
    test: int | float = 0
    fit: int | float = 0
    degrade_at: str = "input"
    cheap: tuple[str, ...] = CHEAP
    resamples: int = 2000
    null_draws: int = 200
    detector: str = "energy"
    detectors: tuple[str, ...] = ()
    attacks: int = 0
    smoothing: int = 1000
    foreign: str | None = None
    foreign_count: int = 200
    limits: Limits = field(default_factory=Limits)
    waived: tuple[str, ...] = ()
    seed: int = 0
    batch: int = 64
    gate: bool = True
    rows: int = 50_000
    gallery: int = 16
    jobs: int = 1


PROFILES: dict[str, Settings] = {
    "full": Settings(),
    # Small enough for a minute on two cores. Five points instead of half a point and two: a few hundred pictures
    # cannot show less.
    "smoke": Settings(
        profile="smoke",
        corruptions=("smoke",),
        severities=(3, 5),
        tune=150,
        certify=150,
        test=400,
        cheap=("median:size=3",),
        resamples=1000,
        foreign_count=96,
        limits=Limits(clean_tax=0.05, laundering=0.05, harm_budget=0.05),
    ),
}


def profile(name: str, **changes: Any) -> Settings:
    """The settings of a profile with changes; values that are None change nothing.

    Raises:
        UsageError: an unknown profile.
    """
    if name not in PROFILES:
        raise unknown("profile", name, PROFILES)
    return replace(PROFILES[name], **{k: v for k, v in changes.items() if v is not None})
