"""Fitted estimators as pickles in memory and as folders of open files."""

import copy
import json
import pickle  # noqa: TID251 - in memory, as scikit-learn does

import numpy as np
import pandas as pd
import pytest
import torch
from tests.unit.tasks.estimators.conftest import QUICK
from torch import nn

from vaekit import VAE, VAEReducer
from vaekit.artifacts import describe
from vaekit.artifacts import load as load_artifact
from vaekit.errors import ArtifactError, ConfigError
from vaekit.likelihoods import Gaussian
from vaekit.networks import MLP
from vaekit.objectives import ELBO, Linear

pytestmark = pytest.mark.filterwarnings("ignore:latent collapse:UserWarning")  # few epochs

MADE = {
    "vae": lambda: VAE(likelihood=Gaussian(scale="shared"), objective="elbo:beta=2", **QUICK),
    "schedule": lambda: VAE(np.int64(3), objective=ELBO(beta=Linear()), **QUICK),
    "reducer": lambda: VAEReducer(3, **QUICK),
    "linear": lambda: VAEReducer(2, linear=True),
}


@pytest.fixture(params=MADE)
def any_fitted(request, table):
    frame = pd.DataFrame(table, columns=list("abcde"))
    return MADE[request.param]().fit(frame), frame


def same(one, other, rows):
    assert one.get_params() == other.get_params()
    assert np.array_equal(one.transform(rows), other.transform(rows))
    assert np.array_equal(one.score_samples(rows), other.score_samples(rows))
    assert np.array_equal(one.reconstruct(rows), other.reconstruct(rows))
    assert np.array_equal(one.kl_, other.kl_)
    assert one.history_ == other.history_
    assert one.n_features_in_ == other.n_features_in_
    assert one.feature_names_in_.tolist() == other.feature_names_in_.tolist()
    assert np.array_equal(one.elbo_, other.elbo_, equal_nan=True)


def test_a_pickle_is_the_same(any_fitted):
    estimator, rows = any_fitted
    same(estimator, pickle.loads(pickle.dumps(estimator)), rows)
    same(estimator, copy.deepcopy(estimator), rows)


def test_a_pickle_can_be_trained_on(table):
    vae = VAE(warm_start=True, **QUICK).fit(table)
    again = pickle.loads(pickle.dumps(vae))
    assert np.array_equal(vae.fit(table).transform(table), again.fit(table).transform(table))


def test_one_that_is_not_fitted_can_be_pickled():
    assert pickle.loads(pickle.dumps(VAE(3))).get_params() == VAE(3).get_params()


def test_a_network_of_the_users_own_can_be_pickled(table):
    network = nn.Sequential(nn.Linear(5, 8), nn.Tanh())
    vae = VAE(encoder=network, decoder=MLP(hidden=(8,)), **QUICK).fit(table)
    again = pickle.loads(pickle.dumps(vae))
    assert np.array_equal(vae.transform(table), again.transform(table))


def test_a_folder_is_the_same(any_fitted, tmp_path):
    estimator, rows = any_fitted
    folder = estimator.save(tmp_path / "run")
    again = type(estimator).load(folder)
    same(estimator, again, rows)
    assert again.set_params(warm_start=True).fit(rows).n_features_in_ == 5


def test_a_folder_of_images_is_the_same(images, tmp_path):
    vae = VAE(**QUICK).fit(images)
    again = VAE.load(vae.save(tmp_path))
    assert np.array_equal(vae.transform(images), again.transform(images))
    assert np.array_equal(vae.sample(3), again.sample(3))
    assert again.n_features_in_ == 30


def test_a_folder_is_an_artifact_of_open_files(fitted, tmp_path):
    folder = fitted.save(tmp_path)
    assert {path.suffix for path in folder.iterdir()} == {".json", ".jsonl", ".safetensors"}
    assert load_artifact(folder).codec == fitted.codec_
    assert describe(folder)["epochs"] == 3
    described = json.loads((folder / "estimator.json").read_text())
    assert described["params"]["latent_dim"] == 2


