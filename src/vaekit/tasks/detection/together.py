"""Several detectors trained as one: seeds or folds of a table at little more than one's cost."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from vaekit.data import TensorData
from vaekit.errors import ConfigError
from vaekit.tasks.detection.detector import Plan, VAEDetector
from vaekit.tasks.detection.stacking import pretrain
from vaekit.tasks.detection.training import train_together
from vaekit.tasks.estimators.fitting import unchanged_if_it_fails

__all__ = ["fit_together"]

OWN = {
    *("random_state", "scoring", "rate_weight", "n_draws", "verbose"),
    *("contamination", "alpha", "calibration_fraction"),
}
"""Parameters in which detectors may differ: training does not ask for them."""


def fit_together(detectors: Sequence[VAEDetector], tables: Sequence[Any]) -> list[VAEDetector]:
    """Fit each detector to its table; small models take little longer than one of them.

    Each has the parts, the first weights and the rows that it would have alone, and a result of
    the same distribution; the order of its batches and its noise are others. The layers of a
    ``stacked`` model are first trained one by one, as by ``fit``. ``history_`` is of all together:
    means over the detectors, and the norm of their joint gradient.

    Args:
        detectors: They differ in nothing but ``random_state``, the score and its line.
        tables: One for each, of the same columns and number of rows, in memory.

    Returns:
        The detectors, fitted.

    Raises:
        ConfigError: If they cannot be trained together; the message says why.

    Example:
        >>> import numpy as np
        >>> tables = np.random.default_rng(0).normal(size=(3, 50, 4))
        >>> seeds = [VAEDetector(steps=20, random_state=seed) for seed in range(3)]
        >>> [detector.anomaly_scores(tables[0]).shape for detector in fit_together(seeds, tables)]
        [(50,), (50,), (50,)]
    """
    if not detectors or len(detectors) != len(tables):
        raise ConfigError(
            "one table for each detector", expected=len(detectors) or 1, got=len(tables)
        )
    for detector in detectors[1:]:
        _require_same_parameters(detectors[0], detector)
    with contextlib.ExitStack() as stack:
        for detector in detectors:
            stack.enter_context(unchanged_if_it_fails(detector))
        return _fitted(detectors, tables)


def _fitted(detectors: Sequence[VAEDetector], tables: Sequence[Any]) -> list[VAEDetector]:
    plans = [detector._plan(table) for detector, table in zip(detectors, tables, strict=True)]
    for plan in plans[1:]:
        _require_alike(plans[0], plan)
    first = plans[0]
    for plan in plans:
        pretrain(plan.model, plan.rows.train, plan.objective, plan.effort, seed=plan.seed)
    rows = [plan.rows.train for plan in plans]
    records = train_together(
        [plan.model for plan in plans],
        [some for some in rows if isinstance(some, TensorData)],
        first.objective,
        first.effort,
        seed=first.seed,
    )
    return [
        detector._settle(plan, [dict(record) for record in records])
        for detector, plan in zip(detectors, plans, strict=True)
    ]


def _require_same_parameters(first: VAEDetector, other: VAEDetector) -> None:
    """Refuse other parts: models of equal shapes may still compute differently."""
    theirs = other.get_params(deep=False)
    for name, value in first.get_params(deep=False).items():
        if name not in OWN:
            _require_equal(name, value, theirs[name])


def _require_alike(first: Plan, plan: Plan) -> None:
    """Refuse tables that cannot be trained on as one."""
    _require_equal("number of rows", len(first.rows.train), len(plan.rows.train))
    _require_equal("types of columns", _structure(first), _structure(plan))


def _require_equal(what: str, one: Any, other: Any) -> None:
    if type(one) is not type(other) or one != other:
        raise ConfigError(
            f"detectors that are trained together agree in {what}",
            expected=str(one)[:200],
            got=str(other)[:200],
            remedy="fit them one by one",
        )


def _structure(plan: Plan) -> Any:
    """What shapes and Python values of the model follow from."""
    if not isinstance(plan.rows.train, TensorData):
        raise ConfigError(
            "tables on disk cannot be trained on together", remedy="fit them one by one"
        )
    spec: Any = plan.model.likelihood.spec
    missing = spec.missing
    return (
        [(group.columns, group.likelihood.kind) for group in spec.groups],
        (missing.predicted, missing.void),
        [(field.kind, field.size) for field in plan.rows.codec.x.fields],
    )
