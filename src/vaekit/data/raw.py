"""Raw data: what a source gives, in the user's units, before any codec has touched it."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from vaekit.data.checks import require_finite, require_rows, rows_text
from vaekit.data.unlabelled import missing
from vaekit.errors import DataError

__all__ = ["SPLITS", "RawData", "clean_labels", "clean_split"]

Kind = Literal["image", "array"]
SPLITS = ("train", "validation", "test")
_SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}


class RawData:
    """Rows of data as their source gave them, checked once and for all.

    Args:
        x: Images ``(n, H, W)`` or ``(n, H, W, C)`` in their own units, or a table ``(n, D)``.
            A channel axis of length one is dropped.
        labels: One class (number or text) for each row.
        context: Continuous context columns, ``(n, k)``.
        split: ``'train'``, ``'validation'`` or ``'test'`` for each row, when the source says so.
        columns: Names of a table's columns.
        context_columns: Names of the context columns.
        kind: ``'image'`` or ``'array'``; by default a table for two axes and images for more.
        name: What to call the data in messages.

    Attributes:
        factors: What the rows were made from, where that is known, int64 ``(n, F)``.
        factor_names: Names of the factors.
        numbers: What a linear regression reads from codes; no part of x. float64 ``(n, F)``.
        number_names: Names of these numbers.

    Raises:
        DataError: If there are no rows, row counts differ, axes do not fit the kind, or a value
            is NaN, infinite or not a number.

    Example:
        >>> raw = RawData(np.zeros((5, 8, 8), np.uint8), labels=[0, 1, 0, 1, 1])
        >>> raw
        RawData('array', image, 5 x (8, 8) uint8, 2 classes)
        >>> len(raw.subset([0, 2]))
        2
    """

    __slots__ = (
        "columns",
        "context",
        "context_columns",
        "factor_names",
        "factors",
        "kind",
        "labels",
        "name",
        "number_names",
        "numbers",
        "split",
        "x",
    )

    x: np.ndarray
    labels: np.ndarray | None
    context: np.ndarray | None
    split: np.ndarray | None
    columns: tuple[str, ...] | None
    context_columns: tuple[str, ...] | None
    factors: np.ndarray | None
    factor_names: tuple[str, ...]
    numbers: np.ndarray | None
    number_names: tuple[str, ...]
    kind: Kind
    name: str

    def __init__(
        self,
        x: Any,
        labels: Any = None,
        *,
        context: Any = None,
        split: Any = None,
        columns: Sequence[str] | None = None,
        context_columns: Sequence[str] | None = None,
        kind: Kind | None = None,
        name: str = "array",
    ) -> None:
        x = np.asarray(x)
        self.name = name
        self.kind = kind or ("array" if x.ndim == 2 else "image")
        self.columns = None if columns is None else tuple(columns)
        self.context_columns = None if context_columns is None else tuple(context_columns)
        self.x = _clean_x(x, self.kind, self.columns, where=name)
        self.labels = None if labels is None else clean_labels(labels, where=f"{name} labels")
        self.context = None if context is None else self._clean_context(context)
        self.split = None if split is None else clean_split(split, where=f"{name} split")
        self.factors, self.factor_names = None, ()
        self.numbers, self.number_names = None, ()
        for field in ("labels", "context", "split"):
            value = getattr(self, field)
            if value is not None:
                require_rows(field, len(value), len(self.x), where=name)

    def _clean_context(self, context: Any) -> np.ndarray:
        values = np.asarray(context)
        values = values[:, None] if values.ndim == 1 else values
        return _clean_x(values, "array", self.context_columns, where=f"{self.name} context")

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        shape = tuple(self.x.shape[1:])
        classes = (
            ""
            if self.labels is None
            else f", {len(np.unique(self.labels[~missing(self.labels)]))} classes"
        )
        return (
            f"RawData({self.name!r}, {self.kind}, {len(self)} x {shape} {self.x.dtype}{classes})"
        )

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over dtype, shape and bytes of x and the labels."""
        digest = hashlib.sha256()
        for array in (self.x, self.labels):
            if array is not None:
                digest.update(f"{array.dtype.str}{array.shape};".encode())
                digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        return digest.hexdigest()

    def with_factors(self, factors: Any, names: Sequence[str]) -> RawData:
        """The same data, whose generative factors are known.

        Args:
            factors: Whole numbers, one column for each factor, shape ``(n, F)``.
            names: Names of the factors.

        Raises:
            DataError: If these are not whole numbers, or rows or names do not fit.
        """
        values = np.asarray(factors)
        if values.ndim != 2 or values.shape[1] != len(names) or values.dtype.kind not in "bui":
            raise DataError(
                "not a table of generative factors",
                expected=f"whole numbers of shape (n, {len(names)})",
                got=f"shape {values.shape}, dtype {values.dtype}",
                where=f"{self.name} factors",
            )
        require_rows("factors", len(values), len(self), where=self.name)
        known = copy.copy(self)
        known.factors, known.factor_names = values.astype(np.int64), tuple(names)
        return known

    def with_numbers(self, numbers: Any, names: Sequence[str]) -> RawData:
        """The same data with numbers beside it that a linear regression reads from codes.

        Args:
            numbers: Finite numbers, one column for each, shape ``(n, F)``.
            names: Names of the columns.

        Raises:
            DataError: If a number is missing or infinite, or rows or names do not fit.
        """
        values = _clean_x(np.asarray(numbers), "array", tuple(names), where=f"{self.name} numbers")
        require_rows("numbers", len(values), len(self), where=self.name)
        known = copy.copy(self)
        known.numbers, known.number_names = values.astype(np.float64), tuple(names)
        return known

    def with_labels(self, labels: Any) -> RawData:
        """The same data with other labels, one for each row."""
        other = copy.copy(self)
        other.labels = clean_labels(labels, where=f"{self.name} labels")
        require_rows("labels", len(other.labels), len(self), where=self.name)
        return other

    def subset(self, index: Any) -> RawData:
        """The rows at ``index`` (numbers or a mask), in that order."""
        index = np.asarray(index)
        part = RawData(
            self.x[index],
            None if self.labels is None else self.labels[index],
            context=None if self.context is None else self.context[index],
            split=None if self.split is None else self.split[index],
            columns=self.columns,
            context_columns=self.context_columns,
            kind=self.kind,
            name=self.name,
        )
        if self.factors is not None:
            part = part.with_factors(self.factors[index], self.factor_names)
        if self.numbers is not None:
            part = part.with_numbers(self.numbers[index], self.number_names)
        return part


