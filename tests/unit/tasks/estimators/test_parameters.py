"""Parameters are plain values: they can be copied, searched over, printed, and reached into."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tests.unit.tasks.estimators.conftest import QUICK
from torch import nn

from vaekit import VAE, VAEReducer
from vaekit.errors import ConfigError
from vaekit.latents import Full
from vaekit.likelihoods import Gaussian
from vaekit.networks import MLP
from vaekit.objectives import ELBO, Linear

pytestmark = pytest.mark.filterwarnings("ignore:latent collapse:UserWarning")  # few epochs


def test_a_clone_has_equal_parameters_and_is_not_fitted(fitted):
    fitted.set_params(likelihood=Gaussian(scale="shared"), objective=ELBO(beta=Linear()))
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not hasattr(copy, "model_")


def test_fit_leaves_the_parameters_alone(table):
    network = nn.Sequential(nn.Linear(5, 8), nn.ReLU())
    before = network[0].weight.detach().clone()
    vae = VAE(encoder=network, decoder=MLP(hidden=(8,)), **QUICK)
    given = vae.get_params(deep=False)
    vae.fit(table)
    assert vae.get_params(deep=False) == given
    assert bool((network[0].weight == before).all())
    assert vae.model_.encoder[0].weight.shape == (8, 5)


@pytest.mark.parametrize(
    ("given", "field", "built"),
    [
        ({"likelihood": "gaussian:scale=shared"}, "likelihood", Gaussian(scale="shared")),
        ({"likelihood": Gaussian(scale=0.5)}, "likelihood", Gaussian(scale=0.5)),
        ({"likelihood": "auto"}, "likelihood", Gaussian()),
        ({"posterior": "full"}, "posterior", Full()),
        ({"encoder": "mlp:hidden=8,4"}, "encoder", MLP(hidden=(8, 4))),
        ({"latent_dim": np.int64(3)}, "latent_dim", 3),
    ],
)
def test_parts_are_specs_or_text(table, given, field, built):
    vae = VAE(**QUICK, **given).fit(table)
    assert getattr(vae.model_.spec, field) == built


def test_fields_of_parts_are_parameters():
    vae = VAE(objective=ELBO(beta=Linear(end=2.0)), likelihood="gaussian")
    assert vae.get_params()["objective__beta__end"] == 2.0
    assert "objective__beta" not in vae.get_params(deep=False)
    vae.set_params(objective__beta__end=3, likelihood__scale="shared", latent_dim=4)
    assert vae.objective == ELBO(beta=Linear(end=3.0))
    assert vae.likelihood == Gaussian(scale="shared")
    assert vae.latent_dim == 4
    vae.set_params(objective__beta=4, objective=ELBO(samples=2))
    assert vae.objective == ELBO(beta=4.0, samples=2)


def test_fields_that_are_not_there_are_refused():
    with pytest.raises(ValueError, match=r"no field 'scale' to set.*Choose the part first"):
        VAE().set_params(likelihood__scale="shared")
    with pytest.raises(ValueError, match="unknown setting 'gamma'"):
        VAE().set_params(objective__gamma=1)
    with pytest.raises(ValueError, match="Invalid parameter 'width'"):
        VAE().set_params(width=3)


def test_a_grid_of_parts(table):
    grid = {
        "likelihood": [Gaussian(), Gaussian(scale="shared")],
        "latent_dim": [1, 2],
        "objective__beta": [1.0],
    }
    search = GridSearchCV(VAE(objective=ELBO(), **QUICK), grid, cv=2).fit(table)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert len(set(search.cv_results_["mean_test_score"])) == 4
    # 3 short epochs suffice to find the scale at once, and not to learn it step by step
    assert search.best_params_["likelihood"] == Gaussian()


@pytest.mark.slow
def test_a_grid_on_two_processes(table):
    grid = {"likelihood": [Gaussian(), "gaussian:scale=shared"]}
    found = [
        GridSearchCV(VAE(**QUICK), grid, cv=2, n_jobs=jobs).fit(table).cv_results_
        for jobs in (1, 2)
    ]
    assert np.allclose(*[results["mean_test_score"] for results in found], rtol=1e-6)


def test_in_a_pipeline():
    x, y = load_wine(return_X_y=True)
    reducer = VAEReducer(random_state=0, max_epochs=20, patience=None)
    pipeline = make_pipeline(StandardScaler(), reducer, LogisticRegression())
    pipeline.set_params(vaereducer__n_components=3, vaereducer__likelihood="gaussian")
    pipeline.set_params(vaereducer__likelihood__scale="optimal")
    assert pipeline.fit(x[::2], y[::2]).score(x[1::2], y[1::2]) > 0.85
    assert pipeline[:-1].get_feature_names_out().tolist() == [f"vaereducer{i}" for i in range(3)]


def test_only_changes_are_printed():
    assert repr(VAE()) == "VAE()"
    vae = VAE(3, likelihood=Gaussian(scale="shared"), objective="elbo:beta=2")
    assert "latent_dim=3" in repr(vae)
    assert "scale='shared'" in repr(vae)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"latent_dim": 0}, "latent_dim: .*at least 1, got 0"),
        ({"latent_dim": 2.5}, "latent_dim: .*at least 1, got 2.5"),
        ({"batch_size": True}, "batch_size: "),
        ({"max_epochs": "many"}, "max_epochs: "),
        ({"patience": 0}, "patience: "),
        ({"learning_rate": -1.0}, "learning_rate: "),
        ({"learning_rate": "fast"}, "learning_rate: "),
        ({"validation_fraction": 1.0}, "validation_fraction: "),
        ({"scaling": "log"}, "scaling: no such scaling"),
        ({"likelihood": "gausian"}, "Did you mean 'gaussian'"),
        ({"likelihood": Gaussian}, r"Write Gaussian\(\)"),
        ({"prior": Gaussian()}, "not a prior"),
        ({"objective": Gaussian()}, "objective: not an objective"),
        ({"prior": "conditional-normal"}, "needs a context"),
    ],
)
def test_values_that_make_no_sense_are_refused_in_fit(table, params, message):
    vae = VAE(**{**QUICK, **params})
    with pytest.raises(ConfigError, match=message):
        vae.fit(table)


def test_scores_need_samples(fitted, table):
    with pytest.raises(ConfigError, match="importance_samples"):
        fitted.set_params(importance_samples=0).score(table)


def test_images_have_a_scaling_of_their_own(images):
    with pytest.raises(ConfigError, match="images are scaled by their range"):
        VAE(scaling="standard", **QUICK).fit(images)