def test_saving_again_replaces(fitted, table, tmp_path):
    fitted.save(tmp_path)
    other = VAE(4, **QUICK).fit(table)
    assert VAE.load(other.save(tmp_path)).transform(table).shape == (120, 4)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"random_state": np.random.RandomState(0)}, "random_state: .*cannot be written"),
        ({"objective": nn.Identity()}, "objective: .*cannot be written"),
    ],
)
def test_what_cannot_be_written_is_refused_and_the_old_stays(fitted, tmp_path, params, message):
    fitted.save(tmp_path)
    with pytest.raises(ConfigError, match=message):
        copy.deepcopy(fitted).set_params(**params).save(tmp_path)
    assert VAE.load(tmp_path).get_params() == fitted.get_params()


def test_a_network_of_the_users_own_cannot_be_written(table, tmp_path):
    network = nn.Sequential(nn.Linear(5, 8), nn.Tanh())
    vae = VAE(encoder=network, decoder=MLP(hidden=(8,)), **QUICK).fit(table)
    with pytest.raises(ConfigError):
        vae.save(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_run_is_not_overwritten(fitted, tmp_path):
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(ConfigError, match="holds a run"):
        fitted.save(tmp_path)


def test_unfinished_folders_are_refused(fitted, tmp_path):
    fitted.save(tmp_path)
    (tmp_path / "estimator.json").unlink()
    with pytest.raises(ArtifactError, match="no such file"):
        VAE.load(tmp_path)


def test_another_estimator_is_refused(fitted, tmp_path):
    with pytest.raises(ArtifactError, match="expected VAEReducer, got VAE"):
        VAEReducer.load(fitted.save(tmp_path))


def alter(folder, change):
    path = folder / "estimator.json"
    value = json.loads(path.read_text())
    changed = change(value)
    value = changed if isinstance(changed, list) else value
    path.write_text(json.dumps(value))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: [1], "foreign file"),
        (lambda v: v.update(format="other"), "foreign file.*got other"),
        (lambda v: v.update(params=3), "params or fitted is missing"),
        (lambda v: v.pop("fitted"), "params or fitted is missing"),
        (lambda v: v["params"].update(__class__="x"), "unknown parameter '__class__'"),
        (lambda v: v["params"].update(encoder={"kind": "prior/standard"}), "'encoder'"),
        (lambda v: v["params"].update(encoder={"kind": "network/evil"}), "unknown"),
        (lambda v: v["params"].update(batch_size={"kind": "prior/standard"}), "'batch_size'"),
        (lambda v: v["params"].update(batch_size=[2]), "'batch_size'"),
        (lambda v: v["fitted"].update(seed=-1), "seed"),
        (lambda v: v["fitted"].update(seed=0.5), "seed"),
        (lambda v: v["fitted"].update(kl=7), "kl: not a list of numbers"),
        (lambda v: v["fitted"].update(kl=[[0.0]]), "kl: not a list of numbers"),
        (lambda v: v["fitted"].update(signs=[1, 2, 1]), "order and signs"),
        (lambda v: v["fitted"].update(order=[0, 0, 1]), "order and signs"),
        (lambda v: v["fitted"].update(order=[0, 1]), "order: .*3 numbers"),
    ],
)
def test_files_of_strangers_are_refused(table, tmp_path, change, message):
    alter(VAEReducer(3, **QUICK).fit(table).save(tmp_path), change)
    with pytest.raises(ArtifactError, match=message):
        VAEReducer.load(tmp_path)


def test_a_parameter_that_came_later_has_its_default(fitted, tmp_path):
    alter(fitted.save(tmp_path), lambda value: value["params"].pop("importance_samples"))
    assert VAE.load(tmp_path).importance_samples == 100


def test_loading_leaves_the_generator_alone(fitted, tmp_path):
    folder, before = fitted.save(tmp_path), torch.get_rng_state()
    pickle.loads(pickle.dumps(fitted))
    VAE.load(folder)
    assert torch.equal(torch.get_rng_state(), before)
