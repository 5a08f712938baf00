"""One study: trials that train, prune and measure, and the best of them as a run."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from vaekit.artifacts import Artifact
from vaekit.errors import ConfigError, NumericalError
from vaekit.files import write_json
from vaekit.metrics import MEASURES, Measure, evaluate_model
from vaekit.spec import Spec, Within, to_json
from vaekit.tasks.instruments import instruments_for
from vaekit.tasks.run import RUN, Run, build_model, open_run, resume_run, start_run
from vaekit.tasks.source import Prepared, sample_of
from vaekit.tasks.tuning.results import OUTCOME, WATCHED, TrialRow, Tuned, found_in, row_of
from vaekit.tasks.tuning.space import Axis, apply, own_values
from vaekit.tasks.tuning.storage import require_optuna, study_in
from vaekit.training import Callback, Trainer

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

__all__ = ["Tuning", "keep_best", "tune_run"]

STUDY = "tuning.json"


class Tuning(Spec, kind="tuning/optuna"):
    """How to search.

    Args:
        trials: How many in all, those of other processes and of earlier commands included.
        metric: A key of :data:`vaekit.metrics.KEYS` to be best on the validation rows; None for
            the bound, or the squared error where there is no density.
        samples: Codes for each row in that measurement.
        prune: Whether a trial that is worse than the median of the others at the same epoch ends.
        storage: URL of the study's database; None for an SQLite file in the folder.
        study: Its name in the database; None for that of the folder.
    """

    trials: Annotated[int, Within(1, 1_000_000)] = 20
    metric: str | None = None
    samples: Annotated[int, Within(1, 100_000)] = 16
    prune: bool = True
    storage: str | None = None
    study: str | None = None


def tune_run(
    run: Run,
    space: Mapping[str, Axis],
    folder: Path,
    *,
    prepared: Prepared,
    tuning: Tuning | None = None,
    notify: Callable[[TrialRow], None] | None = None,
) -> Tuned:
    """Search a space around a run, and go on with a search that was begun.

    Each trial trains the run with other values and the same seed, and is measured on the
    validation rows; test rows are never seen. The first one has the run's own values, where they
    lie in the space. β is 1 in the measured bound, whatever the trial trains with.

    Args:
        run: What the trials vary.
        space: Ranges and choices by dotted path, e.g. ``model.latent_dim``.
        folder: Of the search; empty, or that of the same search.
        prepared: The run's data.
        tuning: How to search.
        notify: Called with each trial that ends here.

    Raises:
        MissingExtraError: If Optuna is not installed.
        ConfigError: If the metric has no better direction or the model has none of it, the folder
            holds something else, or the study was begun with other settings.
        DataError: If there are no validation rows.
        NumericalError: If no trial came to its end.

    References:
        Optuna: A Next-generation Hyperparameter Optimization Framework (Akiba et al., 2019),
        arXiv:1907.10902; Algorithms for Hyper-Parameter Optimization (Bergstra et al., 2011),
        NeurIPS, for the sampler.
    """
    require_optuna()
    from optuna.study import MaxTrialsCallback
    from optuna.trial import TrialState

    tuning = tuning or Tuning()
    trial_of = _Trials(run, space, prepared, tuning)
    settings = trial_of.settings()
    _claim(folder, settings)
    states = (TrialState.COMPLETE, TrialState.PRUNED)
    composition = run.composition

    def tell(study: Study, trial: FrozenTrial) -> None:
        if notify is not None:
            notify(row_of(trial, trial_of.metric))

    with study_in(
        tuning.storage or f"sqlite:///{(folder / 'study.db').resolve()}",
        tuning.study or folder.resolve().name,
        direction="maximize" if trial_of.metric.better == "higher" else "minimize",
        seed=composition.training.seed,
        settings=settings,
        warm_up=max(2, composition.training.epochs // 4),
    ) as study:
        write_json(folder / STUDY, settings)
        own = own_values(composition, space)
        if own is not None and not study.trials:
            study.enqueue_trial(own)
        if len(study.get_trials(deepcopy=False, states=states)) < tuning.trials:
            study.optimize(trial_of, callbacks=[tell, MaxTrialsCallback(tuning.trials, states)])
        return found_in(study, run, space, trial_of.metric)


class _Trials:
    """What Optuna calls for each trial."""

    def __init__(
        self, run: Run, space: Mapping[str, Axis], prepared: Prepared, tuning: Tuning
    ) -> None:
        if not space:
            raise ConfigError("nothing to search", remedy="name a range, e.g. latent_dim=2..16")
        self.run, self.space, self.prepared, self.tuning = run, space, prepared, tuning
        self.held_out = sample_of(prepared.part("validation"))
        density = build_model(run.composition, prepared).has_density
        self.metric = _measure(tuning.metric or ("elbo" if density else "mse"))
        if self.metric.unit == "nats":
            _require_nats(density, self.metric, space)

    def settings(self) -> dict[str, Any]:
        """What determines the search, wherever the data lies and however many trials it has."""
        data = to_json(self.run.data)
        return {
            "data": {key: value for key, value in data.items() if key != "source"},
            "data_sha256": self.prepared.raw.fingerprint,
            "composition": to_json(self.run.composition),
            "space": {key: str(axis) for key, axis in self.space.items()},
            "metric": self.metric.key,
            "samples": self.tuning.samples,
        }

    def __call__(self, trial: Trial) -> float:
        """Train with the trial's values; the metric on the validation rows."""
        from optuna import TrialPruned

        for key, axis in self.space.items():
            axis.suggest(trial, key)
        composition = apply(self.run.composition, self.space, trial.params)
        try:
            model = build_model(composition, self.prepared)
        except ConfigError as error:
            trial.set_user_attr(OUTCOME, ["refused", str(error)])
            raise TrialPruned from error
        watch = _Watch(trial, WATCHED.get(self.metric.key), prune=self.tuning.prune)
        trainer = Trainer(
            model,
            self.prepared.parts,
            composition.training,
            objective=composition.objective,
            callbacks=[watch],
        )
        try:
            trainer.fit()
            return self._measured(model)
        except NumericalError as error:
            trial.set_user_attr(OUTCOME, ["diverged", str(error)])
            raise TrialPruned from error
        finally:
            trial.set_user_attr("epochs", watch.epochs)

    def _measured(self, model: Any) -> float:
        probing = self.metric.key not in WATCHED  # perhaps of codes, which needs training rows
        table = evaluate_model(
            model,
            self.held_out,
            samples=self.tuning.samples,
            train=sample_of(self.prepared.part("train")) if probing else None,
            instruments=instruments_for(self.prepared.codec),
        )
        value = table[self.metric.key]
        if value is None:
            raise ConfigError(f"no {self.metric.key} to tune by: {'; '.join(table['notes'])}")
        if not math.isfinite(value):
            raise NumericalError(f"{self.metric.key} is no finite number", got=value)
        return float(value)


