"""Where and how numbers are computed: device, precision, threads."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import torch

from restore.errors import UsageError, unknown

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
# Of the process's control group, version 2 and 1: its limit, and what it has taken.
_GROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def pick_device(name: str = "auto") -> torch.device:
    """``auto``: CUDA where there is one, else the CPU; or ``cpu``, ``cuda``, ``cuda:1``.

    Raises:
        UsageError: a device that is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise unknown("device", name, ("auto", "cpu", "cuda")) from None
    if device.type not in ("cpu", "cuda"):
        raise unknown("device", name, ("auto", "cpu", "cuda"))
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"device {name!r} is not there", hint="--device cpu works everywhere")
    return device


def pick_precision(
    name: str, device: torch.device, *, safe: tuple[str, ...] = ("fp32", "bf16", "fp16")
) -> str:
    """``auto`` as the fastest safe arithmetic of the device; anything else is checked.

    bf16 is used where the processor computes in it (AVX512-BF16 or AMX, Arm BF16, CUDA of compute capability 8),
    which is known from the processor's flags, so that one machine always decides alike.

    Raises:
        UsageError: an unknown precision, or fp16 on a CPU.
    """
    if name not in PRECISIONS:
        raise unknown("precision", name, PRECISIONS)
    if name == "fp16" and device.type != "cuda":
        raise UsageError("fp16 needs CUDA", hint="--precision bf16 or fp32 on a CPU")
    if name != "auto":
        if name not in safe:
            raise UsageError(f"precision {name} is not safe for this model", hint=f"one of {', '.join(safe)}")
        return name
    native = (
        torch.cuda.is_bf16_supported(including_emulation=False) if device.type == "cuda" else cpu_has_bf16()
    )
    return "bf16" if native and "bf16" in safe else "fp32"


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[object]:
    """A context in which convolutions run in ``precision``; nothing for fp32."""
    if precision not in _DTYPES:
        return contextlib.nullcontext()
    return torch.autocast(device.type, _DTYPES[precision])


@cache
def cpu_has_bf16() -> bool:
    """Whether the processor multiplies bfloat16 itself; emulation is slower than float32."""
    return bool(_cpu_flags() & {"avx512_bf16", "amx_bf16", "bf16"})


@cache
def cpu_name() -> str:
    """The processor as the system names it, or its architecture."""
    import platform

    for line in _cpuinfo():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _cpu_flags() -> set[str]:
    for line in _cpuinfo():
        if line.startswith(("flags", "Features")):
            return set(line.partition(":")[2].split())
    return set()


@cache
def _cpuinfo() -> tuple[str, ...]:
    try:
        return tuple(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines())
    except OSError:
        return ()


@contextlib.contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Computes with ``count`` threads inside the context; None leaves the setting alone."""
    before = torch.get_num_threads()
    if count is not None:
        if count < 1:
            raise UsageError(f"expected at least 1 thread, got {count}")
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def free_memory(device: torch.device) -> int | None:
    """Bytes that can still be had on a device; None where the system does not say.

    On Linux what the kernel counts as available, or what is left of the process's control group if that is less.
    """
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    found = []
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            found.append(int(line.split()[1]) * 1024)
    for limit, used in _GROUPS:
        most, now = _lines(limit), _lines(used)
        if most and now and most[0].isdigit():
            found.append(max(int(most[0]) - int(now[0]), 0))
    return min(found, default=None)


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
