"""Plants faults in the core, one at a time, and counts how many of them the tests catch.

    PYTHONPATH=tests python -m torture.mutants --measure         # once: which tests run a line (the suite, covered)
    PYTHONPATH=tests python -m torture.mutants [--again] [--all] # tries the faults of tests/torture/mutants.tsv
    PYTHONPATH=tests python -m torture.mutants --draw --seed 22 --count 150   # another list of faults

The faults are those of cosmic-ray and of ``operators.py``, as many of each kind; every one is tried in a copy of the
repository, against the tests that run its line. The list is fixed: a fault is found again by its file and by what its
line said. A row that says "equivalent" was looked at by somebody, and says why.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator

from torture.covering import Covering, measure
from torture.operators import KINDS

ROOT = Path(__file__).parents[2]
CORE = ("degradations", "models", "restore/classical", "restore/losses", "restore/metrics", "restore/train",
        "restore/inverse", "restore/downstream/statistics", "restore/restorers")  # fmt: skip
COLUMNS = ("kind", "file", "line", "before", "after", "verdict", "by")


@dataclass(frozen=True)
class Mutant:
    """One fault: the ``occurrence``-th place of an operator in a file."""

    kind: str
    file: str
    operator: Any
    occurrence: int
    line: int

    def code(self, root: Path) -> str | None:
        """The file with the fault; None where nothing differs."""
        source = (root / self.file).read_text()
        made = mutate_code(source, self.operator(), self.occurrence)
        return made if made != source else None

    def row(self, root: Path) -> dict[str, str]:
        """What differs, as a row of the table."""
        old, new = (root / self.file).read_text().splitlines(), (self.code(root) or "").splitlines()
        at = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), self.line - 1)
        return {"kind": self.kind, "file": self.file, "line": str(at + 1),
                "before": old[at].strip(), "after": new[at].strip() if new else ""}  # fmt: skip


def all_mutants(root: Path) -> Iterator[Mutant]:
    """Every fault there is, in the order of files and places."""
    for folder in CORE:
        for path in sorted((root / folder).rglob("*.py")):
            yield from mutants_of(root, path)


def mutants_of(root: Path, path: Path) -> Iterator[Mutant]:
    """Every fault of one file."""
    nodes = list(ast_nodes(get_ast(path.read_text())))
    for kind, operators in KINDS.items():
        for entry in operators:
            operator = get_operator(entry) if isinstance(entry, str) else entry
            count = 0
            for node in nodes:
                for start, _ in operator().mutation_positions(node):
                    if not is_arid(node):
                        yield Mutant(kind, path.relative_to(root).as_posix(), operator, count, start[0])
                    count += 1


def is_arid(node: Any) -> bool:
    """Whether a fault here would change nothing that is computed: how arguments are passed, the author's guards."""
    if node.parent is None:
        return False
    named = node.parent.children[0].get_code().strip() if node.parent.type == "argument" else ""
    return (node.parent.type in ("parameters", "param") and node.type == "operator") or named in (
        "strict",
        "frozen",
    )


def draw(root: Path, *, count: int, seed: int) -> list[Mutant]:
    """``count`` faults, as many of each kind as there are."""
    r = random.Random(seed)
    piles: dict[str, list[Mutant]] = {kind: [] for kind in KINDS}
    for mutant in all_mutants(root):
        piles[mutant.kind].append(mutant)
    for pile in piles.values():
        r.shuffle(pile)
    drawn: list[Mutant] = []
    while len(drawn) < count and any(piles.values()):
        for pile in piles.values():
            while pile and len(drawn) < count:
                mutant = pile.pop()
                if mutant.code(root) is not None:
                    drawn.append(mutant)
                    break
    return drawn


def try_tests(copy: Path, tests: list[str], *, seconds: float) -> tuple[str, str]:
    """("caught", "survived" or "", by what) in a child that has imported everything but our own code already."""
    if not tests:
        return "survived", "no test runs it"
    said = copy / "said.txt"
    child = os.fork()
    if child == 0:
        code = 70
        try:
            out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(out, 1)
            os.dup2(out, 2)
            resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 5))
            os.chdir(copy)
            os.environ["PYTHONPATH"] = str(copy)
            sys.dont_write_bytecode = True
            sys.path[:] = [str(copy), *(p for p in sys.path if not p.startswith(str(ROOT)))]
            import pytest

            code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--tb=line", *tests]))
        finally:
            sys.stdout.flush()
            os._exit(code)
    _, told = os.waitpid(child, 0)
    status = os.waitstatus_to_exitcode(told)
    if status == -signal.SIGXCPU:
        return "caught", f"no end after {seconds:.0f} s of the processor"
    text = said.read_text(errors="replace")
    failed = re.search(r"^(?:FAILED|ERROR) (?:tests/)?(\S+)", text, re.MULTILINE)
    if status == 0:
        return "survived", f"{len(tests)} tests"
    if status == 4 and "while loading conftest" in text:
        return "caught", "nothing can be imported"
    if status in (4, 5):
        return "", f"pytest found no test (exit {status})"
    return "caught", failed.group(1).split(" ")[0] if failed else f"exit {status}"


