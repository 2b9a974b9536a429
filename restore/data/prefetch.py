"""Batches made ahead in a thread, in order, with the time spent waiting for them measured."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any


class Prefetch:
    """``make(step)`` for every step from ``start`` to ``stop``, a few ahead of the reader.

    ``waited`` is the time in seconds the reader spent waiting. An error in ``make`` is raised in the reader.
    """

    def __init__(self, make: Callable[[int], Any], *, start: int, stop: int, depth: int = 3) -> None:
        self.waited = 0.0
        self._make = make
        self._steps = range(start, stop)
        self._queue: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue(depth)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="prefetch")
        self._thread.start()

    def __iter__(self) -> Iterator[Any]:
        for _ in self._steps:
            began = time.perf_counter()
            batch, error = self._queue.get()
            self.waited += time.perf_counter() - began
            if error is not None:
                raise error
            yield batch

    def close(self) -> None:
        """Ends the thread; batches not yet read are dropped."""
        self._closed.set()
        while self._thread.is_alive():
            try:
                self._queue.get_nowait()
            except queue.Empty:
                self._thread.join(0.05)

    def _run(self) -> None:
        for step in self._steps:
            if self._closed.is_set():
                return
            try:
                item: tuple[Any, BaseException | None] = (self._make(step), None)
            except BaseException as error:  # handed to the reader, which raises it
                item = (None, error)
            while not self._closed.is_set():
                try:
                    self._queue.put(item, timeout=0.1)
                    break
                except queue.Full:
                    continue
            if item[1] is not None:
                return
