"""Schedules: numbers that change over the run, as functions of the fraction that is done.

They serve β and the learning rate alike. Because time is a fraction of the planned run, no warm-up
can outlast the training.
"""

from __future__ import annotations

import bisect
import math
from typing import Annotated, Any

from vaekit.errors import ConfigError
from vaekit.spec import Spec, Within

__all__ = ["Cosine", "Cyclic", "Linear", "Schedule", "Sigmoid", "Steps", "value_at"]

Fraction = Annotated[float, Within(0.0, 1.0)]
Weight = Annotated[float, Within(0.0, 1e9)]


class Schedule(Spec):
    """Base of schedules: ``schedule(fraction)`` with the fraction of the run from 0 to 1."""

    def __call__(self, fraction: float) -> float:
        """The value at this point of the run."""
        raise NotImplementedError


class Linear(Schedule, kind="schedule/linear"):
    """A straight line from ``start`` to ``end`` over the first part of the run, then constant.

    Example:
        >>> warm_up = Linear(start=0.0, end=1.0, over=0.5)
        >>> [warm_up(t) for t in (0.0, 0.25, 0.5, 1.0)]
        [0.0, 0.5, 1.0, 1.0]
    """

    start: Weight = 0.0
    end: Weight = 1.0
    over: Fraction = 0.3

    def __call__(self, fraction: float) -> float:
        """The value at this point of the run."""
        done = 1.0 if self.over == 0 else min(1.0, fraction / self.over)
        return between(self.start, self.end, done)


class Sigmoid(Schedule, kind="schedule/sigmoid"):
    """A logistic curve from ``start`` to ``end`` over the first part of the run, then constant.

    It is scaled to hit both ends exactly.

    Example:
        >>> curve = Sigmoid(over=1.0)
        >>> curve(0.0), round(curve(0.5), 6), curve(1.0)
        (0.0, 0.5, 1.0)
    """

    start: Weight = 0.0
    end: Weight = 1.0
    over: Fraction = 0.3
    steepness: Annotated[float, Within(1e-3, 100.0)] = 10.0

    def __call__(self, fraction: float) -> float:
        """The value at this point of the run."""
        done = 1.0 if self.over == 0 else min(1.0, fraction / self.over)
        low, high = self._logistic(0.0), self._logistic(1.0)
        return between(self.start, self.end, (self._logistic(done) - low) / (high - low))

    def _logistic(self, t: float) -> float:
        return 1.0 / (1.0 + math.exp(-self.steepness * (t - 0.5)))


class Cyclic(Schedule, kind="schedule/cyclic"):
    """Repeated linear ramps from ``start`` to ``end``, each followed by a plateau.

    Args:
        cycles: How many ramps the run holds.
        ramp: The share of each cycle that rises; the rest is constant at ``end``.

    References:
        Cyclical Annealing Schedule: A Simple Approach to Mitigating KL Vanishing (Fu et al.,
        2019), arXiv:1903.10145.

    Example:
        >>> cycle = Cyclic(cycles=2, ramp=0.5)
        >>> [cycle(t) for t in (0.0, 0.25, 0.5, 1.0)]
        [0.0, 1.0, 0.0, 1.0]
    """

    start: Weight = 0.0
    end: Weight = 1.0
    cycles: Annotated[int, Within(1, 1_000)] = 4
    ramp: Fraction = 0.5

    def __call__(self, fraction: float) -> float:
        """The value at this point of the run."""
        within = 1.0 if fraction >= 1 else (fraction * self.cycles) % 1.0
        done = 1.0 if self.ramp == 0 else min(1.0, within / self.ramp)
        return between(self.start, self.end, done)


class Cosine(Schedule, kind="schedule/cosine"):
    """A linear warm-up to ``start``, then half a cosine down to ``end`` at the end of the run.

    Example:
        >>> rate = Cosine(warm_up=0.1)
        >>> rate(0.0), rate(0.1), round(rate(1.0), 6)
        (0.0, 1.0, 0.0)
    """

    start: Weight = 1.0
    end: Weight = 0.0
    warm_up: Fraction = 0.0

    def validate(self) -> None:  # noqa: D102
        if self.warm_up >= 1:
            raise ConfigError(
                "the warm-up takes the whole run", expected="less than 1", got=self.warm_up
            )

    def __call__(self, fraction: float) -> float:
        """The value at this point of the run."""
        if fraction < self.warm_up:
            return self.start * fraction / self.warm_up
        done = (fraction - self.warm_up) / (1 - self.warm_up)
        return between(self.start, self.end, 0.5 * (1 - math.cos(math.pi * done)))


class Steps(Schedule, kind="schedule/steps"):
    """Constant values that change at given points of the run.

    Args:
        values: One value more than there are points.
        at: Points of the run as fractions of its steps, rising; each value holds up to its point.

    Example:
        >>> rate = Steps(values=(1.0, 0.1), at=(0.5,))
        >>> [rate(t) for t in (0.0, 0.49, 0.5, 1.0)]
        [1.0, 1.0, 0.1, 0.1]
    """

    values: tuple[Weight, ...] = (1.0, 0.1)
    at: tuple[Fraction, ...] = (0.5,)

    def validate(self) -> None:  # noqa: D102
        if len(self.values) != len(self.at) + 1 or list(self.at) != sorted(self.at):
            raise ConfigError(
                "values and points do not fit",
                expected="rising points and one value more",
                got=f"{len(self.values)} values, at={self.at}",
            )

    def __call__(self, fraction: float) -> float:
        """The value at this point of the run."""
        return self.values[bisect.bisect_right(self.at, fraction)]


def between(start: float, end: float, done: float) -> float:
    """A point on the way from ``start`` to ``end``, which are both hit exactly."""
    return end if done >= 1 else start + (end - start) * done


def value_at(weight: float | Schedule, fraction: Any) -> Any:
    """A constant, or a schedule's value at this point of the run.

    Args:
        weight: The constant or the schedule.
        fraction: From 0 to 1; or anything with ``value_of(schedule)``, which then answers: so a
            compiled step can take the value as an input instead of a constant.
    """
    if isinstance(weight, float | int):
        return weight
    return weight(fraction) if isinstance(fraction, float | int) else fraction.value_of(weight)
