"""StyleGAN2 against a straight implementation of the published formulas, written another way."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from restore.errors import ConfigError
from restore.models.registry import build
from restore.models.stylegan2 import StyleGAN2
from restore.models.stylegan2_discriminator import StyleGAN2Discriminator
from restore.models.stylegan2_layers import ModulatedConv, filter_up

SMALL = {"z_dim": 16, "w_dim": 12, "mapping_layers": 3, "channel_base": 256, "channel_max": 24}
# Karras et al. 2020, configuration F at 1024 x 1024 (30.37 and 29.01 million there).
FFHQ_GENERATOR, FFHQ_DISCRIMINATOR = 30_370_060, 29_012_513


def count(net: torch.nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def lively(net: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Every parameter away from its plain start, so that a forgotten one shows."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.3 * torch.randn(p.shape, generator=g))
    return net.double().eval().requires_grad_(False)


# The straight way: a kernel per sample, zeros written between samples, one sum after the other.


def zeros_between(x: np.ndarray) -> np.ndarray:
    out = np.zeros((x.shape[0], 2 * x.shape[1], 2 * x.shape[2]))
    out[:, ::2, ::2] = x
    return out


def correlate(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """``C x H x W`` with ``O x C x k x k``, only where the kernel fits."""
    k = kernel.shape[-1]
    views = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(1, 2))
    return np.einsum("chwij,ocij->ohw", views, kernel)


def lowpass(x: np.ndarray, before: int, after: int, gain: float) -> np.ndarray:
    taps = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64 * gain
    padded = np.pad(x, ((0, 0), (before, after), (before, after)))
    return np.concatenate([correlate(c[None], taps[None, None]) for c in padded])


def up_image(x: np.ndarray) -> np.ndarray:
    return lowpass(zeros_between(x), 2, 1, 4.0)


def lrelu(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, 0.2 * x) * math.sqrt(2)


def styled(x: np.ndarray, weight: np.ndarray, style: np.ndarray, up: bool, demodulate: bool) -> np.ndarray:
    kernel = weight / math.sqrt(weight[0].size) * style[None, :, None, None]
    if demodulate:
        kernel = kernel / np.sqrt((kernel**2).sum((1, 2, 3), keepdims=True) + 1e-8)
    if not up:
        pad = weight.shape[-1] // 2
        return correlate(np.pad(x, ((0, 0), (pad, pad), (pad, pad))), kernel)
    # A transposed convolution spreads every sample by the kernel: correlation with the turned kernel.
    spread = np.pad(zeros_between(x)[:, :-1, :-1], ((0, 0), (2, 2), (2, 2)))
    return lowpass(correlate(spread, kernel[:, :, ::-1, ::-1]), 1, 1, 4.0)


def straight_generator(
    state: dict[str, np.ndarray], ws: np.ndarray, noises: list[np.ndarray]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """One sample: the image and the features of all layers."""

    def affine(name: str, w: np.ndarray) -> np.ndarray:
        weight = state[f"{name}.conv.affine.weight"]
        return weight @ w / math.sqrt(weight.shape[1]) + state[f"{name}.conv.affine.bias"]

    x, image, features = state["constant"][0], None, []
    for i in range(len(ws) - 1):
        name = f"layers.{i}"
        x = styled(x, state[f"{name}.conv.weight"], affine(name, ws[i]), i % 2 == 1, True)
        x = lrelu(x + state[f"{name}.noise_strength"] * noises[i] + state[f"{name}.bias"][:, None, None])
        features.append(x)
        if i % 2 == 0:
            name = f"to_rgb.{i // 2}"
            rgb = styled(x, state[f"{name}.conv.weight"], affine(name, ws[i + 1]), False, False)
            rgb = rgb + state[f"{name}.bias"][:, None, None]
            image = rgb if image is None else up_image(image) + rgb
    assert image is not None
    return image, features


def straight_mapping(state: dict[str, np.ndarray], z: np.ndarray) -> np.ndarray:
    x = z / np.sqrt((z**2).mean() + 1e-8)
    for i in range(sum(k.startswith("mapper") for k in state) // 2):
        weight, bias = state[f"mapper.{i}.weight"], state[f"mapper.{i}.bias"]
        x = lrelu(weight @ x * 0.01 / math.sqrt(weight.shape[1]) + 0.01 * bias)
    return x


def straight_discriminator(state: dict[str, np.ndarray], batch: np.ndarray, group: int) -> np.ndarray:
    def conv(name: str, x: np.ndarray, down: bool = False) -> np.ndarray:
        weight = state[f"{name}.weight"]
        kernel = weight / math.sqrt(weight[0].size)
        pad = weight.shape[-1] // 2
        if down:
            wide = pad + 1
            x = correlate(lowpass(x, wide, wide, 1.0), kernel)[:, ::2, ::2]
        else:
            x = correlate(np.pad(x, ((0, 0), (pad, pad), (pad, pad))), kernel)
        return x + state[f"{name}.bias"][:, None, None] if f"{name}.bias" in state else x

    def dense(name: str, x: np.ndarray) -> np.ndarray:
        return state[f"{name}.weight"] @ x / math.sqrt(x.size) + state[f"{name}.bias"]

    deep = []
    for x in batch:
        x = lrelu(conv("from_rgb", x))
        k = 0
        while f"blocks.{k}.conv0.weight" in state:
            y = lrelu(conv(f"blocks.{k}.conv0", x))
            y = lrelu(conv(f"blocks.{k}.conv1", y, down=True))
            skip = f"blocks.{k}.skip"
            x = (y + conv(skip, x, down=True)) / math.sqrt(2) if f"{skip}.weight" in state else y
            k += 1
        deep.append(x)
    logits = []
    groups = len(deep) // group
    for i, x in enumerate(deep):
        friends = np.stack(deep[i % groups :: groups])
        spread = np.sqrt(friends.var(0) + 1e-8).mean()
        x = lrelu(conv("conv", np.concatenate([x, np.full((1, 4, 4), spread)])))
        logits.append(dense("out", lrelu(dense("dense", x.ravel())))[0])
    return np.array(logits)


def arrays(net: torch.nn.Module) -> dict[str, np.ndarray]:
    return {k: v.detach().numpy() for k, v in net.state_dict().items()}


@pytest.mark.parametrize(("resolution", "channels"), [(32, 1), (64, 3)])
def test_generator_is_the_published_one(resolution: int, channels: int) -> None:
    net = lively(StyleGAN2(resolution=resolution, channels=channels, **SMALL))
    g = torch.Generator().manual_seed(1)
    z = torch.randn(2, 16, generator=g, dtype=torch.float64)
    w = net.mapping(z)
    state = arrays(net)
    assert np.allclose(w[1].numpy(), straight_mapping(state, z[1].numpy()), atol=1e-10)
    ws = torch.randn(2, net.num_ws, 12, generator=g, dtype=torch.float64)
    noises = [torch.randn(2, *s, generator=g, dtype=torch.float64) for s in net.noise_shapes()]
    made, features = net.synthesis(ws, noises, return_features=True)
    for i in range(2):
        image, deep = straight_generator(state, ws[i].numpy(), [n[i].numpy() for n in noises])
        assert np.abs(made[i].numpy() - image).max() < 1e-9 * np.abs(image).max()
        for ours, theirs in zip(features, deep, strict=True):
            assert np.allclose(ours[i].numpy(), theirs, atol=1e-9 * np.abs(theirs).max())


@pytest.mark.parametrize("residual", [True, False])
def test_discriminator_is_the_published_one(residual: bool) -> None:
    net = lively(
        StyleGAN2Discriminator(channels=3, channel_base=256, channel_max=20, residual=residual, group=2)
    )
    x = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert np.allclose(net(x).numpy(), straight_discriminator(arrays(net), x.numpy(), 2), rtol=1e-9)


def test_full_size_counts() -> None:
    with torch.device("meta"):
        faces = StyleGAN2(resolution=1024, channel_base=32768)
        critic = StyleGAN2Discriminator(resolution=1024, channel_base=32768)
    assert (count(faces), count(critic)) == (FFHQ_GENERATOR, FFHQ_DISCRIMINATOR)
    assert faces.num_ws == 18 and faces.noise_shapes()[-1] == (1, 1024, 1024)
    shapes = faces.feature_shapes()
    assert shapes[0] == (512, 4, 4) and shapes[8] == (512, 64, 64) and shapes[-1] == (32, 1024, 1024)


def test_the_full_size_computes_the_published_way() -> None:
    """The first two sides of the published faces' network, 512 channels wide."""
    torch.manual_seed(0)
    net = StyleGAN2(resolution=1024, channel_base=32768, mapping_layers=2).eval().requires_grad_(False)
    ws = torch.randn(1, net.num_ws, 512)
    noises = [torch.randn(1, *s) for s in net.noise_shapes()[:3]]
    kept = ("layers.0", "layers.1", "layers.2", "to_rgb.0", "to_rgb.1", "constant")
    state = {k: v for k, v in arrays(net).items() if k.startswith(kept)}
    _, deep = straight_generator(state, ws[0, :4].numpy(), [n[0].numpy() for n in noises])
    for layer in range(3):
        ours = net.lower(ws, layer, noises)[0].numpy()
        assert np.abs(ours - deep[layer]).max() < 1e-4 * np.abs(deep[layer]).max()


