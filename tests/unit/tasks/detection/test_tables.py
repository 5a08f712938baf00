"""Likelihood, network and errors of a table from its schema; tails from SciPy's ranks."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import torch

from vaekit.data import fit_table
from vaekit.distributions import (
    Bernoulli,
    Categorical,
    NegativeBinomial,
    Normal,
    Ordinal,
    TableDensity,
    VonMises,
)
from vaekit.likelihoods import Gaussian, Laplace, StudentT
from vaekit.models import FlatVAE, initialise
from vaekit.objectives import ELBO
from vaekit.tasks.detection.errors import squared_errors
from vaekit.tasks.detection.tables import table_likelihood, table_network
from vaekit.tasks.detection.tail import Tails

TYPES = {"paid": "zero-inflated", "n": "count", "size": "ordinal:levels=S,M,L"}


def table(n=80):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "cents": np.round(rng.normal(5, 2, n), 2),
            "exact": rng.normal(size=n),
            "paid": np.where(rng.random(n) < 0.5, 0.0, rng.lognormal(size=n)),
            "n": rng.poisson(3, n),
            "flag": rng.random(n) < 0.3,
            "town": rng.choice(["a", "b"], n),
            "other": rng.choice(["c", "d"], n),
            "size": rng.choice(["S", "M", "L"], n),
            "when": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 10**7, n), "s"),
        }
    )
    frame.loc[::9, ["exact", "town", "when", "paid"]] = None
    return frame


def test_groups_and_network_follow_the_schema():
    codec = fit_table(table(), TYPES)
    names = [field.name for field in codec.fields]
    likelihood = table_likelihood(codec)
    groups = {
        g.likelihood.kind.split("/")[1]: [names[i] for i in g.columns] for g in likelihood.groups
    }
    assert groups["gaussian"] == ["cents", "exact", "paid (amount)", "when (week)"]
    assert groups["bernoulli"] == ["paid (above 0)", "flag"]
    assert groups["negative-binomial"] == ["n"]
    assert groups["ordinal"] == ["size"]
    assert groups["circular"] == ["when (time of day)"]
    codes = [g for g in likelihood.groups if g.likelihood.kind == "likelihood/categorical"]
    assert [(len(g.columns), g.likelihood.categories) for g in codes] == [(2, 3), (1, 7)]
    missing = likelihood.missing
    predicted = {names[i] for i in missing.predicted}
    assert predicted == {"exact", "paid (above 0)", "town", "when (week)"}
    void = {names[i] for i in missing.void}
    assert void == {"paid (amount)", "when (weekday)", "when (time of day)"}
    assert missing.rates[names.index("exact")] == pytest.approx(10 / 82)
    assert missing.rates[names.index("cents")] == pytest.approx(1 / 82)
    network = table_network(codec)
    assert {names[i] for i in network.flags} == predicted
    assert network.count_locs == (codec.columns[3].log_loc,)
    assert network.code_sizes == (3, 3, 7)


def test_floors_are_the_spacing_where_scales_are_learned_for_each_column():
    codec = fit_table(table(), TYPES)
    cents = 0.01 / np.sqrt(12) / table()["cents"].std(ddof=0)
    for numeric in (Gaussian(scale="per-column", floor=1e-5), StudentT(scale="per-element")):
        floor = table_likelihood(codec, numeric).groups[0].likelihood.floor
        assert floor[0] == pytest.approx(max(cents, numeric.floor), rel=1e-6)
        assert floor[1] == numeric.floor
    for numeric in (Gaussian(scale="shared"), Gaussian(scale=0.5), Laplace(scale="shared")):
        assert table_likelihood(codec, numeric).groups[0].likelihood == numeric
    given = Gaussian(scale="per-column", floor=(0.1, 0.2, 0.3, 0.4))
    assert table_likelihood(codec, given).groups[0].likelihood == given


def test_a_model_of_all_kinds_trains_and_every_parameter_learns():
    codec = fit_table(table(), TYPES)
    x = codec.encode(table())
    model = FlatVAE(encoder=table_network(codec), likelihood=table_likelihood(codec))
    model = model.build(event_shape=codec.event_shape)
    initialise(model, x)
    assert bool(model.likelihood.initialised)
    ELBO()(model.evidence(x, samples=2)).total.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert (parameter.grad != 0).any(), name
    drawn = codec.decode(model.decode(torch.zeros(7, 2)).sample())
    assert codec.encode(drawn).shape == x[:7].shape


def test_errors_of_all_kinds():
    circle = VonMises(torch.zeros(1, 1), torch.full((1, 1), 3.0))  # mean direction 0.25
    logits = torch.tensor([[[0.0], [1.0], [-1.0]]])
    groups = [
        Normal(torch.tensor([[1.5]]), torch.ones(1, 1)),
        Bernoulli(torch.tensor([[0.3]])),
        Categorical(logits),
        NegativeBinomial(torch.full((1, 1), 2.0).log(), torch.zeros(1)),
        Ordinal(torch.zeros(1, 1), torch.tensor([[-1.0], [1.0]])),
        circle,
    ]
    x = torch.tensor([[0.5, 1.0, 2.0, 3.0, 2.0, 0.5]])
    order = torch.tensor([5, 0, 4, 1, 3, 2])
    density = TableDensity(groups, order)
    p = 1 / (1 + np.exp(-0.3))
    probs = np.exp([0.0, 1.0, -1.0]) / np.exp([0.0, 1.0, -1.0]).sum()
    brier = ((np.array([0, 0, 1]) - probs) ** 2).sum()
    chord = abs(np.exp(2j * np.pi * 0.5) - np.exp(2j * np.pi * 0.25)) ** 2
    wanted = [1.0, (1 - p) ** 2 + (0 - (1 - p)) ** 2, brier, np.log(4 / 3) ** 2, 1.0, chord]
    found = squared_errors(density, x[:, order])
    np.testing.assert_allclose(found[0, order.argsort()], wanted, rtol=1e-5)
    assert squared_errors(density, torch.full((1, 6), torch.nan)).tolist() == [[0.0] * 6]
    np.testing.assert_allclose(squared_errors(groups[1], x[:, 1:2]), [wanted[1:2]], rtol=1e-5)


def test_tails_are_ranks():
    rng = np.random.default_rng(0)
    known, new = rng.integers(0, 9, (50, 2)).astype(float), rng.integers(-1, 11, (20, 2)) * 1.0
    found = Tails(known)(new)
    for row, column in np.ndindex(new.shape):
        rank = scipy.stats.percentileofscore(known[:, column], new[row, column], kind="strict")
        p = (51 - rank / 100 * 50) / 51
        assert found[row, column] == pytest.approx(-np.log(p), abs=1e-9)
