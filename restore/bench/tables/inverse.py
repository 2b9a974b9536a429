"""Solvers for a known degradation compared: plug-and-play against total variation and the classical methods.

``python -m restore.bench.tables.inverse --data PHOTOS --json FILE --markdown FILE``. Noise of 2.55 of 255 on what was
measured, not clipped; every method is told the operator and sigma. Results are clamped to [0, 1]; of super-resolution
a border of the scale is left out. Where a classical method has a balance (total variation's weight, Wiener's noise,
the iterations of Richardson-Lucy), the best on each picture counts: more than anybody could have in practice. Rows
that the JSON file holds already are not made again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from restore.bench.tables.inverse_tasks import TASKS
from restore.degradations import sample as draw
from restore.degradations.operators import Operator
from restore.errors import RestoreError, UsageError, unknown
from restore.files import atomic_write, find_pictures, read_picture
from restore.image import array_to_tensor
from restore.inverse import data_consistency
from restore.inverse.normal import elementary, sampling
from restore.inverse.solution import measured
from restore.metrics import psnr, ssim
from restore.report import Column, dumps, markdown_table
from restore.report.environment import environment
from restore.restorers import load
from restore.restorers.inverse import InverseRestorer

SIGMA = 2.55
# What each kind of task is done by, besides the three solvers that do all of them.
RIVALS = {
    "deblur": ("nothing", "wiener", "richardson-lucy"),
    "super-resolution": ("bicubic",),
    "inpainting": ("telea", "biharmonic"),
    "sensing": ("adjoint",),
}
SOLVERS = ("tv-inverse", "pnp", "dip")
# Balances that are tried, the best of which counts.
BALANCES: dict[str, tuple[dict[str, float], ...]] = {
    "tv-inverse": tuple({"weight": w} for w in (0.08, 0.16, 0.32)),
    "wiener": tuple({"sigma": SIGMA * m} for m in (0.5, 1.0, 2.0, 4.0)),
    "richardson-lucy": tuple({"iterations": i, "tv": t} for t in (0.0, 0.002) for i in (20, 60)),
}
# By how many decibels plug-and-play is to beat them.
BARS = {"wiener": 1.5, "richardson-lucy": 1.5, "tv-inverse": 0.7}
COLUMNS = [
    Column("task", "task"),
    Column("method", "method"),
    Column("psnr", "PSNR", 2, best="high"),
    Column("ssim", "SSIM", 4, best="high"),
    Column("consistency", "data consistency", 2),
    Column("seconds", "CPU s", 1, best="low"),
    Column("images", "images", 0),
]

Row = dict[str, Any]


def rows_of(
    x: Tensor, name: str, task: str, methods: Sequence[str], *, pnp: str = "pnp", skip: Callable[[str], bool]
) -> list[Row]:
    """One row per method for a picture ``1 x C x H x W``.

    Args:
        name: of the picture; the noise is drawn from it.
        pnp: the plug-and-play restorer with its values.
        skip: methods that are not wanted.
    """
    make, multiple = TASKS[task]
    rows, columns = (n // multiple * multiple for n in x.shape[-2:])
    x = x[..., :rows, :columns]
    operator = make((x.shape[1], rows, columns))
    y = operator(x)
    noise = draw.normal_fields(torch.tensor([draw.child_seed(0, name, task)]), tuple(y.shape[1:]))
    y = (y + SIGMA / 255 * noise) * measured(operator, y)
    border = 0 if multiple == 1 else multiple
    made = []
    for method in methods:
        if skip(method):
            continue
        best: Row = {}
        for values in BALANCES.get(method, ({},)):
            began = time.process_time()
            image = restore(method, pnp, y, operator, values)
            seconds = time.process_time() - began
            shown = image.clamp(0, 1)
            row = {
                "image": name,
                "task": task,
                "method": method,
                "psnr": float(psnr(shown, x, border=border)),
                "ssim": float(ssim(shown, x, border=border)),
                "consistency": float(data_consistency(image, y, operator, SIGMA / 255)),
                "seconds": seconds,
            }
            best = row if not best or row["psnr"] > best["psnr"] else best
        made.append(best)
    return made


def restore(method: str, pnp: str, y: Tensor, operator: Operator, values: dict[str, float]) -> Tensor:
    """The picture that a method makes of the measurements."""
    if method == "nothing":
        return y
    if method == "adjoint":
        return operator.transpose(y)
    if method == "bicubic":
        return interpolated(y, operator)
    told: dict[str, Any] = {"sigma": SIGMA, **values}
    made = load(pnp if method == "pnp" else method, operator=operator, **told)
    assert isinstance(made, InverseRestorer)
    return made.solve(y).image


def interpolated(y: Tensor, operator: Operator) -> Tensor:
    """Cubic interpolation between the samples, each taken for what lies at its own place."""
    steps = elementary(operator)
    scale, offset = sampling(steps), int(steps[-1].parts["offset"])
    places = [
        2 * (torch.arange(n) - offset) / scale / (m - 1) - 1
        for n, m in zip(operator.input_shape[-2:], y.shape[-2:], strict=True)
    ]
    rows, columns = torch.meshgrid(*places, indexing="ij")
    grid = torch.stack([columns, rows], -1)[None].expand(len(y), -1, -1, -1)
    return torch.nn.functional.grid_sample(
        y, grid.to(y), mode="bicubic", padding_mode="border", align_corners=True
    )


def summary(rows: Sequence[Row]) -> list[Row]:
    """Means per task and method over the pictures."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["task"], row["method"]), []).append(row)
    order = {task: i for i, task in enumerate(TASKS)}
    means = []
    for (task, method), members in found.items():
        mean = {
            k: sum(r[k] for r in members) / len(members) for k in ("psnr", "ssim", "consistency", "seconds")
        }
        means.append({"task": task, "method": method, **mean, "images": len(members)})
    return sorted(means, key=lambda r: (order[r["task"]], r["method"] in SOLVERS))


