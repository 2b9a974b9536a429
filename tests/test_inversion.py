"""Inversion of a generator: the promises of the loop, and every method's own, on a toy generator."""

from __future__ import annotations

import copy
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors import safe_open
from torch import Tensor

from restore.degradations.operators import compressed_sensing, downsample, identity
from restore.errors import UsageError
from restore.inverse.gan import METHODS, Inversion, Inverter, code_statistics, diagnose, method_named
from restore.inverse.gan.codes import noise_correlation
from restore.inverse.gan.draws import Draws
from restore.inverse.gan.edit import attribute_direction, morph
from restore.inverse.gan.encoded import Encoded, InDomain
from restore.inverse.gan.heads import content_head, style_head
from restore.inverse.gan.layers import base_layer, l1_ball
from restore.inverse.gan.measurements import operator_named
from restore.inverse.gan.statistics import CodeStatistics
from restore.inverse.gan.train_encoder import train_base_encoder, train_style_encoder
from restore.models.stylegan2 import StyleGAN2
from restore.models.weights import save_weights

SHAPE = (1, 32, 32)


@pytest.fixture(scope="module")
def net() -> StyleGAN2:
    """A generator that was never trained, but whose pictures depend on every code and on the noise."""
    torch.manual_seed(0)
    made = StyleGAN2(channels=1, z_dim=16, w_dim=16, mapping_layers=2, channel_base=256, channel_max=12)
    with torch.no_grad():
        for layer in made.layers:
            layer.noise_strength.fill_(0.05)
            layer.conv.affine.weight.mul_(2.0)
        z = torch.randn(500, 16)
        made.w_mean.copy_(made.mapping(z).mean(0))
        for rgb in made.to_rgb:
            rgb.conv.weight.mul_(0.25)
    return made.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def statistics(net: StyleGAN2) -> CodeStatistics:
    return code_statistics(net, count=20_000)


@pytest.fixture(scope="module")
def pictures(net: StyleGAN2) -> Tensor:
    """Three pictures of its own, in [0, 1]."""
    z = torch.randn(3, 16, generator=torch.Generator().manual_seed(9))
    return (net(z).clamp(-1, 1) + 1) / 2


def fit(
    net: StyleGAN2, statistics: CodeStatistics, y: Tensor, spec: str, **options: object
) -> tuple[Inverter, Inversion]:
    inverter = Inverter(net, method_named(spec), statistics=statistics)
    return inverter, inverter.fit(y, **options)  # type: ignore[arg-type]


def size(table: dict[str, Tensor]) -> int:
    return sum(v[0].numel() for v in table.values())


def test_heads_are_the_published_ones() -> None:
    draws = Draws([0])
    counts = {layers: size(style_head(512, layers, draws)) for layers in (8, 14, 18)}
    assert counts == {8: 780_192, 14: 1_239_072, 18: 1_544_992}
    assert size(content_head(512, draws)) == 70_048


SPECS = [
    *METHODS,
    "sphinx:content=true,noise=true",
    "sphinx:content=true,content_mode=fixed,schedule=original",
]


@pytest.mark.parametrize("spec", SPECS)
def test_a_picture_does_not_depend_on_its_neighbours(
    net: StyleGAN2, statistics: CodeStatistics, pictures: Tensor, spec: str
) -> None:
    before = {k: v.clone() for k, v in net.state_dict().items()}
    _, whole = fit(net, statistics, pictures, spec, steps=6, seeds=[5, 6, 7])
    _, alone = fit(net, statistics, pictures[1:2], spec, steps=6, seeds=[6])
    assert whole.image.shape == (3, *SHAPE) and whole.steps == [6, 6, 6]
    assert torch.allclose(whole.image[1:2], alone.image, atol=1e-4)
    assert not torch.allclose(whole.image[0], whole.image[1], atol=1e-3)
    _, single = fit(net, statistics, pictures, spec, steps=6, seeds=[5, 6, 7], batch=1)
    assert torch.allclose(whole.image, single.image, atol=1e-4)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert all(p.grad is None and not p.requires_grad for p in net.parameters())


