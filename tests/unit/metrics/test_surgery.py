"""The two parts of the rate against quadrature over the exact aggregate posterior."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from vaekit.distributions import Normal, StandardNormal, TriangularNormal
from vaekit.errors import ConfigError, DataError
from vaekit.latents import IAF, ConditionalNormal, MixtureOfNormals, Point, Vamp
from vaekit.metrics import elbo_surgery
from vaekit.models import Evidence, FlatVAE, Node
from vaekit.networks import MLP


class LinearGaussian(nn.Module):
    """q(z|x) = N(wx, s²) over one dimension, or a given posterior; p(z) = N(0, 1)."""

    has_density = True

    def __init__(self, w=0.8, s=0.3, posterior=None):
        super().__init__()
        self.w, self.s = w, s
        self.posterior_of = posterior or self.diagonal

    def diagonal(self, x):
        return Normal(self.w * x, torch.full_like(x, self.s))

    def evidence(self, x, c=None, *, samples=1):
        q = self.posterior_of(x)
        z = q.rsample((samples,))
        node = Node(z, q, StandardNormal(torch.zeros_like(z[0, 0])))
        return Evidence(q, None, [node] * getattr(self, "groups", 1), value=x)


class Data:
    def __init__(self, x, c=None):
        self.x, self.c = x, c

    def batches(self, size, train=False):
        for start in range(0, len(self.x), size):
            rows = slice(start, start + size)
            yield SimpleNamespace(x=self.x[rows], c=None if self.c is None else self.c[rows])


def by_quadrature(x, w, s):
    """I(x; z) and KL(q(z)‖p(z)) of N rows on a fine grid."""
    z = np.linspace(-12, 12, 40_001)
    q = np.exp(-0.5 * ((z - w * x[:, None]) / s) ** 2) / (s * math.sqrt(2 * math.pi))
    mixture, prior = q.mean(0), np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    marginal = np.trapezoid(np.where(mixture > 0, mixture * np.log(mixture / prior), 0), z)
    entropy = -np.trapezoid(np.where(mixture > 0, mixture * np.log(mixture), 0), z)
    return entropy - 0.5 * math.log(2 * math.pi * math.e * s**2), marginal


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("batch_size", [7, 100])
def test_the_parts_are_those_of_the_aggregate_posterior(batch_size):
    x = torch.randn(30, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    model = LinearGaussian()
    found = elbo_surgery(model, Data(x), samples=4_000, batch_size=batch_size)
    information, marginal = by_quadrature(x.numpy()[:, 0], model.w, model.s)
    noise = 1 / math.sqrt(30 * 4_000)  # log q(z|x) alone has a standard deviation of √½ nats
    assert found.mutual_information == pytest.approx(information, abs=4 * noise)
    assert found.marginal_kl == pytest.approx(marginal, abs=4 * noise)
    means = (model.w * x).square()
    rate = 0.5 * (model.s**2 + means - 1) - math.log(model.s)
    assert found.rate == pytest.approx(float(rate.mean()), abs=1e-12)
    parts = found.mutual_information + found.marginal_kl
    assert parts == pytest.approx(found.rate, abs=1e-12)
    assert found.bound == math.log(30)


def test_information_of_many_rows_is_the_closed_form():
    """For x ~ N(0, 1) and q(z|x) = N(wx, s²): I = ½ log(1 + w²/s²)."""
    x = torch.randn(4_000, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = elbo_surgery(LinearGaussian(w=1.0, s=0.5), Data(x))
    exact = 0.5 * math.log(1 + 1 / 0.25)
    assert found.mutual_information == pytest.approx(exact, abs=4 * found.mutual_information_error)
    assert 0 < found.mutual_information_error < 0.03


def test_codes_that_tell_all_rows_apart_have_log_n_nats():
    x = 10 * torch.arange(50, dtype=torch.float64).unsqueeze(1)
    found = elbo_surgery(LinearGaussian(w=1.0, s=0.1), Data(x))
    assert found.mutual_information == pytest.approx(math.log(50), abs=1e-12)


def test_a_collapsed_code_has_no_information():
    found = elbo_surgery(LinearGaussian(w=0.0, s=1.0), Data(torch.randn(20, 1)))
    assert found.mutual_information == pytest.approx(0, abs=1e-6)
    assert found.marginal_kl == pytest.approx(0, abs=1e-6)


def test_full_covariances_score_each_others_codes():
    """A diagonal covariance written as a full one has the same aggregate posterior."""
    x = torch.randn(40, 2, dtype=torch.float64)
    scale = torch.tensor([0.3, 0.6], dtype=torch.float64)
    plain = elbo_surgery(
        LinearGaussian(posterior=lambda x: Normal(x, scale.expand_as(x))), Data(x)
    )
    full = elbo_surgery(
        LinearGaussian(posterior=lambda x: TriangularNormal(x, scale.diag().expand(len(x), 2, 2))),
        Data(x),
    )
    assert full.mutual_information == pytest.approx(plain.mutual_information, abs=1e-12)


@pytest.mark.parametrize(
    "parts", [{"posterior": IAF()}, {"prior": MixtureOfNormals()}, {"prior": Vamp()}]
)
def test_parts_without_closed_forms(parts):
    model = FlatVAE(latent_dim=3, encoder=MLP(hidden=(8,)), **parts).build(event_shape=(6,))
    found = elbo_surgery(model.double(), Data(torch.randn(30, 6, dtype=torch.float64)), samples=50)
    assert -0.05 < found.mutual_information < found.bound
    total = found.mutual_information + found.marginal_kl
    assert total == pytest.approx(found.rate, abs=1e-12)


def test_contexts_belong_to_their_rows():
    spec = FlatVAE(latent_dim=2, encoder=MLP(hidden=(8,)))
    model = spec.build(event_shape=(6,), context_dim=2).double()
    x, c = torch.randn(20, 6, dtype=torch.float64), torch.randn(20, 2, dtype=torch.float64)
    whole = elbo_surgery(model, Data(x, c), batch_size=20)
    parts = elbo_surgery(model, Data(x, c), batch_size=6)
    assert whole.mutual_information == pytest.approx(parts.mutual_information, abs=1e-9)
    conditional = spec.replace(prior=ConditionalNormal()).build(event_shape=(6,), context_dim=2)
    with pytest.raises(ConfigError, match="no single p"):
        elbo_surgery(conditional, Data(x.float(), c.float()))


def test_what_cannot_be_measured_is_refused():
    autoencoder = FlatVAE(posterior=Point()).build(event_shape=(6,))
    with pytest.raises(ConfigError, match="has no likelihood of the data"):
        elbo_surgery(autoencoder, Data(torch.zeros(3, 6)))
    several = LinearGaussian()
    several.groups = 2
    with pytest.raises(ConfigError, match="one latent group; expected 1, got 2"):
        elbo_surgery(several, Data(torch.zeros(3, 1)))
    with pytest.raises(DataError, match="no rows"):
        elbo_surgery(LinearGaussian(), Data(torch.zeros(0, 1)))
