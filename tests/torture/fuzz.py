"""Reads and writes damaged picture files in a child that is watched, and folders of them by the command.

    PYTHONPATH=tests python -m torture.fuzz COUNT SEED [--command] [--only INDEX] [--keep FOLDER]

A finding is: a crash; no end after 5 s of the processor (or a minute); an exception that is no RestoreError; over
1 GiB; a word on stdout or stderr; a changed input; a file that lies about; a picture that was read but cannot be
written like it came, or comes back different from a lossless file; half a picture taken for a whole one; a reason
that is a mistake of Python's.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torture.damage import damaged
from torture.specimens import specimens

SECONDS, MINUTE, MEMORY = 5.0, 60.0, 1 << 30
OURS = (AttributeError, NameError, AssertionError, RecursionError, UnboundLocalError)
LOSSLESS = (".png", ".bmp", ".tif")


def fuzz(seed: int, indices: Sequence[int], *, keep: Path | None = None) -> list[dict[str, Any]]:
    """What became of every file: ``{"index", "outcome", "found"}``."""
    import restore.files.decode
    import restore.files.encode  # noqa: F401  # before children are forked, so that none imports again

    specimens()
    told: list[dict[str, Any]] = []
    rest = list(indices)
    while rest:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            done = _watched(seed, rest, Path(folder))
        told += done
        rest = rest[len(done) :]
    for one in told:
        if keep is not None and one["found"]:
            keep.mkdir(parents=True, exist_ok=True)
            case = damaged(seed, one["index"])
            (keep / f"{'-'.join(one['found'])}-{seed}-{one['index']}{case.suffix}").write_bytes(case.data)
    return told


def _watched(seed: int, indices: list[int], folder: Path) -> list[dict[str, Any]]:
    """As far as one child comes; the file that it hangs or dies at is the last one."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reads)
        try:
            _child(seed, indices, folder, writes)
        finally:
            os._exit(0)
    os.close(writes)
    told, buffer, why = [], b"", "crash"
    last, used = time.monotonic(), 0.0
    while True:
        ready, _, _ = select.select([reads], [], [], 0.2)
        chunk = os.read(reads, 1 << 16) if ready else b""
        if ready and not chunk:
            break
        *lines, buffer = (buffer + chunk).split(b"\n")
        told += map(json.loads, lines)
        if lines:
            last, used = time.monotonic(), _processor(child)
        if _processor(child) - used > SECONDS or time.monotonic() - last > MINUTE:
            why = "hang"
            os.kill(child, signal.SIGKILL)
            break
    os.close(reads)
    _, status = os.waitpid(child, 0)
    if len(told) < len(indices):
        code = os.waitstatus_to_exitcode(status)
        told.append({"index": indices[len(told)], "outcome": why, "found": [why], "said": f"exit {code}"})
    return told


def _processor(child: int) -> float:
    """Seconds of the processor that a child has had; a busy machine is nobody's fault."""
    fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _child(seed: int, indices: list[int], folder: Path, pipe: int) -> None:
    """A line of JSON for each file."""
    resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("always")
    (folder / "in").mkdir()
    (folder / "out").mkdir()
    said = (folder / "said").open("w+b")
    for stream in (1, 2):
        os.dup2(said.fileno(), stream)
    for index in indices:
        case = damaged(seed, index)
        source = folder / "in" / f"a{case.suffix}"
        source.write_bytes(case.data)
        told: dict[str, Any] = {"index": index, "outcome": "", "found": []}
        _reset_peak()
        before = _peak()
        _one(case, source, folder, told)
        if _peak() - before > MEMORY:
            told["found"].append("memory")
        sys.stdout.flush()
        sys.stderr.flush()
        if said.tell() or said.seek(0, os.SEEK_END):
            said.seek(0)
            told["found"].append("words")
            told["said"] = said.read().decode(errors="replace")[-300:]
        said.seek(0)
        said.truncate()
        if source.read_bytes() != case.data:
            told["found"].append("input")
        made = [p for p in (folder / "in", folder / "out") for p in p.iterdir()]
        if {p.name for p in made} != {source.name}:
            told["found"].append("left about")
        for path in made:
            path.unlink()
        os.write(pipe, json.dumps(told).encode() + b"\n")


