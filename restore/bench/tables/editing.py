"""Editing and morphing with a generator, as sheets and numbers.

``python -m restore.bench.tables.editing --generator G.safetensors --data IDX --out FOLDER``: walks learnt from turned
copies of test pictures and of digits (is the walk monotone?), a direction of brightness and one of width applied to
both kinds, and morphs between inverted pictures. Writes ``walks.png``, ``directions.png``, ``morphs.png``,
``editing.json`` and ``editing.md``.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from restore.bench.tables.inversion_pictures import digits, held_out, shifted
from restore.errors import RestoreError
from restore.files import atomic_file, write_file
from restore.inverse.gan import Inverter, method_named
from restore.inverse.gan.edit import Walk, attribute_direction, fit_walk, morph
from restore.models.generator_files import load_generator, shipped_generator
from restore.models.stylegan2 import StyleGAN2
from restore.report import Column, contact_sheet, dumps, markdown_table
from restore.report.environment import environment

ANGLES = (0.0, 22.5, 45.0)
ALPHAS = (-2.0, -1.0, 0.0, 1.0, 2.0)
SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; see the module."""
    p = argparse.ArgumentParser(prog="python -m restore.bench.tables.editing", description=__doc__)
    p.add_argument("--data", type=Path, required=True, help="an IDX set, or a folder with train/ and test/")
    p.add_argument("--generator", type=Path, help="default: the shipped one")
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--count", type=int, default=4, help="pictures of either kind")
    p.add_argument("--steps", type=int, default=1500)
    p.add_argument("--seed", type=int, default=0)
    a = p.parse_args(arguments)
    try:
        net, header = shipped_generator() if a.generator is None else load_generator(a.generator)
        result = run(net, a.data, a.out, count=a.count, steps=a.steps, seed=a.seed)
    except RestoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    result["generator"] = header.get("sha256") or header.get("name")
    for name, text in (("editing.json", dumps(result)), ("editing.md", markdown(result))):
        write_file(a.out / name, text)
    sys.stdout.write(markdown(result))
    return 0


def run(net: StyleGAN2, data: Path, out: Path, *, count: int, steps: int, seed: int) -> dict[str, Any]:
    """The sheets into ``out``, and one row per picture."""
    out.mkdir(parents=True, exist_ok=True)
    size = {"resolution": net.resolution, "channels": net.channels, "seed": seed}
    kinds = {"own": held_out(data, count, **size), "digits": digits(count, **size)}
    inverter = Inverter(net, method_named("sphinx"))
    directions = {
        "brightness": attribute_direction(net, lambda x: x.mean((1, 2, 3))),
        "width": attribute_direction(net, width_of),
    }
    rows: list[dict[str, Any]] = []
    sheets: dict[str, list[list[tuple[np.ndarray, str]]]] = {"walks": [], "directions": [], "morphs": []}
    for kind, pictures in kinds.items():
        found = inverter.fit(pictures, steps=steps, seeds=seed)
        for i, x in enumerate(pictures.split(1)):
            copies = torch.cat([shifted(x, f"rotate:by={angle}", fill="black") for angle in ANGLES])
            walk = fit_walk(net, copies, steps=steps, seed=seed + i)
            rows.append({"kind": kind, "picture": i, **walk_numbers(net, walk, copies)})
            sheets["walks"].append(_walk_row(net, walk, copies, kind))
            for name, v in directions.items():
                made = [_decoded(net, found.ws[i] + alpha * v * _unit(name)) for alpha in ALPHAS]
                captions = [f"{kind}, {name} {alpha:+g}" for alpha in ALPHAS]
                sheets["directions"].append(list(zip(map(_array, made), captions, strict=True)))
                score = (lambda y: y.mean((1, 2, 3))) if name == "brightness" else width_of
                scores = [float(score(y)) for y in made]
                rows[-1][f"{name}_monotone"] = float(sorted(scores) == scores)
        for i in range(len(pictures) - 1):
            between = morph(net, found.ws[i], found.ws[i + 1], SHARES)
            sheets["morphs"].append(
                [(_array(y), f"{kind}, {s:g}") for y, s in zip(between.split(1), SHARES, strict=True)]
            )
    for name, cells in sheets.items():
        with atomic_file(out / f"{name}.png") as file:
            contact_sheet(cells, zoom=2, title=name, text_size=11).save(file, "PNG")
    protocol = {"count": count, "steps": steps, "seed": seed, "angles": ANGLES, "alphas": ALPHAS}
    return {"schema": 1, "protocol": protocol, "environment": environment(device="cpu"), "rows": rows}


