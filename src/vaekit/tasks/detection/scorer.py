"""A saved detector as a function from Arrow tables to Arrow tables, for use on any machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vaekit.data.columns import Coded
from vaekit.data.frames import names_of, values_of
from vaekit.data.streams import TableRows
from vaekit.data.streams.order import Block
from vaekit.errors import ConfigError, did_you_mean
from vaekit.metrics import p_values
from vaekit.tasks.detection.detector import VAEDetector
from vaekit.tasks.detection.rows import refuse_windows

if TYPE_CHECKING:
    import pyarrow

__all__ = ["ABSENT", "OWN", "UNSEEN", "DetectorScorer", "score_block"]

OWN = ("row", "score", "anomaly", "p_value", "probability")
"""Columns of the result that no column of the table may be named after, if it is to be kept."""
UNSEEN, ABSENT = "(unseen)", "(absent)"
"""Columns that say where a row has something unknown: numbers of columns, in lists."""


class DetectorScorer:
    """Scores the rows of Arrow tables with the detector of a folder; holds nothing else.

    It can be called anywhere the folder can be read: in Ray Data as
    ``rows.map_batches(DetectorScorer, fn_constructor_args=[folder], batch_format="pyarrow")``.

    Args:
        folder: Of the detector, as :meth:`VAEDetector.save` wrote it, or of ``vaekit detect``.
        keep: Columns of the tables to put beside the scores.
        offset: The line, where it is not the detector's own.

    Raises:
        ArtifactError: If the folder holds no detector.
        ConfigError: If a column to keep has the name of one of the result's.

    Example:
        >>> import tempfile, pandas, pyarrow
        >>> table = pandas.DataFrame({"a": np.random.default_rng(0).normal(size=50)})
        >>> detector = VAEDetector(steps=5, random_state=0).fit(table)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     scorer = DetectorScorer(detector.save(folder))
        >>> scorer(pyarrow.table({"a": [0.5, 900.0]})).to_pydict()["anomaly"]
        [False, True]
    """

    def __init__(
        self, folder: str | Path, keep: Sequence[str] = (), offset: float | None = None
    ) -> None:
        self.detector = VAEDetector.load(folder)
        refuse_windows(self.detector.window is not None)
        self.detector._require_same_score()
        self._judge = self.detector._judge()
        self.keep = list(keep)
        taken = [name for name in self.keep if name in (*OWN, UNSEEN, ABSENT)]
        if taken:
            raise ConfigError(
                f"the result has a column {taken[0]!r} of its own",
                where="keep",
                remedy="rename the column of the table",
            )
        if offset is not None:
            self.detector.offset_ = offset

    def __call__(self, table: pyarrow.Table) -> pyarrow.Table:
        """One row for each row of a table: score, anomaly and, where there are, p-values."""
        found = self.score(table)
        return found.drop_columns([UNSEEN, ABSENT])

    def score(
        self, table: pyarrow.Table, *, where: str = "X", first: int = 0, rows: Any = None
    ) -> pyarrow.Table:
        """The same, with lists of the columns in which a row has something unknown.

        Args:
            table: A table or record batch.
            where: Name of the data, for messages.
            first: Number of the first row, for messages.
            rows: Numbers of the rows, which then are the first column.

        Raises:
            DataError: If the columns are not those of the training table, or values do not fit.
        """
        import pyarrow as pa

        detector = self.detector
        if isinstance(table, pa.RecordBatch):
            table = pa.Table.from_batches([table])
        kept = {name: _column(table, name, where) for name in self.keep}
        table = self._known(table)
        scores = self._judge.scores(detector.codec_.x.encode(table, where=where, first=first))
        columns: dict[str, Any] = {} if rows is None else {"row": np.asarray(rows, np.int64)}
        columns |= {"score": scores, "anomaly": -scores - detector.offset_ < 0}
        if detector.calibration_scores_ is not None:
            columns["p_value"] = p_values(detector.calibration_scores_, scores)
        if detector.calibration_ is not None:
            columns["probability"] = detector.calibration_(scores)
        return pa.table(columns | kept | self._odd(table))

    def _known(self, table: pyarrow.Table) -> pyarrow.Table:
        """Without the columns that are there to be kept alone."""
        codec = self.detector.codec_.x
        known = {*codec.names, *codec.skipped}
        extra = [name for name in self.keep if name not in known]
        return table.drop_columns(extra) if extra else table

    def _odd(self, table: pyarrow.Table) -> dict[str, pyarrow.Array]:
        """For each row, the columns that hold a category never met, or that were never empty."""
        codec = self.detector.codec_.x
        unseen = np.zeros((len(table), len(codec.columns)), bool)
        absent = np.zeros_like(unseen)
        for number, (column, place) in enumerate(
            zip(codec.columns, codec.places(table), strict=True)
        ):
            values = values_of(table, place)
            if not column.absent:
                absent[:, number] = values.missing()
            if isinstance(column, Coded):
                unseen[:, number] = column.unknown_rows(values)
        return {UNSEEN: _lists(unseen), ABSENT: _lists(absent)}


def score_block(scorer: DetectorScorer, rows: TableRows, block: Block) -> Iterator[pyarrow.Table]:
    """Scored parts of a block of a table; the same parts, and so the same digits, everywhere.

    Raises:
        DataError: As of :meth:`DetectorScorer.score`; names the file and its row.
    """
    for piece in rows.pieces(block):
        place = rows.place(int(piece.rows[0]))
        batch: Any = piece.x
        yield scorer.score(
            batch.to_arrow(), where=place.file, first=place.row or 0, rows=piece.rows
        )


def _lists(marks: np.ndarray) -> pyarrow.Array:
    """The marked places of each row, as lists."""
    import pyarrow as pa

    ends = np.concatenate([[0], marks.sum(1).cumsum()])
    places = np.nonzero(marks)[1]
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(places, pa.int32()))


def _column(table: pyarrow.Table, name: str, where: str) -> pyarrow.ChunkedArray:
    names = names_of(table)
    if name not in names:
        raise ConfigError(
            f"there is no column {name!r} to keep", where=where, remedy=did_you_mean(name, names)
        )
    import pyarrow as pa

    column = table.column(name)
    coded = pa.types.is_dictionary(column.type)  # each part has a dictionary of its own
    return column.cast(column.type.value_type) if coded else column
