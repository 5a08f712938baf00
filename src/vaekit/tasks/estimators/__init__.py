"""scikit-learn estimators: plain parameters, fitted attributes, codes and scores in float64."""

from vaekit.tasks.estimators.reducer import VAEReducer
from vaekit.tasks.estimators.vae import VAE

__all__ = ["VAE", "VAEReducer"]
