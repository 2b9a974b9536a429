"""Detectors of foreign pictures against pytorch-ood, autograd and formulas computed another way."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.covariance import ledoit_wolf
from torch import nn

from restore.downstream.classifiers.adapter import Classifier, Preprocess
from restore.downstream.classifiers.small import SmallNet
from restore.downstream.confidence.anchoring import amp_score, pick_anchors, wrap_anchored
from restore.downstream.confidence.ensembles import Ensemble, mc_dropout, uncertainty
from restore.downstream.ood.base import Bank
from restore.downstream.ood.distance import Mahalanobis, NearestNeighbours, covariance
from restore.downstream.ood.ghost import ghost_norms
from restore.downstream.ood.gram import Gram, gram_rows
from restore.downstream.ood.logit_scores import LOGIT_SCORES
from restore.downstream.ood.perturbed import GradNorm, Odin
from restore.downstream.ood.purview import Introspective, Purview, confounding_loss, head_weight_norm


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """The networks here are so small that threads wait for each other longer than they compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def classifier():
    torch.manual_seed(0)
    net = SmallNet(1, 4, width=4)
    with torch.no_grad():  # statistics that are not those of an untrained network
        for m in net.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.running_mean.normal_(0, 0.2)
                m.running_var.uniform_(0.5, 1.5)
                m.weight.uniform_(0.5, 1.5)
    return Classifier(net, name="tiny", preprocess=Preprocess(side=16, mean=(0.4,), std=(0.3,), channels=1))


@pytest.fixture(scope="module")
def bank(classifier):
    g = torch.Generator().manual_seed(1)
    x = torch.rand((120, 1, 16, 16), generator=g)
    with torch.no_grad():
        logits, features = classifier.both(x)
    return Bank(x, torch.arange(120) % 4, logits, features)


