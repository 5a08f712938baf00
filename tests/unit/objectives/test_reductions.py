"""Where its own weights vanish, every objective is the plain ELBO; WAE is a case of InfoVAE."""

from functools import partial

import pytest
import torch

from vaekit.errors import ConfigError
from vaekit.latents import Point
from vaekit.models import FlatVAE
from vaekit.objectives import DIP, ELBO, WAE, BetaTC, FactorVAE, ImportanceWeighted, InfoVAE

PLAIN = {
    "beta 1": ELBO(beta=1.0),
    "free bits 0": ELBO(free_bits=0.0),
    "capacity 0": ELBO(capacity=0.0),
    "one sample": ImportanceWeighted(samples=1),
    "alpha 0, lambda 1": InfoVAE(alpha=0.0, lambda_=1.0),
    "equal weights of the rate's parts": BetaTC(alpha=1.0, beta=1.0, gamma=1.0, rows=100),
    "gamma 0": partial(FactorVAE(gamma=0.0).fool, critic=lambda z: z.square().sum(-1)),
    "gamma 9 without its critic": FactorVAE(gamma=9.0),
    "no covariance penalty": DIP(off_diagonal=0.0, diagonal=0.0),
}


def value_and_gradients(model, objective, x):
    torch.manual_seed(1)
    loss = objective(model.evidence(x)).total
    return [loss, *torch.autograd.grad(loss, list(model.parameters()))]


@pytest.mark.parametrize("name", PLAIN)
def test_it_is_the_elbo(name, dtype):
    model = FlatVAE(latent_dim=3).build(event_shape=(4,)).to(dtype)
    x = torch.rand(8, 4, dtype=dtype)
    expected = value_and_gradients(model, ELBO(), x)
    for got, wanted in zip(value_and_gradients(model, PLAIN[name], x), expected, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kernel", ["imq", "gaussian"])
def test_without_a_rate_infovae_is_wae(kernel, dtype):
    model = FlatVAE(latent_dim=3).build(event_shape=(4,)).to(dtype)
    x = torch.rand(8, 4, dtype=dtype)
    info = value_and_gradients(model, InfoVAE(alpha=1.0, lambda_=7.0, kernel=kernel), x)
    for got, wanted in zip(
        info, value_and_gradients(model, WAE(weight=7.0, kernel=kernel), x), strict=True
    ):
        torch.testing.assert_close(got, wanted, rtol=1e-6, atol=1e-6)


def test_wae_takes_a_point_for_a_posterior():
    model = FlatVAE(posterior=Point()).build(event_shape=(4,))
    evidence = model.evidence(torch.rand(8, 4))
    loss = WAE(weight=3.0)(evidence)
    expected = loss.terms["distortion"] + 3 * loss.terms["mmd"]
    torch.testing.assert_close(loss.total.detach(), expected)


def test_a_negative_weight_of_the_discrepancy_is_refused():
    with pytest.raises(ConfigError, match="driven away"):
        InfoVAE(alpha=0.0, lambda_=0.5)
