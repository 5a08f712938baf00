"""What a VAE must beat: linear maps, kernels, neighbours, Boltzmann machines, autoencoders."""

from vaekit.baselines.autoencoders import (
    Autoencoder,
    ContractiveAutoencoder,
    LinearAutoencoder,
    NeuralRepresentation,
    SparseAutoencoder,
)
from vaekit.baselines.dbn import DBN, DeepBelief
from vaekit.baselines.factor_analysis import FactorAnalysis, Factors
from vaekit.baselines.flat import FlatEncoder, FlatRepresentation
from vaekit.baselines.ica import ICA, IndependentComponents
from vaekit.baselines.kernel_pca import KernelComponents, KernelPCA
from vaekit.baselines.linear import LinearRepresentation
from vaekit.baselines.nmf import NMF, NonNegativeParts
from vaekit.baselines.pca import PCA, PrincipalComponents
from vaekit.baselines.ppca import PPCA, ProbabilisticPCA
from vaekit.baselines.rbm import RBM
from vaekit.baselines.representation import Representation, summarise
from vaekit.baselines.tsne import TSNE, NeighbourEmbedding

__all__ = [
    "DBN",
    "ICA",
    "NMF",
    "PCA",
    "PPCA",
    "RBM",
    "TSNE",
    "Autoencoder",
    "ContractiveAutoencoder",
    "DeepBelief",
    "FactorAnalysis",
    "Factors",
    "FlatEncoder",
    "FlatRepresentation",
    "IndependentComponents",
    "KernelComponents",
    "KernelPCA",
    "LinearAutoencoder",
    "LinearRepresentation",
    "NeighbourEmbedding",
    "NeuralRepresentation",
    "NonNegativeParts",
    "PrincipalComponents",
    "ProbabilisticPCA",
    "Representation",
    "SparseAutoencoder",
    "summarise",
]