@pytest.fixture(scope="module")
def fresh(classifier):
    x = torch.rand((12, 1, 16, 16), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        return x, *classifier.both(x)


def test_scores_of_logits_are_those_of_pytorch_ood(fresh):
    from pytorch_ood.detector import EnergyBased, MaxLogit, MaxSoftmax

    logits = fresh[1]
    theirs = {
        "msp": MaxSoftmax.score(logits),
        "max-logit": MaxLogit.score(logits),
        "energy": EnergyBased.score(logits, t=1.0),
        "entropy": torch.distributions.Categorical(logits=logits).entropy(),
    }
    for name, score in LOGIT_SCORES.items():
        assert score(logits.numpy()) == pytest.approx(theirs[name].numpy(), rel=1e-4), name


def test_odin_is_that_of_pytorch_ood(classifier, fresh):
    from pytorch_ood.detector import ODIN

    x, logits, features = fresh
    theirs = ODIN(classifier, temperature=100.0, eps=0.01, norm_std=None).predict(x.clone())
    ours = Odin(temperature=100.0, epsilon=0.01).score(classifier, x, logits, features)
    assert ours.numpy() == pytest.approx(theirs.detach().numpy(), rel=1e-5)


def test_mahalanobis_is_2n_times_that_of_pytorch_ood(classifier, bank, fresh):
    from pytorch_ood.detector import Mahalanobis as Theirs

    g = torch.Generator().manual_seed(3)
    wide = Bank(bank.pictures, torch.arange(400) % 4, bank.logits, torch.randn((400, 8), generator=g))
    ours = (
        Mahalanobis()
        .fit(classifier, wide)
        .distance(torch.randn((9, 8), generator=torch.Generator().manual_seed(4)))
    )
    theirs = Theirs(None)
    theirs.fit_features(wide.features, wide.labels)
    query = torch.randn((9, 8), generator=torch.Generator().manual_seed(4))
    assert ours.numpy() == pytest.approx(2 * 400 * theirs.predict_features(query).detach().numpy(), rel=1e-3)


def test_few_pictures_are_shrunk_as_ledoit_and_wolf_do(bank):
    h = bank.features.double()
    centred = h - h.mean(0)
    assert covariance(centred[:60]).numpy() == pytest.approx(
        ledoit_wolf(centred[:60].numpy(), assume_centered=True)[0], rel=1e-6, abs=1e-12
    )


def test_neighbours_are_those_of_scikit_learn(classifier, bank, fresh):
    from sklearn.neighbors import NearestNeighbors
    from sklearn.preprocessing import normalize

    theirs = NearestNeighbors(n_neighbors=7).fit(normalize(bank.features.numpy().astype(np.float64)))
    distances = theirs.kneighbors(normalize(fresh[2].numpy().astype(np.float64)))[0][:, -1]
    ours = NearestNeighbours(7).fit(classifier, bank).score(classifier, *fresh)
    assert ours.numpy() == pytest.approx(distances, abs=1e-6)


def test_gram_rows_by_hand_and_a_class_is_inside_its_own_bounds(classifier, bank):
    m = torch.randn((1, 3, 2, 2), generator=torch.Generator().manual_seed(0))
    flat = m[0].double().reshape(3, 4).numpy()
    for k, p in enumerate((1, 2, 3)):
        matrix = (flat**p) @ (flat**p).T
        total = matrix.sum(1)
        expected = np.sign(total) * np.abs(total) ** (1 / p)
        assert gram_rows(m, (1, 2, 3))[0, 3 * k : 3 * k + 3].numpy() == pytest.approx(expected)
    detector = Gram(powers=(1, 2)).fit(classifier, bank)
    # Every picture that set the bounds of its own class is inside them.
    rows = detector._all_rows(classifier, bank.pictures[20:30])
    inside = detector._deviations(rows, bank.labels[20:30])
    outside = detector._deviations([r * 3 + 1 for r in rows], bank.labels[20:30])
    assert bool((inside == 0).all()) and bool((outside.sum(1) > 0).all())


def autograd_norms(net, loss, x):
    """Squared gradient norms per picture, one backward pass each."""
    rows = []
    for i in range(len(x)):
        parameters = {n: p.detach().requires_grad_(True) for n, p in net.named_parameters()}
        value = loss(torch.func.functional_call(net, parameters, (x[i : i + 1],)))
        slopes = torch.autograd.grad(value, list(parameters.values()), allow_unused=True)
        rows.append({n: g.square().sum() for n, g in zip(parameters, slopes, strict=True) if g is not None})
    return {n: torch.stack([r[n] for r in rows]) for n in rows[0]}


def test_ghost_norms_are_those_of_autograd_also_in_groups_and_when_a_layer_is_used_twice():
    torch.manual_seed(1)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Conv2d(2, 8, 3, stride=2, padding=1)
            self.grouped = nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=4)
            self.depth = nn.Conv2d(8, 8, 5, padding="same", groups=8, bias=False)
            self.norm = nn.BatchNorm2d(8)
            self.twice = nn.Conv2d(8, 8, 1)
            self.head = nn.Linear(8, 3)

        def forward(self, x):
            x = torch.relu(self.norm(self.depth(self.grouped(torch.relu(self.first(x))))))
            x = self.twice(torch.tanh(self.twice(x)))
            return self.head(x.mean((2, 3)))

    net = Net().double().eval()
    x = torch.rand((5, 2, 13, 11), dtype=torch.float64)
    with torch.no_grad():  # as inside an evaluation
        ours = ghost_norms(net, confounding_loss, x)
    theirs = autograd_norms(net, confounding_loss, x)
    assert set(ours) == set(theirs)
    for name, norm in theirs.items():
        assert ours[name].numpy() == pytest.approx(norm.numpy(), rel=1e-8), name
    assert all(p.grad is None and p.requires_grad for p in net.parameters())


