"""A study that several processes share: begun once, counted together, nobody else's."""

import os
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from sqlalchemy.exc import IntegrityError, OperationalError
from tests.unit.tasks.tuning.test_search import facts, make, search

from vaekit.errors import ConfigError
from vaekit.tasks import tune_run
from vaekit.tasks.tuning import Range, Tuning, storage, turns

SPACE = {"objective.beta": Range(0.25, 4.0)}


def url(folder):
    return f"sqlite:///{folder / 'shared.db'}"


def other(folder, name="one"):
    """The study as another process sees it."""
    return optuna.load_study(study_name=name, storage=url(folder))


def begun_elsewhere(study):
    """A trial that another process runs."""
    trial = study.ask()
    trial.suggest_float("objective.beta", 0.25, 4.0)
    return trial


def test_several_processes_share_a_database(tmp_path):
    first, _ = search(tmp_path, out="a", storage=url(tmp_path), study="one", trials=2)
    both, _ = search(tmp_path, out="b", storage=url(tmp_path), study="one", trials=4)
    assert facts(both)[:2] == facts(first)
    third, _ = search(tmp_path, out="c", storage=url(tmp_path), study="two", trials=1)
    assert len(third.rows) == 1


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_the_study_of_somebody_else_is_left_alone(tmp_path, direction):
    study = optuna.create_study(storage=url(tmp_path), study_name="one", direction=direction)
    study.optimize(lambda trial: trial.suggest_float("q", 0, 1), n_trials=2)
    says = "'one' was not begun by vaekit.*got 2 trials and no settings.*--study"
    with pytest.raises(ConfigError, match=says):
        search(tmp_path, storage=url(tmp_path), study="one", trials=4)
    study = other(tmp_path)
    assert [set(trial.params) for trial in study.trials] == [{"q"}, {"q"}]
    assert study.user_attrs == {}
    assert not (tmp_path / "search").exists()


def test_an_empty_study_is_taken_where_its_direction_is_ours(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "SETTLING", 0.2)
    made = {"up": ["maximize"], "down": ["minimize"], "both": ["maximize"] * 2}
    for name, directions in made.items():
        optuna.create_study(storage=url(tmp_path), study_name=name, directions=directions)
    found, _ = search(tmp_path, storage=url(tmp_path), study="up", trials=1)
    assert found.rows[0].params["objective.beta"] == 1.0  # the run's own
    for name in ("down", "both"):
        with pytest.raises(ConfigError, match=r"not begun by vaekit; expected .*\(maximize\)"):
            search(tmp_path, storage=url(tmp_path), study=name, trials=1, out=name)


@pytest.mark.parametrize("error", [IntegrityError, OperationalError])
def test_tables_that_another_process_makes_now_are_waited_for(tmp_path, monkeypatch, error):
    build, failed = storage._storage, []

    def late(url):
        if len(failed) < 2:
            failed.append(error("insert", {}, Exception("UNIQUE constraint failed")))
            raise failed[-1]
        return build(url)

    monkeypatch.setattr(storage, "_storage", late)
    found, _ = search(tmp_path, storage=url(tmp_path), study="one", trials=1)
    assert len(failed) == 2
    assert [row.state for row in found.rows] == ["complete"]


def test_running_trials_of_others_count_and_are_waited_for(tmp_path, monkeypatch):
    shared = {"space": SPACE, "storage": url(tmp_path), "study": "one"}
    search(tmp_path, trials=1, **shared)
    study, said = other(tmp_path), []
    trial = begun_elsewhere(study)
    monkeypatch.setattr(turns.time, "sleep", lambda _: study.tell(trial, 1e6))
    run, prepared = make(tmp_path)
    tuning = Tuning(trials=2, storage=url(tmp_path), study="one")
    found = tune_run(
        run, SPACE, tmp_path / "search", prepared=prepared, tuning=tuning, say=said.append
    )
    assert said == ["waiting for 1 trial of other processes"]
    assert [row.state for row in found.rows] == ["complete", "complete"]
    assert found.best.value == 1e6


def test_the_last_trial_belongs_to_who_began_it_first(tmp_path, monkeypatch):
    shared = {"space": SPACE, "storage": url(tmp_path), "study": "one"}
    search(tmp_path, trials=1, **shared)
    study, counts, begun = other(tmp_path), turns._counts, []

    def between(mine, before=None):
        if begun and before is None:
            study.tell(begun[0], 1e6)
        found = counts(mine, before)
        if not begun:  # after our count, and before our trial
            begun.append(begun_elsewhere(study))
        return found

    monkeypatch.setattr(turns, "_counts", between)
    found, _ = search(tmp_path, trials=2, **shared)
    assert [row.value for row in found.rows][1:] == [1e6]
    assert [trial.state for trial in study.trials] == [
        *(TrialState.COMPLETE, TrialState.COMPLETE, TrialState.FAIL)
    ]


def test_a_process_that_died_before_its_first_sign_of_life_is_not_waited_for(
    tmp_path, monkeypatch
):
    shared = {"space": SPACE, "storage": url(tmp_path), "study": "one"}
    search(tmp_path, trials=1, **shared)
    other(tmp_path).ask()
    monkeypatch.setattr(turns, "GRACE", 0)
    found, _ = search(tmp_path, trials=2, **shared)
    assert [row.state for row in found.rows] == ["complete", "running", "complete"]


TOGETHER = """
import sys, time
from pathlib import Path
from tests.unit.tasks.tuning.test_search import make
from vaekit.tasks import tune_run
from vaekit.tasks.tuning import Range, Tuning, best, keep_best

folder, name, others = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
run, prepared = make(folder, epochs=2)
start = best.start_run
def counted(*args, **kwargs):
    print("trained")
    return start(*args, **kwargs)
best.start_run = counted
(folder / f"{name}.ready").touch()
while not all((folder / f"{other}.ready").exists() for other in others):
    time.sleep(0.001)
url = f"sqlite:///{folder / 'shared.db'}"
found = tune_run(
    run, {"objective.beta": Range(0.25, 4.0)}, folder / "search", prepared=prepared,
    tuning=Tuning(trials=5, storage=url, study="one", prune=False),
)
keep_best(found, folder / "search" / "best", prepared=prepared)
print(found.best.number, [row.number for row in found.rows if row.state == "complete"])
"""


@pytest.mark.slow
def test_processes_that_start_together_do_one_search(tmp_path):
    make(tmp_path)  # the data
    root = Path(__file__).resolve().parents[4]
    path = os.pathsep.join([str(root / "src"), str(root)])
    names = ["a", "b"]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", TOGETHER, str(tmp_path), name, *names],
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    said = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    lines = [line for out, _ in said for line in out.splitlines()]
    assert lines.count("trained") == 1
    assert (
        len({line for line in lines if line != "trained"}) == 1
    )  # the same trials, the same best
    trials = other(tmp_path).trials
    assert [trial.state for trial in trials].count(TrialState.COMPLETE) == 5
    assert [trial.system_attrs for trial in trials].count(
        {"fixed_params": {"objective.beta": 1.0}}
    ) == 1
