"""A table on disk to a file of scores, on this machine alone or with Ray Data on many."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np

from vaekit.data.streams import TableRows, open_table
from vaekit.errors import ConfigError, did_you_mean
from vaekit.tasks.detection.ray_engine import ray_parts
from vaekit.tasks.detection.scorer import ABSENT, OWN, UNSEEN, DetectorScorer, score_block
from vaekit.writing import Columns, check_suffix, refuse_overwriting, write_columns

if TYPE_CHECKING:
    import pyarrow

__all__ = ["Engine", "ScoredFile", "score_file"]

Engine = Literal["local", "ray"]


class ScoredFile(NamedTuple):
    """What was written.

    Attributes:
        path: The file.
        rows: How many rows.
        anomalies: How many of them lie beyond the line.
        threshold: The line: rows that score above it are anomalies.
        unseen: Rows with a category or level that training never met, by column.
        absent: Rows without a value in a column that always had one, by column.
    """

    path: Path
    rows: int
    anomalies: int
    threshold: float
    unseen: dict[str, int]
    absent: dict[str, int]


def score_file(
    folder: str | Path,
    source: str | Path,
    out: str | Path,
    *,
    engine: Engine = "local",
    keep: Sequence[str] = (),
    contamination: float | None = None,
    alpha: float | None = None,
    budget: int | None = None,
) -> ScoredFile:
    """Score all rows of a table on disk, in memory that does not grow with it.

    One line a row, in order: ``row`` (from 0), ``score``, ``anomaly``; ``p_value`` where the
    detector has rows that were set aside, ``probability`` where it was calibrated; then the
    columns to keep. A budget and a contamination are drawn over this table, at 8 bytes a row.

    Args:
        folder: Of the detector.
        source: What :func:`vaekit.data.streams.open_table` takes.
        out: The file, ``.csv``, ``.parquet`` or ``.npz``.
        engine: ``"ray"`` scores on a Ray cluster, whose machines must all see ``folder`` and
            ``source`` by these paths, or else on this machine's cores; text tables are read here.
        keep: Columns of the table to put beside the scores. Those of a text table that the
            detector does not read are written as they are there, ``007`` not as 7.
        contamination: Draw the line anew: the share of these rows that lies beyond it.
        alpha: The same by the probability that a normal row lies beyond it.
        budget: The same by how many of these rows lie beyond it.

    Raises:
        ArtifactError: If the folder holds no detector.
        ConfigError: If an option makes no sense, or the file would replace the table.
        NotFittedError: If ``alpha`` is given, but the detector has no rows that were set aside.
        DataError: If the columns are not those of the training table, or values do not fit.
        MissingExtraError: If the engine is Ray, which is not installed.
    """
    if engine not in get_args(Engine):
        raise ConfigError(
            "no such engine",
            got=repr(engine),
            where="engine",
            remedy=did_you_mean(engine, get_args(Engine)),
        )
    check_suffix(Path(out))
    refuse_overwriting(Path(out), source)
    scorer = DetectorScorer(folder, keep)
    line = {"contamination": contamination, "alpha": alpha, "budget": budget}
    _draw_before(scorer, line)
    codec = scorer.detector.codec_.x
    only_kept = set(keep) - set(codec.names)
    with open_table(source, codec, text=only_kept) as rows:
        if engine == "ray":
            parts = ray_parts(folder, rows, keep, scorer.detector.offset_)
        else:
            parts = _local_parts(scorer, rows)
        told = _Told(scorer)
        if contamination is None and budget is None:
            count = write_columns(told(parts), Path(out))
        else:
            with tempfile.TemporaryDirectory(prefix="vaekit-scores-") as spool:
                kept = _Spool(Path(spool) / "scores.arrow")
                scores = kept.write(parts)
                scorer.detector._draw(scores, contamination=contamination, budget=budget)
                count = write_columns(told(kept.read()), Path(out))
    threshold = -scorer.detector.offset_
    return ScoredFile(Path(out), count, told.anomalies, threshold, *told.odd())


def _draw_before(scorer: DetectorScorer, line: dict[str, Any]) -> None:
    """Refuse two lines at once; draw the one that needs no rows of this table."""
    given = [name for name, value in line.items() if value is not None]
    if len(given) > 1:
        raise ConfigError("a threshold is drawn in one way", got=" and ".join(given))
    if given == ["alpha"]:
        scorer.detector.set_threshold(alpha=line["alpha"])


def _local_parts(scorer: DetectorScorer, rows: TableRows) -> Iterator[pyarrow.Table]:
    for block in rows.blocks:
        yield from score_block(scorer, rows, block)


class _Told:
    """Parts as columns for a file, and what is to be said of them."""

    def __init__(self, scorer: DetectorScorer) -> None:
        self.scorer = scorer
        self.anomalies = 0
        self.unseen: Counter[int] = Counter()
        self.absent: Counter[int] = Counter()

    def __call__(self, parts: Iterator[pyarrow.Table]) -> Iterator[Columns]:
        for part in parts:
            for name, counter in ((UNSEEN, self.unseen), (ABSENT, self.absent)):
                counter.update(part.column(name).combine_chunks().flatten().to_pylist())
            part = part.drop_columns([UNSEEN, ABSENT])
            columns = dict(zip(part.column_names, part.columns, strict=True))
            for name in OWN:
                if name in columns:
                    columns[name] = columns[name].to_numpy()
            columns["anomaly"] = -columns["score"] - self.scorer.detector.offset_ < 0
            self.anomalies += int(columns["anomaly"].sum())
            yield columns

    def odd(self) -> tuple[dict[str, int], dict[str, int]]:
        """Rows with something unknown, by column, in the order of the table."""
        names = self.scorer.detector.codec_.x.names
        return tuple(  # type: ignore[return-value]
            {names[place]: counter[place] for place in sorted(counter)}
            for counter in (self.unseen, self.absent)
        )


class _Spool:
    """Parts on disk, until all scores are known."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, parts: Iterator[pyarrow.Table]) -> np.ndarray:
        """Keep all parts; returns their scores."""
        import pyarrow as pa

        scores: list[np.ndarray] = []
        writer: Any = None
        try:
            for part in parts:
                scores.append(part.column("score").to_numpy())
                if writer is None:
                    writer = pa.ipc.new_file(str(self.path), part.schema)
                writer.write_table(part)
        finally:
            if writer is not None:
                writer.close()
        return np.concatenate(scores)

    def read(self) -> Iterator[pyarrow.Table]:
        """The parts again."""
        import pyarrow as pa

        with pa.OSFile(str(self.path)) as file, pa.ipc.open_file(file) as reader:
            for number in range(reader.num_record_batches):
                yield pa.Table.from_batches([reader.get_batch(number)])
