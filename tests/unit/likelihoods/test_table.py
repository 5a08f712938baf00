"""The likelihood of rows: heads, where they start, missing values, files and compilers."""

import json
import math

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch

from vaekit.distributions import Density
from vaekit.errors import ConfigError, DataError
from vaekit.likelihoods import (
    Bernoulli,
    Categorical,
    Circular,
    ColumnGroup,
    Cost,
    Gaussian,
    Missing,
    NegativeBinomial,
    Ordinal,
    Poisson,
    StudentT,
    Table,
)
from vaekit.models import FlatVAE, initialise
from vaekit.networks import MLP
from vaekit.objectives import ELBO
from vaekit.spec import from_json, to_json

NAN = torch.nan
MISSING = Missing(rates=(0.1, 0.25, 1e-3, 0.5, 0.2, 0.01, 0.3), predicted=(1, 6), void=(3,))
SPEC = Table(
    (
        ColumnGroup((5, 0), Gaussian(scale="per-column", floor=(0.1, 0.01))),
        ColumnGroup((1,), Categorical(categories=4)),
        ColumnGroup((2,), Bernoulli()),
        ColumnGroup((3,), NegativeBinomial(dispersion="per-column")),
        ColumnGroup((4,), Ordinal(levels=3)),
        ColumnGroup((6,), Circular()),
    ),
    MISSING,
)


def rows(n=400, seed=0):
    rng = np.random.default_rng(seed)
    columns = [
        rng.normal(0, 3, n),
        rng.choice(4, n, p=[0.6, 0.3, 0.1, 0.0]),
        rng.random(n) < 0.2,
        rng.poisson(5, n),
        rng.choice(3, n, p=[0.7, 0.2, 0.1]),
        rng.normal(0, 0.5, n),
        rng.random(n),
    ]
    x = torch.tensor(np.stack(columns, 1), dtype=torch.float32)
    return torch.where(torch.tensor(rng.random((n, 7)) < 0.15), NAN, x)


def started(x=None):
    likelihood = SPEC.build(event_shape=(7,))
    initialise(likelihood, rows() if x is None else x)
    return likelihood


def zeros(likelihood, *batch):
    return torch.zeros(*batch, *likelihood.params_shape)


def test_a_decoder_of_zeros_knows_the_marginals():
    x = rows()
    likelihood = started(x)
    px = likelihood(zeros(likelihood, 1))
    gaussian, code, bit, count, level, circle = px.parts
    for part, column in ((gaussian.stddev[0, 0], 5), (gaussian.stddev[0, 1], 0)):
        assert part.item() == pytest.approx(np.nanstd(x[:, column]), rel=1e-4)
    seen = [x[:, i][~x[:, i].isnan()].numpy() for i in range(7)]
    wanted = (np.bincount(seen[1].astype(int), minlength=4) + 0.5) / (len(seen[1]) + 2)
    np.testing.assert_allclose(code.probs[0, :, 0], wanted, rtol=1e-5)
    assert bit.mean.item() == pytest.approx((seen[2].sum() + 0.5) / (len(seen[2]) + 1), rel=1e-5)
    assert count.mean.item() == pytest.approx((seen[3].sum() + 0.5) / (len(seen[3]) + 1), rel=1e-4)
    levels = (np.bincount(seen[4].astype(int), minlength=3) + 0.5) / (len(seen[4]) + 1.5)
    np.testing.assert_allclose(level.probs[0, :, 0].detach(), levels, rtol=1e-4)
    assert circle.concentration.item() == pytest.approx(0, abs=1e-3)
    odds = torch.tensor(scipy.special.logit(MISSING.rates)).float()
    torch.testing.assert_close(px.log_odds[0], odds)


@pytest.mark.parametrize(
    "spec",
    [Bernoulli(), Categorical(categories=3), Categorical(categories=3, scaled=True), Poisson()],
)
def test_marginals_are_the_best_constant_parameters(spec):
    """The start of a head maximises the likelihood of rows to which its prior counts are added."""
    step = 0.5 if getattr(spec, "scaled", False) else 1.0
    top = 2 if spec != Bernoulli() else 1
    x = step * torch.randint(0, top + 1, (500, 2)).float()
    x[::5, 0] = NAN
    head = spec.build(event_shape=(2,))
    prior = step * torch.arange(top + 1).float()[:, None].expand(-1, 2)
    if spec == Poisson():
        prior = torch.full((1, 2), 0.5)  # half a count in one row
    params = head.marginal(x).double().requires_grad_()

    def log_lik(some, weight):
        px = head(params)
        terms = px.log_prob_elements(some.nan_to_num(0.0))
        if spec == Poisson() and weight:  # a Poisson at a fractional count
            rate = px.mean
            return some * rate.log() - rate
        return torch.where(some.isnan(), 0.0, terms)

    total = log_lik(x, 0).sum() + (1 if spec == Poisson() else 0.5) * log_lik(prior, 1).sum()
    (gradient,) = torch.autograd.grad(total, params)
    assert gradient.abs().max().item() < 1e-2
    assert head.marginal(torch.full((3, 2), NAN)).isfinite().all()