def test_fresh_draws_make_the_style_head_independent_of_its_input(
    net: StyleGAN2, statistics: CodeStatistics, pictures: Tensor
) -> None:
    found = {}
    for spec in ("sphinx", "sphinx:resample=false", "image2stylegan"):
        inverter, inversion = fit(net, statistics, pictures[:2], spec, steps=300)
        found[spec] = diagnose(inverter, inversion, pictures[:2], truth=pictures[:2])
    for fresh, fixed, direct in zip(*found.values(), strict=True):
        assert fresh["psnr_mean"] - fresh["psnr_min"] < 0.5 and fresh["image_std"] < 0.01
        # On a trained generator it is ahead of direct codes; on this one, which knows nothing, not far behind.
        assert fresh["psnr_mean"] > direct["psnr"] - 3 and direct["psnr"] > 30
        assert fixed["image_std"] == 0 and fresh["psnr"] > 20
        assert fresh["psnr_shaken_0.3"] < fresh["psnr_shaken_0.1"]
    # Without fresh draws another input gives another picture, though this head starts out nearly deaf to it.
    inverter, inversion = fit(net, statistics, pictures[:2], "sphinx:resample=false", steps=300)
    other = dict(inversion.latents)
    other["fixed z"] = Draws([1, 2]).normal(net.num_ws, net.w_dim)
    moved = (inverter.look(other, [0, 1])[0].clamp(-1, 1) + 1) / 2
    away = -10 * torch.log10((moved - pictures[:2]).square().mean((1, 2, 3)))
    assert (away + 1 < torch.tensor([d["psnr"] for d in found["sphinx:resample=false"]])).all()


def test_codes_are_whitened(net: StyleGAN2, statistics: CodeStatistics) -> None:
    w = net.mapping(torch.randn(4000, 16, generator=torch.Generator().manual_seed(3)))
    assert statistics.whiten(w).square().mean().item() == pytest.approx(1, abs=0.1)
    again = code_statistics(net, count=20_000)
    assert torch.equal(again.mean, statistics.mean) and torch.equal(again.basis, statistics.basis)
    assert statistics.radius == pytest.approx((w - w.mean(0)).square().sum(1).mean().sqrt().item(), rel=0.1)


def test_constraints_hold_after_a_fit(net: StyleGAN2, statistics: CodeStatistics, pictures: Tensor) -> None:
    _, found = fit(net, statistics, pictures, "projector", steps=4)
    for i in range(net.num_layers):
        noise = found.latents[f"noise{i}"]
        assert noise.mean((1, 2, 3)).abs().max() < 1e-5
        assert torch.allclose(noise.square().mean((1, 2, 3)), torch.ones(3), atol=1e-4)
    for spec in ("pgd", "pulse"):
        z = fit(net, statistics, pictures, spec, steps=4)[1].latents["z"]
        assert torch.allclose(z.norm(dim=-1), torch.full(z.shape[:-1], 4.0), atol=1e-4)
    clipped = fit(net, statistics, pictures, "pgd:keep=clip,clip=0.5", steps=4)[1].latents["z"]
    assert clipped.abs().max() <= 0.5
    _, ilo = fit(net, statistics, pictures, "ilo", steps=30)
    moved = (ilo.latents["features"] - ilo.latents["centre_features"]).abs().flatten(1).sum(1)
    assert (moved > 0).all() and (moved <= 1000 * 1.001).all()


def test_the_l1_ball_is_projected_onto() -> None:
    g = torch.Generator().manual_seed(0)
    x, centre = torch.randn(5, 3, 4, 4, generator=g), torch.randn(5, 3, 4, 4, generator=g)
    nearest = l1_ball(x, centre, 4.0)
    assert torch.allclose((nearest - centre).abs().sum((1, 2, 3)), torch.full((5,), 4.0), atol=1e-4)
    # The variational inequality of a projection, against points of the ball.
    for _ in range(50):
        other = torch.randn(5, 3, 4, 4, generator=g)
        other = centre + 4 * other / other.abs().sum((1, 2, 3), keepdim=True)
        assert (((x - nearest) * (other - nearest)).sum((1, 2, 3)) <= 1e-4).all()
    assert torch.equal(l1_ball(x, x, 4.0), x)


