r"""A bound for rows with and without labels, and the classifier's own loss on those with."""

from __future__ import annotations

from typing import Annotated, Any

from torch import nn

from vaekit.errors import ConfigError
from vaekit.models import Enumerated, Evidence
from vaekit.objectives.elbo import ELBO
from vaekit.objectives.importance import ImportanceWeighted
from vaekit.objectives.objective import END, Loss, Objective, Progress
from vaekit.spec import Role, Within

__all__ = ["SemiSupervised"]


class SemiSupervised(Objective, kind="objective/semi-supervised"):
    r"""Minus a bound, plus α times the classifier's cross-entropy, in nats per example.

    .. math:: L = -\frac1B \sum_{i} \mathrm{bound}_i
        - \frac{\alpha}{B_l} \sum_{i\ \text{labelled}} \log q(y_i \mid x_i)

    Without the second term a labelled row would teach the classifier nothing. The mean over the
    labelled rows of a batch makes α what the paper has: its weight of a labelled row,
    0.1 · N / N_labelled, is α = 0.1 here.

    Args:
        alpha: α, weight of the mean cross-entropy; 0 leaves the bound alone.
        bound: :class:`ELBO`; or :class:`ImportanceWeighted`, which sums over the classes within
            its logarithm, so that rows without labels teach the classifier nothing.

    Raises:
        ConfigError: If the bound is another objective; when called, if the model has no classes.

    References:
        Semi-supervised Learning with Deep Generative Models (Kingma, Rezende, Mohamed & Welling,
        2014), arXiv:1406.5298.

    Example:
        >>> import torch
        >>> from vaekit.models import SemiSupervisedVAE
        >>> model = SemiSupervisedVAE().build(event_shape=(3,), context_dim=2)
        >>> loss = SemiSupervised()(model.evidence(torch.rand(8, 3)))
        >>> bool(loss.terms["classification"] == 0)  # no row has a label
        True
    """

    alpha: Annotated[float, Within(0.0, 1e6)] = 0.1
    bound: Annotated[Any, Role("objective")] = ELBO()

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
        labelled = evidence.labels.sum().clamp(min=1)
        classification = -evidence.guess.log_prob(evidence.labels).sum() / labelled
        total = bound.total + self.alpha * classification
        return Loss(total, {**bound.terms, "loss": total, "classification": classification})
