"""Chooses the simulator's shares and ranges by what a classifier trained on them does on real pictures.

Ruiz et al., "Learning to simulate", ICLR 2019. Here the simulator draws a flat pool once; other distributions q(theta)
weight its pictures (importance weights), so that an inner training takes seconds and a step of the search costs no
simulation. theta is searched by CMA-ES (Hansen and Ostermeier 2001) with common random numbers.

``python -m restore.train.diagnosis.learn_to_simulate POOL --real REAL --clean PICTURES --out FILE.json`` compares the
flat pool, ranges set by hand and learned ones: rewards on the even pictures of the real set, figures on the odd ones.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from restore.degradations.families import WIDE_FAMILIES
from restore.diagnosis.real_set import FAMILIES_OF, list_real
from restore.files import write_file
from restore.models.degradation_classifier import ENCODED
from restore.train.diagnosis.features import Features, features_of, read_features
from restore.train.diagnosis.fit import fit_head

# Mean and spread of a family's severity are searched on this scale.
_SEVERITY = (0.4, 5.0)
# No picture of the pool counts more than this many mean ones: a few would be learned by heart.
_MOST = 6.0


@dataclass(frozen=True)
class Space:
    """What theta means: one number per row, 0 is the flat pool.

    Attributes:
        names: of the numbers.
    """

    names: tuple[str, ...] = field(
        default_factory=lambda: (
            *(f"{f}.share" for f in WIDE_FAMILIES),
            *(f"{f}.wide" for f in WIDE_FAMILIES),
            *(f"{f}.severity" for f in WIDE_FAMILIES),
            "clean.share", "drawn.share", "life.share", "shrunk", "quality", "several",
        )
    )  # fmt: skip


def pool_table(factors: Sequence[Mapping[str, Any]], space: Space) -> np.ndarray:
    """``N x len(names)``: how much every number of theta raises the log weight of every picture of the pool.

    Weights are exp(table @ theta), so theta moves log shares and tilts the severities' distribution.
    """
    table = np.zeros((len(factors), len(space.names)), np.float32)
    middle, half = (_SEVERITY[0] + _SEVERITY[1]) / 2, (_SEVERITY[1] - _SEVERITY[0]) / 2
    for row, one in zip(table, factors, strict=True):
        there = [f for f in WIDE_FAMILIES if f"{f}.severity" in one]
        for family in there:
            row[space.names.index(f"{family}.share")] = 1
            wide = str(one[f"{family}.maker"]).startswith("varied")
            row[space.names.index(f"{family}.wide")] = 1 if wide else -1
            severity = (float(one[f"{family}.severity"]) - middle) / half
            row[space.names.index(f"{family}.severity")] = severity
        values = {
            "clean.share": float(not there),
            "drawn.share": float(one["drawn"]),
            "life.share": 2 * float(one["life"]) - 1,
            "shrunk": 1 - 2 * float(one.get("shrink", 1.0)),
            "quality": (float(one.get("quality", 75.0)) - 75) / 25,
            "several": float(len(there) > 1),
        }
        for name, value in values.items():
            row[space.names.index(name)] = value
    return table


def importance_weights(table: np.ndarray, theta: np.ndarray) -> Tensor:
    """Weights of mean 1 of all pictures of the pool, none above :data:`_MOST`."""
    logs = table @ theta.astype(np.float32)
    weights = np.exp(logs - logs.max())
    for _ in range(3):
        weights = np.minimum(weights / weights.mean(), _MOST)
    return torch.from_numpy((weights / weights.mean()).astype(np.float32))


def search(
    reward: Callable[[np.ndarray, int], float],
    space: Space,
    *,
    generations: int,
    population: int = 10,
    spread: float = 0.5,
    seed: int = 0,
    report: Callable[[str], None] = print,
) -> tuple[np.ndarray, list[float]]:
    """Maximises ``reward(theta, seed of the inner training)``; gives theta and the best reward of every generation.

    All candidates of a generation share a seed.

    Raises:
        UsageError: CMA-ES (PyPI ``cma``) is not installed.
    """
    from restore.errors import UsageError

    try:
        import cma
    except ImportError as error:
        raise UsageError("learning to simulate needs CMA-ES", hint="pip install cma") from error
    options = {"popsize": population, "seed": seed + 1, "bounds": [-2.0, 2.0], "verbose": -9}
    strategy = cma.CMAEvolutionStrategy(np.zeros(len(space.names)), spread, options)
    best: list[float] = []
    for generation in range(generations):
        thetas = strategy.ask()
        rewards = [reward(np.asarray(theta), seed * 1000 + generation) for theta in thetas]
        strategy.tell(thetas, [-r for r in rewards])
        best.append(max(rewards))
        report(f"generation {generation}: best {max(rewards):.3f}, mean {np.mean(rewards):.3f}")
    return np.asarray(strategy.result.xfavorite), best


# A guess at what pictures are like, set by hand before anything was searched: real pictures have had a life, simulators
# draw faults too strong, and varied makers are nearer to reality than our first ones.
BY_HAND: Mapping[str, float] = {
    **{f"{family}.wide": 0.5 for family in WIDE_FAMILIES},
    **{f"{family}.severity": -0.4 for family in WIDE_FAMILIES},
    "life.share": 0.5,
    "clean.share": 0.3,
}
_FALSE_ALARMS = 0.03
_RESAMPLES = 200
# Principal components of the encoding that an inner training sees.
_COMPONENTS = 160


@dataclass(frozen=True)
class RealFeatures:
    """Features ``N x D`` of real pictures, and of clean photographs that must not raise alarms."""

    features: Tensor
    kinds: tuple[str, ...]
    odd: np.ndarray
    clean: Tensor


def compress(encoded: Tensor, *others: Tensor) -> list[Tensor]:
    """Encodings ``N x E`` as their :data:`_COMPONENTS` principal components, of unit size; ``others`` likewise."""
    mean, scale = encoded.mean(0), encoded.std(0).clamp(min=1e-3)
    z = (encoded - mean) / scale
    _, values, basis = torch.svd_lowrank(z, q=_COMPONENTS, niter=4)
    size = values / len(z) ** 0.5
    return [((x - mean) / scale).clamp(-6, 6) @ basis / size for x in (encoded, *others)]


def inner_logits(
    pool: Features, real: RealFeatures, weights: Tensor | None, seed: int
) -> tuple[Tensor, Tensor]:
    """Trains a small head on the weighted pool; logits of the real and of the clean pictures."""
    x = torch.cat([pool.encoded, pool.measured], 1)
    fit = fit_head(
        x, pool.severities, encoded=_COMPONENTS, weights=weights, hidden=16, epochs=6, lr=3e-3, seed=seed
    )
    families = len(WIDE_FAMILIES)
    return fit(real.features)[:, :families], fit(real.clean)[:, :families]


def compressed(pool: Features, real: RealFeatures) -> tuple[Features, RealFeatures]:
    """Both with short encodings, so that an inner training takes a second."""
    sets = (pool.encoded, real.features[:, :ENCODED], real.clean[:, :ENCODED])
    short = compress(*sets)
    rest = (real.features[:, ENCODED:], real.clean[:, ENCODED:])
    return (
        replace(pool, encoded=short[0]),
        replace(real, features=torch.cat([short[1], rest[0]], 1), clean=torch.cat([short[2], rest[1]], 1)),
    )


def kind_scores(
    real_logits: Tensor, clean_logits: Tensor, real: RealFeatures, half: np.ndarray
) -> dict[str, np.ndarray]:
    """Per kind, of every picture of a half: 1 where a fitting family is above its threshold, else how far below 0."""
    families = list(WIDE_FAMILIES)
    limits = torch.quantile(clean_logits, 1 - _FALSE_ALARMS, 0)
    scores = {}
    for kind, fitting in FAMILIES_OF.items():
        columns = [families.index(f) for f in fitting]
        rows = [i for i, k in enumerate(real.kinds) if k == kind and half[i]]
        if rows:
            margin = (real_logits[rows][:, columns] - limits[columns]).amax(1).numpy()
            scores[kind] = margin
    return scores


def reward_of(margins: Mapping[str, np.ndarray], alarms: float, rng: np.random.Generator) -> float:
    """Mean over kinds of a soft recall, resampled; its mean less half its deviation, less the alarms."""
    soft = {kind: 1 / (1 + np.exp(-np.clip(m, -20, 20))) for kind, m in margins.items()}
    draws = [
        np.mean([s[rng.integers(0, len(s), len(s))].mean() for s in soft.values()]) for _ in range(_RESAMPLES)
    ]
    return float(np.mean(draws) - 0.5 * np.std(draws) - alarms)


def assess(pool: Features, real: RealFeatures, weights: Tensor | None, seed: int) -> dict[str, float]:
    """Reward on the even half; recall at 3 % false alarms and area under the curve on the odd half."""
    logits, clean = inner_logits(pool, real, weights, seed)
    ordinary = np.array([k == "ordinary" for k in real.kinds])
    limits = torch.quantile(clean, 1 - _FALSE_ALARMS, 0)
    named = (logits > limits).any(1).numpy()
    even, odd = ~real.odd, real.odd
    alarms = [float(named[ordinary & half].mean()) for half in (even, odd)]
    margins = [kind_scores(logits, clean, real, half) for half in (even, odd)]
    recalls = [float(np.mean([np.mean(m > 0) for m in part.values()])) for part in margins]
    reward = reward_of(margins[0], 0.1 * alarms[0], np.random.default_rng(seed))
    return {
        "reward even": reward, "recall even": recalls[0], "recall odd": recalls[1],
        "ordinary named even": alarms[0], "ordinary named odd": alarms[1],
    }  # fmt: skip


def read_real(folder: Path, clean: Path, *, most: int = 200) -> RealFeatures:
    """Features of a real set and of the first ``most`` pictures of a folder of clean photographs."""
    from restore.data.library import read_rgb8
    from restore.files import find_pictures

    def vector(path: Path) -> np.ndarray:
        encoded, measured = features_of(read_rgb8(path))
        return np.concatenate([encoded.astype(np.float32), measured])

    pictures = list(list_real(folder))
    features = torch.from_numpy(np.stack([vector(p.path) for p in pictures]))
    photographs = torch.from_numpy(np.stack([vector(clean / n) for n in find_pictures(clean)[:most]]))
    odd = np.array([p.number % 2 == 1 for p in pictures])
    return RealFeatures(features, tuple(p.kind for p in pictures), odd, photographs)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 0 done, 2 wrong use."""
    from restore.errors import RestoreError

    parser = argparse.ArgumentParser(
        prog="python -m restore.train.diagnosis.learn_to_simulate", description=__doc__
    )
    parser.add_argument("pool", type=Path)
    parser.add_argument("--real", type=Path, required=True)
    parser.add_argument("--clean", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--generations", type=int, default=12)
    parser.add_argument("--population", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    space = Space()
    try:
        pool, real = compressed(read_features(given.pool), read_real(given.real, given.clean))
        table = pool_table(pool.factors, space)
        by_hand = np.array([BY_HAND.get(name, 0.0) for name in space.names])
        rows: list[dict[str, Any]] = []
        for seed in range(given.seeds):

            def reward(theta: np.ndarray, inner: int) -> float:
                return assess(pool, real, importance_weights(table, theta), inner)["reward even"]

            learned, curve = search(
                reward, space, generations=given.generations, population=given.population, seed=seed
            )
            for name, theta in (("flat", None), ("by hand", by_hand), ("learned", learned)):
                weights = None if theta is None else importance_weights(table, theta)
                rows.append({"q": name, "seed": seed, **assess(pool, real, weights, 10_000 + seed)})
                print(rows[-1], flush=True)
            rows[-1] |= {
                "theta": dict(zip(space.names, np.round(learned, 3).tolist(), strict=True)),
                "curve": curve,
            }
            found = json.dumps({"pool": len(pool.factors), "rows": rows}, indent=1) + "\n"
            write_file(given.out, found.encode())
    except RestoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
