"""Inversion methods against each other, as tables.

``python -m restore.bench.tables.inversion shifts --generator G.safetensors --data IDX --json FILE --markdown FILE``:
the generator's kind of picture, moved, turned, scaled, and another kind; how much codes may be perturbed afterwards.

``python -m restore.bench.tables.inversion tasks ...``: denoising, compressed sensing, super-resolution, a hole,
deblurring, of the generator's kind and of phantoms that no generator of clothes has seen; total variation, deep
image prior and plug-and-play with the shipped denoiser (``pnp``; its own number of steps) as controls.

``python -m restore.bench.tables.inversion speed --count 16 --methods sphinx ...``: pictures together against one by
one.

Equal steps for all methods, or with ``--seconds`` equal time. Learning rates: each method's own, or chosen from
``--rates`` on other pictures than the measured ones (the first eight test pictures after them, in distribution, by
mean PSNR). PSNR on clamped values, peak 1 on [0, 1]; mean and 95 % confidence interval (Student) over pictures.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from restore.bench.tables import inversion_prior
from restore.bench.tables.inversion_page import beside, markdown, summarise
from restore.bench.tables.inversion_pictures import SHIFTS, digits, ellipses, fundus, held_out, shifted
from restore.bench.tables.inversion_speed import speed, speed_markdown
from restore.degradations import sample as draw
from restore.errors import RestoreError, unknown
from restore.inverse.gan import METHODS, CodeStatistics, Inverter, code_statistics, diagnose
from restore.inverse.gan.measurements import measure, operator_named
from restore.inverse.gan.workshop import ENCODED, Workshop
from restore.metrics import ssim
from restore.models.generator_files import load_generator, shipped_generator
from restore.models.stylegan2 import StyleGAN2
from restore.names import format_name, parse_name
from restore.report.environment import environment
from restore.report.write import write_report

TASKS = (
    "noise:sigma=25",
    "noise:sigma=50",
    "compressed-sensing:ratio=0.05",
    "compressed-sensing:ratio=0.1",
    "compressed-sensing:ratio=0.25",
    "compressed-sensing:ratio=0.5",
    "downsample:scale=2",
    "downsample:scale=4",
    "mask",
    "blur:sigma=1.5",
)
EVERYBODY = (*METHODS, *ENCODED, inversion_prior.NAME)
TUNING = 8
Cell = tuple[str, Tensor, str]  # condition, pictures, operator


@dataclass(frozen=True)
class Plan:
    """What is compared and how long everybody may look."""

    methods: tuple[str, ...]
    count: int = 32
    steps: int = 600
    seconds: float | None = None
    seed: int = 0
    rates: tuple[float, ...] = ()
    encoder_steps: int = 3000
    batch: int = 16
    only: tuple[str, ...] = ()  # conditions; empty: all


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; see the module."""
    p = argparse.ArgumentParser(prog="python -m restore.bench.tables.inversion", description=__doc__)
    p.add_argument("table", choices=("shifts", "tasks", "speed"))
    p.add_argument("--data", type=Path, default=Path(), help="an IDX set, or a folder with train/ and test/")
    p.add_argument("--generator", type=Path, help="default: the shipped one")
    p.add_argument("--methods", default=";".join(EVERYBODY), help="separated by semicolons")
    p.add_argument("--count", type=int, default=32)
    p.add_argument("--steps", type=int, default=600)
    p.add_argument("--seconds", type=float, help="for all pictures of a cell, instead of equal steps")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--rates", default="", help="learning rates to choose from, separated by commas")
    p.add_argument("--encoder-steps", type=int, default=3000)
    p.add_argument("--batch", type=int, default=16)
    p.add_argument(
        "--only", default="", help="conditions, separated by semicolons; default: all of the table"
    )
    p.add_argument("--fill", default="reflect", choices=("reflect", "black"))
    p.add_argument("--json", type=Path)
    p.add_argument("--rows", action="store_true", help="every picture in the JSON too, not means alone")
    p.add_argument("--markdown", type=Path)
    p.add_argument(
        "--beside", type=Path, help="a JSON of other methods on the same, which become columns here"
    )
    a = p.parse_args(arguments)
    plan = Plan(
        methods=tuple(m.strip() for m in a.methods.split(";") if m.strip()),
        count=a.count,
        steps=a.steps if a.seconds is None else 10**9,
        seconds=a.seconds,
        seed=a.seed,
        rates=tuple(float(r) for r in a.rates.split(",") if r),
        encoder_steps=a.encoder_steps,
        batch=a.batch,
        only=tuple(c.strip() for c in a.only.split(";") if c.strip()),
    )
    try:
        net, header = shipped_generator() if a.generator is None else load_generator(a.generator)
        if a.table == "speed":
            measured = speed(net, a.methods.split(";")[0], steps=a.steps, count=a.count)
            text = speed_markdown(measured)
            write_report(measured, text, json=a.json, markdown=a.markdown)
            sys.stdout.write(text)
            return 0
        result = run(net, a.table, a.data, plan, fill=a.fill, report=_say)
        result["generator"] = header.get("sha256") or header.get("name")
        result = beside(result, a.beside) if a.beside else result
    except RestoreError as error:
        _say(f"error: {error}")
        return error.exit_code
    text = markdown(result)
    kept = result if a.rows else {k: v for k, v in result.items() if k != "rows"}
    write_report(kept, text, json=a.json, markdown=a.markdown)
    sys.stdout.write(text)
    return 0