@pytest.mark.parametrize(("resolution", "codes"), [(32, 8), (64, 10), (128, 12), (256, 14), (512, 16)])
def test_every_resolution(resolution: int, codes: int) -> None:
    small = {**SMALL, "channel_base": 128}
    net = build("stylegan2", {"resolution": resolution, "channels": 1, **small})
    critic = build(
        "stylegan2-discriminator",
        {"resolution": resolution, "channels": 1, "channel_base": 128, "channel_max": 8},
    )
    assert isinstance(net, StyleGAN2) and net.num_ws == codes
    with torch.no_grad():
        x = net(torch.randn(2, 16, generator=torch.Generator().manual_seed(0)))
        assert x.shape == (2, 1, resolution, resolution) and critic(x).shape == (2,)
    with pytest.raises(ConfigError, match="power of two"):
        build("stylegan2", {"resolution": resolution + 4})


@pytest.mark.parametrize("up", [False, True])
def test_scaling_input_and_output_equals_a_kernel_per_sample(up: bool) -> None:
    """The grouped form of the published code, and indifference to the style's length."""
    g = torch.Generator().manual_seed(3)
    conv = ModulatedConv(6, 10, 3, 5, up=up)
    x, w = torch.randn(3, 6, 8, 8, generator=g), torch.randn(3, 5, generator=g)
    kernels = conv.weight[None] * conv.scale * conv.affine(w)[:, None, :, None, None]
    kernels = kernels * torch.rsqrt(kernels.square().sum((2, 3, 4), keepdim=True) + 1e-8)
    flat = x.reshape(1, -1, 8, 8)
    if up:
        grouped = F.conv_transpose2d(flat, kernels.transpose(1, 2).flatten(0, 1), stride=2, groups=3)
        taps = torch.tensor([1.0, 3, 3, 1])
        kernel = (torch.outer(taps, taps) / 16).expand(30, 1, 4, 4)
        grouped = F.conv2d(grouped, kernel, padding=1, groups=30)
    else:
        grouped = F.conv2d(flat, kernels.flatten(0, 1), padding=1, groups=3)
    assert torch.allclose(conv(x, w).flatten(0, 1), grouped[0], atol=1e-5)
    with torch.no_grad():
        conv.affine.bias.zero_()
    assert torch.allclose(conv(x, w), conv(x, 7 * w), atol=1e-5)


