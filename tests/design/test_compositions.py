"""What a user can compose from outside the package: a ladder, a vector quantiser, a VAE-GAN.

Three models that stress the abstractions most, each in a few lines: Evidence and Node must carry
them, and the one training step must train them.
"""

from __future__ import annotations

import math

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

from vaekit.distributions import Density, Normal, StandardNormal
from vaekit.latents import Diagonal
from vaekit.likelihoods import Bernoulli
from vaekit.models import Evidence, FlatVAE, Node
from vaekit.networks import MLP
from vaekit.objectives import ELBO, Loss, Progress
from vaekit.training import Player, train_step


class Rows:
    """A batch of digits in [0, 1]."""

    target = observed = c = None

    def __init__(self, n: int = 128) -> None:
        self.x = torch.tensor(load_digits().data[:n] / 16.0, dtype=torch.float32)


def player(name, modules, loss, **kwargs):
    parameters = [p for module in modules for p in module.parameters()]
    return Player(name, parameters, torch.optim.Adam(parameters, lr=2e-3), loss, **kwargs)


def train(model, rounds, steps, batch):
    return [train_step(model, rounds, batch, progress=Progress(i, steps)) for i in range(steps)]


# --- a two-group ladder, top-down: z1 -> z2 -> x -------------------------------------------------


class Ladder(nn.Module):
    """p(z1) p(z2|z1) p(x|z2) with bottom-up features merged into top-down ones."""

    def __init__(self, groups: int = 2) -> None:
        super().__init__()
        self.flat = FlatVAE(latent_dim=4, encoder=MLP(hidden=(32,)), likelihood=Bernoulli()).build(
            event_shape=(64,)
        )
        self.groups = groups
        self.prior_2 = nn.Linear(4, 8)
        self.merge_2 = nn.Linear(4 + 32, 8)

    def evidence(self, x: Tensor, c=None, *, samples=1, given=(), **_) -> Evidence:
        h = self.flat.encoder(x)
        q = self.flat.posterior(h)
        z = given[0] if given else q.rsample((samples,))
        nodes = [Node(z, q, self.flat.prior())]
        if self.groups == 2:
            p = Normal.from_log_scale(*self.prior_2(z).chunk(2, -1))
            merged = self.merge_2(torch.cat([z, h.expand(*z.shape[:-1], -1)], -1))
            q = Normal.from_log_scale(*merged.chunk(2, -1))
            z = given[1] if given else q.rsample()
            nodes.append(Node(z, q, p))
        px = self.flat.decode(z)
        return Evidence(px, px.log_prob_elements(x), nodes)


def test_a_two_group_ladder_trains():
    torch.manual_seed(0)
    model, batch = Ladder(), Rows()
    losses = train(model, [[player("model", [model], ELBO())]], 60, batch)
    assert losses[-1]["model"].total < 0.75 * losses[0]["model"].total
    evidence = model.evidence(batch.x, samples=3)
    assert [node.kl_elements.shape for node in evidence.nodes] == [(3, 128, 4), (3, 128, 4)]
    total = evidence.nodes[0].kl + evidence.nodes[1].kl
    torch.testing.assert_close(evidence.rate, total)


def test_a_ladder_of_one_group_is_the_flat_vae():
    torch.manual_seed(0)
    model, batch = Ladder(groups=1), Rows()
    z = model.flat.encode(batch.x).rsample((2,))
    ladder, flat = model.evidence(batch.x, given=[z]), model.flat.evidence(batch.x, given=[z])
    torch.testing.assert_close(ladder.elbo, flat.elbo, rtol=1e-6, atol=0)
    torch.testing.assert_close(ladder.log_weight, flat.log_weight, rtol=1e-6, atol=0)


