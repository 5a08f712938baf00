"""Numeric tables to tensors and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
import torch
from torch import Tensor

from vaekit.data.checks import require_finite
from vaekit.data.raw import RawData
from vaekit.errors import ConfigError, DataError
from vaekit.spec import MAX_ITEMS, Spec, Within

__all__ = ["ArrayCodec"]

Scaling = Literal["none", "standard", "minmax"]
_TILE = 1 << 15


class ArrayCodec(Spec, kind="codec/array"):
    r"""Numeric columns ``(n, D)`` in raw units :math:`\leftrightarrow` scaled float32 ``(n, D)``.

    .. math:: x = (raw - loc) / scale

    Args:
        shape: ``(D,)``.
        columns: Names of the columns; empty when they have none.
        scaling: ``'standard'`` (mean 0, standard deviation 1), ``'minmax'`` (training range to
            [0, 1]; later values may fall outside) or ``'none'``.
        loc: One value for each column; empty without scaling.
        scale: One positive value for each column; empty without scaling.

    Raises:
        ConfigError: If the numbers of columns, names and parameters differ.

    Example:
        >>> codec = ArrayCodec.fit(np.array([[1.0, 10.0], [3.0, 30.0]]), scaling="minmax")
        >>> codec.encode([[2.0, 40.0]])
        tensor([[0.5000, 1.5000]])
        >>> codec.decode(torch.tensor([[0.5, 1.5]]))
        array([[ 2., 40.]])
    """

    shape: tuple[Annotated[int, Within(1, MAX_ITEMS)], ...]
    columns: tuple[str, ...] = ()
    scaling: Scaling = "none"
    loc: tuple[float, ...] = ()
    scale: tuple[Annotated[float, Within(5e-324)], ...] = ()

    def validate(self) -> None:
        """Check the fields against each other."""
        if len(self.shape) != 1:
            raise ConfigError(
                "a table has one axis of columns", expected="(D,)", got=self.shape, where=self.kind
            )
        size = self.shape[0]
        parameters = 0 if self.scaling == "none" else size
        for name, allowed in (
            ("columns", {0, size}),
            ("loc", {parameters}),
            ("scale", {parameters}),
        ):
            found = len(getattr(self, name))
            if found not in allowed:
                raise ConfigError(
                    f"{name} does not fit {size} columns",
                    expected=max(allowed),
                    got=found,
                    where=f"{self.kind}.{name}",
                )

    @classmethod
    def fit(
        cls,
        raw: RawData | np.ndarray,
        *,
        columns: Sequence[str] | None = None,
        scaling: Scaling = "standard",
    ) -> ArrayCodec:
        """The codec for a table like this one.

        Raises:
            DataError: If a column is constant and was to be scaled; the message names it.
        """
        if isinstance(raw, RawData):
            columns = raw.columns if columns is None else columns
            raw = raw.x
        table = RawData(raw, columns=columns, kind="array", name="table")
        values = table.x.astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):  # refused below, by name
            mean, deviation = values.mean(axis=0), values.std(axis=0)
        return cls.of_statistics(
            values.min(axis=0),
            values.max(axis=0),
            mean,
            deviation,
            columns=table.columns,
            scaling=scaling,
            where=table.name,
        )

    @classmethod
    def of_statistics(
        cls,
        low: np.ndarray,
        high: np.ndarray,
        mean: np.ndarray,
        deviation: np.ndarray,
        *,
        columns: Sequence[str] | None = None,
        scaling: Scaling = "standard",
        where: str = "table",
    ) -> ArrayCodec:
        """The codec for a table of which only these are known, each float64 ``(D,)``.

        Args:
            low: Smallest value of each column in the training rows.
            high: Largest value.
            mean: Arithmetic mean.
            deviation: Standard deviation over n.
            columns: Names of the columns.
            scaling: As of the codec.
            where: Name of the data, for messages.

        Raises:
            DataError: If a column is constant and was to be scaled; the message names it.

        Example:
            >>> low, high = np.zeros(1), np.ones(1)
            >>> ArrayCodec.of_statistics(low, high, high / 2, high / 4).scale
            (0.25,)
        """
        names = tuple(columns or ())
        if scaling not in ("standard", "minmax"):
            return cls(shape=low.shape, columns=names, scaling=scaling)
        with np.errstate(over="ignore"):  # an infinite scale is refused, by name
            span = high - low
        loc = low if scaling == "minmax" else mean
        scale = span if scaling == "minmax" else np.where(span == 0, 0.0, deviation)
        _require_spread(names, scale, where=where)
        return cls(low.shape, names, scaling, tuple(loc.tolist()), tuple(scale.tolist()))

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape ``(D,)`` of one row."""
        return self.shape

    def encode(self, raw: Any) -> Tensor:
        """Rows as scaled float32 ``(n, D)``.

        Raises:
            DataError: If the number of columns differs or a value is not a finite float32.
        """
        names = self.columns or None
        values = np.asarray(raw)
        if values.ndim != 2 or values.shape[1:] != self.shape:
            raise DataError(
                "a table of another shape",
                expected=("n", *self.shape),
                got=values.shape,
                where="table",
            )
        if values.dtype.kind not in "buif":
            raise DataError(
                "the values are not numbers",
                expected="integers or floats",
                got=f"dtype {values.dtype}",
                where="table",
            )
        stored = self._scaled(values)
        if not np.isfinite(stored).all():
            require_finite(values, where="table", columns=names)
            require_finite(stored, where="table after scaling to float32", columns=names)
        return torch.from_numpy(stored)

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        """Float64 arithmetic on a few rows at a time, which stay in the processor's cache."""
        stored = np.empty(values.shape, np.float32)
        loc, scale = np.array(self.loc), np.array(self.scale)
        rows = max(1, _TILE // max(1, values.shape[1]))
        work = np.empty((min(rows, len(values)), values.shape[1]))
        with np.errstate(over="ignore"):  # the caller refuses what overflows, by name
            for start in range(0, len(values), rows):
                part = values[start : start + rows]
                exact = work[: len(part)]
                exact[:] = part
                if self.scaling != "none":
                    exact -= loc
                    exact /= scale
                stored[start : start + rows] = exact
        return stored

    def to_model(self, stored: Tensor, *, train: bool = False) -> Tensor:
        """A batch for the model: what :meth:`encode` gave."""
        return stored

    def decode(self, x: Any) -> np.ndarray:
        """Rows in raw units, float64 ``(n, D)``."""
        values = x.detach().cpu().numpy() if isinstance(x, Tensor) else np.asarray(x)
        if values.shape[1:] != self.shape:
            raise DataError(
                "not rows of this codec", expected=("n", *self.shape), got=values.shape
            )
        values = values.astype(np.float64)
        return (
            values
            if self.scaling == "none"
            else values * np.array(self.scale) + np.array(self.loc)
        )

    def describe(self) -> str:
        """One line for people."""
        how = {"none": "not scaled", "standard": "standardised", "minmax": "scaled to 0 .. 1"}
        return f"table of {self.shape[0]} numeric columns, {how[self.scaling]}"

    def suggest(self) -> dict[str, str]:
        """Likelihood and network that usually suit tables."""
        return {"likelihood": "gaussian", "network": "mlp"}


def _require_spread(names: tuple[str, ...], scale: np.ndarray, *, where: str) -> None:
    names = names or tuple(str(i) for i in range(len(scale)))
    constant = [names[i] for i in np.flatnonzero(scale == 0)]
    if constant:
        more = f" and {len(constant) - 5} more" if len(constant) > 5 else ""
        raise DataError(
            f"constant column {', '.join(map(repr, constant[:5]))}{more} cannot be scaled",
            expected="at least two different values in the training rows",
            where=where,
            remedy="drop it, or use scaling='none'",
        )
    wide = [names[i] for i in np.flatnonzero(~np.isfinite(scale))]
    if wide:
        raise DataError(
            f"the values of column {wide[0]!r} are too large to scale",
            where=where,
            remedy="take their logarithm, or change their unit",
        )
