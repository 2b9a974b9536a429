"""A folder in, a folder out: what restoring and degrading a folder have in common.

Nothing is lost and nothing is done twice: see :mod:`restore.folder.manifest`. Nothing of anybody else's is
overwritten: see :func:`run`.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from restore.errors import ImageError, RestoreError, UsageError, hint_for
from restore.folder.flow import BOUND, Item, flow
from restore.folder.manifest import Manifest
from restore.folder.pending import Pending
from restore.folder.plan import Job, PathLike, in_shard, listed
from restore.folder.presence import Presence, remove_leftovers
from restore.folder.result import Event, FolderResult, OnEvent, Outcome
from restore.folder.weight import megapixels
from restore.names import show_name

if TYPE_CHECKING:
    from restore.files import Picture

# Errors of a file system that the next picture would meet as well.
_HOPELESS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}

Progress = Callable[[float], None]

# What is done to one picture: (job, picture, progress) -> the picture to write and a record for the manifest, whose
# "diagnostics", if it has any, go to the outcome too.
# None instead of a picture: nothing is changed, the file itself is copied.
Work = Callable[[Job, "Picture", Progress], "tuple[Picture | Pending | None, Any]"]


def run(
    jobs: Sequence[Job],
    out: PathLike,
    work: Work,
    *,
    settings: Mapping[str, Any],
    format: str | None = None,
    quality: int | None = None,
    factor: float = 2.0,
    overwrite: bool = False,
    shard: tuple[int, int] | None = None,
    dry_run: bool = False,
    at_end: Callable[[Manifest], None] | None = None,
    on_event: OnEvent | None = None,
    read: Callable[[Job], Any] | None = None,
) -> FolderResult:
    """Does ``work`` to each picture of the shard that is not finished, and writes the results below ``out``.

    Args:
        settings: everything the results depend on, JSON-able; a folder keeps to one.
        factor: memory held per picture, in units of the picture as 8-bit RGB.
        at_end: called with the manifest when no more is written, also after an interrupt; not in a dry run.
        read: gives what ``work`` gets as the picture; None: :func:`restore.files.read_picture`.
        overwrite: does everything again, also where the settings differ or somebody else's file is in the
            way.

    Raises:
        UsageError: other settings than before, or files in the way that are not ours; nothing was done then.
        RestoreError: the output folder cannot be written to any more (full, read-only).
    """
    began = time.perf_counter()
    base = Path(out)
    manifest = Manifest(base, settings)
    differences = manifest.differences()
    if differences and not overwrite:
        raise UsageError(
            f"{show_name(base)} was written with other settings:{listed(differences)}",
            hint="give the same settings, another folder to -o, or --overwrite to do everything again",
        )
    mine = [job for job in jobs if in_shard(job.file, shard)]
    states = {job.file: "redo" if overwrite else manifest.state(job) for job in mine}
    foreign = [job.output for job in mine if states[job.file] == "foreign"]
    if foreign:
        raise UsageError(
            f"{len(foreign)} file(s) in {show_name(base)} are in the way, not written by this command:"
            f"{listed(foreign)}",
            hint="move them, give another folder to -o, or --overwrite to replace them",
        )
    todo = [job for job in mine if states[job.file] != "finished"]
    result = FolderResult(settings=dict(settings))
    result.skipped = [
        Outcome(j.file, j.output, "finished before") for j in mine if states[j.file] == "finished"
    ]
    tell = _Teller(on_event)
    total = sum(job.size for job in todo)
    tell(Event("start", total=len(todo), total_bytes=total, skipped=len(result.skipped)))
    if dry_run:
        result.planned = [Outcome(j.file, j.output) for j in todo]
    else:
        with _made(base), contextlib.ExitStack() as stack:
            presence = stack.enter_context(Presence(base))
            if differences and not presence.alone:
                raise UsageError(
                    f"another run with other settings is writing to {show_name(base)}",
                    hint="wait, or give another folder to -o",
                )
            if presence.alone and manifest.found is not None:
                remove_leftovers(base)
            claims = [job for job in todo if overwrite and (base / job.output).exists()]
            manifest.open(claims, start_anew=bool(differences))
            presence.share()
            kept = stack.pop_all()
        with kept:
            try:
                _Run(base, manifest, work, format, quality, tell, result).all(todo, factor, read)
            finally:
                if at_end is not None:
                    at_end(manifest)
    result.sort()
    result.megapixels = sum(o.megapixels for o in result.done)
    result.seconds = time.perf_counter() - began
    return result


class _Teller:
    """Hands events over one at a time."""

    def __init__(self, on_event: OnEvent | None) -> None:
        self.on_event = on_event
        self.lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        if self.on_event is not None:
            with self.lock:
                self.on_event(event)


class _Run:
    """What the steps of one run share."""

    def __init__(
        self,
        base: Path,
        manifest: Manifest,
        work: Work,
        format: str | None,
        quality: int | None,
        tell: _Teller,
        result: FolderResult,
    ) -> None:
        self.base, self.manifest, self.work_on, self.tell, self.result = base, manifest, work, tell, result
        self.format = None if format == "keep" else format
        self.quality = quality

    def all(self, jobs: Sequence[Job], factor: float, read: Callable[[Job], Any] | None) -> None:

        flow(
            jobs,
            weigh=lambda job: factor * megapixels(job.source),
            read=lambda job: self.read(job, read),
            work=self.work,
            write=self.write,
            failed=self.failed,
            bound=BOUND,
        )

    def read(self, job: Job, read: Callable[[Job], Any] | None) -> Any:
        """The picture, if it is of a kind that can be written as it is asked for."""
        from restore.files import FOREIGN, read_picture

        picture = read(job) if read is not None else read_picture(job.source)
        if self.format is None and getattr(picture, "format", "") in FOREIGN:
            raise ImageError(f"{picture.format} is read, but not written", hint="--format png, tiff or jpeg")
        return picture

    def work(self, item: Item) -> tuple[Picture | Pending | None, Any, Outcome]:
        job = item.job
        picture = item.take()
        width, height = picture.size
        began = time.perf_counter()

        def progress(fraction: float) -> None:
            self.tell(Event("progress", job.file, fraction=fraction, source_bytes=job.size))

        progress(0.0)
        # A list, emptied by the callee's argument: nobody here keeps the source's pixels alive.
        box = [picture]
        del picture
        made, record = self.work_on(job, box.pop(), progress)
        seconds = time.perf_counter() - began
        outcome = Outcome(
            job.file,
            job.output,
            "",
            width * height / 1e6,
            seconds,
            changed=made is not None,
            record=record,
        )
        return made, record, outcome

    def write(self, item: Item) -> None:
        from restore.files import atomic_write, format_named, left_out, write_picture

        job = item.job
        picture, record, outcome = item.take()
        path = self.base / job.output
        path.parent.mkdir(parents=True, exist_ok=True)
        self.manifest.begin(job, record)
        if isinstance(picture, Pending):
            picture.commit()
        elif picture is None:
            with atomic_write(path) as temporary:
                shutil.copyfile(job.source, temporary)
        else:
            # Its own format and not the one its name claims, where nobody asks for another.
            kind = format_named(self.format or picture.format)
            write_picture(path, picture, format=kind, quality=self.quality)
            outcome = replace(outcome, left_out=left_out(picture, kind))
        self.manifest.finish(job, record)
        self.result.done.append(outcome)
        self.tell(Event("done", job.file, outcome, source_bytes=job.size))

    def failed(self, job: Job, error: Exception) -> None:
        for cause in (error, error.__cause__):
            if isinstance(cause, OSError) and cause.errno in _HOPELESS:
                raise RestoreError(
                    f"cannot write to {show_name(self.base)}: {cause.strerror}",
                    hint="make room; the same command continues",
                ) from error
        # The file is named beside its reason: once is enough.
        reason = show_name(_reason(error).removeprefix(f"cannot read {str(job.source)!r}: "))
        hint = error.hint if isinstance(error, RestoreError) else None
        outcome = Outcome(job.file, job.output, reason, hint=hint)
        self.result.failed.append(outcome)
        self.tell(Event("failed", job.file, outcome, source_bytes=job.size))


def _reason(error: Exception) -> str:
    """An error in words; the traceback only with RESTORE_DEBUG."""
    if isinstance(error, RestoreError):
        return error.message
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror} ({error.filename})" if error.filename else error.strerror
    if isinstance(error, MemoryError) or "allocate memory" in str(error) or "out of memory" in str(error):
        return "not enough memory for this picture; a smaller --tile needs less"
    return f"{type(error).__name__}: {error}"


@contextlib.contextmanager
def _made(base: Path) -> Iterator[None]:
    """Makes the output folder for what is begun inside; folders made here go again if that fails.

    Raises:
        RestoreError: it cannot be made or written to (full, read-only, not ours).
    """
    missing = [folder for folder in (base, *base.parents) if not folder.exists()]
    try:
        base.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException as error:
        for folder in missing:
            with contextlib.suppress(OSError):
                folder.rmdir()
        if not isinstance(error, OSError):
            raise
        raise RestoreError(
            f"cannot write to {show_name(base)}: {(error.strerror or str(error)).lower()}",
            hint=hint_for(error),
        ) from error
