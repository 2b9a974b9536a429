"""Restorers on degradations that our simulator did not make: streaks, a ramp of haze, darkness, kornia's motion.

``python -m restore.bench.tables.foreign --data PICTURES --markdown FILE``: the makers below are simpler than ours and
share no code with them; what they make trained nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from restore.bench.run import list_pictures
from restore.bench.score import read_clean
from restore.errors import RestoreError
from restore.report import Column, markdown_table
from restore.report.environment import environment
from restore.report.write import write_report
from restore.restorers import load

Maker = Callable[[np.ndarray, np.random.Generator], np.ndarray]
HARMED = -0.1


def make_streaks(c: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Streaks without a veil: 1.5 % of the pixels smeared along 21 px within 20 degrees of the vertical, laid over."""
    seeds = (rng.random(c.shape[:2]) < 0.015).astype(np.float32)
    turn, kernel = np.radians(rng.uniform(-20, 20)), np.zeros((21, 21), np.float32)
    for t in np.linspace(-10, 10, 81):
        kernel[round(10 + t * np.cos(turn)), round(10 + t * np.sin(turn))] = 1
    smeared = cv2.GaussianBlur(cv2.filter2D(seeds, -1, kernel / kernel.sum()), (0, 0), 0.6)
    s = np.minimum(4 * smeared, 0.7)[..., None]
    return c + 0.9 * s * (1 - c)


def make_haze(c: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Haze over a vertical ramp of depth with smooth noise, beta 1, airlight .85."""
    height, width = c.shape[:2]
    small = rng.normal(0, 0.25, (4, 4)).astype(np.float32)
    rough = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    depth = np.clip(np.linspace(1.8, 0.3, height)[:, None] + rough, 0.05, None)
    t = np.exp(-depth)[..., None]
    return c * t + 0.85 * (1 - t)


def make_darkness(c: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A tenth of the light, Poisson with 3,000 electrons, read noise of 8e-4."""
    light = np.clip(c, 0, 1) ** 2.2 / 10
    noisy = rng.poisson(3000 * light) / 3000 + rng.normal(0, 8e-4, c.shape)
    return np.clip(noisy, 0, 1) ** (1 / 2.2)


def make_motion(c: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """kornia's ``motion_blur`` of 11 px in any direction.

    Raises:
        UsageError: kornia is not installed.
    """
    from restore.errors import UsageError

    try:
        from kornia.filters import motion_blur
    except ImportError as error:
        raise UsageError("this row needs kornia", hint="pip install kornia") from error
    x = torch.from_numpy(c).permute(2, 0, 1)[None].float()
    return motion_blur(x, 11, float(rng.uniform(0, 360)), 0.0)[0].permute(1, 2, 0).numpy()


ROWS: tuple[tuple[str, Maker, tuple[str, ...]], ...] = (
    ("streaks without a veil", make_streaks, ("derain", "desnow")),
    ("haze over a ramp", make_haze, ("dehaze", "dcp")),
    ("a tenth of the light", make_darkness, ("lowlight", "enlighten", "gamma")),
    ("motion of 11 px (kornia)", make_motion, ("deblur", "blind-deblur")),
)


def measure(data: Path, *, limit: int | None, tell: Callable[[str], None]) -> list[dict[str, Any]]:
    """One row per maker and restorer: mean PSNR before and after, and how many pictures got worse by .1 dB."""
    root, files, _ = list_pictures(data, limit)
    table = []
    for name, make, restorers in ROWS:
        pairs = []
        for number, file in enumerate(files):
            clean = read_clean(root / file)[1][0].permute(1, 2, 0).numpy()
            made = make(clean.astype(np.float32), np.random.default_rng((7, number)))
            pairs.append((clean, np.floor(np.clip(made, 0, 1) * 255 + 0.5).astype(np.uint8)))
        before = [_psnr(y / 255.0, c) for c, y in pairs]
        for restorer in (*restorers, "auto"):
            net = load(restorer, device="cpu")
            after = [_psnr(np.asarray(net(y)) / 255.0, c) for c, y in pairs]
            gains = np.array(after) - before
            table.append(
                {
                    "maker": name, "restorer": restorer, "before": float(np.mean(before)),
                    "after": float(np.mean(after)), "gain": float(gains.mean()), "worst": float(gains.min()),
                    "worse": int((gains < HARMED).sum()), "pictures": len(pairs),
                }
            )  # fmt: skip
            tell(f"{name}: {restorer} {gains.mean():+.2f} dB")
    return table


def _psnr(a: np.ndarray, b: np.ndarray) -> float:
    return 10 * float(np.log10(1 / max(float(((a - b) ** 2).mean()), 1e-10)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints and saves; 0 whatever was found."""
    parser = argparse.ArgumentParser(prog="python -m restore.bench.tables.foreign", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="clean pictures")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args(arguments)
    try:
        table = measure(
            given.data, limit=given.limit, tell=lambda text: print(text, file=sys.stderr, flush=True)
        )
        made = environment(device="cpu")
        columns = (
            Column("maker", "degraded by"), Column("restorer", "restorer"), Column("before", "PSNR before", 2),
            Column("after", "after", 2), Column("gain", "gain dB", 2), Column("worst", "worst dB", 2),
            Column("worse", "worse", 0), Column("pictures", "pictures", 0),
        )  # fmt: skip
        page = f"""# Degradations that our simulator did not make

{table[0]["pictures"]} pictures of {given.data.name}; 8-bit RGB, PSNR in dB, "worse" by more than .1 dB. The makers are
in `restore/bench/tables/foreign.py`; none of them trained or chose anything.

```console
$ python -m restore.bench.tables.foreign --data {given.data.name}/{f" --limit {given.limit}" if given.limit else ""}
```

restore {made["restore"]} ({made["commit"]}), {made["processor"]}, {made["date"]}.

{markdown_table(table, columns)}"""
        print(page)
        write_report(
            {"schema": 1, "table": table, "environment": made}, page, json=given.json, markdown=given.markdown
        )
    except RestoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
