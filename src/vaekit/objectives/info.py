r"""Objectives that compare all codes with the prior by a maximum mean discrepancy."""

from __future__ import annotations

from typing import Annotated, Any

from torch import Tensor, nn

from vaekit.errors import ConfigError
from vaekit.models import Evidence
from vaekit.objectives.elbo import Bound
from vaekit.objectives.mmd import Kernel, discrepancy, prior_draws, trained_draws
from vaekit.objectives.objective import END, Loss, Objective, Progress, whole
from vaekit.objectives.schedules import Weight
from vaekit.spec import Within

__all__ = ["WAE", "InfoVAE"]


class InfoVAE(Objective, kind="objective/info"):
    r"""The ELBO with less of the rate and more of the divergence of all codes from the prior.

    .. math::
        L = -E_q \log p(x|z) + (1 - \alpha)\, \mathrm{KL}(q(z|x) \| p(z))
        + (\alpha + \lambda - 1)\, \mathrm{MMD}^2(q(z), p(z))

    Args:
        alpha: α. 0 with λ = 1 is the ELBO, 1 is the MMD-VAE, which charges no rate and so refuses
            priors that only a rate can train (a mixture).
        lambda_: λ, weight of the divergence of the codes of all data from the prior.
        kernel: Of the MMD; see :func:`~vaekit.objectives.mmd.mmd`.

    References:
        InfoVAE: Balancing Learning and Inference in Variational Autoencoders (Zhao, Song & Ermon,
        2017), arXiv:1706.02262.

    Example:
        >>> import torch
        >>> from vaekit.models import FlatVAE
        >>> evidence = FlatVAE().build(event_shape=(3,)).evidence(torch.rand(8, 3))
        >>> InfoVAE(alpha=0.0, lambda_=1.0)(evidence).total.isclose(-evidence.elbo.mean()).item()
        True
    """

    alpha: Annotated[float, Within(-1e6, 1.0)] = 0.0
    lambda_: Weight = 10.0
    kernel: Kernel = "imq"

    def validate(self) -> None:  # noqa: D102
        if self.alpha + self.lambda_ < 1:
            raise ConfigError(
                "the codes would be driven away from the prior",
                expected="alpha + lambda_ of at least 1",
                got=f"{self.alpha} + {self.lambda_}",
            )

    def __call__(
        self,
        evidence: Evidence,
        *,
        batch: Any = None,
        model: nn.Module | None = None,
        progress: Progress = END,
    ) -> Loss:
        """The loss, with terms distortion, rate, kl and mmd."""
        unrated = self.alpha == 1
        bound = Bound(evidence, alone=not unrated)
        apart = total_discrepancy(evidence, self.kernel, alone=unrated)
        weight = self.alpha + self.lambda_ - 1
        total = bound.distortion + (1 - self.alpha) * bound.rate + weight * apart
        return whole(evidence, total, bound.terms | {"mmd": apart})


class WAE(Objective, kind="objective/wae"):
    r"""The Wasserstein autoencoder with an MMD: distortion, and all codes against the prior.

    .. math:: L = -E_q \log p(x|z) + \lambda\, \mathrm{MMD}^2(q(z), p(z))

    The posterior may be a point, which has no rate. A prior with parameters is trained through
    its draws, and refused where these have no gradient (a mixture).

    Args:
        weight: λ.
        kernel: Of the MMD; see :func:`~vaekit.objectives.mmd.mmd`.

    References:
        Wasserstein Auto-Encoders (Tolstikhin, Bousquet, Gelly & Schölkopf, 2017),
        arXiv:1711.01558.
    """

    weight: Weight = 10.0
    kernel: Kernel = "imq"

    def __call__(
        self,
        evidence: Evidence,
        *,
        batch: Any = None,
        model: nn.Module | None = None,
        progress: Progress = END,
    ) -> Loss:
        """The loss, with terms distortion and mmd."""
        distortion = -evidence.log_px.mean()
        apart = total_discrepancy(evidence, self.kernel, alone=True)
        terms = {"distortion": distortion, "mmd": apart}
        return whole(evidence, distortion + self.weight * apart, terms)


def total_discrepancy(evidence: Evidence, kernel: Kernel, *, alone: bool) -> Tensor:
    """MMD² of all latent groups; pairs are of the rows that one process holds.

    Args:
        evidence: What the model says about the batch.
        kernel: How alike two codes are.
        alone: Whether nothing else in the objective trains the prior.

    Raises:
        ConfigError: If the prior would stay untrained.
    """
    draw = trained_draws if alone else prior_draws
    parts = [discrepancy(node.z, draw(node), kernel) for node in evidence.nodes]
    return sum(parts, evidence.log_px.new_zeros(()))
