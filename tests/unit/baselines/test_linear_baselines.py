"""PCA, probabilistic PCA and factor analysis against exact identities, SciPy and scikit-learn."""

import math

import numpy as np
import pytest
import scipy.stats
import sklearn.decomposition
import torch

from vaekit.baselines import PCA, PPCA, FactorAnalysis, Representation
from vaekit.errors import ConfigError, DataError, NotFittedError, ShapeError
from vaekit.models import LinearVAE
from vaekit.spec import from_json, registered, to_json

SPECS = [PCA(latent_dim=2), PPCA(latent_dim=2), FactorAnalysis(latent_dim=2)]
EACH = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.kind)


def rows(n=80, dim=6, seed=0):
    g = np.random.default_rng(seed)
    mixing = np.linalg.qr(g.normal(size=(dim, dim)))[0] * np.linspace(3.0, 0.5, dim)
    return g.normal(size=(n, dim)) @ mixing.T + g.normal(size=dim)


@pytest.fixture(params=[(80, 6), (5, 9)], ids=["tall", "wide"])
def x(request):
    return rows(*request.param)


def shrunk(x):
    """Rows whose covariance divided by n − 1 is that of x divided by n."""
    return x.mean(0) + (x - x.mean(0)) * math.sqrt((len(x) - 1) / len(x))


def covariance(fitted, noise):
    return fitted.loading @ fitted.loading.T + np.diag(np.broadcast_to(noise, len(fitted.mean)))


# --- the protocol --------------------------------------------------------------------------------


@EACH
def test_shapes_follow_the_data(spec):
    images = rows(40, 12).reshape(40, 3, 2, 2)
    fitted = spec.build().fit(images)
    assert isinstance(fitted, Representation)
    codes = fitted.encode(images[:7])
    assert (codes.shape, codes.dtype) == ((7, 2), np.float64)
    assert fitted.reconstruct(images[:7]).shape == (7, 3, 2, 2)
    np.testing.assert_array_equal(fitted.reconstruct(images[:7]), fitted.decode(codes))
    assert fitted.sample(4, seed=0).shape == (4, 3, 2, 2)
    np.testing.assert_array_equal(fitted.sample(4, seed=1), fitted.sample(4, seed=1))
    assert np.abs(fitted.sample(4, seed=1) - fitted.sample(4, seed=2)).min() > 0


@EACH
def test_flat_rows_and_images_agree(spec):
    flat = rows(40, 12)
    one, two = spec.build().fit(flat), spec.build().fit(flat.reshape(40, 3, 2, 2))
    np.testing.assert_array_equal(two.encode(flat.reshape(40, 3, 2, 2)), one.encode(flat))


@EACH
def test_specs_are_registered(spec):
    assert from_json(to_json(spec)) == spec
    assert registered("baseline")[spec.kind.removeprefix("baseline/")] is type(spec)


@EACH
def test_bad_input_is_refused(spec):
    x = rows()
    unfitted = spec.build()
    for method in (unfitted.encode, unfitted.decode, unfitted.score_samples):
        with pytest.raises(NotFittedError, match="has not been fitted"):
            method(x)
    with pytest.raises(NotFittedError, match=r"call fit\(x\) first|Call fit\(x\) first"):
        unfitted.sample(3, seed=0)
    fitted = spec.build().fit(x)
    with pytest.raises(ShapeError, match=r"expected shape \(n, 6\), got \(80, 5\)"):
        fitted.encode(x[:, :5])
    with pytest.raises(ShapeError, match=r"not codes; expected shape \(n, 2\)"):
        fitted.decode(x)
    with pytest.raises(ShapeError, match="not rows of data"):
        spec.build().fit(x[0])
    with pytest.raises(DataError, match="too few rows to learn from; expected at least 2, got 1"):
        spec.build().fit(x[:1])
    with pytest.raises(DataError, match="all rows are the same"):
        spec.build().fit(np.ones((5, 4)))
    with pytest.raises(ConfigError, match="latent_dim at most 3"):
        spec.replace(latent_dim=4).build().fit(x[:3])
    x[5, 2] = np.nan
    with pytest.raises(
        DataError, match=r"row 5, element \(2,\): a value that is no finite number"
    ):
        spec.build().fit(x)


@EACH
def test_a_failed_fit_leaves_nothing_fitted(spec):
    unfitted = spec.build()
    with pytest.raises(DataError, match="all rows are the same"):
        unfitted.fit(np.ones((5, 4)))
    with pytest.raises(NotFittedError, match="has not been fitted"):
        unfitted.encode(np.ones((5, 4)))


# --- PCA ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 2, 4])
def test_pca_loses_the_dropped_eigenvalues(x, k):
    fitted = PCA(latent_dim=k).build().fit(x)
    lost = ((x - fitted.reconstruct(x)) ** 2).sum(1).mean()
    assert lost == pytest.approx(fitted.dropped_eigenvalues.sum(), rel=1e-8)
    every = np.linalg.eigvalsh(np.cov(x.T, bias=True))[::-1]
    np.testing.assert_allclose(fitted.eigenvalues, every[: len(fitted.eigenvalues)], atol=1e-10)


def test_pca_equals_scikit_learn(x):
    fitted = PCA(latent_dim=2).build().fit(x)
    other = sklearn.decomposition.PCA(n_components=2, svd_solver="full").fit(x)
    np.testing.assert_allclose(fitted.encode(x), other.transform(x), atol=1e-9)
    np.testing.assert_allclose(fitted.explained_variance_ratio, other.explained_variance_ratio_)
    assert fitted.score_samples(x) is None