def _one(case: Any, source: Path, folder: Path, told: dict[str, Any]) -> None:
    import numpy as np

    from restore.errors import RestoreError
    from restore.files import read_picture, write_picture

    target = folder / "out" / source.name
    try:
        picture = read_picture(source)
        told["outcome"] = "read"
        if set(case.done) == {"cut"}:
            whole = folder / f"whole{case.suffix}"
            whole.write_bytes(case.original)
            if not np.array_equal(read_picture(whole).pixels, picture.pixels):
                told["found"].append("half")
        write_picture(target, picture)
        told["outcome"] = "written"
        again = read_picture(target).pixels
        if case.suffix in LOSSLESS and picture.format in ("PNG", "BMP", "TIFF"):
            alike = again.dtype == picture.pixels.dtype
            if not (alike and np.array_equal(again, picture.pixels, equal_nan=again.dtype.kind == "f")):
                told["found"].append("differs")
        if target.parent.exists():
            target.replace(source.with_suffix(".out"))
            source.with_suffix(".out").unlink()
    except RestoreError as error:
        told["said"] = error.message[-300:]
        if told["outcome"] == "read":
            told["found"].append("unwritten")
        elif told["outcome"] == "written":
            told["found"].append("unreadable")
        told["outcome"] = told["outcome"] or "refused"
        if isinstance(error.__cause__, OURS):
            told["found"].append("mistake")
    except BaseException as error:
        told["said"] = f"{type(error).__name__}: {error}"[:300]
        told["found"].append("memory" if isinstance(error, MemoryError) else "traceback")


def _peak() -> int:
    with Path("/proc/self/status").open() as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))


def _reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def fuzz_command(seed: int, count: int, *, restorer: str = "median:size=3") -> dict[str, Any]:
    """A folder of damaged files through ``restore run``: each is written, or named with its reason."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name)
        cases = [damaged(seed, index) for index in range(count)]
        (folder / "in").mkdir()
        for index, case in enumerate(cases):
            (folder / "in" / f"{index:05d}{case.suffix}").write_bytes(case.data)
        command = [sys.executable, "-m", "restore", "run", str(folder / "in"), "-o", str(folder / "out")]
        command += ["-m", restorer, "--threads", "1", "--json", str(folder / "told.json")]
        found: list[str] = []
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=60 + count
            )
        except subprocess.TimeoutExpired:
            return {"outcome": "hang", "found": ["hang"]}
        if done.returncode not in (0, 1):
            found.append("crash")
        if "Traceback" in done.stderr or "mistake of ours" in done.stderr:
            found.append("traceback")
        made = {
            p.name for p in (folder / "out").rglob("*") if p.is_file() and not p.name.startswith(".restore")
        }
        given = {f"{index:05d}{case.suffix}" for index, case in enumerate(cases)}
        named = {name for name in given if name in done.stderr + done.stdout}
        if made - given or given - made - named:
            found.append("left about" if made - given else "not named")
        if any((folder / "in" / f"{i:05d}{c.suffix}").read_bytes() != c.data for i, c in enumerate(cases)):
            found.append("input")
        return {
            "outcome": f"exit {done.returncode}",
            "found": found,
            "written": len(made),
            "said": done.stderr[-300:],
        }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("count", type=int)
    parser.add_argument("seed", type=int)
    parser.add_argument("--command", action="store_true", help="through `restore run`, all in one folder")
    parser.add_argument("--only", type=int, help="one file again")
    parser.add_argument("--keep", type=Path, help="where files with findings are put")
    args = parser.parse_args()
    if args.command:
        told = [fuzz_command(args.seed, args.count)]
    else:
        indices = range(args.count) if args.only is None else [args.only]
        told = fuzz(args.seed, indices, keep=args.keep)
    bad = [one for one in told if one["found"]]
    for one in bad:
        print(json.dumps(one))
    outcomes = dict(Counter(one["outcome"] for one in told))
    print(
        f"seed {args.seed}: {outcomes}, {len(bad)} findings {dict(Counter(f for one in bad for f in one['found']))}"
    )
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
