"""Names of files do nothing where they are shown: on a terminal, in a table, on a page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restore.names import show_lines, show_name
from restore.report import Column, html_page, look_at, markdown_table
from restore.report.page import Table

EVIL = (
    "\x1b]0;owned\x07\x1b[31mred.png",
    "new\nline.png",
    "back\rover.png",
    "\u202egnp.exe.png",
    "\x9b31mc1.png",
    "\u2028line.png",
)
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def test_harmless_and_still_told_apart() -> None:
    shown = [show_name(name) for name in EVIL]
    assert not any(RAW.search(name) or "\n" in name for name in shown) and len(set(shown)) == len(EVIL)
    for name in ("Grüße.png", "日本語 — x.png", "Screenshot 9.41\u202fAM.png", "a\\b.png", "[bold]x[[.png"):
        assert show_name(name) == name
    assert show_name(os.fsdecode(b"\xff.png")) == "\\udcff.png"
    assert show_name(Path("a") / EVIL[1]) == "a/new\\nline.png"
    assert show_lines("one\n  \x1b[2Jtwo") == "one\n  \\x1b[2Jtwo"


@pytest.mark.parametrize("name", EVIL)
def test_tables_and_pages(name: str) -> None:
    rows, columns = [{"image": name}], (Column("image", "picture"),)
    table = markdown_table(rows, columns)
    page = html_page(
        name,
        notes=[name],
        tables=[Table(name, rows, columns)],
        comparisons=[look_at(name, [(name, np.zeros((8, 8, 3), np.uint8))], findings=[name], note=name)],
        facts={name: name},
    )
    assert table.count("\n") == 3 and not RAW.search(table) and not RAW.search(page)
    assert name not in page


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit code, and what reached the terminal by both ways."""
    done = subprocess.run(
        [sys.executable, "-m", "restore", *arguments], cwd=folder, capture_output=True, check=False
    )
    return done.returncode, (done.stdout + done.stderr).decode("utf-8")


def test_every_folder_command_shows_them_harmlessly(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in EVIL[:4]:
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (24, 24, 3), dtype=np.uint8)).save(
            folder / name, "PNG"
        )
    (folder / "\x1b[2Jbroken\n.png").write_bytes(b"no picture")
    for arguments, lines in (
        (("run", "in", "-o", "out", "-m", "median", "--dry-run"), 5),
        (("run", "in", "-o", "out", "-m", "median"), 5),
        (("run", "in", "-o", "out", "-m", "nothing\x1b[31m"), 0),
        (("compare", "in", "out", "--markdown", "-"), 5),
        (("run", "in", "in/\x1b[2Jbroken\n.png", "-o", "in"), 0),
    ):
        code, told = run(tmp_path, *arguments)
        assert code in (0, 1, 2) and "mistake" not in told
        assert not RAW.search(told), arguments
        assert not any(line.startswith(("line.png", ".png")) for line in told.splitlines())
        assert told.count("\\x1b") >= min(lines, 1)
