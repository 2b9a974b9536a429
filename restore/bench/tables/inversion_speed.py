"""What inverting many pictures at once saves."""

from __future__ import annotations

import time
from typing import Any

import torch

from restore.inverse.gan import Inverter
from restore.inverse.gan.workshop import Workshop
from restore.models.stylegan2 import StyleGAN2
from restore.report import Column, markdown_table
from restore.report.environment import environment


def speed(net: StyleGAN2, spec: str, *, steps: int, count: int) -> dict[str, Any]:
    """Inverting ``count`` of the generator's own pictures together and one after the other: seconds on the clock and
    of the processor, and the ratios of both."""
    g = torch.Generator().manual_seed(0)
    with torch.no_grad():
        x = (net(torch.randn(count, net.z_dim, generator=g)).clamp(-1, 1) + 1) / 2
    inverter = Inverter(net, Workshop(net).named(spec))
    inverter.fit(x, steps=1, batch=count)  # warm up
    made: dict[str, Any] = {"method": spec, "pictures": count, "steps": steps}
    spent: dict[str, tuple[float, float]] = {}
    for name, batch in (("together", count), ("alone", 1)):
        clock, processor = time.perf_counter(), time.process_time()
        inverter.fit(x, steps=steps, batch=batch)
        spent[name] = time.perf_counter() - clock, time.process_time() - processor
    for k, unit in enumerate(("seconds", "cpu_seconds")):
        alone, together = spent["alone"][k], spent["together"][k]
        made[unit] = {"together": together, "alone": alone, "ratio": alone / together}
    return {**made, "environment": environment(device=str(net.constant.device))}


def speed_markdown(measured: dict[str, Any]) -> str:
    """Seconds together and one by one, on the clock and of the processor."""
    rows = [{"unit": unit.replace("_", " "), **measured[unit]} for unit in ("seconds", "cpu_seconds")]
    columns = [Column("unit", "unit"), Column("together", "together", 1), Column("alone", "one by one", 1)]
    head = f"{measured['pictures']} pictures, {measured['method']}, {measured['steps']} steps"
    e = measured["environment"]
    where = f"{e['processor']}, {e['threads']} threads, torch {e['torch']}, {e['date']}"
    return f"{head}\n\n{markdown_table(rows, [*columns, Column('ratio', 'ratio', 2)])}\n{where}\n"
