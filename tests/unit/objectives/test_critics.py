"""Critics of codes: against exact log-ratios, and who changes what."""

import math

import pytest
import torch
from torch import nn

from vaekit.data import Batch
from vaekit.distributions import Normal, StandardNormal
from vaekit.errors import ConfigError
from vaekit.latents import VMF, Point, UniformOnSphere
from vaekit.models import Evidence, FlatVAE, Node
from vaekit.objectives import END, WAEGAN, FactorVAE
from vaekit.objectives.factor import permuted
from vaekit.training import Adam
from vaekit.training.players import flat_player, train_step

CORRELATION = torch.tensor([[1.0, 0.8, 0.0], [0.8, 1.0, 0.3], [0.0, 0.3, 1.0]])
TOTAL_CORRELATION = -0.5 * torch.logdet(CORRELATION).item()
BOTH = [FactorVAE(gamma=3.0, critic=(8,)), WAEGAN(weight=3.0, critic=(8,))]


def evidence_of(z):
    """Evidence of codes of shape (K, B, d); the rest is as simple as can be."""
    q = Normal(torch.zeros_like(z[0]), torch.ones_like(z[0]))
    px = Normal(torch.zeros_like(z), torch.ones_like(z))
    node = Node(z, q, StandardNormal(z.new_zeros(z.shape[-1])))
    return Evidence(px, torch.zeros_like(z), [node])


def correlated(rows, samples=1):
    return torch.randn(samples, rows, 3) @ torch.linalg.cholesky(CORRELATION).mT


def exact_ratio(z):
    """log N(z; 0, R) − Σ log N(z_j; 0, 1)."""
    joint = torch.distributions.MultivariateNormal(torch.zeros(3), CORRELATION)
    return joint.log_prob(z) - torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(-1)


class Quadratic(nn.Module):
    """zᵀ A z + b."""

    def __init__(self):
        super().__init__()
        self.form = nn.Parameter(torch.zeros(3, 3))
        self.shift = nn.Parameter(torch.zeros(()))

    def forward(self, z):
        return torch.einsum("...i,ij,...j->...", z, self.form, z) + self.shift


def small_model(**parts):
    return FlatVAE(latent_dim=3, **parts).build(event_shape=(4,))


def sides_of(objective, model):
    (sides,) = objective.contest(model).rounds
    return sides


# --- what the critic learns ----------------------------------------------------------------------


def test_with_the_exact_ratio_the_charge_is_the_total_correlation():
    evidence = evidence_of(correlated(20_000))
    loss = FactorVAE(gamma=2.0).fool(evidence, critic=exact_ratio)
    found = loss.terms["total_correlation"]
    error = exact_ratio(evidence.nodes[0].z).std().item() / 20_000**0.5
    assert abs(found.item() - TOTAL_CORRELATION) < 4 * error < 0.05
    torch.testing.assert_close(loss.total, FactorVAE()(evidence).total + 2 * found)


@pytest.mark.parametrize("wrong", [lambda s: 0.5 * s, lambda s: s + 0.5, lambda s: -s])
def test_no_answer_of_the_critic_is_better_than_the_exact_ratio(wrong):
    evidence = evidence_of(correlated(20_000))
    exact = FactorVAE().tell(evidence, critic=exact_ratio).total
    assert exact < FactorVAE().tell(evidence, critic=lambda z: wrong(exact_ratio(z))).total


def test_a_trained_critic_finds_the_total_correlation_of_a_normal():
    """The log-ratio of two normals is a quadratic form, so the critic is one."""
    objective, critic = FactorVAE(), Quadratic()
    optimizer = Adam(lr=0.05).build(critic.parameters())
    for _ in range(150):
        optimizer.zero_grad()
        objective.tell(evidence_of(correlated(4_096)), critic=critic).total.backward()
        optimizer.step()
    with torch.no_grad():
        found = critic(correlated(20_000)).mean().item()
    assert found == pytest.approx(TOTAL_CORRELATION, rel=0.1)


def test_against_the_prior_the_critic_is_at_chance_where_the_codes_are_its_draws():
    """There the best loss is log 2; of codes from N(1, I) the exact ratio does better."""
    same, moved = torch.randn(1, 20_000, 3), torch.randn(1, 20_000, 3) + 1
    chance = WAEGAN().tell(evidence_of(same), critic=lambda z: 0 * z.sum(-1)).total
    assert chance.item() == pytest.approx(math.log(2))
    told = WAEGAN().tell(evidence_of(moved), critic=lambda z: z.sum(-1) - 1.5).total
    assert told < chance - 0.2


