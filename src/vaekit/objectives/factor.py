r"""The total correlation of the codes of all data, as a critic sees it."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from vaekit.distributions import uniform
from vaekit.errors import ConfigError
from vaekit.models import Evidence, Node
from vaekit.objectives.critics import CodeCritic, Score, charged, codes_of
from vaekit.objectives.elbo import Bound
from vaekit.objectives.objective import END, Contest, Loss, Progress, whole
from vaekit.objectives.schedules import Weight

__all__ = ["FactorVAE", "permuted"]


class FactorVAE(CodeCritic, kind="objective/factor"):
    r"""The ELBO, and a price on the total correlation of the codes.

    .. math:: L = -\mathrm{ELBO} + \gamma\, E_q\, s(z), \quad
        s(z) \approx \log q(z) - \log \prod_j q(z_j)

    The critic s tells codes from codes whose coordinates were permuted over the batch, each by
    itself. They are those of the same batch; the paper takes a second one. Other objectives of
    the total correlation need a posterior with a density of independent coordinates; this one
    takes any over the reals.

    Called, it is minus the ELBO: the total correlation is known in training alone.

    Args:
        critic: Widths of the critic's hidden layers; the paper's is ``(1000,) * 6``.
        optimizer: Of the critic; None for a second one like the model's. The paper's is
            ``Adam(lr=1e-4, beta1=0.5, beta2=0.9)``.
        gamma: γ, weight of the total correlation; 0 is the ELBO.

    References:
        Disentangling by Factorising (Kim & Mnih, 2018), arXiv:1802.05983.

    Example:
        >>> import torch
        >>> from vaekit.models import FlatVAE
        >>> model = FlatVAE().build(event_shape=(3,))
        >>> objective = FactorVAE(gamma=10.0, critic=(32, 32))
        >>> evidence = model.evidence(torch.rand(8, 3))
        >>> bool(torch.isclose(objective(evidence).total, -evidence.elbo.mean()))
        True
        >>> [[side.name for side in sides] for sides in objective.contest(model).rounds]
        [['model', 'critic']]
    """

    gamma: Weight = 10.0

    def __call__(
        self,
        evidence: Evidence,
        *,
        batch: Any = None,
        model: nn.Module | None = None,
        progress: Progress = END,
    ) -> Loss:
        """Minus the ELBO, with terms distortion, rate and kl."""
        bound = Bound(evidence)
        return whole(evidence, bound.distortion + bound.rate, bound.terms)

    def contest(self, model: nn.Module) -> Contest:
        """The model against the critic, in one round.

        Raises:
            ConfigError: If the coordinates of the codes cannot be independent.
        """
        space = getattr(getattr(model, "prior", None), "space", "reals")
        if space != "reals":
            raise ConfigError(
                "coordinates of these codes cannot be independent of each other",
                expected="codes over the reals",
                got=f"codes over {space}",
                where=self.kind,
            )
        return super().contest(model)

    def fool(self, evidence: Evidence, *, critic: Score, **context: Any) -> Loss:
        """Minus the ELBO plus γ times the total correlation, which is a term."""
        score = critic(codes_of(evidence)).mean()
        return charged(self(evidence, **context), self.gamma, total_correlation=score)

    def others(self, node: Node) -> Tensor:
        """The codes with each coordinate permuted over the batch."""
        return permuted(node.z.flatten(2))


def permuted(z: Tensor) -> Tensor:
    """Each coordinate permuted over the rows by itself, (K, B, d): draws of ∏ q(z_j).

    Example:
        >>> import torch
        >>> z = torch.arange(6.0).reshape(1, 3, 2)
        >>> permuted(z).sort(1).values.equal(z)
        True
    """
    order = uniform((), like=z, event_dims=1).argsort(1)
    return z.gather(1, order)
