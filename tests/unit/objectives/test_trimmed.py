"""The trimmed bound against sums by hand."""

import pytest
import torch

from vaekit.distributions import Normal
from vaekit.errors import ConfigError
from vaekit.models import Evidence, FlatVAE, Node
from vaekit.objectives import ELBO, Linear, Progress, Trimmed
from vaekit.spec import from_json, to_json

DISTORTION = [5.0, 1.0, 9.0, 3.0, 2.0]
RATE = [1.0, 2.0, 0.5, 3.0, 0.25]


def evidence(samples=1):
    """Five rows with these distortions and rates, exactly; more samples differ about them."""
    offset = torch.arange(samples).float() - (samples - 1) / 2
    distortion = torch.tensor(DISTORTION) + offset[:, None]
    rate = torch.tensor(RATE)
    loc = (2 * rate).sqrt().unsqueeze(-1).requires_grad_()  # KL(N(μ, 1) ‖ N(0, 1)) = μ² / 2
    q, p = Normal(loc, torch.ones(5, 1)), Normal(torch.zeros(5, 1), torch.ones(5, 1))
    z = q.rsample((samples,))
    px = Normal(torch.zeros(samples, 5, 1), torch.ones(1))
    return Evidence(px, -distortion.unsqueeze(-1), [Node(z, q, p)]), loc


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize(
    ("fraction", "beta", "kept"),
    [
        (0.0, 1.0, [0, 1, 2, 3, 4]),
        (0.19, 1.0, [0, 1, 2, 3, 4]),
        (0.2, 1.0, [0, 1, 3, 4]),  # costs 6, 3, 9.5, 6, 2.25
        (0.6, 1.0, [1, 4]),
        (0.4, 4.0, [0, 1, 4]),  # costs 9, 9, 11, 15, 3
        (0.4, 0.0, [1, 3, 4]),  # costs are distortions
        (0.9, 1.0, [4]),
    ],
)
def test_the_loss_is_the_mean_of_the_rows_that_fit_best(fraction, beta, kept, samples):
    found, loc = evidence(samples)
    loss = Trimmed(fraction=fraction, beta=beta)(found)
    distortion = sum(DISTORTION[i] for i in kept) / len(kept)
    rate = sum(RATE[i] for i in kept) / len(kept)
    assert loss.total.item() == pytest.approx(distortion + beta * rate, rel=1e-6)
    assert loss.terms["distortion"].item() == pytest.approx(distortion, rel=1e-6)
    assert loss.terms["rate"].item() == pytest.approx(rate, rel=1e-6)
    assert loss.terms["kl"].tolist() == pytest.approx([rate], rel=1e-6)
    loss.total.backward()
    wanted = [beta * (2 * r) ** 0.5 / len(kept) if i in kept else 0.0 for i, r in enumerate(RATE)]
    assert loc.grad.flatten().tolist() == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize(
    ("fraction", "rows", "kept"),
    [(0.29, 100, 71), (0.1, 128, 116), (0.7, 10, 3), (0.9, 1, 1), (0.5, 3, 2), (0.07, 100, 93)],
)
def test_shares_are_whole_rows(fraction, rows, kept):
    assert Trimmed(fraction=fraction)._kept(rows) == kept


def test_nothing_trimmed_is_the_elbo():
    model = FlatVAE().build(event_shape=(3,))
    found = model.evidence(torch.rand(8, 3), samples=2)
    for beta in (1.0, 0.3, Linear(0.0, 1.0)):
        progress = Progress(1, 5)
        loss = Trimmed(fraction=0.0, beta=beta)(found, progress=progress)
        torch.testing.assert_close(loss.total, ELBO(beta=beta)(found, progress=progress).total)


def test_all_held_out_rows_count():
    trimmed = Trimmed(fraction=0.4, beta=2.0)
    held = trimmed.for_held_out(None)
    found, _ = evidence()
    assert held(found).total.item() == pytest.approx((20 + 2 * 6.75) / 5)
    assert trimmed.fraction == 0.4


def test_training_resists_rows_of_another_kind():
    """Rows about 0 and one in ten at 30: the location is that of the most."""
    x = torch.cat([torch.randn(90, 1), 30 + torch.randn(10, 1)])
    locs = []
    for fraction in (0.0, 0.1):
        loc = torch.zeros(1, requires_grad=True)
        optimiser = torch.optim.SGD([loc], lr=0.3)
        for _ in range(60):
            q = Normal(torch.zeros(100, 1), torch.ones(100, 1))
            px = Normal(loc.expand(1, 100, 1), torch.ones(1))
            found = Evidence(px, px.log_prob_elements(x), [Node(q.rsample((1,)), q, q)])
            optimiser.zero_grad()
            Trimmed(fraction=fraction)(found).total.backward()
            optimiser.step()
        locs.append(loc.item())
    assert locs[0] == pytest.approx(x.mean().item(), abs=0.01)
    assert locs[1] == pytest.approx(x[:90].mean().item(), abs=0.01)


def test_it_survives_json_and_its_share_is_bounded():
    assert from_json(to_json(Trimmed(fraction=0.2))) == Trimmed(fraction=0.2)
    for fraction in (-0.1, 0.95):
        with pytest.raises(ConfigError, match=r"trimmed\.fraction: out of bounds"):
            Trimmed(fraction=fraction)
