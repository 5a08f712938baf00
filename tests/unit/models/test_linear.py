"""The linear VAE against what is known exactly: probabilistic PCA (Lucas et al., 2019)."""

import math

import numpy as np
import pytest
import scipy.stats
import sklearn.decomposition
import torch

from vaekit.errors import ConfigError, DataError, ShapeError
from vaekit.models import LinearVAE, LinearVAEModel
from vaekit.spec import from_json, spec_of, to_json

F64 = torch.float64


def rows(n=60, dim=6, seed=0):
    """Rows whose covariance has a wide spectrum and whose mean is not 0."""
    g = np.random.default_rng(seed)
    mixing = np.linalg.qr(g.normal(size=(dim, dim)))[0] * np.linspace(3.0, 0.5, dim)
    return torch.from_numpy(g.normal(size=(n, dim)) @ mixing.T + g.normal(size=dim))


def linear(x, k=2):
    return LinearVAE(latent_dim=k).build(event_shape=x.shape[1:]).double()


@pytest.fixture
def x():
    return rows()


@pytest.fixture
def random_model(x):
    """Any parameters, not the best ones: W has no orthogonal columns here."""
    model = linear(x, k=3)
    with torch.no_grad():
        model.likelihood.set_raw_log_scale(-0.3)
        model.weight.copy_(torch.randn(6, 3, dtype=F64))
        model.bias.copy_(torch.randn(6, dtype=F64))
    return model


def elbo_exactly(model, x):
    """E_q over the 2k points loc ± √k·scale·eᵢ: exact, since log p(x|z) is quadratic in z."""
    q = model.encode(x)
    k = q.mean.shape[-1]
    eps = math.sqrt(k) * torch.cat([torch.eye(k, dtype=F64), -torch.eye(k, dtype=F64)])
    z = q.mean + q.stddev * eps[:, None]
    return model.evidence(x, given=(z,)).elbo.mean(0)


def covariance(model):
    w = model.weight.detach().numpy()
    return w @ w.T + float(model.sigma2.detach()) * np.eye(len(w))


def kl_between(q_mean, q_cov, p_mean, p_cov):
    """KL of two normals from the textbook, by NumPy."""
    inverse = np.linalg.inv(p_cov)
    shift = p_mean - q_mean
    log_det = np.linalg.slogdet(p_cov)[1] - np.linalg.slogdet(q_cov)[1]
    return 0.5 * (np.trace(inverse @ q_cov) + shift @ inverse @ shift - len(shift) + log_det)


# --- exact values -------------------------------------------------------------------------------


def test_log_marginal_equals_scipy(random_model, x):
    expected = scipy.stats.multivariate_normal(
        random_model.bias.detach().numpy(), covariance(random_model)
    ).logpdf(x.numpy())
    found = random_model.exact_log_marginal(x).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_log_marginal_is_stable_at_small_noise(x):
    model = linear(x)
    with torch.no_grad():
        model.likelihood.set_raw_log_scale(-30.0)
        model.weight.copy_(1e3 * torch.randn(6, 2, dtype=F64))
        model.bias.zero_()
    scale = math.exp(-6)
    assert float(model.sigma2.detach()) == pytest.approx(scale**2, rel=1e-9)
    on_plane = torch.randn(5, 2, dtype=F64) @ model.weight.mT
    # along W: a normal of covariance WWᵀ + σ²; across: exactly 0 away from the plane
    u, s, _ = np.linalg.svd(model.weight.detach().numpy(), full_matrices=False)
    along = scipy.stats.multivariate_normal(np.zeros(2), np.diag(s**2 + scale**2))
    across = 4 * scipy.stats.norm(0, scale).logpdf(0)
    expected = along.logpdf(on_plane.detach().numpy() @ u) + across
    found = model.exact_log_marginal(on_plane).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_posterior_equals_conditioning_the_joint_normal(random_model, x):
    w, mu = random_model.weight.detach().numpy(), random_model.bias.detach().numpy()
    gain = w.T @ np.linalg.inv(covariance(random_model))
    q = random_model.exact_posterior(x)
    np.testing.assert_allclose(q.mean.detach(), (x.numpy() - mu) @ gain.T, atol=1e-12)
    found = q.scale_tril[0] @ q.scale_tril[0].mT
    np.testing.assert_allclose(found.detach(), np.eye(3) - gain @ w, atol=1e-12)


def test_posterior_satisfies_bayes_at_any_code(random_model, x):
    z = torch.randn(len(x), 3, dtype=F64)
    joint = random_model.prior().log_prob(z) + random_model.decode(z).log_prob(x)
    found = joint - random_model.exact_posterior(x).log_prob(z)
    torch.testing.assert_close(found, random_model.exact_log_marginal(x), rtol=1e-11, atol=1e-11)


