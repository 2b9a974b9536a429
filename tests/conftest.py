"""Pictures for the tests: the bundled samples, and synthetic ones where only shapes matter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

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
