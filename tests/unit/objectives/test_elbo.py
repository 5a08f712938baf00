"""ELBO and free bits against torch.distributions, hand computation and autograd."""

import pytest
import torch
from torch import distributions as td

from vaekit.distributions import Normal, StandardNormal
from vaekit.errors import ConfigError
from vaekit.models import Evidence, FlatVAE, Node
from vaekit.objectives import ELBO, Linear, Loss, Progress, mean_kl

END = Progress.end()


def gaussian_node(loc, scale, samples=1):
    q = Normal(loc, scale, event_dims=loc.dim() - 1)
    return Node(q.rsample((samples,)), q, StandardNormal(torch.zeros(loc.shape[1:]).to(loc)))


def evidence_of(nodes, log_px=None, penalties=None, batch=6, samples=1):
    log_px = torch.full((samples, batch, 1), -2.0) if log_px is None else log_px
    px = Normal(torch.zeros(samples, batch, 1), torch.ones(samples, batch, 1))
    return Evidence(px, log_px, nodes, penalties)


def loss_of(objective, evidence, progress=END) -> Loss:
    return objective(evidence, batch=None, model=torch.nn.Identity(), progress=progress)


@pytest.fixture
def two_nodes(dtype):
    """Two groups of three and two dimensions with rates from nearly zero to large."""
    locs = [torch.tensor([0.01, 0.5, 2.0], dtype=dtype), torch.tensor([0.02, 1.0], dtype=dtype)]
    locs = [torch.randn(6, len(m), dtype=dtype) * m for m in locs]
    scales = [torch.full_like(loc, 0.999) for loc in locs]
    for tensor in (*locs, *scales):
        tensor.requires_grad_()
    return locs, scales


def kl_by_torch(loc, scale):
    return td.kl_divergence(td.Normal(loc, scale), td.Normal(0.0, 1.0))


@pytest.mark.parametrize("samples", [1, 5])
def test_with_beta_one_and_no_free_bits_it_is_minus_the_elbo(samples, dtype):
    model = FlatVAE(latent_dim=3).build(event_shape=(4,)).to(dtype)
    x = torch.randn(16, 4, dtype=dtype)
    evidence = model.evidence(x, samples=samples)
    q, node = model.encode(x), evidence.nodes[0]
    px = model.decode(node.z, x=x)
    log_px = td.Normal(px.loc, px.scale.expand_as(px.loc)).log_prob(x).sum(-1)
    elbo = log_px.mean(0) - kl_by_torch(q.loc, q.scale).sum(-1)
    loss = loss_of(ELBO(), evidence)
    torch.testing.assert_close(loss.total, -elbo.mean(), rtol=0, atol=1e-6)
    torch.testing.assert_close(loss.total, -evidence.elbo.mean(), rtol=0, atol=1e-6)


def test_beta_weighs_the_rate_alone(two_nodes):
    locs, scales = two_nodes
    evidence = evidence_of([gaussian_node(*pair) for pair in zip(locs, scales, strict=True)])
    rate = sum(kl_by_torch(*pair).sum(-1).mean() for pair in zip(locs, scales, strict=True))
    torch.testing.assert_close(loss_of(ELBO(beta=3.0), evidence).total, 2.0 + 3.0 * rate)
    torch.testing.assert_close(loss_of(ELBO(beta=0.0), evidence).total, 2.0 + 0.0 * rate)


def test_a_schedule_of_beta_is_read_at_the_fraction_of_the_run(two_nodes):
    locs, scales = two_nodes
    evidence = evidence_of([gaussian_node(locs[0], scales[0])])
    rate = kl_by_torch(locs[0], scales[0]).sum(-1).mean()
    objective = ELBO(beta=Linear(start=0.0, end=4.0, over=0.5))
    for step, beta in ((0, 0.0), (25, 2.0), (50, 4.0), (100, 4.0)):
        total = loss_of(objective, evidence, Progress(step, 101)).total
        torch.testing.assert_close(total, 2.0 + beta * rate)


def charged_by_hand(kls, free, per):
    means = [kl.detach().mean(0) for kl in kls]
    parts = {
        "dimension": [value for mean in means for value in mean],
        "group": [mean.sum() for mean in means],
        "total": [sum(mean.sum() for mean in means)],
    }[per]
    return sum(max(float(part), free) for part in parts), [float(part) > free for part in parts]


