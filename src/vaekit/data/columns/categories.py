"""Columns of categories without order.

Categories are integer codes, never a column for each. Those that are too rare to learn share the
last code with all that are met later only: by Good and Turing's estimate, the share of rows whose
category occurs once is the probability that the next category is a new one, so a bucket of
categories that occur once has the right mass.

References:
    The Population Frequencies of Species and the Estimation of Population Parameters (Good, 1953),
    Biometrika 40.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np

from vaekit.data.columns.coded import MOST, Coded
from vaekit.data.columns.codes import (
    Scalar,
    coded,
    common_scalar,
    decoded,
    require_known,
    written,
)
from vaekit.data.columns.column import Count, Field
from vaekit.data.columns.options import read_options
from vaekit.data.columns.values import Values, no_values
from vaekit.errors import DataError
from vaekit.spec import Spec, Within

if TYPE_CHECKING:
    import pyarrow

__all__ = ["OTHER", "Categorical", "CategoricalSummary"]

Unknown = Literal["other", "missing", "error"]
OTHER = "(other)"
COUNTED = 1 << 17
"""Most categories that are counted at a time; beyond, the rarest are forgotten."""


class Categorical(Coded, kind="column/categorical"):
    """Categories without order, as codes; the last code is for all that are not known.

    Args:
        categories: The known ones as text, the most frequent first.
        scalar: What the raw values are.
        rare: How many training rows had a category that is not among them.
        unknown: What becomes of a category that is not known: ``"other"`` gives it the last code,
            ``"missing"`` takes it for no value, ``"error"`` refuses it.

    Example:
        >>> import pyarrow
        >>> column = Categorical("c", categories=("red", "blue"))
        >>> column.encode(Values("c", pyarrow.array(["blue", "green", None]))).tolist()
        [[1.0], [2.0], [nan]]
    """

    categories: tuple[str, ...] = ()
    rare: Count = 0
    unknown: Unknown = "other"

    word: ClassVar[str] = "categorical"
    plural: ClassVar[str] = "categories"

    @property
    def known(self) -> tuple[str, ...]:  # noqa: D102
        return self.categories

    @property
    def missing(self) -> tuple[int, int]:
        """How often it was missing; rare categories count, where they are taken for no value."""
        return self.absent + self.rare * (self.unknown == "missing"), self.rows

    @property
    def fields(self) -> tuple[Field, ...]:
        """One code, of which the last is for all other categories."""
        size = len(self.categories) + 1
        return (Field(self.name, "code", size=size, missing=self.missing),)

    def encode(self, values: Values) -> np.ndarray:  # noqa: D102
        found = coded(values)
        place = found.among(self.categories)
        if self.unknown == "error":
            require_known(values, found, place, self.categories)
        code = place.astype(np.float64)
        code[place == -2] = np.nan if self.unknown == "missing" else len(self.categories)
        code[place == -1] = np.nan
        return code[:, None]

    def decode(self, fields: np.ndarray) -> pyarrow.Array:
        """Categories; the last code is null, as no category has it."""
        return decoded(fields[:, 0], self.categories, self.scalar)

    def typical(self, fields: np.ndarray) -> pyarrow.Array:
        """Categories as text, with a word for the last code."""
        other = OTHER
        while other in self.categories:
            other = f"({other})"
        return decoded(fields[:, 0], (*self.categories, other), "text")

    def describe(self) -> str:  # noqa: D102
        others = {"other": " and a bucket for others", "missing": ", others are missing"}
        known = f"categorical, {len(self.categories)} categories"
        return known + others.get(self.unknown, ", no others")

    def notes(self) -> tuple[str, ...]:
        """That it is constant, or that many rows are in the bucket."""
        seen = self.rows - self.absent
        if len(self.categories) == 1 and not self.rare:
            one = self.categories[0]
            return (f"column {self.name!r} is constant ({one!r}): only other values will count",)
        if not seen or self.rare < 0.5 * seen:
            return ()
        share = f"{self.rare / seen:.0%}"
        return (
            f"column {self.name!r}: {share} of its rows hold categories too rare to tell apart",
        )

    @classmethod
    def summary(cls, name: str, options: Mapping[str, str]) -> CategoricalSummary:  # noqa: D102
        return CategoricalSummary(name, read_options(CategoricalOptions, options, name))


class CategoricalOptions(Spec):
    """What a user may choose for categories.

    Args:
        max_categories: Most categories that get a code of their own, the most frequent ones.
        min_frequency: Fewest training rows for a code of its own.
        unknown: As of :class:`Categorical`.
        categories: The categories, where the user knows them.
    """

    max_categories: Annotated[int, Within(1, MOST)] = 255
    min_frequency: Annotated[int, Within(1, 2**53)] = 2
    unknown: Unknown = "other"
    categories: tuple[str, ...] = ()


class CategoricalSummary:
    """Counts of categories; see :class:`Summary`."""

    def __init__(self, name: str, options: CategoricalOptions | None = None) -> None:
        self.name = name
        self.options = options or CategoricalOptions()
        self.rows = self.absent = 0
        self.counts: Counter[str] = Counter()
        self.scalar: Scalar | None = None

    def add(self, values: Values) -> None:
        """Take in some rows."""
        found = coded(values)
        absent = int((found.place < 0).sum())
        self.rows += len(values)
        self.absent += absent
        if absent < len(values):
            self.scalar = common_scalar(self.scalar, found.scalar)
        self.counts.update(found.counts())
        if len(self.counts) > 2 * COUNTED:
            self.counts = Counter(dict(self.counts.most_common(COUNTED)))

    def column(self) -> Categorical:
        """The column that fits all rows so far."""
        seen = self.rows - self.absent
        if not seen or self.scalar is None:
            raise no_values(self.name)
        kept = self._kept(self.scalar)
        return Categorical(
            name=self.name,
            rows=self.rows,
            absent=self.absent,
            categories=tuple(kept),
            scalar=self.scalar,
            rare=seen - sum(self.counts[name] for name in kept),
            unknown=self.options.unknown,
        )

    def _kept(self, scalar: Scalar) -> list[str]:
        """Categories with a code of their own."""
        if self.options.categories:
            place = f"column {self.name!r}, option categories"
            return list(written(self.options.categories, scalar, where=place))
        least = self.options.min_frequency
        ranked = sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))
        kept = [name for name, count in ranked if count >= least]
        if kept:
            return kept[: self.options.max_categories]
        raise DataError(
            f"no category occurs {least} times: the column names single rows, "
            "and nothing can be learned from it",
            expected="categories that repeat",
            got=f"{len(self.counts):,} categories in {self.rows - self.absent:,} rows",
            where=f"column {self.name!r}",
            remedy=f"leave it out with column_types={{{self.name!r}: 'skip'}}, or say what it "
            "holds ('numeric', 'datetime', 'categorical:min_frequency=1' …)",
        )
