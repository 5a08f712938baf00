"""Ranges and choices: read from words, checked against the fields, and tried."""

import pytest

from vaekit.errors import ConfigError
from vaekit.likelihoods import Bernoulli
from vaekit.networks import MLP, Conv
from vaekit.objectives import Linear
from vaekit.recipes import compose, recipes
from vaekit.tasks import Composition, DataSpec, hint_for, prepare_data
from vaekit.tasks.tuning import Choice, Range, default_space, parse_axis, short_names
from vaekit.tasks.tuning.space import apply, own_values

PLAIN = Composition()
CONTEXT = DataSpec(context=("labels",))


@pytest.mark.parametrize(
    ("key", "text", "axis"),
    [
        ("model.latent_dim", "2..64:log", Range(2, 64, log=True, whole=True)),
        ("model.latent_dim", " 2 .. 8 ", Range(2, 8, whole=True)),
        ("training.batch_size", "32..128:step=32", Range(32, 128, step=32, whole=True)),
        ("training.optimizer.lr", "1e-4..1e-2:log", Range(1e-4, 1e-2, log=True)),
        ("objective.beta", "1..4", Range(1, 4)),
        ("objective.beta", "0..4:step=0.5", Range(0, 4, step=0.5)),
        ("model.encoder.hidden", "256,128|512", Choice(("256,128", "512"))),
        ("model.likelihood", "gaussian:scale=shared|bernoulli",
         Choice(("gaussian:scale=shared", "bernoulli"))),
        ("training.clip", "none|5", Choice(("none", "5"))),
        ("model.encoder", "mlp:hidden=8,4|conv", Choice(("mlp:hidden=8,4", "conv"))),
    ],
)  # fmt: skip
def test_words_of_the_command_line(key, text, axis):
    found = parse_axis(key, text, PLAIN)
    assert found == axis
    assert parse_axis(key, str(found), PLAIN) == axis


@pytest.mark.parametrize(
    ("key", "text", "says"),
    [
        ("model.latent_dim", "8", "neither a range nor a choice; expected LOW..HIGH"),
        ("model.latent_dim", "2..", "neither a range nor a choice"),
        ("model.latent_dim", "8..2", "an empty range; expected LOW below HIGH, got 8..2"),
        ("model.latent_dim", "2.5..8", "not whole numbers"),
        ("model.latent_dim", "2..8:log:step=2", "a step is above 0 and goes without log"),
        ("model.latent_dim", "2..8:step=0", "a step is above 0"),
        ("model.latent_dim", "2..8:lin", "unknown option of a range.*got :lin"),
        ("model.latent_dim", "0..8", "out of bounds"),
        ("model.latent_dim", "2|many", "wrong type"),
        ("objective.beta", "0..4:log", "a logarithm needs numbers above 0"),
        ("model.latent_din", "2..8", "Did you mean 'latent_dim'"),
        ("model.encoder.hidden", "8||9", "not a choice; expected different words"),
        ("model.encoder.hidden", "8|8", "not a choice; expected different words"),
        ("model.encoder.widths", "8|9", "unknown setting"),
        ("model.likelihood", "1..2", "not a likelihood"),
        ("model.likelihood", "gaussian|gausian", "Did you mean 'gaussian'"),
    ],
)
def test_what_cannot_be_searched_is_refused(key, text, says):
    with pytest.raises(ConfigError, match=says) as caught:
        parse_axis(key, text, PLAIN)
    assert str(caught.value).startswith(f"--space {key}={text}: ")


def test_values_become_a_composition():
    space = {
        "model.latent_dim": Range(2, 64, whole=True),
        "model.encoder.hidden": Choice(("8", "9,7")),
        "model.likelihood": Choice(("gaussian", "bernoulli")),
        "objective.beta": Range(0.1, 2.0),
    }
    params = {
        "model.latent_dim": 5,
        "model.encoder.hidden": "9,7",
        "model.likelihood": "bernoulli",
        "objective.beta": 0.5,
    }
    found = apply(PLAIN, space, params)
    assert (found.model.latent_dim, found.model.encoder) == (5, MLP(hidden=(9, 7)))
    assert (found.model.likelihood, found.objective.beta) == (Bernoulli(), 0.5)
    assert found.training == PLAIN.training
    assert own_values(found, space) == params
    assert own_values(PLAIN, space) is None  # its widths are no option


def test_values_off_the_grid_are_outside():
    batch = {"training.batch_size": Range(30, 120, step=30, whole=True)}  # its own is 64
    assert own_values(PLAIN, batch) is None
    batch = {"training.batch_size": Range(32, 128, step=32, whole=True)}
    assert own_values(PLAIN, batch) == {"training.batch_size": 64}
    assert own_values(PLAIN, {"training.clip": Range(1.0, 2.0)}) is None  # its own is none


@pytest.mark.parametrize("name", list(recipes()))
def test_every_recipe_has_a_space_that_holds_its_own_values(name):
    composition = compose(name, hint_for(prepare_data(CONTEXT).codec))
    space = default_space(composition)
    assert {"model.latent_dim", "training.optimizer.lr"} <= set(space)
    constant = isinstance(getattr(composition.objective, "beta", None), float)
    assert ("objective.beta" in space) == constant
    assert ("autoencoder" in name) <= ("objective.beta" not in space)
    assert own_values(composition, space) is not None
    for key, axis in space.items():
        assert parse_axis(key, str(axis), composition) == axis


def test_the_default_space_follows_the_recipe():
    scheduled = PLAIN.replace(objective=PLAIN.objective.replace(beta=Linear()))
    assert "objective.beta" not in default_space(scheduled)
    images = PLAIN.replace(model=PLAIN.model.replace(encoder=Conv(hidden=(6,))))
    assert default_space(images)["model.encoder.hidden"] == Choice(("3", "6", "12"))
    linear = PLAIN.replace(model=PLAIN.model.replace(encoder=MLP(hidden=())))
    assert "model.encoder.hidden" not in default_space(linear)
    assert default_space(PLAIN, most=5)["model.latent_dim"] == Range(2, 5, log=True, whole=True)
    assert "model.latent_dim" not in default_space(PLAIN, most=2)
    left = default_space(PLAIN, fixed=["model.encoder", "objective.beta"])
    assert set(left) == {"model.latent_dim", "training.optimizer.lr"}


def test_short_names_are_different():
    keys = ["training.optimizer.lr", "model.prior.scale", "model.likelihood.scale", "a.lr.scale"]
    names = short_names(keys)
    assert len(set(names.values())) == len(keys)
    assert names["training.optimizer.lr"] == "lr"
    assert names["model.prior.scale"] == "prior.scale"
