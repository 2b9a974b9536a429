"""A folder in, a folder out: nothing lost, nothing done twice, nothing of anybody else's overwritten."""

from __future__ import annotations

import errno
import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restore.errors import ImageError, RestoreError, UsageError
from restore.folder import Event, degrade_folder, restore_folder
from restore.folder.flow import Item, flow
from restore.folder.manifest import NAME
from restore.folder.plan import Job, in_shard
from restore.folder.planes import blend, resize_plane
from restore.folder.presence import Presence


def pixels(*shape: int, seed: int = 0, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, shape, dtype)


def save(path: Path, array: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


def load(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Five pictures of several kinds, two folders deep."""
    folder = tmp_path / "photos"
    save(folder / "a.png", pixels(20, 30, 3))
    save(folder / "grey.png", pixels(21, 13, seed=1))
    save(folder / "sub/a.png", pixels(8, 9, 3, seed=2))
    save(folder / "sub/deep/alpha.png", pixels(17, 12, 4, seed=3))
    save(folder / "sub/deep/wide.png", pixels(11, 40, seed=4, dtype=np.uint16))
    (folder / "notes.txt").write_text("not a picture")
    return folder


def files(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below ``folder``, ours included, with size and time."""
    found = [p for p in folder.rglob("*") if p.is_file()]
    return {p.relative_to(folder).as_posix(): (p.stat().st_size, p.stat().st_mtime_ns) for p in found}


def pictures(folder: Path) -> dict[str, tuple[int, int]]:
    return {k: v for k, v in files(folder).items() if k.endswith((".png", ".jpg", ".tif"))}


def restore(source: Path | list[Path], out: Path, **options):  # type: ignore[no-untyped-def]
    return restore_folder(source, out, **{"model": "identity", **options})


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


def test_finished_pictures_are_skipped_and_changed_ones_done_again(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    restore(photos, out)
    before = pictures(out)
    again = restore(photos, out)
    assert len(again.skipped) == 5 and not again.done
    assert pictures(out) == before

    save(photos / "a.png", pixels(20, 30, 3, seed=9))
    (out / "grey.png").unlink()
    third = restore(photos, out)
    assert [o.file for o in third.done] == ["a.png", "grey.png"]
    assert np.array_equal(load(out / "a.png"), load(photos / "a.png"))
    after = pictures(out)
    assert {k for k in before if before[k] == after[k]} == set(before) - {"a.png", "grey.png"}
    assert len(restore(photos, out).skipped) == 5


def test_other_settings_are_refused_unless_everything_is_done_again(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    restore(photos, out)
    before = files(out)
    with pytest.raises(UsageError, match=r"strength: 1\.0 before, 0\.5 now"):
        restore(photos, out, strength=0.5)
    with pytest.raises(UsageError, match="model"):
        restore(photos, out, model="bicubic:scale=2")
    with pytest.raises(UsageError):
        degrade_folder(photos, out, degradation="noise:sigma=5")
    assert files(out) == before

    assert len(restore(photos, out, model="bicubic:scale=2", overwrite=True).done) == 5
    assert load(out / "a.png").shape == (40, 60, 3)
    assert len(restore(photos, out, model="bicubic:scale=2").skipped) == 5


def test_a_stopped_overwrite_goes_on_without_the_flag(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    restore(photos, out)

    def stop(event: Event) -> None:
        if event.kind == "progress" and event.file == "sub/a.png":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore(photos, out, model="bicubic:scale=2", overwrite=True, on_event=stop)
    result = restore(photos, out, model="bicubic:scale=2")
    assert [o.file for o in result.skipped] == ["a.png", "grey.png"]
    assert load(out / "sub/a.png").shape == (16, 18, 3)


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


def test_a_torn_line_costs_one_picture_at_most(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    restore(photos, out)
    manifest = out / NAME
    manifest.write_bytes(manifest.read_bytes()[:-25])
    assert len(restore(photos, out).skipped) == 5  # the picture stands there: only the last line is torn
    manifest.write_bytes(manifest.read_bytes() + b'{"state": "wri')
    save(photos / "new.png", pixels(5, 5))
    assert [o.file for o in restore(photos, out).done] == ["new.png"]
    added = manifest.read_text().splitlines()[-2:]  # whole lines again, after the torn one
    assert [json.loads(line)["state"] for line in added] == ["writing", "done"]
    assert len(restore(photos, out).skipped) == 6
    manifest.write_text("something else\n")
    with pytest.raises(UsageError, match="manifest"):
        restore(photos, out)


def test_killed_before_and_after_a_file_gets_its_name(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    restore(photos, out)
    manifest = out / NAME
    header, *lines = manifest.read_text().splitlines()
    writing = [line for line in lines if json.loads(line)["state"] == "writing"]
    # After: the files stand there, their "done" lines were never written.
    manifest.write_text("\n".join([header, *writing]) + "\n")
    assert len(restore(photos, out).skipped) == 5
    # Before: a changed source was about to replace its file.
    was = [(out / "a.png").stat().st_size, (out / "a.png").stat().st_mtime_ns]
    line = json.loads(next(line for line in writing if json.loads(line)["file"] == "a.png"))
    manifest.write_text("\n".join([header, *lines, json.dumps({**line, "was": was})]) + "\n")
    assert [o.file for o in restore(photos, out).done] == ["a.png"]


def test_leftovers_of_dead_runs_are_removed_but_not_of_living_ones(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    restore(photos, out)
    left = out / "sub/.a.png.0a1b2c3d.partial"
    left.write_bytes(b"half a picture")
    stranger = out / "sub/.mine.partial"
    stranger.write_bytes(b"")
    with Presence(out):
        thread = threading.Thread(target=restore, args=(photos, out))
        thread.start()  # waits until the other run lets it in, and leaves its files alone
        thread.join(0.3)
        assert thread.is_alive() and left.exists()
    thread.join()
    with Presence(out) as other:
        other.share()
        restore(photos, out)
        assert left.exists()
    restore(photos, out)
    assert not left.exists() and stranger.exists()


def test_shards_share_one_folder_and_divide_the_work(photos: Path, tmp_path: Path) -> None:
    for i in range(20):
        save(photos / f"n{i}.png", pixels(4, 5, seed=i))
    results: dict[int, list[str]] = {}

    def part(i: int) -> None:
        results[i] = [o.file for o in restore(photos, tmp_path / "out", shard=(i, 3)).done]

    threads = [threading.Thread(target=part, args=(i,)) for i in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    together = sorted(file for part in results.values() for file in part)
    assert together == sorted(pictures(photos))
    assert all(results.values())
    assert len(restore(photos, tmp_path / "out").skipped) == 25
    # A new picture moves no other to another shard.
    assert {f for f in together if in_shard(f, (2, 3))} == set(results[2])
    for wrong in ("0/3", "4/3", "1", "a/b", "1/0"):
        with pytest.raises(UsageError):
            restore(photos, tmp_path / "out", shard=wrong)


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


def test_degradations_depend_on_seed_and_path_alone(photos: Path, tmp_path: Path) -> None:
    how = {"degradation": "noise:sigma=5..50", "seed": 7}
    degrade_folder(photos, tmp_path / "all", params=tmp_path / "all.jsonl", **how)
    for i in (1, 2):
        degrade_folder(photos, tmp_path / "parts", shard=(i, 2), params=tmp_path / "parts.jsonl", **how)
    degrade_folder([photos / "sub", photos / "grey.png"], tmp_path / "some", **how)
    degrade_folder(photos, tmp_path / "other", degradation="noise:sigma=5..50", seed=8)
    for name in pictures(photos):
        bytes_ = (tmp_path / "all" / name).read_bytes()
        assert bytes_ == (tmp_path / "parts" / name).read_bytes()
        assert bytes_ != (tmp_path / "other" / name).read_bytes()
        if (tmp_path / "some" / name).exists():
            assert bytes_ == (tmp_path / "some" / name).read_bytes()
    assert (tmp_path / "all.jsonl").read_text() == (tmp_path / "parts.jsonl").read_text()
    records = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert [r["file"] for r in records] == sorted(pictures(photos))
    assert records[0]["shape"] == [3, 20, 30] and records[1]["shape"] == [1, 21, 13]
    sigmas = [r["params"]["values"]["sigma"] * 255 for r in records]
    assert len(set(sigmas)) == 5 and all(5 <= s <= 50 for s in sigmas)
    # Alpha is nobody's to degrade.
    assert np.array_equal(
        load(photos / "sub/deep/alpha.png")[:, :, 3], load(tmp_path / "all/sub/deep/alpha.png")[:, :, 3]
    )


def test_recorded_parameters_give_the_same_bytes(photos: Path, tmp_path: Path) -> None:
    params = tmp_path / "params.jsonl"
    steps = ["poisson-gaussian", "noise:channels=grey"]
    degrade_folder(photos, tmp_path / "a", degradation=steps, severity=2.5, seed=3, params=params)
    save(photos / "new.png", pixels(9, 9))
    result = degrade_folder(photos, tmp_path / "b", replay=params, params=tmp_path / "again.jsonl")
    assert [o.file for o in result.failed] == ["new.png"]
    for name in set(pictures(photos)) - {"new.png"}:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert (tmp_path / "again.jsonl").read_text() == params.read_text()

    smaller = degrade_folder(photos, tmp_path / "small", degradation="downsample:scale=2")
    assert len(smaller.done) == 6 and load(tmp_path / "small/sub/deep/alpha.png").shape == (9, 6, 4)

    with pytest.raises(UsageError):
        degrade_folder(photos, tmp_path / "c", degradation="noise", replay=params)
    with pytest.raises(UsageError):
        degrade_folder(photos, tmp_path / "c")
    with pytest.raises(UsageError, match="in the way"):
        degrade_folder(photos, tmp_path / "c", degradation="noise", params=photos / "a.png")


def jobs(count: int) -> list[Job]:
    return [Job(f"{i}", Path(f"{i}"), f"{i}", 1, 1) for i in range(count)]


def test_pictures_in_memory_are_bounded() -> None:
    held: dict[str, float] = {}
    most = [0.0, 0]
    lock = threading.Lock()
    weights = {str(i): 150.0 if i % 5 == 0 else 30.0 for i in range(40)}

    def read(job: Job) -> str:
        with lock:
            held[job.file] = weights[job.file]
            most[:] = [max(most[0], sum(held.values())), max(most[1], len(held))]
        return job.file

    def write(item: Item) -> None:
        with lock:
            del held[item.take()]

    failures: list[str] = []
    flow(
        jobs(40),
        weigh=lambda job: weights[job.file],
        read=read,
        work=lambda item: item.take(),
        write=write,
        failed=lambda job, error: failures.append(job.file),
        bound=100.0,
    )
    assert not held and not failures
    assert most[0] == 150.0  # a huge one alone, and never more
    assert most[1] <= 3


def test_every_kind_of_failure_reaches_the_caller() -> None:
    def fail_at(*files: str):  # type: ignore[no-untyped-def]
        def check(x):  # type: ignore[no-untyped-def]
            if (x.file if isinstance(x, Job) else x.job.file) in files:
                raise ValueError("no")
            return 1.0

        return check

    failures: list[str] = []
    written: list[str] = []
    flow(
        jobs(9),
        weigh=fail_at("0", "5"),
        read=fail_at("1", "6"),
        work=fail_at("2", "7"),
        write=lambda item: (fail_at("3", "8")(item), written.append(item.job.file)),
        failed=lambda job, error: failures.append(job.file),
    )
    assert sorted(failures) == ["0", "1", "2", "3", "5", "6", "7", "8"]
    assert written == ["4"]

    def fatal(job: Job, error: Exception) -> None:
        raise RestoreError("the end")

    for place in ("weigh", "read", "work", "write"):
        steps = {
            "weigh": lambda job: 1.0,
            "read": lambda job: 1,
            "work": lambda i: 1,
            "write": lambda i: None,
        }
        with pytest.raises(RestoreError, match="the end"):
            flow(jobs(100), **{**steps, place: fail_at("3")}, failed=fatal)


def test_an_unchanged_picture_is_copied_byte_for_byte(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8)
    (tmp_path / "in").mkdir()
    Image.fromarray(noise).save(tmp_path / "in" / "a.jpg", quality=60)
    result = restore_folder(tmp_path / "in", tmp_path / "out", model="identity")
    assert [o.changed for o in result.done] == [False]
    assert (tmp_path / "out" / "a.jpg").read_bytes() == (tmp_path / "in" / "a.jpg").read_bytes()
    restore_folder(tmp_path / "in", tmp_path / "png", model="identity", format="png")
    assert Image.open(tmp_path / "png" / "a.png").format == "PNG"
