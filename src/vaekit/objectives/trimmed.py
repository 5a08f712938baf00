"""The evidence lower bound of the rows that fit best: training on data with anomalies in it."""

from __future__ import annotations

from typing import Annotated, Any

from torch import Tensor, nn

from vaekit.models import Evidence
from vaekit.objectives.objective import END, Loss, Objective, Progress, whole
from vaekit.objectives.schedules import Weight, value_at
from vaekit.spec import Role, Within

__all__ = ["Trimmed"]


class Trimmed(Objective, kind="objective/trimmed"):
    r"""Minus the ELBO, averaged over the rows of a batch whose bound is highest.

    .. math:: L = -\frac1{|S|} \sum_{i \in S} \mathrm{ELBO}_\beta(x_i)

    where S leaves out the share ``fraction`` of the rows with the lowest bounds. What is left out
    has no influence, as in least trimmed squares; held-out rows are all counted.

    Args:
        fraction: Share of each batch to leave out, rounded down to whole rows.
        beta: Weight of the rate: a number, or a schedule over the run.
        samples: Codes per example.

    References:
        Least Median of Squares Regression (Rousseeuw, 1984), Journal of the American Statistical
        Association 79, for the trimmed loss.

    Example:
        >>> import torch
        >>> from vaekit.models import FlatVAE
        >>> model = FlatVAE().build(event_shape=(3,))
        >>> evidence = model.evidence(torch.rand(8, 3))
        >>> loss = Trimmed(fraction=0.25)(evidence)
        >>> best = evidence.elbo[0].sort().values[2:]
        >>> bool(torch.isclose(loss.total, -best.mean()))
        True
    """

    fraction: Annotated[float, Within(0.0, 0.9)] = 0.1
    beta: Weight | Annotated[Any, Role("schedule")] = 1.0
    samples: Annotated[int, Within(1, 10_000)] = 1

    def for_held_out(self, data: Any) -> Objective:
        """All held-out rows count."""
        return self.replace(fraction=0.0)

    def __call__(
        self,
        evidence: Evidence,
        *,
        batch: Any = None,
        model: nn.Module | None = None,
        progress: Progress = END,
    ) -> Loss:
        """The loss, with terms distortion, rate and kl of the rows that are kept."""
        beta = value_at(self.beta, progress.fraction)
        distortion, rate = evidence.distortion.mean(0), evidence.rate.mean(0)
        cost = distortion + beta * rate
        kept = cost.detach().topk(self._kept(len(cost)), largest=False, sorted=False).indices
        kl = [_by_dimension(node.kl_elements)[kept].mean(0) for node in evidence.nodes]
        terms = {"distortion": distortion[kept].mean(), "rate": rate[kept].mean()}
        if len(kl) == 1:
            terms["kl"] = kl[0]
        return whole(evidence, cost[kept].mean(), terms)

    def _kept(self, rows: int) -> int:
        return max(1, rows - int(self.fraction * rows + 1e-9))  # 0.29 · 100 is 28.999…


def _by_dimension(kl_elements: Tensor) -> Tensor:
    """(K, B, C, …) → (B, C)."""
    kl = kl_elements.mean(0)
    return kl.flatten(2).sum(-1) if kl.dim() > 2 else kl