def test_inference_and_generation_score_the_same_joint():
    model, batch = Ladder(), Rows(16)
    evidence = model.evidence(batch.x)
    z1, z2 = (node.z for node in evidence.nodes)
    p2 = torch.distributions.Normal(
        *(
            f(t)
            for f, t in zip((lambda t: t, torch.exp), model.prior_2(z1).chunk(2, -1), strict=True)
        )
    )
    log_joint = (
        torch.distributions.Normal(0.0, 1.0).log_prob(z1).sum(-1)
        + p2.log_prob(z2).sum(-1)
        + model.flat.decode(z2).log_prob(batch.x)
    )
    log_q = evidence.nodes[0].log_q + evidence.nodes[1].log_q
    torch.testing.assert_close(evidence.log_weight, log_joint - log_q)


# --- a vector-quantised layer --------------------------------------------------------------------


class Chosen(Density):
    """q(k|x): all mass on the chosen code."""

    __slots__ = ("codes",)

    def __init__(self, codes: Tensor) -> None:
        self.codes, self.event_dims = codes, 1

    def log_prob_elements(self, value: Tensor) -> Tensor:
        return torch.where(value == self.codes, 0.0, -math.inf)


class UniformCodes(Density):
    """p(k) = 1/K at every site."""

    __slots__ = ("size",)

    def __init__(self, size: int) -> None:
        self.size, self.event_dims = size, 1

    def log_prob_elements(self, value: Tensor) -> Tensor:
        return torch.full(value.shape, -math.log(self.size))


