"""``restore judge`` from end to end on the embedded digits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from restore.downstream.classifiers import load_classifier
from restore.downstream.judge import judge, make_splits
from restore.downstream.labelled import digits
from restore.downstream.parallel import check_jobs
from restore.downstream.result import load_earlier
from restore.downstream.rows import recount
from restore.downstream.settings import profile
from restore.downstream.suite import suite
from restore.errors import RestoreError, UsageError
from restore.report import dumps


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """The networks here are so small that threads wait for each other longer than they compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


SMALL = {"severities": (5,), "tune": 40, "certify": 40, "test": 80, "foreign_count": 16, "resamples": 300}
QUICK = ["--profile", "smoke", "--severities", "5", "--tune", "40", "--certify", "40", "--test", "60"]


def run(restorer, **changes):
    settings = profile("smoke", **{**SMALL, "corruptions": ("gaussian_noise", "contrast"), **changes})
    return judge([restorer], [load_classifier("digits")], digits(), settings)


@pytest.fixture(scope="module")
def median():
    return run("median:size=3")


def test_rows_give_every_count_again(median):
    read = json.loads(dumps(median.to_json()))
    (block,) = read["blocks"]
    again = recount(block["rows"])
    assert set(again) == {"gaussian_noise-5", "contrast-5", "clean"}
    for cell in block["cells"]:
        mine = again[f"{cell['corruption']}-{cell['severity']:g}"]
        assert mine["n"] == cell["n"] == 80
        assert (mine["helped"], mine["harmed"]) == (cell["helped"], cell["harmed"])
        assert mine["none"] == cell["acc"]["none"] and mine["restore"] == cell["acc"]["restore"]
        assert cell["d_acc"] == pytest.approx((cell["helped"] - cell["harmed"]) / cell["n"])
        best = max(cell["acc"]["none"], cell["acc"]["restore"])
        assert best <= cell["acc"]["oracle"] <= 1
    assert block["cells"][0]["acc"]["clean"] == again["clean"]["none"] > 0.9
    arm = block["rows"]["arms"]["none"]
    test = np.asarray(block["rows"]["part"]) == "test"
    noisy = np.asarray(block["rows"]["cell"]) == "gaussian_noise-5"
    surprise = -np.log(np.asarray(arm["p_true"]))[test & noisy]
    assert block["cells"][0]["calibration"]["none"]["nll"] == pytest.approx(surprise.mean(), rel=1e-3)


def test_identity_changes_nothing_and_is_never_adopted():
    result = run("identity", gate=False)
    (block,) = result.blocks
    assert all(c["helped"] == c["harmed"] == 0 == c["churn"] for c in block["cells"])
    assert block["ood"]["energy"]["laundering"]["restore"]["value"] == 0
    assert (
        all(c["hallucination"]["feature_gain"] == 0 for c in block["cells"])
        and block["draws"]["flip_rate"] == 0
    )
    assert result.verdicts[0]["decision"] == "INCONCLUSIVE" and result.verdicts[0]["n_needed"] is None


def test_a_constant_picture_is_rejected():
    result = run(("grey", lambda x: torch.full_like(x, 0.5)), gate=False)
    assert result.verdicts[0]["decision"] == "REJECT"
    assert "clean_tax" in result.verdicts[0]["failed"]
    noise = result.blocks[0]["cells"][0]["hallucination"]
    assert noise["feature_gain"] < 0 and noise["contradiction"] > 50  # grey is no digit, noisy or not


def test_a_rerun_is_identical_and_parts_are_kept(median, tmp_path):
    said: list[str] = []
    settings = profile("smoke", **SMALL, corruptions=("gaussian_noise", "contrast"))
    arguments = (["median:size=3"], [load_classifier("digits")], digits(), settings)
    first = judge(*arguments, work=tmp_path / "work")
    again = judge(*arguments, work=tmp_path / "work", progress=lambda done, total, what: said.append(what))
    assert said and all("kept" in what for what in said)
    for other in (first, again):
        for ours, theirs in zip(median.blocks, other.blocks, strict=True):
            assert ours["cells"] == theirs["cells"] and ours["rows"] == theirs["rows"]
    torn = next((tmp_path / "work").glob("*contrast-5_none*"))
    torn.write_bytes(torn.read_bytes()[:100])
    assert judge(*arguments, work=tmp_path / "work").blocks[0]["cells"] == median.blocks[0]["cells"]


def test_several_processes_find_the_same_and_one_that_dies_is_named(median):
    told = []
    settings = profile("smoke", **SMALL, corruptions=("gaussian_noise", "contrast"), jobs=2)
    arguments = [load_classifier("digits")], digits(), settings
    if sys.platform != "linux":
        with pytest.raises(UsageError, match="on this system"):
            judge(["median:size=3"], *arguments)
        return
    result = judge(
        ["median:size=3"], *arguments, progress=lambda done, total, what: told.append((done, total))
    )
    assert result.blocks[0]["cells"] == median.blocks[0]["cells"]
    assert [done for done, _ in told] == list(range(1, len(told) + 1)) and told[-1][0] == told[-1][1]
    with pytest.raises(RestoreError, match="a process was ended"):
        judge([("dies", lambda x: os.kill(os.getpid(), signal.SIGKILL))], *arguments)
    with pytest.raises(UsageError, match="several processes"):
        check_jobs(2, torch.device("meta"))