def test_gradients_at_the_head_have_a_closed_form(classifier, fresh):
    x, logits, features = fresh
    theirs = autograd_norms(classifier.net, confounding_loss, classifier.normalise(x))
    assert head_weight_norm(logits, features).numpy() == pytest.approx(
        theirs["head.weight"].numpy(), rel=1e-4
    )
    # GradNorm: L1 norm of the head weight's gradient of KL(uniform, p).
    h = features[:1].double()
    weight = classifier.head[0].detach().double().requires_grad_(True)
    z = h @ weight.T + classifier.head[1].double()
    (g,) = torch.autograd.grad(-z.log_softmax(1).mean(), weight)
    ours = GradNorm().score(classifier, x[:1], logits[:1], features[:1])
    assert float(ours) == pytest.approx(-float(g.abs().sum()), rel=1e-4)


def test_no_score_depends_on_its_neighbours_and_nothing_is_left_behind(classifier, bank, fresh):
    x, logits, features = fresh
    grads = [p.requires_grad for p in classifier.parameters()]
    for detector in (
        Odin(),
        Gram(powers=(1, 2)),
        Purview(),
        Introspective(steps=20),
        Mahalanobis(epsilon=0.01),
    ):
        detector.fit(classifier, bank)
        with torch.no_grad():
            together = detector.score(classifier, x, logits, features)
            alone = torch.cat([detector.score(classifier, *(v[i : i + 1] for v in fresh)) for i in range(4)])
        assert alone.numpy() == pytest.approx(together[:4].numpy(), rel=1e-3), detector.name
        assert not classifier.training and [p.requires_grad for p in classifier.parameters()] == grads
        assert all(p.grad is None for p in classifier.parameters())


def test_an_anchored_network_starts_as_the_original_and_ignores_its_neighbours(classifier):
    net = classifier.net
    anchored = wrap_anchored(net).eval()
    x = torch.rand((6, 1, 16, 16), generator=torch.Generator().manual_seed(5))
    picked = pick_anchors(torch.arange(20) % 4, 8)
    assert (torch.arange(20)[picked] % 4).bincount().tolist() == [2, 2, 2, 2]
    anchored.store(torch.rand((5, 1, 16, 16), generator=torch.Generator().manual_seed(6)))
    with torch.no_grad():
        mean, spread = anchored.uncertain(x)
        # The border is padded with zeros in both slots, so the identity is exact.
        assert mean.numpy() == pytest.approx(net(x).numpy(), abs=1e-4) and float(spread.max()) < 1e-4
        first = anchored.net.stages[0][0].weight  # trained further, anchors differ
        first.add_(torch.randn(first.shape, generator=torch.Generator().manual_seed(7)))
        whole, wide = anchored.uncertain(x)
        alone, _ = anchored.uncertain(x[2:3])
        assert float(wide.max()) > 20 * float(spread.max())
        assert alone[0].numpy() == pytest.approx(whole[2].numpy(), abs=1e-4)
        score = amp_score(whole, wide)
        tau = wide.double().mean(1, keepdim=True)
        by_hand = torch.log_softmax(whole.double() / (1 + torch.exp(tau)), 1).mean(1)
        assert score.numpy() == pytest.approx(by_hand.numpy())


def test_disagreement_is_the_mutual_information_and_dropout_puts_modes_back(classifier):
    x = torch.rand((3, 1, 16, 16), generator=torch.Generator().manual_seed(8))
    same = Ensemble([classifier, classifier])
    with torch.no_grad():
        assert float(uncertainty(same.each(x))["epistemic"].abs().max()) < 1e-6
        assert same(x).exp().numpy() == pytest.approx(classifier(x).softmax(1).numpy(), abs=1e-6)
    sure = torch.tensor([[[0.999, 0.001]], [[0.001, 0.999]]]).log()
    found = uncertainty(sure)
    assert (
        float(found["epistemic"]) == pytest.approx(np.log(2), abs=0.01) and float(found["aleatoric"]) < 0.01
    )
    passes = mc_dropout(classifier, x, passes=4, seed=3)
    assert passes.shape == (4, 3, 4) and not bool((passes[0] == passes[1]).all())
    assert (
        bool((mc_dropout(classifier, x, passes=4, seed=3) == passes).all())
        and not classifier.net.dropout.training
    )