def test_codes_are_shared_between_rgb_and_the_next_side() -> None:
    net = lively(StyleGAN2(channels=1, **SMALL))
    g = torch.Generator().manual_seed(0)
    ws = torch.randn(1, 8, 12, generator=g, dtype=torch.float64)
    plain, features = net.synthesis(ws, return_features=True)
    for k in range(8):
        other = ws.clone()
        other[:, k] += 1
        image, moved = net.synthesis(other, return_features=True)
        first = next((i for i, (a, b) in enumerate(zip(features, moved, strict=True)) if not a.equal(b)), 7)
        assert first == k and not image.equal(plain)


@pytest.mark.parametrize("layer", [0, 1, 3, 4, 6])
def test_start_in_the_middle_gives_the_image_without_lower_rgb(layer: int) -> None:
    net = lively(StyleGAN2(channels=3, **SMALL))
    ws = torch.randn(2, 8, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    whole, features = net.synthesis(ws, return_features=True)
    below: Tensor | None = None
    for k in range((layer + 1) // 2):  # sides below the one of this layer
        rgb = net.to_rgb[k](features[2 * k], ws[:, 2 * k + 1])
        below = rgb if below is None else filter_up(below) + rgb
    upper = net.synthesis(ws, start=(layer, features[layer]))
    while below is not None and below.shape[-1] < 32:
        below = filter_up(below)
    assert torch.allclose(upper, whole - (0 if below is None else below), atol=1e-9)


def test_own_content_and_truncation_change_nothing_where_they_should_not() -> None:
    net = lively(StyleGAN2(channels=1, **SMALL))
    z = torch.randn(2, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ws = net.repeat(net.mapping(z))
    assert net.synthesis(ws, content=net.constant).equal(net(z))
    assert torch.allclose(net(z, truncation=0.0)[0], net(z, truncation=0.0)[1])
    with pytest.raises(ValueError, match="expected codes B x 8 x 12"):
        net.synthesis(ws[:, :3])