def test_images_and_flat_rows_agree(x):
    flat = linear(x).set_maximum_likelihood(x)
    images = linear(x.reshape(-1, 1, 2, 3)).set_maximum_likelihood(x.reshape(-1, 1, 2, 3))
    found = images.exact_log_marginal(x.reshape(-1, 1, 2, 3))
    torch.testing.assert_close(found, flat.exact_log_marginal(x), rtol=0, atol=0)


def test_a_code_as_large_as_the_data(x):
    model = linear(x, k=6)
    expected = scipy.stats.multivariate_normal(
        model.bias.detach().numpy(), covariance(model)
    ).logpdf(x.numpy())
    np.testing.assert_allclose(model.exact_log_marginal(x).detach(), expected, rtol=1e-11)


# --- maximum likelihood --------------------------------------------------------------------------


def test_maximum_likelihood_is_that_of_scikit_learn(x):
    n = len(x)
    model = linear(x).set_maximum_likelihood(x)
    # scikit-learn divides by n − 1: shrink the rows so that its covariance is ours
    shrunk = x.mean(0) + (x - x.mean(0)) * math.sqrt((n - 1) / n)
    pca = sklearn.decomposition.PCA(n_components=2).fit(shrunk.numpy())
    expected = pca.score_samples(x.numpy())
    np.testing.assert_allclose(model.exact_log_marginal(x).detach(), expected, rtol=1e-10)
    assert float(model.sigma2.detach()) == pytest.approx(pca.noise_variance_, rel=1e-10)


@pytest.mark.parametrize("shape", [(60, 6), (5, 12)], ids=["tall", "wide"])
def test_at_maximum_likelihood_the_bound_is_tight(shape):
    x = rows(*shape)
    model = linear(x).set_maximum_likelihood(x)
    exact = model.exact_log_marginal(x)
    torch.testing.assert_close(elbo_exactly(model, x), exact, rtol=0, atol=1e-10)
    weights = model.evidence(x, samples=7).log_weight
    torch.testing.assert_close(weights, exact.expand(7, -1), rtol=0, atol=1e-10)


def test_at_maximum_likelihood_all_gradients_vanish(x):
    model = linear(x).set_maximum_likelihood(x)
    elbo_exactly(model, x).mean().backward()
    gradients = {name: p.grad for name, p in model.named_parameters()}
    assert set(gradients) == {
        "decoder.layers.0.weight",
        "decoder.layers.0.bias",
        "posterior.head.weight",
        "posterior.head.bias",
        "likelihood.paced_log_scale",
    }
    for name, gradient in gradients.items():
        assert float(gradient.abs().max()) < 1e-10, name


def test_the_gradients_vanish_nowhere_near(x):
    model = linear(x).set_maximum_likelihood(x)
    with torch.no_grad():
        model.weight.mul_(1.1)
        model.bias.add_(0.1)
        model.posterior.head.bias.add_(0.1)
    elbo_exactly(model, x).mean().backward()
    assert all(float(p.grad.abs().max()) > 1e-4 for p in model.parameters())


def test_no_neighbour_is_likelier(x):
    model = linear(x).set_maximum_likelihood(x)
    best = float(model.exact_log_marginal(x).detach().mean())
    start = [p.detach().clone() for p in model.parameters()]
    for step in range(20):
        torch.manual_seed(step)
        with torch.no_grad():
            for p, value in zip(model.parameters(), start, strict=True):
                p.copy_(value + 0.02 * torch.randn_like(value))
        assert float(model.exact_log_marginal(x).mean().detach()) < best


def test_the_exact_posterior_is_the_encoder_at_maximum_likelihood(x):
    model = linear(x).set_maximum_likelihood(x)
    q, exact = model.encode(x), model.exact_posterior(x)
    torch.testing.assert_close(q.mean, exact.mean, rtol=0, atol=1e-12)
    torch.testing.assert_close(torch.diag_embed(q.stddev), exact.scale_tril, rtol=0, atol=1e-12)


def test_rotating_the_code_keeps_the_likelihood_and_lowers_the_bound(x):
    model = linear(x).set_maximum_likelihood(x)
    exact, tight = model.exact_log_marginal(x).detach(), elbo_exactly(model, x).detach()
    angle = math.pi / 6
    turn = torch.tensor(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]], dtype=F64
    )
    with torch.no_grad():
        model.weight.copy_(model.weight @ turn)
        head = model.posterior.head
        head.weight[:2] = turn.mT @ head.weight[:2]
        head.bias[:2] = turn.mT @ head.bias[:2]
    torch.testing.assert_close(model.exact_log_marginal(x), exact, rtol=0, atol=1e-11)
    p = model.exact_posterior(x)
    torch.testing.assert_close(model.encode(x).mean, p.mean, rtol=0, atol=1e-12)
    lowered = elbo_exactly(model, x)
    assert bool((lowered < tight - 1e-3).all())
    gap = kl_between(
        np.zeros(2),
        np.diag(model.encode(x).stddev[0].square().detach()),
        np.zeros(2),
        (p.scale_tril[0] @ p.scale_tril[0].mT).detach().numpy(),
    )
    np.testing.assert_allclose((exact - lowered).detach(), gap, rtol=1e-9)


