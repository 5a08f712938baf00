"""Path derivatives: gradients that reach the posterior's parameters through the codes alone."""

from __future__ import annotations

from vaekit.errors import ConfigError
from vaekit.models import Evidence

__all__ = ["require_paths"]


def require_paths(evidence: Evidence, gradient: str) -> None:
    """Refuse models in which a code does not carry all of the posterior's gradient.

    With several latent groups the posterior of one depends on the codes of those before, so
    holding its parameters constant would cut their path too. A code that is scored by an index
    has no path at all.

    Raises:
        ConfigError: If the estimator would be biased.
    """
    if len(evidence.nodes) == 1 and evidence.nodes[0].value is evidence.nodes[0].z:
        return
    raise ConfigError(
        f"the gradient {gradient!r} needs a single group of continuous codes",
        got=f"{len(evidence.nodes)} latent groups"
        if len(evidence.nodes) != 1
        else "codes that are scored by their index",
        where="objective.gradient",
        remedy="use gradient=plain",
    )
