"""Kills folder runs at random moments, goes on, and compares with a run that nobody disturbed.

    PYTHONPATH=tests python -m torture.kills KILLS SEED [--what run|degrade] [--command]

After every kill, what stands under its final name must be what the undisturbed run wrote; nothing that stood there
before may be missing or written again; no source may change. After a run that ends, nothing may lie about.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

State = dict[str, tuple[bytes, int, int]]


def make_pictures(folder: Path, count: int, seed: int) -> None:
    """``count`` small pictures in five formats, in two folders."""
    r = np.random.default_rng(seed)
    for index in range(count):
        path = folder / str(index % 2) / f"{index:03d}{('.png', '.jpg', '.webp', '.tif', '.bmp')[index % 5]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        side = int(r.integers(20, 70))
        values = np.linspace(0, 200, side)[:, None, None] + r.normal(0, 20, (side, side + 5, 3))
        Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(path)


def state(out: Path) -> State:
    """Bytes, inode and time of everything under a final name."""
    found = [p for p in out.rglob("*") if p.is_file() and not p.name.startswith(".")]
    return {
        p.relative_to(out).as_posix(): (p.read_bytes(), p.stat().st_ino, p.stat().st_mtime_ns) for p in found
    }


def start(what: str, source: Path, out: Path, *, command: bool) -> int:
    """A child that does the folder."""
    params = out.with_name(f"{out.name}.jsonl")
    if command:
        words = ["-m", "median:size=3", "--threads", "1"]
        if what == "degrade":
            words = ["-d", "noise:sigma=25", "--params", str(params)]
        line = [sys.executable, "-m", "restore", what, str(source), "-o", str(out), *words]
        return subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).pid
    child = os.fork()
    if child == 0:
        code = 3
        try:
            from restore.folder import degrade_folder, restore_folder

            if what == "degrade":
                degrade_folder(source, out, degradation="noise:sigma=25", params=params)
            else:
                restore_folder(source, out, model="median:size=3", device="cpu")
            code = 0
        finally:
            os._exit(code)
    return child


def wait(child: int, seconds: float | None) -> int | None:
    """Its exit status; None where it had to be killed."""
    end = time.monotonic() + (3600 if seconds is None else seconds)
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            return None if code < 0 else code
        time.sleep(0.0005)


def kill_runs(
    kills: int, seed: int, *, what: str = "run", command: bool = False, pictures: int = 30
) -> dict[str, Any]:
    """What happened: ``{"kills", "finished", "found"}``."""
    if not command:
        import torch

        import restore.folder.degrade
        import restore.folder.restore  # noqa: F401

        torch.set_num_threads(1)
    r = random.Random(seed)
    found: Counter[str] = Counter()
    done = finished = 0
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        source, whole, out = (Path(name) / part for part in ("in", "whole", "out"))
        make_pictures(source, pictures, seed)
        given = {p: p.read_bytes() for p in source.rglob("*") if p.is_file()}
        began = time.monotonic()
        if wait(start(what, source, whole, command=command), None) != 0:
            raise SystemExit("the undisturbed run failed")
        length = time.monotonic() - began
        right = {k: v[0] for k, v in state(whole).items()}
        before: State = {}
        while done < kills:
            # Half of them early, where least is finished.
            code = wait(start(what, source, out, command=command), length * r.random() * r.choice((0.4, 1.1)))
            now = state(out) if out.exists() else {}
            done += code is None
            found["strange"] += len(now.keys() - right.keys())
            found["half"] += sum(v[0] != right[k] for k, v in now.items() if k in right)
            found["lost"] += len(before.keys() - now.keys())
            found["done twice"] += sum(now[k][1:] != v[1:] for k, v in before.items() if k in now)
            before = now
            if code is not None:
                finished += 1
                found["end"] += (code != 0) + (now.keys() != right.keys())
                left = [
                    p for p in out.rglob(".*") if p.is_file() and not p.name.startswith(".restore-manifest")
                ]
                found["left about"] += len(left)
                if what == "degrade":
                    params = [p.with_name(f"{p.name}.jsonl").read_bytes() for p in (whole, out)]
                    found["parameters"] += params[0] != params[1]
                shutil.rmtree(out)
                before = {}
        found["input"] += sum(p.read_bytes() != data for p, data in given.items())
    return {"kills": done, "finished": finished, "found": {k: v for k, v in found.items() if v}}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kills", type=int)
    parser.add_argument("seed", type=int)
    parser.add_argument("--what", choices=("run", "degrade"), default="run")
    parser.add_argument("--command", action="store_true", help="the command itself, imports included")
    args = parser.parse_args()
    told = kill_runs(args.kills, args.seed, what=args.what, command=args.command)
    print(json.dumps({"seed": args.seed, "what": args.what, "command": args.command, **told}))
    return bool(told["found"])


if __name__ == "__main__":
    sys.exit(main())
