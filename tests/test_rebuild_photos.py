"""The training photographs out of Debian packages: resource files read, hashes checked, nothing wrong accepted."""

from __future__ import annotations

import hashlib
import io
import struct
import tarfile
import zlib
from collections import Counter
from pathlib import Path

import pytest
import typer

from restore.errors import RestoreError, UsageError
from restore.models import registry
from restore.tools.models import models
from restore.tools.qt_resource import read_resource
from restore.tools.rebuild_photos import Photo, main, read_manifest, rebuild


def resource(version: int = 2) -> bytes:
    """``a/b.txt`` as it is and ``c.bin`` by zlib, as ``rcc --binary`` lays files out."""
    plain, packed = b"plain text", b"x" * 500
    squeezed = struct.pack(">I", len(packed)) + zlib.compress(packed)
    data = struct.pack(">I", len(plain)) + plain + struct.pack(">I", len(squeezed)) + squeezed
    names, at = b"", {}
    for name in ("a", "b.txt", "c.bin"):
        at[name] = len(names)
        names += struct.pack(">HI", len(name), 0) + name.encode("utf-16-be")
    time = struct.pack(">Q", 0) if version > 1 else b""
    nodes = [
        struct.pack(">IHII", 0, 2, 2, 1) + time,  # the root: two children from the first node on
        struct.pack(">IHII", at["a"], 2, 1, 3) + time,
        struct.pack(">IHHHI", at["c.bin"], 1, 0, 0, 4 + len(plain)) + time,
        struct.pack(">IHHHI", at["b.txt"], 0, 0, 0, 0) + time,
    ]
    head = 20
    tree = b"".join(nodes)
    offsets = (head, head + len(tree), head + len(tree) + len(data))
    return b"qres" + struct.pack(">4I", version, *offsets) + tree + data + names


def package(folder: Path, files: dict[str, bytes]) -> Path:
    """A Debian package with these files."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:xz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"./{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    parts = {"debian-binary": b"2.0\n", "control.tar.xz": b"odd", "data.tar.xz": archive.getvalue()}
    body = b"!<arch>\n"
    for name, content in parts.items():
        body += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode() + content
        body += b"\n" * (len(content) % 2)
    path = folder / "some-photos_1%3a2.0-1_all.deb"
    path.write_bytes(body)
    return path


def photo(name: str, content: bytes, member: str, inside: str = "") -> Photo:
    return Photo(name, "some-photos", "1:2.0-1", member, inside, hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize("version", [1, 2])
def test_resource_files_are_read(version: int) -> None:
    assert read_resource(resource(version)) == {"a/b.txt": b"plain text", "c.bin": b"x" * 500}
    for broken in (b"", b"qres", b"other", resource()[:60]):
        with pytest.raises(RestoreError):
            read_resource(broken)


def test_photographs_are_written_and_what_differs_is_not(tmp_path: Path) -> None:
    files = {"usr/share/x.jpg": b"a picture", "usr/share/y.rcc": resource()}
    deb = package(tmp_path, files)
    photos = [
        photo("one.jpg", b"a picture", "usr/share/x.jpg"),
        photo("two.txt", b"plain text", "usr/share/y.rcc", "a/b.txt"),
        photo("other.jpg", b"another picture", "usr/share/x.jpg"),
        photo("gone.jpg", b"", "usr/share/z.jpg"),
    ]
    wrong = rebuild(photos, tmp_path / "out", debs=tmp_path)
    assert set(wrong) == {"other.jpg", "gone.jpg"} and "SHA-256" in wrong["other.jpg"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["one.jpg", "two.txt"]
    assert (tmp_path / "out" / "two.txt").read_bytes() == b"plain text"
    deb.unlink()
    assert rebuild(photos[:2], tmp_path / "out", debs=tmp_path) == {}  # nothing to fetch
    with pytest.raises(UsageError, match=r"some-photos 1:2\.0-1 is not in"):
        rebuild(photos, tmp_path / "out", debs=tmp_path)


def test_verification_wants_hash_licence_data_and_scores(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    models("denoise", verify=True)
    assert "verified" in capsys.readouterr().out
    net, header = registry.load_shipped("denoise")
    bare = {key: value for key, value in header.items() if key != "licence"}
    monkeypatch.setattr(registry, "load_shipped", lambda name: (net, bare))
    with pytest.raises(typer.Exit) as left:
        models("denoise", verify=True)
    assert left.value.exit_code == 1 and "does not say its licence" in capsys.readouterr().err


def test_the_manifest_names_what_the_cards_name(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    photos = read_manifest()
    count = Counter(p.package for p in photos)
    assert len(photos) == len({p.name for p in photos}) == 166 and count["gcompris-qt-data"] == 129
    assert all(len(p.sha256) == 64 for p in photos)
    assert main([str(tmp_path / "out"), "--debs", str(tmp_path)]) == 2
    assert "apt-get download" in capsys.readouterr().err
    assert main([str(tmp_path / "out"), "--package", "nonsense"]) == 2
    wicked = tmp_path / "m.tsv"
    wicked.write_text("name\tpackage\tversion\tmember\tresource\tsha256\n../x\ta\t1\tb\t\tc\n")
    with pytest.raises(UsageError, match="plain file names"):
        read_manifest(wicked)
