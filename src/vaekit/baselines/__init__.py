"""What a VAE must beat: linear representations behind the same protocol as the VAEs."""

from vaekit.baselines.factor_analysis import FactorAnalysis, Factors
from vaekit.baselines.pca import PCA, PrincipalComponents
from vaekit.baselines.ppca import PPCA, ProbabilisticPCA
from vaekit.baselines.representation import LinearRepresentation, Representation, summarise

__all__ = [
    "PCA",
    "PPCA",
    "FactorAnalysis",
    "Factors",
    "LinearRepresentation",
    "PrincipalComponents",
    "ProbabilisticPCA",
    "Representation",
    "summarise",
]
