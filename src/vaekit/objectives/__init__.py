"""Objectives: pure functions of Evidence, and the schedules of their weights."""

from vaekit.objectives.autoencoder import Autoencoding
from vaekit.objectives.elbo import ELBO, mean_kl
from vaekit.objectives.importance import ImportanceWeighted
from vaekit.objectives.objective import END, Contest, Loss, Objective, Progress, Side
from vaekit.objectives.schedules import Cosine, Cyclic, Linear, Schedule, Sigmoid, Steps, value_at

__all__ = [
    "ELBO",
    "END",
    "Autoencoding",
    "Contest",
    "Cosine",
    "Cyclic",
    "ImportanceWeighted",
    "Linear",
    "Loss",
    "Objective",
    "Progress",
    "Schedule",
    "Side",
    "Sigmoid",
    "Steps",
    "mean_kl",
    "value_at",
]
