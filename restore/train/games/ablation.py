"""What each part of a game is worth: short equal runs without it, several seeds, the spread beside the mean.

``python -m restore.train.games.ablation --data PHOTOGRAPHS --test CLEAN --out runs/ablation --seeds 0 1 2`` trains
every variant of the shipped recipe, and scores the averaged weights on clean pictures that were never trained on,
darkened by the simulator. Finished runs are not done again.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from restore.degradations import degradation
from restore.degradations import sample as draw
from restore.errors import RestoreError
from restore.files import find_pictures, read_picture
from restore.image import array_to_tensor, quantise
from restore.metrics import psnr, ssim
from restore.metrics.exposure import mean_luma
from restore.metrics.structure import ciede2000
from restore.models.registry import ZOO, load_file
from restore.report import Column, markdown_table
from restore.report.write import write_report
from restore.train.games.config import GameConfig
from restore.train.games.run import play_recipe
from restore.train.recipe import load_recipe

VARIANTS: dict[str, tuple[str, ...]] = {
    "whole": (),
    "without local critic": ("weights.local=0",),
    "without feature loss": ("weights.feature=0", "weights.feature_local=0"),
    "without attention": ('arch.attention="none"',),
    "without relativism": ("relativistic=false",),
}
METRICS = ("psnr", "ssim", "ciede2000", "luma")
COLUMNS = (
    Column("variant", "variant"),
    Column("psnr", "PSNR", 2, best="high"),
    Column("psnr_spread", "spread", 2),
    Column("ssim", "SSIM", 4, best="high"),
    Column("ssim_spread", "spread", 4),
    Column("ciede2000", "CIEDE2000", 2, best="low"),
    Column("ciede2000_spread", "spread", 2),
    Column("luma", "mean luma", 3),
    Column("seeds", "seeds", 0),
)


def run_ablation(
    recipe: Path,
    data: Path,
    test: Path,
    out: Path,
    *,
    seeds: Sequence[int],
    overrides: Sequence[str] = (),
    condition: str = "lowlight:severity=3",
    limit: int | None = None,
    variants: Sequence[str] = tuple(VARIANTS),
    threads: int | None = None,
    report: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Rows per variant and seed, and means with the standard deviation over seeds.

    Raises:
        ConfigError, UsageError, TrainingError: see :func:`restore.train.games.run.play_recipe`.
    """
    rows = []
    for variant in variants:
        for seed in seeds:
            where = out / f"{variant.replace(' ', '-')}-{seed}"
            config = load_recipe(GameConfig, recipe, [*overrides, *VARIANTS[variant], f"seed={seed}"])
            weights = where / "averaged.safetensors"
            if not (where / "done").exists():
                report(f"{variant}, seed {seed}")
                resume = (where / "last.pt").exists()
                play_recipe(
                    config, where, data=data, resume=resume, device="cpu", threads=threads, report=report
                )
                (where / "done").touch()
            rows.append({"variant": variant, "seed": seed, **_scores(weights, test, condition, limit)})
    return {
        "schema": 1,
        "protocol": f"{condition}, rounded to 8 bits, pictures of {test.resolve().name} never trained on; output "
        "rounded to 8 bits; spread: standard deviation over seeds",
        "overrides": list(overrides),
        "summary": [_means(rows, variant) for variant in variants],
        "rows": rows,
    }


@torch.inference_mode()
def _scores(weights: Path, test: Path, condition: str, limit: int | None) -> dict[str, float]:
    net, _ = load_file(weights)
    simulate = degradation([part.strip() for part in condition.split("+")])
    found: dict[str, list[float]] = {name: [] for name in METRICS}
    for file in find_pictures(test)[:limit]:
        clean = array_to_tensor(read_picture(test / file).pixels).expand(-1, 3, -1, -1)
        g = draw.generator(draw.child_seed(0, file.as_posix()))
        y = quantise(net(quantise(simulate(clean, generator=g)[0])))
        values = (psnr(y, clean), ssim(y, clean), ciede2000(y, clean), mean_luma(y))
        for name, value in zip(METRICS, values, strict=True):
            found[name].append(float(value))
    return {name: float(np.mean(values)) for name, values in found.items()}


def _means(rows: Sequence[dict[str, Any]], variant: str) -> dict[str, Any]:
    mine = [row for row in rows if row["variant"] == variant]
    summary: dict[str, Any] = {"variant": variant, "seeds": len(mine)}
    for name in METRICS:
        values = [row[name] for row in mine]
        summary[name] = statistics.fmean(values)
        summary[f"{name}_spread"] = statistics.stdev(values) if len(values) > 1 else float("nan")
    return summary


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains what is missing, scores everything, prints the table and saves what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m restore.train.games.ablation", description=__doc__)
    parser.add_argument("--recipe", type=Path, default=ZOO / "enlighten" / "recipe.toml")
    parser.add_argument("--data", type=Path, required=True, help="a folder of clean photographs to train on")
    parser.add_argument(
        "--test", type=Path, required=True, help="a folder of clean pictures never trained on"
    )
    parser.add_argument("--out", type=Path, required=True, help="a folder for the runs")
    parser.add_argument("--steps", type=int, default=2000, help="of every run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--variant", action="append", choices=list(VARIANTS), help="default: all")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the recipe")
    parser.add_argument("-d", "--degradation", default="lowlight:severity=3", help="of the test pictures")
    parser.add_argument("--limit", type=int, help="only the first so many test pictures")
    parser.add_argument("--threads", type=int, help="processor threads; default: all")
    parser.add_argument("--json", type=Path, help="where to save the numbers")
    parser.add_argument("--markdown", type=Path, help="where to save the table")
    given = parser.parse_args(arguments)
    overrides = [f"steps={given.steps}", f"validate_every={given.steps}", *given.set]
    try:
        found = run_ablation(
            given.recipe, given.data, given.test, given.out, seeds=given.seeds, overrides=overrides,
            condition=given.degradation, limit=given.limit, variants=given.variant or tuple(VARIANTS),
            threads=given.threads, report=lambda text: print(text, file=sys.stderr),
        )  # fmt: skip
    except RestoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    words = f"--steps {given.steps} --seeds {' '.join(map(str, given.seeds))}"
    words += "".join(f" --set {value}" for value in given.set)
    page = (
        f"{markdown_table(found['summary'], COLUMNS)}\n- `{found['protocol']}`\n\n```console\n"
        f"$ python -m restore.train.games.ablation --data {given.data.name}/ --test {given.test.name}/ "
        f"--out runs/ablation {words}\n```\n"
    )
    print(page)
    write_report(found, page, json=given.json, markdown=given.markdown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
