"""Reading ahead in a thread of its own, by a bounded number of items."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from typing import Any, Generic, TypeVar

import torch

__all__ = ["read_ahead"]

T = TypeVar("T")


@contextmanager
def read_ahead(items: Generator[T, None, None], *, most: int = 2) -> Iterator[Iterator[T]]:
    """Items that a thread makes before they are asked for.

    At most ``most`` items exist at a time: the one in use, those that wait and the one being made.
    An item is in use until the next is asked for. At the end of the block, however it is reached,
    the thread has ended and ``items`` is closed. What goes wrong in the thread is raised where the
    item is asked for.

    Args:
        items: Made in the thread; closed there too.
        most: Bound of the items, at least 2.

    Example:
        >>> with read_ahead(n * n for n in range(3)) as ready:
        ...     list(ready)
        [0, 1, 4]
    """
    reader = _Reader(items, most)
    try:
        yield reader.items()
    finally:
        reader.stop()


class _Reader(Generic[T]):
    def __init__(self, items: Generator[T, None, None], most: int) -> None:
        self.source = items
        self.free = threading.Semaphore(most)
        self.ready: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()
        self.stopped = False
        self.thread = threading.Thread(target=self._run, name="vaekit reader", daemon=True)
        self.thread.start()

    def items(self) -> Iterator[T]:
        """What is ready, in order; the first error ends it."""
        while True:
            good, item = self.ready.get()
            if not good:
                if item is not None:
                    raise item
                return
            yield item
            del item
            self.free.release()

    def stop(self) -> None:
        """End the thread and wait for its end."""
        self.stopped = True
        self.free.release()
        self.thread.join()

    def _run(self) -> None:
        error: BaseException | None = None
        torch.set_flush_denormal(False)  # a thread inherits what training chose for its own
        try:
            with closing(self.source):
                self._make()
        except BaseException as problem:  # noqa: BLE001  raised again where items are asked for
            error = problem
        self.ready.put((False, error))

    def _make(self) -> None:
        while True:
            self.free.acquire()
            if self.stopped:
                return
            try:
                item = next(self.source)
            except StopIteration:
                return
            self.ready.put((True, item))
            del item
