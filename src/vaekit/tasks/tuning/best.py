"""The best trial as a run of its own, trained by one process at a time."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from vaekit.artifacts import Artifact
from vaekit.tasks.run import RUN, open_run, resume_run, start_run
from vaekit.tasks.source import Prepared
from vaekit.tasks.tuning.results import Tuned
from vaekit.training import Callback

__all__ = ["alone_in", "keep_best"]


@contextlib.contextmanager
def alone_in(folder: Path, *, say: Callable[[str], None] | None = None) -> Iterator[None]:
    """Wait until no other process works in a folder, and keep others out inside the block.

    The lock is a file beside the folder, ``.NAME.lock``, and ends with its process however that
    dies. Blocks of one process may lie within each other.

    Args:
        folder: Whose turn it is; need not exist.
        say: Called with a sentence where another process is waited for.
    """
    path = folder.resolve().with_name(f".{folder.name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, is_singleton=True)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        if say is not None:
            say(f"waiting for another process that works in {folder}")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def keep_best(
    tuned: Tuned,
    folder: Path,
    *,
    prepared: Prepared,
    callbacks: Sequence[Callback] = (),
    command: str = "",
) -> Artifact:
    """Train the best trial once more, as a run of its own that all commands can use.

    A folder that holds the run of an earlier best is replaced; the same run is finished, if that
    is still to be done. Processes that share the folder take turns, so that the first one trains
    and the others find its run.
    """
    with alone_in(folder):
        if (folder / RUN).is_file():
            if open_run(folder)[0] == tuned.run:
                return resume_run(folder, prepared=prepared, callbacks=callbacks)
            shutil.rmtree(folder)
        return start_run(
            tuned.run, folder, prepared=prepared, callbacks=callbacks, command=command
        )
