"""What a VAE must beat: linear maps and autoencoders behind the same protocol as the VAEs."""

from vaekit.baselines.autoencoders import (
    Autoencoder,
    ContractiveAutoencoder,
    LinearAutoencoder,
    NeuralRepresentation,
    SparseAutoencoder,
)
from vaekit.baselines.factor_analysis import FactorAnalysis, Factors
from vaekit.baselines.pca import PCA, PrincipalComponents
from vaekit.baselines.ppca import PPCA, ProbabilisticPCA
from vaekit.baselines.representation import LinearRepresentation, Representation, summarise

__all__ = [
    "PCA",
    "PPCA",
    "Autoencoder",
    "ContractiveAutoencoder",
    "FactorAnalysis",
    "Factors",
    "LinearAutoencoder",
    "LinearRepresentation",
    "NeuralRepresentation",
    "PrincipalComponents",
    "ProbabilisticPCA",
    "Representation",
    "SparseAutoencoder",
    "summarise",
]
