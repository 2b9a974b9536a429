"""Opens files through the doors that users' files come in by, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

# Resident memory above what importing takes, and processor seconds, that a refusal may cost.
MOST_MEMORY = 1 << 30
MOST_SECONDS = 5.0
_DOORS = """
import json, os, resource, sys, time, warnings
warnings.simplefilter("ignore")
from pathlib import Path
import torch
import restore
from restore.errors import RestoreError
from restore.models.generator_files import load_generator
from restore.downstream.classifiers.load import load_classifier
from restore.files.psf import read_psf
from restore.inverse.known import open_known
import spandrel, onnx, onnxruntime
DOORS = {
    "-m": lambda p: restore.load(str(p))(torch.rand(3, 40, 44)),
    "--generator": load_generator,
    "-c": lambda p: load_classifier(str(p))(torch.rand(1, 3, 32, 32)),
    "psf": read_psf,
    "--operator": lambda p: open_known(p).of("a.png", torch.rand(1, 3, 8, 8)),
}
torch.set_num_threads(1)
for line in sys.stdin:
    door, path = json.loads(line)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (20, 21))
        resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30))
        memory, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        try:
            DOORS[door](Path(path))
            kind, text = "read", ""
        except RestoreError as error:
            kind, text = "refused", str(error)
        except BaseException as error:
            kind, text = type(error).__name__, str(error)
        peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) * 1024
        os.write(writer, json.dumps([kind, text[:500], time.process_time() - began, peak]).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        said = answer.read()
    status = os.waitpid(child, 0)[1]
    print(said.decode() or json.dumps([f"died {status}", "", 99, 0]), flush=True)
"""
Answer = tuple[str, str, float, int]


class Doors:
    """A process that has imported everything, and opens each file in a child of its own."""

    def __init__(self, root: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _DOORS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def open(self, door: str, path: Path) -> Answer:
        """What became of it, in which words, processor seconds, and bytes of memory beyond those of importing."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps([door, str(path)]) + "\n")
        self._process.stdin.flush()
        kind, text, seconds, memory = json.loads(self._process.stdout.readline())
        return kind, text, seconds, memory

    def close(self) -> None:
        self._process.communicate(timeout=60)
