"""EnlightenGAN's networks: published counts, and what follows from their design."""

from __future__ import annotations

import itertools

import pytest
import torch

from restore.models.critic import PatchCritic
from restore.models.enlighten import NORMS, EnlightenGenerator, dark_attention
from restore.models.resunet import ResUNet
from restore.tiling import run_tiled


def count(net: torch.nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def picture(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def grown(net: torch.nn.Module) -> torch.nn.Module:
    """As after training: fresh weights of N(0, 0.02) say next to nothing without batch statistics."""
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            fan = module.weight[0].numel()
            torch.nn.init.normal_(module.weight, 0.0, (1 / fan) ** 0.5)
    return net.eval().requires_grad_(False)


def test_published_sizes() -> None:
    assert count(EnlightenGenerator()) == 8_636_675
    assert count(EnlightenGenerator(base=16, norm="group")) == 2_161_795
    assert count(EnlightenGenerator(base=8, norm="group")) == 541_763
    wanted = {(5, 64): 11_154_369, (4, 64): 6_959_553}
    assert {key: count(PatchCritic(n_layers=key[0], ndf=key[1])) for key in wanted} == wanted
    assert [PatchCritic(n_layers=n, ndf=1).receptive_field for n in (2, 3, 4, 5)] == [34, 70, 142, 286]


def test_critic_maps_have_the_published_sizes() -> None:
    assert PatchCritic(n_layers=5, ndf=2)(picture(1, 3, 320, 320)).shape[-2:] == (13, 13)
    assert PatchCritic(n_layers=4, ndf=2)(picture(1, 3, 32, 32)).shape[-2:] == (5, 5)


@pytest.mark.parametrize("knobs", [{}, {"shrink": 2, "head": "gain", "norm": "pixel", "refine": (4, 8)}])
def test_white_stays_white(knobs: dict) -> None:
    torch.manual_seed(0)
    net = grown(EnlightenGenerator(base=4, pools=3, **knobs))
    white = torch.ones(1, 3, 40, 24)
    assert torch.equal(net(white), white) and float(dark_attention(white).abs().max()) == 0
    assert float((net(0.2 * white) - 0.2 * white).abs().max()) > 1e-4


@pytest.mark.parametrize("norm", NORMS)
def test_any_size_and_any_batch(norm: str) -> None:
    torch.manual_seed(1)
    net = EnlightenGenerator(base=4, pools=2, norm=norm)
    for size in ((16, 16), (17, 31), (50, 40)):
        assert net(picture(2, 3, *size)).shape == (2, 3, *size)
    # In double precision: convolutions of other batch sizes round in another order.
    grown(net).double()
    x = picture(3, 3, 24, 20).double()
    assert torch.allclose(net(x), torch.cat([net(one) for one in x.split(1)]), atol=1e-6)


@pytest.mark.parametrize(
    ("norm", "shrink", "head"), [("batch", 1, "residual"), ("pixel", 2, "gain"), ("none", 4, "affine")]
)
def test_tiles_equal_the_whole(norm: str, shrink: int, head: str) -> None:
    torch.manual_seed(2)
    # In double precision: the norm of a random network's nearly constant features magnifies rounding.
    refine = (4, 8) if head == "gain" else ()
    net = grown(
        EnlightenGenerator(base=2, pools=1, norm=norm, shrink=shrink, head=head, refine=refine)
    ).double()
    x = picture(1, 3, 400, 140).double()
    about = net.spec(task="enlighten", conditions=())
    out = torch.empty_like(x)
    tiles = []

    def write(top: int, left: int, y: torch.Tensor) -> None:
        tiles.append((top, left))
        out[..., top : top + y.shape[2], left : left + y.shape[3]] = y

    with torch.no_grad():
        run_tiled(
            net,
            lambda t, b, le, r: x[..., t:b, le:r],
            write,
            height=400,
            width=140,
            radius=about.radius,
            multiple=about.multiple,
            tile=32,
        )
        whole = net(x)
    assert len(tiles) > 1 and about.tiling == "supported"
    assert float((out - whole).abs().max()) < 1e-4 < float((whole - x).abs().max())
    assert EnlightenGenerator(base=4, norm="group").spec(task="x", conditions=()).tiling == "discouraged"


def test_no_channel_is_pushed_beyond_white() -> None:
    torch.manual_seed(5)
    net = grown(EnlightenGenerator(base=4, pools=1, norm="pixel", shrink=2, head="affine"))
    net.head.weight.mul_(20)
    x = picture(1, 3, 16, 16)
    x[:, 0] = 1.0  # a red lamp
    out = net(x)
    assert float(out.max()) <= 1 and torch.equal(out[:, 0], x[:, 0])
    assert float((out[:, 1:] - x[:, 1:]).abs().max()) > 0.1


def test_gain_is_more_light() -> None:
    # Without balance: hues stay, no channel passes white, black stays black, a lamp stays as it is.
    torch.manual_seed(6)
    net = grown(EnlightenGenerator(base=4, pools=1, norm="pixel", shrink=2, head="gain"))
    net.head.weight[0].mul_(20)
    net.head.weight[1:] = 0
    x = picture(1, 3, 16, 16)
    x[..., :4] = 0.0
    x[:, 0, :, 8:] = 1.0
    out = net(x)
    assert float(out[..., :4].abs().max()) == 0 and torch.allclose(out[..., 8:], x[..., 8:], atol=1e-6)
    dark, lit = x[..., 4:8], out[..., 4:8]
    ratio = lit / dark
    assert float(lit.max()) <= 1 and torch.allclose(ratio, ratio[:, :1].expand_as(ratio), rtol=1e-4)
    assert 1 < float(ratio.min()) < 1.01 and 1.5 < float(ratio.max()) < 34


def test_attention_is_a_knob() -> None:
    for attention, shrink in itertools.product(("luma", "none"), (1, 2)):
        torch.manual_seed(3)
        net = EnlightenGenerator(base=4, pools=2, norm="pixel", attention=attention, shrink=shrink).eval()
        x = picture(1, 3, 32, 32)
        out, residual, attended = net.light(x)
        assert torch.allclose(out, x + residual * attended, atol=1e-6)
        assert torch.equal(attended, dark_attention(x) if attention == "luma" else torch.ones(1, 1, 32, 32))
    with pytest.raises(ValueError, match="norm"):
        EnlightenGenerator(norm="layer")


def test_a_denoiser_becomes_the_second_step() -> None:
    torch.manual_seed(7)
    denoiser = ResUNet(widths=(8, 8), blocks=(1, 1), conditions=1)
    denoiser.tail.weight.data.mul_(10)
    net = EnlightenGenerator(base=4, pools=1, norm="pixel", shrink=2, head="gain", refine=(8, 8)).eval()
    net.load_state_dict(net.grown_from(denoiser.state_dict()))
    assert all(torch.equal(v, net.state_dict()[k]) for k, v in net.grown_from(net.state_dict()).items())
    x = 0.1 * picture(1, 3, 64, 64)
    with torch.no_grad():
        lit = net(x, noisy=True)
        told = torch.full((1, 1), 10 / 255)
        expected = lit - (lit - denoiser(lit, told)) * dark_attention(x)
        inner = (
            ...,
            slice(20, -20),
            slice(20, -20),
        )  # at the border the held condition is not padded with zeros
        assert torch.allclose(net(x)[inner], expected[inner], atol=1e-5)
        assert not torch.allclose(lit[inner], expected[inner], atol=1e-4)
