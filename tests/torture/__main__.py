"""Everything, one after the other; ends with 1 if anything was found.

PYTHONPATH=tests python -m torture [--seeds 1 2 3] [--files 10000] [--kills 200] [--training 50] [--pictures 1000]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--files", type=int, default=10_000, help="damaged files, at each seed")
    parser.add_argument(
        "--folder", type=int, default=600, help="damaged files through the command, at each seed"
    )
    parser.add_argument("--kills", type=int, default=200, help="of folder runs, at each seed")
    parser.add_argument("--training", type=int, default=50, help="kills of a training, at each seed")
    parser.add_argument("--pictures", type=int, default=1000)
    given = parser.parse_args()
    todo = []
    for seed in map(str, given.seeds):
        todo += [
            ["fuzz", str(given.files), seed],
            ["fuzz", str(given.folder), seed, "--command"],
            ["kills", str(given.kills), seed],
            ["kills", str(given.kills), seed, "--what", "degrade"],
            ["kills", str(max(1, given.kills // 10)), seed, "--command"],
            ["training", str(given.training), seed],
        ]
    todo += [["hostile"], ["many", str(given.pictures)], ["sides"]]
    bad = 0
    for name, *words in todo:
        began = time.monotonic()
        print(f"== {name} {' '.join(words)}", flush=True)
        code = subprocess.run([sys.executable, "-m", f"torture.{name}", *words], check=False).returncode
        print(f"   {'found something' if code else 'nothing'}, {time.monotonic() - began:.0f} s", flush=True)
        bad += bool(code)
    print(f"{len(todo)} parts, {bad} with findings")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
