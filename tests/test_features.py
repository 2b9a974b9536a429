"""Feature networks, the losses on them, and the other losses of games: formulas by hand and properties."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from restore.errors import UsageError, WeightsError
from restore.losses.adversarial import (
    least_squares_critic,
    least_squares_generator,
    relativistic_critic,
    relativistic_generator,
)
from restore.losses.perceptual import feature_distance, perceptual, self_feature
from restore.losses.zero_reference import colour_constancy, exposure, smoothness, spatial_consistency
from restore.models.curve import CurveNet
from restore.models.features import FEATURES, FeatureNet, feature_net, pooled
from restore.models.pyramid import BACKBONES, PyramidGenerator


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_relativistic_losses_by_hand() -> None:
    real, fake = torch.tensor([1.0, 3.0]), torch.tensor([0.0, 1.0])
    # Means 2 and 0.5: ((0.5 - 1)^2 + (2.5 - 1)^2) / 2 = 1.25 and ((-2)^2 + (-1)^2) / 2 = 2.5, halved together.
    assert float(relativistic_critic(real, fake)) == pytest.approx(0.5 * (1.25 + 2.5))
    # The generator's: ((-2 - 1)^2 + (-1 - 1)^2) / 2 = 6.5 and (0.5^2 + 2.5^2) / 2 = 3.25.
    assert float(relativistic_generator(real, fake)) == pytest.approx(0.5 * (6.5 + 3.25))
    # DeblurGAN-v2: ((0.5 - 1)^2 + (2.5 - 1)^2) / 2 and ((-2 + 1)^2 + (-1 + 1)^2) / 2.
    assert float(relativistic_critic(real, fake, low=-1)) == pytest.approx(0.5 * (1.25 + 0.5))
    assert float(least_squares_critic(real, fake)) == pytest.approx(0.5 * (2 + 0.5))
    assert float(least_squares_generator(fake)) == pytest.approx(0.5)
    for loss in (relativistic_critic, relativistic_generator):
        assert float(loss(real + 7, fake + 7)) == pytest.approx(float(loss(real, fake)), rel=1e-5)
    assert float(least_squares_critic(real + 7, fake + 7)) > 10


def test_self_feature_loss() -> None:
    net = feature_net("random-s4")
    x, other = rand(2, 3, 32, 32), rand(2, 3, 32, 32, seed=1)
    assert float(self_feature(net, x, x)) == pytest.approx(0, abs=1e-8)
    a, b = rand(2, 5, 8, 8, seed=2), rand(2, 5, 8, 8, seed=3)
    a = a + b
    rho = [
        torch.corrcoef(torch.stack([a[i, c].flatten(), b[i, c].flatten()]))[0, 1]
        for i in (0, 1)
        for c in range(5)
    ]
    assert float(feature_distance(a, b)) == pytest.approx(
        float((2 * (1 - torch.stack(rho))).mean()), rel=1e-4
    )
    assert float(feature_distance(3 * a, b)) == pytest.approx(float(feature_distance(a, b)), rel=1e-3)
    dead = torch.cat([b, torch.ones(2, 1, 8, 8)], 1)
    more = torch.cat([a, rand(2, 1, 8, 8)], 1)
    assert float(feature_distance(more, dead)) == pytest.approx(float(feature_distance(a, b)), rel=1e-3)
    with pytest.raises(UsageError, match="4 x 4"):
        self_feature(net, rand(1, 3, 12, 12), rand(1, 3, 12, 12))
    bright = x.clone().requires_grad_(True)
    perceptual(net, bright, other).backward()
    assert bright.grad is not None and float(bright.grad.abs().sum()) > 0


def test_features_say_who_they_are_and_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match=r"vgg16-397923af\.pth is not there"):
        feature_net("vgg16-relu5_1")
    with pytest.raises(UsageError, match="feature network"):
        feature_net("vgg")
    (tmp_path / "broken.pth").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="does not hold weights of vgg19"):
        feature_net("vgg19-conv3_3", weights=tmp_path / "broken.pth")
    net = feature_net("random-s4")
    assert net.feature_id == "random-s4" and not any(p.requires_grad for p in net.parameters())
    assert torch.equal(net(rand(1, 3, 16, 16)), feature_net("random-s4").train()(rand(1, 3, 16, 16)))
    assert pooled(net, rand(2, 3, 20, 20), side=16).shape == (2, 128)


def test_vgg_layers_and_strides(tmp_path: Path) -> None:
    """With a file of the user's: the layers of torchvision's network, pool 4 left out."""
    import torchvision

    with torch.device("meta"):
        whole = torchvision.models.vgg16().features
    whole = whole.to_empty(device="cpu")
    for p in whole.parameters():
        torch.nn.init.normal_(p, 0.0, 0.03, generator=torch.Generator().manual_seed(p.numel()))
    torch.save({f"features.{k}": v for k, v in whole.state_dict().items()}, tmp_path / "vgg16.pth")
    net = feature_net("vgg16-relu5_1", weights=tmp_path / "vgg16.pth")
    x = rand(1, 3, 32, 32)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        expected = (x - mean) / std
        for i, layer in enumerate(whole[:26]):
            expected = expected if i == 23 else layer(expected)
        assert net(x).shape == (1, 512, 4, 4) and torch.allclose(net(x), expected, atol=1e-6)
    assert net.stride == 8


def test_zero_reference_losses() -> None:
    x = rand(2, 3, 32, 32)
    assert float(spatial_consistency(x, x)) == 0
    assert float(spatial_consistency(x + 0.0, x * 0.5)) > 0
    assert float(exposure(torch.full((1, 3, 32, 32), 0.4))) == pytest.approx(0.04, rel=1e-4)
    grey = torch.full((1, 3, 8, 8), 0.5)
    tint = grey * torch.tensor([1.0, 0.8, 0.6]).view(1, 3, 1, 1)
    assert float(colour_constancy(grey)) < 1e-5
    # Channel means 0.5, 0.4, 0.3: sqrt(0.1^4 + 0.2^4 + 0.1^4).
    assert float(colour_constancy(tint)) == pytest.approx((2 * 0.1**4 + 0.2**4) ** 0.5, rel=1e-3)
    assert float(smoothness(torch.ones(1, 24, 8, 8))) == 0
    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    assert float(smoothness(ramp)) == pytest.approx(2.0)


def test_curve_net() -> None:
    sizes = {32: 79_416, 16: 23_592, 8: 7_776}
    assert {w: sum(p.numel() for p in CurveNet(width=w).parameters()) for w in sizes} == sizes
    x = rand(1, 3, 16, 24)
    assert torch.equal(CurveNet.bend(x, torch.zeros(1, 24, 16, 24)), x)
    for sign in (-1.0, 1.0):
        bent = CurveNet.bend(x, torch.full((1, 24, 16, 24), sign))
        assert float(bent.min()) >= 0 and float(bent.max()) <= 1 and bool((sign * (bent - x) >= 0).all())
    for shrink in (1, 4):
        assert CurveNet(width=4, shrink=shrink)(rand(1, 3, 17, 22)).shape == (1, 3, 17, 22)


@pytest.mark.parametrize("backbone", ["strided", "mobilenet-v2"])
def test_pyramid(backbone: str) -> None:
    assert backbone in BACKBONES
    torch.manual_seed(0)
    net = PyramidGenerator(backbone=backbone, pyramid=16, heads=8).eval()
    x = rand(1, 3, 50, 70)
    with torch.no_grad():
        out = net(x)
        assert out.shape == x.shape and float(out.min()) >= 0 and float(out.max()) <= 1
        strides = [64 // m.shape[-1] for m in net.backbone(x[..., :32, :64])]
    assert float((out - x).abs().max()) < 0.2  # starts near identity
    assert strides == [2, 4, 8, 16, 32]
    with pytest.raises(ValueError, match="backbone"):
        PyramidGenerator(backbone="inception")


def test_every_feature_network_is_frozen_and_has_its_stride() -> None:
    at_hand = [name for name in FEATURES if not name.startswith("vgg")]
    for name in at_hand:
        net = feature_net(name)
        assert isinstance(net, FeatureNet)
        assert net(rand(1, 3, 64, 64)).shape[-1] == 64 // net.stride == 64 // int(name.rpartition("s")[2])
