"""``python -m restore.tools.train_task``: a paired recipe whose loss also asks a classifier.

For example ``... train_task models/zoo/denoise/recipe.toml --data pictures/ --out runs/task -c fashion-mnist``.
The weights are used like any others; ``restore judge`` says whether the task gained what the pixels lost.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from restore.errors import RestoreError
from restore.tools.output import complain, say


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m restore.tools.train_task", description=__doc__)
    parser.add_argument("recipe", type=Path, help="a recipe.toml of step paired")
    parser.add_argument("--data", type=Path, required=True, help="folder of clean pictures")
    parser.add_argument("--out", type=Path, required=True, help="folder for weights, checkpoint and log")
    parser.add_argument("-c", "--classifier", required=True, help="as for restore judge")
    parser.add_argument(
        "--weight", type=float, default=0.1, help="of the task's loss beside that of the pixels"
    )
    parser.add_argument("--on", default="features", help="features or logits")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--init", type=Path, help="weights to start from")
    parser.add_argument("--threads", type=int)
    given = parser.parse_args(arguments)
    from restore.downstream.classifiers import load_classifier
    from restore.train.config import Config
    from restore.train.guided import guided, task_guide
    from restore.train.recipe import load_recipe
    from restore.train.run import train

    try:
        classifier = load_classifier(given.classifier).requires_grad_(False)
        around = guided(task_guide(classifier.both, on=given.on), weight=given.weight)
        config = load_recipe(Config, given.recipe, given.settings)
        train(
            config, given.data, given.out, resume=given.resume, init=given.init, threads=given.threads,
            device="cpu", report=say, around=around,
        )  # fmt: skip
    except RestoreError as error:
        complain(error)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
