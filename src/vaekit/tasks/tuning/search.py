"""One search: its settings, its folder and study, and what it finds."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from vaekit.errors import ConfigError, VaekitError
from vaekit.files import LEFT_OVER, write_json
from vaekit.spec import Spec, Within
from vaekit.tasks.run import Run
from vaekit.tasks.source import Prepared
from vaekit.tasks.tuning.results import TrialRow, Tuned, found_in, row_of
from vaekit.tasks.tuning.space import Axis, own_values
from vaekit.tasks.tuning.storage import require_optuna, study_in
from vaekit.tasks.tuning.trials import Trials
from vaekit.tasks.tuning.turns import run_trials

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

__all__ = ["Tuning", "tune_run"]

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
    say: Callable[[str], None] | None = None,
) -> Tuned:
    """Search a space around a run, and go on with a search that was begun.

    Each trial trains the run with other values and the same seed, and is measured on the
    validation rows; test rows are never seen. The first one has the run's own values, where they
    lie in the space. β is 1 in the measured bound, whatever the trial trains with. Trials are not
    pruned where the space changes the unit of what their epochs report. With other processes in
    the same study it ends when all trials have, theirs included.

    Args:
        run: What the trials vary.
        space: Ranges and choices by dotted path, e.g. ``model.latent_dim``.
        folder: Of the search; empty, or that of the same search.
        prepared: The run's data.
        tuning: How to search.
        notify: Called with each trial that ends here.
        say: Called with sentences about the search that people should read.

    Raises:
        MissingExtraError: If Optuna is not installed.
        ConfigError: If the metric has no better direction or the model, the data or a search has
            none of it, the folder holds something else, or the study was begun with other
            settings or by something else. A new folder is then left as it was.
        DataError: If there are no validation rows.
        NumericalError: If no trial came to its end.

    References:
        Optuna: A Next-generation Hyperparameter Optimization Framework (Akiba et al., 2019),
        arXiv:1907.10902; Algorithms for Hyper-Parameter Optimization (Bergstra et al., 2011),
        NeurIPS, for the sampler.
    """
    require_optuna()
    tuning, say = tuning or Tuning(), say or _silent
    trials = Trials(
        *(run, space, prepared),
        metric=tuning.metric,
        samples=tuning.samples,
        prune=tuning.prune,
    )
    settings, composition = trials.settings(), run.composition

    def tell(trial: FrozenTrial) -> None:
        if notify is not None:
            notify(row_of(trial, trials.metric))

    with contextlib.ExitStack() as stack:
        with _claimed(folder, settings):
            study = stack.enter_context(
                study_in(
                    tuning.storage or f"sqlite:///{(folder / 'study.db').resolve()}",
                    tuning.study or folder.resolve().name,
                    direction="maximize" if trials.metric.better == "higher" else "minimize",
                    seed=composition.training.seed,
                    settings=settings,
                    warm_up=max(2, composition.training.epochs // 4),
                    first=own_values(composition, space),
                )
            )
        for note in trials.notes:
            say(note)
        run_trials(study, trials, tuning.trials, tell=tell, say=say)
        return found_in(study, run, space, trials.metric, notes=trials.notes)


def _silent(_: str) -> None:
    """Nobody reads."""


@contextlib.contextmanager
def _claimed(folder: Path, settings: Mapping[str, Any]) -> Iterator[None]:
    """Make the folder that of the search; not where the block fails.

    Raises:
        ConfigError: If the folder holds something else.
    """
    there, begun = folder.exists(), (folder / STUDY).is_file()
    if there and not begun and not _is_free(folder):
        raise ConfigError(
            "this folder holds something else than a search", where=str(folder), remedy="--out NEW"
        )
    if not begun:
        write_json(folder / STUDY, settings)
    try:
        yield
    except VaekitError:
        if not begun:
            (folder / STUDY).unlink(missing_ok=True)
        if not there:
            with contextlib.suppress(OSError):  # not empty
                folder.rmdir()
        raise
    write_json(folder / STUDY, settings)


def _is_free(folder: Path) -> bool:
    """Whether a folder is empty, or another process has just made it that of its search."""
    others = [path for path in folder.iterdir() if not LEFT_OVER.fullmatch(path.name)]
    return not others or (folder / STUDY).is_file()
