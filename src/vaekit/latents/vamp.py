"""The VampPrior: a mixture of the model's own posteriors at learned pseudo-inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from torch import Tensor, nn

from vaekit.distributions import Mixture
from vaekit.errors import ConfigError
from vaekit.latents.posterior import Posterior
from vaekit.latents.prior import Prior
from vaekit.networks import call_network, probe_features
from vaekit.spec import Ref, Spec, Within

__all__ = ["Vamp", "VampPrior"]

UNBOUNDED = torch.finfo(torch.float32).max


class Vamp(Spec, kind="prior/vamp"):
    r"""A variational mixture of posteriors with K pseudo-inputs :math:`u_k`.

    .. math:: p(z) = \sum_{k=1}^K w_k \, q(z \mid u_k), \qquad w_k = 1/K

    The prior shares the model's encoder and posterior. Its pseudo-inputs start as training rows,
    are learned, and stay within the range of those rows, coordinate by coordinate. In a model with
    a context each keeps the context of its row, and the prior does not depend on the context that
    is asked for.

    Args:
        components: K, the number of pseudo-inputs.
        weighted: Whether the weights are learned too.
        encoder: The network that is shared.
        posterior: The posterior that is shared; it must have a density.

    References:
        VAE with a VampPrior (Tomczak & Welling, 2018), arXiv:1705.07120.

    Example:
        >>> from vaekit.models import FlatVAE, initialise
        >>> model = FlatVAE(latent_dim=2, prior=Vamp(components=3)).build(event_shape=(8,))
        >>> initialise(model, torch.rand(20, 8))
        >>> model.prior().log_prob(torch.zeros(5, 2)).shape
        torch.Size([5])
    """

    components: Annotated[int, Within(1, 100_000)] = 500
    weighted: bool = False
    encoder: Ref = Ref("encoder")
    posterior: Ref = Ref("posterior")

    def build(
        self,
        *,
        latent_shape: Sequence[int],
        event_shape: Sequence[int],
        encoder: nn.Module,
        posterior: Posterior,
        context_dim: int = 0,
    ) -> VampPrior:
        """The module for observations of ``event_shape``, beside the parts that it shares.

        Raises:
            ConfigError: If what it refers to is not a posterior with a density.
            ShapeError: If the network that it refers to does not read observations.
        """
        if not isinstance(posterior, Posterior):
            raise ConfigError(
                "not a posterior", got=type(posterior).__name__, where=f"{self.kind}.posterior"
            )
        probe_features(encoder, event_shape, context_dim=context_dim)
        if not posterior.has_density:
            raise ConfigError(
                "a mixture of posteriors needs a posterior with a density",
                where=self.kind,
                remedy="choose another posterior (for example 'diagonal'), or prior 'mixture'",
            )
        return VampPrior(self, latent_shape, event_shape, encoder, posterior, context_dim)


class VampPrior(Prior):
    """The module of :class:`Vamp`.

    Attributes:
        inputs: The pseudo-inputs before they are put into bounds, shape ``(K, *event)``.
        contexts: Their contexts, shape (K, k).
        initialised: Whether they come from training rows.
    """

    spec: Vamp
    low: Tensor
    high: Tensor
    initialised: Tensor
    contexts: Tensor | None

    def __init__(
        self,
        spec: Vamp,
        latent_shape: Sequence[int],
        event_shape: Sequence[int],
        encoder: nn.Module,
        posterior: Posterior,
        context_dim: int = 0,
    ) -> None:
        super().__init__(spec, latent_shape)
        self._shared = (encoder, posterior)  # hidden: they are the model's, and stored with it
        self.space = posterior.space
        self.inputs = nn.Parameter(torch.randn(spec.components, *event_shape))
        self.logits = nn.Parameter(torch.zeros(spec.components)) if spec.weighted else None
        self.register_buffer("low", torch.full(tuple(event_shape), -UNBOUNDED))
        self.register_buffer("high", torch.full(tuple(event_shape), UNBOUNDED))
        self.register_buffer("initialised", torch.zeros((), dtype=torch.bool))
        contexts = torch.zeros(spec.components, context_dim) if context_dim else None
        self.register_buffer("contexts", contexts)

    @torch.no_grad()
    def initialise(self, x: Tensor, c: Tensor | None = None) -> None:
        """Take evenly spaced rows as pseudo-inputs, unless that was done before.

        Where there are fewer rows than components, the others are the means of two rows.

        Args:
            x: Training rows, shape ``(n, *event)``.
            c: Their contexts, shape (n, k).
        """
        if bool(self.initialised):
            return
        k = torch.arange(self.spec.components, device=x.device)
        lap = min(len(x), self.spec.components)
        first = k % lap * len(x) // lap
        second = (first + k // lap) % len(x)
        self.inputs.copy_((x[first] + x[second]) / 2)
        self.low.copy_(x.amin(0))
        self.high.copy_(x.amax(0))
        if self.contexts is not None and c is not None:
            self.contexts.copy_(c[first])
        self.initialised.fill_(True)

    def pseudo_inputs(self) -> Tensor:
        """The pseudo-inputs within their bounds, shape ``(K, *event)``.

        The bound is a projection whose gradient is that of the identity: a coordinate at its bound
        can come back.
        """
        inputs = self.inputs
        return inputs + (inputs.clamp(self.low, self.high) - inputs).detach()

    def forward(self, context: Tensor | None = None) -> Mixture:
        """The mixture of q(z|u_k) over ``latent_shape``."""
        encoder, posterior = self._shared
        features = call_network(encoder, self.pseudo_inputs(), self.contexts)
        equal = self.inputs.new_zeros(self.spec.components)
        parts = posterior(features, self.contexts)
        return Mixture(parts, equal if self.logits is None else self.logits)
