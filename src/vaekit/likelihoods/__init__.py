"""Likelihoods p(x|z), one file each."""

from vaekit.likelihoods.bernoulli import Bernoulli, BernoulliLikelihood
from vaekit.likelihoods.categorical import Categorical, CategoricalLikelihood
from vaekit.likelihoods.continuous_bernoulli import (
    ContinuousBernoulli,
    ContinuousBernoulliLikelihood,
)
from vaekit.likelihoods.discretised_logistic import (
    DiscretisedLogistic,
    DiscretisedLogisticLikelihood,
)
from vaekit.likelihoods.gaussian import Gaussian, GaussianLikelihood
from vaekit.likelihoods.laplace import Laplace, LaplaceLikelihood
from vaekit.likelihoods.likelihood import Likelihood
from vaekit.likelihoods.scaled import ScaledLikelihood

__all__ = [
    "Bernoulli",
    "BernoulliLikelihood",
    "Categorical",
    "CategoricalLikelihood",
    "ContinuousBernoulli",
    "ContinuousBernoulliLikelihood",
    "DiscretisedLogistic",
    "DiscretisedLogisticLikelihood",
    "Gaussian",
    "GaussianLikelihood",
    "Laplace",
    "LaplaceLikelihood",
    "Likelihood",
    "ScaledLikelihood",
]
