"""What to measure of a model: likelihoods, rate and distortion, errors, codes, samples."""

from vaekit.metrics.disentanglement import (
    DCI,
    dci,
    factor_vae_score,
    mig,
    put_disentanglement,
    sap,
)
from vaekit.metrics.evaluate import evaluate_model
from vaekit.metrics.features import Features, Pixels, features_of
from vaekit.metrics.frechet import frechet_distance, frechet_normals
from vaekit.metrics.jackknife import jackknife
from vaekit.metrics.kernel_distance import kernel_distance
from vaekit.metrics.likelihood import (
    Scores,
    bits_per_dim,
    elbo,
    log_marginal,
    mean_and_error,
    score,
)
from vaekit.metrics.manifolds import Manifolds, compare_manifolds
from vaekit.metrics.measures import KEYS, MEASURES, Measure
from vaekit.metrics.probe_table import put_neighbours, put_numbers, put_probes
from vaekit.metrics.probes import (
    Clusters,
    cluster_agreement,
    knn_accuracy,
    linear_r2,
    logistic_accuracy,
    trustworthiness,
)
from vaekit.metrics.rate_distortion import (
    RateDistortion,
    active_units,
    frontier,
    posterior_means,
    rate_by_dimension,
    rate_distortion,
)
from vaekit.metrics.reconstruction import decibels, mse, psnr, squared_error
from vaekit.metrics.scored import Batch, Batches, Scorable
from vaekit.metrics.structure import ssim, structural_similarity
from vaekit.metrics.surgery import Surgery, elbo_surgery
from vaekit.metrics.table import (
    BASIC,
    Instruments,
    blank_metrics,
    put_active_units,
    put_mean,
    put_reconstruction,
    put_samples,
    row_errors,
)

__all__ = [
    "BASIC",
    "DCI",
    "KEYS",
    "MEASURES",
    "Batch",
    "Batches",
    "Clusters",
    "Features",
    "Instruments",
    "Manifolds",
    "Measure",
    "Pixels",
    "RateDistortion",
    "Scorable",
    "Scores",
    "Surgery",
    "active_units",
    "bits_per_dim",
    "blank_metrics",
    "cluster_agreement",
    "compare_manifolds",
    "dci",
    "decibels",
    "elbo",
    "elbo_surgery",
    "evaluate_model",
    "factor_vae_score",
    "features_of",
    "frechet_distance",
    "frechet_normals",
    "frontier",
    "jackknife",
    "kernel_distance",
    "knn_accuracy",
    "linear_r2",
    "log_marginal",
    "logistic_accuracy",
    "mean_and_error",
    "mig",
    "mse",
    "posterior_means",
    "psnr",
    "put_active_units",
    "put_disentanglement",
    "put_mean",
    "put_neighbours",
    "put_numbers",
    "put_probes",
    "put_reconstruction",
    "put_samples",
    "rate_by_dimension",
    "rate_distortion",
    "row_errors",
    "sap",
    "score",
    "squared_error",
    "ssim",
    "structural_similarity",
    "trustworthiness",
]