def _measure(key: str) -> Measure:
    known = {m.key: m for m in MEASURES if m.better is not None}
    if key not in known:
        raise ConfigError(
            "no metric that can be best", expected=" or ".join(known), got=key, where="--metric"
        )
    return known[key]


def _require_nats(density: bool, metric: Measure, space: Mapping[str, Axis]) -> None:
    if not density:
        raise ConfigError(
            f"this model has no density, so no {metric.key}",
            remedy="tune by another: --metric mse",
        )
    if "model.likelihood" in space:
        raise ConfigError(
            "nats of different likelihoods cannot be compared",
            where="--space model.likelihood",
            remedy="tune by another metric: --metric mse",
        )


class _Watch(Callback):
    """Reports the held-out value of each epoch, and ends a trial that the pruner gives up."""

    def __init__(self, trial: Trial, key: str | None, *, prune: bool) -> None:
        self.trial, self.key, self.prune = trial, key, prune
        self.epochs = 0

    def on_epoch(self, record: Mapping[str, Any]) -> None:
        """Count, report, prune."""
        from optuna import TrialPruned

        self.epochs = record["epoch"]
        value = record.get(self.key) if self.key else None
        if value is None:
            return
        self.trial.report(value, step=record["epoch"])
        if self.prune and not record["last"] and self.trial.should_prune():
            raise TrialPruned


def _claim(folder: Path, settings: Mapping[str, Any]) -> None:
    """Make the folder that of the search, unless it holds something else."""
    if folder.exists() and any(folder.iterdir()) and not (folder / STUDY).is_file():
        raise ConfigError(
            "this folder holds something else than a search", where=str(folder), remedy="--out NEW"
        )
    if not (folder / STUDY).is_file():
        write_json(folder / STUDY, settings)


def keep_best(
    tuned: Tuned,
    folder: Path,
    *,
    prepared: Prepared,
    callbacks: Sequence[Callback] = (),
    command: str = "",
) -> Artifact:
    """Train the best trial once more, as a run of its own that all commands can use.

    A folder that holds the run of an earlier best is replaced; the same run is finished, if that
    is still to be done.
    """
    if (folder / RUN).is_file():
        if open_run(folder)[0] == tuned.run:
            return resume_run(folder, prepared=prepared, callbacks=callbacks)
        shutil.rmtree(folder)
    return start_run(tuned.run, folder, prepared=prepared, callbacks=callbacks, command=command)
