"""Drops that are larger than the network knows: healed on smaller copies of the picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

import restore
from restore.restorers import Restorer, healed
from restore.restorers.patch import Patch, patched

SAMPLES = Path(__file__).parent.parent / "restore" / "samples"


@pytest.fixture(scope="module")
def wet() -> tuple[Tensor, Tensor]:
    """A photograph of .6 megapixels, and it behind drops of up to a hundred pixels."""
    photo = torch.from_numpy(np.asarray(Image.open(SAMPLES / "rocket.png").convert("RGB")).copy())
    clean = F.interpolate(photo.permute(2, 0, 1)[None].float() / 255, size=(672, 896), mode="bicubic").clamp(
        0, 1
    )
    return clean, restore.degrade(clean, "raindrop:radius=64,coverage=0.25", seed=3)[0]


def test_large_drops_are_healed_on_a_smaller_copy(
    wet: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    clean, x = wet
    assert healed.copies(672, 896) == [2] and healed.copies(20_000, 1600) == [8, 4, 2]
    assert not healed.copies(20_000, 639)
    restorer = restore.load("raindrop", precision="fp32", engine="torch")
    restored, once = restorer(x), plain(restorer, x, monkeypatch)
    errors = [float((y - clean).square().mean()) for y in (restored, once, x)]
    assert errors[0] < 0.85 * errors[1] < 0.85 * errors[2]
    assert torch.equal(restorer(clean), plain(restorer, clean, monkeypatch))


def test_windows_of_a_large_picture_equal_the_whole(
    wet: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(healed, "_LARGE", 300)
    monkeypatch.setattr(healed, "_SMALL", 80)
    monkeypatch.setattr(healed, "_RADIUS", 8)
    grey = wet[1][..., 100:480, 300:701].mean(1, keepdim=True)
    whole, cut = (restore.load("raindrop", precision="fp32", engine="torch", tile=t) for t in (None, 128))
    assert whole.look(lambda a, b, c, d: grey[..., a:b, c:d], 380, 401)
    assert float((whole(grey) - cut(grey)).abs().max()) < 1e-4


def plain(restorer: Restorer, x: Tensor, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    with monkeypatch.context() as patch:
        patch.setattr(healed, "copies", lambda height, width: [])
        return restorer(x)


def test_a_patch_is_the_same_in_every_window(wet: tuple[Tensor, Tensor]) -> None:
    _, x = wet
    x = x[..., :381, :507]
    weight = torch.zeros(1, 1, 96, 127)
    weight[..., 30:70, 90:127] = 1
    over = patched(lambda a, b, c, d: x[..., a:b, c:d], [Patch(4, torch.rand(1, 3, 96, 127), weight)])
    whole = over(0, 381, 0, 507)
    changed = (whole != x).any(1)
    assert changed.any() and not changed[:, :110].any() and not changed[..., :350].any()
    for top, bottom, left, right in (
        (0, 201, 3, 402),
        (117, 381, 355, 507),
        (270, 281, 400, 444),
        (0, 50, 0, 50),
    ):
        assert torch.equal(over(top, bottom, left, right), whole[..., top:bottom, left:right])