class Quantised(nn.Module):
    """Four sites, each one of 16 codes of 8 numbers; straight-through gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32))
        self.codebook = nn.Parameter(torch.randn(16, 8) * 0.1)
        self.decoder = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 64))
        self.likelihood = Bernoulli().build(event_shape=(64,))

    def evidence(self, x: Tensor, c=None, *, samples=1, **_) -> Evidence:
        e = self.encoder(x).unflatten(-1, (4, 8)).unsqueeze(0)
        index = torch.cdist(e.detach(), self.codebook.detach()).argmin(-1)
        code = self.codebook[index]
        z = e + (code - e).detach()
        px = self.likelihood(self.decoder(z.flatten(-2)))
        node = Node(z, Chosen(index), UniformCodes(16), value=index)
        penalties = {
            "codebook": F.mse_loss(code, e.detach()),
            "commitment": 0.25 * F.mse_loss(e, code.detach()),
        }
        return Evidence(px, px.log_prob_elements(x), [node], penalties)


def test_a_vector_quantised_layer_trains():
    torch.manual_seed(0)
    model, batch = Quantised(), Rows()
    evidence = model.evidence(batch.x)
    torch.testing.assert_close(evidence.rate, torch.full((1, 128), 4 * math.log(16.0)))
    gradient = torch.autograd.grad(evidence.log_px.sum(), model.encoder[2].bias)[0]
    assert float(gradient.abs().sum()) > 0, "the straight-through bridge carries no gradient"
    losses = train(model, [[player("model", [model], ELBO())]], 80, batch)
    assert losses[-1]["model"].terms["distortion"] < 0.75 * losses[0]["model"].terms["distortion"]
    assert {"codebook", "commitment"} <= losses[0]["model"].terms.keys()


def test_the_codebook_gets_no_gradient_from_the_task():
    torch.manual_seed(0)
    model = Quantised()
    evidence = model.evidence(Rows(8).x)
    gradient = torch.autograd.grad(evidence.log_px.sum(), model.codebook, allow_unused=True)[0]
    assert gradient is None or float(gradient.abs().sum()) == 0.0


# --- a VAE-GAN with three players ----------------------------------------------------------------


class Critic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Linear(64, 32), nn.LeakyReLU(0.2))
        self.score = nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.score(self.features(x))


def real_or_not(critic: Critic, evidence: Evidence, batch, model) -> Tensor:
    """Binary cross-entropy of the critic on data, reconstructions and samples."""
    drawn = model.decode(model.prior().sample(evidence.nodes[0].z.shape[:2])).mean
    scores = [critic(batch.x), critic(evidence.px.mean), critic(drawn)]
    truth = [torch.ones_like, torch.zeros_like, torch.zeros_like]
    pairs = zip(scores, truth, strict=True)
    return torch.stack([F.binary_cross_entropy_with_logits(s, t(s)) for s, t in pairs]).sum()


def vae_gan(model, critic, gate=lambda evidence: True):
    def feature_distance(evidence, batch):
        return (
            0.5
            * (critic.features(evidence.px.mean) - critic.features(batch.x))
            .square()
            .sum(-1)
            .mean()
        )

    def encoder_loss(evidence, *, batch, **_):
        return Loss(evidence.rate.mean() + feature_distance(evidence, batch))

    def decoder_loss(evidence, *, batch, model, **_):
        adversarial = -real_or_not(critic, evidence, batch, model)
        return Loss(feature_distance(evidence, batch) + 0.1 * adversarial)

    def critic_loss(evidence, *, batch, model, **_):
        return Loss(real_or_not(critic, evidence, batch, model))

    return [
        [
            player("encoder", [model.encoder, model.posterior], encoder_loss),
            player("decoder", [model.decoder], decoder_loss),
            player("critic", [critic], critic_loss, gate=gate),
        ]
    ]


@pytest.fixture
def gan():
    torch.manual_seed(0)
    model = FlatVAE(latent_dim=4, encoder=MLP(hidden=(32,)), likelihood=Bernoulli()).build(
        event_shape=(64,)
    )
    return model, Critic()


def test_a_vae_gan_trains_with_three_players(gan):
    model, critic = gan
    before = {name: value.clone() for name, value in model.state_dict().items()}
    losses = train(model, vae_gan(model, critic), 20, Rows())
    assert losses[-1].keys() == {"encoder", "decoder", "critic"}
    assert all(loss.total.isfinite() for step in losses for loss in step.values())
    changed = [
        name for name, value in model.state_dict().items() if not torch.equal(value, before[name])
    ]
    assert {name.split(".")[0] for name in changed} == {"encoder", "posterior", "decoder"}


def test_each_loss_moves_its_own_player_only(gan):
    model, critic = gan
    (players,) = vae_gan(model, critic)
    everything = {
        "encoder": [model.encoder, model.posterior],
        "decoder": [model.decoder],
        "critic": [critic],
    }
    for one in players:
        before = {
            k: [p.clone() for m in ms for p in m.parameters()] for k, ms in everything.items()
        }
        train_step(model, [[one]], Rows(), progress=Progress(0, 1))
        after = {k: [p for m in ms for p in m.parameters()] for k, ms in everything.items()}
        for name in everything:
            same = all(torch.equal(a, b) for a, b in zip(before[name], after[name], strict=True))
            assert same == (name != one.name), (one.name, name)


def test_the_gan_gradient_of_the_decoder_is_its_own_loss_alone(gan):
    """The critic's loss must not leak into the decoder when all three step in one round."""
    model, critic = gan
    (players,) = vae_gan(model, critic)
    batch, state = Rows(), {}
    plain = players[1].loss

    def remember(evidence, **kwargs):
        loss = plain(evidence, **kwargs)
        state["expected"] = torch.autograd.grad(
            loss.total, players[1].parameters, retain_graph=True
        )
        return loss

    players[1].loss = remember
    train_step(model, [players], batch, progress=Progress(0, 1))
    got = [p.grad for p in players[1].parameters]
    torch.testing.assert_close(got, list(state["expected"]), rtol=0, atol=0)


def test_a_closed_gate_skips_its_player(gan):
    model, critic = gan
    before = [p.clone() for p in critic.parameters()]
    losses = train(model, vae_gan(model, critic, gate=lambda evidence: False), 2, Rows())
    assert all("critic" not in step for step in losses)
    assert all(torch.equal(a, b) for a, b in zip(before, critic.parameters(), strict=True))


def test_players_must_not_share_parameters(gan):
    from vaekit.errors import ConfigError
    from vaekit.training.players import check_players

    model, critic = gan
    ((encoder, _, _),) = vae_gan(model, critic)
    twin = player("twin", [model.encoder], ELBO())
    with pytest.raises(ConfigError, match="belongs to two players; expected disjoint sets"):
        check_players([[encoder, twin]])


def test_standard_normal_prior_is_shared_by_all_rows():
    assert isinstance(
        FlatVAE(posterior=Diagonal()).build(event_shape=(3,)).prior(), StandardNormal
    )
