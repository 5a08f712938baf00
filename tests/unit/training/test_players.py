"""Players and the training step: who may change what, when, and by how much."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from vaekit.errors import ConfigError
from vaekit.models import FlatVAE
from vaekit.objectives import ELBO, Loss, Progress
from vaekit.training import Player, train_step
from vaekit.training.players import check_players

START = Progress(0, 1)


class Two(nn.Module):
    """Two players' weights in one product, and a count of forward passes."""

    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.tensor([1.0, 2.0]))
        self.b = nn.Parameter(torch.tensor([3.0, -1.0]))
        self.calls = []

    def evidence(self, x, c, *, target, observed, samples):
        self.calls.append(SimpleNamespace(target=target, observed=observed, samples=samples))
        return SimpleNamespace(a=self.a * x, b=self.b * x, call=len(self.calls))


@pytest.fixture
def model():
    return Two()


@pytest.fixture
def batch():
    return SimpleNamespace(x=torch.tensor([0.5, 2.0]), c=None, target=None, observed=None)


def player(name, parameters, total, lr=0.1, **kwargs):
    loss = lambda evidence, **_: Loss(total(evidence))  # noqa: E731
    return Player(name, parameters, torch.optim.SGD(parameters, lr=lr), loss, **kwargs)


def product(evidence):
    return (evidence.a * evidence.b).sum()


def test_both_players_move_from_the_same_point(model, batch):
    """Simultaneous updates: b's gradient is taken before a has moved, and the other way round."""
    a, b, squares = model.a.detach().clone(), model.b.detach().clone(), batch.x**2
    players = [
        player("a", [model.a], product),
        player("b", [model.b], lambda e: -product(e)),
    ]
    losses = train_step(model, [players], batch, progress=START)
    torch.testing.assert_close(model.a.detach(), a - 0.1 * b * squares)
    torch.testing.assert_close(model.b.detach(), b + 0.1 * a * squares)
    assert len(model.calls) == 1
    assert losses["a"].total == -losses["b"].total


def test_a_loss_leaves_no_gradient_on_other_players(model, batch):
    train_step(model, [[player("a", [model.a], product)]], batch, progress=START)
    assert model.a.grad is not None
    assert model.b.grad is None


def test_the_isolation_test_would_notice_a_leak(model, batch):
    """Without ``inputs`` the same loss does reach the other player: the negative control."""

    def leaking(loss, *, inputs, retain_graph):
        loss.backward(retain_graph=retain_graph)

    one = player("a", [model.a], product)
    train_step(model, [[one]], batch, progress=START, backward=leaking)
    assert model.b.grad is not None


def test_gradients_do_not_add_up_over_steps(model, batch):
    constant = player("a", [model.a], lambda e: e.a.sum(), lr=1.0)
    for _ in range(3):
        train_step(model, [[constant]], batch, progress=START)
    torch.testing.assert_close(model.a.grad, batch.x)
    torch.testing.assert_close(model.a.detach(), torch.tensor([1.0, 2.0]) - 3 * batch.x)


def test_two_rounds_are_two_forward_passes_and_the_critic_steps_in_both(model, batch):
    steps = {"a": 0, "b": 0}

    def counted(name, parameters, total):
        one = player(name, parameters, total)
        plain = one.step

        def step():
            steps[name] += 1
            plain()

        one.step = step
        return one

    actor = counted("a", [model.a], product)
    critic = counted("b", [model.b], lambda e: -product(e))
    a, b, squares = model.a.detach().clone(), model.b.detach().clone(), batch.x**2
    train_step(model, [[critic], [critic, actor]], batch, progress=START)
    assert steps == {"a": 1, "b": 2}
    assert len(model.calls) == 2
    b = b + 0.1 * a * squares
    torch.testing.assert_close(model.a.detach(), a - 0.1 * b * squares)
    torch.testing.assert_close(model.b.detach(), b + 0.1 * a * squares)


def test_gates_read_the_evidence_of_their_round(model, batch):
    gated = player("a", [model.a], product, gate=lambda evidence: evidence.call == 2)
    before = model.a.detach().clone()
    assert train_step(model, [[gated]], batch, progress=START) == {}
    assert torch.equal(model.a, before)
    assert train_step(model, [[gated]], batch, progress=START).keys() == {"a"}
    assert not torch.equal(model.a, before)


def test_a_closed_gate_frees_the_graph_only_after_the_last_active_player(model, batch):
    players = [
        player("a", [model.a], product),
        player("b", [model.b], product, gate=lambda evidence: False),
    ]
    assert train_step(model, [players], batch, progress=START).keys() == {"a"}