def walk_numbers(net: StyleGAN2, walk: Walk, copies: Tensor) -> dict[str, float]:
    """PSNR of the copies at their places, whether the places grow, and how much of the walk goes forward.

    ``forward``: the share of nine steps along the walk after which the picture is nearer to the last copy.
    """
    last = float(walk.places[-1])
    at = [walk.picture(net, float(p)) for p in walk.places]
    errors = [(a - c).square().mean() for a, c in zip(at, copies.split(1), strict=True)]
    path = [walk.picture(net, last * k / 9) for k in range(10)]
    away = [float((p - copies[-1:]).square().mean()) for p in path]
    return {
        "psnr": float(torch.stack([-10 * torch.log10(e) for e in errors]).mean()),
        "places_grow": float(bool((walk.places.diff() > 0).all())),
        "forward": sum(b < a for a, b in itertools.pairwise(away)) / 9,
    }


def width_of(x: Tensor) -> Tensor:
    """B values: the spread of light across the columns, in shares of the side."""
    light = x.mean(1).sum(1)
    share = light / light.sum(1, keepdim=True).clamp(min=1e-6)
    place = torch.linspace(-0.5, 0.5, x.shape[-1], device=x.device)
    centre = (share * place).sum(1, keepdim=True)
    return (share * (place - centre).square()).sum(1).sqrt()


def markdown(result: dict[str, Any]) -> str:
    """One row per kind of picture."""
    rows = []
    for kind in dict.fromkeys(r["kind"] for r in result["rows"]):
        members = [r for r in result["rows"] if r["kind"] == kind]
        keys = [k for k, v in members[0].items() if isinstance(v, float)]
        rows.append({"kind": kind, **{k: sum(m[k] for m in members) / len(members) for k in keys}})
    columns = [
        Column("kind", "pictures"),
        Column("psnr", "PSNR of the copies, dB", 2),
        Column("places_grow", "share of walks in order", 2),
        Column("forward", "share of steps forward", 2),
        Column("brightness_monotone", "brightness grows", 2),
        Column("width_monotone", "width grows", 2),
    ]
    p = result["protocol"]
    head = f"# Editing\n\n{p['count']} pictures of either kind, {p['steps']} steps, seed {p['seed']}.\n\n"
    return head + markdown_table(rows, columns) + "\n`walks.png`, `directions.png`, `morphs.png`.\n"


def _unit(name: str) -> float:
    """How far alpha 1 is meant to move the score."""
    return 0.08 if name == "brightness" else 0.02


def _walk_row(net: StyleGAN2, walk: Walk, copies: Tensor, kind: str) -> list[tuple[np.ndarray, str]]:
    last = float(walk.places[-1])
    given = [(_array(c), f"{kind}, {a:g} deg") for c, a in zip(copies.split(1), ANGLES, strict=True)]
    places = [-last / 4, *(last * k / 4 for k in range(6))]
    return given + [(_array(walk.picture(net, p)), f"alpha {p:.1f}") for p in places]


def _decoded(net: StyleGAN2, ws: Tensor) -> Tensor:
    with torch.no_grad():
        made = net.synthesis(ws[None])
    assert isinstance(made, Tensor)
    return (made.clamp(-1, 1) + 1) / 2


def _array(x: Tensor) -> np.ndarray:
    return x[0].permute(1, 2, 0).cpu().numpy()


if __name__ == "__main__":
    sys.exit(main())
