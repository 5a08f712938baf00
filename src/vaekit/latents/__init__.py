"""Priors p(z) and posteriors q(z|x)."""

from vaekit.latents.categorical import (
    Categorical,
    CategoricalPosterior,
    UniformCategorical,
    UniformCategoricalPrior,
)
from vaekit.latents.flow_posterior import FlowOfFeatures, FlowPosterior
from vaekit.latents.flow_prior import FlowOfNormal, FlowPrior
from vaekit.latents.iaf import IAF, IAFPosterior
from vaekit.latents.mixture import MixtureOfNormals, MixturePrior
from vaekit.latents.planar import Planar, PlanarPosterior
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
from vaekit.latents.sphere import VMF, UniformOnSphere, UniformOnSpherePrior, VMFPosterior
from vaekit.latents.vamp import Vamp, VampPrior

__all__ = [
    "IAF",
    "VMF",
    "Categorical",
    "CategoricalPosterior",
    "ConditionalNormal",
    "ConditionalNormalPrior",
    "Diagonal",
    "DiagonalPosterior",
    "FlowOfFeatures",
    "FlowOfNormal",
    "FlowPosterior",
    "FlowPrior",
    "Full",
    "FullPosterior",
    "IAFPosterior",
    "MixtureOfNormals",
    "MixturePrior",
    "Planar",
    "PlanarPosterior",
    "Point",
    "PointPosterior",
    "Posterior",
    "Prior",
    "Standard",
    "StandardPrior",
    "UniformCategorical",
    "UniformCategoricalPrior",
    "UniformOnSphere",
    "UniformOnSpherePrior",
    "VMFPosterior",
    "Vamp",
    "VampPrior",
]