def test_many_categories_are_counted_in_little_memory():
    x = torch.randint(0, 60_000, (20_000, 1)).float()
    head = Categorical(categories=65_536).build(event_shape=(1,))
    counts = torch.bincount(x[:, 0].long(), minlength=65_536) + 0.5
    torch.testing.assert_close(head.marginal(x), (counts / counts.sum()).log())


def test_rows_start_once():
    likelihood = started()
    start = likelihood.start.clone()
    initialise(likelihood, rows(seed=1))
    assert torch.equal(likelihood.start, start)
    assert bool(likelihood.initialised)
    fresh = SPEC.build(event_shape=(7,))
    assert (fresh.start == 0).all()
    assert not fresh.at_floor


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_terms_are_those_of_the_heads(training, dtype):
    likelihood = started().to(dtype).train(training)
    params = torch.randn(3, 5, *likelihood.params_shape, dtype=dtype)
    x = rows(5).to(dtype)
    found = likelihood(params).log_prob_elements(x)
    assert found.shape == (3, 5, 7)
    assert found.dtype == dtype
    shifted = (params + likelihood.start).split(likelihood.sizes, -1)
    odds = torch.tensor(scipy.special.logit(MISSING.rates), dtype=dtype).repeat(3, 5, 1)
    odds[..., [1, 6]] += shifted[-1]
    for head, group, piece in zip(likelihood.heads, SPEC.groups, shifted[:-1], strict=True):
        some = x[:, group.columns]
        alone = head(piece).log_prob_elements(some.nan_to_num(0.0)).detach().numpy()
        r = odds[..., group.columns].numpy()
        there, gone = alone + scipy.special.log_expit(-r), scipy.special.log_expit(r)
        if group.columns == (3,):  # void
            there, gone = alone, np.zeros_like(alone)
        wanted = np.where(some.isnan().numpy(), gone, there)
        np.testing.assert_allclose(
            found[..., group.columns].detach(), wanted, rtol=1e-4, atol=1e-5
        )


def test_constant_odds_count_in_training_as_in_evaluation():
    spec = Table((ColumnGroup((0, 1), Gaussian(scale=1.0)),), Missing(rates=(0.25, 0.5)))
    likelihood = spec.build(event_shape=(2,))
    x = torch.tensor([[0.0, NAN]])
    wanted = scipy.stats.norm.logpdf(0) + math.log(0.75) + math.log(0.5)
    for training in (True, False):
        px = likelihood.train(training)(zeros(likelihood, 1))
        assert px.log_prob(x).item() == pytest.approx(wanted, rel=1e-6)


def test_only_columns_that_are_predicted_have_odds_that_learn():
    likelihood = started()
    params = zeros(likelihood, 1).requires_grad_()
    likelihood(params).log_odds.sum().backward()
    assert (params.grad[0] != 0).nonzero().flatten().tolist() == [
        params.shape[-1] - 2,
        params.shape[-1] - 1,
    ]


def test_a_model_learns_from_rows_with_holes():
    x = rows(64)
    x[0] = NAN
    model = FlatVAE(latent_dim=2, encoder=Holes(), decoder=MLP(hidden=(8,)), likelihood=SPEC)
    model = model.build(event_shape=(7,))
    initialise(model, x)
    ELBO()(model.evidence(x, samples=2)).total.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


class Holes(MLP, kind="network/holes"):
    """A dense network that sees zeros where values are missing."""

    hidden: tuple[int, ...] = (8,)

    def encoder(self, event_shape, *, context_dim=0):
        inner = super().encoder(event_shape, context_dim=context_dim)
        return torch.nn.Sequential(Filled(), inner)


class Filled(torch.nn.Module):
    def forward(self, x):
        return x.nan_to_num(0.0)


