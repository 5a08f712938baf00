"""The normalising-flow prior, with or without a context."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal

import torch
from torch import Tensor

from vaekit.distributions import Flow, FlowDensity, Normal
from vaekit.errors import ConfigError
from vaekit.latents.prior import Prior
from vaekit.spec import Spec, Within

__all__ = ["FlowOfNormal", "FlowPrior"]

OUTPUTS = {"nsf": 23, "maf": 2, "realnvp": 2}
"""Parameters of each map for each coordinate."""
MAX_WEIGHTS = 2**26


class FlowOfNormal(Spec, kind="prior/flow"):
    r"""A standard normal behind a flow that is learned, :math:`z = f(\epsilon)`.

    With a context the flow reads it, and the prior is p(z|c). Draws cost as many passes as the
    code has dimensions, except for ``realnvp``; densities cost one.

    Args:
        family: ``nsf``, autoregressive rational-quadratic splines on [−5, 5]; ``maf``,
            autoregressive affine maps; ``realnvp``, affine couplings.
        transforms: How many maps, one after the other.
        hidden: Widths of the hidden layers of each.

    References:
        | Variational Lossy Autoencoder (Chen et al., 2016), arXiv:1611.02731, for flow priors.
        | Neural Spline Flows (Durkan et al., 2019), arXiv:1906.04032.
        | Masked Autoregressive Flow (Papamakarios, Pavlakou & Murray, 2017), arXiv:1705.07057.
        | Density estimation using Real NVP (Dinh, Sohl-Dickstein & Bengio, 2016),
          arXiv:1605.08803.

    Example:
        >>> p = FlowOfNormal(transforms=2, hidden=(8,)).build(latent_shape=(2,))()
        >>> p.sample((5,)).shape, p.log_prob(torch.zeros(5, 2)).shape
        (torch.Size([5, 2]), torch.Size([5]))
    """

    family: Literal["nsf", "maf", "realnvp"] = "nsf"
    transforms: Annotated[int, Within(1, 100)] = 3
    hidden: tuple[Annotated[int, Within(1, 65_536)], ...] = (64, 64)

    def build(self, *, latent_shape: Sequence[int], context_dim: int = 0) -> FlowPrior:
        """The module for codes of ``latent_shape``.

        Raises:
            ConfigError: If it would have more than 2^26 weights.
        """
        return FlowPrior(self, latent_shape, context_dim)


class FlowPrior(Prior):
    """The module of :class:`FlowOfNormal`."""

    like: Tensor

    def __init__(self, spec: FlowOfNormal, latent_shape: Sequence[int], context_dim: int) -> None:
        super().__init__(spec, latent_shape)
        self.context_dim = context_dim
        self.register_buffer("like", torch.zeros(self.latent_shape))
        features = self.latent_shape[0]
        _check_size(spec, features, context_dim)
        with torch.device("cpu"):  # masks are computed, which no meta device can do
            flow = _family(spec.family)(
                features=features,
                context=context_dim,
                transforms=spec.transforms,
                hidden_features=spec.hidden,
            )
        self.flow = _Zuko(flow).to(self.like.device)

    def forward(self, context: Tensor | None = None) -> FlowDensity:
        """The density over ``latent_shape``, with batch shape (B,) where there is a context."""
        if self.context_dim and context is None:
            raise ConfigError("this prior needs a context", remedy="pass c")
        context = context if self.context_dim else None
        zeros = self.like if context is None else self.like.expand(len(context), -1)
        base = Normal.from_log_scale(zeros, torch.zeros_like(zeros))
        return FlowDensity(base, self.flow, context)


class _Zuko(Flow):
    """A flow of zuko's; its transforms map z to ε."""

    def __init__(self, flow: Any) -> None:
        super().__init__()
        self.transform = flow.transform  # its base is left: it is ours

    def forward(
        self, value: Tensor, context: Tensor | None = None, *, inverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        with torch.autocast(value.device.type, enabled=False):
            to_eps = self.transform(context)
            if inverse:
                eps, log_det = to_eps.call_and_ladj(value)
                return eps, -log_det
            z, log_det = to_eps.inv.call_and_ladj(value)
            return z, log_det


def _check_size(spec: FlowOfNormal, features: int, context_dim: int) -> None:
    """Refuse what would fill memory before it is built."""
    widths = [features + context_dim, *spec.hidden, OUTPUTS[spec.family] * features]
    weights = spec.transforms * sum(n_in * n_out for n_in, n_out in pairwise(widths))
    if weights > MAX_WEIGHTS:
        raise ConfigError(
            "the flow is too large",
            expected=f"at most {MAX_WEIGHTS:,} weights",
            got=f"{weights:,}",
            where=spec.kind,
            remedy="narrower hidden layers, fewer transforms, or a smaller latent dimension",
        )


def _family(name: str) -> Any:
    import zuko

    return {"nsf": zuko.flows.NSF, "maf": zuko.flows.MAF, "realnvp": zuko.flows.RealNVP}[name]
