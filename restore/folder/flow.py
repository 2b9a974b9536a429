"""Reading ahead, working and writing behind, all at once and within a bounded amount of memory.

A reader thread fetches the next picture or two, the caller's thread works, two writer threads store.
A picture counts against the memory bound from before it is read until it is written; one that is larger than
the bound by itself goes through alone.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from restore.folder.plan import Job

WRITERS = 2
# One at work, one or two read ahead, the rest waiting to be written.
HELD = 5
# In megapixels of 8-bit RGB held at the same time, counting a picture and its result: what one picture of 100
# megapixels takes by itself, about 600 MB.
BOUND = 200.0


@dataclass
class Item:
    """A picture on its way: ``payload`` is what was read, then what is to be written."""

    job: Job
    weight: float
    payload: Any = None

    def take(self) -> Any:
        """Hands the payload over, so that nobody but the caller keeps it alive."""
        payload, self.payload = self.payload, None
        return payload


class Budget:
    """A bound on the sum and the number of weights held; one as large as the bound waits to be alone."""

    def __init__(self, bound: float, count: int = HELD) -> None:
        self.bound, self.count = bound, count
        self.used = 0.0
        self.holders = 0
        self.changed = threading.Condition()
        self.closed = False

    def acquire(self, weight: float) -> bool:
        """Waits until there is room; False if the budget was closed instead. Give the same weight back."""
        with self.changed:
            self.changed.wait_for(lambda: self.closed or self._fits(weight))
            if self.closed:
                return False
            self.used += weight
            self.holders += 1
            return True

    def _fits(self, weight: float) -> bool:
        return not self.holders or (self.holders < self.count and self.used + weight <= self.bound)

    def release(self, weight: float) -> None:
        """Gives the room back."""
        with self.changed:
            self.used -= weight
            self.holders -= 1
            self.changed.notify_all()

    def close(self) -> None:
        """Lets no more pictures in."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()


def flow(
    jobs: Sequence[Job],
    *,
    weigh: Callable[[Job], float],
    read: Callable[[Job], Any],
    work: Callable[[Item], Any],
    write: Callable[[Item], None],
    failed: Callable[[Job, Exception], None],
    bound: float = BOUND,
) -> None:
    """Takes every job through ``read``, ``work`` and ``write``; errors go to ``failed``, the rest goes on.

    Args:
        weigh: what a job will hold in memory, in megapixels, before anything is read.
        read: called in the reader thread.
        work: called in this thread; gets the item, must ``take`` its payload, returns what is to be written.
        write: called in a writer thread, with that in the item.
        failed: called from any of them. If it raises, nothing new is begun and that error is raised here.

    On an interrupt what is worked on is dropped, what is done is still written, and the interrupt goes on.
    """
    line = _Line(jobs, weigh, read, write, failed, bound)
    threads = [threading.Thread(target=line.reader, name="reader", daemon=True)]
    threads += [threading.Thread(target=line.writer, name="writer", daemon=True) for _ in range(WRITERS)]
    for thread in threads:
        thread.start()
    try:
        while (item := line.ready.get()) is not None and line.fatal is None:
            try:
                item.payload = work(item)
            except Exception as error:
                item.payload = None
                line.drop(item, error)
                continue
            line.finished.put(item)
            # This frame must not keep a finished picture alive while it waits for the next.
            del item
    finally:
        line.budget.close()
        _empty(line.ready)
        for _ in range(WRITERS):
            line.finished.put(None)
        for thread in threads:
            thread.join()
    if line.fatal is not None:
        raise line.fatal


class _Line:
    """The threads' common ground: two queues, the budget, and the error that ends it all."""

    def __init__(
        self,
        jobs: Sequence[Job],
        weigh: Callable[[Job], float],
        read: Callable[[Job], Any],
        write: Callable[[Item], None],
        failed: Callable[[Job, Exception], None],
        bound: float,
    ) -> None:
        self.jobs, self.weigh, self.read, self.write, self.failed = jobs, weigh, read, write, failed
        self.budget = Budget(bound)
        # Unbounded: the budget bounds them, and no thread ever hangs in a put.
        self.ready: queue.Queue[Item | None] = queue.Queue()
        self.finished: queue.Queue[Item | None] = queue.Queue()
        self.fatal: BaseException | None = None

    def drop(self, item: Item, error: Exception) -> None:
        """Reports an item that did not make it and gives its room back."""
        self.budget.release(item.weight)
        try:
            self.failed(item.job, error)
        except BaseException as reason:
            self.stop(reason)

    def stop(self, reason: BaseException) -> None:
        """Lets nothing new begin; the first reason is the one that is raised in the end."""
        self.fatal = self.fatal or reason
        self.budget.close()

    def reader(self) -> None:
        try:
            for job in self.jobs:
                if not self.fetch(job):
                    break
        except BaseException as reason:
            self.stop(reason)
        finally:
            self.ready.put(None)

    def fetch(self, job: Job) -> bool:
        """Reads one picture when there is room for it; False once nothing more is let in."""
        item, problem = Item(job, 0.0), None
        try:
            item.weight = min(self.weigh(job), self.budget.bound)  # may be infinite: unknown
        except Exception as error:
            problem = error
        if not self.budget.acquire(item.weight):
            return False
        if problem is None:
            try:
                item.payload = self.read(job)
            except Exception as error:
                problem = error
        if problem is None:
            self.ready.put(item)
        else:
            self.drop(item, problem)
        return True

    def writer(self) -> None:
        while (item := self.finished.get()) is not None:
            try:
                self.write(item)
            except Exception as error:
                item.payload = None
                self.drop(item, error)
            else:
                item.payload = None
                self.budget.release(item.weight)
            del item


def _empty(ready: queue.Queue[Item | None]) -> None:
    while True:
        try:
            ready.get_nowait()
        except queue.Empty:
            return
