"""What a run costs: wall time, processor time, and the growth of memory at its peak."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from restore.bench.contenders import Contender

# A run this long needs no warm-up: what a first run costs extra is far below a percent of it.
SLOW_SECONDS = 5.0

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Cost:
    """Wall and processor seconds (all threads of this process) of one restoration."""

    seconds: float
    cpu_seconds: float


def run_measured(contender: Contender, x: Tensor) -> tuple[Tensor, Cost]:
    """Restores ``x`` and says what it cost.

    The first picture of each shape is restored once before, untimed; that run measures memory, so that
    clearing the allocator does not disturb the clock. A run above five seconds counts as its own warm-up.
    """
    shape = tuple(x.shape)
    if contender.is_slow or shape not in contender.seen:
        contender.seen.add(shape)
        with peak_memory(contender):
            out, cost = _run(contender.function, x.clone())
        contender.is_slow = cost.seconds > SLOW_SECONDS
        if contender.is_slow:
            return out, cost
        del out
    return _run(contender.function, x)


def _run(function: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Cost]:
    # no_grad, not inference_mode: restorers that optimise (a deep image prior) turn gradients on inside.
    with torch.no_grad():
        wall, cpu = time.perf_counter(), time.process_time()
        out = function(x)
        if out.is_cuda or torch.cuda.is_initialized():
            torch.cuda.synchronize()
        return out, Cost(time.perf_counter() - wall, time.process_time() - cpu)


@contextlib.contextmanager
def peak_memory(contender: Contender) -> Iterator[None]:
    """Raises ``contender.peak_memory_mb`` to the growth in here (MiB), weights already loaded."""
    on_gpu = contender.device.startswith("cuda")
    before = _gpu_before() if on_gpu else _cpu_before()
    yield
    after = torch.cuda.max_memory_allocated() / 2**20 if on_gpu else _cpu_peak()
    growth = max(0.0, after - before)
    contender.peak_memory_mb = max(growth, contender.peak_memory_mb or 0.0)


def memory_method() -> str:
    """How :func:`peak_memory` measures on the CPU of this machine; goes beside the numbers."""
    if _reset_peak():
        return "growth of resident memory at its peak (VmHWM, reset before)"
    return "growth of the process's highest resident memory (ru_maxrss): a lower bound"


def _gpu_before() -> float:
    torch.cuda.reset_peak_memory_stats()
    return torch.cuda.memory_allocated() / 2**20


def _cpu_before() -> float:
    """Resident MiB now, with freed memory given back first, else it would be used again unseen."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    return _status("VmRSS") if _reset_peak() else _high_water()


def _cpu_peak() -> float:
    return _status("VmHWM") if _STATUS.exists() else _high_water()


def _reset_peak() -> bool:
    """Sets the kernel's high-water mark back to the present size (Linux: 5 into clear_refs)."""
    try:
        _CLEAR.write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def _status(key: str) -> float:
    for line in _STATUS.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) / 1024
    return _high_water()


def _high_water() -> float:
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
