"""Codes, reconstructions, samples and scores of VAE, in the units of the user."""

import copy

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import trapezoid
from scipy.stats import multivariate_normal
from tests.unit.tasks.estimators.conftest import QUICK

from vaekit import VAE
from vaekit.errors import ConfigError, DataError, ShapeError
from vaekit.latents import Point
from vaekit.likelihoods import Bernoulli, Gaussian
from vaekit.networks import MLP

pytestmark = pytest.mark.filterwarnings("ignore:latent collapse:UserWarning")  # few epochs


def linear_vae(**params):
    """A VAE whose density is a normal that can be written down."""
    parts = {"encoder": MLP(hidden=()), "likelihood": Gaussian(scale="shared")}
    return VAE(**{**QUICK, "max_epochs": 20, **parts, **params})


def normal_of(vae):
    """The exact p(x) of :func:`linear_vae` for standardised columns, and their scales."""
    model, codec = copy.deepcopy(vae.model_).double(), vae.codec_.x
    layer = model.decoder.layers[0]
    weight, mean = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    sigma = float(model.likelihood(layer.bias).scale.detach())
    exact = multivariate_normal(mean, weight @ weight.T + sigma**2 * np.eye(len(mean)))
    return exact, np.array(codec.loc), np.array(codec.scale)


def test_shapes_and_types(fitted, table):
    codes = fitted.transform(table)
    found = {
        (120, 2): codes,
        (120, 5): fitted.inverse_transform(codes),
        (7, 5): fitted.sample(7),
        (120,): fitted.score_samples(table),
    }
    for shape, values in found.items():
        assert values.shape == shape
        assert values.dtype == np.float64
    assert np.allclose(fitted.reconstruct(table), fitted.inverse_transform(codes), rtol=1e-12)
    assert isinstance(fitted.score(table), float)
    assert fitted.score(table) == fitted.score_samples(table).mean()
    assert fitted.get_feature_names_out().tolist() == ["vae0", "vae1"]


def test_everything_is_in_the_units_of_the_data(table):
    vae = VAE(**QUICK | {"max_epochs": 40}).fit(table)
    for values in (vae.reconstruct(table), vae.sample(500)):
        assert np.allclose(values.mean(0), table.mean(0), atol=0.3 * table.std(0))
        assert (values.std(0) < 2 * table.std(0)).all()


def test_scores_approach_the_exact_density(table):
    vae = linear_vae(importance_samples=5_000).fit(table)
    normal, loc, scale = normal_of(vae)
    exact = normal.logpdf((table - loc) / scale) - np.log(scale).sum()
    scores = vae.score_samples(table)
    assert np.abs(scores - exact).max() < 0.1
    assert abs(scores.mean() - exact.mean()) < 0.01


def test_the_density_integrates_to_one():
    x = 50 * np.random.default_rng(0).gamma(2.0, size=(80, 1)) + 300
    vae = VAE(latent_dim=1, importance_samples=500, **QUICK | {"max_epochs": 20}).fit(x)
    grid = np.linspace(0, 1_500, 601)
    density = np.exp(vae.score_samples(grid[:, None]))
    assert trapezoid(density, grid) == pytest.approx(1.0, abs=0.01)


def test_the_masses_of_binary_rows_sum_to_one():
    rng = np.random.default_rng(0)
    x = (rng.random((60, 1)) < [[0.2, 0.5, 0.9]]).astype(float)
    vae = VAE(likelihood="bernoulli", latent_dim=1, importance_samples=3_000, **QUICK).fit(x)
    every = np.array(np.meshgrid([0, 1], [0, 1], [0, 1])).reshape(3, -1).T.astype(float)
    assert np.exp(vae.score_samples(every)).sum() == pytest.approx(1.0, abs=0.01)
    assert vae.codec_.x.scaling == "none"


def test_scores_follow_the_units(table):
    metres = VAE(**QUICK).fit(table)
    centimetres = VAE(**QUICK).fit(100 * table)
    difference = metres.score_samples(table) - centimetres.score_samples(100 * table)
    assert np.allclose(difference, 5 * np.log(100), atol=1e-3)


def test_samples_have_the_moments_of_the_density(table):
    vae = linear_vae().fit(table)
    exact, loc, scale = normal_of(vae)
    drawn = (vae.sample(40_000) - loc) / scale
    assert np.allclose(drawn.mean(0), exact.mean, atol=0.03)
    assert np.allclose(np.cov(drawn.T), exact.cov, atol=0.04)