def preload() -> None:
    """What the tests import of others, once for all children."""
    import cv2
    import piq
    import pytest
    import safetensors
    import scipy.optimize
    import scipy.stats
    import skimage.data
    import skimage.metrics
    import torch
    import torchmetrics
    import torchvision  # noqa: F401
    import typer.testing  # noqa: F401

    torch.set_num_threads(1)
    assert cv2 and piq and pytest and safetensors and scipy and skimage and torchmetrics


def found_again(root: Path, row: dict[str, str]) -> Mutant | None:
    """The fault of a row, wherever its line is by now; None where no line says that any more."""
    near: list[tuple[int, Mutant]] = []
    if (root / row["file"]).exists():
        for mutant in mutants_of(root, root / row["file"]):
            if mutant.kind == row["kind"]:
                near.append((abs(mutant.line - int(row["line"])), mutant))
    for _, mutant in sorted(near, key=lambda pair: pair[0]):
        if mutant.code(root) is not None and key(mutant.row(root)) == key(row):
            return mutant
    return None


def run(table: Path, coverage: Path, *, within: str, wanted: Callable[[str], bool], seconds: float) -> None:
    """Tries the faults of the table whose verdict is ``wanted``, and writes the table after each."""
    rows = read(table)
    preload()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = Path(folder) / "copy"
        skip = shutil.ignore_patterns(".git", ".venv", "*_cache", "build", "runs")
        shutil.copytree(ROOT, copy, symlinks=True, ignore=skip)
        covering = Covering(coverage, copy)
        for number, row in enumerate(rows):
            if not row["file"].startswith(within) or not wanted(row["verdict"]):
                continue
            mutant = found_again(ROOT, row)
            if mutant is None:
                row["verdict"], row["by"] = "gone", "no line says this any more"
                continue
            row["line"] = mutant.row(ROOT)["line"]
            path = copy / mutant.file
            source, stat = path.read_text(), path.stat()
            path.write_text(mutant.code(ROOT) or source)
            began = time.monotonic()
            tests = covering.tests(mutant.file, int(row["line"]))
            row["verdict"], row["by"] = try_tests(copy, tests, seconds=seconds)
            path.write_text(source)
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # what is compiled stays valid
            print(f"{number + 1}/{len(rows)} {time.monotonic() - began:5.1f} s {row['verdict']} {row['kind']} "
                  f"{row['file']}:{row['line']} {row['after'][:50]} | {row['by'][:60]}", flush=True)  # fmt: skip
            write(table, rows)
    write(table, rows)


def key(row: dict[str, str]) -> tuple[str, str, str]:
    """A fault is the same as long as its line says the same."""
    return row["file"], row["before"], row["after"]


def read(table: Path) -> list[dict[str, str]]:
    """The rows of the table, none where there is no table."""
    if not table.exists():
        return []
    with table.open(newline="") as file:
        return list(csv.DictReader((line for line in file if not line.startswith("#")), delimiter="\t"))


def write(table: Path, rows: list[dict[str, str]]) -> None:
    """The rows as tab-separated values."""
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=22)
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument(
        "--measure", action="store_true", help="run the suite under coverage, and nothing else"
    )
    parser.add_argument("--coverage", type=Path, default=ROOT / "build" / "mutants")
    parser.add_argument("--table", type=Path, default=Path(__file__).with_name("mutants.tsv"))
    parser.add_argument("--draw", action="store_true", help="write a new list of faults, and nothing else")
    parser.add_argument("--within", default="", help="faults of files that begin so alone")
    parser.add_argument("--again", action="store_true", help="those that survived as well")
    parser.add_argument("--all", action="store_true", help="all of them, but for those that are equivalent")
    parser.add_argument(
        "--seconds", type=float, default=120.0, help="of the processor; a fault without end is caught"
    )
    args = parser.parse_args()
    if args.measure:
        measure(ROOT, args.coverage)
        return
    if args.draw:
        drawn = draw(ROOT, count=args.count, seed=args.seed)
        write(args.table, [{**m.row(ROOT), "verdict": "", "by": ""} for m in drawn])
        return

    def wanted(verdict: str) -> bool:
        return (
            verdict == "" or (args.again and verdict == "survived") or (args.all and verdict != "equivalent")
        )

    run(args.table, args.coverage, within=args.within, wanted=wanted, seconds=args.seconds)
    counts = Counter(row["verdict"] for row in read(args.table))
    real = counts["caught"] + counts["survived"]
    print(
        dict(counts),
        f"caught {counts['caught']} of {real} that are not equivalent: {counts['caught'] / max(1, real):.1%}",
    )


if __name__ == "__main__":
    main()
