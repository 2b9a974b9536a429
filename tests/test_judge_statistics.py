"""The statistics of a judgement, against SciPy, statsmodels and scikit-learn, and on cases with known answers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar as their_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint
from torchmetrics.functional.classification import multiclass_calibration_error

from restore.downstream.confidence.calibration import ece, fit_temperature, rms_calibration_error, with_null
from restore.downstream.confidence.scores import brier, log_softmax, nll, softmax
from restore.downstream.confidence.selective import augrc, aurc, coverage_at_risk
from restore.downstream.gate.rule import GateRule
from restore.downstream.gate.summary import gate_summary
from restore.downstream.ood.separation import aupr, auroc, fpr_at_95_id, frr_at_95_ood
from restore.downstream.ood.transfer import transfer_rows
from restore.downstream.outcomes import Outcomes
from restore.downstream.statistics import (
    clopper_pearson,
    holm,
    interval,
    mcnemar,
    pictures_needed,
    resample_counts,
)
from restore.downstream.statistics.bootstrap import resampled_means
from restore.downstream.statistics.bounds import upper_bound
from restore.downstream.suite import Cell
from restore.downstream.utility import cell_rows, corruption_errors
from restore.downstream.verdict import Evidence, Limits, decide
from restore.errors import UsageError


@pytest.mark.parametrize(("helped", "harmed"), [(0, 0), (0, 5), (13, 1), (7, 7), (40, 61)])
def test_mcnemar_is_the_exact_binomial_test(helped, harmed):
    p = mcnemar(helped, harmed)
    assert p == pytest.approx(their_mcnemar([[9, helped], [harmed, 9]], exact=True).pvalue)
    if helped + harmed:
        assert p == pytest.approx(binomtest(helped, helped + harmed).pvalue)
    else:
        assert p == 1


def test_holm_is_that_of_statsmodels():
    p = [0.01, 0.04, 0.03, 0.005, 0.9, 0.04]
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


def test_bounds_are_those_of_statsmodels_and_of_the_rule_of_three():
    assert upper_bound(0, 300) == pytest.approx(0.0099, abs=5e-5)
    for hits in (0, 1, 17, 40):
        theirs = proportion_confint(hits, 40, method="beta")
        assert clopper_pearson(hits, 40) == pytest.approx([float(v) for v in np.nan_to_num(theirs)], abs=1e-9)
    with pytest.raises(UsageError):
        upper_bound(3, 2)


def test_cells_of_one_source_move_together():
    values = np.repeat(np.random.default_rng(0).normal(size=40), 5)
    sources = np.repeat(np.arange(40), 5)
    together = np.std(resampled_means(resample_counts(sources, seed=1), values))
    apart = np.std(resampled_means(resample_counts(np.arange(200), seed=1), values))
    assert together == pytest.approx(np.std(values) / 40**0.5, rel=0.1)  # 40 sources, not 200 pictures
    assert together > 2 * apart


def test_the_interval_covers_as_often_as_it_says():
    g = np.random.default_rng(0)
    covered = 0
    for run in range(200):
        draws = resampled_means(resample_counts(np.arange(80), resamples=400, seed=run), g.normal(1, 2, 80))
        low, high = interval(draws)
        covered += low <= 1 <= high
    assert 0.89 <= covered / 200 <= 0.99


def test_pictures_needed_is_connors_sample_size():
    # psi = .3, d = .1: (1.96 sqrt(.3) + .8416 sqrt(.29))^2 / .01
    values = np.repeat([1.0, -1.0, 0.0], [20, 10, 70])
    assert pictures_needed(values) == pytest.approx(
        (1.95996 * 0.3**0.5 + 0.84162 * 0.29**0.5) ** 2 / 0.01, abs=1
    )
    assert pictures_needed(np.zeros(50)) is None
    # One half point at 2 % churn and no true loss: thousands of pictures.
    quiet = np.repeat([1.0, -1.0, 0.0], [10, 10, 980])
    assert 5000 < pictures_needed(quiet, margin=0.005) < 8000


@pytest.fixture(scope="module")
def predictions():
    g = np.random.default_rng(3)
    logits = g.normal(0, 2, (1050, 10))
    labels = np.array([g.choice(10, p=p) for p in softmax(logits, temperature=1.7)])
    return logits, labels


def test_calibration_errors_are_those_of_others(predictions):
    logits, labels = predictions
    p = softmax(logits)
    confidence, correct = p.max(1), p.argmax(1) == labels
    theirs = multiclass_calibration_error(torch.tensor(p), torch.tensor(labels), 10, n_bins=15)
    assert ece(confidence, correct) == pytest.approx(float(theirs), abs=1e-6)
    # By hand: bins of 100 sorted by confidence, the last one of 150.
    order = np.argsort(confidence)
    edges = [*range(0, 1000, 100), 1050]
    parts = [order[a:b] for a, b in pairwise(edges)]
    squares = [len(i) * (correct[i].mean() - confidence[i].mean()) ** 2 for i in parts]
    assert rms_calibration_error(confidence, correct) == pytest.approx((sum(squares) / 1050) ** 0.5)


def test_scores_and_temperature(predictions):
    logits, labels = predictions
    log_p = log_softmax(logits)
    z = torch.tensor(logits)
    assert nll(log_p, labels).mean() == pytest.approx(
        float(torch.nn.functional.cross_entropy(z, torch.tensor(labels)))
    )
    onehot = np.eye(10)[labels]
    assert brier(np.exp(log_p), labels) == pytest.approx(((np.exp(log_p) - onehot) ** 2).sum(1))
    assert fit_temperature(logits, labels) == pytest.approx(1.7, rel=0.1)


def test_a_calibrated_classifier_has_no_excess(predictions):
    logits, labels = predictions
    for temperature, good in ((1.7, True), (0.6, False)):
        p = softmax(logits, temperature=temperature)
        found = with_null("ece", p.max(1), p.argmax(1) == labels, seed=1)
        assert (found.p > 0.05) == good
        assert (found.excess < 0.01) == good


def test_augrc_keeps_its_identity_and_aurc_that_of_an_oracle(predictions):
    logits, labels = predictions
    p = softmax(logits)
    confidence, correct = p.max(1), p.argmax(1) == labels
    n, a = len(labels), correct.mean()
    area = roc_auc_score(correct, confidence)
    identity = (1 - area) * a * (1 - a) + (1 - a) ** 2 / 2 + (1 - a) / (2 * n)
    assert augrc(confidence, correct) == pytest.approx(identity, abs=1e-9)
    assert aurc(np.array([0.9, 0.8, 0.7, 0.6]), np.array([1, 1, 0, 1])) == pytest.approx(
        (0 + 0 + 1 / 3 + 1 / 4) / 4
    )
    assert coverage_at_risk(np.linspace(1, 0, 1000), np.arange(1000) < 500, risk=0.05) == pytest.approx(
        0.5, abs=0.04
    )


def test_separation_is_that_of_scikit_learn():
    g = np.random.default_rng(0)
    familiar, foreign = g.normal(0, 1, 400).round(1), g.normal(1, 1, 300).round(1)  # with ties
    label, scores = np.repeat([0, 1], [400, 300]), np.concatenate([familiar, foreign])
    assert auroc(familiar, foreign) == pytest.approx(roc_auc_score(label, scores))
    assert aupr(familiar, foreign) == pytest.approx(average_precision_score(label, scores))
    apart, same = np.arange(100.0), np.arange(100.0) + 1000
    assert fpr_at_95_id(apart, same) == frr_at_95_ood(apart, same) == 0
    # Two meanings of FPR95 differ when one side is wider.
    wide = g.normal(0, 3, 300)
    assert fpr_at_95_id(familiar, wide) != pytest.approx(frr_at_95_ood(familiar, wide), abs=0.05)


def test_a_gate_is_weighed_against_the_better_of_both_per_corruption():
    """Always right 300 of 400 times, never 200, the gate 290: 10 pictures lost, a share known to 1.5 points."""
    n, cells = 400, [Cell("fog", 1), Cell("fog", 3), Cell("noise", 1)]

    def answers(right):
        chosen = np.where(np.arange(n)[:, None] < np.asarray(right), 0, 1)
        return np.log(np.eye(2)[chosen] * 0.8 + 0.1)

    test = Outcomes(np.zeros(n, int), np.arange(n), cells, np.full(n, "test"))
    for arm, right in (("none", (200, 200, 250)), ("restore", (300, 300, 50)), ("gate", (290, 290, 250))):
        test.add(arm, answers(right))
    test.add("average", test.log_p["none"])
    found = gate_summary(
        GateRule([], [], []), test, answers((200, 300, 50)), [c.corruption for c in cells],
        resample_counts(test.sources),
    )  # fmt: skip
    fog, noise = found["corruptions"]
    assert fog["regret"] == found["worst_regret"] == pytest.approx(-0.025)
    spread = 1.96 * np.sqrt(0.025 * 0.975 / n)
    assert fog["regret_low"] == found["worst_regret_low"] == pytest.approx(-0.025 - spread, abs=0.004)
    assert noise["regret"] == noise["regret_low"] == 0
    assert found["pooled_regret"] == pytest.approx(-0.025 / 2)
    assert found["pooled_regret_low"] == pytest.approx((-0.025 - spread) / 2, abs=0.002)
    # Never having seen fog it is right 250 of 400 times at the mean; on noise it would always restore.
    assert (fog["left_out"], fog["left_out_regret"]) == pytest.approx((0.625, -0.125))
    assert found["worst_left_out_regret"] == noise["left_out_regret"] == pytest.approx(-0.5)
    assert found["worst_left_out_regret_low"] < -0.5


def evidence(gain, **others):
    fine = {"tax": (0, 0, 0), "harmful_cells": [], "laundering": (0, 0, 0), "ece_change": (0, 0, 0)}
    return Evidence(gain=gain, **{**fine, **others})


@pytest.mark.parametrize(
    ("always", "gate", "decision"),
    [
        (evidence((0.1, 0.05, 0.15)), None, "ADOPT"),
        (evidence((0.1, 0.05, 0.15), laundering=None), None, "INCONCLUSIVE"),
        (evidence((0.0, -0.02, 0.02)), None, "INCONCLUSIVE"),
        (evidence((-0.1, -0.2, -0.01)), None, "REJECT"),
        (evidence((0.1, 0.05, 0.2), tax=(-0.1, -0.2, -0.02)), None, "REJECT"),
        (evidence((0.1, 0.05, 0.2), laundering=(0.1, 0.05, 0.2)), None, "REJECT"),
        (evidence((0.1, 0.05, 0.2), harmful_cells=["f"]), evidence((0.1, 0.05, 0.2), harm_bound=0.01), "GATE"),
        (evidence((0.1, 0.05, 0.2), harmful_cells=["f"]), evidence((0.1, 0.05, 0.2), harm_bound=0.1), "INCONCLUSIVE"),
        (evidence((-0.1, -0.2, -0.1)), evidence((0.1, 0.05, 0.2), harm_bound=0.01), "GATE"),
    ],
)  # fmt: skip
def test_verdicts(always, gate, decision):
    assert decide(always, gate, Limits()).decision == decision


def test_a_waived_clause_blocks_nothing_and_is_named():
    found = decide(evidence((0.1, 0.05, 0.2), laundering=None), None, Limits(), waived=["laundering"])
    assert found.decision == "ADOPT" and found.waivers == ("laundering",)
    with pytest.raises(UsageError, match="laundering"):
        decide(evidence((0, 0, 0)), None, Limits(), waived=["laundring"])


def test_a_useless_restorer_is_adopted_no_more_often_than_stated():
    """Helped and harmed alike: the 95 % interval lies above 0 in 2.5 % of the runs."""
    adopted = rejected = 0
    g = np.random.default_rng(0)
    runs = 200
    for run in range(runs):
        flips = g.choice([-1.0, 0.0, 1.0], size=(200, 4), p=[0.05, 0.9, 0.05]).mean(1)
        draws = resampled_means(resample_counts(np.arange(200), resamples=400, seed=run), flips)
        decision = decide(evidence((flips.mean(), *interval(draws))), None, Limits()).decision
        adopted += decision == "ADOPT"
        rejected += decision == "REJECT"
    assert adopted / runs <= 0.05 and rejected / runs <= 0.05
    assert adopted + rejected > 0


def outcomes(seed=0, n=90, classes=7):
    """Two cells of random answers; the last class is never a label, the one before hardly."""
    g = np.random.default_rng(seed)
    labels = np.r_[g.integers(0, classes - 2, n - 2), [classes - 2] * 2]
    cells = [Cell("gaussian_noise", 1), Cell("contrast", 3)]
    out = Outcomes(labels, np.arange(n), cells, np.array(["test"] * n))
    for arm, skill in (("none", 1.0), ("restore", 1.7)):
        logits = g.normal(size=(n, 2, classes))
        logits[np.arange(n), :, labels] += skill
        clean = logits[:, 0].copy()
        clean[np.arange(n), labels] += 2
        out.add(arm, log_softmax(logits), log_softmax(clean))
    return out


def test_rows_of_a_cell_are_those_of_scikit_learn_and_of_counting():
    made = outcomes()
    rows = cell_rows(made, resample_counts(made.sources, resamples=200))
    for j, row in enumerate(rows):
        answers = {arm: made.log_p[arm][:, j].argmax(1) for arm in ("none", "restore")}
        for arm, answer in answers.items():
            # Classes that are answered but never a label do not count as classes of their own.
            score = f1_score(
                made.labels, answer, average="macro", labels=np.unique(made.labels), zero_division=0
            )
            assert row["macro_f1"][arm] == pytest.approx(score)
            assert row["acc"][arm] == pytest.approx(np.mean(answer == made.labels))
            five = np.argsort(-made.log_p[arm][:, j], axis=1)[:, :5]
            assert row["top5"][arm] == pytest.approx(np.mean((five == made.labels[:, None]).any(1)))
        a, b = (answers[arm] == made.labels for arm in ("none", "restore"))
        assert row["helped"] == np.sum(~a & b) and row["harmed"] == np.sum(a & ~b)
        assert row["rescue"] == pytest.approx(np.mean(b[~a])) and row["harm_rate"] == pytest.approx(
            np.mean(~b[a])
        )
        assert row["churn"] == pytest.approx(np.mean(a != b)) and row["d_acc"] == pytest.approx(
            b.mean() - a.mean()
        )
        assert row["r_ce"] == pytest.approx(np.mean(~b) / np.mean(~a))
        assert row["acc"]["oracle"] == pytest.approx(np.mean(a | b))
        drop = np.mean(made.clean["none"].argmax(1) == made.labels) - a.mean()
        assert row["recovery"] == pytest.approx((b.mean() - a.mean()) / drop)


# Table of Hendrycks & Dietterich 2019, AlexNet's errors in per cent as printed there (rounded).
PRINTED = {
    "gaussian_noise": 88.6, "shot_noise": 89.4, "impulse_noise": 92.3, "defocus_blur": 82.0, "glass_blur": 82.6,
    "motion_blur": 78.6, "zoom_blur": 79.8, "imagenet-c-snow": 86.7, "frost": 82.7, "imagenet-c-fog": 81.9,
    "brightness": 56.5, "contrast": 85.3, "elastic_transform": 64.6, "imagenet-c-pixelate": 71.8,
    "jpeg_compression": 60.7,
}  # fmt: skip


def corrupted(accuracy, kinds=PRINTED, severities=(1, 2, 3, 4, 5)):
    return [
        {"corruption": k, "severity": s, "acc": {"none": accuracy(i, s), "restore": 0.75}}
        for i, k in enumerate(kinds) for s in severities
    ]  # fmt: skip


def test_mce_is_the_error_over_that_of_alexnet():
    rows = corrupted(lambda i, s: 0.9 - 0.02 * i - 0.05 * s)
    found = corruption_errors(rows, imagenet=True)
    errors = [np.mean([0.1 + 0.02 * i + 0.05 * s for s in range(1, 6)]) for i in range(15)]
    published = np.array(list(PRINTED.values())) / 100
    assert found["mce"]["none"] == pytest.approx(np.mean(errors / published), rel=1e-3)
    assert found["mce"]["restore"] == pytest.approx(np.mean(0.25 / published), rel=1e-3)
    assert found["r_mce"] == pytest.approx(np.mean(0.25 / np.array(errors)))
    assert found["mca"]["none"] == pytest.approx(np.mean([r["acc"]["none"] for r in rows]))
    # AlexNet with its own errors is 1 on each.
    for name, error in PRINTED.items():
        own = corrupted(lambda i, s, p=error: 1 - p / 100)
        share = corruption_errors(own, imagenet=True)["mce"]["none"] * 15
        others = sum(error / v for k, v in PRINTED.items() if k != name)
        assert share - others == pytest.approx(1, rel=0.02), name


def test_mce_needs_imagenet_all_corruptions_and_all_severities():
    def half(i, s):
        return 0.5

    assert corruption_errors(corrupted(half), imagenet=False)["mce"] is None
    assert corruption_errors(corrupted(half, severities=(1, 2, 3, 4)), imagenet=True)["mce"] is None
    few = corruption_errors(corrupted(half, list(PRINTED)[:14]), imagenet=True)
    assert few["mce"] is None and "15 corruptions" in few["mce_reason"]
    # Where nothing is wrong there is no ratio; the others still have theirs.
    perfect = [{"corruption": "frost", "severity": 1, "acc": {"none": 1.0, "restore": 0.5}}]
    assert corruption_errors(perfect, imagenet=False)["r_mce"] is None


def test_the_resamples_of_a_transfer_follow_its_seed():
    g = np.random.default_rng(0)

    def arms(middle):
        return {"a": {"none": g.normal(middle, 1, 80), "restore": g.normal(middle - 0.5, 1, 80)}}

    clean = {"tune": g.normal(0, 1, 80), "test": g.normal(0, 1, 80)}
    given = {"familiar": arms(0.0), "foreign": arms(2.0), "clean": clean, "foreign_clean": g.normal(2, 1, 80)}

    def laundering(seed):
        rows = transfer_rows(["a"], **given, weights=np.ones(1), resamples=60, seed=seed)
        return rows["laundering"]["restore"]

    one, again, other = laundering(1), laundering(1), laundering(2)
    assert one["ci"] == again["ci"] and one["ci"] != other["ci"] and one["value"] == other["value"]
    assert one["ci"][0] <= one["lower"] <= one["value"] <= one["upper"] <= one["ci"][1]


def test_bootstrap_draws_follow_their_seed():
    one, again, other = (resample_counts(np.arange(20), resamples=30, seed=s) for s in (1, 1, 2))
    assert np.array_equal(one, again) and not np.array_equal(one, other)
    assert (one.sum(1) == 20).all() and one.shape == (30, 20)
