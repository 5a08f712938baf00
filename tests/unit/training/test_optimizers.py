"""Every registered optimiser trains, with the settings that its spec states."""

import pytest
import torch
from torch import nn

from vaekit.errors import ConfigError
from vaekit.spec import registered
from vaekit.training import SGD, Adam, Adamax, AdamW
from vaekit.training.optimizers import advance

KINDS = registered("optimizer")


def minimise(optimizer, weight, target, steps=60):
    for _ in range(steps):
        optimizer.zero_grad()
        (weight - target).square().sum().backward()
        optimizer.step()
    return float((weight - target).square().sum().detach())


@pytest.mark.parametrize("kind", KINDS)
def test_it_minimises_a_square(kind):
    weight, target = nn.Parameter(torch.zeros(3)), torch.tensor([1.0, -0.5, 0.25])
    before = float(target.square().sum())
    assert minimise(KINDS[kind](lr=0.05).build([weight]), weight, target) < 0.02 * before


@pytest.mark.parametrize("kind", KINDS)
def test_it_trains_a_model(kind, make_trainer):
    history = make_trainer(optimizer=KINDS[kind](lr=0.01), epochs=8).fit()
    assert history.last["loss"] < history.records[0]["loss"]


@pytest.mark.parametrize(
    ("spec", "reference"),
    [
        (
            Adam(lr=0.02, beta1=0.8, beta2=0.95, eps=1e-6),
            (torch.optim.Adam, 0.02, 0.8, 0.95, 1e-6),
        ),
        (AdamW(lr=0.02, weight_decay=0.3), (torch.optim.AdamW, 0.02, 0.9, 0.999, 1e-8)),
        (Adamax(lr=0.02, beta1=0.7), (torch.optim.Adamax, 0.02, 0.7, 0.999, 1e-8)),
    ],
)
def test_it_makes_the_steps_of_torchs_plain_optimiser(spec, reference):
    cls, lr, beta1, beta2, eps = reference
    start, target = torch.randn(6, dtype=torch.float64), torch.randn(6, dtype=torch.float64)
    mine, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    more = {"weight_decay": 0.3} if cls is torch.optim.AdamW else {}
    plain = cls([theirs], lr=lr, betas=(beta1, beta2), eps=eps, foreach=False, **more)
    minimise(spec.build([mine]), mine, target)
    minimise(plain, theirs, target)
    torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-12)


def test_sgd_has_momentum():
    weight = nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    optimizer = SGD(lr=0.1, momentum=0.5).build([weight])
    velocity, value = 0.0, 1.0
    for _ in range(5):
        optimizer.zero_grad()
        weight.square().sum().backward()
        optimizer.step()
        velocity = 0.5 * velocity + 2 * value
        value -= 0.1 * velocity
        assert weight.item() == pytest.approx(value, rel=1e-12)


def test_senseless_rates_are_refused():
    with pytest.raises(ConfigError, match="lr: out of bounds"):
        Adam(lr=-1.0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [3, 1_000])
def test_advancing_is_the_optimisers_own_step(kind, size):
    """To the last bit, from the first step on and after a state was put back."""
    torch.manual_seed(0)
    start, gradients = torch.randn(size), torch.randn(6, size)
    mine, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    spec = KINDS[kind](lr=0.05)
    ours, own = spec.build([mine]), spec.build([theirs])
    for number, gradient in enumerate(gradients):
        if number == 3:
            state = ours.state_dict()
            ours = spec.build([mine])
            ours.load_state_dict(state)
        for group in (*ours.param_groups, *own.param_groups):
            group["lr"] = 0.05 / (1 + number)
        mine.grad, theirs.grad = gradient.clone(), gradient.clone()
        advance(ours)
        own.step()
        assert torch.equal(mine, theirs)


def test_advancing_asks_the_optimiser_where_it_does_more():
    for more in ({"weight_decay": 0.1}, {"amsgrad": True}, {"maximize": True}, {"fused": False}):
        mine, theirs = nn.Parameter(torch.ones(5)), nn.Parameter(torch.ones(5))
        ours = torch.optim.Adam([mine], **{"fused": True, **more})
        own = torch.optim.Adam([theirs], **{"fused": True, **more})
        for _ in range(4):
            mine.grad = theirs.grad = torch.arange(5.0)
            advance(ours)
            own.step()
        assert torch.equal(mine, theirs)


def test_advancing_calls_those_who_wait_for_a_step():
    weight, called = nn.Parameter(torch.ones(5)), []
    hooked = Adam().build([weight])
    hooked.register_step_post_hook(lambda *_: called.append("after"))
    hooked.register_step_pre_hook(lambda *_: called.append("before"))
    for _ in range(3):
        weight.grad = torch.ones(5)
        advance(hooked)
    assert called == ["before", "after"] * 3
