"""Path derivatives: gradients that reach the posterior's parameters through the codes alone."""

from __future__ import annotations

from collections.abc import Sequence

from vaekit.errors import ConfigError
from vaekit.models import Evidence, Node

__all__ = ["require_paths"]


def require_paths(evidence: Evidence, gradient: str) -> None:
    """Refuse models in which a code does not carry all of the posterior's gradient.

    With several latent groups the posterior of one depends on the codes of those before, so
    holding its parameters constant would cut their path too. A code that is scored by an index
    has no path at all, and that of a discrete code is an approximation.

    Raises:
        ConfigError: If the estimator would be biased.
    """
    if (got := _obstacle(evidence.nodes)) is not None:
        raise ConfigError(
            f"the gradient {gradient!r} needs a single group of continuous codes",
            got=got,
            where="objective.gradient",
            remedy="use gradient=plain",
        )


def _obstacle(nodes: Sequence[Node]) -> str | None:
    if len(nodes) != 1:
        return f"{len(nodes)} latent groups"
    if nodes[0].value is not nodes[0].z:
        return "codes that are scored by their index"
    return None if nodes[0].q.draws_have_paths else "discrete codes"
