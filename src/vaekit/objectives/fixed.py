"""Priors that an objective would leave as they are: refused where they have parameters."""

from __future__ import annotations

from vaekit.errors import ConfigError
from vaekit.models import Node

__all__ = ["require_fixed"]


def require_fixed(node: Node, why: str) -> None:
    """Refuse a prior with parameters, where the objective gives them no gradient.

    Args:
        node: The latent group.
        why: What the objective lacks, the rest of "the prior would stay untrained".

    Raises:
        ConfigError: If the prior's density depends on parameters.
    """
    if node.prior_learns:
        raise ConfigError(
            f"the prior would stay untrained: {why}",
            expected="a prior without parameters",
            got=type(node.p).__name__,
            remedy="train with a fixed prior such as 'standard', and fit this one afterwards "
            "with fit-prior; or choose an objective with a rate, such as 'elbo', and a posterior "
            "with a density, such as 'diagonal'",
        )
