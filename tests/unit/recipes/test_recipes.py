"""Recipes: short compositions that all train, save and load, and parts that come from outside."""

import ast
import inspect
import math
from pathlib import Path
from typing import Annotated

import pytest
import torch
from torch import nn

from vaekit.artifacts import load
from vaekit.distributions import Normal
from vaekit.errors import ConfigError
from vaekit.latents import ConditionalNormal, Prior
from vaekit.likelihoods import Bernoulli, Gaussian, Laplace, Likelihood
from vaekit.models import FlatVAE, LinearVAE
from vaekit.networks import MLP, Conv
from vaekit.objectives import ELBO, Autoencoding, Loss, Objective
from vaekit.recipes import compose, find, flat, recipe, recipes
from vaekit.spec import Spec, Within, replace_at
from vaekit.tasks import (
    Composition,
    DataSpec,
    Hint,
    Run,
    evaluate_run,
    hint_for,
    prepare_data,
    start_run,
)
from vaekit.training import Training

HINT = Hint((1, 8, 8), 0, Bernoulli(), MLP(hidden=(6,)))
CONDITIONAL = Hint((1, 8, 8), 10, Bernoulli(), MLP(hidden=(6,)))


def hint_of(name):
    return CONDITIONAL if name in ("conditional-vae", "semi-supervised-vae") else HINT


def test_the_recipes_of_the_first_release_are_there():
    assert set(recipes()) >= {
        "vae",
        "beta-vae",
        "sigma-vae",
        "annealed-vae",
        "free-bits-vae",
        "full-covariance-vae",
        "mixture-vae",
        "vamp-vae",
        "flow-prior-vae",
        "conditional-vae",
        "linear-vae",
        "autoencoder",
        "linear-autoencoder",
        "sparse-autoencoder",
        "contractive-autoencoder",
    }
    assert list(recipes()) == sorted(recipes())


@pytest.mark.parametrize("name", recipes())
def test_each_says_what_it_is_and_where_it_comes_from(name):
    card = recipes()[name]
    assert card.summary.endswith(".") or card.summary.endswith(").")
    assert any(year.isdigit() for year in card.paper.replace(",", " ").split())


def test_every_recipe_is_short():
    files = Path(inspect.getfile(flat)).parent.glob("*.py")
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in files]
    functions = [n for tree in trees for n in tree.body if isinstance(n, ast.FunctionDef)]
    assert len(functions) >= len(recipes())
    for node in functions:
        assert node.end_lineno - node.lineno + 1 <= 25, node.name


@pytest.mark.parametrize("name", recipes())
def test_each_trains_saves_loads_and_is_measured(tmp_path, name):
    by_label = {"context": ("labels",)} if name == "conditional-vae" else {}
    data = DataSpec(**find(name).reading, **by_label)
    prepared = prepare_data(data)
    composition = compose(name, hint_for(prepared.codec))
    composition = replace_at(composition, "training.epochs", 1)
    if hasattr(composition.model, "encoder") and composition.model.encoder != MLP(hidden=()):
        composition = replace_at(composition, "model.encoder", MLP(hidden=(8,)))
    start_run(Run(data, composition), tmp_path / "run", prepared=prepared)
    again = load(tmp_path / "run")
    assert again.model.spec == composition.model
    metrics = evaluate_run(tmp_path / "run", samples=5, prepared=prepared)
    assert math.isfinite(metrics["mse"])
    if again.model.has_density:
        assert metrics["log_marginal"] >= metrics["elbo"]
    else:
        assert metrics["elbo"] is None
        assert any("no elbo" in note for note in metrics["notes"])


@pytest.mark.parametrize(
    ("name", "path", "expected"),
    [
        ("beta-vae", "objective.beta", 4.0),
        ("sigma-vae", "model.likelihood.scale", "optimal"),
        ("annealed-vae", "objective.beta.start", 0.0),
        ("free-bits-vae", "objective.free_bits", 0.1),
        ("capacity-vae", "objective.capacity.end", 25.0),
        ("beta-tc-vae", "objective.beta", 6.0),
        ("factor-vae", "objective.optimizer.beta1", 0.5),
        ("dip-vae", "objective.of", "codes"),
        ("info-vae", "objective.alpha", 0.5),
        ("mmd-vae", "objective.alpha", 1.0),
        ("wae-mmd", "model.posterior.kind", "posterior/point"),
        ("wae-gan", "model.posterior.kind", "posterior/point"),
        ("adversarial-autoencoder", "model.posterior.kind", "posterior/diagonal"),
        ("full-covariance-vae", "model.posterior.kind", "posterior/full"),
        ("planar-vae", "model.posterior.steps", 8),
        ("categorical-vae", "model.posterior.classes", 10),
        ("hyperspherical-vae", "model.prior.kind", "prior/uniform-sphere"),
        ("iaf-vae", "model.posterior.kind", "posterior/iaf"),
        ("autoencoder", "model.posterior.kind", "posterior/point"),
        ("linear-autoencoder", "model.encoder.hidden", ()),
        ("sparse-autoencoder", "objective.sparsity", 0.1),
        ("contractive-autoencoder", "objective.contraction", 0.1),
        ("rae", "objective.code", 0.01),
        ("denoising-vae", "model.corruption.scale", 0.25),
        ("denoising-autoencoder", "model.corruption.rate", 0.25),
        ("mixture-vae", "model.prior.components", 10),
        ("vamp-vae", "model.prior.kind", "prior/vamp"),
        ("flow-prior-vae", "model.prior.kind", "prior/flow"),
        ("conditional-vae", "model.prior.kind", "prior/conditional-normal"),
        ("linear-vae", "model.kind", "model/linear-vae"),
        ("semi-supervised-vae", "objective.alpha", 1.0),
    ],
)
def test_what_makes_each_of_them(name, path, expected):
    value = compose(name, hint_of(name))
    for field in path.split("."):
        value = getattr(value, field)
    assert value == expected


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("model.prior", "test-wide:scale=3"),
        ("model.posterior", "full"),
        ("model.likelihood", "laplace:scale=shared"),
        ("model.encoder", "mlp:hidden=5"),
        ("model.decoder", "conv:channels=4"),
        ("model.latent_dim", 7),
        ("objective", "elbo:beta=2"),
        ("training.optimizer", "adam:lr=0.01"),
        ("training.lr_schedule", "cosine:end=0.5"),
        ("training.batch_size", 100),
    ],
)
@pytest.mark.parametrize("name", ["vae", "sigma-vae", "autoencoder"])
def test_any_part_can_be_replaced(name, path, value):
    changed = replace_at(compose(name, HINT), path, value)
    model = changed.model.build(event_shape=(1, 8, 8))
    x = torch.zeros(3, 1, 8, 8)
    if model.has_density or "objective" not in path:
        evidence = model.evidence(x)
        assert evidence.log_px.shape == (1, 3)
    assert changed != compose(name, HINT)


