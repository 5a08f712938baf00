"""One trial: train with its values, be pruned, be measured on the validation rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vaekit.errors import ConfigError, NumericalError
from vaekit.metrics import evaluate_model
from vaekit.metrics.table import NOT_FINITE
from vaekit.spec import to_json
from vaekit.tasks.instruments import instruments_for
from vaekit.tasks.run import Run, build_model
from vaekit.tasks.source import Prepared, sample_of
from vaekit.tasks.tuning.metric import metric_for, watched, why_missing
from vaekit.tasks.tuning.results import OUTCOME
from vaekit.tasks.tuning.space import Axis, apply
from vaekit.training import Callback, Trainer

if TYPE_CHECKING:
    from optuna import Trial

__all__ = ["Trials"]


class Trials:
    """What Optuna calls for each trial.

    Args:
        run: What the trials vary.
        space: What they try.
        prepared: The run's data.
        metric: Key of what is to be best, or None for the usual one.
        samples: Codes for each row when it is measured.
        prune: Whether poor trials end early.

    Attributes:
        metric: What is to be best.
        notes: Sentences about the search that its user must know.

    Raises:
        ConfigError: If there is nothing to search, or no such metric.
        DataError: If there are no validation rows.
    """

    def __init__(
        self,
        run: Run,
        space: Mapping[str, Axis],
        prepared: Prepared,
        *,
        metric: str | None,
        samples: int,
        prune: bool,
    ) -> None:
        if not space:
            raise ConfigError("nothing to search", remedy="name a range, e.g. latent_dim=2..16")
        self.run, self.space, self.prepared, self.samples = run, space, prepared, samples
        self.held_out = sample_of(prepared.part("validation"))
        self.metric = metric_for(metric, build_model(run.composition, prepared), prepared, space)
        key, why = watched(self.metric, space)
        self.watched = key if prune else None
        self.notes = [why] if prune and why else []

    def settings(self) -> dict[str, Any]:
        """What determines the search, wherever the data lies and however many trials it has."""
        data = to_json(self.run.data)
        return {
            "data": {key: value for key, value in data.items() if key != "source"},
            "data_sha256": self.prepared.raw.fingerprint,
            "composition": to_json(self.run.composition),
            "space": {key: str(axis) for key, axis in self.space.items()},
            "metric": self.metric.key,
            "samples": self.samples,
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
        watch = _Watch(trial, self.watched)
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
        key, probing = self.metric.key, self.metric.part in ("probes", "numbers")
        table = evaluate_model(
            model,
            self.held_out,
            samples=self.samples,
            train=sample_of(self.prepared.part("train")) if probing else None,
            instruments=instruments_for(self.prepared.codec),
            only={key},
        )
        value = table[key]
        if value is None:
            reason = f"no {key} to tune by: {why_missing(table, key)}"
            if NOT_FINITE in reason:
                raise NumericalError(reason)
            raise ConfigError(reason, where="--metric", remedy="tune by another metric")
        return float(value)


class _Watch(Callback):
    """Reports the held-out value of each epoch, and ends a trial that the pruner gives up."""

    def __init__(self, trial: Trial, key: str | None) -> None:
        self.trial, self.key, self.epochs = trial, key, 0

    def on_epoch(self, record: Mapping[str, Any]) -> None:
        """Count, report, prune."""
        from optuna import TrialPruned

        self.epochs = record["epoch"]
        value = record.get(self.key) if self.key else None
        if value is None:
            return
        self.trial.report(value, step=record["epoch"])
        if not record["last"] and self.trial.should_prune():
            raise TrialPruned
