"""What to measure of a model and its scores: likelihoods, codes, samples, detection, ranks."""

from vaekit.metrics.calibration import Isotonic, Platt
from vaekit.metrics.cards import card_precision
from vaekit.metrics.conformal import (
    Band,
    FalsePositives,
    conformal_threshold,
    false_positives,
    joint_band,
    p_values,
)
from vaekit.metrics.detection import (
    BestF1,
    auroc,
    average_precision,
    best_f1,
    detection,
    f1_at,
    precision_at,
)
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
from vaekit.metrics.ranks import MethodRanks, critical_difference, holm, rank_methods
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
from vaekit.metrics.thresholds import (
    LeastCost,
    by_budget,
    by_contamination,
    by_cost,
    by_fdr,
)

__all__ = [
    "BASIC",
    "DCI",
    "KEYS",
    "MEASURES",
    "Band",
    "Batch",
    "Batches",
    "BestF1",
    "Clusters",
    "FalsePositives",
    "Features",
    "Instruments",
    "Isotonic",
    "LeastCost",
    "Manifolds",
    "Measure",
    "MethodRanks",
    "Pixels",
    "Platt",
    "RateDistortion",
    "Scorable",
    "Scores",
    "Surgery",
    "active_units",
    "auroc",
    "average_precision",
    "best_f1",
    "bits_per_dim",
    "blank_metrics",
    "by_budget",
    "by_contamination",
    "by_cost",
    "by_fdr",
    "card_precision",
    "cluster_agreement",
    "compare_manifolds",
    "conformal_threshold",
    "critical_difference",
    "dci",
    "decibels",
    "detection",
    "elbo",
    "elbo_surgery",
    "evaluate_model",
    "f1_at",
    "factor_vae_score",
    "false_positives",
    "features_of",
    "frechet_distance",
    "frechet_normals",
    "frontier",
    "holm",
    "jackknife",
    "joint_band",
    "kernel_distance",
    "knn_accuracy",
    "linear_r2",
    "log_marginal",
    "logistic_accuracy",
    "mean_and_error",
    "mig",
    "mse",
    "p_values",
    "posterior_means",
    "precision_at",
    "psnr",
    "put_active_units",
    "put_disentanglement",
    "put_mean",
    "put_neighbours",
    "put_numbers",
    "put_probes",
    "put_reconstruction",
    "put_samples",
    "rank_methods",
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
