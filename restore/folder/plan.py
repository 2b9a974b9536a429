"""Which pictures become which files; everything that can be refused is refused here, before any work."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from restore.errors import UsageError
from restore.names import show_name

PathLike: TypeAlias = str | os.PathLike[str]

SHOWN = 5


@dataclass(frozen=True)
class Job:
    """One picture: ``file`` and ``output`` are relative, with ``/``; ``size``, ``mtime_ns``: the source's.

    ``key`` stands for whatever else its result depends on; another one makes it to be done again.
    """

    file: str
    source: Path
    output: str
    size: int
    mtime_ns: int
    key: str = ""


@dataclass
class Plan:
    """What is to be done, and what of the input is left alone.

    Args:
        jobs: one for each picture, in order of the path.
        others: how many files are no pictures, by their ending.
        earlier: how many pictures are the output of an earlier run.
    """

    jobs: list[Job]
    others: dict[str, int] = field(default_factory=dict)
    earlier: int = 0


def plan(source: PathLike | Sequence[PathLike], out: PathLike, *, format: str | None = None) -> Plan:
    """Every picture below ``source`` with the file it becomes below ``out``, in order of the path.

    One folder's pictures keep their path below it. Of several sources each goes below its own name, as ``cp
    -r`` would do; a file goes directly into ``out``. Pictures inside ``out`` are no input, nor is what an earlier
    run wrote into a folder below a source (its manifest says so).

    Args:
        format: "png", "jpeg", "webp", "tiff", ... (see :mod:`restore.files.formats`); None or "keep": each
            source's own.

    Raises:
        UsageError: a source that does not exist or holds no picture, ``out`` being a source or a file, or two
            pictures that would be written to one file.
    """
    from restore.files.formats import FORMATS, format_named

    suffixes = () if format in (None, "keep") else FORMATS[format_named(str(format))].suffixes
    sources = [Path(source)] if isinstance(source, (str, os.PathLike)) else [Path(s) for s in source]
    if not sources:
        raise UsageError("expected a folder or pictures, got nothing", hint="restore run FOLDER -o OUT")
    target = Path(out)
    _check_out(sources, target)
    made = Plan([])
    found = [pair for s in sources for pair in _pictures(s, target.resolve(), made, alone=len(sources) == 1)]
    if not found:
        raise UsageError(f"expected pictures in {_list(sources)}, found none")
    jobs = _told_apart([_job(relative, path, suffixes) for relative, path in found])
    _check_collisions(jobs, target)
    made.jobs = sorted(jobs, key=lambda job: job.file)
    made.others = dict(sorted(made.others.items()))
    return made


def parse_shard(shard: str | tuple[int, int] | None) -> tuple[int, int] | None:
    """``"2/8"`` as (2, 8): the second of eight parts.

    Raises:
        UsageError: anything else, or a part that is not from 1 to the number of parts.
    """
    if shard is None:
        return None
    try:
        part, parts = (int(n) for n in (shard.split("/") if isinstance(shard, str) else shard))
    except ValueError:
        part, parts = 0, 0
    if not 1 <= part <= parts:
        raise UsageError(f"expected a shard I/N with I from 1 to N, got {shard!r}", hint="for example 2/8")
    return part, parts


def in_shard(file: str, shard: tuple[int, int] | None) -> bool:
    """Whether ``file`` belongs to that part: a hash of the path, so that new pictures move no other."""
    if shard is None:
        return True
    digest = hashlib.blake2b(file.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % shard[1] == shard[0] - 1


def _check_out(sources: Sequence[Path], out: Path) -> None:
    from restore.files.formats import format_of

    for source in sources:
        if not source.exists():
            raise UsageError(f"expected a folder or a picture, but {show_name(source)} does not exist")
        if source.is_dir() and source.resolve() == out.resolve():
            raise UsageError(
                f"the output folder is the source folder: {show_name(source)}",
                hint="give another folder to -o",
            )
    if not out.exists() and format_of(out):
        raise UsageError(
            f"expected a folder to write to, got the name of a picture: {show_name(out)}", hint="-o FOLDER"
        )
    if out.exists() and not out.is_dir():
        raise UsageError(
            f"expected a folder to write to, but {show_name(out)} is a file", hint="give a folder to -o"
        )


def _pictures(source: Path, out: Path, made: Plan, *, alone: bool) -> list[tuple[PurePosixPath, Path]]:
    from restore.files import list_files

    if not source.is_dir():
        return [(PurePosixPath(source.name), source)]
    prefix = PurePosixPath() if alone else PurePosixPath(source.resolve().name)
    pairs = []
    root = source.resolve()
    # Folders are compared by their real paths, so that a link to `out` is no way round.
    real: dict[Path, Path] = {}
    listing = list_files(source)
    written = _earlier_outputs(source, {p for path in listing.pictures for p in path.parents})
    for relative in (*listing.pictures, *listing.others):
        folder = relative.parent
        if folder not in real:
            real[folder] = (root / folder).resolve()
    for relative in listing.pictures:
        if real[relative.parent].is_relative_to(out):
            continue
        if relative in written:
            made.earlier += 1
            continue
        pairs.append((prefix / PurePosixPath(relative.as_posix()), source / relative))
    for relative in listing.others:
        if not real[relative.parent].is_relative_to(out):
            ending = relative.suffix.lower()
            made.others[ending] = made.others.get(ending, 0) + 1
    return pairs


def _earlier_outputs(source: Path, folders: set[Path]) -> set[Path]:
    """What runs wrote into ``folders`` below ``source``, by their manifests; ``source`` itself was asked for."""
    from restore.folder.manifest import NAME, outputs_of

    found: set[Path] = set()
    for folder in folders - {Path()}:
        if (source / folder / NAME).is_file():
            found |= {folder / output for output in outputs_of(source / folder)}
    return found


def _told_apart(jobs: list[Job]) -> list[Job]:
    """Pictures that differ in their ending alone (a camera's raw file beside its JPEG) keep it before the new one."""
    taken = Counter(_folded(job.output) for job in jobs)
    apart = []
    for job in jobs:
        name, output = PurePosixPath(job.file), PurePosixPath(job.output)
        if taken[_folded(job.output)] > 1 and name != output and _is_foreign(job.source):
            job = replace(job, output=f"{name}{output.suffix}")
        apart.append(job)
    return apart


def _is_foreign(path: Path) -> bool:
    from restore.files import FOREIGN, format_of, kind_of

    return format_of(path) is None or kind_of(path) in FOREIGN


def _job(relative: PurePosixPath, path: Path, suffixes: tuple[str, ...]) -> Job:
    output = relative
    if suffixes and relative.suffix.lower() not in suffixes:
        from restore.files.kinds import kind_by_suffix

        # An ending that is none of a picture's is a part of the name.
        known = not relative.suffix or kind_by_suffix(relative.suffix.lower())
        output = relative.with_suffix(suffixes[0]) if known else PurePosixPath(f"{relative}{suffixes[0]}")
    try:
        stat = path.stat()
        size, mtime = stat.st_size, stat.st_mtime_ns
    except OSError:
        # A dangling link or a file just deleted: reading it reports why.
        size, mtime = 0, 0
    return Job(relative.as_posix(), path, output.as_posix(), size, mtime)


def _check_collisions(jobs: Sequence[Job], out: Path) -> None:
    """Two pictures for one file, also where a file system takes ``A.png`` and ``a.png`` for the same."""
    owners: dict[str, list[Job]] = {}
    for job in jobs:
        owners.setdefault(_folded(job.output), []).append(job)
    clashes = [
        f"{' and '.join(j.file for j in js)} -> {js[0].output}" for js in owners.values() if len(js) > 1
    ]
    for job in jobs:
        for parent in PurePosixPath(job.output).parents:
            for other in owners.get(_folded(parent.as_posix()), ()):
                clashes.append(f"{other.file} -> {other.output}, which is also the folder of {job.file}")
    if clashes:
        raise UsageError(
            f"{len(clashes)} output file(s) would be written twice:{listed(clashes)}",
            hint="rename one of each, keep the formats (--format keep), or run them into different folders",
        )
    # Sources given as files, or a source inside `out`, could meet the output by name.
    real = {job.source.resolve() for job in jobs}
    base = out.resolve()
    own = [job.file for job in jobs if base / job.output in real]
    if own:
        raise UsageError(
            f"{len(own)} source picture(s) would be overwritten:{listed(own)}",
            hint="give another folder to -o",
        )


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def listed(items: Sequence[str]) -> str:
    """The first of them, a line each, and how many more there are."""
    shown = "".join(f"\n  {show_name(item)}" for item in items[:SHOWN])
    return shown + (f"\n  and {len(items) - SHOWN} more" if len(items) > SHOWN else "")


def _list(sources: Sequence[Path]) -> str:
    return ", ".join(show_name(s) for s in sources[:SHOWN]) + (", ..." if len(sources) > SHOWN else "")
