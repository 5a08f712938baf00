"""A detector trained on a table on disk, as a folder that knows where it came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vaekit.data.columns import Values
from vaekit.data.streams import TableRows, open_table
from vaekit.data.streams.checksum import checksum
from vaekit.errors import ConfigError, DataError, did_you_mean
from vaekit.files import write_json
from vaekit.metrics import detection
from vaekit.tasks.detection.detector import VAEDetector
from vaekit.tasks.detection.ranking import Ranking, explain_rows, rows_at
from vaekit.tasks.detection.rows import refuse_windows
from vaekit.tasks.run import require_new_folder
from vaekit.tasks.source import STREAM_BYTES
from vaekit.training import Processes

__all__ = ["DETECTION", "Detection", "train_detector"]

DETECTION = "detection.json"
EXPLAINED = 1_000
"""Rows of the training table that are explained, the most anomalous ones."""
SKIP = "skip"
Floats = NDArray[np.float64]


class Detection(NamedTuple):
    """A detector on the table it was trained on.

    Attributes:
        folder: Where it was saved.
        detector: The detector.
        facts: What is in ``detection.json``: source, label, dropped columns, threshold, notes,
            and what was measured.
        scores: Of all rows of the table.
        labels: 1 for anomalies, 0 for normal rows, NaN for unknown; None without a label.
        ranking: The most anomalous rows, explained; None where the score has no terms.
    """

    folder: Path
    detector: VAEDetector
    facts: dict[str, Any]
    scores: Floats
    labels: Floats | None
    ranking: Ranking | None


def train_detector(
    detector: VAEDetector,
    source: str | Path,
    folder: str | Path,
    *,
    label: str | None = None,
    drop: Sequence[str] = (),
    command: str = "",
) -> Detection:
    """Train a detector on a table on disk, save it, and look at the table with it.

    A table that would fill at most 1 GiB is held in memory, where every epoch has a new order of
    all rows; a larger one is read again in each pass and shuffled within a moving window. The two
    give different detectors, as two seeds do; scores of one detector are the same either way.

    Label and dropped columns are no input, and tables to be scored may have them or not.

    Args:
        detector: Its parameters; fitted in place.
        source: What :func:`vaekit.data.streams.open_table` takes.
        folder: A new one.
        label: Column that says which rows are anomalies: 1 or true for these. It is only measured
            with.
        drop: Columns to leave out.
        command: What the user typed.

    Raises:
        ConfigError: If the folder holds a run, or a column is unknown.
        DataError: If a column cannot be used.
    """
    folder, path = Path(folder), Path(source).expanduser()
    refuse_windows(detector.window is not None)
    require_new_folder(folder, Processes(), remedy="choose another folder with --out")
    with open_table(path, detector.column_types) as rows:
        _leave_out(detector, rows, [*drop, *filter(None, [label])])
        labels = None if label is None else _labels(rows, label)
        read = sum(word != SKIP for word in _types(detector, rows).values())
        streamed = 8 * len(rows) * read > STREAM_BYTES
        detector.fit(rows if streamed else rows_at(rows, np.arange(len(rows))))
        scores = detector.anomaly_scores(rows)
        ranking = None
        if detector.scoring != "iwae":
            ranking = explain_rows(detector, rows, scores, top=EXPLAINED)
        detector.save(folder)
        text = path.is_file() and path.suffix.lower() != ".parquet"
        facts = {
            "format": "vaekit-detection-1",
            "command": command,
            "source": str(path.resolve()),
            "data_sha256": checksum([(path.name, path)]) if text else rows.fingerprint,
            "label": label,
            "drop": list(drop),
            "rows": len(rows),
            "streamed": streamed,
            "threshold": -detector.offset_,
            "anomalies": int((-scores - detector.offset_ < 0).sum()),
            "notes": [*detector.codec_.x.notes(), *_warnings(detector)],
            **_measured(labels, scores, -detector.offset_),
        }
        write_json(folder / DETECTION, facts)
    return Detection(folder, detector, facts, scores, labels, ranking)


def _leave_out(detector: VAEDetector, rows: TableRows, names: Sequence[str]) -> None:
    """Let the detector skip columns."""
    for name in names:
        if name not in rows.columns:
            raise ConfigError(
                f"there is no column {name!r} to leave out",
                where=rows.name,
                remedy=did_you_mean(name, rows.columns),
            )
    given = dict(detector.column_types or {})
    clash = [name for name in names if given.get(name, SKIP) != SKIP]
    if clash:
        raise ConfigError(f"column {clash[0]!r} has a type, and is to be left out too")
    types = given | dict.fromkeys(names, SKIP)
    detector.column_types = types or None


def _types(detector: VAEDetector, rows: TableRows) -> dict[str, str]:
    return dict.fromkeys(rows.columns, "") | (detector.column_types or {})


def _labels(rows: TableRows, name: str) -> Floats:
    """The labels of all rows, NaN where there is none.

    Raises:
        DataError: If they are not those of anomalies.
    """
    try:
        labels = np.concatenate(list(_numbers(rows, name)))
    except DataError as error:
        raise _no_labels(rows, name, error.got or "other values") from error
    known = np.unique(labels[~np.isnan(labels)])
    if known.tolist() != [0.0, 1.0]:
        got = ", ".join(f"{value:g}" for value in known[:5])
        raise _no_labels(rows, name, f"{got}{', …' * (len(known) > 5)}" or "no labels")
    return labels


def _numbers(rows: TableRows, name: str) -> Iterator[Floats]:
    """The values of one column."""
    alone = TableRows(rows.path, columns=[name])
    for block in alone.blocks:
        for piece in alone.pieces(block):
            batch: Any = piece.x
            yield Values(name, batch.to_arrow().column(name), where=rows.name).floats()


def _no_labels(rows: TableRows, name: str, got: str) -> DataError:
    return DataError(
        f"column {name!r} does not say which rows are anomalies",
        expected="1 or true for anomalies, 0 or false for normal rows, and some of both",
        got=got,
        where=rows.name,
        remedy="leave the column out with --drop if it is no input",
    )


def _measured(labels: Floats | None, scores: Floats, threshold: float) -> dict[str, Any]:
    """How well scores and line agree with the labels, over the rows that have one."""
    if labels is None:
        return {}
    known = ~np.isnan(labels)
    truth, some = labels[known] == 1, scores[known]
    flagged = some > threshold
    hits = int((flagged & truth).sum())
    table = detection(truth, some)
    return {
        "labelled": int(known.sum()),
        "auroc": table["auroc"],
        "average_precision": table["average_precision"],
        "prevalence": table["prevalence"],
        "precision": hits / int(flagged.sum()) if flagged.any() else None,
        "recall": hits / int(truth.sum()),
    }


def _warnings(detector: VAEDetector) -> list[str]:
    """Alarms of the last epoch, such as dimensions that carry nothing."""
    last: list[str] = detector.history_[-1].get("warnings", []) if detector.history_ else []
    return list(last)
