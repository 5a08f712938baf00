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
        shape, names = table.x.shape[1:], table.columns or ()
        if scaling not in ("standard", "minmax"):
            return cls(shape=shape, columns=names, scaling=scaling)
        loc, scale = _location_and_scale(table.x.astype(np.float64), scaling)
        _require_spread(table, scale)
        return cls(shape, names, scaling, tuple(loc.tolist()), tuple(scale.tolist()))

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
        values = values.astype(np.float64)
        require_finite(values, where="table", columns=names)
        with np.errstate(over="ignore"):  # what overflows is refused below, by name
            if self.scaling != "none":
                values = (values - np.array(self.loc)) / np.array(self.scale)
            stored = values.astype(np.float32)
        require_finite(stored, where="table after scaling to float32", columns=names)
        return torch.from_numpy(stored)

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


def _location_and_scale(values: np.ndarray, scaling: str) -> tuple[np.ndarray, np.ndarray]:
    low, high = values.min(axis=0), values.max(axis=0)
    with np.errstate(over="ignore", invalid="ignore"):  # an infinite scale is refused, by name
        if scaling == "minmax":
            return low, high - low
        return values.mean(axis=0), np.where(low == high, 0.0, values.std(axis=0))


def _require_spread(table: RawData, scale: np.ndarray) -> None:
    names = table.columns or tuple(str(i) for i in range(len(scale)))
    constant = [names[i] for i in np.flatnonzero(scale == 0)]
    if constant:
        more = f" and {len(constant) - 5} more" if len(constant) > 5 else ""
        raise DataError(
            f"constant column {', '.join(map(repr, constant[:5]))}{more} cannot be scaled",
            expected="at least two different values in the training rows",
            where=table.name,
            remedy="drop it, or use scaling='none'",
        )
    wide = [names[i] for i in np.flatnonzero(~np.isfinite(scale))]
    if wide:
        raise DataError(
            f"the values of column {wide[0]!r} are too large to scale",
            where=table.name,
            remedy="take their logarithm, or change their unit",
        )
