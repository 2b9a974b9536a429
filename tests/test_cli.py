"""The command as people run it: exit codes, words, stdout and stderr, kill and go on."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from restore.tools.main import app
from restore.version import __version__

RESTORE = [sys.executable, "-m", "restore"]


def save(path: Path, seed: int, side: int = 16) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)).save(path)


def call(*args: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the command, in this process."""
    result = CliRunner().invoke(app, [str(a) for a in args])
    return result.exit_code, result.stdout, result.stderr


def test_help_and_version_import_no_torch() -> None:
    code = """
import sys
from typer.testing import CliRunner
from restore.tools.main import COMMANDS, app
for args in [["--help"], ["--version"], *([c.__name__, "--help"] for c in COMMANDS)]:
    result = CliRunner().invoke(app, args)
    assert result.exit_code == 0 and result.stdout, (args, result.stderr)
    heavy = {"torch", "numpy", "PIL", "cv2"} & set(sys.modules)
    assert not heavy, (args, heavy)
print(CliRunner().invoke(app, ["--version"]).stdout)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"restore {__version__}"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["rum"], "run"),
        (["run", "--overwrit"], "overwrite"),
        (["run"], "to read"),
        (["run", "here"], "-o"),
        (["run", "{in}", "-o", "{in}"], "another folder"),
        (["run", "{in}/none", "-o", "{out}"], "does not exist"),
        (["run", "{in}", "-o", "{out}", "-m", "identiti"], "did you mean identity"),
        (["run", "{in}", "-o", "{out}", "-m", "identity", "--format", "pmg"], "did you mean"),
        (["run", "{in}", "-o", "{out}", "-m", "identity", "--quality", "0"], "1 to 100"),
        (["run", "{in}", "-o", "{out}", "-m", "identity", "--shard", "3/2"], "2/8"),
        (["degrade", "{in}", "-o", "{out}", "-d", "nois"], "did you mean noise"),
        (["degrade", "{in}", "-o", "{out}", "-d", "noise:sigma=-1"], "sigma"),
        (["degrade", "{in}", "-o", "{out}"], "--replay"),
        (["models", "identiti"], "did you mean identity"),
    ],
)
def test_wrong_use_is_two_with_a_hint(args: list[str], said: str, tmp_path: Path) -> None:
    save(tmp_path / "in/a.png", 0)
    places = {"in": tmp_path / "in", "out": tmp_path / "out"}
    code, stdout, stderr = call(*(a.format(**places) for a in args))
    assert code == 2
    assert said in stderr
    assert not stdout and "Traceback" not in stderr
    assert not (tmp_path / "out").exists()


def test_a_mixed_folder_ends_with_one_and_says_why(tmp_path: Path) -> None:
    save(tmp_path / "in/a.png", 0)
    save(tmp_path / "in/sub/b.png", 1)
    (tmp_path / "in/bad.png").write_text("no picture")
    command = [*RESTORE, "run", tmp_path / "in", "-o", tmp_path / "out", "-m", "identity", "--json", "-"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "failed: bad.png: " in done.stderr
    assert "2 restored (2 left as they are), 0 skipped, 1 failed in " in done.stderr
    assert "Traceback" not in done.stderr
    report = json.loads(done.stdout)
    assert [o["file"] for o in report["done"]] == ["a.png", "sub/b.png"]
    assert [o["file"] for o in report["failed"]] == ["bad.png"]
    assert (tmp_path / "out/sub/b.png").exists()


def test_a_dry_run_lists_on_stdout(tmp_path: Path) -> None:
    save(tmp_path / "in/a.png", 0)
    options = ["run", "-i", tmp_path / "in", "-o", tmp_path / "out", "-m", "identity", "--format", "jpeg"]
    code, stdout, _ = call(*options, "--dry-run")
    assert (code, stdout) == (0, f"a.png -> {tmp_path}/out/a.jpg\n")
    code, stdout, _ = call(*options, "--dry-run", "--json", "-")
    assert json.loads(stdout)["planned"] == [{"file": "a.png", "output": "a.jpg"}]
    assert not (tmp_path / "out").exists()
    code, stdout, stderr = call(*options, "--json", tmp_path / "report.json")
    assert (code, stdout) == (0, "")
    assert json.loads((tmp_path / "report.json").read_text())["done"][0]["output"] == "a.jpg"
    assert "1 restored" in stderr


def start(folder: Path, out: Path) -> subprocess.Popen[str]:
    """The command at work. It cannot run away: its stderr is a pipe that holds a few lines."""
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    command = [*RESTORE, "run", folder, "-o", out, "-m", "identity"]
    # A test run in the background ignores SIGINT, and so would its children.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(command, stderr=write, text=True, preexec_fn=heed)
    os.close(write)
    process.stderr = os.fdopen(read)
    return process


def test_killed_at_any_moment_it_goes_on(tmp_path: Path) -> None:
    names = [f"{i:03}{'-' * 200}.png" for i in range(120)]
    for i, name in enumerate(names):
        save(tmp_path / "in" / name, i)
    out = tmp_path / "out"
    process = start(tmp_path / "in", out)
    with process.stderr as news:
        for _ in range(8):
            assert news.readline().startswith("[")
        process.kill()
        process.wait()
    finished = {p.name: p.stat().st_mtime_ns for p in out.glob("*.png")}
    assert 8 <= len(finished) < len(names)

    process = start(tmp_path / "in", out)
    with process.stderr as news:
        assert news.readline() == f"{len(finished)} finished before, {len(names) - len(finished)} to do\n"
        assert news.readline().startswith("[1/")
        process.send_signal(signal.SIGINT)
        words = news.read()
        assert process.wait() == 130
    assert "the same command continues" in words and "Traceback" not in words
    assert len(list(out.glob("*.png"))) < len(names)

    code, _, stderr = call("run", tmp_path / "in", "-o", out, "-m", "identity")
    assert code == 0 and " 0 failed" in stderr
    assert sorted(p.name for p in out.glob("*.png")) == names
    assert not list(out.glob(".*.partial"))
    for name in names:
        with Image.open(out / name) as image, Image.open(tmp_path / "in" / name) as source:
            assert np.array_equal(np.asarray(image), np.asarray(source))
    assert {name: (out / name).stat().st_mtime_ns for name in finished} == finished


def test_degrade_records_and_replays(tmp_path: Path) -> None:
    for i in range(3):
        save(tmp_path / f"in/{i}.png", i)
    params = tmp_path / "noisy/params.jsonl"
    steps = ["-d", "noise:sigma=25", "-d", "poisson-gaussian", "--severity", "2"]
    code, stdout, stderr = call(
        "degrade", tmp_path / "in", "-o", tmp_path / "noisy", *steps, "--seed", 4, "--params", params
    )
    assert (code, stdout) == (0, "") and "3 degraded" in stderr
    assert [json.loads(line)["file"] for line in params.read_text().splitlines()] == [
        "0.png",
        "1.png",
        "2.png",
    ]
    code, _, _ = call("degrade", tmp_path / "in", "-o", tmp_path / "again", "--replay", params)
    assert code == 0
    for i in range(3):
        assert (tmp_path / f"noisy/{i}.png").read_bytes() == (tmp_path / f"again/{i}.png").read_bytes()


def test_lists_of_degradations_and_models() -> None:
    code, text, _ = call("degrade", "--list")
    assert code == 0 and "noise\n" in text and "sigma" in text and "in units of 1/255" in text
    _, table, _ = call("degrade", "--list", "--json", "-")
    sigma = next(k for k in json.loads(table)["noise"] if k["name"] == "sigma")
    assert sigma["drawn_from"] == [0, 55] and sigma["legal"] == [0, 510]
    code, text, _ = call("models")
    assert code == 0 and any(line.split()[:1] == ["identity"] for line in text.splitlines())
    _, rows, _ = call("models", "--json", "-")
    assert "identity" in [row["name"] for row in json.loads(rows)]
    code, text, _ = call("models", "denoise")
    assert code == 0 and "values it takes: sigma, turns" in text
    code, text, _ = call("models", "identity", "--verify")
    assert code == 0 and "identity" in text


def test_degradations_are_listed_by_place_and_drawn_in_a_gallery(tmp_path: Path) -> None:
    _, text, _ = call("degrade", "--list")
    assert (
        text.index("== medium")
        < text.index("\nmotion\n")
        < text.index("\njpeg\n")
        < text.index("== mixtures")
    )
    save(tmp_path / "a.png", 0)
    pipeline = tmp_path / "p.toml"
    pipeline.write_text('[[steps]]\none_of = ["noise:sigma=20", "blur"]\n')
    options = ["-d", "noise", "-d", pipeline]
    code, stdout, _ = call(
        "degrade", "--gallery", tmp_path / "a.png", "-o", tmp_path / "gallery.png", *options
    )
    assert (code, stdout) == (0, "")
    with Image.open(tmp_path / "gallery.png") as sheet:
        assert sheet.width > 5 * 16 and sheet.height > 3 * 16
    code, _, stderr = call("degrade", "--gallery", tmp_path / "a.png", "-o", tmp_path / "gallery.jpg")
    assert code == 2 and ".png" in stderr
    params = tmp_path / "one.jsonl"
    assert (
        call("degrade", tmp_path / "a.png", "-o", tmp_path / "one", "-d", pipeline, "--params", params)[0]
        == 0
    )
    assert call("degrade", tmp_path / "a.png", "-o", tmp_path / "two", "--replay", params)[0] == 0
    assert (tmp_path / "one/a.png").read_bytes() == (tmp_path / "two/a.png").read_bytes()


def test_a_mistake_of_ours_is_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a mistake")

    monkeypatch.setattr("restore.folder.restore_folder", broken)
    monkeypatch.delenv("RESTORE_DEBUG", raising=False)
    code, stdout, stderr = call("run", tmp_path, "-o", tmp_path / "out")
    assert (code, stdout) == (1, "")
    assert "a mistake" in stderr and "Traceback" not in stderr
    monkeypatch.setenv("RESTORE_DEBUG", "1")
    assert "Traceback" in call("run", tmp_path, "-o", tmp_path / "out")[2]


def test_a_closed_pipe_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*RESTORE, "degrade", "--list"], stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert done.stderr == ""
