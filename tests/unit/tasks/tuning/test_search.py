"""A search: seeded, pruned, measured fairly, continued, and safe from kill -9."""

import os
import signal
import sqlite3
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from vaekit.errors import ConfigError, DataError, MissingExtraError, NumericalError
from vaekit.latents import Point
from vaekit.likelihoods import Gaussian
from vaekit.metrics import evaluate_model, put_mean
from vaekit.models import FlatVAE
from vaekit.networks import MLP
from vaekit.objectives import ELBO, Autoencoding
from vaekit.tasks import Composition, DataSpec, Run, evaluate_run, open_run, prepare_data
from vaekit.tasks.tuning import Choice, Range, Tuning, keep_best, tune_run
from vaekit.tasks.tuning.storage import study_in
from vaekit.training import SGD, Adam, PolicySpec, Training

SPEED = PolicySpec(precision="32-true", compile="off", threads=1)
MODEL = FlatVAE(latent_dim=2, encoder=MLP(hidden=(6,)), likelihood=Gaussian(scale=1.0))
SPACE = {
    "training.optimizer.lr": Range(1e-4, 1e-1, log=True),
    "objective.beta": Range(0.25, 4.0, log=True),
    "model.latent_dim": Range(1, 3, whole=True),
}


def make(folder, model=MODEL, objective=None, **training):
    """A small run on a table of 90 rows, and its data."""
    path = folder / "table.npz"
    if not path.exists():
        draw = np.random.default_rng(0)
        codes = draw.normal(size=(90, 2))
        np.savez(path, x=codes @ draw.normal(size=(2, 5)) + 0.3 * draw.normal(size=(90, 5)))
    settings = Training(**{"epochs": 5, "optimizer": Adam(lr=1e-2), "speed": SPEED} | training)
    composition = Composition(model, objective or ELBO(), settings)
    data = DataSpec(source=str(path), validation=0.2)
    return Run(data, composition), prepare_data(data)


def search(folder, *, space=SPACE, run=None, out="search", **tuning):
    run, prepared = run or make(folder)
    found = tune_run(run, space, folder / out, prepared=prepared, tuning=Tuning(**tuning))
    return found, prepared


