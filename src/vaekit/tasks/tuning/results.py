"""What a search has found: its trials, what mattered, and the best."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vaekit.errors import NumericalError
from vaekit.metrics import Measure
from vaekit.tasks.run import Run
from vaekit.tasks.tuning.metric import WATCHED
from vaekit.tasks.tuning.space import Axis, apply

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

__all__ = ["OUTCOME", "SURPLUS", "TrialRow", "Tuned", "found_in", "is_surplus", "row_of"]

OUTCOME = "outcome"
"""Attribute of a trial that could not be trained: what happened, and why."""
SURPLUS = "surplus"
"""Outcome of a trial that another process made needless before it began; no row shows it."""
FEW = 5
"""Complete trials below which nothing is said about importance."""


@dataclasses.dataclass(frozen=True)
class TrialRow:
    """One trial.

    Attributes:
        number: From 0.
        state: ``complete``, ``pruned``, ``diverged``, ``refused`` where the parts do not fit each
            other, ``failed`` or ``running``.
        value: The metric on the validation rows, where it was measured.
        params: What was tried.
        epochs: How many were trained.
        seconds: How long it took.
    """

    number: int
    state: str
    value: float | None
    params: Mapping[str, Any]
    epochs: int
    seconds: float | None


@dataclasses.dataclass(frozen=True)
class Tuned:
    """What a search has found.

    Attributes:
        metric: What was to be best.
        space: What was searched.
        rows: All trials, by number.
        importances: Share of each parameter in what decides between good and poor trials; empty
            with few complete trials.
        best: The best trial.
        run: The run that it stands for.
        notes: Sentences about the search that its reader must know.
    """

    metric: Measure
    space: Mapping[str, Axis]
    rows: Sequence[TrialRow]
    importances: Mapping[str, float]
    best: TrialRow
    run: Run
    notes: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        """All of it but the run, ready for JSON."""
        return {
            "metric": self.metric.key,
            "space": {key: str(axis) for key, axis in self.space.items()},
            "best": dataclasses.asdict(self.best),
            "importances": dict(self.importances),
            "trials": [dataclasses.asdict(row) for row in self.rows],
            "notes": list(self.notes),
        }


def row_of(trial: FrozenTrial, metric: Measure) -> TrialRow:
    """A trial in our words; what it last reported is its value only where that is the metric."""
    state = trial.user_attrs.get(OUTCOME, [trial.state.name.lower()])[0]
    same = trial.state.name == "COMPLETE" or WATCHED.get(metric.key) == f"valid_{metric.key}"
    return TrialRow(
        number=trial.number,
        state={"fail": "failed"}.get(state, state),
        value=trial.value if same and trial.state.is_finished() else None,
        params=dict(trial.params),
        epochs=trial.user_attrs.get("epochs", 0),
        seconds=None if trial.duration is None else trial.duration.total_seconds(),
    )


def is_surplus(trial: FrozenTrial) -> bool:
    """Whether another process made a trial needless before it began."""
    return bool(trial.user_attrs.get(OUTCOME, [""])[0] == SURPLUS)


def found_in(
    study: Study,
    run: Run,
    space: Mapping[str, Axis],
    metric: Measure,
    *,
    notes: Sequence[str] = (),
) -> Tuned:
    """All that a study holds.

    Raises:
        NumericalError: If no trial came to its end.
    """
    from optuna.importance import get_param_importances
    from optuna.trial import TrialState

    begun = [trial for trial in study.trials if trial.state is not TrialState.WAITING]
    trials = [trial for trial in begun if not is_surplus(trial)]
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    if not complete:
        raise NumericalError(
            "no trial came to its end",
            got="; ".join({t.user_attrs.get(OUTCOME, [""])[-1] or t.state.name for t in trials}),
            remedy="narrow the space, try lower learning rates, or more trials",
        )
    enough = len(complete) >= FEW and len({trial.value for trial in complete}) > 1
    return Tuned(
        metric=metric,
        space=space,
        rows=[row_of(trial, metric) for trial in trials],
        importances=get_param_importances(study) if enough else {},
        best=row_of(study.best_trial, metric),
        run=run.replace(composition=apply(run.composition, space, study.best_params)),
        notes=tuple(notes),
    )