def test_values_outside_their_column_are_refused():
    likelihood = started()
    x = rows(6)
    likelihood.check(x)
    for column, wrong in ((1, 4.0), (2, 0.5 + 1), (3, -1.0), (4, 3.0), (0, torch.inf), (6, -0.1)):
        bad = x.clone()
        bad[3, column] = wrong
        with pytest.raises(DataError, match=rf"row 3, element \({column},\).*codec of the table"):
            likelihood.check(bad)
        assert (~likelihood.supports(bad)).nonzero().tolist() == [[3, column]]
    plain = Table(SPEC.groups).build(event_shape=(7,))
    holes = x.isnan()
    assert torch.equal(~plain.supports(x), holes)


def test_it_survives_json():
    text = json.dumps(to_json(SPEC))
    assert from_json(json.loads(text)) == SPEC


GAUSS = to_json(Gaussian(scale=1.0))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"groups": []}, r"hold each column once; expected columns 0, 1, 2"),
        ({"groups": [{"kind": "table/missing", "rates": [0.5]}]}, r"not groups of columns"),
        ({"groups": [{"kind": "table/group", "columns": [1], "likelihood": GAUSS}]}, r"got \[1\]"),
        ({"groups": [{"kind": "table/group", "columns": [0, 0], "likelihood": GAUSS}]}, r"once"),
        ({"groups": [{"kind": "table/group", "columns": [-1], "likelihood": GAUSS}]}, r"bounds"),
        (
            {"missing": {"kind": "table/group", "columns": [0], "likelihood": GAUSS}},
            r"how missing",
        ),
        (
            {"missing": {"kind": "table/missing", "rates": []}},
            r"one rate for each column; .* 1, got",
        ),
        ({"missing": {"kind": "table/missing", "rates": [0.0]}}, r"out of bounds"),
        ({"missing": {"kind": "table/missing", "rates": [0.5], "void": [1]}}, r"columns 0 to 0"),
        (
            {"missing": {"kind": "table/missing", "rates": [0.5], "predicted": [9]}},
            r"got predicted",
        ),
        (
            {"missing": {"kind": "table/missing", "rates": [0.5], "predicted": [0, 0]}},
            r"each once",
        ),
        (
            {"missing": {"kind": "table/missing", "rates": [0.5], "predicted": [0], "void": [0]}},
            r"a column is predicted, or void, or neither",
        ),
    ],
)
def test_damaged_specs_are_refused(changes, says):
    group = {"kind": "table/group", "columns": [0], "likelihood": GAUSS}
    with pytest.raises(ConfigError, match=says):
        from_json({"kind": "likelihood/table", "groups": [group], **changes})


def test_rows_of_another_length_and_costs_are_refused():
    with pytest.raises(ConfigError, match=r"another length; expected \(7,\), got \(6,\)"):
        SPEC.build(event_shape=(6,))
    for head in (Gaussian(), Cost(loss=lambda x_hat, x: (x_hat - x).abs())):
        with pytest.raises(
            ConfigError, match=r"cannot be that of some columns; expected one with"
        ):
            Table((ColumnGroup((0,), head),)).build(event_shape=(1,))


def test_it_compiles_without_graph_breaks():
    torch.compiler.reset()
    likelihood = started()
    x = rows(5)

    def score(params):
        return likelihood(params).log_prob(x)

    params = torch.randn(2, 5, *likelihood.params_shape)
    compiled = torch.compile(score, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(params), score(params))


def test_draws_are_observations():
    likelihood = started()
    px = likelihood(zeros(likelihood, 50))
    assert isinstance(px, Density)
    drawn = px.sample((4,))
    assert drawn.shape == (4, 50, 7)
    assert likelihood.supports(drawn).all()
    assert drawn.isnan().any(dim=1).any(dim=0).tolist()[1]


def test_a_column_of_zeros_has_bounded_density():
    """99.9 % zeros: the floor keeps log p finite, and what is not zero stands out."""
    x = torch.zeros(1_000, 1)
    x[7] = 31.6  # standardised
    x -= x.mean()
    head = StudentT(df=4.0, scale="per-column", floor=(1e-3,))
    spec = Table((ColumnGroup((0,), head),))
    likelihood = spec.build(event_shape=(1,))
    initialise(likelihood, x)
    optimiser = torch.optim.Adam(likelihood.parameters(), lr=0.05)
    for _ in range(400):
        optimiser.zero_grad()
        loss = -likelihood(x.new_zeros(1_000, 1)).log_prob(x).mean()
        loss.backward()
        optimiser.step()
    terms = likelihood(x.new_zeros(1_000, 1)).log_prob(x)
    ceiling = scipy.stats.t.logpdf(0, 4, scale=1e-3)
    assert terms.max().item() <= ceiling
    assert terms[7] < terms.max() - 10
