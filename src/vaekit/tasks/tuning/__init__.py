"""Searching for hyper-parameters with Optuna: spaces, studies, and the best run."""

from vaekit.tasks.tuning.best import alone_in, keep_best
from vaekit.tasks.tuning.results import TrialRow, Tuned
from vaekit.tasks.tuning.search import Tuning, tune_run
from vaekit.tasks.tuning.space import Axis, Choice, Range, default_space, parse_axis, short_names

__all__ = [
    "Axis",
    "Choice",
    "Range",
    "TrialRow",
    "Tuned",
    "Tuning",
    "alone_in",
    "default_space",
    "keep_best",
    "parse_axis",
    "short_names",
    "tune_run",
]
