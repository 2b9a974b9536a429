"""What may be given with a name: the ends of every range, taken and refused, as they are written down here."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_stylegan_train import tiny as tiny_generator
from test_train import tiny

from restore.errors import ConfigError, UsageError
from restore.restorers.methods import METHODS_TABLE
from restore.restorers.solvers import SOLVERS

INF = float("inf")
# Lowest and highest value taken, and whether only whole numbers are.
RANGES = {
    ("bm3d", "stages"): (1, 2, True), ("tv", "weight"): (0, INF, False), ("tv", "iterations"): (1, INF, True),
    ("tikhonov", "weight"): (0, INF, False), ("sliding-dct", "block"): (2, 64, True),
    ("sliding-dct", "step"): (1, 64, True), ("sliding-dct", "threshold"): (0, INF, False),
    ("wavelet", "moments"): (1, 10, True), ("wavelet", "levels"): (1, 8, True), ("wavelet", "shifts"): (1, 8, True),
    ("ksvd", "step"): (1, 8, True), ("bilateral", "spread"): (0.1, 20, False),
    ("bilateral", "contrast"): (0.1, INF, False), ("median", "size"): (1, 31, True),
    ("richardson-lucy", "iterations"): (1, 1000, True), ("richardson-lucy", "tv"): (0, 0.1, False),
    ("hyper-laplacian", "power"): (0.3, 1, False), ("blind-deblur", "size"): (3, 255, True),
    ("blind-deblur", "agreement"): (0, 1, False), ("gamma", "gamma"): (0.01, 10, False),
    ("clahe", "clip"): (0.1, INF, False), ("clahe", "tiles"): (1, 64, True), ("lime", "gamma"): (0, 1, False),
    ("dcp", "radius"): (0, 100, True), ("dcp", "omega"): (0, 1, False), ("white-balance", "alpha"): (0, 2, False),
    ("fusion", "alpha"): (0, 2, False), ("directional", "angle"): (-90, 90, False),
    ("reapplication", "quality"): (1, 100, True), ("reapplication", "shifts"): (1, 8, True),
    ("telea", "radius"): (1, 100, False), ("navier-stokes", "radius"): (1, 100, False),
    ("back-projection", "iterations"): (0, 1000, True), ("bicubic", "bits"): (0, 16, True),
}  # fmt: skip
SOLVER_RANGES = {
    ("pnp", "steps"): (1, 1000, True), ("pnp", "start"): (0.5, 255, False), ("pnp", "fresh"): (0, 1, False),
    ("tv-inverse", "iterations"): (1, INF, True), ("dip", "iterations"): (1, INF, True),
    ("dip", "seed"): (0, INF, True), ("telea", "radius"): (1, 100, False),
}  # fmt: skip


@pytest.mark.parametrize("table", ["methods", "solvers"])
def test_ranges_are_taken_to_their_ends_and_no_further(table: str) -> None:
    options = {
        "methods": {(n, k): o for n, m in METHODS_TABLE.items() for k, o in m.options.items()},
        "solvers": {(n, k): o for n, m in SOLVERS.items() for k, o in m.options.items()},
    }[table]
    for (name, key), (low, high, whole) in (RANGES if table == "methods" else SOLVER_RANGES).items():
        option = options[name, key]
        middle = low + 1 if high == INF else (low + high) / 2
        taken = [low, *([high] if high < INF else [10**6]), round(middle) if whole else middle]
        refused = [low - (1 if whole else 1e-3), *([high + (1 if whole else 1e-3)] if high < INF else [])]
        refused += [low + 0.5] if whole and low + 0.5 < high else []
        for value in taken:
            option.check(name, key, value)
        for value in [*refused, "much", True]:
            with pytest.raises(UsageError, match=key):
                option.check(name, key, value)


# Recipes: what is just allowed, and what is just not.
ALLOWED = {
    "ema": (0, 0.999), "clean_share": (0, 1), "grey_share": (0, 1), "stored_share": (0, 1), "late_share": (0, 1),
}  # fmt: skip
REFUSED = {
    "ema": (-0.001, 1), "clean_share": (-0.01, 1.01), "grey_share": (-0.01, 1.01), "stored_share": (-0.01, 1.01),
    "late_share": (-0.01, 1.01), "batch": (0,), "steps": (0,), "lr": (0.0, -1.0), "hold_out": (-1,),
}  # fmt: skip


def test_recipes_are_taken_to_the_ends_of_their_ranges() -> None:
    for key, values in ALLOWED.items():
        for value in values:
            assert getattr(tiny(**{key: value}), key) == value
    for key, values in REFUSED.items():
        for value in values:
            with pytest.raises(ConfigError, match=key):
                tiny(**{key: value})


def test_a_generators_optimisers_are_corrected_for_regularisers_that_are_seldom_due() -> None:
    """Karras et al. 2020: a step of both in k + 1 takes lr and betas to the power of k / (k + 1)."""
    import torch

    from restore.train.generators.run import new_duel

    cpu = torch.device("cpu")
    config = tiny_generator(lr=0.002, lr_discriminator=0.003, betas=[0.5, 0.99], r1_every=4, path_every=9)

    def groups(c) -> dict[str, tuple[float, ...]]:  # type: ignore[no-untyped-def]
        held = {k: o.param_groups[0] for k, o in new_duel(c, cpu).optimizers.items()}
        return {k: (g["lr"], *g["betas"]) for k, g in held.items()}

    found = groups(config)
    assert found["discriminator"] == pytest.approx((0.003 * 0.8, 0.5**0.8, 0.99**0.8))
    assert found["generator"] == pytest.approx((0.002 * 0.9, 0.5**0.9, 0.99**0.9))
    plain = groups(replace(config, r1=0.0, path=0.0))
    assert plain["discriminator"] == pytest.approx((0.003, 0.5, 0.99))
    assert plain["generator"] == pytest.approx((0.002, 0.5, 0.99))