def test_the_model_is_charged_for_codes_that_the_critic_recognises():
    score = torch.randn(1, 5)
    evidence = evidence_of(torch.randn(1, 5, 3))
    loss = WAEGAN(weight=2.0).fool(evidence, critic=lambda z: score)
    expected = -torch.log(1 / (1 + score.exp())).mean()
    torch.testing.assert_close(loss.terms["adversarial"], expected)
    torch.testing.assert_close(loss.total, evidence.distortion.mean() + 2 * expected)


def test_permuted_coordinates_keep_their_margins_and_lose_their_correlation():
    z = correlated(20_000, samples=2)
    other = permuted(z)
    torch.testing.assert_close(other.sort(1).values, z.sort(1).values, rtol=0, atol=0)
    assert not other.equal(z)
    torch.testing.assert_close(torch.corrcoef(other[0].T), torch.eye(3), rtol=0, atol=0.04)
    torch.manual_seed(5)
    first = permuted(z)
    torch.manual_seed(5)
    assert first.equal(permuted(z))


# --- who changes what ----------------------------------------------------------------------------


@pytest.mark.parametrize("objective", BOTH, ids=lambda objective: objective.kind)
@pytest.mark.parametrize("moving", [0, 1], ids=["model", "critic"])
def test_a_step_of_one_side_leaves_the_other_as_it_was(objective, moving):
    model = small_model()
    contest = objective.contest(model)
    players = [
        flat_player(side.name, side.parameters, Adam(lr=0.1), side.loss)
        for side in contest.rounds[0]
    ]
    modules = [model, contest.networks]
    before = [[p.detach().clone() for p in module.parameters()] for module in modules]
    train_step(model, [[players[moving]]], Batch(torch.rand(8, 4)), progress=END)
    for index, (module, old) in enumerate(zip(modules, before, strict=True)):
        same = [torch.equal(p, o) for p, o in zip(module.parameters(), old, strict=True)]
        assert all(same) == (index != moving), module


@pytest.mark.parametrize("objective", BOTH, ids=lambda objective: objective.kind)
def test_the_critics_loss_has_no_gradient_in_the_model(objective):
    model = small_model()
    _, tell = sides_of(objective, model)
    parameters = list(model.parameters())
    told = tell.loss(model.evidence(torch.rand(8, 4)), progress=END).total
    assert all(g is None for g in torch.autograd.grad(told, parameters, allow_unused=True))


@pytest.mark.parametrize("objective", BOTH, ids=lambda objective: objective.kind)
def test_the_charge_reaches_the_encoder_alone(objective):
    model = small_model()
    fool, _ = sides_of(objective, model)
    evidence = model.evidence(torch.rand(8, 4))
    charge = fool.loss(evidence, progress=END).total - objective(evidence).total
    parts = [list(part.parameters()) for part in (model.encoder, model.posterior, model.decoder)]
    for part, reached in zip(parts, (True, True, False), strict=True):
        gradients = torch.autograd.grad(
            charge, part, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        assert any(bool((gradient != 0).any()) for gradient in gradients) == reached


def test_the_critic_has_the_optimiser_and_the_widths_that_were_asked_for():
    objective = FactorVAE(critic=(7, 5), optimizer=Adam(lr=1e-4))
    model, critic = sides_of(objective, small_model())
    assert (model.optimizer, critic.optimizer) == (None, Adam(lr=1e-4))
    assert [tuple(p.shape) for p in critic.parameters[::2]] == [(7, 3), (5, 7), (1, 5)]


# --- refusals ------------------------------------------------------------------------------------


def test_codes_on_a_sphere_have_no_independent_coordinates():
    model = small_model(prior=UniformOnSphere(), posterior=VMF())
    with pytest.raises(ConfigError, match=r"cannot be independent.*codes over the reals"):
        FactorVAE().contest(model)
    assert WAEGAN().contest(model) is not None


def test_a_model_must_say_what_shape_its_codes_have():
    with pytest.raises(ConfigError, match="with a latent_shape, got Linear"):
        WAEGAN().contest(torch.nn.Linear(2, 2))


def test_several_groups_of_codes_are_refused():
    evidence = evidence_of(torch.randn(1, 4, 3))
    evidence.nodes = evidence.nodes * 2
    with pytest.raises(ConfigError, match="single latent group"):
        FactorVAE().fool(evidence, critic=exact_ratio)


def test_points_will_do_for_codes():
    model = small_model(posterior=Point())
    evidence = model.evidence(torch.rand(8, 4))
    for objective in BOTH:
        for side in sides_of(objective, model):
            assert side.loss(evidence, progress=END).total.isfinite()
