"""``python -m restore.tools.rebuild_photos OUT``: the training photographs again, from the Debian packages they are in.

The manifest beside this file names for every photograph its package and version, its place in it and its SHA-256.
Packages come from the mirror that apt is configured for, or from a folder (``--debs``); nothing of them is installed
or run. The pictures of ``gcompris-qt-data`` lie in Qt resource files.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from restore.errors import EXIT_DONE, EXIT_SOME_FAILED, RestoreError, UsageError
from restore.files import write_file
from restore.tools.qt_resource import read_resource

MANIFEST = Path(__file__).with_name("photos.tsv")


@dataclass(frozen=True)
class Photo:
    """One line of the manifest.

    Args:
        name: the file that is written.
        package, version: of the Debian package.
        member: its path in the package, or that of the Qt resource file it is in.
        resource: its path in that resource file; empty where the member is the picture itself.
        sha256: of the picture.
    """

    name: str
    package: str
    version: str
    member: str
    resource: str
    sha256: str


def read_manifest(path: Path = MANIFEST) -> list[Photo]:
    """The lines of a manifest, tab-separated, with a header.

    Raises:
        UsageError: another header, or a name that would leave the folder.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    try:
        photos = [Photo(**row) for row in rows]
    except TypeError as error:
        raise UsageError(f"{path} is no manifest of photographs: {error}") from None
    for photo in photos:
        if Path(photo.name).name != photo.name:
            raise UsageError(f"{path}: expected plain file names, got {photo.name!r}")
    return photos


def rebuild(photos: Sequence[Photo], out: Path, *, debs: Path | None = None) -> dict[str, str]:
    """Writes every photograph whose hash is right into ``out`` and returns what is wrong, by name.

    Photographs that are there already, with the right hash, are not fetched again.

    Args:
        debs: a folder with the packages; None: ``apt-get download`` fetches them.

    Raises:
        UsageError: a package that cannot be had.
    """
    out.mkdir(parents=True, exist_ok=True)
    wrong: dict[str, str] = {}
    wanted: dict[tuple[str, str], list[Photo]] = defaultdict(list)
    for photo in photos:
        path = out / photo.name
        if not (path.exists() and _hash(path.read_bytes()) == photo.sha256):
            wanted[photo.package, photo.version].append(photo)
    for (package, version), mine in wanted.items():
        with tempfile.TemporaryDirectory() as scratch:
            deb = find_deb(debs, package, version) if debs else download(package, version, Path(scratch))
            found = dict(pictures(deb, mine))
        for photo in mine:
            data = found.get(photo.name)
            if data is None:
                wrong[photo.name] = f"not in {package} {version}"
            elif _hash(data) != photo.sha256:
                wrong[photo.name] = f"expected SHA-256 {photo.sha256[:12]}..., got {_hash(data)[:12]}..."
            else:
                write_file(out / photo.name, data)
    return wrong


def pictures(deb: Path, photos: Sequence[Photo]) -> Iterator[tuple[str, bytes]]:
    """``(name, content)`` of those photographs that are in the package."""
    by_member: dict[str, list[Photo]] = defaultdict(list)
    for photo in photos:
        by_member[photo.member].append(photo)
    with tarfile.open(fileobj=io.BytesIO(data_archive(deb))) as archive:
        for entry in archive:
            mine = by_member.get(entry.name.removeprefix("./"), [])
            file = archive.extractfile(entry) if mine and entry.isfile() else None
            if file is None:
                continue
            content = file.read()
            inside = read_resource(content) if any(p.resource for p in mine) else {}
            for photo in mine:
                data = inside.get(photo.resource) if photo.resource else content
                if data is not None:
                    yield photo.name, data


def data_archive(deb: Path) -> bytes:
    """``data.tar.*`` of a Debian package, which is an ``ar`` archive (deb(5)).

    Raises:
        RestoreError: not a package.
    """
    content = deb.read_bytes()
    if not content.startswith(b"!<arch>\n"):
        raise RestoreError(f"{deb} is no Debian package")
    place = 8
    while place + 60 <= len(content):
        header = content[place : place + 60]
        name, size = header[:16].decode("ascii", "replace").strip().rstrip("/"), int(header[48:58])
        if name.startswith("data.tar"):
            return content[place + 60 : place + 60 + size]
        place += 60 + size + size % 2
    raise RestoreError(f"{deb} has no data.tar: is it complete?")


def find_deb(folder: Path, package: str, version: str) -> Path:
    """The file of a package in a folder, named as apt names it (a colon becomes ``%3a``).

    Raises:
        UsageError: it is not there.
    """
    found = sorted(folder.glob(f"{package}_{version.replace(':', '%3a')}_*.deb"))
    if not found:
        raise UsageError(
            f"{package} {version} is not in {folder}", hint=f"apt-get download {package}={version}"
        )
    return found[0]


def download(package: str, version: str, folder: Path) -> Path:
    """Fetches a package with apt.

    Raises:
        UsageError: there is no apt, or it does not have that version.
    """
    try:
        done = subprocess.run(
            ["apt-get", "download", f"{package}={version}"], cwd=folder, capture_output=True, text=True
        )
    except OSError as error:
        raise UsageError(
            f"apt-get cannot be run: {error.strerror}", hint="--debs FOLDER takes packages that you fetched"
        ) from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise UsageError(
            f"apt-get has no {package} {version}: {last}",
            hint="the versions are those of Debian 12; --debs FOLDER takes packages that you fetched",
        )
    return find_deb(folder, package, version)


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def main(arguments: Sequence[str] | None = None) -> int:
    """Rebuilds what was asked for; 1 when a photograph is missing or another one than was trained on."""
    parser = argparse.ArgumentParser(prog="python -m restore.tools.rebuild_photos", description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the photographs")
    parser.add_argument("--debs", type=Path, help="folder with the packages, instead of apt")
    parser.add_argument("--package", action="append", help="only this package; repeatable")
    given = parser.parse_args(arguments)
    try:
        photos = [p for p in read_manifest() if not given.package or p.package in given.package]
        if not photos:
            known = ", ".join(sorted({p.package for p in read_manifest()}))
            raise UsageError("no photograph is of these packages", hint=f"known: {known}")
        wrong = rebuild(photos, given.out, debs=given.debs)
    except RestoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    for name, reason in wrong.items():
        print(f"failed: {name}: {reason}", file=sys.stderr)
    print(f"{len(photos) - len(wrong)} of {len(photos)} photographs in {given.out}, hashes checked")
    return EXIT_SOME_FAILED if wrong else EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