def test_noise_correlation_sees_structure() -> None:
    g = torch.Generator().manual_seed(0)
    white = torch.randn(4, 1, 32, 32, generator=g)
    stripes = torch.ones(4, 1, 32, 32)
    stripes[:, :, ::2] = -1
    assert noise_correlation(white).max() < 0.1 < noise_correlation(stripes).min()


def test_measurements_of_every_kind(net: StyleGAN2, statistics: CodeStatistics, pictures: Tensor) -> None:
    inverter = Inverter(net, method_named("sphinx"), statistics=statistics)
    for operator in (compressed_sensing(SHAPE, count=256), downsample(SHAPE, scale=2)):
        found = inverter.fit(operator(pictures), operator, steps=150)
        records = diagnose(inverter, found, operator(pictures), operator, truth=pictures)
        assert min(r["psnr"] for r in records) > 14 and max(r["residual"] for r in records) < 0.5
        assert found.data_term == "mse"
    # Noise of strength zero is no noise.
    same = [inverter.fit(pictures, steps=5, noise_sigma=s).image for s in (0.0, 0.0, 0.1)]
    assert torch.equal(same[0], same[1]) and not torch.equal(same[0], same[2])

    # Total variation is weighted by the noise it is told of.
    noisy = pictures + 0.2 * torch.randn(pictures.shape, generator=torch.Generator().manual_seed(0))
    smooth = Inverter(net, method_named("tv:rate=0.05"), statistics=statistics)
    told, untold = (smooth.fit(noisy, steps=150, noise_sigma=s).image for s in (0.2, 0.0))
    assert (told - pictures).square().mean() < 0.5 * (untold - pictures).square().mean()

    class Physics:
        """The face that other toolboxes give an operator."""

        def A(self, x: Tensor) -> Tensor:
            return x

        A_adjoint = A

    assert torch.equal(inverter.as_reconstructor(steps=5)(pictures, Physics()), same[0])


def test_stops_on_a_plateau_or_when_time_is_up(
    net: StyleGAN2, statistics: CodeStatistics, pictures: Tensor
) -> None:
    _, found = fit(net, statistics, pictures, "image2stylegan:rate=1e-9", steps=400, patience=20)
    assert max(found.steps) < 100
    # One starts at its solution and stops; the others go on as if it had never been there.
    solved = (net.synthesis(net.repeat(net.w_mean[None])).clamp(-1, 1) + 1) / 2  # type: ignore[union-attr]
    y = torch.cat([pictures[:1], solved, pictures[1:2]])
    mixed = [fit(net, statistics, y, "image2stylegan", steps=50, patience=15, batch=b)[1] for b in (1, 3)]
    assert mixed[0].steps == mixed[1].steps == [50, 16, 50]
    assert torch.allclose(mixed[0].image[::2], mixed[1].image[::2], atol=1e-3)
    _, brief = fit(net, statistics, pictures, "pnorm", steps=1_000_000, time_budget=0.2)
    assert max(brief.steps) < 100_000 and brief.seconds < 30


def test_restarts_keep_the_best(net: StyleGAN2, statistics: CodeStatistics, pictures: Tensor) -> None:
    inverter = Inverter(net, method_named("csgm"), statistics=statistics)

    def errors(restarts: int) -> Tensor:
        found = inverter.fit(pictures, steps=10, restarts=restarts)
        return (found.image - pictures).square().mean((1, 2, 3))

    assert (errors(4) <= errors(1) + 1e-9).all()


