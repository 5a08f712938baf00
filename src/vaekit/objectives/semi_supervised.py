r"""A bound for rows with and without labels, and the classifier's own loss on those with."""

from __future__ import annotations

from typing import Annotated, Any, Self

from torch import nn

from vaekit.errors import ConfigError
from vaekit.models import Enumerated, Evidence
from vaekit.objectives.elbo import ELBO
from vaekit.objectives.importance import ImportanceWeighted
from vaekit.objectives.objective import END, Loss, Objective, Progress
from vaekit.spec import Role, Within

__all__ = ["SemiSupervised"]

ROWS_A_TIME = 10_000


class SemiSupervised(Objective, kind="objective/semi-supervised"):
    r"""Minus a bound, plus α times the classifier's cross-entropy, in nats per example.

    .. math:: L = -\frac1B \sum_{i} \mathrm{bound}_i
        - \frac{\alpha}{B} \frac{N}{N_l} \sum_{i\ \text{labelled}} \log q(y_i \mid x_i)

    for a batch of B of N training rows, of which :math:`N_l` have a label. Without the second term
    a labelled row would teach the classifier nothing. The mean over the batches of an epoch is the
    mean over the labelled rows of the data, however few of them a batch has. The paper's objective
    (eq. 9) is N times this one: its weight :math:`\alpha = 0.1 N` is 0.1 here.

    Args:
        alpha: α, weight of the mean cross-entropy; 0 leaves the bound alone.
        bound: :class:`ELBO`; or :class:`ImportanceWeighted`, which sums over the classes within
            its logarithm, so that rows without labels teach the classifier nothing.
        share: :math:`N_l / N`, the share of the training rows that have a label; the training loop
            fills it in.

    Raises:
        ConfigError: If the bound is another objective; when called, if the model has no classes,
            or α is not 0 and the share is not known.

    References:
        Semi-supervised Learning with Deep Generative Models (Kingma, Rezende, Mohamed & Welling,
        2014), arXiv:1406.5298.

    Example:
        >>> import torch
        >>> from vaekit.models import SemiSupervisedVAE
        >>> model = SemiSupervisedVAE().build(event_shape=(3,), context_dim=2)
        >>> loss = SemiSupervised(share=0.1)(model.evidence(torch.rand(8, 3)))
        >>> bool(loss.terms["classification"] == 0)  # no row has a label
        True
    """

    alpha: Annotated[float, Within(0.0, 1e6)] = 0.1
    bound: Annotated[Any, Role("objective")] = ELBO()
    share: Annotated[float, Within(0.0, 1.0)] | None = None

    def validate(self) -> None:  # noqa: D102
        if not isinstance(self.bound, ELBO | ImportanceWeighted):
            raise ConfigError(
                "not a bound for rows with and without labels",
                expected="elbo or iwae",
                got=getattr(self.bound, "kind", repr(self.bound)),
                where=f"{self.kind}.bound",
            )

    @property
    def samples(self) -> int:  # type: ignore[override]
        """As many codes as the bound wants."""
        return int(self.bound.samples)

    def for_data(self, data: Any) -> Self:
        """The objective for this training data, unless it says itself how many have a label."""
        return self if self.share is not None else self.for_held_out(data)

    def for_held_out(self, data: Any) -> Self:
        """The objective on held-out data, which may have all labels where training has few."""
        return self.replace(share=labelled_share(data))

    def __call__(
        self,
        evidence: Evidence,
        *,
        batch: Any = None,
        model: nn.Module | None = None,
        progress: Progress = END,
    ) -> Loss:
        """The loss, with the terms of the bound and ``classification``, −log q(y|x)."""
        if not isinstance(evidence, Enumerated):
            raise ConfigError(
                "this objective needs a model with classes",
                where=self.kind,
                remedy="use model=semi-supervised-vae",
            )
        bound: Loss = self.bound(evidence, batch=batch, model=model, progress=progress)
        classification = -self._weight * evidence.guess.log_prob(evidence.labels).mean()
        total = bound.total + self.alpha * classification
        return Loss(total, {**bound.terms, "loss": total, "classification": classification})

    @property
    def _weight(self) -> float:
        """N / N_l, of a labelled row."""
        if self.share is None and self.alpha:
            raise ConfigError(
                "the cross-entropy needs the share of the training rows that have a label",
                where=self.kind,
                remedy="give share=labelled / rows; the training loop does so by itself",
            )
        return 1 / self.share if self.share else 0.0


def labelled_share(data: Any) -> float:
    """The share of the rows of a data set whose context is a label, in one pass."""
    known = 0
    for batch in data.batches(ROWS_A_TIME):
        known += 0 if batch.c is None else int((batch.c.sum(-1) > 0).sum())
    return known / len(data)
