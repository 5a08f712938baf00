"""The study behind a search: kept in a database, continued from it, shared by machines."""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from vaekit.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from optuna import Study

__all__ = ["require_optuna", "study_in", "without_password"]

HEARTBEAT, GRACE = 15, 60
"""Seconds between signs of life of a trial, and without one until it counts as dead."""
SETTINGS = "vaekit"


def require_optuna() -> None:
    """Raises :class:`MissingExtraError` where Optuna is not installed."""
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("optuna", "tune", "tuning") from error


def without_password(url: str) -> str:
    """A database URL that can be written down.

    Example:
        >>> without_password("mysql://me:secret@host/db"), without_password("sqlite:///a.db")
        ('mysql://me:***@host/db', 'sqlite:///a.db')
    """
    return re.sub(r"(://[^:/@\s]*):[^@\s]*@", r"\1:***@", url)


@contextlib.contextmanager
def study_in(
    url: str, name: str, *, direction: Any, seed: int, settings: Mapping[str, Any], warm_up: int
) -> Iterator[Study]:
    """A new study in a database, or the one that was begun there.

    A trial whose process was killed gives no sign of life any more; after a minute the next trial
    of any process puts its values back in the queue. Optuna's own messages are kept quiet.

    Args:
        url: Of the database, as SQLAlchemy writes it.
        name: Of the study.
        direction: ``maximize`` or ``minimize``.
        seed: With the number of a trial it determines what is sampled.
        settings: What every process must search alike, ready for JSON.
        warm_up: Epochs before a trial is pruned.

    Raises:
        ConfigError: If the database cannot be opened, or the study was begun with other settings.
    """
    import optuna
    from optuna.exceptions import ExperimentalWarning
    from sqlalchemy.exc import SQLAlchemyError

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # heartbeats and retries
            storage = optuna.storages.RDBStorage(
                url,
                engine_kwargs={"connect_args": {"timeout": 60}} if _is_sqlite(url) else None,
                heartbeat_interval=HEARTBEAT,
                grace_period=GRACE,
                heartbeat_stale_trial_callback=(
                    optuna.storages.RetryHeartbeatStaleTrialCallback(max_retry=3)
                ),
            )
        study = optuna.create_study(
            storage=storage,
            study_name=name,
            direction=direction,
            load_if_exists=True,
            sampler=_sampler(seed),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=warm_up),
        )
        _agree(study, settings)
        yield study
    except (SQLAlchemyError, ImportError, optuna.exceptions.StorageInternalError) as error:
        raise ConfigError(
            f"the database of the study cannot be used ({str(error).splitlines()[0]})",
            expected="a URL such as sqlite:///study.db or postgresql://user@host/database",
            where=without_password(url),
        ) from error
    finally:
        optuna.logging.set_verbosity(verbosity)
        if storage is not None:
            storage.remove_session()
            storage.engine.dispose()


def _is_sqlite(url: str) -> bool:
    return url.startswith("sqlite")


def _agree(study: Study, settings: Mapping[str, Any]) -> None:
    """Keep the settings with a new study; refuse an old one that was begun with others."""
    begun = study.user_attrs.get(SETTINGS)
    if begun is None:
        study.set_user_attr(SETTINGS, settings)
        return
    for key, mine in settings.items():
        if begun.get(key) != mine:
            raise ConfigError(
                f"the study {study.study_name!r} was begun with another {key}",
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
