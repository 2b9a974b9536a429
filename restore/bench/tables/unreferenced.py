"""Restorers on pictures of which nobody knows the truth: real low light above all.

``python -m restore.bench.tables.unreferenced --data DARK -m equalize,clahe,enlighten --json FILE --markdown FILE``
measures NIQE and BRISQUE (lower is better), the mean luma, what is clipped, and how colour and noise moved. No single
number here is quality: look at ``--sheet`` or ``--save`` as well.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from restore import restorers
from restore.bench import run as bench
from restore.bench.contenders import INPUT, split_models
from restore.bench.means import mean
from restore.bench.save import Saver
from restore.errors import RestoreError
from restore.files import Picture, atomic_file, read_picture
from restore.image import array_to_tensor, quantise, tensor_to_array
from restore.metrics.brisque import brisque
from restore.metrics.exposure import burnt_share, clipped, colour_cast, mean_luma, misexposure, noise_gain
from restore.metrics.niqe import niqe
from restore.report import Column, contact_sheet, markdown_table
from restore.report.environment import environment
from restore.report.write import write_report
from restore.runtime import threads

COLUMNS = (
    Column("model", "model"),
    Column("niqe", "NIQE", 3, best="low"),
    Column("brisque", "BRISQUE", 2, best="low"),
    Column("luma", "mean luma", 3),
    Column("in_range", "luma in 0.35-0.6", 0, best="high"),
    Column("misexposure", "distance from 0.6", 3, best="low"),
    Column("dark", "black share", 4),
    Column("burnt", "burnt-out share", 4),
    Column("more_burnt", "pictures burnt out more", 0, best="low"),
    Column("cast", "cast (Lab)", 2),
    Column("noise", "noise gain", 2),
    Column("images", "images", 0),
)
LOW, HIGH = 0.35, 0.6
# More burnt-out pixels than in the input by this share of the picture count as more.
SLACK = 0.001
PROTOCOL = (
    "output clamped and rounded to 8 bits; NIQE: authors' parameters, rgb2gray, blocks of 96 px; burnt out: a channel "
    "above 0.99; cast: movement of mean a, b at equal luma; noise gain: spread in the flattest tenth of 8 x 8 patches "
    "over their gain in brightness; means over pictures"
)


def measure(x: Tensor, source: Tensor) -> dict[str, float]:
    """Every number of one picture ``1 x C x H x W`` beside its source."""
    rgb, before = (v.expand(-1, 3, -1, -1) for v in (x, source))
    luma, burnt = float(mean_luma(rgb)), float(burnt_share(rgb))
    return {
        "niqe": float(niqe(x)),
        "brisque": float(brisque(x)),
        "luma": luma,
        "in_range": float(LOW <= luma <= HIGH),
        "misexposure": float(misexposure(rgb)),
        "dark": float(clipped(rgb)[0]),
        "burnt": burnt,
        "more_burnt": float(burnt > float(burnt_share(before)) + SLACK),
        "cast": float(colour_cast(rgb, before)),
        "noise": float(noise_gain(rgb, before)),
    }


def run_unreferenced(
    data: Path,
    models: Sequence[str],
    *,
    limit: int | None = None,
    longest: int | None = None,
    save: Path | None = None,
    sheet: Path | None = None,
    thread_count: int | None = None,
    precision: str = "auto",
) -> dict[str, Any]:
    """Every picture through every model; rows, means and what is needed to find them again.

    Args:
        longest: pictures with a longer side are shrunk (area) to it first; None: as they are.
        save: a folder for what the models made, ``model/picture.png``.
        sheet: a PNG with every picture beside what was made of it.

    Raises:
        UsageError: an unknown model, or no pictures.
    """
    from restore.resample import imresize

    names = [name for name in split_models(models) if name != INPUT]
    root, files, total = bench.list_pictures(data, limit)
    saver = Saver(save, files) if save is not None else None
    rows: list[dict[str, Any]] = []
    cells = []
    digest = hashlib.blake2b(digest_size=16)
    with threads(thread_count):
        ready = {name: restorers.load(name, device="cpu", precision=precision) for name in names}
        for file in files:
            picture = read_picture(root / file)
            digest.update(np.ascontiguousarray(picture.pixels).tobytes())
            x = array_to_tensor(picture.pixels)
            if longest is not None and max(x.shape[-2:]) > longest:
                x = quantise(imresize(x, scale=longest / max(x.shape[-2:]), kernel="area"))
            made = {INPUT: x, **{name: quantise(net(x)) for name, net in ready.items()}}
            row = []
            for name, y in made.items():
                rows.append({"image": file.as_posix(), "model": name, **measure(y, x)})
                row.append((_thumb(y), f"{file.name}\n{name}" if name == INPUT else name))
                if saver is not None and name != INPUT:
                    saver.write("", name, file, Picture(pixels=picture.pixels), y)
            cells.append(row)
            print(f"{file.as_posix()}", file=sys.stderr)
    if sheet is not None:
        with atomic_file(sheet) as target:
            contact_sheet(cells).save(target, "PNG")
    return {
        "schema": 1,
        "protocol": PROTOCOL + (f"; shrunk to {longest} px" if longest else ""),
        "environment": environment(device="cpu"),
        "data": {
            "folder": root.resolve().name,
            "pictures": len(files),
            "of": total,
            "pixels": f"blake2b:{digest.hexdigest()}",
        },
        "summary": [_means(rows, name) for name in (INPUT, *names)],
        "rows": rows,
    }


def _means(rows: Sequence[dict[str, Any]], model: str) -> dict[str, Any]:
    """Means over the pictures; ``in_range`` and ``more_burnt`` are counts."""
    mine = [row for row in rows if row["model"] == model]
    keys = [key for key in mine[0] if key not in ("image", "model")]
    found: dict[str, Any] = {key: mean([row[key] for row in mine]) for key in keys}
    for key in ("in_range", "more_burnt"):
        found[key] = int(sum(row[key] for row in mine))
    return {"model": model, **found, "images": len(mine)}


def _thumb(x: Tensor, side: int = 240) -> np.ndarray:
    small = torch.nn.functional.interpolate(x, scale_factor=min(1.0, side / max(x.shape[-2:])), mode="area")
    return tensor_to_array(small, np.uint8)


def markdown(found: dict[str, Any], command: str) -> str:
    """The means as a Markdown page with protocol and command."""
    env, data = found["environment"], found["data"]
    return (
        f"{markdown_table(found['summary'], COLUMNS)}\n- `{found['protocol']}`\n\n```console\n$ {command}\n```\n\n"
        f"{data['pictures']} of {data['of']} pictures of {data['folder']} (`{data['pixels']}`); {env['processor']}, "
        f"torch {env['torch']}, {env['date'][:10]}; commit {env['commit'] or 'none'}\n"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints the table, and saves what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m restore.bench.tables.unreferenced", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a folder of pictures")
    parser.add_argument(
        "-m", "--model", action="append", required=True, help="restorers, separated by commas"
    )
    parser.add_argument("--limit", type=int, help="only the first so many pictures")
    parser.add_argument("--longest", type=int, help="shrink longer sides to this, pixels")
    parser.add_argument("--precision", default="auto", help="arithmetic of networks")
    parser.add_argument("--threads", type=int, help="processor threads; default: all")
    parser.add_argument("--save", type=Path, help="folder for what the models made")
    parser.add_argument("--sheet", type=Path, help="a PNG of everything")
    parser.add_argument("--json", type=Path, help="where to save the numbers")
    parser.add_argument("--markdown", type=Path, help="where to save the table")
    given = parser.parse_args(arguments)
    try:
        found = run_unreferenced(
            given.data, given.model, limit=given.limit, longest=given.longest, save=given.save,
            sheet=given.sheet, thread_count=given.threads, precision=given.precision,
        )  # fmt: skip
    except RestoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    command = (
        f"python -m restore.bench.tables.unreferenced --data {given.data.name}/ -m {','.join(given.model)}"
    )
    command += "".join(f" --{k} {v}" for k in ("limit", "longest") if (v := getattr(given, k)) is not None)
    page = markdown(found, command)
    print(page)
    write_report(found, page, json=given.json, markdown=given.markdown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
