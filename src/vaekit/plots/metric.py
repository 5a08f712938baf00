"""One measured quantity of a model beside those of its baselines."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from vaekit.errors import ConfigError, DataError, did_you_mean

__all__ = ["Metric", "MetricRow", "read_metrics"]

FIELDS = ("name", "unit", "better")


@dataclasses.dataclass(frozen=True)
class Metric:
    """A quantity, its unit, which way is better, and its value for each method, ours first.

    A value of None says that the method has none. ``better`` is None where neither way is.
    ``errors`` are standard errors of the values that have one, ``each`` the single values whose
    means they are. As a plain mapping it is
    ``{"name": "ELBO", "VAE": -144.3, "PCA": None, "unit": "nats", "better": "higher"}``: every
    key other than ``name``, ``unit`` and ``better`` is a method.

    Raises:
        ConfigError: If ``better`` is not a direction, or there is no method.
        DataError: If a value is not a finite number.

    Example:
        >>> Metric("MSE", {"VAE": 0.038, "PCA": 0.056}, better="lower").best
        'VAE'
    """

    name: str
    values: Mapping[str, float | None]
    unit: str = ""
    better: Literal["higher", "lower"] | None = "higher"
    errors: Mapping[str, float | None] = dataclasses.field(default_factory=dict)
    each: Mapping[str, Sequence[float]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.better not in ("higher", "lower", None):
            raise ConfigError(
                "no such direction",
                got=repr(self.better),
                where=f"{self.name}.better",
                remedy=did_you_mean(str(self.better), ["higher", "lower"]),
            )
        if not self.values:
            raise ConfigError("no values", expected="one for each method", where=self.name)
        for method, value in self.values.items():
            _check_value(value, where=f"{self.name}.{method}")

    @property
    def direction(self) -> str:
        """Which way is better, in words; empty where neither is."""
        return f"{self.better} is better" if self.better else ""

    @property
    def ours(self) -> str:
        """The method that is compared with the others: the first."""
        return next(iter(self.values))

    @property
    def best(self) -> str | None:
        """The method with the best value; None when fewer than two have one, or none is best."""
        known = {m: v for m, v in self.values.items() if v is not None}
        if len(known) < 2 or self.better is None:
            return None
        top = (max if self.better == "higher" else min)(known.values())
        winners = [m for m, v in known.items() if v == top]
        return winners[0] if len(winners) == 1 else None


MetricRow = Metric | Mapping[str, Any]


def _check_value(value: object, *, where: str) -> None:
    if value is None:
        return
    if isinstance(value, bool | str) or not hasattr(value, "__float__"):
        raise DataError("not a number", got=repr(value), where=where)
    if not math.isfinite(float(value)):
        raise DataError("not finite", got=value, where=where, remedy="use None for no value")


def read_metrics(rows: Iterable[MetricRow]) -> list[Metric]:
    """Metrics from metrics or plain mappings.

    Raises:
        ConfigError: If a mapping lacks a name.
    """
    return [row if isinstance(row, Metric) else _from_mapping(row) for row in rows]


def _from_mapping(row: Mapping[str, Any]) -> Metric:
    if "name" not in row:
        raise ConfigError("a metric needs a name", expected="a key 'name'", got=sorted(row))
    values = {str(key): value for key, value in row.items() if key not in FIELDS}
    return Metric(
        str(row["name"]), values, unit=str(row.get("unit", "")), better=row.get("better", "higher")
    )