# --- bounds --------------------------------------------------------------------------------------


def test_the_gap_of_the_elbo_is_the_kl_to_the_posterior(random_model, x):
    q, p = random_model.encode(x), random_model.exact_posterior(x)
    p_cov = (p.scale_tril[0] @ p.scale_tril[0].mT).detach().numpy()
    expected = [
        kl_between(
            q.mean[i].detach().numpy(),
            np.diag(q.stddev[i].square().detach().numpy()),
            p.mean[i].detach().numpy(),
            p_cov,
        )
        for i in range(len(x))
    ]
    gap = random_model.exact_log_marginal(x) - elbo_exactly(random_model, x)
    assert min(expected) > 0.1
    np.testing.assert_allclose(gap.detach(), expected, rtol=1e-9)


def test_bounds_rise_with_samples_to_the_exact_value(x):
    model = linear(x).set_maximum_likelihood(x)
    with torch.no_grad():
        model.posterior.head.bias.add_(torch.tensor([0.2, -0.2, 0.25, -0.25], dtype=F64))
        log_weight = model.evidence(x, samples=20_000).log_weight
    exact = float(model.exact_log_marginal(x).detach().mean())

    def bound(k):
        """IWAE_k, its mean over 20 000 / k repeats, and the standard error."""
        groups = log_weight.unflatten(0, (-1, k)).logsumexp(1) - math.log(k)
        repeats = groups.mean(1)
        return float(repeats.mean()), float(repeats.std() / math.sqrt(len(repeats)))

    (one, e1), (five, e5), (fifty, e50) = bound(1), bound(5), bound(50)
    assert abs(one - float(elbo_exactly(model, x).detach().mean())) < 4 * e1
    assert one + 4 * e1 < five - 4 * e5
    assert five + 4 * e5 < fifty - 4 * e50
    assert fifty < exact + 4 * e50
    assert exact - fifty < 0.1 * (exact - one)


# --- parts and refusals --------------------------------------------------------------------------


def test_spec_survives_json():
    spec = LinearVAE(latent_dim=3)
    assert from_json(to_json(spec)) == spec
    model = spec.build(event_shape=(4,))
    assert isinstance(model, LinearVAEModel)
    assert spec_of(model) == spec


def test_float32_parameters_give_float64_scores(x):
    model = LinearVAE().build(event_shape=(6,)).set_maximum_likelihood(x.float())
    exact = linear(x).set_maximum_likelihood(x).exact_log_marginal(x)
    found = model.exact_log_marginal(x.float())
    assert found.dtype == F64
    torch.testing.assert_close(found, exact, rtol=0, atol=1e-5)


def test_a_context_is_refused():
    with pytest.raises(ConfigError, match="no context; got 3 numbers per example"):
        LinearVAE().build(event_shape=(4,), context_dim=3)


def test_a_code_that_leaves_no_noise_is_refused(x):
    with pytest.raises(ConfigError, match="latent_dim below 6, the size of x, got 6"):
        linear(x, k=6).set_maximum_likelihood(x)


@pytest.mark.parametrize("n", [2, 40], ids=["few rows", "a plane"])
def test_data_without_noise_are_refused(n):
    plane = torch.randn(n, 2, dtype=F64) @ torch.randn(2, 6, dtype=F64)
    with pytest.raises(
        DataError, match=r"too little noise; expected a noise scale above 0\.00248"
    ):
        linear(plane).set_maximum_likelihood(plane)


def test_signal_beyond_the_posterior_bound_is_refused(x):
    huge = x.clone()
    huge[:, 0] *= 1e9
    with pytest.raises(DataError, match="log scales within ±10"):
        linear(huge).set_maximum_likelihood(huge)


def test_wrong_shape_and_values_are_refused(x):
    model = linear(x)
    with pytest.raises(ShapeError, match=r"expected shape \(n, 6\), got \(3, 5\)"):
        model.exact_log_marginal(torch.zeros(3, 5, dtype=F64))
    x[4, 1] = math.nan
    with pytest.raises(DataError, match=r"row 4, element \(1,\)"):
        model.set_maximum_likelihood(x)
