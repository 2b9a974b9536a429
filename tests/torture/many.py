"""Many pictures through one run: memory stays what it was after the first hundred.

PYTHONPATH=tests python -m torture.many [COUNT]
"""

from __future__ import annotations

import gc
import sys
import tempfile
from pathlib import Path

import numpy as np
import psutil
import torch

from torture.kills import make_pictures

# What an allocator may keep for itself.
SLACK = 64 << 20


def memory_over(count: int, *, restorer: str = "median:size=3") -> list[int]:
    """Bytes held after each of ten parts of ``count`` pictures, restored by one process."""
    from restore.folder import restore_folder

    torch.set_num_threads(1)
    held = []
    with tempfile.TemporaryDirectory(prefix="many-") as name:
        base = Path(name)
        for part in range(10):
            source = base / f"in{part}"
            make_pictures(source, count // 10, seed=part)
            result = restore_folder(source, base / f"out{part}", model=restorer, device="cpu")
            assert len(result.failed) == 0, result.failed
            gc.collect()
            held.append(psutil.Process().memory_info().rss)
    return held


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    held = memory_over(count)
    growth = max(held[1:]) - held[0]
    print(f"{count} pictures: MiB {[h >> 20 for h in held]}, grown by {growth / 2**20:.0f} MiB since the first tenth, "
          f"slope {np.polyfit(range(9), held[1:], 1)[0] / 2**20:.2f} MiB a tenth")  # fmt: skip
    return growth > SLACK


if __name__ == "__main__":
    sys.exit(main())
