"""Which tests run a line: from one run of the suite under coverage, cheapest first."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

from coverage import CoverageData

# Seconds of tests for one fault; what is left out is told by the verdict "survived".
BUDGET = 20.0
# Test files for one fault, those that import its module first.
FILES = 6
# What a test is taken to need that was not there when the suite was measured.
LATER = 2.0
# Test files that try everything of a package.
WIDE = ("test_frozen", "test_seeds", "test_limits")


def measure(root: Path, folder: Path) -> None:
    """Runs the suite once; ``folder`` then holds contexts and durations."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "coveragerc"
    # By the folders themselves: what is reached through a link below `restore/` counts as outside of it.
    code = ", ".join(f"{root / name}/*" for name in ("restore", "models", "degradations"))
    settings.write_text(
        f"[run]\ninclude = {code}\ndynamic_context = test_function\ndata_file = {folder / 'data'}\n"
    )
    tests = ["-m", "pytest", "tests", "-q", "-p", "no:cacheprovider", f"--junitxml={folder / 'times.xml'}"]
    command = [sys.executable, "-m", "coverage", "run", f"--rcfile={settings}", *tests]
    subprocess.run(command, cwd=root, check=True)


class Covering:
    """Tests by line of the code.

    Args:
        folder: what :func:`measure` wrote.
        root: the repository as it is now, for modules that are imported and statements over several lines.
    """

    def __init__(self, folder: Path, root: Path) -> None:
        self.root = root
        self.data = CoverageData(str(folder / "data"))
        self.data.read()
        self.files = list(self.data.measured_files())
        self.seconds: dict[str, float] = defaultdict(float)
        for case in ElementTree.parse(folder / "times.xml").iter("testcase"):
            module, name = case.get("classname", "").split(".")[-1], case.get("name", "").split("[")[0]
            self.seconds[f"{module}.{name}"] += float(case.get("time", 0))
        self.importing: dict[str, set[str]] = defaultdict(set)
        self.later: set[str] = set()  # tests that were written after the suite was measured
        for path in sorted((root / "tests").glob("test_*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom) and node.module:
                    for name in (node.module, *(f"{node.module}.{a.name}" for a in node.names)):
                        self.importing[name].add(path.stem)
                elif isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                    self.later |= {f"{path.stem}.{node.name}"} - self.seconds.keys()

    def tests(self, file: str, line: int) -> list[str]:
        """Addresses for pytest, together below ``BUDGET`` seconds and out of ``FILES`` files.

        A line that runs at import, or in a fixture, is covered by what runs anything of its module, and by the files
        that import it. Later tests count where they import the module or its package.
        """
        module = "restore." + file.removeprefix("restore/").removesuffix(".py").replace("/", ".")
        by_line: dict[int, list[str]] = {}
        for measured in self.files:
            if measured.endswith("/" + file):
                by_line = self.data.contexts_by_lineno(measured)
        first, last = statement(self.root / file, line)
        found = {c for k in range(first, last + 1) for c in by_line.get(k, ()) if c}
        if not found:
            found = {c for contexts in by_line.values() for c in contexts if c}
            found |= {t for t in self.seconds if t.split(".")[0] in self.importing[module]}
        own, near = self.importing[module], self.importing[module.rpartition(".")[0]]
        found |= {t for t in self.later if t.split(".")[0] in {*own, *near, *WIDE}}

        def place(test: str) -> tuple[int, float]:
            """First what is about the module; importing every other test file costs more than the tests."""
            file = test.split(".")[0]
            first = 0 if file in own else 1 if file in WIDE else 2 if file in near else 3
            return first, self.seconds.get(test, LATER)

        chosen: list[str] = []
        total, files = 0.0, set()
        for test in sorted(found, key=place):
            path = test.split(".")[0]
            if len(files | {path}) > FILES or (chosen and total + place(test)[1] > BUDGET):
                continue
            files.add(path)
            total += place(test)[1]
            chosen.append("tests/{}.py::{}".format(*test.split(".", 1)))
        return [address for address in chosen if self._is_there(address)]

    def _is_there(self, address: str) -> bool:
        path, name = address.split("::")
        return (self.root / path).exists() and f"def {name}(" in (self.root / path).read_text()


def statement(path: Path, line: int) -> tuple[int, int]:
    """First and last line of the smallest statement around ``line``; of a compound one, of its head."""
    best = (line, line)
    size = 1 << 30
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or 0):
            body = getattr(node, "body", None)
            last = body[0].lineno - 1 if body else node.end_lineno or node.lineno
            if line <= last and last - node.lineno < size:
                best, size = (node.lineno, last), last - node.lineno
    return best
