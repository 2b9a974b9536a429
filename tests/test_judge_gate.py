"""The gate as a module, its certificate, and the classifier's loss in training."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from restore.downstream.classifiers import load_classifier
from restore.downstream.classifiers.adapter import Classifier, Preprocess
from restore.downstream.gate.features import FEATURES
from restore.downstream.gate.module import RestoreGate
from restore.downstream.gate.rule import GateRule, fit_rule
from restore.downstream.labelled import digits
from restore.downstream.labelled.base import Labelled
from restore.downstream.labelled.folders import from_csv, from_dataset, from_folder
from restore.downstream.suite import Cell, degrade
from restore.errors import UsageError
from restore.train.guided import guided, task_guide


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """The networks here are so small that threads wait for each other longer than they compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def blur(x):
    return nn.functional.avg_pool2d(nn.functional.pad(x, [2] * 4, mode="replicate"), 5, 1)


def batch_of(start, count, severity):
    """Digits as they come: under noise, or dark under none, with their classes."""
    data, classifier = digits(), load_classifier("digits")
    held = sorted(set(range(len(data))) - classifier.trained_on(data))[start : start + count]
    x = torch.stack([data.read(i) for i in held])
    ids = [data.ids[i] for i in held]
    cell = Cell("gaussian_noise", severity) if severity else Cell("clean", None)
    return degrade(cell, x, ids, seed=0, dataset="t"), torch.from_numpy(data.labels[held])


@pytest.fixture(scope="module")
def fitted():
    """A restorer that helps much under noise and destroys clean pictures."""
    classifier = load_classifier("digits")

    def restorer(x):
        return torch.where(_noisy(x), blur(x), 0.5 * torch.ones_like(x))

    gate = RestoreGate(restorer, classifier)
    gate.fit(
        [batch_of(0, 80, 5), batch_of(0, 80, 0)], [batch_of(80, 60, 5), batch_of(140, 60, 0)], budget=0.05
    )
    return gate


def _noisy(x):
    steps = (x[..., 1:] - x[..., :-1]).abs().mean((1, 2, 3))
    return (steps > 0.1).view(-1, 1, 1, 1)


def test_the_gate_keeps_the_help_and_refuses_the_harm(fitted):
    classifier, restorer = fitted.classifier, fitted.restorer
    for severity in (5, 0):
        x, labels = batch_of(300, 120, severity)
        with torch.no_grad():
            never = float((classifier(x).argmax(1) == labels).float().mean())
            always = float((classifier(restorer(x)).argmax(1) == labels).float().mean())
            gated = float((fitted(x).argmax(1) == labels).float().mean())
        assert gated >= max(never, always) - 0.02
        if severity == 0:
            assert always < 0.3  # what it was protected from
            assert fitted.decide(x).choices.count("pass") >= 96
    certificate = fitted.rule.certificate
    assert certificate["n"] == 120 and certificate["upper"] <= certificate["budget"] == 0.05


def test_a_gate_is_a_module_that_saves_and_no_answer_depends_on_neighbours(fitted, tmp_path):
    x, _ = batch_of(500, 6, 5)
    fitted.rule.save(tmp_path / "gate.json")
    again = RestoreGate(fitted.restorer, fitted.classifier, GateRule.load(tmp_path / "gate.json"))
    chained = nn.Sequential(again, nn.Softmax(1))
    with torch.no_grad():
        assert torch.equal(again(x), fitted(x))
        assert chained(x).sum(1).numpy() == pytest.approx(1, abs=1e-5)
        assert again(x[2:3])[0].numpy() == pytest.approx(again(x)[2].numpy(), abs=1e-4)
        unfitted = RestoreGate(fitted.restorer, fitted.classifier)
        assert torch.equal(unfitted(x), fitted.classifier(x)) and set(unfitted.decide(x).choices) == {"pass"}
    (tmp_path / "gate.json").write_text("{}")
    with pytest.raises(UsageError):
        GateRule.load(tmp_path / "gate.json")


