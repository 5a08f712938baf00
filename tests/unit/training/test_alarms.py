"""Alarms about collapse and floors, with their remedies, and silence where all is well."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from vaekit.latents import Point
from vaekit.likelihoods import Bernoulli, Gaussian
from vaekit.metrics import evaluate_model
from vaekit.models import FlatVAE
from vaekit.objectives import ELBO
from vaekit.training import Adam
from vaekit.training.alarms import alarms


def with_likelihood(likelihood):
    return SimpleNamespace(likelihood=likelihood)


HEALTHY = with_likelihood(SimpleNamespace(at_floor=False))


@pytest.mark.parametrize(
    ("kl", "active"),
    [([0.0, 0.0], 0), ([0.5, 0.001, 0.002], 1), ([0.0099, 0.0, 2.0], 1), ([None, None, 1.0], 1)],
)
def test_collapse_is_named_with_its_remedies(kl, active):
    (warning,) = alarms({"kl": kl}, HEALTHY)
    assert warning.startswith(f"latent collapse: only {active} of {len(kl)} dimensions carry 0.01")
    assert all(word in warning for word in ("beta", "free_bits", "latent dimension"))


@pytest.mark.parametrize(
    ("kl", "words"),
    [
        ([0.0], "the code does not carry 0.01 nats"),
        ([0.0, 0.0, 1.0], "only 1 of 3 groups carry 0.01 nats"),
        ([0.0] * 6, "only 0 of 6 dimensions carry 0.01 nats"),
    ],
)
def test_collapse_is_said_of_what_has_a_rate(kl, words):
    model = SimpleNamespace(likelihood=None, latent_shape=(6,))
    (warning,) = alarms({"kl": kl}, model)
    assert warning.startswith(f"latent collapse: {words} or more; usual remedies")
    assert alarms({"kl": [1.0] * len(kl)}, model) == []


def table(**values):
    """A table of metrics of a code of three dimensions, each with a rate of its own."""
    healthy = {"active_units": 2, "mutual_information": 1.5, "mutual_information_error": 0.1}
    return {"kl": [0.05, 0.05, 0.2], **healthy, **values}


@pytest.mark.parametrize(
    ("values", "sign"),
    [
        ({"active_units": 0}, "the data moves only 0 of 3 dimensions"),
        ({"active_units": 1}, "the data moves only 1 of 3 dimensions"),
        (
            {"mutual_information": 0.001, "mutual_information_error": 0.014},
            "no information about x beyond its error (0.001 ± 0.014 nats)",
        ),
        ({"mutual_information": -0.02, "mutual_information_error": 0.01}, "no information"),
        ({"mutual_information": 0.0, "mutual_information_error": 0.0}, "no information"),
    ],
)
def test_a_table_shows_a_collapse_that_the_rate_hides(values, sign):
    model = SimpleNamespace(likelihood=None, latent_shape=(3,))
    (warning,) = alarms(table(**values), model)
    assert warning.startswith("latent collapse: ")
    assert sign in warning
    assert "free_bits" in warning


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"mutual_information": 0.1, "mutual_information_error": 0.09},
        {"mutual_information": 0.0, "mutual_information_error": None},  # of a single row
        dict.fromkeys(("active_units", "mutual_information", "mutual_information_error")),
    ],
)
def test_a_table_of_a_code_in_use_is_silent(values):
    assert alarms(table(**values), SimpleNamespace(likelihood=None, latent_shape=(3,))) == []


def test_all_signs_of_a_collapse_are_one_alarm():
    nothing = table(kl=[0.0] * 3, active_units=0, mutual_information=0.0)
    (warning,) = alarms(nothing, SimpleNamespace(likelihood=None, latent_shape=(3,)))
    assert "only 0 of 3 dimensions carry 0.01 nats or more; the data moves only 0 of 3" in warning
    assert warning.count("usual remedies") == 1


def test_the_table_of_a_collapsed_model_is_alarming():
    """Codes of a shifted normal, the same for all rows: a rate, and no information."""
    model = FlatVAE(latent_dim=3).build(event_shape=(6,))
    with torch.no_grad():
        model.posterior.head.weight.zero_()
        model.posterior.head.bias.copy_(torch.tensor([0.5, 0.5, 0.5, 0.0, 0.0, 0.0]))
    rows = SimpleNamespace(x=torch.randn(50, 6), y=None, c=None)
    found = evaluate_model(model, SimpleNamespace(batches=lambda size, train: [rows]), samples=2)
    assert min(found["kl"]) > 0.1
    (warning,) = alarms(found, model)
    assert "the data moves only 0 of 3 dimensions" in warning


@pytest.mark.parametrize("record", [{"kl": [1.0, 0.0]}, {"kl": [0.01, 0.01]}, {"kl": []}, {}])
def test_half_of_the_dimensions_are_enough(record):
    assert alarms(record, HEALTHY) == []


def test_a_scale_at_its_floor_is_named():
    likelihood = Gaussian(scale="optimal", floor=0.1).build(event_shape=(3,))
    likelihood.freeze(0.104**2)
    (warning,) = alarms({"kl": [1.0]}, with_likelihood(likelihood))
    assert "scale is at its floor" in warning
    assert "likelihood.floor" in warning
    likelihood.freeze(0.11**2)
    assert alarms({"kl": [1.0]}, with_likelihood(likelihood)) == []


def test_models_without_a_scale_raise_no_alarm():
    assert alarms({"kl": [1.0]}, with_likelihood(Bernoulli().build(event_shape=(2,)))) == []
    assert alarms({"kl": [1.0]}, nn.Linear(1, 1)) == []


def test_both_can_sound_together():
    found = alarms({"kl": [0.0]}, with_likelihood(SimpleNamespace(at_floor=True)))
    assert len(found) == 2


def test_alarms_wait_for_the_second_half_of_the_run(make_trainer):
    history = make_trainer(epochs=20, objective=ELBO(beta=1e4), optimizer=Adam(lr=0.1)).fit()
    early, late = history.records[:9], history.records[9:]
    assert any(max(record["kl"]) < 0.01 for record in early), "it should collapse early"
    assert not any("warnings" in record for record in early)
    collapsed = [sum(kl >= 0.01 for kl in record["kl"]) < 1 for record in late]
    assert ["warnings" in record for record in late] == collapsed
    assert collapsed[-1]
    assert "latent collapse: only 0 of 2" in history.last["warnings"][0]


def test_a_floor_is_noticed_with_averaged_weights_too(make_trainer, make_model):
    model = make_model(likelihood=Gaussian(scale="optimal", floor=100.0))
    history = make_trainer(model=model, average=0.5).fit()
    assert any("at its floor" in warning for warning in history.last["warnings"])


def test_a_code_that_is_a_point_has_no_rate_to_lose():
    model = FlatVAE(latent_dim=2, posterior=Point()).build(event_shape=(3,))
    assert alarms({"kl": [0.0, 0.0]}, model) == []
