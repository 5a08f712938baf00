"""One training loop with many players, safe to stop at any moment."""

from vaekit.training.averaging import WeightAverage
from vaekit.training.callbacks import Callback, Display, TensorBoard
from vaekit.training.history import History, Means, read_history
from vaekit.training.loop import CHECKPOINT, HISTORY, INITIAL_ROWS, Trainer
from vaekit.training.optimizers import SGD, Adam, Adamax, AdamW
from vaekit.training.players import Player, train_step
from vaekit.training.policy import Policy, PolicySpec, flush_denormals
from vaekit.training.processes import Processes
from vaekit.training.selection import Selection
from vaekit.training.settings import Training

__all__ = [
    "CHECKPOINT",
    "HISTORY",
    "INITIAL_ROWS",
    "SGD",
    "Adam",
    "AdamW",
    "Adamax",
    "Callback",
    "Display",
    "History",
    "Means",
    "Player",
    "Policy",
    "PolicySpec",
    "Processes",
    "Selection",
    "TensorBoard",
    "Trainer",
    "Training",
    "WeightAverage",
    "flush_denormals",
    "read_history",
    "train_step",
]
