r"""The codes of all data against the prior, as a critic sees them."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from vaekit.models import Evidence, Node
from vaekit.objectives.critics import CodeCritic, Score, charged, codes_of
from vaekit.objectives.fixed import require_fixed
from vaekit.objectives.mmd import DRAWS_ALONE, prior_draws
from vaekit.objectives.objective import END, Loss, Progress, whole
from vaekit.objectives.schedules import Weight

__all__ = ["WAEGAN"]


class WAEGAN(CodeCritic, kind="objective/wae-gan"):
    r"""Distortion, and codes that a critic takes for draws of the prior.

    .. math:: L = -E_q \log p(x|z) - \lambda\, E_q \log D(z), \quad D(z) = 1 / (1 + e^{s(z)})

    The critic s tells codes from draws of the prior, so D is how probably z is a draw of the
    prior. The posterior may be a point. Called, it is the distortion alone.

    Args:
        critic: Widths of the critic's hidden layers; the papers' are ``(512,) * 4`` and
            ``(1000, 1000)``.
        optimizer: Of the critic; None for a second one like the model's.
        weight: λ.

    Raises:
        ConfigError: When called, for a prior with parameters: the critic sees its draws alone, so
            nothing would train them. Fit such a prior afterwards (``fit_prior``).

    References:
        | Adversarial Autoencoders (Makhzani, Shlens, Jaitly, Goodfellow & Frey, 2015),
          arXiv:1511.05644.
        | Wasserstein Auto-Encoders (Tolstikhin, Bousquet, Gelly & Schölkopf, 2017),
          arXiv:1711.01558.

    Example:
        >>> import torch
        >>> from vaekit.latents import Point
        >>> from vaekit.models import FlatVAE
        >>> model = FlatVAE(posterior=Point()).build(event_shape=(3,))
        >>> sorted(WAEGAN()(model.evidence(torch.rand(8, 3))).terms)
        ['distortion', 'loss']
    """

    weight: Weight = 10.0

    def __call__(
        self,
        evidence: Evidence,
        *,
        batch: Any = None,
        model: nn.Module | None = None,
        progress: Progress = END,
    ) -> Loss:
        """The distortion and the model's own penalties."""
        for node in evidence.nodes:
            require_fixed(node, DRAWS_ALONE)
        distortion = -evidence.log_px.mean()
        return whole(evidence, distortion, {"distortion": distortion})

    def fool(self, evidence: Evidence, *, critic: Score, **context: Any) -> Loss:
        """The distortion plus λ times −log D at the codes, the term adversarial."""
        surprise = F.softplus(critic(codes_of(evidence))).mean()
        return charged(self(evidence, **context), self.weight, adversarial=surprise)

    def others(self, node: Node) -> Tensor:
        """As many draws of the prior as codes."""
        return prior_draws(node)
