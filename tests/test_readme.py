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


def commands(text: str = README) -> list[str]:
    return [line[2:] for line in text.splitlines() if line.startswith("$ ")]


SECTIONS = {
    part.split("\n", 1)[0]: wanted for part in README.split("\n## ")[1:] if (wanted := commands(part))
}
# What must lie there afterwards, of a section's commands.
MADE = {
    "Restore a folder": ["out/noisy.jpg", "page.html", "maps/noisy.jpg.interval.png"],
    "Degrade, and prove": ["report.html", "gallery.png", "again/cat.png"],
    "When you know what happened": ["steady/cat.png", "inverted/cat.png"],
    "Should it stand before a classifier?": ["judged.json"],
    "Train": ["runs/mine/best.safetensors", "runs/light/averaged.safetensors"],
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder as the README assumes it: ``photos/`` and ``clean/`` with small pictures."""
    home = tmp_path
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


def test_every_command_stands_in_a_section() -> None:
    assert sum(map(len, SECTIONS.values())) == len(commands()) - 2 and set(MADE) == set(SECTIONS)


@pytest.mark.parametrize("section", SECTIONS)
def test_commands_run_as_printed(section: str, place: Path) -> None:
    for command in SECTIONS[section]:
        words = shlex.split(command)
        assert words[0] == "restore", command
        done = subprocess.run([sys.executable, "-m", *words], cwd=place, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
    for name in MADE[section]:
        assert (place / name).exists(), name
    if "again/cat.png" in MADE[section]:
        for name in ("cat.png", "coffee.png"):
            assert (place / "noisy" / name).read_bytes() == (place / "again" / name).read_bytes()


def test_python_runs_as_printed(place: Path) -> None:
    for block in blocks("python"):
        done = subprocess.run([sys.executable, "-c", block], cwd=place, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