def test_the_data_decides_what_the_recipe_leaves_open():
    hint = Hint((3, 32, 32), 0, Laplace(), Conv())
    model = compose("vae", hint).model
    assert (model.likelihood, model.encoder) == (Laplace(), Conv())
    assert compose("sigma-vae", hint).model.likelihood == Gaussian(scale="optimal")
    assert isinstance(compose("linear-vae", hint).model, LinearVAE)
    assert isinstance(compose("autoencoder", hint).objective, Autoencoding)


def test_an_unknown_recipe():
    with pytest.raises(
        ConfigError, match=r"unknown recipe 'sigmavae'.*[Dd]id you mean 'sigma-vae'"
    ):
        compose("sigmavae", HINT)


def test_a_conditional_recipe_needs_a_context():
    with pytest.raises(ConfigError, match=r"needs a context.*--context labels"):
        compose("conditional-vae", HINT)
    model = compose("conditional-vae", CONDITIONAL).model
    assert model.prior == ConditionalNormal()


# --- from outside the package -------------------------------------------------------------------


class Wide(Spec, kind="prior/test-wide"):
    """N(0, scale² I) with a learned scale."""

    scale: Annotated[float, Within(1e-3, 1e3)] = 2.0

    def build(self, *, latent_shape, context_dim=0):
        return WidePrior(self, latent_shape)


class WidePrior(Prior):
    def __init__(self, spec, latent_shape):
        super().__init__(spec, latent_shape)
        self.log_scale = nn.Parameter(torch.full(self.latent_shape, math.log(spec.scale)))

    def forward(self, context=None):
        return Normal.from_log_scale(torch.zeros_like(self.log_scale), self.log_scale)


class Tempered(Spec, kind="likelihood/test-tempered"):
    """A normal around the decoder's output with one given scale."""

    scale: Annotated[float, Within(1e-3, 1e3)] = 0.3

    def build(self, *, event_shape):
        return TemperedLikelihood(self, event_shape)


class TemperedLikelihood(Likelihood):
    def forward(self, params, *, x=None):
        log_scale = params.new_full((), math.log(self.spec.scale))
        return Normal.from_log_scale(params, log_scale, event_dims=self.event_dims)


class Shy(Objective, kind="objective/test-shy"):
    """The negative bound with the rate to the power of ``power``."""

    power: Annotated[float, Within(0.5, 2.0)] = 1.0

    def __call__(self, evidence, *, batch, model, progress):
        rate, distortion = evidence.rate.mean(), evidence.distortion.mean()
        return Loss(distortion + rate**self.power, {"rate": rate, "distortion": distortion})


def outsider(hint: Hint) -> Composition:
    """Parts of somebody else."""
    model = FlatVAE(encoder=hint.network, prior=Wide(), likelihood=Tempered())
    return Composition(model, Shy(power=0.9), Training(epochs=2))


recipe("test-outsider", paper="nobody 2024")(outsider)


def test_parts_and_recipes_from_outside_train_save_and_load(tmp_path):
    prepared = prepare_data(DataSpec())
    composition = compose("test-outsider", hint_for(prepared.codec))
    composition = replace_at(composition, "model.prior.scale", 1.5)
    start_run(Run(DataSpec(), composition), tmp_path / "run", prepared=prepared)
    again = load(tmp_path / "run")
    assert again.model.spec.prior == Wide(scale=1.5)
    assert not torch.allclose(again.model.prior.log_scale, torch.tensor(math.log(1.5)))
    metrics = evaluate_run(tmp_path / "run", samples=5, prepared=prepared)
    assert metrics["elbo"] == pytest.approx(-metrics["rate"] - metrics["distortion"])
    losses = [record["distortion"] for record in again.history]
    assert losses[1] < losses[0]


def test_one_outsider_replaces_one_part_by_name():
    composition = replace_at(compose("vae", HINT), "model.prior", "test-wide:scale=3")
    assert composition.model.prior == Wide(scale=3.0)
    assert composition.objective == ELBO()
    with pytest.raises(ConfigError, match=r"between 0.001 and 1000"):
        replace_at(composition, "model.prior.scale", -1)


def test_a_name_cannot_be_taken_twice():
    with pytest.raises(ConfigError, match="the recipe 'vae' exists already"):
        recipe("vae", paper="x")(outsider)
    recipe("test-outsider", paper="nobody 2024")(outsider)
