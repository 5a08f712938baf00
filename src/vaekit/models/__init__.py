"""Topologies of latent variables, and the record of evidence that they all return."""

from vaekit.models.enumerated import Enumerated
from vaekit.models.evidence import Evidence, Node
from vaekit.models.initial import initialise, uninitialised
from vaekit.models.linear import LinearVAE, LinearVAEModel
from vaekit.models.second_stage import SecondStage, SecondStageDensity, SecondStagePrior
from vaekit.models.semi_supervised import SemiSupervisedVAE, SemiSupervisedVAEModel
from vaekit.models.stack import ModelStack, StackedEvidence
from vaekit.models.vae import FlatVAE, VAEModel, draw

__all__ = [
    "Enumerated",
    "Evidence",
    "FlatVAE",
    "LinearVAE",
    "LinearVAEModel",
    "ModelStack",
    "Node",
    "SecondStage",
    "SecondStageDensity",
    "SecondStagePrior",
    "SemiSupervisedVAE",
    "SemiSupervisedVAEModel",
    "StackedEvidence",
    "VAEModel",
    "draw",
    "initialise",
    "uninitialised",
]