def test_encoders_learn_and_are_asked(net: StyleGAN2, statistics: CodeStatistics, pictures: Tensor) -> None:
    losses: list[float] = []
    encoder = train_style_encoder(net, steps=40, batch=8, width=8, report=lambda step, x: losses.append(x))
    assert losses[-1] < losses[0]
    plain = Inverter(net, Encoded(encoder), statistics=statistics).fit(pictures)
    refined = Inverter(net, InDomain(encoder), statistics=statistics).fit(pictures, steps=30)
    errors = [(f.image - pictures).square().mean() for f in (plain, refined)]
    assert plain.steps == [0, 0, 0] and errors[1] < errors[0]
    layer = base_layer(net, 0.25)
    assert math.prod(net.feature_shapes()[layer]) <= 0.25 * 1024
    base = train_base_encoder(net, layer, steps=3, batch=4, width=8)
    found = Inverter(net, method_named("bdinvert", encoder=base), statistics=statistics).fit(
        pictures, steps=3
    )
    assert found.latents["base"].shape[1:] == net.feature_shapes()[layer]


def test_wrong_use_is_explained(net: StyleGAN2, statistics: CodeStatistics, pictures: Tensor) -> None:
    with pytest.raises(UsageError, match="unknown inversion method"):
        method_named("sfinx")
    with pytest.raises(UsageError, match="no option 'nose'"):
        method_named("sphinx:nose=true")
    with pytest.raises(UsageError, match="content_mode"):
        method_named("sphinx:content_mode=often")
    inverter = Inverter(net, method_named("sphinx"), statistics=statistics)
    with pytest.raises(UsageError, match="expected measurements of identity"):
        inverter.fit(pictures[..., :16])
    with pytest.raises(UsageError, match="of pictures"):
        inverter.fit(pictures, identity((3, 32, 32)))
    with pytest.raises(UsageError, match="2 seeds for 3"):
        inverter.fit(pictures, seeds=[1, 2])

    class Plain(StyleGAN2):
        capabilities = frozenset({"z"})

    with pytest.raises(UsageError, match="needs a generator with w"):
        Inverter(Plain(channels=1, channel_base=128, channel_max=4), method_named("sphinx"))


def test_a_folder_is_inverted_and_resumed(net: StyleGAN2, pictures: Tensor, tmp_path: Path) -> None:
    save_weights(
        tmp_path / "g.safetensors",
        net.state_dict(),
        {
            "architecture": "stylegan2",
            "config": {
                "channels": 1,
                "z_dim": 16,
                "w_dim": 16,
                "mapping_layers": 2,
                "channel_base": 256,
                "channel_max": 12,
            },
        },
        dtype=torch.float32,
    )
    (tmp_path / "in" / "sub").mkdir(parents=True)
    for name, x in zip(("a", "sub/b"), pictures, strict=False):
        Image.fromarray((x[0].numpy() * 255).round().astype(np.uint8)).save(tmp_path / "in" / f"{name}.png")
    (tmp_path / "in" / "bad.png").write_bytes(b"no picture")
    command = [sys.executable, "-m", "restore", "invert", str(tmp_path / "in"), "-o", str(tmp_path / "out")]
    command += ["--generator", str(tmp_path / "g.safetensors"), "--steps", "5", "--threads", "1"]
    first = subprocess.run([*command, "--json", "-"], capture_output=True, text=True)
    assert first.returncode == 1 and "failed: bad.png" in first.stderr, first.stderr
    records = json.loads(first.stdout)["pictures"]
    assert [r["file"] for r in records] == ["a.png", "sub/b.png"] and records[0]["steps"] == 5
    assert {"psnr", "psnr_min", "image_std", "psnr_shaken_0.1", "freedom", "residual"} <= set(records[0])
    made = np.asarray(Image.open(tmp_path / "out" / "sub" / "b.png"))
    with safe_open(tmp_path / "out" / "sub" / "b.safetensors", framework="pt") as file:
        ws = file.get_tensor("ws")
    again = (net.synthesis(ws[None]).clamp(-1, 1) + 1) / 2  # type: ignore[union-attr]
    assert np.abs(made / 255 - again[0, 0].numpy()).max() < 0.6 / 255
    (tmp_path / "in" / "bad.png").unlink()
    before = (tmp_path / "out" / "a.png").stat().st_mtime_ns
    second = subprocess.run(command, capture_output=True, text=True)
    assert second.returncode == 0 and "0 inverted, 2 skipped" in second.stderr, second.stderr
    assert (tmp_path / "out" / "a.png").stat().st_mtime_ns == before
    # What is gone, and what was made otherwise, is made again.
    (tmp_path / "out" / "a.png").unlink()
    third = subprocess.run(command, capture_output=True, text=True)
    assert "1 inverted, 1 skipped" in third.stderr and (tmp_path / "out" / "a.png").exists()
    command[command.index("5")] = "6"
    fourth = subprocess.run(command, capture_output=True, text=True)
    assert "2 inverted, 0 skipped" in fourth.stderr, fourth.stderr


