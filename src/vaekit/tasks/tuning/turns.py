"""So many trials in all, however many processes run them."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from vaekit.tasks.tuning.results import OUTCOME, SURPLUS, is_surplus
from vaekit.tasks.tuning.storage import GRACE

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

__all__ = ["run_trials"]

POLL = 1.0
"""Seconds between two looks at the trials of other processes."""


class _SurplusError(Exception):
    """Another process began the last trial between our count and our trial."""


def run_trials(
    study: Study,
    objective: Callable[[Trial], float],
    most: int,
    *,
    tell: Callable[[FrozenTrial], None],
    say: Callable[[str], None],
) -> None:
    """Run trials until there are enough in all, then wait for those of other processes.

    A trial that is running counts, so that processes do not add one each at the end. Where its
    process dies, it stops counting after a minute, and who waits tries it again. Two processes
    that begin the last trial at once find out, and the one with the higher number gives it up
    before it trains.

    Args:
        study: Shared with the other processes.
        objective: Runs one trial.
        most: Trials in all that are complete or pruned.
        tell: Called with each trial that ended here.
        say: Called once with a sentence where others are waited for.
    """

    def turn(trial: Trial) -> float:
        if sum(_counts(study, before=trial.number)) >= most:
            trial.set_user_attr(OUTCOME, [SURPLUS, "there were enough trials already"])
            raise _SurplusError
        return objective(trial)

    def told(_: Study, trial: FrozenTrial) -> None:
        if not is_surplus(trial):
            tell(trial)

    waiting = False
    while True:
        _give_up_the_dead(study)
        ended, running = _counts(study)
        if ended >= most:
            return
        if ended + running < most:
            study.optimize(turn, n_trials=1, callbacks=[told], catch=(_SurplusError,))
            continue
        if not waiting:
            trials = "1 trial" if running == 1 else f"{running} trials"
            say(f"waiting for {trials} of other processes")
            waiting = True
        time.sleep(POLL)


def _counts(study: Study, before: int | None = None) -> tuple[int, int]:
    """How many trials have come to an end, and how many run (those below a number)."""
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False)
    ended = sum(trial.state in (TrialState.COMPLETE, TrialState.PRUNED) for trial in trials)
    running = [trial for trial in trials if trial.state is TrialState.RUNNING and _lives(trial)]
    return ended, sum(before is None or trial.number < before for trial in running)


def _lives(trial: FrozenTrial) -> bool:
    """Whether a running trial gives signs of life, or has just begun.

    A process that is killed before its first heartbeat leaves a trial that never counts as dead,
    but has no values yet.
    """
    begun = trial.datetime_start
    return bool(trial.params) or begun is None or (datetime.now() - begun).total_seconds() < GRACE


def _give_up_the_dead(study: Study) -> None:
    """End the trials that give no sign of life; their values go back into the queue."""
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optuna.storages.fail_stale_trials(study)
