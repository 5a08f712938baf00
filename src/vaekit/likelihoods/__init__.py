"""Likelihoods p(x|z), one file each."""

from vaekit.likelihoods.bernoulli import Bernoulli, BernoulliLikelihood
from vaekit.likelihoods.categorical import Categorical, CategoricalLikelihood
from vaekit.likelihoods.circular import Circular, CircularLikelihood
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
from vaekit.likelihoods.logistic_mixture import LogisticMixture, LogisticMixtureLikelihood
from vaekit.likelihoods.negative_binomial import NegativeBinomial, NegativeBinomialLikelihood
from vaekit.likelihoods.ordinal import Ordinal, OrdinalLikelihood
from vaekit.likelihoods.poisson import CountLikelihood, Poisson, PoissonLikelihood
from vaekit.likelihoods.scaled import ScaledLikelihood
from vaekit.likelihoods.student_t import StudentT, StudentTLikelihood
from vaekit.likelihoods.table import ColumnGroup, Missing, Table, TableLikelihood

__all__ = [
    "Bernoulli",
    "BernoulliLikelihood",
    "Categorical",
    "CategoricalLikelihood",
    "Circular",
    "CircularLikelihood",
    "ColumnGroup",
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
    "LogisticMixture",
    "LogisticMixtureLikelihood",
    "Missing",
    "NegativeBinomial",
    "NegativeBinomialLikelihood",
    "Ordinal",
    "OrdinalLikelihood",
    "Perceptual",
    "PerceptualCost",
    "Poisson",
    "PoissonLikelihood",
    "ScaledLikelihood",
    "StudentT",
    "StudentTLikelihood",
    "Table",
    "TableLikelihood",
]