def test_samples_without_noise_vary_less(table):
    vae = linear_vae().fit(table)
    with_noise, without = vae.sample(5_000), vae.sample(5_000, noise=False)
    assert (without.std(0) < 0.97 * with_noise.std(0)).all()


def test_samples_are_determined_by_their_seed(fitted):
    assert np.array_equal(fitted.sample(5), fitted.sample(5))
    assert np.array_equal(fitted.sample(5, random_state=3), fitted.sample(5, random_state=3))
    assert not np.array_equal(fitted.sample(5, random_state=3), fitted.sample(5))


def test_no_row_feels_its_batch_mates(fitted, table):
    for method in (fitted.transform, fitted.score_samples, fitted.reconstruct):
        together = method(table)
        alone = np.concatenate([method(table[i : i + 1]) for i in range(len(table))])
        backwards = method(table[::-1])[::-1]
        scale = np.abs(together).max()
        assert np.abs(together - alone).max() <= 1e-13 * scale
        assert np.abs(together - backwards).max() <= 1e-13 * scale


def test_images_keep_shape_and_type(images):
    vae = VAE(**QUICK).fit(images)
    codes = vae.transform(images)
    for values, n in ((vae.inverse_transform(codes), 40), (vae.sample(3), 3)):
        assert values.shape == (n, 6, 5)
        assert values.dtype == np.uint8
    assert vae.n_features_in_ == 30
    assert vae.score_samples(images).shape == (40,)
    with pytest.raises(DataError, match="images of another shape"):
        vae.transform(images[:, :, :4])
    with pytest.raises(DataError):
        vae.transform(images.reshape(40, -1))


def test_scores_of_images_are_in_units_of_their_pixels(images):
    grey = VAE(**QUICK).fit(images)
    unit = VAE(**QUICK).fit(images / 255)
    difference = unit.score_samples(images / 255) - grey.score_samples(images)
    assert np.allclose(difference, 30 * np.log(255), atol=1e-2)


def test_binary_images_have_probabilities(images):
    black = ((images > 100) * 255).astype(np.uint8)
    vae = VAE(**QUICK).fit(black)
    assert vae.model_.spec.likelihood == Bernoulli()
    assert (vae.score_samples(black) < 0).all()


def test_a_table_after_images_is_a_table(images, table):
    vae = VAE(**QUICK).fit(images).fit(pd.DataFrame(table, columns=list("abcde")))
    assert (vae.n_features_in_, vae.feature_names_in_.tolist()) == (5, list("abcde"))
    vae.fit(images)
    assert vae.n_features_in_ == 30
    assert not hasattr(vae, "feature_names_in_")


def test_columns_are_known_by_name(table):
    frame = pd.DataFrame(table, columns=list("abcde"))
    vae = VAE(**QUICK).fit(frame)
    assert vae.codec_.x.columns == tuple("abcde")
    with pytest.raises(ValueError, match="feature names should match"):
        vae.transform(frame[list("bacde")])
    with pytest.raises(ValueError, match="feature names should match"):
        vae.transform(frame.rename(columns={"a": "z"}))


def test_bad_rows_are_refused(fitted, table):
    hole = table.copy()
    hole[3, 1] = np.nan
    for method in (fitted.fit, fitted.transform, fitted.score_samples, fitted.reconstruct):
        with pytest.raises(ValueError, match="NaN"):
            method(hole)
    with pytest.raises(ValueError, match="1 sample"):
        fitted.fit(table[:1])
    with pytest.raises(ValueError, match="expecting 5 features"):
        fitted.transform(table[:, :4])
    with pytest.raises(ShapeError, match="not codes of this estimator"):
        fitted.inverse_transform(table)
    with pytest.raises(ConfigError, match="n_samples"):
        fitted.sample(0)


def test_a_fit_that_fails_changes_nothing(fitted, table):
    before = fitted.transform(table)
    vae = copy.deepcopy(fitted).set_params(likelihood="bernoulli")
    with pytest.raises(DataError, match="support"):
        vae.fit(table[:, :3])
    assert (vae.transform(table) == before).all()


def test_values_outside_the_likelihood_are_refused(table):
    with pytest.raises(DataError, match="support"):
        VAE(likelihood="bernoulli", **QUICK).fit(table)


def test_an_autoencoder_has_codes_but_no_scores(table):
    vae = VAE(posterior=Point(), objective="autoencoder", **QUICK).fit(table)
    assert vae.transform(table).shape == (120, 2)
    assert np.isnan(vae.kl_).all()
    with pytest.raises(ConfigError, match="no likelihood of the data"):
        vae.score(table)
