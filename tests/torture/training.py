"""Kills a small training at random moments, resumes it, and compares with one that nobody disturbed, bit for bit.

PYTHONPATH=tests python -m torture.training KILLS SEED
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import torch

import restore
from torture.kills import wait

RECIPE = {
    "name": "small", "task": "denoise", "architecture": "resunet", "arch": {"widths": [8, 8], "blocks": [1, 1]},
    "conditions": ["sigma"], "degradation": ["noise:sigma=0..50"], "batch": 4, "crop": 32, "grey_share": 0.3,
    "clean_share": 0.2, "precision": "fp32", "long_sides": [], "min_side": 64, "hold_out": 1,
    "validation": ["noise:sigma=25"], "validation_crop": 64, "validate_every": 4, "log_every": 2,
}  # fmt: skip
# What differs between two runs of the same thing.
CLOCK = ("images_per_second", "data_share", "seconds")


def start(out: Path, *, steps: int) -> int:
    """A child that trains, from ``last.pt`` on where there is one."""
    child = os.fork()
    if child == 0:
        code = 3
        try:
            from restore.train.config import Config
            from restore.train.recipe import make_recipe
            from restore.train.run import train

            config = make_recipe(Config, {**RECIPE, "steps": steps})
            samples = Path(restore.__file__).parent / "samples"
            train(
                config,
                samples,
                out,
                resume=(out / "last.pt").exists(),
                device="cpu",
                report=lambda text: None,
            )
            code = 0
        finally:
            os._exit(code)
    return child


def differences(a: Any, b: Any, where: str = "") -> list[str]:
    """Where two checkpoints are not the same."""
    if isinstance(a, torch.Tensor):
        return [] if torch.equal(a, b) else [where]
    if isinstance(a, dict):
        if a.keys() != b.keys():
            return [f"{where}: other keys"]
        return [d for k in a if k not in CLOCK for d in differences(a[k], b[k], f"{where}.{k}")]
    if isinstance(a, list | tuple):
        if len(a) != len(b):
            return [f"{where}: another length"]
        return [
            d for i, (x, y) in enumerate(zip(a, b, strict=True)) for d in differences(x, y, f"{where}[{i}]")
        ]
    return [] if a == b or (a != a and b != b) else [where]


def log_of(out: Path) -> list[dict[str, Any]]:
    """The lines of a log without the clock."""
    lines = (out / "log.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k not in CLOCK} for line in lines]


def kill_training(kills: int, seed: int, *, steps: int = 24) -> dict[str, Any]:
    """What happened: ``{"kills", "finished", "found"}``."""
    import restore.train.run  # noqa: F401  # before children are forked

    torch.set_num_threads(1)
    r = random.Random(seed)
    found: Counter[str] = Counter()
    done = finished = 0
    with tempfile.TemporaryDirectory(prefix="training-") as name:
        whole, out = Path(name) / "whole", Path(name) / "out"
        began = time.monotonic()
        if wait(start(whole, steps=steps), None) != 0:
            raise SystemExit("the undisturbed training failed")
        length = time.monotonic() - began
        right = torch.load(whole / "last.pt", weights_only=True)
        while done < kills or not finished:
            code = wait(start(out, steps=steps), length * r.random() if done < kills else None)
            done += code is None
            if code is None:
                continue
            finished += 1
            if code:
                found[f"exit {code}"] += 1
            else:
                found.update(differences(right, torch.load(out / "last.pt", weights_only=True)))
                best = [(p / "best.safetensors").read_bytes() for p in (whole, out)]
                found["best"] += best[0] != best[1]
                found["log"] += log_of(whole) != log_of(out)
                found["left about"] += sum(p.name.startswith(".") for p in out.iterdir())
            shutil.rmtree(out)
    return {"kills": done, "finished": finished, "found": {k: v for k, v in found.items() if v}}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kills", type=int)
    parser.add_argument("seed", type=int)
    args = parser.parse_args()
    told = kill_training(args.kills, args.seed)
    print(json.dumps({"seed": args.seed, **told}))
    return bool(told["found"])


if __name__ == "__main__":
    sys.exit(main())
