"""Small densities for the hot path, and the closed-form KL divergences between them."""

from vaekit.distributions.bernoulli import Bernoulli
from vaekit.distributions.categorical import Categorical
from vaekit.distributions.continuous_bernoulli import ContinuousBernoulli
from vaekit.distributions.counts import NegativeBinomial, Poisson
from vaekit.distributions.delta import Delta
from vaekit.distributions.density import (
    Density,
    JointDensity,
    kl_elements,
    register_kl,
    sum_events,
    widen,
)
from vaekit.distributions.discretised_logistic import DiscretisedLogistic
from vaekit.distributions.flow import Flow, FlowChain, FlowDensity
from vaekit.distributions.laplace import Laplace
from vaekit.distributions.logistic_mixture import LogisticMixture
from vaekit.distributions.mixture import Mixture
from vaekit.distributions.noise import (
    Source,
    drawing_from,
    flattened_rows,
    open_uniform,
    row_noise,
    shared_noise,
    stacked_noise,
    standard_normal,
    uniform,
    without_rows,
)
from vaekit.distributions.normal import (
    Normal,
    StandardNormal,
    TriangularNormal,
    mirrored_draws,
)
from vaekit.distributions.one_hot import OneHot
from vaekit.distributions.ordinal import Ordinal
from vaekit.distributions.sharing import batch_mean, sharing
from vaekit.distributions.sphere import UniformSphere, VonMisesFisher
from vaekit.distributions.student_t import StudentT
from vaekit.distributions.table import TableDensity
from vaekit.distributions.von_mises import VonMises

__all__ = [
    "Bernoulli",
    "Categorical",
    "ContinuousBernoulli",
    "Delta",
    "Density",
    "DiscretisedLogistic",
    "Flow",
    "FlowChain",
    "FlowDensity",
    "JointDensity",
    "Laplace",
    "LogisticMixture",
    "Mixture",
    "NegativeBinomial",
    "Normal",
    "OneHot",
    "Ordinal",
    "Poisson",
    "Source",
    "StandardNormal",
    "StudentT",
    "TableDensity",
    "TriangularNormal",
    "UniformSphere",
    "VonMises",
    "VonMisesFisher",
    "batch_mean",
    "drawing_from",
    "flattened_rows",
    "kl_elements",
    "mirrored_draws",
    "open_uniform",
    "register_kl",
    "row_noise",
    "shared_noise",
    "sharing",
    "stacked_noise",
    "standard_normal",
    "sum_events",
    "uniform",
    "widen",
    "without_rows",
]
