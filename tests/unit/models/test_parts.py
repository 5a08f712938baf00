"""How parts fit each other: spaces of codes, draws with their density, starts from data."""

import pytest
import torch
from torch import nn

from vaekit.distributions import Normal
from vaekit.errors import ConfigError
from vaekit.latents import DiagonalPosterior, Standard, StandardPrior
from vaekit.metrics import score
from vaekit.models import FlatVAE, VAEModel, draw, initialise


def test_codes_must_live_in_the_same_space(monkeypatch):
    monkeypatch.setattr(StandardPrior, "space", "the sphere")
    with pytest.raises(ConfigError, match=r"different spaces.*a prior over reals.*the sphere"):
        FlatVAE().build(event_shape=(3,))


class Counting(StandardPrior):
    """Counts how often it is asked."""

    asked = 0

    def forward(self, context=None):
        Counting.asked += 1
        return super().forward(context)


def test_scoring_asks_the_prior_once_for_all_blocks():
    model = FlatVAE().build(event_shape=(2, 600, 600))
    model.prior = Counting(Standard(), (2,))
    Counting.asked = 0
    score(model, torch.zeros(1, 2, 600, 600), samples=3)
    assert Counting.asked == 1


class Careful(Normal):
    """A normal whose draws come with their density."""

    __slots__ = ()
    draws_with_log_prob = True

    def log_prob_elements(self, value):
        raise AssertionError("the density was recomputed")

    def rsample_and_log_prob(self, shape=()):
        z = self.rsample(shape)
        return z, Normal(self.loc, self.scale).log_prob(z)


class CarefulPosterior(DiagonalPosterior):
    def forward(self, h, context=None):
        q = super().forward(h, context)
        return Careful(q.loc, q.scale)


def test_a_draw_that_knows_its_density_keeps_it():
    q = Careful(torch.zeros(4, 2), torch.ones(4, 2))
    z, log_q = draw(q, 3)
    assert z.shape == (3, 4, 2)
    torch.testing.assert_close(log_q, Normal(q.loc, q.scale).log_prob(z))


def test_evidence_and_scores_carry_the_density_of_draws():
    plain = FlatVAE().build(event_shape=(5,)).double()
    careful = FlatVAE().build(event_shape=(5,)).double()
    features = careful.posterior.head.in_features
    careful.posterior = CarefulPosterior(
        careful.posterior.spec, features=features, latent_shape=(2,)
    )
    careful.double().load_state_dict(plain.state_dict())
    x = torch.rand(6, 5).double()
    expected = score(plain, x, samples=7)
    got = score(careful, x, samples=7)
    torch.testing.assert_close(got.log_marginal, expected.log_marginal, rtol=1e-12, atol=1e-12)
    assert careful.evidence(x, samples=2).log_weight.shape == (2, 6)


class FromData(nn.Module):
    def initialise(self, x, c):
        self.seen = x.mean()


def test_parts_start_from_rows():
    model = FlatVAE().build(event_shape=(5,))
    model.decoder.add_module("part", FromData())
    initialise(model, torch.ones(4, 5))
    assert model.decoder.part.seen == 1


def test_a_model_is_checked_when_it_is_put_together_by_hand(monkeypatch):
    model = FlatVAE().build(event_shape=(3,))
    monkeypatch.setattr(DiagonalPosterior, "space", "the simplex")
    parts = (model.encoder, model.decoder, model.prior, model.posterior, model.likelihood)
    with pytest.raises(ConfigError, match="different spaces"):
        VAEModel(*parts)