@pytest.mark.parametrize("free", [0.05, 0.4, 3.0, 50.0])
@pytest.mark.parametrize("per", ["dimension", "group", "total"])
def test_free_bits_equal_the_hand_computation(per, free, two_nodes):
    locs, scales = two_nodes
    evidence = evidence_of([gaussian_node(*pair) for pair in zip(locs, scales, strict=True)])
    kls = [kl_by_torch(*pair) for pair in zip(locs, scales, strict=True)]
    charged, _ = charged_by_hand(kls, free, per)
    loss = loss_of(ELBO(beta=0.5, free_bits=free, per=per), evidence)
    assert loss.total.item() == pytest.approx(2.0 + 0.5 * charged, abs=1e-12)
    rate = sum(kl.sum(-1).mean() for kl in kls)
    torch.testing.assert_close(loss.terms["rate"], rate.detach())


@pytest.mark.parametrize("free", [0.05, 0.4, 3.0, 50.0])
@pytest.mark.parametrize("per", ["dimension", "group", "total"])
def test_below_lambda_the_gradient_is_exactly_zero_and_above_it_is_whole(per, free, two_nodes):
    locs, scales = two_nodes
    pairs = list(zip(locs, scales, strict=True))
    kls = [kl_by_torch(*pair) for pair in pairs]
    whole = torch.autograd.grad(sum(kl.sum(-1).mean() for kl in kls), [*locs, *scales])
    evidence = evidence_of([gaussian_node(*pair) for pair in pairs])
    total = loss_of(ELBO(free_bits=free, per=per), evidence).total
    got = torch.autograd.grad(total, [*locs, *scales])
    _, above = charged_by_hand(kls, free, per)
    masks = {
        "dimension": [above[:3], above[3:]],
        "group": [[above[0]] * 3, [above[-1]] * 2],
        "total": [[above[0]] * 3, [above[0]] * 2],
    }[per]
    for mask, mine, full in zip(masks * 2, got, whole, strict=True):
        for dimension, charged in enumerate(mask):
            expected = full[:, dimension] if charged else torch.zeros_like(full[:, dimension])
            exactly = 1e-12 if charged else 0.0
            torch.testing.assert_close(mine[:, dimension], expected, rtol=exactly, atol=exactly)


def test_spatial_latents_sum_their_space_and_keep_their_channels(dtype):
    loc = torch.randn(7, 3, 4, 5, dtype=dtype)
    scale = torch.rand(7, 3, 4, 5, dtype=dtype) + 0.5
    node = gaussian_node(loc, scale, samples=2)
    assert node.kl_elements.shape == (2, 7, 3, 4, 5)
    expected = kl_by_torch(loc, scale).numpy().sum(axis=(2, 3)).mean(axis=0)
    torch.testing.assert_close(mean_kl(node), torch.from_numpy(expected))
    torch.testing.assert_close(mean_kl(node).sum(), node.kl.mean())


def test_the_kl_terms_of_all_groups_are_recorded_in_order(two_nodes):
    locs, scales = two_nodes
    pairs = list(zip(locs, scales, strict=True))
    terms = loss_of(ELBO(), evidence_of([gaussian_node(*pair) for pair in pairs])).terms
    expected = torch.cat([kl_by_torch(*pair).mean(0) for pair in pairs])
    torch.testing.assert_close(terms["kl"], expected.detach())


def test_terms_carry_no_graph_and_the_total_does(two_nodes):
    locs, scales = two_nodes
    penalty = (locs[0] ** 2).mean()
    evidence = evidence_of([gaussian_node(locs[0], scales[0])], penalties={"commitment": penalty})
    loss = loss_of(ELBO(beta=0.3, free_bits=0.1), evidence)
    assert loss.total.requires_grad
    assert loss.terms.keys() == {"loss", "distortion", "rate", "kl", "commitment"}
    assert not any(term.requires_grad for term in loss.terms.values())


def test_penalties_are_added_whatever_beta_is(two_nodes):
    locs, scales = two_nodes
    node = gaussian_node(locs[0], scales[0])
    without = loss_of(ELBO(beta=0.5), evidence_of([node])).total
    penalties = {"commitment": torch.tensor(0.25), "codebook": torch.tensor(1.5)}
    with_both = loss_of(ELBO(beta=0.5), evidence_of([node], penalties=penalties)).total
    torch.testing.assert_close(with_both - without, torch.tensor(1.75).to(without))