def test_a_feature_that_never_changes_does_not_break_a_rule():
    g = torch.Generator().manual_seed(0)
    x = torch.rand(60, len(FEATURES), generator=g)
    x[:, 0] = 0.5
    logs = [torch.log_softmax(torch.randn(60, 3, generator=g), 1) for _ in range(2)]
    rule = fit_rule(x, *logs, torch.arange(60) % 3, steps=5)
    assert torch.isfinite(rule.score(x)).all()
    # Far outside of what was fitted it says what it says at four deviations.
    far = x.clone()
    far[:, 1] = rule.mean[1] + 4 * rule.std[1]
    farther = far.clone()
    farther[:, 1] = rule.mean[1] + 400 * rule.std[1]
    assert torch.allclose(rule.score(far), rule.score(farther), atol=1e-4)


def test_too_few_pictures_certify_nothing_and_restore_nothing(fitted):
    gate = RestoreGate(fitted.restorer, fitted.classifier)
    rule = gate.fit([batch_of(0, 80, 5)], [batch_of(80, 20, 5)], budget=0.01)
    assert rule.certificate["never"]
    x, _ = batch_of(300, 10, 5)
    assert set(gate.decide(x).choices) == {"pass"}


def test_a_classifiers_loss_joins_the_pixels_and_its_gradient_reaches_the_restorer():
    torch.manual_seed(0)
    behind = Classifier(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5)).requires_grad_(
            False
        ),
        name="tiny",
        preprocess=Preprocess(side=8),
    )
    net = nn.Conv2d(3, 3, 3, padding=1)
    batch = {"clean": torch.rand((2, 3, 12, 12)), "degraded": torch.rand((2, 3, 12, 12))}

    def pixels(net, batch, number):
        return (net(batch["degraded"]) - batch["clean"]).abs().mean()

    for on in ("features", "logits"):
        guide = task_guide(behind.both, on=on)
        both = guided(guide, weight=0.5)(pixels)(net, batch, 0)
        answer = net(batch["degraded"])
        assert float(both.detach()) == pytest.approx(
            float(pixels(net, batch, 0) + 0.5 * guide(answer, batch["clean"])), rel=1e-5
        )
        (alone,) = torch.autograd.grad(guide(net(batch["degraded"]), batch["clean"]), net.weight)
        assert float(alone.abs().max()) > 0
        assert float(guide(batch["clean"], batch["clean"])) == pytest.approx(0, abs=1e-6)
    assert not net._forward_hooks
    with pytest.raises(UsageError):
        guided(guide, weight=0)
    with pytest.raises(UsageError, match="features"):
        task_guide(behind.both, on="feature")


def test_labelled_pictures_from_folders_tables_and_datasets(tmp_path):
    from PIL import Image

    for name in ("cat/a", "cat/b", "dog/c"):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 7), (255, 0, 0)).save(tmp_path / "set" / f"{name}.png")
    found = from_folder(tmp_path / "set")
    assert found.labels.tolist() == [0, 0, 1] and list(found.classes) == ["cat", "dog"]
    assert (
        found.read(2).shape == (3, 7, 9)
        and from_folder(tmp_path / "set", classes=["x", "dog", "cat"]).labels[0] == 2
    )
    with pytest.raises(UsageError, match="cat"):
        from_folder(tmp_path / "set", classes=["dog", "cot"])
    table = tmp_path / "list.csv"
    table.write_text("file,label,source\nset/cat/a.png,cat,1\nset/cat/b.png,cat,1\nset/dog/c.png,dog,2\n")
    read = from_csv(table)
    assert read.labels.tolist() == [0, 0, 1] and [read.source(i) for i in range(3)] == ["1", "1", "2"]
    table.write_text("file,label\nset/cat/z.png,cat\n")
    with pytest.raises(UsageError, match="not there"):
        from_csv(table)
    made = from_dataset([(torch.zeros(1, 4, 4), 3), (torch.ones(1, 4, 4), 0)], name="mine")
    assert isinstance(made, Labelled) and made.labels.tolist() == [3, 0] and float(made.read(1).min()) == 1


def test_classifiers_come_from_files_and_functions(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "import torch\ndef net():\n    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 3))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    named = load_classifier("mine:net")
    x = torch.rand((2, 3, 4, 4))
    logits, features = named.both(x)
    assert logits.shape == (2, 3) and torch.equal(features, x.flatten(1))
    torch.jit.trace(named.net, x).save(str(tmp_path / "net.pt"))
    filed = load_classifier(str(tmp_path / "net.pt"))
    assert torch.allclose(filed(x), logits) and filed.both(x)[1].shape == (2, 3)
    for wrong in ("mine:nothing", "digitz", "torchvision:resnet5"):
        with pytest.raises(UsageError):
            load_classifier(wrong)