def test_exposed_and_robust_training_pull_the_way_they_say():
    from restore.downstream.classifiers.robust import augmix, augmix_loss, degrading, exposure_loss
    from restore.downstream.classifiers.training import shift

    g = torch.Generator().manual_seed(0)
    x = torch.rand((16, 1, 16, 16), generator=g)
    mixed = augmix(x, torch.Generator().manual_seed(1))
    assert mixed.shape == x.shape and float(mixed.min()) >= 0 and float(mixed.max()) <= 1
    assert torch.equal(mixed, augmix(x, torch.Generator().manual_seed(1))) and not torch.equal(mixed, x)
    zero, one = torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1)
    labels = torch.arange(16) % 3

    class Flat(nn.Module):  # blind: the same answer for every picture, so nothing to disagree about
        def forward(self, x):
            return torch.tensor([[1.0, 2.0, 0.5]]).expand(len(x), 3)

    plain = float(nn.functional.cross_entropy(Flat()(x), labels))
    assert float(augmix_loss(mean=zero, std=one)(Flat(), x, labels, g)) == pytest.approx(plain, abs=1e-5)
    z = Flat()(x[:1])[0]
    extra = float(z.logsumexp(0) - z.mean())
    exposed = exposure_loss(torch.rand((8, 1, 16, 16)), weight=0.5)(Flat(), x, labels, g)
    assert float(exposed) == pytest.approx(plain + 0.5 * extra, abs=1e-5)
    augment = degrading(["gaussian_noise"], (5,), mean=zero, std=one, before=shift, clean_share=0.0)
    noisy = augment(0.5 * torch.ones((4, 1, 16, 16)), torch.Generator().manual_seed(2))
    assert float(noisy.std()) > 0.1


def test_learned_detectors_flag_what_they_have_never_seen():
    from restore.downstream.classifiers.robust import anchored_loss
    from restore.downstream.ood.amp import Amp
    from restore.downstream.ood.gradcon import GradCon

    torch.manual_seed(0)
    anchored = wrap_anchored(SmallNet(1, 2, width=4))
    behind = Classifier(anchored, name="anchored", preprocess=Preprocess(side=16, channels=1))
    ramp = torch.linspace(0, 1, 16).expand(40, 1, 16, 16)
    x = (ramp + 0.05 * torch.rand((40, 1, 16, 16))).clamp(0, 1)
    labels = torch.arange(40) % 2
    x = torch.where((labels == 1).view(-1, 1, 1, 1), x, x.flip(-1))
    loss = anchored_loss()(anchored.train(), x, labels, torch.Generator().manual_seed(0))
    (slope,) = torch.autograd.grad(loss, anchored.net.stages[0][0].weight)
    assert float(slope[:, 0].abs().max()) > 0 and float(slope[:, 1].abs().max()) > 0  # both slots learn
    behind.eval()
    bank = Bank(x, labels, torch.zeros(40, 2), torch.zeros(40, 4))
    amp = Amp(anchors=4).fit(behind, bank)
    assert amp.score(behind, x[:3], bank.logits, bank.features).shape == (3,) and len(anchored.bank) == 4
    alike = Bank(ramp + 0.05 * x, labels, bank.logits, bank.features)
    detector = GradCon(width=4, epochs=12, batch=20).fit(behind, alike)
    noise = torch.rand((6, 1, 16, 16), generator=torch.Generator().manual_seed(9))
    with torch.no_grad():
        familiar, foreign = (
            detector.score(behind, y, bank.logits, bank.features) for y in (alike.pictures[:6], noise)
        )
        alone = detector.score(behind, alike.pictures[2:3], bank.logits, bank.features)
    assert float(foreign.min()) > float(familiar.max()) and float(alone) == pytest.approx(
        float(familiar[2]), rel=1e-4
    )
