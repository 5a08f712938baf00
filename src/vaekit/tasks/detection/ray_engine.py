"""Scores by Ray Data: each actor holds the detector, and reads and scores blocks of the files."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vaekit.data.streams import TableRows
from vaekit.data.streams.order import Block
from vaekit.errors import DataError, MissingExtraError, VaekitError
from vaekit.tasks.detection.scorer import DetectorScorer, score_block

if TYPE_CHECKING:
    import pyarrow

__all__ = ["ray_parts"]

CORES = 2
STORE_BYTES = 1 << 28
"""Of a Ray that is started here, on this machine alone; one that runs already is used as it is."""


def ray_parts(
    folder: str | Path, rows: TableRows, keep: Sequence[str], offset: float
) -> Iterator[pyarrow.Table]:
    """Scored parts of a table in the order of its rows.

    Args:
        folder: Of the detector; every machine of the cluster must see it by this path.
        rows: The table; the same holds for its files.
        keep: Columns to put beside the scores.
        offset: The line.

    Raises:
        MissingExtraError: If Ray is not installed.
        DataError: As of :meth:`DetectorScorer.score`.
    """
    ray = _ray()
    tasks = [{"block": number} for number in range(len(rows.blocks))]
    scorer = (str(Path(folder).resolve()), tuple(keep), offset)
    given = (scorer, str(rows.path.resolve()), tuple(rows.blocks))
    with _running(ray):
        most = max(1, min(len(tasks), int(ray.cluster_resources().get("CPU", 1))))
        made = ray.data.from_items(tasks, override_num_blocks=len(tasks)).map_batches(
            _BlockScorer,
            fn_constructor_args=given,
            batch_format="pyarrow",
            batch_size=1,
            concurrency=(1, most),
        )
        yield from _in_order(made.iter_batches(batch_format="pyarrow", batch_size=None))


class _BlockScorer:
    """What an actor holds: the detector, and where the rows are."""

    def __init__(self, scorer: tuple[Any, ...], path: str, blocks: tuple[Block, ...]) -> None:
        self.scorer = DetectorScorer(*scorer)
        self.rows = TableRows(Path(path))
        self.blocks = blocks

    def __call__(self, tasks: pyarrow.Table) -> Iterator[pyarrow.Table]:
        for number in tasks.column("block").to_pylist():
            yield from score_block(self.scorer, self.rows, self.blocks[number])


def _in_order(parts: Iterable[pyarrow.Table]) -> Iterator[pyarrow.Table]:
    """The parts, whose row numbers must rise by one."""
    following = 0
    try:
        for part in parts:
            if not len(part):
                continue
            first, last = part.column("row")[0].as_py(), part.column("row")[-1].as_py()
            if first != following or last != first + len(part) - 1:
                raise DataError("rows came back in another order", expected=following, got=first)
            following = last + 1
            yield part
    except Exception as error:
        own = _own(error)
        if own is None:
            raise
        raise own from None


def _own(error: BaseException | None) -> VaekitError | None:
    """The error of ours that Ray has wrapped, if it is one."""
    while error is not None:
        kind: Any = type(error)
        if isinstance(error, VaekitError) and kind.__module__ == VaekitError.__module__:
            found: VaekitError = kind(  # anew, without what Ray has added
                error.message,
                expected=error.expected,
                got=error.got,
                where=error.where,
                remedy=error.remedy,
            )
            return found
        error = getattr(error, "cause", None) or error.__cause__
    return None


def _ray() -> Any:
    try:
        ray = importlib.import_module("ray")
        importlib.import_module("ray.data")
    except ImportError as error:
        raise MissingExtraError("ray", "cluster", "scoring with Ray") from error
    return ray


@contextlib.contextmanager
def _running(ray: Any) -> Iterator[None]:
    """A Ray that is at hand, or a small one that ends with the block; quiet, and rows in order."""
    with contextlib.ExitStack() as stack:
        if not ray.is_initialized():
            _start(ray)
            stack.callback(ray.shutdown)
        logger = logging.getLogger("ray.data")
        stack.callback(logger.setLevel, logger.level)
        logger.setLevel(logging.CRITICAL)  # errors are raised, and not told twice
        context = ray.data.DataContext.get_current()
        options = context.execution_options
        stack.callback(setattr, context, "enable_progress_bars", context.enable_progress_bars)
        stack.callback(setattr, options, "preserve_order", options.preserve_order)
        context.enable_progress_bars, options.preserve_order = False, True
        yield


def _start(ray: Any) -> None:
    """Join the cluster that ``RAY_ADDRESS`` names, or start a small one on this machine."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if os.environ.get("RAY_ADDRESS"):
        ray.init(**quiet)
        return
    ray.init(
        address="local",
        num_cpus=CORES,
        object_store_memory=STORE_BYTES,
        include_dashboard=False,
        **quiet,
    )