def test_operators_by_name() -> None:
    x = torch.rand(2, *SHAPE, generator=torch.Generator().manual_seed(0))
    shapes = {
        "identity": SHAPE,
        "noise:sigma=25": SHAPE,
        "downsample:scale=4": (1, 8, 8),
        "blur:sigma=1": SHAPE,
        "mask": SHAPE,
        "compressed-sensing:ratio=0.1": (102,),
    }
    for spec, shape in shapes.items():
        operator, noise = operator_named(spec, SHAPE)
        assert tuple(operator(x).shape[1:]) == shape and noise == (25 / 255 if "noise" in spec else 0)
    gone = (operator_named("mask", SHAPE)[0](torch.ones(1, *SHAPE)) == 0).sum().item()
    assert gone == round(0.4 * 32) * round(0.2 * 32)
    for wrong in ("smear", "noise", "blur:sigma=-1", "downsample:scale=5", "compressed-sensing:ratio=2"):
        with pytest.raises(UsageError):
            operator_named(wrong, SHAPE)


def test_edited_pictures_are_pictures_and_scores_see_them_so(net: StyleGAN2) -> None:
    """Synthesis leaves [-1, 1]; what is shown, and what a score is asked about, does not."""
    loud = copy.deepcopy(net)
    with torch.no_grad():
        for rgb in loud.to_rgb:
            rgb.conv.weight.mul_(20)
    codes = loud.repeat(loud.mapping(torch.randn(2, 16, generator=torch.Generator().manual_seed(1))))
    plain = loud.synthesis(codes)
    assert isinstance(plain, Tensor) and float(plain.abs().max()) > 1.5
    ends = morph(loud, codes[0], codes[1], (0.0, 1.0))
    assert np.abs(ends.numpy() - (np.clip(plain.detach().numpy(), -1, 1) + 1) / 2).max() < 1e-5
    shown: list[Tensor] = []

    def brightness(x: Tensor) -> Tensor:
        shown.append(x)
        return x.mean((1, 2, 3))

    direction = attribute_direction(loud, brightness, count=400, seed=3)
    again = attribute_direction(loud, brightness, count=400, seed=3)
    assert torch.equal(direction, again) and direction.shape == (16,)
    assert not torch.equal(direction, attribute_direction(loud, brightness, count=400, seed=4))
    assert all(float(x.min()) == 0 and float(x.max()) == 1 for x in shown)


def test_the_deep_decoder_normalises_by_the_deviation_of_all_pixels(net: StyleGAN2) -> None:
    method = method_named("dip:width=3")
    draws = Draws([5, 6])
    v = method.variables(net, torch.zeros(2, 1, 32, 32), draws)
    made = method.inputs(net, v, draws, 0.0).image
    assert made is not None and made.shape == (2, 1, 32, 32)
    x = v["fixed"]
    for i in range(len(net.sides)):
        x = F.interpolate(x, scale_factor=2.0, mode="bilinear") if i else x
        x = torch.cat([F.conv2d(a[None], w, padding=1) for a, w in zip(x, v[f"weight{i}"], strict=True)])
        x = F.leaky_relu(F.instance_norm(x, eps=1e-5), 0.2)
    x = torch.cat([F.conv2d(a[None], w) for a, w in zip(x, v["out"], strict=True)])
    assert torch.allclose(made, torch.tanh(x), atol=1e-5)
