"""The cells of a suite, one after the other or several at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing import get_context

import torch

from restore.downstream.labelled import Labelled
from restore.downstream.parts import Arrays
from restore.downstream.passes import Passes
from restore.downstream.suite import Cell
from restore.errors import RestoreError, UsageError


@dataclass(frozen=True)
class Task:
    """Pictures ``index`` of ``data`` under one cell, through ``passes``."""

    passes: Passes
    data: Labelled
    index: Sequence[int]
    cell: Cell

    def run(self) -> dict[str, Arrays]:
        """See :meth:`restore.downstream.passes.Passes.cell`."""
        return self.passes.cell(self.data, self.index, self.cell)


# What a forked process finds: closures and networks need not be sent to it.
_tasks: list[Task] = []


def check_jobs(jobs: int, device: torch.device) -> None:
    """Whether several processes are possible.

    Raises:
        UsageError: not here, or not on this device.
    """
    # Elsewhere there is no fork, or system libraries do not survive it (macOS).
    if jobs > 1 and (device.type != "cpu" or sys.platform != "linux"):
        where = f"on {device.type}" if device.type != "cpu" else "on this system"
        raise UsageError(f"several processes are not possible {where}, got --jobs {jobs}", hint="--jobs 1")


def run_tasks(tasks: Sequence[Task], *, jobs: int = 1) -> list[dict[str, Arrays]]:
    """The result of every task, in their order; equal for any number of processes.

    Args:
        jobs: processes; each is a fork of this one and computes with its share of the threads. Networks of small
            pictures do not keep many threads busy, processes do; each needs its own memory. An engine with threads
            of its own (OpenVINO) must not have computed in this process before: threads do not survive a fork.

    Raises:
        RestoreError: a process was ended from outside; what it had not finished is lost.
    """
    if jobs == 1 or len(tasks) < 2:
        return [task.run() for task in tasks]
    _tasks[:] = tasks
    found: dict[int, dict[str, Arrays]] = {}
    try:
        with ProcessPoolExecutor(
            jobs,
            mp_context=get_context("fork"),
            initializer=torch.set_num_threads,
            initargs=(max(1, torch.get_num_threads() // jobs),),
        ) as pool:
            places = {pool.submit(_run, i): i for i in range(len(tasks))}
            try:
                for future in as_completed(places):
                    i = places[future]
                    found[i], told = future.result()
                    for text in told:
                        tasks[i].passes.tell(text)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    except BrokenProcessPool:
        raise RestoreError(
            "a process was ended before it was done", hint="too little memory? fewer --jobs, smaller pictures"
        ) from None
    finally:
        _tasks.clear()
    return [found[i] for i in range(len(tasks))]


def _run(i: int) -> tuple[dict[str, Arrays], list[str]]:
    told: list[str] = []
    task = _tasks[i]
    return replace(task, passes=replace(task.passes, tell=told.append)).run(), told
