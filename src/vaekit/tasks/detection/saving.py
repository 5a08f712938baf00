"""Fitted detectors as folders of open files: an artifact, and what the threshold needs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from vaekit.data import TableCodec, WindowCodec
from vaekit.errors import ArtifactError, VaekitError
from vaekit.files import write_atomically
from vaekit.spec import from_json, to_json
from vaekit.tasks.detection.scores import Scoring
from vaekit.tasks.detection.tail import Tails
from vaekit.tasks.estimators.saving import Savable, numbers

__all__ = ["SavableDetector"]

Floats = NDArray[np.float64]
ARRAYS = "detector.safetensors"
MOST = 2**28
"""Numbers of an array, at most."""


class SavableDetector(Savable):
    """Adds to :class:`Savable` the threshold, the typical terms and the scores that it keeps."""

    offset_: float
    typical_: Floats
    calibration_scores_: Floats | None
    calibration_: Any
    tails_: Tails | None
    columns_in_: list[str]
    scoring_: Scoring

    def _write_more(self, folder: Path) -> None:
        arrays = {"typical": torch.from_numpy(self.typical_)}
        if self.calibration_scores_ is not None:
            arrays["calibration_scores"] = torch.from_numpy(self.calibration_scores_)
        if self.tails_ is not None:
            arrays["tails"] = torch.from_numpy(np.ascontiguousarray(self.tails_.terms))
        write_atomically(folder / ARRAYS, lambda path: save_file(arrays, path))

    def _fitted(self) -> dict[str, Any]:
        calibration = None if self.calibration_ is None else to_json(self.calibration_)
        return super()._fitted() | {
            "offset": self.offset_,
            "columns": self.columns_in_,
            "named": hasattr(self, "feature_names_in_"),
            "calibration": calibration,
            "scoring": self.scoring_._asdict(),
        }

    def _restore(self, fitted: Mapping[str, Any], path: Path) -> None:
        codec = self.codec_.x
        if not isinstance(codec, TableCodec | WindowCodec):
            raise ArtifactError("a detector reads tables", got=codec.kind, where=str(path))
        super()._restore(fitted, path)
        self.offset_ = float(numbers({"offset": [fitted.get("offset")]}, "offset", 1, path)[0])
        self.calibration_ = _calibration(fitted.get("calibration"), path)
        self.scoring_ = _scoring(fitted.get("scoring"), path)
        arrays = _arrays(path.parent / ARRAYS)
        table = codec.table if isinstance(codec, WindowCodec) else codec
        width = len(table.owners) + 1
        self.typical_ = _fitting(arrays, "typical", (width,), path)
        self.calibration_scores_ = self.tails_ = None
        if "calibration_scores" in arrays:
            scores = _fitting(arrays, "calibration_scores", (None,), path)
            self.calibration_scores_ = np.sort(scores)
        if "tails" in arrays:
            width = codec.event_shape[0] + 1
            self.tails_ = Tails(_fitting(arrays, "tails", (None, width), path))

    def _restore_columns(self, fitted: Mapping[str, Any], path: Path) -> None:
        columns = fitted.get("columns")
        if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
            raise ArtifactError("not names of columns", where=f"{path}: columns")
        self.columns_in_ = columns
        self.n_features_in_ = len(columns)
        table = self.codec_.x
        if fitted.get("named", getattr(table, "table", table).named):
            self.feature_names_in_ = np.asarray(columns, object)


def _calibration(value: Any, path: Path) -> Any:
    if value is None:
        return None
    try:
        return from_json(value, role="calibration", where="calibration")
    except VaekitError as error:
        raise ArtifactError(f"cannot read the calibration: {error}", where=str(path)) from error


def _scoring(value: Any, path: Path) -> Scoring:
    if not isinstance(value, dict) or value.keys() != {*Scoring._fields}:
        raise ArtifactError(
            "not what was scored",
            expected=", ".join(Scoring._fields),
            got=str(value)[:80],
            where=f"{path}: scoring",
        )
    return Scoring(**value)


def _arrays(path: Path) -> dict[str, Tensor]:
    if not path.is_file() or path.stat().st_size > 8 * MOST:
        raise ArtifactError("missing, or too large", where=str(path))
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise ArtifactError(f"cannot be read: {error}", where=str(path)) from error


def _fitting(
    arrays: Mapping[str, Tensor], name: str, shape: tuple[int | None, ...], path: Path
) -> Floats:
    """An array of float64 of this shape, without NaN."""
    value = arrays.get(name)
    fits = (
        value is not None
        and value.dtype == torch.float64
        and value.dim() == len(shape)
        and all(size in (None, found) for size, found in zip(shape, value.shape, strict=True))
        and 0 < value.numel() <= MOST
        and not bool(value.isnan().any())
    )
    if not fits or value is None:
        raise ArtifactError(
            f"the array {name!r} is missing or damaged",
            expected=f"float64 of shape {shape}",
            got="none" if value is None else f"{value.dtype} of shape {tuple(value.shape)}",
            where=str(path.parent / ARRAYS),
        )
    found: Floats = value.numpy().copy()
    if not math.isfinite(float(np.abs(found).sum())):
        raise ArtifactError(f"the array {name!r} is not finite", where=str(path.parent / ARRAYS))
    return found
