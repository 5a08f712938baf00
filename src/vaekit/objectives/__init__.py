"""Objectives: pure functions of Evidence, and the schedules of their weights."""

from vaekit.objectives.adversarial import WAEGAN
from vaekit.objectives.autoencoder import Autoencoding
from vaekit.objectives.critics import CodeCritic
from vaekit.objectives.dip import DIP
from vaekit.objectives.elbo import ELBO, mean_kl
from vaekit.objectives.factor import FactorVAE
from vaekit.objectives.importance import ImportanceWeighted
from vaekit.objectives.info import WAE, InfoVAE
from vaekit.objectives.mmd import mmd
from vaekit.objectives.objective import END, Contest, Loss, Objective, Progress, Side
from vaekit.objectives.schedules import Cosine, Cyclic, Linear, Schedule, Sigmoid, Steps, value_at
from vaekit.objectives.semi_supervised import SemiSupervised
from vaekit.objectives.stacked import Stacked
from vaekit.objectives.total_correlation import BetaTC
from vaekit.objectives.trimmed import Trimmed

__all__ = [
    "DIP",
    "ELBO",
    "END",
    "WAE",
    "WAEGAN",
    "Autoencoding",
    "BetaTC",
    "CodeCritic",
    "Contest",
    "Cosine",
    "Cyclic",
    "FactorVAE",
    "ImportanceWeighted",
    "InfoVAE",
    "Linear",
    "Loss",
    "Objective",
    "Progress",
    "Schedule",
    "SemiSupervised",
    "Side",
    "Sigmoid",
    "Stacked",
    "Steps",
    "Trimmed",
    "mean_kl",
    "mmd",
    "value_at",
]
