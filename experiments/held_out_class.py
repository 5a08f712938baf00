"""A class held out as the anomaly: learn from the others, then tell its rows from theirs.

Every score is higher for rows that are more like the training rows, in nats where it is a
likelihood; measures call a row anomalous when its score is low.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from vaekit.baselines import Representation
from vaekit.data import AsIs, TensorData
from vaekit.metrics import best_f1, score
from vaekit.models import FlatVAE
from vaekit.objectives import ELBO, Autoencoding
from vaekit.plots import Metric, dots_and_whiskers
from vaekit.training import Trainer, Training

__all__ = [
    "ERROR",
    "MEASURES",
    "Floats",
    "HeldOut",
    "baseline_scores",
    "by_method",
    "fit_and_score",
    "measures",
    "picture",
    "table_of",
]

MEASURES = ("AUROC", "AP", "best F1")
ELBO_SCORE, PROBABILITY, MARGINAL = "ELBO", "reconstruction probability", "log p(x)"
ERROR, RELATIVE, BETWEEN = "error", "relative error", "between the errors"
ROWS_A_TIME = 4_096
Floats = NDArray[np.float64]


class HeldOut(NamedTuple):
    """Rows to learn from, and rows to tell apart.

    Attributes:
        name: Of the class that is held out.
        train: Rows of the other classes in model units, float32, shape (n, D).
        test: Other rows of these classes, and rows of the one held out, float32, shape (m, D).
        anomalous: Which of these are of the class held out, shape (m,).
    """

    name: str
    train: NDArray[np.float32]
    test: NDArray[np.float32]
    anomalous: NDArray[np.bool_]


def fit_and_score(
    model: FlatVAE,
    training: Training,
    train: NDArray[np.float32],
    test: NDArray[np.float32],
    *,
    samples: int,
) -> dict[str, Floats]:
    """Train a VAE, or an autoencoder (a point as posterior), and score each test row by name.

    Args:
        model: What to train, without context.
        training: How; its seed is that of the weights too.
        train: Rows in model units, shape (n, D).
        test: Rows in model units, shape (m, D).
        samples: Codes drawn for each row, K; all rows share their draws.

    Returns:
        Scores of shape (m,), higher for rows that are more like those of ``train``:

        - ``ELBO`` and its first term, the ``reconstruction probability`` E log p(x|z), a mean
          over K codes;
        - ``log p(x)`` by importance sampling;
        - ``error``: minus the squared distance of a row from E[x|z] at the posterior mean;
        - ``relative error``: the same as a share of the row's own squared length, since a row
          with little in it (the digit 1) has little to get wrong;
        - ``between the errors``: their geometric mean, the error over the row's length.

        An autoencoder has the last three alone.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(training.seed)
        built = model.build(event_shape=train.shape[1:])
    objective = ELBO() if built.has_density else Autoencoding()
    rows = TensorData(AsIs(), torch.from_numpy(train))  # type: ignore[arg-type]
    Trainer(built, {"train": rows}, training, objective=objective, accelerator="cpu").fit()
    x = torch.from_numpy(test)
    with torch.no_grad():
        errors = [
            (built.reconstruct(some) - some).square().sum(-1) for some in x.split(ROWS_A_TIME)
        ]
    found = errors_of(torch.cat(errors).double().numpy(), test)
    if not built.has_density:
        return found
    scores = score(built, x, samples=samples)
    return {
        ELBO_SCORE: scores.elbo.numpy(),
        PROBABILITY: -scores.distortion.numpy(),
        MARGINAL: scores.log_marginal.numpy(),
        **found,
    }


def baseline_scores(
    representation: Representation, train: NDArray[np.float32], test: NDArray[np.float32]
) -> dict[str, Floats]:
    """Fit a baseline and score test rows by minus their squared reconstruction error."""
    back = representation.fit(train).reconstruct(test)
    assert back is not None
    return errors_of(np.square(back - test).sum(-1), test)


def errors_of(errors: Floats, test: NDArray[np.float32]) -> dict[str, Floats]:
    """Minus the squared errors of rows, their share of the squared length, and what is between."""
    length = np.maximum(np.square(test, dtype=np.float64).sum(-1), 1e-12)
    found = {ERROR: errors, RELATIVE: errors / length, BETWEEN: errors / np.sqrt(length)}
    return {name: -score for name, score in found.items()}


def measures(scores: Floats, anomalous: NDArray[np.bool_]) -> dict[str, float]:
    """How well low scores point at the anomalous rows: :data:`MEASURES`."""
    high = -scores
    found = (
        roc_auc_score(anomalous, high),
        average_precision_score(anomalous, high),
        best_f1(anomalous, high).f1,
    )
    return dict(zip(MEASURES, map(float, found), strict=True))


def by_method(held: HeldOut, scores: Mapping[str, Mapping[str, Floats]]) -> list[dict[str, Any]]:
    """One row for each method and score, with its measures."""
    return [
        {"held out": held.name, "method": method, "score": name, **measures(s, held.anomalous)}
        for method, named in scores.items()
        for name, s in named.items()
    ]


def table_of(rows: Sequence[Mapping[str, Any]], measure: str) -> list[list[Any]]:
    """One measure: a line for each method and score, which holds its value for each class."""
    lines: dict[tuple[str, str], list[Any]] = {}
    for row in rows:
        lines.setdefault((row["method"], row["score"]), []).append(row[measure])
    return [[*names, *values] for names, values in lines.items()]


def picture(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """The mean AUROC of each method, and that of each class."""
    lines = {f"{method}: {s}": values for method, s, *values in table_of(rows, "AUROC")}
    means = {name: float(np.mean(values)) for name, values in lines.items()}
    ours = [name for name in lines if name.startswith("VAE")]
    return dots_and_whiskers([Metric("AUROC", means, each=lines)], ours=ours)
