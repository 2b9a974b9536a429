"""Every command and every line of Python in the README runs as printed."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


def commands() -> list[str]:
    return [line[2:] for block in blocks("console") for line in block.splitlines() if line.startswith("$ ")]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the README assumes it: ``photos/`` and ``clean/`` with small pictures."""
    home = tmp_path_factory.mktemp("readme")
    for name in ("photos", "clean"):
        (home / name).mkdir()
        for sample in ("cat", "coffee", "rocket"):
            picture = Image.open(ROOT / "restore" / "samples" / f"{sample}.png")
            size = (192, 176) if name == "photos" else (96, 80)
            picture.crop((60, 20, 60 + size[0], 20 + size[1])).save(home / name / f"{sample}.png")
    noisy = np.asarray(Image.open(home / "photos" / "cat.png")).astype(float)
    noisy += np.random.default_rng(0).normal(0, 20, noisy.shape)
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(home / "photos" / "noisy.jpg", quality=95)
    return home


def test_begins_with_the_two_commands() -> None:
    assert commands()[:3] == ["make demo", "make test", "restore run photos/ -o out/"]
    for target in ("demo", "test"):
        subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)


def test_commands_run_as_printed(place: Path) -> None:
    wanted = [c for c in commands() if not c.startswith("make ")]
    assert len(wanted) >= 12
    for command in wanted:
        words = shlex.split(command)
        assert words[0] == "restore", command
        done = subprocess.run([sys.executable, "-m", *words], cwd=place, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
    assert (place / "out" / "noisy.jpg").exists() and (place / "report.html").exists()
    for name in ("cat.png", "coffee.png"):
        assert (place / "noisy" / name).read_bytes() == (place / "again" / name).read_bytes()


def test_python_runs_as_printed(place: Path) -> None:
    for block in blocks("python"):
        done = subprocess.run([sys.executable, "-c", block], cwd=place, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
