"""The study behind a search: kept in a database, continued from it, shared by machines."""

from __future__ import annotations

import contextlib
import random
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from vaekit.errors import ConfigError, MissingExtraError, first_line
from vaekit.tasks.tuning.url import EXAMPLES, read_url, without_password

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import RDBStorage

__all__ = ["GRACE", "require_optuna", "study_in"]

HEARTBEAT, GRACE = 15, 60
"""Seconds between signs of life of a trial, and without one until it counts as dead."""
SETTLING = 5.0
"""Seconds in which processes that begin together make tables and study for each other."""
SETTINGS = "vaekit"
T = TypeVar("T")


def require_optuna() -> None:
    """Raises :class:`MissingExtraError` where Optuna is not installed."""
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("optuna", "tune", "tuning") from error


@contextlib.contextmanager
def study_in(
    url: str,
    name: str,
    *,
    direction: Any,
    seed: int,
    settings: Mapping[str, Any],
    warm_up: int,
    first: Mapping[str, Any] | None = None,
) -> Iterator[Study]:
    """A new study in a database, or the one that was begun there.

    A trial whose process was killed gives no sign of life any more; after a minute the next trial
    of any process puts its values back in the queue. Of processes that begin a study together one
    makes it, and the others wait for that. Optuna's own messages are kept quiet.

    Args:
        url: Of the database, as SQLAlchemy writes it.
        name: Of the study.
        direction: ``maximize`` or ``minimize``.
        seed: With the number of a trial it determines what is sampled.
        settings: What every process must search alike, ready for JSON.
        warm_up: Epochs before a trial is pruned.
        first: Values of the first trial of a new study; None for those that are sampled.

    Raises:
        ConfigError: If the database cannot be opened, the study was begun with other settings, or
            by something else than vaekit.
    """
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = None
    parts: dict[str, Any] = {
        "sampler": _sampler(seed),
        "pruner": optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=warm_up),
    }
    try:
        storage = database = _together(lambda: _storage(read_url(url)))
        study, new = _together(lambda: _study(database, name, direction, parts))
        _begin(study, settings, direction, first, new=new)
        yield study
    except (SQLAlchemyError, ImportError, optuna.exceptions.StorageInternalError) as error:
        said = without_password(first_line(error))
        raise ConfigError(
            f"the database of the study cannot be used ({said})",
            expected=EXAMPLES,
            where=without_password(url),
        ) from error
    finally:
        optuna.logging.set_verbosity(verbosity)
        if storage is not None:
            storage.remove_session()
            storage.engine.dispose()


def _storage(url: str) -> RDBStorage:
    """The database, with the tables of Optuna, in which trials give signs of life."""
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.storages.RDBStorage(
            url,
            engine_kwargs={"connect_args": {"timeout": 60}} if url.startswith("sqlite") else None,
            heartbeat_interval=HEARTBEAT,
            grace_period=GRACE,
            heartbeat_stale_trial_callback=(
                optuna.storages.RetryHeartbeatStaleTrialCallback(max_retry=3)
            ),
        )


def _together(make: Callable[[], T]) -> T:
    """What ``make`` gives, tried again for some seconds where others make the same now.

    Two processes that find a database empty both make its tables, and the second one fails; once
    they are there it does not. An error that stays is raised.
    """
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import DBAPIError

    start, wait = time.monotonic(), 0.1
    while True:
        try:
            return make()
        except (DBAPIError, StorageInternalError):
            if time.monotonic() - start + wait > SETTLING:
                raise
            time.sleep(wait * random.uniform(0.5, 1.0))
            wait *= 2


def _study(
    storage: RDBStorage, name: str, direction: Any, parts: Mapping[str, Any]
) -> tuple[Study, bool]:
    """The study, and whether it was made here: of several processes by one."""
    import optuna

    try:
        study = optuna.create_study(storage=storage, study_name=name, direction=direction, **parts)
    except optuna.exceptions.DuplicatedStudyError:
        return optuna.load_study(storage=storage, study_name=name, **parts), False
    return study, True


def _begin(
    study: Study,
    settings: Mapping[str, Any],
    direction: str,
    first: Mapping[str, Any] | None,
    *,
    new: bool,
) -> None:
    """Keep settings and first values with a new study; refuse one that was begun otherwise.

    One without trials may be another process's, which is just about to add the first; after some
    seconds it has been abandoned, and is begun here.
    """
    start = time.monotonic()
    while not new and not study.get_trials(deepcopy=False):
        if time.monotonic() - start > SETTLING:
            break
        time.sleep(0.1)
    trials = study.get_trials(deepcopy=False)
    begun = study.user_attrs.get(SETTINGS)  # read after the trials, as it is written before them
    if begun is None:
        _require_unused(study, direction, len(trials))
        study.set_user_attr(SETTINGS, settings)
    else:
        _require_same(study.study_name, begun, settings)
    if first is not None and not trials:
        study.enqueue_trial(dict(first), skip_if_exists=True)


def _require_unused(study: Study, direction: str, trials: int) -> None:
    """Refuse a study that somebody else uses, or made for another purpose."""
    directions = [d.name.lower() for d in study.directions]
    if trials or directions != [direction]:
        raise ConfigError(
            f"the study {study.study_name!r} was not begun by vaekit",
            expected=f"a new study, or one of vaekit ({direction})",
            got=f"{trials} trials and no settings of vaekit ({', '.join(directions)})",
            remedy="begin a study of another name (--study)",
        )


def _require_same(name: str, begun: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    for key, mine in settings.items():
        if begun.get(key) != mine:
            raise ConfigError(
                f"the study {name!r} was begun with another {key}",
                expected=begun.get(key),
                got=mine,
                remedy="repeat the first command, or begin a study of another name (--study)",
            )


def _sampler(seed: int) -> Any:
    """TPE, seeded for each trial by its number: runs that go on, and machines, do not repeat."""
    import optuna

    class Numbered(optuna.samplers.BaseSampler):
        def before_trial(self, study: Any, trial: Any) -> None:
            drawn = np.random.SeedSequence([seed, trial.number]).generate_state(1)
            self.inner = optuna.samplers.TPESampler(seed=int(drawn[0]))

        def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
            return self.inner.infer_relative_search_space(study, trial)

        def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
            return self.inner.sample_relative(study, trial, search_space)

        def sample_independent(self, *args: Any, **kwargs: Any) -> Any:
            return self.inner.sample_independent(*args, **kwargs)

        def after_trial(self, study: Any, trial: Any, state: Any, values: Any) -> None:
            self.inner.after_trial(study, trial, state, values)

    return Numbered()
