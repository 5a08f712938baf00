"""A trained model behind the protocol of the baselines."""

import numpy as np
import pytest
import torch

from vaekit.baselines import Representation
from vaekit.errors import ConfigError, DataError, ShapeError
from vaekit.latents import ConditionalNormal, Full, Point
from vaekit.likelihoods import Bernoulli, Gaussian
from vaekit.models import FlatVAE, LinearVAE
from vaekit.networks import MLP
from vaekit.tasks import ModelRepresentation


def built(**parts):
    spec = FlatVAE(**{"encoder": MLP(hidden=(8,)), "likelihood": Bernoulli(), **parts})
    return spec.build(event_shape=(1, 4, 4))


@pytest.fixture
def rows():
    return np.random.default_rng(0).random((30, 1, 4, 4))


@pytest.fixture
def vae():
    return ModelRepresentation(built(latent_dim=3), samples=20)


def test_it_is_a_representation(vae, rows):
    assert isinstance(vae, Representation)
    assert (vae.name, vae.latent_dim) == ("VAE", 3)
    with pytest.raises(ConfigError, match="VAE is trained already"):
        vae.fit(rows)


def test_shapes_and_types(vae, rows):
    codes = vae.encode(rows)
    found = {
        (30, 3): codes,
        (30, 1, 4, 4): vae.decode(codes),
        (30,): vae.score_samples(rows),
        (7, 1, 4, 4): vae.sample(7, seed=0),
    }
    for shape, values in found.items():
        assert values.shape == shape
        assert values.dtype == np.float64
    assert np.array_equal(vae.reconstruct(rows), vae.decode(codes))
    means, scales = vae.encode_with_scale(rows)
    assert np.array_equal(means, codes)
    assert (scales > 0).all()


@pytest.mark.parametrize("posterior", [Full(), None])
def test_no_score_depends_on_its_batch_mates(rows, posterior):
    parts = {} if posterior is None else {"posterior": posterior}
    vae = ModelRepresentation(built(**parts), samples=10)
    together = vae.score_samples(rows)
    alone = np.concatenate([vae.score_samples(rows[i : i + 1]) for i in range(len(rows))])
    backwards = vae.score_samples(rows[::-1])[::-1]
    np.testing.assert_allclose(alone, together, rtol=1e-5)
    np.testing.assert_allclose(backwards, together, rtol=1e-5)
    twins = vae.score_samples(np.repeat(rows[:1], 5, 0))
    np.testing.assert_allclose(twins, twins[0], rtol=1e-5)


def test_results_do_not_depend_on_the_batch_size(rows):
    model = built()
    one, other = (ModelRepresentation(model, batch_size=n) for n in (30, 7))
    np.testing.assert_allclose(one.encode(rows), other.encode(rows), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        one.reconstruct(rows), other.reconstruct(rows), rtol=1e-5, atol=1e-6
    )


def test_contexts_follow_their_rows(rows):
    spec = FlatVAE(encoder=MLP(hidden=(8,)), prior=ConditionalNormal(), likelihood=Bernoulli())
    model = spec.build(event_shape=(1, 4, 4), context_dim=2)
    c = torch.randn(30, 2)
    one, other = (ModelRepresentation(model, batch_size=n) for n in (30, 7))
    np.testing.assert_allclose(one.encode(rows, c), other.encode(rows, c), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        one.reconstruct(rows, c), other.reconstruct(rows, c), rtol=1e-5, atol=1e-6
    )
    with pytest.raises(ShapeError, match="the context does not fit the model"):
        one.encode(rows)


def test_samples_are_reproducible_and_leave_the_generator_alone(vae):
    before = torch.random.get_rng_state()
    one = vae.sample(5, seed=3, draw=True)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(5)
    assert np.array_equal(vae.sample(5, seed=3, draw=True), one)
    assert not np.array_equal(vae.sample(5, seed=4, draw=True), one)
    assert set(np.unique(one)) <= {0.0, 1.0}
    assert not set(np.unique(vae.sample(5, seed=3))) <= {0.0, 1.0}


def test_scores_leave_the_generator_alone(vae, rows):
    before = torch.random.get_rng_state()
    one = vae.score_samples(rows)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert np.array_equal(vae.score_samples(rows), one)


def test_scores_are_log_likelihoods():
    x = torch.randn(200, 5) @ torch.randn(5, 5)
    model = LinearVAE(latent_dim=2).build(event_shape=(5,)).set_maximum_likelihood(x)
    scores = ModelRepresentation(model, samples=5).score_samples(x)
    np.testing.assert_allclose(scores, model.exact_log_marginal(x).detach().numpy(), atol=1e-3)


def test_an_autoencoder_has_no_scores(rows):
    model = built(posterior=Point(), likelihood=Gaussian(scale=1.0))
    assert ModelRepresentation(model).score_samples(rows) is None


def test_modes_and_gradients_are_left_alone(vae, rows):
    assert not vae.model.training
    vae.reconstruct(rows)
    assert all(p.grad is None for p in vae.model.parameters())


def test_one_dimension_works(rows):
    vae = ModelRepresentation(built(latent_dim=1))
    assert vae.encode(rows).shape == (30, 1)
    assert vae.sample(3, seed=0).shape == (3, 1, 4, 4)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("method", ["encode", "reconstruct", "score_samples"])
def test_values_that_are_not_finite(vae, rows, bad, method):
    rows[4, 0, 2, 1] = bad
    with pytest.raises(DataError, match=r"pixel \(0, 2, 1\) holds 1 value.* in row 4"):
        getattr(vae, method)(rows)


def test_rows_and_codes_of_another_shape(vae, rows):
    with pytest.raises(ShapeError, match=r"expected shape \(n, 1, 4, 4\), got \(30, 4, 4\)"):
        vae.encode(rows[:, 0])
    with pytest.raises(ShapeError, match=r"z does not fit the model; expected shape \(n, 3\)"):
        vae.decode(np.zeros((5, 2)))
