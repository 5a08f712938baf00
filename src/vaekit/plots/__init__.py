"""Pictures of data, latents and training, each a pure function of arrays that returns a Figure."""

from vaekit.plots.baselines import comparison, explained_variance, two_latent_scatter
from vaekit.plots.detection import (
    detection_curves,
    explaining_columns,
    score_histogram,
    training_loss,
)
from vaekit.plots.generic import curve, sweep
from vaekit.plots.history import kl_per_dimension, rate_distortion_curves
from vaekit.plots.images import image_grid, reconstructions, samples
from vaekit.plots.latent import latent_grid, latent_scatter, traversals
from vaekit.plots.metric import Metric
from vaekit.plots.multiples import panels
from vaekit.plots.plane import rate_distortion_plane
from vaekit.plots.ranks import critical_difference_diagram
from vaekit.plots.save import save, to_png
from vaekit.plots.searches import parameter_importances, parameter_slices, search_history
from vaekit.plots.tables import marginals, profile
from vaekit.plots.whiskers import dots_and_whiskers

__all__ = [
    "Metric",
    "comparison",
    "critical_difference_diagram",
    "curve",
    "detection_curves",
    "dots_and_whiskers",
    "explained_variance",
    "explaining_columns",
    "image_grid",
    "kl_per_dimension",
    "latent_grid",
    "latent_scatter",
    "marginals",
    "panels",
    "parameter_importances",
    "parameter_slices",
    "profile",
    "rate_distortion_curves",
    "rate_distortion_plane",
    "reconstructions",
    "samples",
    "save",
    "score_histogram",
    "search_history",
    "sweep",
    "to_png",
    "training_loss",
    "traversals",
    "two_latent_scatter",
]
