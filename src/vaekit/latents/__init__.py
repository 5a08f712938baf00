"""Priors p(z) and posteriors q(z|x)."""

from vaekit.latents.posterior import (
    Diagonal,
    DiagonalPosterior,
    Full,
    FullPosterior,
    Point,
    PointPosterior,
    Posterior,
)
from vaekit.latents.prior import (
    ConditionalNormal,
    ConditionalNormalPrior,
    Prior,
    Standard,
    StandardPrior,
)

__all__ = [
    "ConditionalNormal",
    "ConditionalNormalPrior",
    "Diagonal",
    "DiagonalPosterior",
    "Full",
    "FullPosterior",
    "Point",
    "PointPosterior",
    "Posterior",
    "Prior",
    "Standard",
    "StandardPrior",
]
