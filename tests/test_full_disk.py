"""A disk that fills up at any point, folders that cannot be written to: never half a file, always in words."""

import errno
import json
import os
import re
import resource
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

import restore
from restore.errors import ImageError, RestoreError, TrainingError
from restore.files import Picture, atomic_file, read_picture, write_file, write_picture
from restore.files.formats import FORMATS
from restore.folder import degrade_folder, restore_folder
from restore.folder.manifest import NAME
from restore.models.weights import read_weights, save_weights
from restore.train.checkpoint import write_checkpoint
from restore.train.journal import Journal

SHARES = (0.0, 0.02, 0.3, 0.6, 0.9, 0.99)
NEVER = resource.RLIM_INFINITY


@contextmanager
def room_for(size):
    """Files may not grow beyond ``size`` bytes: a write is cut short there, and the next one fails."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), NEVER))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (NEVER, NEVER))


def noise(side=70, channels=3, dtype=np.uint8, seed=0):
    top = np.iinfo(dtype).max
    return np.random.default_rng(seed).integers(0, top, (side, side, channels), dtype=dtype, endpoint=True)


def check_never_half(path, write, kinds=ImageError):
    """``write`` at every filling of the disk: an error in words, nothing there, and an old file untouched."""
    write()
    whole = path.read_bytes()
    for share in SHARES:
        for before in (None, b"old"):
            path.unlink()
            if before is not None:
                path.write_bytes(before)
            with room_for(len(whole) * share), pytest.raises(kinds, match="cannot write"):
                write()
            assert (path.read_bytes() if path.exists() else None) == before
            path.write_bytes(whole)
        assert [p.name for p in path.parent.iterdir()] == [path.name]
    path.unlink()
    write()
    assert path.read_bytes() == whole


@pytest.mark.parametrize("kind", FORMATS)
def test_pictures_are_never_half(tmp_path, kind):
    path = tmp_path / f"a{FORMATS[kind].suffixes[0]}"
    picture = Picture(noise(), format=kind, mode="RGB")
    check_never_half(path, lambda: write_picture(path, picture))


@pytest.mark.parametrize(
    "name, picture",
    [
        ("deep.png", Picture(noise(dtype=np.uint16))),
        ("deep.ppm", Picture(noise(dtype=np.uint16))),
        ("deep.tif", Picture(noise(dtype=np.uint16))),
        ("alpha.bmp", Picture(noise(), alpha=noise(channels=1)[:, :, 0])),
        ("alpha.gif", Picture(noise(), alpha=noise(channels=1)[:, :, 0])),
        ("progressive.jpg", Picture(noise(), progressive=True)),
    ],
)
def test_other_kinds_of_pictures_are_never_half(tmp_path, name, picture):
    check_never_half(tmp_path / name, lambda: write_picture(tmp_path / name, picture))


def test_everything_else_is_never_half(tmp_path):
    data = os.urandom(3000)
    check_never_half(tmp_path / "a", lambda: write_file(tmp_path / "a", data))
    check_never_half(tmp_path / "a", lambda: write_file(tmp_path / "a", data.hex()))
    state = {"w": torch.rand(50, 50)}
    check_never_half(tmp_path / "a", lambda: save_weights(tmp_path / "a", state, {"task": "denoise"}))
    check_never_half(tmp_path / "a", lambda: write_checkpoint(tmp_path / "a", {"step": 1, **state}))


def test_a_writer_has_no_descriptor_to_give_away(tmp_path):
    with atomic_file(tmp_path / "a") as file, pytest.raises(OSError):
        file.fileno()


def test_links_are_followed_and_devices_written_as_they_are(tmp_path):
    target = tmp_path / "real"
    (tmp_path / "link").symlink_to(target)
    write_file(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink() and target.read_text() == "text"
    write_file("/dev/null", "text")
    assert not Path("/dev/null").is_file()
    with pytest.raises(ImageError, match="no space left"):
        write_file("/dev/full", "text")


def test_an_error_of_fsync_is_an_error(tmp_path, monkeypatch):
    def fail(descriptor):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ImageError, match="input/output error"):
        write_picture(tmp_path / "a.png", Picture(noise()))
    assert not list(tmp_path.iterdir())


def test_weights_written_are_read(tmp_path):
    sha = save_weights(tmp_path / "deep" / "w.safetensors", {"w": torch.ones(2)}, {"architecture": "x"})
    assert read_weights(tmp_path / "deep" / "w.safetensors", sha256=sha)[0]["w"].tolist() == [1, 1]


def make_pictures(folder, count=4):
    folder.mkdir()
    for index in range(count):
        suffix = (".jpg", ".png", ".bmp", ".ppm")[index % 4]
        write_picture(folder / f"{index}{suffix}", Picture(noise(seed=index), format="PNG"))


@pytest.mark.parametrize("share", [0.15, 0.5, 0.97])
def test_a_run_on_a_full_disk_fails_in_words_and_is_completed_later(tmp_path, share):
    make_pictures(tmp_path / "in")
    reference = tmp_path / "reference"
    restore_folder(tmp_path / "in", reference, model="median")
    sizes = [p.stat().st_size for p in reference.iterdir() if p.name != NAME]
    out = tmp_path / "out"
    with room_for(share * max(sizes)):
        result = restore_folder(tmp_path / "in", out, model="median")
    assert result.failed and all("cannot write" in outcome.reason for outcome in result.failed)
    for outcome in result.done:
        assert (out / outcome.output).read_bytes() == (reference / outcome.output).read_bytes()
    assert {p.name for p in out.iterdir()} == {NAME, *(outcome.output for outcome in result.done)}
    again = restore_folder(tmp_path / "in", out, model="median")
    assert not again.failed and len(again.done) == len(result.failed)
    assert {p.name: p.read_bytes() for p in out.iterdir() if p.name != NAME} == {
        p.name: p.read_bytes() for p in reference.iterdir() if p.name != NAME
    }


@pytest.mark.parametrize("command", [restore_folder, degrade_folder])
@pytest.mark.parametrize("room", [0, 5])
def test_an_output_folder_full_at_the_start(tmp_path, command, room):
    make_pictures(tmp_path / "in", 1)
    what = {"model": "median"} if command is restore_folder else {"degradation": "noise:sigma=5"}
    (tmp_path / "there").mkdir()
    for out in (tmp_path / "new" / "out", tmp_path / "there"):
        with room_for(room), pytest.raises(RestoreError, match="cannot write to") as told:
            command(tmp_path / "in", out, **what)
        assert told.value.exit_code == 1
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["0.jpg", "in", "there"]


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EDQUOT])
def test_an_output_folder_that_cannot_be_made(tmp_path, monkeypatch, number):
    make_pictures(tmp_path / "in", 1)

    def fail(path, *args, **kwargs):
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "mkdir", fail)
    with pytest.raises(RestoreError, match=f"cannot write to .*{os.strerror(number).lower()}") as told:
        restore_folder(tmp_path / "in", tmp_path / "out", model="median")
    assert told.value.exit_code == 1 and told.value.hint
    assert not (tmp_path / "out").exists()


def test_a_command_says_what_the_disk_says(tmp_path):
    """In a process of its own: an output folder on a file system that takes nothing, and a full stdout."""
    make_pictures(tmp_path / "in", 1)
    script = (
        "import resource, sys; from restore.tools.main import main;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, -1)) if sys.argv[1] == 'full' else 0;"
        "sys.argv[1:2] = []; main()"
    )

    def call(*arguments, stdout=subprocess.PIPE):
        root = Path(restore.__file__).parents[1]
        command = [sys.executable, "-c", script, *map(str, arguments)]
        made = subprocess.run(
            command, stdout=stdout, stderr=subprocess.PIPE, cwd=root, check=False, timeout=120
        )
        return made.returncode, made.stderr.decode()

    code, said = call("full", "run", tmp_path / "in", "-o", tmp_path / "out", "-m", "median")
    assert code == 1 and "cannot write to" in said and "mistake" not in said and "Traceback" not in said
    assert not (tmp_path / "out").exists()
    with Path("/dev/full").open("w") as full:
        code, said = call("free", "models", "--json", "-", stdout=full)
    assert code == 1 and "no space left" in said and "mistake" not in said and "Traceback" not in said
    assert "Exception ignored" not in said


def test_a_manifest_that_cannot_be_continued_fails_the_picture(tmp_path):
    make_pictures(tmp_path / "in", 2)
    out = tmp_path / "out"
    restore_folder(tmp_path / "in", out, model="median")
    (out / "1.png").unlink()
    lines = (out / NAME).read_bytes()
    with room_for(len(lines) + 10):
        result = restore_folder(tmp_path / "in", out, model="median")
    assert [outcome.file for outcome in result.failed] == ["1.png"]
    assert not restore_folder(tmp_path / "in", out, model="median").failed
    assert np.array_equal(read_picture(out / "1.png").pixels, restore.load("median")(noise(seed=1)))


def test_a_log_on_a_full_disk_ends_in_words_and_is_read_again(tmp_path):
    journal = Journal(tmp_path, steps=10, start=0, report=lambda text: None)
    journal.note(1, {"loss": 1.0}, "")
    with room_for((tmp_path / "log.jsonl").stat().st_size + 5), pytest.raises(TrainingError, match="resume"):
        journal.note(2, {"loss": 1.0}, "")
    journal.close()
    assert not (tmp_path / "log.jsonl").read_bytes().endswith(b"\n")
    again = Journal(tmp_path, steps=10, start=1, report=lambda text: None)
    again.note(2, {"loss": 0.5}, "")
    again.close()
    read = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in read] == [1, 2]


def test_every_file_is_written_whole_or_not_at_all():
    """No code opens a final name for writing: through atomic_write, atomic_file or write_file, or not at all."""
    root = Path(restore.__file__).parent
    direct = re.compile(
        r"(?<!temporary)(?<!_CLEAR)\.write_(?:text|bytes)\(|np\.save\w*\((?!file)|torch\.save\((?!content, memory)"
        r"|\.open\(\"[wx]b?\"\)|cv2\.imwrite|save_file\("
    )
    allowed = {"files/atomic.py", "folder/manifest.py"}
    files = [p for p in root.rglob("*.py") if p.relative_to(root).as_posix() not in allowed]
    files += [p for folder in ("models", "degradations", "tools") for p in (root / folder).rglob("*.py")]
    assert len(files) > 100
    found = [f"{p}: {m.group()}" for p in files for m in direct.finditer(p.read_text())]
    assert not found, "write through restore.files.write_file or atomic_file"
