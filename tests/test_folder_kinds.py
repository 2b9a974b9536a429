"""Which files of a folder are pictures, and of what kind: their content tells, not their names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made import load, restore
from PIL import Image

from restore.files import read_picture


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)


def kind_of(path: Path) -> str:
    with Image.open(path) as image:
        return str(image.format)


@pytest.mark.parametrize("model", ["median", "nlm:sigma=0"])
def test_a_picture_is_written_in_its_own_format_whatever_its_name(tmp_path: Path, model: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    Image.fromarray(noise(24, 24, 4)).save(folder / "transparent.jpg", "PNG")
    Image.fromarray(noise(24, 24).astype(np.uint16) * 257).save(folder / "deep.jpg", "PNG")
    Image.fromarray(noise(24, 24, 4), "CMYK").save(folder / "inks.png", "JPEG")
    Image.fromarray(noise(24, 24, 3)).save(folder / "web.tif", "WEBP")
    Image.fromarray(noise(24, 24, 3)).save(folder / "scan.bmp", "TIFF")
    result = restore(folder, tmp_path / "out", model=model)
    assert not result.failed and len(result.done) == 5
    for path in sorted(folder.iterdir()):
        assert kind_of(tmp_path / "out" / path.name) == kind_of(path)
        before, after = read_picture(path), read_picture(tmp_path / "out" / path.name)
        assert (before.pixels.dtype, before.alpha is None) == (after.pixels.dtype, after.alpha is None)
        assert (before.black is None) == (after.black is None)
    assert np.array_equal(
        load(tmp_path / "out/transparent.jpg")[..., 3], load(folder / "transparent.jpg")[..., 3]
    )