def test_pca_signs_do_not_depend_on_the_rows_order(x):
    fitted = PCA(latent_dim=2).build().fit(x)
    again = PCA(latent_dim=2).build().fit(x[::-1])
    np.testing.assert_allclose(again.loading, fitted.loading, atol=1e-9)
    largest = np.abs(fitted.loading).argmax(0)
    assert (fitted.loading[largest, [0, 1]] > 0).all()


def test_pca_samples_have_the_covariance_of_its_reconstructions():
    x = rows()
    fitted = PCA(latent_dim=2).build().fit(x)
    draws = fitted.sample(200_000, seed=0)
    expected = np.cov(fitted.reconstruct(x).T, bias=True)
    np.testing.assert_allclose(np.cov(draws.T), expected, atol=0.02 * np.abs(expected).max())
    np.testing.assert_allclose(draws.mean(0), x.mean(0), atol=0.03)


# --- probabilistic PCA ---------------------------------------------------------------------------


def test_ppca_likelihood_equals_scipy(x):
    fitted = PPCA(latent_dim=2).build().fit(x)
    expected = scipy.stats.multivariate_normal(fitted.mean, covariance(fitted, fitted.sigma2))
    np.testing.assert_allclose(fitted.score_samples(x + 1), expected.logpdf(x + 1), rtol=1e-10)


def test_ppca_likelihood_equals_scikit_learn():
    x = rows()
    fitted = PPCA(latent_dim=2).build().fit(x)
    other = sklearn.decomposition.PCA(n_components=2).fit(shrunk(x))
    np.testing.assert_allclose(fitted.score_samples(x), other.score_samples(x), rtol=1e-10)
    assert fitted.sigma2 == pytest.approx(other.noise_variance_, rel=1e-10)


def test_ppca_is_the_linear_vae(x):
    fitted = PPCA(latent_dim=2).build().fit(x)
    data = torch.from_numpy(x)
    model = LinearVAE(latent_dim=2).build(event_shape=x.shape[1:]).double()
    model.set_maximum_likelihood(data)
    exact = model.exact_log_marginal(data).detach().numpy()
    np.testing.assert_allclose(fitted.score_samples(x), exact, rtol=1e-9)
    np.testing.assert_allclose(
        fitted.encode(x), model.exact_posterior(data).mean.detach(), atol=1e-9
    )
    np.testing.assert_allclose(fitted.reconstruct(x), model.reconstruct(data).detach(), atol=1e-9)


@pytest.mark.parametrize("spec", SPECS[1:], ids=lambda spec: spec.kind)
def test_samples_have_the_model_s_covariance(spec):
    fitted = spec.build().fit(rows())
    draws = fitted.sample(200_000, seed=0)
    noise = fitted.sigma2 if isinstance(spec, PPCA) else fitted.noise_variance
    expected = covariance(fitted, noise)
    np.testing.assert_allclose(np.cov(draws.T), expected, atol=0.02 * np.abs(expected).max())
    np.testing.assert_allclose(draws.mean(0), fitted.mean, atol=0.03)


def test_ppca_needs_noise():
    with pytest.raises(ConfigError, match="latent_dim below 6, got 6"):
        PPCA(latent_dim=6).build().fit(rows())
    g = np.random.default_rng(0)
    plane = g.normal(size=(50, 2)) @ g.normal(size=(2, 6))
    with pytest.raises(DataError, match="vary along 2 directions at most"):
        PPCA(latent_dim=2).build().fit(plane)


# --- factor analysis -----------------------------------------------------------------------------


@pytest.mark.parametrize("n", [10, 80], ids=["few rows", "many rows"])
def test_factor_analysis_equals_scikit_learn(n):
    x = rows(n)
    fitted = FactorAnalysis(latent_dim=2).build().fit(x)
    other = sklearn.decomposition.FactorAnalysis(n_components=2, svd_method="lapack").fit(x)
    np.testing.assert_allclose(fitted.noise_variance, other.noise_variance_, rtol=1e-8)
    np.testing.assert_allclose(fitted.score_samples(x), other.score_samples(x), rtol=1e-8)
    np.testing.assert_allclose(
        fitted.reconstruct(x) - x.mean(0), other.transform(x) @ other.components_, atol=1e-8
    )


def test_factor_analysis_likelihood_equals_scipy():
    x = rows()
    fitted = FactorAnalysis(latent_dim=2).build().fit(x)
    normal = scipy.stats.multivariate_normal(
        fitted.mean, covariance(fitted, fitted.noise_variance)
    )
    np.testing.assert_allclose(fitted.score_samples(x), normal.logpdf(x), rtol=1e-10)


def test_a_constant_column_keeps_a_finite_density():
    x = rows()
    x[:, 3] = 1.0
    fitted = FactorAnalysis(latent_dim=2, floor=0.1).build().fit(x)
    assert fitted.noise_variance[3] == pytest.approx(0.01, rel=1e-12)
    normal = scipy.stats.multivariate_normal(
        fitted.mean, covariance(fitted, fitted.noise_variance)
    )
    np.testing.assert_allclose(fitted.score_samples(x + 0.1), normal.logpdf(x + 0.1), rtol=1e-10)


def test_factor_analysis_beats_probabilistic_pca_on_unequal_noise():
    g = np.random.default_rng(0)
    x = g.normal(size=(400, 1)) @ g.normal(size=(1, 6)) + g.normal(size=(400, 6)) * [
        0.1,
        3,
        0.2,
        1,
        2,
        0.1,
    ]
    factors = FactorAnalysis(latent_dim=1).build().fit(x).score_samples(x)
    shared = PPCA(latent_dim=1).build().fit(x).score_samples(x)
    assert factors.mean() > shared.mean() + 1
