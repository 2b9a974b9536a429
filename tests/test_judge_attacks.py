"""Attacks and certificates on models whose answer is known, and label-free estimates on calibrated predictions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import nn

from restore.downstream.attacks.block import attack_block
from restore.downstream.attacks.carlini import carlini_wagner
from restore.downstream.attacks.gradient import PassThrough, bim, fgsm, pgd
from restore.downstream.attacks.smoothing import certify_smoothed
from restore.downstream.attacks.spatial import spatial, turn
from restore.downstream.confidence.label_free import average_thresholded_confidence, difference_of_confidences
from restore.downstream.hallucination import flip_rate, phantoms
from restore.errors import UsageError


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """The networks here are so small that threads wait for each other longer than they compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Plane(nn.Module):
    """Class 1 where the mean of the picture is above 0.5: distance and direction are known everywhere."""

    def forward(self, x):
        z = (x.flatten(1).mean(1) - 0.5) * 20
        return torch.stack([-z, z], 1)


@pytest.fixture
def pictures():
    g = torch.Generator().manual_seed(0)
    x = 0.5 + 0.04 * torch.rand((6, 1, 4, 4), generator=g) + 0.01
    return x, torch.ones(6, dtype=torch.long)


@pytest.mark.parametrize("attack", [fgsm, bim, pgd])
def test_a_plane_falls_exactly_when_the_budget_reaches_it(attack, pictures):
    x, labels = pictures
    margin = x.flatten(1).mean(1) - 0.5
    for eps in (0.5 * float(margin.min()), 1.5 * float(margin.max())):
        y = attack(Plane(), x, labels, eps=eps)
        assert float((y - x).abs().max()) <= eps + 1e-6 and float(y.min()) >= 0 and float(y.max()) <= 1
        wrong = Plane()(y).argmax(1) != labels
        assert bool(wrong.all()) == (eps > float(margin.max())) and bool(wrong.any()) == (
            eps > float(margin.min())
        )


def test_carlini_wagner_finds_the_nearest_point_of_a_plane(pictures):
    x, labels = pictures
    y = carlini_wagner(Plane(), x, labels, steps=80, searches=4)
    distance = (y - x).flatten(1).norm(dim=1)
    nearest = (x.flatten(1).mean(1) - 0.5) * 16 / 4  # d / |w|, w = 1/16 in 16 dimensions
    assert bool((Plane()(y).argmax(1) != labels).all())
    assert distance.numpy() == pytest.approx(nearest.numpy(), rel=0.2)


def test_a_restorer_without_gradient_is_passed_around_and_said_so(pictures):
    x, labels = pictures

    def rounded(z):
        return (z * 255).round() / 255

    with pytest.raises(UsageError, match="no gradient"):
        fgsm(lambda z: Plane()(rounded(z.detach())), x, labels)
    y = fgsm(lambda z: Plane()(PassThrough(rounded)(z)), x, labels, eps=0.1)
    assert bool((Plane()(rounded(y)).argmax(1) == 0).all())
    found = attack_block(Plane(), rounded, x, labels, eps=0.1, steps=4)
    assert found["gradient"] == "around the restorer (BPDA)" and found["clean"]["chain"] == 1
    rows = {r["attack"]: r for r in found["attacks"]}
    assert rows["pgd"]["chain"] == rows["fgsm"]["chain"] == rows["pgd-unbounded"]["chain"] == 0
    smooth = attack_block(Plane(), lambda z: 0.9 * z + 0.05, x, labels, eps=0.1, steps=4)
    assert smooth["gradient"] == "through the restorer" and not smooth["flags"]


def test_a_turn_by_nothing_is_nothing_and_the_worst_turn_is_found():
    x = torch.zeros((1, 1, 9, 9))
    x[..., 4, 7] = 1
    assert turn(x, degrees=0, down=0, right=0).numpy() == pytest.approx(x.numpy(), abs=1e-6)

    def right_half(y):
        z = y[..., :, 5:].sum((1, 2, 3)) - 0.5
        return torch.stack([-z, z], 1)

    y, worst = spatial(right_half, x, torch.tensor([1]), degrees=90, angles=3, shift=0.0, shifts=1)
    assert float(worst) > 0 and right_half(y).argmax(1).tolist() == [0]


def test_the_radius_of_a_plane_is_its_distance():
    x = torch.full((1, 4, 4), 0.53)
    found = certify_smoothed(Plane(), x, sigma=0.25, n=2000, seed=1)
    distance = 0.03 * 4  # in L2 over 16 values
    assert found.label == 1 and 0.5 * distance < found.radius <= distance
    assert found.p_lower <= norm.cdf(distance / 0.25)
    assert certify_smoothed(Plane(), torch.full((1, 4, 4), 0.5), sigma=0.25, n=200).label is None


def test_accuracy_is_foretold_where_confidence_is_honest():
    g = np.random.default_rng(0)
    source, target = g.uniform(0.5, 1, 20000), g.uniform(0.3, 0.9, 20000)
    correct = g.random(20000) < source
    assert difference_of_confidences(source, correct.mean(), target) == pytest.approx(0.6, abs=0.01)
    # ATC is exact where right answers are the confident ones.
    sharp = source > 0.7
    assert average_thresholded_confidence(source, sharp, target) == pytest.approx(
        (target > 0.7).mean(), abs=0.01
    )


def test_phantoms_flips_and_contradictions_are_counted():
    rows = phantoms(Plane(), lambda x: torch.ones_like(x), side=8, channels=1, count=16)
    by_kind = {r["input"]: r for r in rows}
    assert set(by_kind) == {"flat", "noise", "texture"}
    assert all(r["rate"] == 1 for r in rows) and by_kind["noise"]["rate_without"] < 1
    g = torch.Generator().manual_seed(0)

    def random(x):
        return torch.rand(x.shape, generator=g)

    assert flip_rate(Plane(), random, torch.zeros((20, 1, 4, 4)), draws=6) > 0.5
    assert flip_rate(Plane(), lambda x: x, torch.rand((20, 1, 4, 4))) == 0
