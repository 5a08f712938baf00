"""The covariance penalties against NumPy."""

import numpy as np
import pytest
import torch

from vaekit.errors import ConfigError
from vaekit.latents import Full
from vaekit.models import FlatVAE
from vaekit.objectives import DIP, ELBO
from vaekit.objectives.dip import batch_covariance


@pytest.mark.parametrize("of", ["means", "codes"])
def test_penalties_are_those_of_the_covariance(of, dtype):
    model = FlatVAE(latent_dim=3).build(event_shape=(4,)).to(dtype)
    x = torch.rand(9, 4, dtype=dtype)
    evidence, q = model.evidence(x), model.encode(x)
    covariance = np.cov(q.mean.detach().numpy().T, bias=True)
    if of == "codes":
        covariance = covariance + np.diag((q.stddev.detach().numpy() ** 2).mean(0))
    off = sum(covariance[i, j] ** 2 for i in range(3) for j in range(3) if i != j)
    on = sum((covariance[i, i] - 1) ** 2 for i in range(3))
    loss = DIP(off_diagonal=2.0, diagonal=5.0, of=of)(evidence)
    assert loss.terms["off_diagonal"].item() == pytest.approx(off, rel=1e-5)
    assert loss.terms["diagonal"].item() == pytest.approx(on, rel=1e-5)
    expected = ELBO()(evidence).total.item() + 2 * off + 5 * on
    assert loss.total.item() == pytest.approx(expected, rel=1e-6)


def test_autocast_does_not_reach_the_covariance():
    values = torch.randn(9, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        covariance = batch_covariance(values)
    torch.testing.assert_close(covariance, torch.cov(values.T, correction=0))


def test_a_full_posterior_has_other_covariances():
    evidence = FlatVAE(posterior=Full()).build(event_shape=(4,)).evidence(torch.rand(5, 4))
    assert DIP(of="means")(evidence).total.isfinite()
    with pytest.raises(ConfigError, match="of=means"):
        DIP(of="codes")(evidence)