def run(
    net: StyleGAN2,
    table: str,
    data: Path,
    plan: Plan,
    *,
    fill: str = "reflect",
    report: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """One table: ``{"schema", "table", "protocol", "environment", "rows", "summary"}``.

    Rows are pictures: ``condition``, ``method``, ``picture``, ``ssim`` and what ``diagnose`` says; the summary has a
    row per condition and method with means and half-widths of 95 % intervals.
    """
    size = {"resolution": net.resolution, "channels": net.channels}
    pool = held_out(data, plan.count + TUNING, seed=plan.seed, **size)
    own, tuning = pool[: plan.count], pool[plan.count :]
    cells = _shift_cells(own, plan, size, fill) if table == "shifts" else _task_cells(own, plan, size)
    for name in plan.only:
        if name not in (known := [c for c, _, _ in cells]):
            raise unknown("condition", name, known)
    cells = [cell for cell in cells if not plan.only or cell[0] in plan.only]
    statistics = code_statistics(net)
    made = Workshop(net, encoder_steps=plan.encoder_steps, seed=plan.seed, report=report)
    rows: list[dict[str, Any]] = []
    chosen: dict[str, str] = {}
    for name in plan.methods:
        spec = _tuned(made, statistics, name, tuning, plan) if plan.rates else name
        chosen[name] = spec
        for condition, x, operator in cells:
            found = _cell(made, statistics, spec, x, operator, plan)
            rows += [{"condition": condition, "method": name, "picture": i, **r} for i, r in enumerate(found)]
            mean = sum(r["psnr"] for r in found) / len(found)
            report(f"{condition}  {spec}  {mean:.2f} dB")
    protocol = {
        "pictures": plan.count,
        "steps": None if plan.seconds is not None else plan.steps,
        "seconds_per_cell": plan.seconds,
        "seed": plan.seed,
        "fill": fill if table == "shifts" else None,
        "rates_tried": list(plan.rates),
        "methods": chosen,
        "resolution": net.resolution,
        "data_term": "mse",
        "encoder_steps": plan.encoder_steps,
    }
    return {
        "schema": 1,
        "table": table,
        "protocol": protocol,
        "environment": environment(device=str(net.constant.device)),
        "rows": rows,
        "summary": summarise(rows),
    }


def _shift_cells(own: Tensor, plan: Plan, size: dict[str, int], fill: str) -> list[Cell]:
    cells: list[Cell] = [(s, shifted(own, s, fill=fill), "identity") for s in SHIFTS]
    return [*cells, ("digits", digits(plan.count, seed=plan.seed, **size), "identity")]


def _task_cells(own: Tensor, plan: Plan, size: dict[str, int]) -> list[Cell]:
    kinds = {
        "own": own,
        "digits": digits(plan.count, seed=plan.seed, **size),
        "ellipses": ellipses(plan.count, seed=plan.seed, **size),
        "fundus": fundus(plan.count, seed=plan.seed, **size),
    }
    return [(f"{kind}, {task}", x, task) for kind, x in kinds.items() for task in TASKS]


def _cell(
    made: Workshop, statistics: CodeStatistics, spec: str, x: Tensor, operator: str, plan: Plan
) -> list[dict[str, Any]]:
    act, noise = operator_named(operator, tuple(x.shape[1:]))
    seeds = [draw.child_seed(plan.seed, operator, i) for i in range(len(x))]
    y = measure(act, x, noise, seeds=seeds)
    if spec == inversion_prior.NAME:
        return inversion_prior.prior_rows(x, y, act, noise)
    inverter = Inverter(made.net, made.named(spec), statistics=statistics)
    steps = min(plan.steps, inverter.method.steps) if inverter.method.steps == 0 else plan.steps
    found = inverter.fit(
        y,
        act,
        steps=steps,
        seeds=seeds,
        batch=len(x) if plan.seconds else plan.batch,
        noise_sigma=noise,
        time_budget=plan.seconds,
    )
    similar = ssim(found.image.double(), x.double()).tolist()
    records = diagnose(inverter, found, y, act, truth=x)
    return [
        {**r, "ssim": s, "seconds": found.seconds / len(x)} for r, s in zip(records, similar, strict=True)
    ]


def _tuned(made: Workshop, statistics: CodeStatistics, spec: str, x: Tensor, plan: Plan) -> str:
    """The method at the best of the rates."""
    name, options = parse_name(spec)
    if "rate" in options or name in ("psp", inversion_prior.NAME):
        return spec
    tried = {}
    for rate in plan.rates:
        candidate = format_name(name, {**options, "rate": rate})
        rows = _cell(made, statistics, candidate, x, "identity", plan)
        tried[candidate] = sum(r["psnr"] for r in rows)
    return max(tried, key=lambda c: tried[c])


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