def facts(found):
    return [(row.number, row.state, row.value, dict(row.params)) for row in found.rows]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A search of twelve trials, its data and its folder."""
    folder = tmp_path_factory.mktemp("whole")
    return *search(folder, trials=12), folder


def test_the_first_trial_is_the_run_itself(whole):
    found, _, _ = whole
    own = {"training.optimizer.lr": 1e-2, "objective.beta": 1.0, "model.latent_dim": 2}
    assert found.rows[0].params == own
    assert [row.number for row in found.rows] == list(range(12))
    for row in found.rows:
        for key, axis in SPACE.items():
            assert axis.low <= row.params[key] <= axis.high


def test_poor_trials_end_early_and_the_best_is_complete(whole):
    found, _, _ = whole
    states = {row.state for row in found.rows}
    assert states == {"complete", "pruned"}
    assert all(2 <= row.epochs < 5 for row in found.rows if row.state == "pruned")
    complete = [row for row in found.rows if row.state == "complete"]
    assert {row.epochs for row in complete} == {5}
    assert found.best == max(complete, key=lambda row: row.value)
    assert found.metric.key == "elbo"
    assert sum(found.importances.values()) == pytest.approx(1.0)
    assert set(found.importances) == set(SPACE)


def test_the_best_becomes_a_run_with_the_value_that_was_found(whole, tmp_path):
    found, prepared, folder = whole
    best = folder / "search" / "best"
    artifact = keep_best(found, best, prepared=prepared)
    again = evaluate_model(artifact.model, prepared.part("validation"), samples=16)
    assert again["elbo"] == pytest.approx(found.best.value, abs=1e-6)  # β is 1 in it
    assert again["elbo"] == pytest.approx(-again["rate"] - again["distortion"], abs=0.2)
    assert open_run(best)[0] == found.run
    assert found.run.composition.objective.beta == found.best.params["objective.beta"]
    assert evaluate_run(best, samples=2)["n"] == prepared.held_out.x.shape[0]
    weights = (best / "weights.safetensors").read_bytes()
    keep_best(found, best, prepared=prepared)
    assert (best / "weights.safetensors").read_bytes() == weights
    other = found.run.composition.replace(objective=ELBO(beta=2.0))
    changed = type(found)(**{**vars(found), "run": found.run.replace(composition=other)})
    keep_best(changed, best, prepared=prepared)
    assert open_run(best)[0].composition.objective.beta == 2.0


def test_a_search_in_two_parts_is_that_in_one(whole, tmp_path):
    found, _, folder = whole
    (tmp_path / "table.npz").write_bytes((folder / "table.npz").read_bytes())
    first, _ = search(tmp_path, trials=3)
    assert facts(first) == facts(found)[:3]
    assert facts(search(tmp_path, trials=12)[0]) == facts(found)
    assert facts(search(tmp_path, trials=5)[0]) == facts(found)  # enough are there


def test_another_seed_is_another_search(whole, tmp_path):
    found, _, _ = whole
    other, _ = search(tmp_path, run=make(tmp_path, seed=1), trials=2)
    assert other.rows[0].params == found.rows[0].params
    assert other.rows[1].params != found.rows[1].params


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.unit.tasks.tuning.test_search import search
from vaekit.tasks.tuning import trials as module

build, calls = module.build_model, []
def deadly(*args):
    calls.append(1)
    if len(calls) == 4:  # one to ask for the density, two trials, and in the third
        os.kill(os.getpid(), signal.SIGKILL)
    return build(*args)
module.build_model = deadly
search(Path(sys.argv[1]), trials=4)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs kill -9")
def test_a_trial_whose_process_was_killed_is_tried_again(tmp_path):
    root = Path(__file__).resolve().parents[4]
    path = os.pathsep.join([str(root / "src"), str(root)])
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    with sqlite3.connect(tmp_path / "search" / "study.db") as database:
        states = [state for (state,) in database.execute("select state from trials")]
        assert states == ["COMPLETE", "COMPLETE", "RUNNING"]
        database.execute("insert or replace into trial_heartbeats (trial_id, heartbeat) "
                         "values (3, '2001-01-01 00:00:00')")  # fmt: skip
    database.close()
    found, _ = search(tmp_path, trials=4)
    assert [row.state for row in found.rows] == [
        *("complete", "complete", "failed", "complete", "complete")
    ]
    assert found.rows[3].params == found.rows[2].params


def test_other_settings_are_another_study(whole, tmp_path):
    _, prepared, folder = whole
    run, _ = make(folder)
    with pytest.raises(ConfigError, match=r"begun with another space.*--study"):
        tune_run(run, {"objective.beta": Range(1, 2)}, folder / "search", prepared=prepared)
    with pytest.raises(ConfigError, match="begun with another metric; expected elbo, got mse"):
        search(folder, trials=1, metric="mse")
    run, prepared = make(folder, epochs=9)
    with pytest.raises(ConfigError, match="begun with another composition"):
        tune_run(run, SPACE, folder / "search", prepared=prepared)


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "search").mkdir()
    (tmp_path / "search" / "mine.txt").write_text("")
    with pytest.raises(ConfigError, match="holds something else than a search"):
        search(tmp_path, trials=1)
    assert [path.name for path in (tmp_path / "search").iterdir()] == ["mine.txt"]


def test_a_trial_that_diverges_does_not_end_the_search(tmp_path):
    lr = {"training.optimizer.lr": Choice(("0.01", "1000"))}
    run = make(tmp_path, optimizer=SGD(lr=1e-2))
    found, _ = search(tmp_path, run=run, space=lr, trials=4)
    states = {row.params["training.optimizer.lr"]: row.state for row in found.rows}
    assert states == {"0.01": "complete", "1000": "diverged"}
    assert found.best.params == {"training.optimizer.lr": "0.01"}


def test_parts_that_do_not_fit_do_not_end_the_search(tmp_path):
    encoder = {"model.encoder": Choice(("mlp:hidden=6", "conv"))}  # a table has no grid
    found, _ = search(tmp_path, space=encoder, trials=4)
    states = {row.params["model.encoder"]: row.state for row in found.rows}
    assert states == {"mlp:hidden=6": "complete", "conv": "refused"}
    run, prepared = make(tmp_path)
    only = {"model.encoder": Choice(("conv", "resnet"))}
    with pytest.raises(NumericalError, match=r"no trial came to its end.*images"):
        tune_run(run, only, tmp_path / "b", prepared=prepared, tuning=Tuning(trials=2))


def test_autoencoders_are_tuned_by_their_error(tmp_path):
    run = make(tmp_path, MODEL.replace(posterior=Point()), Autoencoding())
    space = {"model.latent_dim": Range(1, 5, whole=True)}
    found, _ = search(tmp_path, run=run, space=space, trials=4, prune=False)
    assert found.metric.key == "mse"
    assert {row.state for row in found.rows} == {"complete"}
    assert found.best.value == min(row.value for row in found.rows) > 0
    with pytest.raises(ConfigError, match=r"no density, so no elbo.*--metric mse"):
        search(tmp_path, run=run, space=space, metric="elbo", out="other")


@pytest.mark.parametrize(
    ("tuning", "space", "says"),
    [
        ({"metric": "rate"}, SPACE, "no metric that can be best; expected elbo or"),
        ({"metric": "fid"}, SPACE, "no metric that can be best"),
        ({}, {}, "nothing to search"),
        ({}, {"model.likelihood": Choice(("gaussian", "laplace"))}, "nats of different likeliho"),
        ({"storage": "postgres"}, SPACE, "database of the study cannot be used"),
        ({"storage": "postgresql://host:port/db"}, SPACE, "database of the study cannot be used"),
        ({"storage": "sqlite:////no/where/a.db"}, SPACE, "database of the study cannot be used"),
    ],
)
def test_what_cannot_be_tuned_is_refused(tmp_path, tuning, space, says):
    with pytest.raises(ConfigError, match=says):
        search(tmp_path, space=space, trials=1, **tuning)
    assert not (tmp_path / "search").exists()


def test_validation_rows_are_needed(tmp_path):
    run, _ = make(tmp_path)
    data = run.data.replace(validation=0.0)
    with pytest.raises(DataError, match=r"no validation part.*data.validation"):
        tune_run(run.replace(data=data), SPACE, tmp_path / "a", prepared=prepare_data(data))


def test_without_optuna_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'vaekit\[tune\]'"):
        search(tmp_path, trials=1)


def test_optuna_is_left_as_it_was(tmp_path):
    import optuna

    before = optuna.logging.get_verbosity()
    facts = {"direction": "maximize", "seed": 0, "settings": {"a": 1}, "warm_up": 1}
    with warnings.catch_warnings(), study_in(f"sqlite:///{tmp_path / 'a.db'}", "s", **facts):
        assert optuna.logging.get_verbosity() == optuna.logging.ERROR
    assert optuna.logging.get_verbosity() == before


def test_a_trial_whose_metric_overflows_has_diverged(tmp_path, monkeypatch):
    """The first table has a note in place of its bound, and the search goes on."""
    tables = []

    def first_overflows(*args, **kwargs):
        table = evaluate_model(*args, **kwargs)
        if not tables:
            table |= {"elbo": None, "elbo_error": None}
            put_mean(table, "elbo", torch.tensor([0.0, -torch.inf]))
        tables.append(table)
        return table

    monkeypatch.setattr("vaekit.tasks.tuning.trials.evaluate_model", first_overflows)
    found, _ = search(tmp_path, trials=2)
    assert [row.state for row in found.rows].count("diverged") == 1
    assert found.best.value == tables[1]["elbo"]
