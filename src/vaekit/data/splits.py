"""Rows for training, validation and test: given by the source, or drawn from a seed."""

from __future__ import annotations

import numpy as np

from vaekit.data.raw import SPLITS, RawData
from vaekit.errors import ConfigError, DataError

__all__ = ["Splits", "check_fractions", "share", "split"]


class Splits:
    """Row numbers of three disjoint parts (int64, sorted).

    Args:
        train: Rows to learn from.
        validation: Rows to choose by (early stopping, hyper-parameters); may be empty.
        test: Rows to report on; may be empty.

    Raises:
        DataError: If training has no row, or a row is in two parts.

    Example:
        >>> Splits(np.arange(3), np.array([3]), np.array([4]))
        Splits(train=3, validation=1, test=1)
    """

    __slots__ = ("test", "train", "validation")

    def __init__(self, train: np.ndarray, validation: np.ndarray, test: np.ndarray) -> None:
        self.train = np.sort(np.asarray(train, dtype=np.int64))
        self.validation = np.sort(np.asarray(validation, dtype=np.int64))
        self.test = np.sort(np.asarray(test, dtype=np.int64))
        if not len(self.train):
            raise DataError("no row is left for training")
        rows = np.concatenate([self.train, self.validation, self.test])
        names, counts = np.unique(rows, return_counts=True)
        if counts.max() > 1:
            raise DataError("splits overlap", got=f"row {names[counts > 1][0]} more than once")

    def items(self) -> list[tuple[str, np.ndarray]]:
        """The names and rows of the parts that are not empty."""
        return [(name, getattr(self, name)) for name in SPLITS if len(getattr(self, name))]

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name}={len(getattr(self, name))}" for name in SPLITS)
        return f"Splits({sizes})"


def split(
    raw: RawData,
    *,
    validation: float = 0.05,
    test: float = 0.1,
    seed: int = 0,
    max_validation: int = 5000,
) -> Splits:
    """Divide the rows of ``raw``.

    What the source gives stays as it is; a part that it does not give is drawn from its training
    rows. A fraction above 0 yields at least one row, a fraction of 0 none.

    Args:
        raw: The data.
        validation: Fraction of the rows to draw from, at most ``max_validation`` rows.
        test: Fraction of the rows to draw from.
        seed: Of the draw.
        max_validation: Upper bound of validation rows, to keep validation cheap.

    Raises:
        ConfigError: If a fraction is outside [0, 1) or together they leave nothing to train on.
        DataError: If there are too few rows.

    Example:
        >>> split(RawData(np.zeros((100, 2))), validation=0.1, test=0.2)
        Splits(train=70, validation=10, test=20)
    """
    check_fractions(validation, test)
    given = raw.split if raw.split is not None else np.full(len(raw), "train")
    parts = {name: np.flatnonzero(given == name) for name in SPLITS}
    pool = np.random.default_rng(seed).permutation(parts["train"])
    sizes = {
        "validation": min(share(len(pool), validation), max_validation),
        "test": share(len(pool), test),
    }
    for name, size in sizes.items():
        if not len(parts[name]):
            parts[name], pool = pool[:size], pool[size:]
    if not len(pool):
        raise DataError(
            "too little data to split",
            expected="at least one row for every part",
            got=f"{len(raw)} rows ({(given == 'train').sum()} for training)",
            where=raw.name,
            remedy="set validation=0 or test=0, or bring more rows",
        )
    return Splits(pool, parts["validation"], parts["test"])


def share(rows: int, fraction: float) -> int:
    """How many rows a fraction means: none for 0, else at least one."""
    return max(1, round(rows * fraction)) if fraction > 0 else 0


def check_fractions(validation: float, test: float) -> None:
    """Refuse fractions that leave no row for training."""
    for name, value in (("validation", validation), ("test", test)):
        if not 0 <= value < 1:
            raise ConfigError(
                "not a fraction of the rows", expected="0 <= fraction < 1", got=value, where=name
            )
    if validation + test >= 1:
        raise ConfigError(
            "validation and test leave no row for training",
            expected="a sum below 1",
            got=validation + test,
        )
