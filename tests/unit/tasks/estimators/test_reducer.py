"""VAEReducer: order, signs, names, and the linear mode beside scikit-learn's PCA."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.linalg import subspace_angles
from scipy.stats import multivariate_normal
from sklearn.datasets import load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from tests.unit.tasks.estimators.conftest import QUICK

from vaekit import VAEReducer
from vaekit.errors import ConfigError, DataError
from vaekit.likelihoods import Gaussian
from vaekit.objectives import ELBO

pytestmark = pytest.mark.filterwarnings("ignore:latent collapse:UserWarning")  # few epochs


@pytest.fixture(scope="module")
def wine():
    return StandardScaler().fit_transform(load_wine().data)


@pytest.fixture(scope="module")
def trained(wine):
    return VAEReducer(4, random_state=1, max_epochs=15, patience=None).fit(wine)


def test_components_come_in_order_of_their_rate(trained, wine):
    assert (np.diff(trained.kl_) <= 0).all()
    assert sorted(trained.order_) == [0, 1, 2, 3]
    x = trained.codec_.to_model(trained.codec_.encode(wine))
    evidence = trained.model_.evidence(x)
    kl = evidence.nodes[0].kl_elements.mean((0, 1)).detach().numpy()
    assert np.allclose(kl[trained.order_], trained.kl_, rtol=1e-4)
    assert list(trained.order_) == list(np.argsort(-kl))


def test_the_order_is_not_that_of_the_model(wine):
    orders = {
        tuple(VAEReducer(3, **QUICK | {"random_state": seed}).fit(wine).order_)
        for seed in range(4)
    }
    assert len(orders) > 1


def test_a_component_grows_with_the_input_that_follows_it_most(trained, wine):
    codes = trained.transform(wine)
    for code in codes.T:
        covariances = [np.cov(code, column)[0, 1] for column in wine.T]
        assert max(covariances) == max(map(abs, covariances))


def test_a_mirrored_and_shuffled_model_has_the_same_components(trained, wine):
    other = copy.deepcopy(trained)
    model = other.model_
    head, first = model.posterior.head, model.decoder.layers[0]
    turned = torch.tensor([2, 0, 3, 1])
    mirror = torch.tensor([-1.0, 1.0, -1.0, -1.0])
    with torch.no_grad():
        rows = torch.cat([turned, turned + 4])
        flip = torch.cat([mirror, torch.ones(4)])
        head.weight.copy_(head.weight[rows] * flip[:, None])
        head.bias.copy_(head.bias[rows] * flip)
        first.weight.copy_(first.weight[:, turned] * mirror)
    assert not np.allclose(other.transform(wine), trained.transform(wine))
    other._measure(other._exact(), other._encoded(wine))
    assert np.allclose(other.transform(wine), trained.transform(wine), atol=1e-5)
    assert np.allclose(other.reconstruct(wine), trained.reconstruct(wine), atol=1e-5)
    assert other.order_.tolist() == [[1, 3, 0, 2][i] for i in trained.order_]


def test_codes_lead_back_through_order_and_signs(trained, wine):
    codes = trained.transform(wine)
    assert np.allclose(trained.inverse_transform(codes), trained.reconstruct(wine), rtol=1e-9)
    error = np.mean((trained.reconstruct(wine) - wine) ** 2)
    assert error < 0.7 * wine.var()
    mirrored = np.mean((trained.inverse_transform(-codes) - wine) ** 2)
    assert mirrored > 2 * error


def test_output_can_be_a_data_frame(wine):
    frame = pd.DataFrame(wine, columns=load_wine().feature_names, index=np.arange(178) + 7)
    reducer = VAEReducer(3, **QUICK).set_output(transform="pandas")
    codes = reducer.fit_transform(frame)
    assert codes.columns.tolist() == ["vaereducer0", "vaereducer1", "vaereducer2"]
    assert codes.index.equals(frame.index)
    assert np.allclose(reducer.inverse_transform(codes), reducer.reconstruct(frame))


@pytest.mark.parametrize("scaled", [True, False])
def test_linear_components_are_shrunken_whitened_scores(scaled):
    x = load_wine().data[:, [0, 1, 2, 6, 9]]
    x = StandardScaler().fit_transform(x) if scaled else x
    reducer = VAEReducer(3, linear=True).fit(x)
    pca = PCA().fit(x)
    eigenvalues = pca.explained_variance_ * (len(x) - 1) / len(x)
    noise = eigenvalues[3:].mean()
    shrinkage = np.sqrt(eigenvalues[:3] - noise) / eigenvalues[:3]
    codes = reducer.transform(x)
    assert np.allclose(codes, pca.transform(x)[:, :3] * shrinkage, atol=2e-5)
    assert np.allclose(reducer.kl_, 0.5 * np.log(eigenvalues[:3] / noise), rtol=1e-4)
    assert reducer.order_.tolist() == [0, 1, 2]
    assert (reducer.n_epochs_, reducer.history_) == (0, [])


def test_linear_components_span_the_subspace_of_pca():
    x = load_digits().data
    reducer, pca = VAEReducer(10, linear=True).fit(x), PCA(10).fit(x)
    weight = reducer.model_.weight.detach().numpy()
    assert subspace_angles(weight, pca.components_.T).max() < 1e-5
    with_pca = np.mean((pca.inverse_transform(pca.transform(x)) - x) ** 2)
    assert with_pca < np.mean((reducer.reconstruct(x) - x) ** 2) < 1.05 * with_pca


def test_linear_scores_are_exact():
    x = load_wine().data[:, [0, 1, 2, 6, 9]]
    reducer, pca = VAEReducer(2, linear=True).fit(x), PCA(2).fit(x)
    covariance = pca.get_covariance() * (len(x) - 1) / len(x)  # scikit-learn divides by n − 1
    exact = multivariate_normal(x.mean(0), covariance).logpdf(x)
    assert np.allclose(reducer.score_samples(x), exact, atol=1e-3)
    assert reducer.score(x) == pytest.approx(exact.mean(), abs=1e-4)


def test_sampled_scores_of_the_linear_model_approach_the_exact_ones():
    x = load_wine().data[:, [0, 1, 2, 6, 9]]
    reducer = VAEReducer(2, linear=True, importance_samples=2_000, random_state=0).fit(x)
    sampled = super(VAEReducer, reducer).score_samples(x)
    assert np.allclose(sampled, reducer.score_samples(x), atol=1e-3)


def test_linear_mode_scales_columns_only_when_asked():
    x = load_wine().data
    standardised = StandardScaler().fit_transform(x)
    codes = VAEReducer(2, linear=True, scaling="standard").fit_transform(x)
    assert np.allclose(codes, VAEReducer(2, linear=True).fit_transform(standardised), atol=1e-5)


def test_linear_mode_of_images():
    images = load_digits().images.astype(np.uint8)[:300]
    codes = VAEReducer(3, linear=True).fit_transform(images)
    flat = VAEReducer(3, linear=True).fit_transform(images.reshape(300, -1))
    assert np.allclose(codes, flat, atol=1e-4)


def test_linear_mode_begins_anew_each_time(wine):
    reducer = VAEReducer(2, linear=True, warm_start=True).fit(100 + 50 * wine[:90])
    again = VAEReducer(2, linear=True).fit(wine)
    assert np.array_equal(reducer.fit(wine).transform(wine), again.transform(wine))


@pytest.mark.parametrize(
    ("params", "columns", "error", "message"),
    [
        ({"n_components": 4}, 4, ConfigError, "n_components: .*at most 3 with n_features = 4"),
        ({"likelihood": Gaussian()}, 4, ConfigError, "likelihood: .*parts of its own"),
        ({"encoder": "mlp"}, 4, ConfigError, "encoder: .*parts of its own"),
        ({"n_components": 2}, 2, ConfigError, "n_features = 2"),
    ],
)
def test_linear_mode_refuses_what_it_cannot_use(wine, params, columns, error, message):
    with pytest.raises(error, match=message):
        VAEReducer(**{"n_components": 2, **params}, linear=True).fit(wine[:, :columns])


@pytest.mark.parametrize("scaling", ["auto", "standard", "none"])
def test_linear_mode_needs_noise(wine, scaling):
    exact = wine[:, :2] @ np.arange(1.0, 11.0).reshape(2, 5)
    with pytest.raises(DataError, match="too little noise"):
        VAEReducer(2, linear=True, scaling=scaling).fit(exact)


@pytest.mark.parametrize("spread", [1e-6, 1e-2, 1e2, 1e4])
def test_linear_mode_of_columns_in_very_different_units(spread):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 6)) * [1.0, 30.0, 1.0, spread, spread, 1.0] + 3 * spread
    codes, scores = VAEReducer(2, linear=True).fit_transform(x), PCA(2).fit_transform(x)
    assert np.allclose(np.abs(np.corrcoef(codes.T, scores.T)[:2, 2:]), np.eye(2), atol=1e-5)


def test_linear_mode_of_more_columns_than_rows():
    x = np.random.default_rng(0).normal(size=(20, 50)) * np.linspace(1, 3, 50)
    codes, scores = VAEReducer(3, linear=True).fit_transform(x), PCA(3).fit_transform(x)
    assert np.allclose(np.corrcoef(codes.T, scores.T)[:3, 3:], np.eye(3), atol=1e-5)


def test_idle_components_are_said(wine):
    with pytest.warns(UserWarning, match="latent collapse: 2 of 2"):
        VAEReducer(objective=ELBO(beta=50.0), **QUICK).fit(wine)
