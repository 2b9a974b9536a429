"""The shape of the house: floors, packaging, import time, names that must not leak."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
FLOORS = [
    {"errors", "version"},
    {"image", "names"},
    {"files", "runtime", "resample", "convolve"},
    {"models", "degradations", "classical"},
    {"data", "losses", "metrics", "report", "tiling", "engines"},
    {"inverse", "diagnosis"},
    {"restorers"},
    {"folder", "bench", "train", "downstream"},
    {"api"},
    {"tools"},
]
LEVEL = {name: level for level, names in enumerate(FLOORS) for name in names}


def sources() -> list[Path]:
    folders = ("restore", "models", "degradations", "tools")
    found = {p.resolve() for f in folders for p in (ROOT / f).rglob("*.py")}
    return sorted(p.relative_to(ROOT) for p in found)


def room(path: Path) -> str:
    parts = path.with_suffix("").parts
    return parts[1] if parts[0] == "restore" else parts[0]


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "restore":
            parts = node.module.split(".")
            rooms |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            rooms |= {a.name.split(".")[1] for a in node.names if a.name.startswith("restore.")}
    return rooms


def test_imports_only_go_down() -> None:
    wrong = []
    for path in sources():
        here = room(path)
        if here in ("__init__", "__main__"):
            continue
        for there in imported_rooms(path) - {here, "__version__"}:
            if LEVEL[there] >= LEVEL[here]:
                wrong.append(f"{path} ({here}) imports {there}")
    assert not wrong, "\n".join(wrong)


def test_every_package_is_listed() -> None:
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    listed = set(setup["packages"])
    present = set()
    for path in sources():
        if path.name == "__init__.py":
            parts = path.parent.parts
            present.add(".".join(parts if parts[0] == "restore" else ("restore", *parts)))
    assert listed == present


def test_import_is_quick_and_needs_no_torch() -> None:
    code = (
        "import sys, time; t = time.perf_counter(); import restore; restore.__version__;"
        "print(time.perf_counter() - t, 'torch' in sys.modules, 'restore' in dir(restore) or 'load' in dir(restore))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert float(out[0]) < 0.5 and out[1:] == ["False", "True"]


def test_nothing_names_the_place_it_was_written_in() -> None:
    words = ["/" + "work/", "../" + "shared", "pypi" + ".org", "python" + "hosted"]
    for path in [*sources(), *(p.relative_to(ROOT) for p in ROOT.glob("*.md"))]:
        text = (ROOT / path).read_text()
        assert not [w for w in words if w in text], path


def test_every_command_that_is_printed_can_be_run() -> None:
    """``python -m restore.x`` in code, pages, cards and results names a module that runs as a command."""
    folders = ("restore", "models", "degradations", "tools")
    kinds = {".md", ".json", ".toml", ".py"}
    pages = [p for f in folders for p in (ROOT / f).rglob("*") if p.suffix in kinds]
    named: set[str] = set()
    for path in [*pages, *ROOT.glob("*.md")]:
        named |= set(re.findall(r"python -m restore\.([a-z0-9_.]*[a-z0-9_])(?!\.?\w)", path.read_text()))
    runnable = {
        ".".join(p.with_suffix("").parts).removeprefix("restore.")
        for p in sources()
        if '__name__ == "__main__"' in (ROOT / p).read_text()
    }
    assert len(named) > 5
    assert named <= runnable, named - runnable


def test_the_wheel_holds_code_weights_and_samples(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("restore_kit-*-py3-none-any.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    for path in sources():
        assert (path if path.parts[0] == "restore" else Path("restore", *path.parts)).as_posix() in held
    for name in ("denoise", "noise-level"):
        for part in ("recipe.toml", "weights.safetensors", "card.md"):
            assert f"restore/models/zoo/{name}/{part}" in held
    assert {"restore/report/page.css", "restore/report/page.js"} <= held
    assert "restore/samples/cat.png" in held and "restore/py.typed" in held
    tops = {name.split("/")[0] for name in held}
    assert tops == {"restore", next(t for t in tops if t.endswith(".dist-info"))}
