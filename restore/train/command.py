"""What commands that fit by a recipe have in common: their arguments, and how they end."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from restore.errors import RestoreError


def fit_parser(prog: str, doc: str | None, *, out: str) -> argparse.ArgumentParser:
    """A recipe, ``--data``, ``--out`` (help: ``out``) and ``--set``."""
    parser = argparse.ArgumentParser(prog=f"python -m {prog}", description=doc)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="a folder of clean photographs")
    parser.add_argument("--out", type=Path, required=True, help=out)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the recipe")
    return parser


def report_scores(fit: Callable[[], dict[str, float]]) -> int:
    """Runs ``fit`` and prints its scores as JSON; 0 done, 2 wrong use."""
    try:
        scores = fit()
    except RestoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps(scores))
    return 0
