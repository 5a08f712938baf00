"""Where the nats of a code go: the KL of each latent dimension, and which are used at all."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from vaekit.distributions import row_noise
from vaekit.errors import ConfigError, DataError
from vaekit.metrics.likelihood import mean_and_error, row_slices, rows_at_once, score
from vaekit.metrics.scored import Batches, Scorable, evaluating, like_model, need_density

__all__ = [
    "RateDistortion",
    "active_units",
    "frontier",
    "posterior_means",
    "rate_by_dimension",
    "rate_distortion",
]

DRAWS = 4
"""Codes of a row that a KL without a closed form is averaged over: terms of a mixture are slow."""


@dataclasses.dataclass(frozen=True, slots=True)
class RateDistortion:
    """Averages over a data set, in nats per row.

    Attributes:
        rate: KL(q‖p).
        distortion: −E_q[log p(x|z)].
        rate_error: Standard error of the rate over rows.
        distortion_error: Standard error of the distortion over rows.
        by_dimension: KL of each latent dimension, shape ``(*latent,)``, one tensor a latent group.
        active_units: How many latent dimensions are used; see :func:`active_units`. None for a
            single row.
        n: How many rows.
    """

    rate: float
    distortion: float
    rate_error: float
    distortion_error: float
    by_dimension: tuple[Tensor, ...]
    active_units: int | None
    n: int


def rate_by_dimension(
    model: Scorable,
    x: Tensor,
    c: Tensor | None = None,
    *,
    samples: int = DRAWS,
    seed: int = 0,
    first_row: int = 0,
) -> tuple[Tensor, ...]:
    """KL(q‖p) of each latent dimension, averaged over rows; one tensor for each latent group.

    Args:
        model: A model that has a density.
        x: Observations, shape ``(n, *event)``.
        c: Contexts, shape (n, k).
        samples: Codes to draw for each row; of a single group whose KL has a closed form, one.
        seed: Determines the draws of each row, with its number.
        first_row: The number of x's first row within its data set. Each row has draws of its own,
            so that their errors average out over rows.

    Returns:
        Float64 tensors of shape ``(*latent,)``, in nats, or (1,) where a KL has no terms per
        dimension. Without a closed form they may be below 0 by the error of the draws.

    Raises:
        ConfigError: If the model has no density, or ``samples`` is below 1.
        DataError: If there are no rows.

    Example:
        >>> from vaekit.models import FlatVAE
        >>> model = FlatVAE(latent_dim=3).build(event_shape=(8,))
        >>> [kl.shape for kl in rate_by_dimension(model, torch.zeros(5, 8))]
        [torch.Size([3])]
    """
    need_density(model)
    if samples < 1:
        raise ConfigError("too few samples", expected="at least 1", got=samples, where="samples")
    if not len(x):
        raise DataError("no rows to measure")
    parts = []
    with evaluating(model):
        for rows in row_slices(x, rows_at_once(x, 1)):
            some = like_model(model, x[rows])
            rows_c = None if c is None else like_model(model, c[rows])
            with row_noise(seed, first_row + rows.start, len(some)):
                parts.append(_rate_sums(model, some, rows_c, samples))
    return tuple(torch.stack(group).sum(0) / len(x) for group in zip(*parts, strict=True))


def _rate_sums(model: Scorable, x: Tensor, c: Tensor | None, samples: int) -> list[Tensor]:
    """The KL of each dimension averaged over draws, summed over rows; one tensor a group."""
    drawn: list[list[Tensor]] = []
    for _ in range(samples):
        nodes = model.evidence(x, c).nodes
        drawn.append([node.kl_elements.cpu().double().mean(0).sum(0) for node in nodes])
        if len(nodes) == 1 and nodes[0].q.kl_elements(nodes[0].p) is not None:
            break  # the same for every draw; a lower group's depends on the draw of the upper
    return [torch.stack(group).mean(0) for group in zip(*drawn, strict=True)]


def active_units(means: Tensor, threshold: float = 0.01) -> int:
    r"""How many latent dimensions are used: those with :math:`Var_x(E_q[z_i]) >` ``threshold``.

    Args:
        means: Posterior means, shape ``(n, *latent)``.
        threshold: Smallest variance that counts as use.

    Raises:
        DataError: If there are fewer than two rows, or a mean is not finite.

    References:
        Importance Weighted Autoencoders (Burda, Grosse & Salakhutdinov, 2015), arXiv:1509.00519.

    Example:
        >>> active_units(torch.tensor([[0.0, 1.0], [0.0, -1.0]]))
        1
    """
    if len(means) < 2:
        raise DataError("no variance over rows", expected="at least 2 rows", got=len(means))
    wrong = int((~means.flatten(1).isfinite().all(1)).sum())
    if wrong:
        raise DataError(
            "no variance of codes that are not finite", got=f"{wrong:,} of {len(means):,} rows"
        )
    variance = means.flatten(1).double().var(0, correction=0)
    return int((variance > threshold).sum())


def frontier(rates: Sequence[float], distortions: Sequence[float]) -> list[int]:
    r"""Which models are the best for some weight of the rate, from low rate to high.

    A model is kept if it minimises :math:`D + \beta R` for some :math:`\beta \ge 0`: a corner of
    the convex hull at its lower left. Between two of them lies a β = −ΔD/ΔR at which both are as
    good. The others gave away nats: another model, or a mixture of two, has less of both.

    Args:
        rates: R of each model, nats.
        distortions: D of each model, nats.

    Returns:
        Their numbers.

    Raises:
        DataError: If there are no models, not as many rates as distortions, or a value is not
            finite.

    References:
        Fixing a Broken ELBO (Alemi et al., 2018), arXiv:1711.00464.

    Example:
        >>> frontier([0.0, 5.0, 6.0, 9.0], [100.0, 90.0, 95.0, 88.0])
        [0, 1, 3]
    """
    if not len(rates) or len(rates) != len(distortions):
        raise DataError(
            "one rate and one distortion for each model", got=f"{len(rates)}, {len(distortions)}"
        )
    if not all(map(math.isfinite, [*rates, *distortions])):
        raise DataError("rates and distortions must be finite numbers")
    kept: list[int] = []
    for i in sorted(range(len(rates)), key=lambda i: (rates[i], distortions[i])):
        if kept and distortions[i] >= distortions[kept[-1]]:
            continue
        while len(kept) > 1 and _is_above(kept[-2], kept[-1], i, rates, distortions):
            kept.pop()
        kept.append(i)
    return kept


def _is_above(
    a: int, b: int, c: int, rates: Sequence[float], distortions: Sequence[float]
) -> bool:
    """Whether point b lies on or above the line from a to c."""
    run, rise = rates[c] - rates[a], distortions[c] - distortions[a]
    return (distortions[b] - distortions[a]) * run >= rise * (rates[b] - rates[a])


def posterior_means(model: Scorable, x: Tensor, c: Tensor | None = None) -> Tensor:
    """E_q[z] of each row, float64 on the CPU, shape ``(n, *latent)``."""
    with evaluating(model):
        rows_c = None if c is None else like_model(model, c)
        return model.encode(like_model(model, x), rows_c).mean.cpu().double()


def rate_distortion(
    model: Scorable, data: Batches, *, samples: int = 16, seed: int = 0, batch_size: int = 500
) -> RateDistortion:
    """Rate and distortion of a data set, and how the rate divides over the latent dimensions.

    Args:
        model: A model that has a density.
        data: The rows.
        samples: Codes to draw for each row.
        seed: Determines the draws of each row, with its number: nothing depends on the batches,
            and standard errors over rows hold the error of the draws.
        batch_size: Rows to take at a time.

    Raises:
        ConfigError: If the model has no density.
        DataError: If there are no rows.
    """
    scores, means, weighted, n = [], [], [], 0
    for b in data.batches(batch_size, train=False):
        own: dict[str, Any] = {"samples": samples, "seed": seed, "first_row": n}
        scores.append(score(model, b.x, b.c, **own))
        means.append(posterior_means(model, b.x, b.c))
        weighted.append([len(b.x) * group for group in rate_by_dimension(model, b.x, b.c, **own)])
        n += len(b.x)
    if not scores:
        raise DataError("no rows to measure")
    rate, rate_error = mean_and_error(torch.cat([s.rate for s in scores]))
    distortion, distortion_error = mean_and_error(torch.cat([s.distortion for s in scores]))
    return RateDistortion(
        rate=rate,
        distortion=distortion,
        rate_error=rate_error,
        distortion_error=distortion_error,
        by_dimension=tuple(torch.stack(g).sum(0) / n for g in zip(*weighted, strict=True)),
        active_units=active_units(torch.cat(means)) if n > 1 else None,
        n=n,
    )
