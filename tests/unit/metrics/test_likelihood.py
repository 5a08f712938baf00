"""Importance-sampled likelihoods against exact ones, and that no score depends on its company."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from torch import nn

from vaekit.errors import ConfigError, DataError, ShapeError
from vaekit.latents import ConditionalNormal, Full, Point
from vaekit.likelihoods import Gaussian
from vaekit.metrics import bits_per_dim, elbo, log_marginal, mean_and_error, score
from vaekit.metrics import likelihood as module
from vaekit.models import FlatVAE, LinearVAE, VAEModel
from vaekit.networks import MLP

F64 = torch.float64


@pytest.fixture
def x():
    g = torch.Generator().manual_seed(1)
    return torch.randn(9, 6, generator=g, dtype=F64) * torch.linspace(2, 0.5, 6, dtype=F64)


@pytest.fixture
def linear(x):
    """A linear VAE whose posterior is near the exact one, but not equal to it."""
    rows = torch.randn(200, 6, dtype=F64) * torch.linspace(2, 0.5, 6, dtype=F64)
    model = LinearVAE().build(event_shape=(6,)).double().set_maximum_likelihood(rows)
    with torch.no_grad():
        model.posterior.head.bias.add_(torch.tensor([0.2, -0.2, 0.25, 0.1], dtype=F64))
    return model


@pytest.fixture
def model():
    spec = FlatVAE(latent_dim=3, encoder=MLP(hidden=(8,)), posterior=Full())
    return spec.build(event_shape=(6,)).double()


class Toy(nn.Module):
    """z ~ N(0, 1), x|z ~ N(z, 1), q(z|x) = N(x/2, s²): p(x) = N(0, 2)."""

    def __init__(self, scale):
        super().__init__()
        part = FlatVAE(latent_dim=1, encoder=MLP(hidden=()), likelihood=Gaussian(scale=1.0))
        self.inner = part.build(event_shape=(1,)).double()
        raw = 10 * math.atanh(math.log(scale) / 10)
        with torch.no_grad():
            self.inner.posterior.head.weight.copy_(torch.tensor([[0.5], [0.0]]))
            self.inner.posterior.head.bias.copy_(torch.tensor([0.0, raw]))
            self.inner.decoder.layers[0].weight.fill_(1.0)
            self.inner.decoder.layers[0].bias.zero_()

    has_density = True

    def evidence(self, x, c=None, *, samples=1):
        return self.inner.evidence(x, c, samples=samples)


# --- exact values -------------------------------------------------------------------------------


def test_linear_vae_at_many_samples(linear, x):
    found = log_marginal(linear, x, samples=5000)
    weights = linear.evidence(x, samples=5000).log_weight.detach()
    ratio = (weights - linear.exact_log_marginal(x)).detach().exp()
    error = ratio.std(0) / math.sqrt(5000)
    assert float(error.max()) < 0.04
    assert bool(((found - linear.exact_log_marginal(x).detach()).abs() < 4 * error).all())


def test_an_exact_posterior_needs_one_sample(x):
    model = LinearVAE().build(event_shape=(6,)).double().set_maximum_likelihood(x)
    exact = model.exact_log_marginal(x).detach()
    torch.testing.assert_close(log_marginal(model, x, samples=1), exact, rtol=0, atol=1e-10)


def test_any_model_with_evidence():
    x = torch.tensor([[-2.0], [0.3], [3.0]], dtype=F64)
    exact = scipy.stats.norm(0, math.sqrt(2)).logpdf(x[:, 0].numpy())
    tight = log_marginal(Toy(math.sqrt(0.5)), x, samples=3)
    np.testing.assert_allclose(tight, exact, atol=1e-12)
    variance = 2 / math.sqrt(3) - 1  # of p(z|x)/q(z|x) under q: ∫p²/q − 1 of two normals
    wide = log_marginal(Toy(1.0), x, samples=10_000)
    np.testing.assert_allclose(wide, exact, atol=4 * math.sqrt(variance / 10_000))


def test_elbo_and_its_parts_in_closed_form():
    x = torch.tensor([[-2.0], [0.3], [3.0]], dtype=F64)
    found = elbo(Toy(1.0), x, samples=10_000)
    x = x[:, 0]
    torch.testing.assert_close(found.rate, x.square() / 8, rtol=1e-12, atol=1e-12)
    distortion = 0.5 * (x.square() / 4 + 1 + math.log(2 * math.pi))
    error = (x.square() / 4 + 0.5).sqrt() / math.sqrt(10_000)  # of ½(x − z)² at z ~ N(x/2, 1)
    assert bool(((found.distortion - distortion).abs() < 4 * error).all())
    torch.testing.assert_close(found.elbo, -found.rate - found.distortion, rtol=0, atol=0)


def test_bias_shrinks_with_samples(linear, x):
    exact = linear.exact_log_marginal(x).detach()
    with torch.no_grad():
        linear.posterior.head.bias.add_(torch.tensor([0.3, -0.3, 0.2, 0.2], dtype=F64))

    def bias(k, seeds):
        repeats = [log_marginal(linear, x, samples=k, seed=s).mean() for s in range(seeds)]
        gaps = exact.mean() - torch.stack(repeats)
        return float(gaps.mean()), float(gaps.std()) / math.sqrt(seeds)

    (b1, e1), (b2, e2), (b16, e16) = bias(1, 400), bias(2, 400), bias(16, 200)
    assert b1 - b2 > 4 * math.hypot(e1, e2)
    assert b2 - b16 > 4 * math.hypot(e2, e16)
    assert b16 > -4 * e16  # never above the exact value


def test_one_sample_is_the_plain_importance_weight(model, x):
    found = score(model, x, samples=1)
    q = model.encode(x)
    with module.shared_noise(module.block_seed(0, 0)):
        z = q.rsample((1,))
    weight = model.decode(z).log_prob(x) + model.prior().log_prob(z) - q.log_prob(z)
    torch.testing.assert_close(found.log_marginal, weight[0].detach(), rtol=1e-12, atol=1e-12)


# --- company and chunks --------------------------------------------------------------------------


@pytest.mark.parametrize("samples", [1, 64, 150])
@pytest.mark.parametrize("chunk", [1, 2, 7, 100])
def test_rows_may_be_divided_at_will(model, x, samples, chunk):
    whole = score(model, x, samples=samples, seed=3)
    parts = score(model, x, samples=samples, seed=3, chunk=chunk)
    for name in ("rate", "distortion", "log_marginal", "elbo"):
        torch.testing.assert_close(getattr(parts, name), getattr(whole, name), rtol=0, atol=1e-9)


def test_a_score_does_not_depend_on_batch_mates(model, x):
    whole = log_marginal(model, x, samples=20)
    order = torch.randperm(len(x))
    shuffled = log_marginal(model, x[order], samples=20)
    torch.testing.assert_close(shuffled, whole[order], rtol=0, atol=1e-9)
    alone = torch.cat([log_marginal(model, row[None], samples=20) for row in x])
    torch.testing.assert_close(alone, whole, rtol=0, atol=1e-9)


def test_memory_stays_bounded(model, x, monkeypatch):
    seen = []
    decode = VAEModel.decode

    def counting(self, z, c=None, *, x=None):
        seen.append(math.prod(z.shape[:2]) * 6)
        return decode(self, z, c, x=x)

    whole = log_marginal(model, x, samples=40)
    monkeypatch.setattr(VAEModel, "decode", counting)
    monkeypatch.setattr(module, "MAX_ELEMENTS", 40 * 2 * 6)
    monkeypatch.setattr(module, "_block_size", lambda x: 64)
    found = log_marginal(model, x, samples=40)
    assert max(seen) == 40 * 2 * 6
    assert sum(seen) == 40 * len(x) * 6
    torch.testing.assert_close(found, whole, rtol=0, atol=1e-9)


def test_a_flat_vae_encodes_each_row_once(model, x, monkeypatch):
    rows = []
    model.encoder.register_forward_hook(lambda m, inputs, output: rows.append(len(output)))
    log_marginal(model, x, samples=100, chunk=4)
    assert rows == [4, 4, 1]


def test_flat_and_general_path_agree(model, x):
    class Own(VAEModel):
        def evidence(self, x, c=None, **options):
            return super().evidence(x, c, **options)

    own = Own(model.encoder, model.decoder, model.prior, model.posterior, model.likelihood)
    found, expected = score(own, x, samples=20), score(model, x, samples=20)
    torch.testing.assert_close(found.log_marginal, expected.log_marginal, rtol=0, atol=1e-12)
    torch.testing.assert_close(found.rate, expected.rate, rtol=0, atol=1e-12)


def test_a_context_goes_with_its_row(x):
    spec = FlatVAE(latent_dim=2, encoder=MLP(hidden=(8,)), prior=ConditionalNormal(hidden=(4,)))
    model = spec.build(event_shape=(6,), context_dim=3).double()
    with torch.no_grad():
        for p in model.prior.parameters():
            p.normal_()
    c = torch.randn(len(x), 3, dtype=F64)
    whole = log_marginal(model, x, c, samples=20)
    for i in (0, 4, 8):
        alone = log_marginal(model, x[[i]], c[[i]], samples=20)
        torch.testing.assert_close(alone, whole[[i]], rtol=0, atol=1e-9)
    other = log_marginal(model, x, c.flip(0), samples=20)
    assert float((other - whole).abs().max()) > 0.01


def test_seeds_decide(model, x):
    first = log_marginal(model, x, seed=1, samples=20)
    torch.rand(5)
    torch.testing.assert_close(log_marginal(model, x, seed=1, samples=20), first, rtol=0, atol=0)
    assert float((log_marginal(model, x, seed=2, samples=20) - first).abs().min()) > 1e-6


def test_blocks_draw_different_codes(model, x):
    """Two blocks of the same noise would leave the estimate of one block unchanged."""
    one = log_marginal(model, x, samples=64)
    two = log_marginal(model, x, samples=128)
    assert float((one - two).abs().min()) > 1e-6


@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_numbered_rows_may_be_divided_at_will(model, x, chunk):
    whole = score(model, x, samples=70, first_row=0)
    parts = [score(model, x[:4], samples=70, first_row=0, chunk=chunk)]
    parts.append(score(model, x[4:], samples=70, first_row=4, chunk=chunk))
    found = torch.cat([part.log_marginal for part in parts])
    torch.testing.assert_close(found, whole.log_marginal, rtol=0, atol=1e-9)


def test_numbered_rows_have_draws_of_their_own(linear, x):
    """Equal rows score alike with shared draws; with their own, their mean is the better one."""
    same = x[:1].expand(200, -1)
    exact = float(linear.exact_log_marginal(x[:1]).detach())
    shared = score(linear, same, samples=8).log_marginal
    own = score(linear, same, samples=8, first_row=0).log_marginal
    assert float(shared.std()) < 1e-9
    assert float(own.std()) > 0.01
    assert abs(float(own.exp().mean()) - math.exp(exact)) < 4 * float(own.exp().std()) / 200**0.5


# --- state, types, refusals ----------------------------------------------------------------------


def test_the_model_is_left_as_it_was(x):
    model = FlatVAE(encoder=MLP(hidden=(8,))).build(event_shape=(6,)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    found = log_marginal(model, x.float(), samples=20)
    assert model.training
    assert not found.requires_grad
    assert bool((torch.get_rng_state() == state).all())
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_sums_are_float64_and_dtype_sets_the_model_s(x):
    model = FlatVAE(encoder=MLP(hidden=(8,))).build(event_shape=(6,))
    single = log_marginal(model, x, samples=20)
    double = log_marginal(model, x, samples=20, dtype=F64)
    expected = log_marginal(model.double(), x, samples=20)
    assert single.dtype == double.dtype == F64
    torch.testing.assert_close(double, expected, rtol=0, atol=0)
    torch.testing.assert_close(single, double, rtol=0, atol=1e-4)
    assert float((single - double).abs().max()) > 0


def test_an_autoencoder_is_refused(x):
    model = FlatVAE(posterior=Point(), encoder=MLP(hidden=(4,))).build(event_shape=(6,))
    for metric in (log_marginal, elbo, score):
        with pytest.raises(ConfigError, match="'posterior/point' is a point, with no density"):
            metric(model, x)


def test_wrong_numbers_are_refused(model, x):
    with pytest.raises(ConfigError, match="samples: too few samples; expected at least 1, got 0"):
        score(model, x, samples=0)
    with pytest.raises(ConfigError, match="chunk: too few rows"):
        score(model, x, chunk=0)
    with pytest.raises(ShapeError, match="one context for each row; expected 9, got 2"):
        score(model, x, torch.zeros(2, 3))
    with pytest.raises(ShapeError, match=r"expected shape \(n, 6\)"):
        score(model, x[:, :5])
    with pytest.raises(DataError, match="no rows to score"):
        score(model, x[:0])
    x[3, 2] = math.inf
    with pytest.raises(DataError, match="row 3"):
        score(model, x)


def test_mean_and_error_equal_scipy(x):
    mean, error = mean_and_error(x[:, 0])
    assert mean == pytest.approx(float(x[:, 0].mean()), rel=1e-14)
    assert error == pytest.approx(scipy.stats.sem(x[:, 0].numpy()), rel=1e-14)
    assert mean_and_error(x[:1, 0]) == (float(x[0, 0]), pytest.approx(math.nan, nan_ok=True))
    with pytest.raises(DataError, match="no rows"):
        mean_and_error(x[:0, 0])


def test_bits_per_dim_of_uniform_bytes():
    """A uniform distribution over 256 values needs 8 bits for each."""
    assert float(bits_per_dim(torch.tensor(-12 * math.log(256), dtype=F64), 12)) == pytest.approx(
        8
    )