def test_the_model_gets_target_mask_and_samples(model, batch):
    batch.target, batch.observed = torch.ones(2), torch.tensor([True, False])
    train_step(model, [[player("a", [model.a], product)]], batch, progress=START, samples=4)
    (call,) = model.calls
    assert call.target is batch.target
    assert call.observed is batch.observed
    assert call.samples == 4


def test_losses_get_batch_model_and_progress(model, batch):
    seen = {}

    def loss(evidence, **kwargs):
        seen.update(kwargs)
        return Loss(product(evidence))

    one = Player("a", [model.a], torch.optim.SGD([model.a], lr=0.1), loss)
    train_step(model, [[one]], batch, progress=Progress(3, 9))
    assert seen == {"batch": batch, "model": model, "progress": Progress(3, 9)}


class Halves:
    """A team of one that holds half of the batch and counts what it is asked."""

    share = 0.5

    def __init__(self):
        self.reduced = []

    def agree(self, answer):
        return answer

    def reduce(self, player, loss):
        self.reduced.append(player.name)
        return loss


def test_a_team_sees_each_active_player_before_it_steps(model, batch):
    a, team = model.a.detach().clone(), Halves()
    players = [
        player("a", [model.a], lambda e: e.a.sum()),
        player("b", [model.b], lambda e: e.b.sum(), gate=lambda evidence: False),
    ]
    train_step(model, [players], batch, progress=START, team=team)
    assert team.reduced == ["a"]
    torch.testing.assert_close(model.a.detach(), a - 0.05 * batch.x)


@pytest.mark.parametrize("clip", [1e-3, 0.5, 1e6])
def test_clipping_is_torchs(clip):
    weights = [nn.Parameter(torch.randn(4, 3)), nn.Parameter(torch.randn(5))]
    gradients = [torch.randn_like(weight) for weight in weights]
    twins = [nn.Parameter(weight.detach().clone()) for weight in weights]
    for weight, twin, gradient in zip(weights, twins, gradients, strict=True):
        weight.grad, twin.grad = gradient.clone(), gradient.clone()
    optimizer = torch.optim.SGD(weights, lr=1.0)
    one = Player("one", weights, optimizer, lambda evidence, **_: None, clip=clip)
    one.step()
    norm = nn.utils.clip_grad_norm_(twins, clip)
    torch.optim.SGD(twins, lr=1.0).step()
    for weight, twin in zip(weights, twins, strict=True):
        torch.testing.assert_close(weight.detach(), twin.detach(), rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(one.gradient_norm(), norm)


def test_a_player_that_never_stepped_has_no_gradient_norm(model):
    assert player("a", [model.a], product).gradient_norm() == 0.0


@pytest.mark.parametrize("case", ["more", "fewer", "others"])
def test_an_optimiser_of_other_parameters_is_refused(model, case):
    mine = {"more": [model.a], "fewer": [model.a, model.b], "others": [model.a]}[case]
    held = {"more": [model.a, model.b], "fewer": [model.a], "others": [model.b]}[case]
    with pytest.raises(ConfigError, match="player 'p': the optimiser must hold exactly"):
        Player("p", mine, torch.optim.SGD(held, lr=0.1), ELBO())


def test_players_share_nothing(model):
    one = player("one", [model.a], product)
    both = player("both", [model.b, model.a], product)
    with pytest.raises(ConfigError, match=r"shape \(2,\) in 'one' and 'both'"):
        check_players([[one], [both]])


def test_players_have_names_of_their_own(model):
    pair = [player("p", [model.a], product), player("p", [model.b], product)]
    with pytest.raises(ConfigError, match="players need distinct names"):
        check_players([pair])


def test_somebody_must_play():
    with pytest.raises(ConfigError, match="nobody plays"):
        check_players([[], []])


def test_a_player_in_several_rounds_is_one_player(model):
    one, other = player("a", [model.a], product), player("b", [model.b], product)
    assert check_players([[one], [other, one]]) == [one, other]


def test_frozen_parameters_belong_to_nobody():
    model = FlatVAE().build(event_shape=(3,))
    for parameter in model.encoder.parameters():
        parameter.requires_grad_(False)
    free = [p for p in model.parameters() if p.requires_grad]
    one = Player("model", model.parameters(), torch.optim.SGD(free, lr=0.1), ELBO())
    assert len(one.parameters) == len(free) < len(list(model.parameters()))
