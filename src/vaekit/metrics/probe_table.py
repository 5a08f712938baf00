"""How the part of a table of metrics is filled that simple methods read from the codes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from vaekit.errors import DataError
from vaekit.metrics.bootstrap import bootstrap_error
from vaekit.metrics.jackknife import jackknife
from vaekit.metrics.likelihood import mean_and_error
from vaekit.metrics.probes import (
    agreement,
    clusters,
    explained,
    knn_hits,
    linear_predictions,
    logistic_hits,
    trustworthiness,
)
from vaekit.metrics.spread import evenly
from vaekit.metrics.table import try_to_put

__all__ = ["put_neighbours", "put_numbers", "put_probes"]

NEIGHBOURS = 5
PROBE_ROWS = 10_000
"""Most codes that regressions are fitted to, and that are clustered."""
NEIGHBOUR_ROWS = 1_000
"""Most rows whose neighbours are compared: the time grows with their square."""

Estimate = tuple[float, float]
"""A number and its standard error."""


def put_probes(
    found: dict[str, Any],
    train_codes: ArrayLike,
    train_targets: ArrayLike,
    codes: ArrayLike,
    targets: ArrayLike,
) -> None:
    """Put what can be read from the codes in a table; targets are classes, or floating numbers.

    Errors are those of other rows to measure, the fitted probe or the found clusters being what
    they are: standard errors of the accuracies, and of 50 bootstraps of ARI and NMI.

    Args:
        found: The table.
        train_codes: Shape (m, latent_dim).
        train_targets: Shape (m,); a class of −1 stands for a missing one, and its row is left out.
        codes: Shape (n, latent_dim).
        targets: Shape (n,), as those of the training rows.
    """
    train, known = _labelled(train_codes, train_targets)
    test, wanted = _labelled(codes, targets)
    if not (len(known) and len(wanted)):
        found["notes"].append("no knn_accuracy: no training row, or no evaluated one, has a label")
        return
    if known.dtype.kind == "f":
        put_numbers(found, train, known[:, None], test, wanted[:, None])
        return
    some, answers = _spread(train, PROBE_ROWS), _spread(known, PROBE_ROWS)
    if len(train) > len(some):
        found["notes"].append(f"regressions fitted to {len(some):,} of {len(train):,} codes")
    if len(train) < NEIGHBOURS:
        few = f"it needs {NEIGHBOURS} training rows, got {len(train)}"
        found["notes"].append(f"no knn_accuracy: {few}")
    else:
        try_to_put(
            found,
            ["knn_accuracy"],
            lambda: [_share(knn_hits(train, known, test, wanted, NEIGHBOURS))],
        )
    try_to_put(
        found,
        ["logistic_accuracy"],
        lambda: [_share(logistic_hits(some, answers, test, wanted))],
    )
    grouped, classes = _spread(test, PROBE_ROWS), _spread(wanted, PROBE_ROWS)
    try_to_put(found, ["ari", "nmi"], lambda: _agreement(grouped, classes))


def put_numbers(
    found: dict[str, Any],
    train_codes: ArrayLike,
    train_numbers: ArrayLike,
    codes: ArrayLike,
    numbers: ArrayLike,
) -> None:
    """Put how well a linear regression reads numbers from the codes in a table.

    It is the mean of R² over the numbers; its error is that of 50 bootstraps of the measured rows.

    Args:
        found: The table.
        train_codes: Shape (m, latent_dim).
        train_numbers: Shape (m, F).
        codes: Shape (n, latent_dim).
        numbers: Shape (n, F).
    """
    some, answers, test, wanted = (
        np.asarray(values)
        for values in (
            _spread(np.asarray(train_codes), PROBE_ROWS),
            _spread(np.asarray(train_numbers), PROBE_ROWS),
            codes,
            numbers,
        )
    )
    try_to_put(found, ["linear_r2"], lambda: [_r2(some, answers, test, wanted)])


def put_neighbours(found: dict[str, Any], x: ArrayLike, codes: ArrayLike) -> None:
    """Put the trustworthiness of the codes of (at most 1,000 of) the rows in a table.

    Its error is that of the jackknife: neighbours are rows, too, and change with them.
    """
    rows, some = (_spread(np.asarray(values), NEIGHBOUR_ROWS) for values in (x, codes))
    try_to_put(found, ["trustworthiness"], lambda: [_trust(rows, some)])
    if len(rows) < found["n"]:
        found["notes"].append(f"trustworthiness of {len(rows):,} of {found['n']:,} rows")


def _labelled(codes: ArrayLike, targets: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """The rows that have a number or a class; the code of a missing class is −1."""
    values, answers = np.asarray(codes), np.asarray(targets)
    if answers.dtype.kind != "i":
        return values, answers
    known = answers >= 0
    return values[known], answers[known]


def _share(hits: NDArray[np.bool_]) -> Estimate:
    return mean_and_error(torch.from_numpy(hits))


def _r2(train: Any, answers: Any, test: Any, wanted: Any) -> Estimate:
    columns = list(zip(answers.T, wanted.T, strict=True))
    guesses = np.stack([linear_predictions(train, a, test, w) for a, w in columns], 1)

    def mean(rows: Any) -> float:
        pairs = zip(wanted[rows].T, guesses[rows].T, strict=True)
        return float(np.mean([explained(ours, theirs) for ours, theirs in pairs]))

    return mean(slice(None)), float(bootstrap_error(mean, len(wanted)))


def _agreement(codes: Any, classes: Any) -> list[Estimate]:
    groups = clusters(codes, classes)
    errors = bootstrap_error(lambda rows: agreement(classes[rows], groups[rows]), len(classes))
    return list(zip(agreement(classes, groups), errors.tolist(), strict=True))


def _trust(x: NDArray[Any], codes: NDArray[Any]) -> Estimate:
    value = trustworthiness(x, codes, k=NEIGHBOURS)
    mixed = np.random.default_rng(0).permutation(len(x))  # a group is no period of the data

    def of(rows: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        some = mixed[rows.numpy()]
        return torch.tensor(trustworthiness(x[some], codes[some], k=NEIGHBOURS))

    try:
        return value, float(jackknife(of, len(x), len(x))[1])
    except DataError:
        return value, float("nan")  # too few rows


def _spread(values: NDArray[Any], most: int) -> NDArray[Any]:
    """At most so many rows, spread evenly."""
    return values if len(values) <= most else values[evenly(len(values), most).numpy()]
