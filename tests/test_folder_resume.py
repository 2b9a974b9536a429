"""A folder's run that stopped, was killed or is shared goes on: nothing lost, nothing done twice."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest
from made import files, load, pictures, pixels, restore, save

from restore.errors import UsageError
from restore.folder import Event, degrade_folder
from restore.folder.manifest import NAME
from restore.folder.plan import in_shard
from restore.folder.presence import Presence


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
