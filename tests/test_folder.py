"""A folder in, a folder out: nothing lost, nothing of anybody else's overwritten."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from made import files, load, pictures, pixels, restore, save
from PIL import Image

from restore.errors import ImageError, RestoreError, UsageError
from restore.folder import Event, restore_folder
from restore.folder.planes import blend, resize_plane


def test_keeps_subfolders_and_every_sample(photos: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    result = restore(photos, tmp_path / "out", on_event=events.append)
    assert [o.file for o in result.done] == [
        "a.png",
        "grey.png",
        "sub/a.png",
        "sub/deep/alpha.png",
        "sub/deep/wide.png",
    ]
    assert not result.failed and not result.skipped
    assert set(pictures(tmp_path / "out")) == set(pictures(photos))
    for name in pictures(photos):
        assert np.array_equal(load(photos / name), load(tmp_path / "out" / name))
    expected = (20 * 30 + 21 * 13 + 8 * 9 + 17 * 12 + 11 * 40) / 1e6
    assert result.megapixels == pytest.approx(expected)
    assert events[0].kind == "start" and events[0].total == 5
    assert sorted(e.file for e in events if e.kind == "done") == [o.file for o in result.done]


def test_a_bad_file_is_reported_and_the_rest_goes_on(photos: Path, tmp_path: Path) -> None:
    (photos / "b.png").write_text("no picture at all")
    (photos / "sub/empty.jpg").write_bytes(b"")
    whole = (photos / "a.png").read_bytes()
    (photos / "cut.png").write_bytes(whole[: len(whole) // 2])
    result = restore(photos, tmp_path / "out")
    assert [o.file for o in result.failed] == ["b.png", "cut.png", "sub/empty.jpg"]
    assert all(o.reason and "Traceback" not in o.reason for o in result.failed)
    assert len(result.done) == 5
    assert not {"b.png", "cut.png", "sub/empty.jpg"} & set(files(tmp_path / "out"))


def test_not_a_number_is_refused_for_its_file_only(photos: Path, tmp_path: Path) -> None:
    import tifffile

    bad = np.ones((6, 7, 3), np.float32)
    tifffile.imwrite(photos / "good.tif", bad * 0.5, photometric="rgb")
    bad[2, 3, 1] = np.nan
    tifffile.imwrite(photos / "bad.tif", bad, photometric="rgb")
    result = restore(photos, tmp_path / "out")
    assert [o.file for o in result.failed] == ["bad.tif"]
    assert "finite" in result.failed[0].reason
    assert len(result.done) == 6


def test_files_of_others_are_never_overwritten(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    mine = save(out / "sub/a.png", pixels(3, 3))
    kept = mine.read_bytes()
    with pytest.raises(UsageError, match=r"sub/a\.png"):
        restore(photos, out)
    assert list(files(out)) == ["sub/a.png"] and mine.read_bytes() == kept
    assert len(restore(photos, out, overwrite=True).done) == 5
    assert load(mine).shape == (8, 9, 3)

    # A finished file that somebody worked on afterwards is no longer ours.
    save(mine, pixels(50, 50))
    with pytest.raises(UsageError, match=r"sub/a\.png"):
        restore(photos, out)


def test_two_pictures_for_one_file_are_an_error_before_any_work(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    save(photos / "sub/a.jpg", pixels(8, 8, 3))
    assert len(restore(photos, tmp_path / "kept").done) == 6
    with pytest.raises(UsageError, match=r"sub/a\.jpg and sub/a\.png"):
        restore(photos, out, format="png")
    (photos / "sub/a.jpg").unlink()
    save(photos / "sub/A.png", pixels(8, 8, 3))
    with pytest.raises(UsageError, match="written twice"):
        restore(photos, out)
    assert not out.exists()


def test_where_the_output_may_lie(photos: Path, tmp_path: Path) -> None:
    for source, out in ((photos, photos), (photos / "a.png", photos), (photos, photos / "sub/..")):
        with pytest.raises(UsageError):
            restore(source, out)
    with pytest.raises(UsageError, match="folder"):
        restore(photos, tmp_path / "out.png")
    with pytest.raises(UsageError, match="not exist"):
        restore(tmp_path / "nothing", tmp_path / "out")
    # Inside the source: what is written is no input of the next run, not through a link either.
    assert len(restore(photos, photos / "out").done) == 5
    (photos / "sub/link").symlink_to(photos / "out")
    assert len(restore(photos, photos / "out").skipped) == 5


def test_several_sources_go_below_their_names(photos: Path, tmp_path: Path) -> None:
    other = save(tmp_path / "other/x.png", pixels(4, 4))
    result = restore([photos / "sub", other, photos / "a.png"], tmp_path / "out")
    assert [o.file for o in result.done] == [
        "a.png",
        "sub/a.png",
        "sub/deep/alpha.png",
        "sub/deep/wide.png",
        "x.png",
    ]


def test_a_dry_run_changes_nothing(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert [o.file for o in restore(photos, out, dry_run=True).planned] == sorted(pictures(photos))
    assert not out.exists()
    restore(photos, out)
    save(photos / "new.png", pixels(5, 5))
    before = files(out)
    assert [o.file for o in restore(photos, out, dry_run=True).planned] == ["new.png"]
    assert files(out) == before


def test_a_full_disk_ends_the_run(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import restore.files

    def full(path: Path, *_: object, **__: object) -> None:
        cause = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise ImageError(f"cannot write {path}") from cause

    with monkeypatch.context() as patch:
        patch.setattr(restore.files, "write_picture", full)
        with pytest.raises(RestoreError, match="No space left") as caught:
            restore_folder(photos, tmp_path / "out", model="nlm:sigma=60")
    assert caught.value.exit_code == 1
    assert len(restore_folder(photos, tmp_path / "out", model="nlm:sigma=60").done) == 5


def test_alpha_grows_with_the_picture(tmp_path: Path) -> None:
    array = pixels(12, 10, 4)
    array[:, :5, 3] = 255
    array[:, 5:, 3] = 0
    source = save(tmp_path / "in/a.png", array).parent
    restore(source, tmp_path / "out", model="bicubic:scale=2")
    alpha = load(tmp_path / "out/a.png")[:, :, 3]
    assert alpha.shape == (24, 20)
    assert (alpha[:, :7] == 255).all() and (alpha[:, 13:] == 0).all()
    for value in (0, 255):
        assert (resize_plane(np.full((7, 5), value, np.uint8), (21, 15)) == value).all()


def test_strength_blends_and_its_ends_are_exact(photos: Path, tmp_path: Path) -> None:
    for dtype in (np.uint8, np.uint16):
        x, y = pixels(300, 7, 3, dtype=dtype), pixels(300, 7, 3, seed=1, dtype=dtype)
        assert np.array_equal(blend(x, y.copy(), 0.0), x)
        assert np.array_equal(blend(x, y.copy(), 1.0), y)
        exact = x + 0.25 * (y.astype(np.float64) - x)
        assert np.abs(blend(x, y.copy(), 0.25) - exact).max() <= 0.5 + 1e-2
    restore(photos, tmp_path / "out", model="nlm:sigma=60", strength=0)
    for name in pictures(photos):
        assert np.array_equal(load(photos / name), load(tmp_path / "out" / name))
    with pytest.raises(UsageError, match="strength"):
        restore(photos, tmp_path / "x", strength=1.5)
    with pytest.raises(UsageError, match="size"):
        restore(photos, tmp_path / "x", model="bicubic:scale=2", strength=0.5)


def test_an_unchanged_picture_is_copied_byte_for_byte(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8)
    (tmp_path / "in").mkdir()
    Image.fromarray(noise).save(tmp_path / "in" / "a.jpg", quality=60)
    result = restore_folder(tmp_path / "in", tmp_path / "out", model="identity")
    assert [o.changed for o in result.done] == [False]
    assert (tmp_path / "out" / "a.jpg").read_bytes() == (tmp_path / "in" / "a.jpg").read_bytes()
    restore_folder(tmp_path / "in", tmp_path / "png", model="identity", format="png")
    assert Image.open(tmp_path / "png" / "a.png").format == "PNG"
