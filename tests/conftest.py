"""Pictures for the tests: the bundled samples, and synthetic ones where only shapes matter; commands run inside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from made import pixels, save
from PIL import Image
from typer.testing import CliRunner, Result

torch.set_num_threads(1)  # small pictures: a second thread waits longer than it computes

SAMPLES = Path(__file__).parent.parent / "restore" / "samples"


@pytest.fixture
def photo() -> np.ndarray:
    """A real photograph, 256 x 384 x 3 uint8."""
    return np.asarray(Image.open(SAMPLES / "cat.png"))


@pytest.fixture
def photo_tensor(photo: np.ndarray) -> torch.Tensor:
    """The same as 1 x 3 x 256 x 384 float32."""
    return torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float() / 255


@pytest.fixture
def samples() -> Path:
    """The folder of bundled photographs."""
    return SAMPLES


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Five pictures of several kinds, two folders deep."""
    folder = tmp_path / "photos"
    save(folder / "a.png", pixels(20, 30, 3))
    save(folder / "grey.png", pixels(21, 13, seed=1))
    save(folder / "sub/a.png", pixels(8, 9, 3, seed=2))
    save(folder / "sub/deep/alpha.png", pixels(17, 12, 4, seed=3))
    save(folder / "sub/deep/wide.png", pixels(11, 40, seed=4, dtype=np.uint16))
    (folder / "notes.txt").write_text("not a picture")
    return folder


@pytest.fixture
def command() -> Callable[..., Result]:
    """``command(function, *arguments)`` runs a command with its outputs apart."""

    def run(function: Callable[..., None], *arguments: object) -> Result:
        app = typer.Typer()
        app.command()(function)
        return CliRunner().invoke(app, [str(a) for a in arguments])

    return run
