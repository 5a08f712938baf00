"""Likelihoods p(x|z), one file each."""

from vaekit.likelihoods.bernoulli import Bernoulli, BernoulliLikelihood
from vaekit.likelihoods.categorical import Categorical, CategoricalLikelihood
from vaekit.likelihoods.continuous_bernoulli import (
    ContinuousBernoulli,
    ContinuousBernoulliLikelihood,
)
from vaekit.likelihoods.cost import Cost, CostLikelihood, Perceptual, PerceptualCost
from vaekit.likelihoods.discretised_logistic import (
    DiscretisedLogistic,
    DiscretisedLogisticLikelihood,
)
from vaekit.likelihoods.gaussian import Gaussian, GaussianLikelihood
from vaekit.likelihoods.laplace import Laplace, LaplaceLikelihood
from vaekit.likelihoods.likelihood import Likelihood
from vaekit.likelihoods.negative_binomial import NegativeBinomial, NegativeBinomialLikelihood
from vaekit.likelihoods.poisson import CountLikelihood, Poisson, PoissonLikelihood
from vaekit.likelihoods.scaled import ScaledLikelihood
from vaekit.likelihoods.student_t import StudentT, StudentTLikelihood

__all__ = [
    "Bernoulli",
    "BernoulliLikelihood",
    "Categorical",
    "CategoricalLikelihood",
    "ContinuousBernoulli",
    "ContinuousBernoulliLikelihood",
    "Cost",
    "CostLikelihood",
    "CountLikelihood",
    "DiscretisedLogistic",
    "DiscretisedLogisticLikelihood",
    "Gaussian",
    "GaussianLikelihood",
    "Laplace",
    "LaplaceLikelihood",
    "Likelihood",
    "NegativeBinomial",
    "NegativeBinomialLikelihood",
    "Perceptual",
    "PerceptualCost",
    "Poisson",
    "PoissonLikelihood",
    "ScaledLikelihood",
    "StudentT",
    "StudentTLikelihood",
]