def test_a_rival_trained_on_bad_pictures_is_an_arm_and_an_ensemble_a_classifier():
    pair = load_classifier("digits + digits")
    settings = profile("smoke", **SMALL, corruptions=("gaussian_noise",), gate=False, gallery=0)
    result = judge(["identity"], [pair], digits(), settings, adapted=load_classifier("digits"))
    (block,) = result.blocks
    (cell,) = block["cells"]
    assert cell["acc"]["adapted"] == cell["acc"]["none"]  # the same classifier on the same pictures
    assert block["total"]["adapted"]["d_acc"] == 0 and block["classifier"] == "digits + digits"
    assert len(pair.trained_on(digits())) == 897


def test_the_cheap_arm_is_what_does_best_on_the_tune_pictures(median, tmp_path):
    changes = {**SMALL, "corruptions": ("gaussian_noise", "contrast"), "cheap": ("gamma", "median:size=3")}
    arguments = [load_classifier("digits")], digits(), profile("smoke", **changes, gate=False)
    (block,) = judge(["identity"], *arguments, work=tmp_path).blocks
    scores = block["baseline"]["tune_accuracy"]
    assert block["baseline"]["name"] == "median:size=3" and scores["median:size=3"] > scores["gamma"]
    for cell, theirs in zip(block["cells"], median.blocks[0]["cells"], strict=True):
        assert cell["acc"]["baseline"] == theirs["acc"]["restore"]
    # What was kept of it as the cheap arm is less than what is measured of it as the one under judgement.
    (judged,) = judge(["median:size=3"], *arguments, work=tmp_path).blocks
    for cell, theirs in zip(judged["cells"], median.blocks[0]["cells"], strict=True):
        assert cell["ssim"] == theirs["ssim"] and cell["hallucination"] == theirs["hallucination"]


def test_no_picture_is_in_two_parts_and_none_was_trained_on():
    classifier = load_classifier("digits")
    parts = make_splits(digits(), [classifier], profile("smoke"))
    groups = [set(parts.fit), set(parts.tune), set(parts.certify), set(parts.test)]
    assert sum(map(len, groups)) == len(set.union(*groups))
    assert classifier.trained_on(digits()) <= groups[0] and len(classifier.trained_on(digits())) == 897


def test_the_suite_is_what_was_asked_for():
    assert len(suite(["all"], [1, 2, 3, 4, 5])) == 95
    assert [c.key for c in suite(["noise:sigma=25", "fog"], [2])] == ["noise:sigma=25", "fog-2"]
    assert sum(c.weight for c in suite(["common"], [1, 3])) == pytest.approx(1)
    for wrong in (["downsample:scale=2"], ["fogg"], []):
        with pytest.raises(UsageError):
            suite(wrong, [3])


def test_the_command_says_its_verdict_and_keeps_its_exit_codes(tmp_path):
    out = tmp_path / "judged.json"
    command = [
        sys.executable,
        "-m",
        "restore",
        "judge",
        *QUICK,
        "-d",
        "gaussian_noise",
        "-m",
        "median:size=3",
    ]
    done = subprocess.run(
        [*command, "--json", str(out), "--markdown", str(tmp_path / "judged.md"), "--require", "gate"],
        capture_output=True,
        text=True,
    )
    held = load_earlier(out)
    (verdict,) = held["verdicts"]
    assert done.returncode == (0 if verdict["decision"] in ("ADOPT", "GATE") else 1), done.stderr
    assert f"median:size=3: {verdict['decision']}" in done.stderr
    assert verdict["decision"] in (tmp_path / "judged.md").read_text()
    assert held["run"]["profile"] == "smoke" and len(verdict["clauses"]) == 6
    # Against itself nothing is worse; against a better one it is.
    for decision, code in ((verdict["decision"], 0), ("ADOPT", 0 if verdict["decision"] == "ADOPT" else 1)):
        held["verdicts"][0]["decision"] = decision
        out.write_text(json.dumps(held))
        assert subprocess.run([*command, "--against", str(out)], capture_output=True).returncode == code


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (["-c", "digit"], "did you mean digits"),
        (["--data", "nowhere"], "a folder with a folder per class"),
        (["-d", "gaussian_noice"], "did you mean gaussian_noise"),
        (["--severities", "1,x"], "1,3,5"),
        (["--require", "perfection"], "adopt or gate"),
        (["--waive", "tax"], "clean_tax"),
        (["--test", "5000"], "smaller"),
        (["--against", "no.json"], "no.json"),
    ],
)
def test_wrong_use_is_explained(extra, said):
    from typer.testing import CliRunner

    from restore.errors import UsageError as Wrong
    from restore.tools.main import app

    result = CliRunner().invoke(app, ["judge", "--profile", "smoke", "-m", "identity", *extra])
    assert result.exit_code == Wrong.exit_code == 2 and said in result.stderr, result.stderr
