"""Jobs done end to end: a run from raw data to a saved, measured model."""

from vaekit.tasks.comparison import compare_runs
from vaekit.tasks.composition import Composition, Hint, Recipe
from vaekit.tasks.evaluation import evaluate_run, other_data
from vaekit.tasks.ex_post import PriorFit, PriorModel, codes_of, fit_prior, prior_remark
from vaekit.tasks.features import Classifier, ClassifierFeatures, features_from_text
from vaekit.tasks.instruments import instruments_for
from vaekit.tasks.representation import ModelRepresentation
from vaekit.tasks.run import (
    Run,
    build_model,
    open_run,
    resume_run,
    start_run,
    train_run,
)
from vaekit.tasks.source import DataSpec, Prepared, hint_for, prepare_data, sample_of
from vaekit.tasks.tuning import Tuned, Tuning, tune_run

__all__ = [
    "Classifier",
    "ClassifierFeatures",
    "Composition",
    "DataSpec",
    "Hint",
    "ModelRepresentation",
    "Prepared",
    "PriorFit",
    "PriorModel",
    "Recipe",
    "Run",
    "Tuned",
    "Tuning",
    "build_model",
    "codes_of",
    "compare_runs",
    "evaluate_run",
    "features_from_text",
    "fit_prior",
    "hint_for",
    "instruments_for",
    "open_run",
    "other_data",
    "prepare_data",
    "prior_remark",
    "resume_run",
    "sample_of",
    "start_run",
    "train_run",
    "tune_run",
]
