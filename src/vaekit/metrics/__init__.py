"""What to measure of a model: likelihoods, rate and distortion, reconstructions, codes."""

from vaekit.metrics.evaluate import (
    blank_metrics,
    evaluate_model,
    put_accuracy,
    put_mean,
)
from vaekit.metrics.likelihood import (
    Scores,
    bits_per_dim,
    elbo,
    log_marginal,
    mean_and_error,
    score,
)
from vaekit.metrics.measures import KEYS, MEASURES, Measure
from vaekit.metrics.probes import knn_accuracy
from vaekit.metrics.rate_distortion import (
    RateDistortion,
    active_units,
    posterior_means,
    rate_by_dimension,
    rate_distortion,
)
from vaekit.metrics.reconstruction import mse, psnr, squared_error
from vaekit.metrics.scored import Batch, Batches, Scorable

__all__ = [
    "KEYS",
    "MEASURES",
    "Batch",
    "Batches",
    "Measure",
    "RateDistortion",
    "Scorable",
    "Scores",
    "active_units",
    "bits_per_dim",
    "blank_metrics",
    "elbo",
    "evaluate_model",
    "knn_accuracy",
    "log_marginal",
    "mean_and_error",
    "mse",
    "posterior_means",
    "psnr",
    "put_accuracy",
    "put_mean",
    "rate_by_dimension",
    "rate_distortion",
    "score",
    "squared_error",
]
