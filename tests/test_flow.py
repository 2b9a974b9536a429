"""Pictures pass through reading, work and writing: bounded memory, every failure told."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from restore.errors import RestoreError
from restore.folder.flow import Item, flow
from restore.folder.plan import Job


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