def bars(rows: Sequence[Row]) -> list[Row]:
    """By how much plug-and-play beats each rival on the pictures that both did, and whether that is enough."""
    psnrs = {(r["task"], r["method"], r["image"]): r["psnr"] for r in rows}
    made = []
    for task in TASKS:
        for rival, least in BARS.items():
            gains = [p - psnrs[task, rival, i] for (t, m, i), p in psnrs.items()
                     if (t, m) == (task, "pnp") and (task, rival, i) in psnrs]  # fmt: skip
            if gains:
                gain = sum(gains) / len(gains)
                made.append({"task": task, "rival": rival, "gain": gain, "bar": least, "met": gain >= least})
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints the table, and saves what was asked for; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m restore.bench.tables.inverse", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a folder of photographs")
    parser.add_argument("--limit", type=int, help="how many of them")
    parser.add_argument("--crop", type=int, help="side of the middle that is used; default: all of it")
    parser.add_argument("--dip", type=int, default=0, help="how many of them the deep image prior does; slow")
    parser.add_argument("--pnp", default="pnp", help="with its values: pnp:denoiser=FILE,steps=12")
    parser.add_argument("--task", action="append", help="only these (the beginning of a name); default: all")
    parser.add_argument(
        "--json", type=Path, help="where to save the numbers; what it holds is not made again"
    )
    parser.add_argument("--markdown", type=Path, help="where to save the table")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    try:
        rows = measure(given)
    except RestoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    page = markdown(rows, given)
    print(page)
    save(given.markdown, page)
    return 0 if all(bar["met"] for bar in bars(rows)) else 1


def measure(given: argparse.Namespace) -> list[Row]:
    """Every row, those of the JSON file first; the file is written after every picture.

    Raises:
        UsageError: no pictures, an unknown task, or a JSON file of another protocol.
    """
    tasks = [t for t in TASKS if not given.task or any(t.startswith(part) for part in given.task)]
    if not tasks:
        raise unknown("task", given.task[0], TASKS)
    files = find_pictures(given.data)[: given.limit]
    if not files:
        raise UsageError(f"expected photographs in {str(given.data)!r}, found none")
    protocol = {"data": given.data.name, "crop": given.crop, "sigma": SIGMA, "pnp": given.pnp}
    rows: list[Row] = []
    if given.json is not None and given.json.exists():
        held = json.loads(given.json.read_text())
        if held.get("protocol") != protocol:
            raise UsageError(f"{given.json} holds numbers of another protocol", hint="give another file")
        rows = held["rows"]
    done = {(r["image"], r["task"], r["method"]) for r in rows}
    for place, file in enumerate(files):
        x = array_to_tensor(read_picture(given.data / file).pixels)
        if given.crop:
            top, left = (max(n - given.crop, 0) // 2 for n in x.shape[-2:])
            x = x[..., top : top + given.crop, left : left + given.crop]
        for task in tasks:
            methods = (*RIVALS[task.split(",")[0].split(" ")[0]], *SOLVERS)
            name = file.as_posix()

            def skip(m: str, task: str = task, name: str = name, slow: bool = place >= given.dip) -> bool:
                return (name, task, m) in done or (m == "dip" and slow)

            rows += rows_of(x, name, task, methods, pnp=given.pnp, skip=skip)
        result = {
            "protocol": protocol,
            "summary": summary(rows),
            "bars": bars(rows),
            "rows": rows,
            "environment": environment(device="cpu"),
        }
        save(given.json, dumps(result))
        print(f"{place + 1}/{len(files)} {file}", file=sys.stderr, flush=True)
    return rows


def save(path: Path | None, text: str) -> None:
    """Writes a file in one step."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as temporary:
            temporary.write_text(text)


def markdown(rows: Sequence[Row], given: argparse.Namespace) -> str:
    """The tables as a Markdown page."""
    met = [{**b, "met": "yes" if b["met"] else "no"} for b in bars(rows)]
    columns = [Column("task", "task"), Column("rival", "plug-and-play against"), Column("gain", "gain, dB", 2),
               Column("bar", "bar", 1), Column("met", "met")]  # fmt: skip
    made = environment(device="cpu")
    extra = "".join(f" --{k} {v}" for k in ("limit", "crop", "dip") if (v := getattr(given, k)))
    return f"""# Solvers for a known degradation

{given.data.name}{f", middles of {given.crop} x {given.crop}" if given.crop else ""}, {len({r["image"] for r in rows})}
pictures, known operator, noise of {SIGMA} of 255 on the measurements, not clipped. PSNR and SSIM of RGB clamped to
[0, 1], means over the pictures. Data consistency is |A x - y| / (sigma sqrt m): 1 explains the measurements to within
their noise. Total variation, Wiener and Richardson-Lucy count with their best balance on each picture.

{markdown_table(summary(rows), COLUMNS, group="task")}
{markdown_table(met, columns)}
```
python -m restore.bench.tables.inverse --data {given.data.name}{extra} --json inverse.json --markdown inverse.md
```

restore {made["restore"]} ({made["commit"]}), torch {made["torch"]}, {made["processor"]}, 1 thread, {made["date"]}.
"""


if __name__ == "__main__":
    sys.exit(main())