@pytest.mark.parametrize("per", ["dimension", "group", "total"])
@pytest.mark.parametrize("free", [0.0, 0.7])
def test_a_model_without_latents_has_no_rate_to_charge(per, free):
    loss = loss_of(ELBO(free_bits=free, per=per), evidence_of([]))
    assert loss.total.item() == 2.0
    assert float(loss.terms["rate"]) == 0.0


@pytest.mark.parametrize("samples", [1, 4])
def test_sticking_the_landing_has_the_mean_of_the_plain_gradient(samples):
    """Each row has parameters of its own, so that one pass gives many draws of the gradient."""
    rows = 40_000
    values, found = [], []
    for gradient in ("plain", "stl"):
        torch.manual_seed(samples)
        loc = torch.full((rows, 1), 0.2, dtype=torch.float64).requires_grad_()
        log_scale = torch.full((rows, 1), -0.1, dtype=torch.float64).requires_grad_()
        q = Normal.from_log_scale(loc, log_scale)
        z = q.rsample((samples,))
        px = Normal(z, torch.ones(()).double())
        node = Node(z, q, StandardNormal(torch.zeros(1).double()))
        x = torch.full((rows, 1), 1.3, dtype=torch.float64)
        evidence = Evidence(px, None, [node], value=x)
        loss = loss_of(ELBO(gradient=gradient, samples=samples), evidence)
        values.append(loss.total.item())
        found.append(torch.cat(torch.autograd.grad(rows * loss.total, (loc, log_scale)), 1))
    gap = found[0] - found[1]
    assert bool((gap.mean(0).abs() < 4 * gap.std(0) / rows**0.5).all())
    assert bool((gap.std(0) > 0).all())
    assert values[1] == pytest.approx(values[0], abs=0.02)


def test_sticking_the_landing_has_no_variance_at_the_posterior():
    loc = torch.full((50, 1), 1.3 / 2, dtype=torch.float64).requires_grad_()
    scale = torch.full((50, 1), 0.5**0.5, dtype=torch.float64).requires_grad_()
    node = gaussian_node(loc, scale)
    px = Normal(node.z, torch.ones(()).double())
    evidence = Evidence(px, None, [node], value=torch.full((50, 1), 1.3, dtype=torch.float64))
    total = loss_of(ELBO(gradient="stl"), evidence).total
    for gradient in torch.autograd.grad(total, (loc, scale)):
        torch.testing.assert_close(gradient, torch.zeros_like(gradient), rtol=0, atol=1e-14)


@pytest.mark.parametrize(("step", "capacity"), [(0, 0.0), (25, 2.0), (50, 4.0), (100, 4.0)])
def test_a_capacity_is_aimed_at_from_both_sides(step, capacity, two_nodes):
    locs, scales = two_nodes
    evidence = evidence_of([gaussian_node(*pair) for pair in zip(locs, scales, strict=True)])
    rate = sum(kl_by_torch(*pair).sum(-1).mean() for pair in zip(locs, scales, strict=True))
    assert 2.0 < rate < 4.0
    objective = ELBO(beta=10.0, capacity=Linear(end=4.0, over=0.5))
    total = loss_of(objective, evidence, Progress(step, 101)).total
    torch.testing.assert_close(total, 2.0 + 10.0 * (rate - capacity).abs())
    (got,) = torch.autograd.grad(total, locs[0])
    sign = 1.0 if capacity < rate else -1.0
    torch.testing.assert_close(got, sign * 10.0 * locs[0].detach() / 6)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"free_bits": 0.1, "capacity": 3.0}, "how much rate is free"),
        ({"capacity": -1.0}, "capacity"),
        ({"gradient": "dreg"}, "gradient: not one of the choices"),
        ({"beta": -1.0}, "beta"),
        ({"free_bits": -0.1}, "free_bits: out of bounds"),
        ({"per": "pixel"}, "per: not one of the choices"),
        ({"samples": 0}, "samples: out of bounds"),
        ({"beta": "fast"}, "beta: wrong value"),
    ],
)
def test_senseless_settings_are_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        ELBO(**fields)


def test_progress_runs_from_zero_to_one():
    assert [Progress(step, 5).fraction for step in range(5)] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert Progress(0, 1).fraction == 0.0
    assert Progress(9, 5).fraction == 1.0
    assert END.fraction == 1.0
