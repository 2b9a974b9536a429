"""Blind deconvolution: what lags tell, what an inverse filter gives back, and windows that equal the whole."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from restore.convolve import convolve
from restore.degradations import degradation, psf_trace
from restore.degradations import sample as draw
from restore.degradations.psf import disc_psf, motion_psf
from restore.losses.psf import psf_loss
from restore.metrics.psnr import psnr
from restore.models.deconvolve import DeconvolveNet, filter_both, inverse_filter
from restore.models.lags import REACH, lags, read_lags
from restore.restorers.shake import fit_to, search_psf
from restore.tiling import run_tiled


def framed(psf: Tensor) -> Tensor:
    whole, reach = torch.zeros((1, 1, 2 * REACH + 1, 2 * REACH + 1)), psf.shape[0] // 2
    whole[0, 0, REACH - reach : REACH + reach + 1, REACH - reach : REACH + reach + 1] = psf.float()
    return whole


def test_lags_of_a_blurred_picture_look_like_its_psf(photo_tensor: Tensor) -> None:
    sharp = lags(photo_tensor)
    assert sharp.shape == (1, 2, 63, 63) and float(sharp[0, 0, 31, 31]) == 1
    assert torch.allclose(sharp, sharp.flip(-2, -1), atol=1e-5)  # of a picture and its mirror image
    blurred = lags(convolve(photo_tensor, disc_psf(6)))
    assert float(blurred[0, 0, 31, 37]) > 3 * float(sharp[0, 0, 31, 37].abs())
    assert torch.allclose(lags(photo_tensor.transpose(-2, -1)), sharp.transpose(-2, -1), atol=1e-4)


@pytest.mark.parametrize("size", [(300, 421), (130, 128), (40, 9), (1, 1)])
def test_lags_read_in_parts_are_those_of_the_whole(size: tuple[int, int]) -> None:
    x = torch.rand((1, 3, *size), generator=torch.Generator().manual_seed(0))
    read = []

    def part(top: int, bottom: int, left: int, right: int) -> Tensor:
        read.append(bottom - top)
        return x[..., top:bottom, left:right]

    found = read_lags(part, *size)
    assert torch.equal(found, lags(x)) and bool(torch.isfinite(found).all()) and max(read) <= 129


def test_an_inverse_filter_undoes_its_psf(photo_tensor: Tensor) -> None:
    point = framed(torch.ones((1, 1)))
    both = filter_both(photo_tensor, inverse_filter(point, 1e-4))
    assert torch.allclose(both, photo_tensor.repeat(1, 2, 1, 1), atol=1e-3)
    shake = motion_psf(16, seed=3).float()
    blurred = convolve(photo_tensor, shake)
    right, mirrored = filter_both(blurred, inverse_filter(framed(shake), 1e-3)).split(3, 1)
    inner = (..., slice(50, -50), slice(50, -50))
    gain = [
        float(psnr(y[inner], photo_tensor[inner]) - psnr(blurred[inner], photo_tensor[inner]))
        for y in (right, mirrored)
    ]
    assert gain[0] > 5 > 2 > gain[1]


def test_the_psf_of_recorded_parameters_is_what_a_point_becomes() -> None:
    blur = degradation(["motion:length=12", "noise:sigma=20", "defocus:radius=2"])
    point = torch.zeros((2, 1, 63, 63))
    point[..., 31, 31] = 1
    params = blur.sample((2, 1, 63, 63), generator=draw.generator(4))
    quiet = degradation(["motion:length=12", "defocus:radius=2"])
    told = quiet.sample((2, 1, 63, 63), generator=draw.generator(4))
    assert torch.allclose(psf_trace(told, reach=31), quiet.apply(point, told), atol=1e-6)
    found = psf_trace(params, reach=31)
    assert found.sum((1, 2, 3)).tolist() == pytest.approx([1, 1]) and not torch.equal(found[0], found[1])
    none = psf_trace(degradation("noise:sigma=5").sample((1, 3, 8, 8), generator=draw.generator(0)), reach=3)
    assert none[0, 0, 3, 3] == none.sum() == 1


def test_a_mirror_image_is_as_good_a_psf_and_another_one_is_not() -> None:
    psf = framed(motion_psf(16, seed=3))
    assert float(psf_loss(psf, psf)) == float(psf_loss(psf.flip(-2, -1), psf)) == 0
    assert float(psf_loss(psf.roll(31, -1), psf)) > 1.5
    assert 0.2 < float(psf_loss(framed(motion_psf(16, seed=4)), psf)) < 2


def test_windows_equal_the_whole_and_the_psf_gets_a_gradient() -> None:
    torch.manual_seed(0)
    net = DeconvolveNet(widths=(8, 8), blocks=(1, 1), found_widths=(8, 8), found_blocks=(1, 1))
    x = torch.rand((1, 3, 260, 300))
    found = net(x, parts=True)
    assert found["psf"].sum().item() == pytest.approx(1) and found["picture"].shape == x.shape
    true = framed(disc_psf(3))
    told = net(x.repeat(2, 1, 1, 1), view=lags(x).repeat(2, 1, 1, 1), parts=True, psf=true.repeat(2, 1, 1, 1))
    assert torch.equal(told["psf"][0], told["psf"][1]) and torch.allclose(
        told["picture"][1:], found["picture"], atol=1e-5
    )
    assert torch.allclose(told["picture"][:1], net(x, true.flatten(1)), atol=1e-5)
    found["picture"].square().mean().backward()
    assert float(net.find.tail.weight.grad.abs().sum()) > 0
    with torch.no_grad():
        seen = net.look(net.read_view(lambda t, b, le, r: x[..., t:b, le:r], 260, 300))
        whole, made = net(x, seen), torch.empty_like(x)

        def write(top: int, left: int, y: Tensor) -> None:
            made[..., top : top + y.shape[2], left : left + y.shape[3]] = y

        run_tiled(
            lambda part: net(part, seen), lambda t, b, le, r: x[:, :, t:b, le:r], write,
            height=260, width=300, radius=net.radius, multiple=net.multiple, tile=64, exact=lambda part: part,
        )  # fmt: skip
    assert torch.allclose(made, whole, atol=1e-4)


def test_edges_find_what_lags_cannot_and_leave_the_rest_alone(photo_tensor: Tensor) -> None:
    sharp = photo_tensor[..., :300, :300]
    blurred, params = degradation("motion:length=16")(sharp, generator=draw.generator(3))
    true = psf_trace(params, reach=REACH)

    def restore(x: Tensor, psf: Tensor) -> Tensor:
        return filter_both(x, inverse_filter(psf, 0.0015))[:, :3].clamp(0, 1)

    assert torch.allclose(fit_to(sharp, blurred).sum(), torch.ones(()))
    assert float((fit_to(sharp, blurred) * true).sum() / true.square().sum()) > 0.8
    # What the power of a spectrum tells: roughly where the light went, not along which path.
    round_one = framed(disc_psf(6))
    guess = round_one.clone()
    guess[..., : REACH - 2, :] = guess[..., REACH + 3 :, :] = 0
    guess = guess / guess.sum()
    found = search_psf(blurred, guess, restore)
    before, after = (psnr(restore(blurred, psf), sharp).item() for psf in (guess, found))
    assert after > before + 1
    assert torch.equal(search_psf(blurred, round_one, restore), round_one), "defocus is not searched"
    for kept in (framed(disc_psf(0.5)), true):
        assert (
            psnr(restore(blurred, search_psf(blurred, kept, restore)), sharp)
            > psnr(restore(blurred, kept), sharp) - 0.3
        )
    tiny = photo_tensor[..., :20, :9]
    assert torch.equal(search_psf(tiny, guess, restore), guess)