def _clean_x(
    x: np.ndarray, kind: Kind, columns: tuple[str, ...] | None, *, where: str
) -> np.ndarray:
    _require_axes(x, kind, where=where)
    if x.dtype.kind == "b":
        x = x.astype(np.uint8)
    if x.dtype.kind not in "uif":
        raise DataError(
            "the values are not numbers",
            expected="integers or floats",
            got=f"dtype {x.dtype}",
            where=where,
            remedy="select numeric columns, or turn the values into numbers first",
        )
    if kind == "array":
        x = x.astype(np.float64) if x.dtype != np.float32 else x
    elif x.dtype in (np.float16, np.longdouble):
        x = x.astype(np.float32 if x.dtype == np.float16 else np.float64)
    if columns is not None and len(columns) != x.shape[1]:
        raise DataError(
            "column names do not fit the table", expected=x.shape[1], got=len(columns), where=where
        )
    require_finite(x, where=where, columns=columns)
    return x[..., 0] if kind == "image" and x.ndim == 4 and x.shape[-1] == 1 else x


def _require_axes(x: np.ndarray, kind: Kind, *, where: str) -> None:
    if x.ndim not in ((2,) if kind == "array" else (3, 4)):
        remedy = "reshape one column to (n, 1)" if x.ndim == 1 else "reshape it first"
        raise DataError(
            "wrong number of axes",
            expected="(n, D) for a table, (n, H, W) or (n, H, W, C) for images",
            got=f"shape {x.shape}",
            where=where,
            remedy=remedy,
        )
    if x.size == 0:
        raise DataError(
            "there is no data",
            expected="at least one row and column",
            got=f"shape {x.shape}",
            where=where,
        )


def clean_labels(labels: Any, *, where: str) -> np.ndarray:
    """Labels as a one-dimensional array of int64 or text.

    Raises:
        DataError: If they are not one class for each row: missing, fractional or of other types.

    Example:
        >>> clean_labels([1.0, 2.0], where="y").tolist()
        [1, 2]
    """
    values = np.asarray(labels)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise DataError(
            "labels need one axis", expected="(n,)", got=f"shape {values.shape}", where=where
        )
    if values.dtype.kind == "f":
        return _whole_numbers(values, where=where)
    if values.dtype.kind in "bui":
        return values.astype(np.int64)
    if values.dtype.kind in "UT":
        return values.astype(np.str_)
    return _object_labels(values, where=where)


def _whole_numbers(values: np.ndarray, *, where: str) -> np.ndarray:
    bad = np.flatnonzero(~(np.isfinite(values) & (values == np.floor(values))))
    if len(bad):
        raise DataError(
            f"labels must be classes, but {rows_text(bad, len(bad))} hold none",
            expected="whole numbers or text",
            got=values[bad[0]],
            where=where,
            remedy="fill missing labels, or pass a continuous target as context",
        )
    return values.astype(np.int64)


def _object_labels(values: np.ndarray, *, where: str) -> np.ndarray:
    items = values.tolist()
    number = (bool, int, np.integer, np.bool_)
    if all(isinstance(item, number) for item in items):
        return np.array([int(item) for item in items], dtype=np.int64)
    for row, item in enumerate(items):
        if not isinstance(item, str):
            raise DataError(
                f"labels must be all text or all whole numbers, but row {row} is neither",
                got=repr(item),
                where=where,
                remedy="fill missing labels and use one type",
            )
    return np.array(items, dtype=np.str_)


def clean_split(split: Any, *, where: str) -> np.ndarray:
    """Split names as ``train``, ``validation`` or ``test`` (``val``, ``dev`` … are understood).

    Example:
        >>> clean_split(["Train", "val"], where="split").tolist()
        ['train', 'validation']
    """
    words = np.asarray(split).astype(np.str_).reshape(-1)
    names, inverse = np.unique(words, return_inverse=True)
    unknown = [str(n) for n in names if n.strip().lower() not in _SPLIT_WORDS]
    if unknown:
        raise DataError(
            "unknown split names",
            expected=", ".join(SPLITS),
            got=", ".join(map(repr, unknown[:5])),
            where=where,
        )
    return np.array([_SPLIT_WORDS[n.strip().lower()] for n in names])[inverse.reshape(-1)]
