"""A saved model comes back bit by bit, with its shared parts shared, and nothing is unpickled."""

import builtins
import json
import pickle  # noqa: TID251 - made to raise
from typing import Annotated, Any

import pytest
import torch
from torch import nn

from vaekit.artifacts import describe, load, save
from vaekit.data import ArrayCodec, DataCodec, ImageCodec
from vaekit.errors import ArtifactError, ConfigError
from vaekit.latents import ConditionalNormal, Diagonal, Full, Point, Prior
from vaekit.likelihoods import (
    Bernoulli,
    Categorical,
    ContinuousBernoulli,
    DiscretisedLogistic,
    Gaussian,
    Laplace,
)
from vaekit.models import FlatVAE, LinearVAE
from vaekit.networks import MLP, Conv, ResNet
from vaekit.objectives import ELBO, Progress
from vaekit.recipes import compose, recipes
from vaekit.spec import Role, Spec
from vaekit.tasks import Hint
from vaekit.training import Adam

IMAGE = (1, 8, 8)
DIGITS = DataCodec(x=ImageCodec(height=8, width=8, high=16.0))
TABLE = DataCodec(x=ArrayCodec(shape=(5,), columns=("a", "b", "c", "d", "e")))
CONDITIONAL = DataCodec(x=ImageCodec(height=8, width=8, high=16.0), context=ArrayCodec(shape=(3,)))
SMALL = MLP(hidden=(6,))
LIKELIHOODS = [
    Bernoulli(),
    ContinuousBernoulli(),
    Gaussian(scale=0.5),
    Gaussian(scale="shared"),
    Gaussian(scale="per-element"),
    Gaussian(scale="optimal"),
    Laplace(),
    Categorical(categories=17, scaled=True),
    DiscretisedLogistic(),
]


def outputs(model, x, c=None):
    """Everything that users read off a model, on the same noise."""
    torch.manual_seed(1)
    with torch.no_grad():
        q = model.encode(x, c)
        z = q.rsample((2,))
        px = model.decode(z, c)
        found = [q.mean, q.stddev, px.log_prob(x)]
        found.append(model.sample(len(x), c).log_prob(x))
    return found


def assert_comes_back(folder, model, codec, c=None):
    """Saved, loaded: equal weights, equal outputs, equal specs."""
    model = model.eval()
    for value in model.parameters():
        nn.init.normal_(value, std=0.3)
    if hasattr(model.likelihood, "mean_square"):
        model.likelihood.freeze(0.37)
    shape = model.event_shape
    x = (torch.rand(4, *shape) * 16).round() / 16
    before = torch.random.get_rng_state()
    artifact = load(save(folder, model, codec))
    again = artifact.model
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not again.training
    assert again.spec == model.spec
    assert artifact.codec == codec
    stored, found = model.state_dict(), again.state_dict()
    assert stored.keys() == found.keys()
    for name, value in stored.items():
        assert value.dtype == found[name].dtype
        assert torch.equal(value, found[name]), name
    for ours, theirs in zip(outputs(model, x, c), outputs(again, x, c), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=str)
def test_each_likelihood_comes_back(tmp_path, likelihood):
    spec = FlatVAE(latent_dim=3, encoder=SMALL, likelihood=likelihood)
    assert_comes_back(tmp_path, spec.build(event_shape=IMAGE), DIGITS)


@pytest.mark.parametrize("posterior", [Diagonal(), Full(), Full(floor=0.1), Point()], ids=str)
@pytest.mark.parametrize("latent_dim", [1, 4])
def test_each_posterior_comes_back(tmp_path, posterior, latent_dim):
    spec = FlatVAE(latent_dim=latent_dim, encoder=SMALL, posterior=posterior)
    model = spec.build(event_shape=(5,))
    if model.has_density:
        assert_comes_back(tmp_path, model, TABLE)
    else:
        again = load(save(tmp_path, model, TABLE)).model
        x = torch.randn(4, 5)
        assert torch.equal(model.eval().reconstruct(x), again.reconstruct(x))


@pytest.mark.parametrize("network", [Conv(channels=(4, 4)), ResNet(width=4, blocks=1)], ids=str)
def test_each_network_comes_back(tmp_path, network):
    spec = FlatVAE(encoder=network, likelihood=Bernoulli())
    assert_comes_back(tmp_path, spec.build(event_shape=IMAGE), DIGITS)


def test_different_networks_for_both_directions_come_back(tmp_path):
    spec = FlatVAE(encoder=Conv(channels=(4,)), decoder=SMALL, likelihood=Bernoulli())
    assert_comes_back(tmp_path, spec.build(event_shape=IMAGE), DIGITS)


def test_a_conditional_model_comes_back(tmp_path):
    spec = FlatVAE(encoder=SMALL, prior=ConditionalNormal(hidden=(4,)), likelihood=Bernoulli())
    model = spec.build(event_shape=IMAGE, context_dim=3)
    assert_comes_back(tmp_path, model, CONDITIONAL, torch.randn(4, 3))


@pytest.mark.parametrize("name", recipes())
def test_each_recipe_comes_back(tmp_path, name):
    width = 3 if name in ("conditional-vae", "semi-supervised-vae") else 0
    composition = compose(name, Hint(IMAGE, width, Bernoulli(), SMALL))
    model = composition.model.build(event_shape=IMAGE, context_dim=width)
    codec = CONDITIONAL if width else DIGITS
    again = load(save(tmp_path, model, codec)).model
    x, c = torch.rand(4, *IMAGE), torch.eye(width)[[0, 2, 1, 0]] if width else None
    assert torch.equal(model.eval().reconstruct(x, c), again.reconstruct(x, c))


def test_the_linear_vae_keeps_its_exact_likelihood(tmp_path):
    x = torch.randn(50, 5)
    model = LinearVAE(latent_dim=2).build(event_shape=(5,)).set_maximum_likelihood(x)
    again = load(save(tmp_path, model, TABLE)).model
    assert torch.equal(model.exact_log_marginal(x), again.exact_log_marginal(x))


def test_weights_are_the_same_bytes_each_time(tmp_path):
    model = FlatVAE(encoder=SMALL, posterior=Full()).build(event_shape=(5,))
    for name in ("one", "two"):
        save(tmp_path / name, model, TABLE, metrics={"elbo": -1.0})
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["codec.json", "metrics.json", "model.json", "weights.safetensors"]
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_saving_over_an_artifact_replaces_it(tmp_path):
    for width in (4, 7):
        model = FlatVAE(encoder=MLP(hidden=(width,))).build(event_shape=(5,))
        save(tmp_path, model, TABLE)
    assert load(tmp_path).model.spec.encoder == MLP(hidden=(7,))
    assert not list(tmp_path.glob(".*"))


def test_nothing_is_unpickled(tmp_path, monkeypatch):
    model = FlatVAE(encoder=SMALL).build(event_shape=(5,))

    def refuse(*args, **kwargs):
        raise AssertionError("something was unpickled or evaluated")

    for owner, name in (
        (pickle, "load"),
        (pickle, "loads"),
        (pickle, "Unpickler"),
        (torch, "load"),
        (torch, "save"),
        (builtins, "eval"),
    ):
        monkeypatch.setattr(owner, name, refuse)
    assert load(save(tmp_path, model, TABLE)).codec == TABLE


def test_metrics_provenance_and_description(tmp_path):
    model = FlatVAE(encoder=SMALL).build(event_shape=(5,))
    save(tmp_path, model, TABLE, metrics={"elbo": -1.5}, provenance={"data": "here"})
    artifact = load(tmp_path)
    assert artifact.metrics == {"elbo": -1.5}
    assert artifact.provenance == {"data": "here"}
    assert artifact.history == []
    described = json.loads(json.dumps(describe(tmp_path)))
    assert described["event_shape"] == [5]
    assert described["latent_shape"] == [2]
    total = sum(p.numel() for p in model.parameters())
    assert described["weights"]["total"] == total
    assert sum(v for k, v in described["weights"].items() if k != "total") == total


# --- parts that were made elsewhere -------------------------------------------------------------


class Mirror(Spec, kind="prior/test-mirror"):
    """A prior that owns a posterior: the aggregate of q at learned pseudo-inputs, one of them."""

    features: int = 6

    def build(self, *, latent_shape, context_dim=0):
        return MirrorPrior(self, latent_shape)


class MirrorPrior(Prior):
    def __init__(self, spec, latent_shape):
        super().__init__(spec, latent_shape)
        self.pseudo = nn.Parameter(torch.zeros(1, spec.features))
        self.posterior = Diagonal().build(features=spec.features, latent_shape=latent_shape)

    def forward(self, context=None):
        return self.posterior(self.pseudo)


class SharedVAE(FlatVAE, kind="model/test-shared"):
    """A flat VAE whose prior reads the model's own posterior."""

    def build(self, *, event_shape, context_dim=0):
        model = super().build(event_shape=event_shape, context_dim=context_dim)
        model.prior.posterior = model.posterior
        return model


class TiedVAE(FlatVAE, kind="model/test-tied"):
    """One tensor in two modules: the head of q and a layer of the prior."""

    def build(self, *, event_shape, context_dim=0):
        model = super().build(event_shape=event_shape, context_dim=context_dim)
        model.prior.posterior.head.weight = model.posterior.head.weight
        return model


def test_a_shared_module_is_stored_once_and_stays_shared(tmp_path):
    spec = SharedVAE(encoder=SMALL, prior=Mirror())
    model = spec.build(event_shape=(5,))
    save(tmp_path, model, TABLE)
    written = json.loads((tmp_path / "model.json").read_text())["shared"]
    assert written == {
        f"posterior.head.{name}": {"$ref": f"prior.posterior.head.{name}"}
        for name in ("weight", "bias")
    }
    again = load(tmp_path).model
    assert again.prior.posterior is again.posterior
    assert len(list(again.parameters())) == len(list(model.parameters()))
    assert torch.equal(again.posterior.head.weight, model.posterior.head.weight)


def test_a_shared_tensor_is_stored_once_and_stays_one_parameter(tmp_path):
    model = TiedVAE(encoder=SMALL, prior=Mirror()).build(event_shape=(5,))
    save(tmp_path, model, TABLE)
    again = load(tmp_path).model
    tied = again.prior.posterior.head.weight
    assert tied is again.posterior.head.weight
    assert len(list(again.parameters())) == len(list(model.parameters()))
    optimizer = Adam(lr=0.1).build(list(again.parameters()))
    x = torch.randn(8, 5)
    loss = ELBO()(again.evidence(x), batch=None, model=again, progress=Progress.end()).total
    loss.backward()
    optimizer.step()
    assert torch.equal(again.prior.posterior.head.weight, again.posterior.head.weight)
    assert not torch.equal(again.posterior.head.weight, model.posterior.head.weight)


class Grid(Spec, kind="prior/test-grid"):
    """A prior with a buffer that is computed and not stored."""

    def build(self, *, latent_shape, context_dim=0):
        return GridPrior(self, latent_shape)


class GridPrior(MirrorPrior):
    def __init__(self, spec, latent_shape):
        super().__init__(Mirror(), latent_shape)
        self.spec = spec
        self.register_buffer("shift", torch.linspace(0, 1, 6), persistent=False)

    def forward(self, context=None):
        return self.posterior(self.pseudo + self.shift)


def test_buffers_that_are_not_stored_are_computed_again(tmp_path):
    model = FlatVAE(encoder=SMALL, prior=Grid()).build(event_shape=(5,))
    before = torch.random.get_rng_state()
    again = load(save(tmp_path, model, TABLE)).model
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(model.prior().mean, again.prior().mean)


# --- what cannot be saved -----------------------------------------------------------------------


def test_a_module_of_the_users_cannot_be_described(tmp_path):
    model = FlatVAE(encoder=nn.Flatten(), decoder=MLP(hidden=())).build(event_shape=(5,))
    with pytest.raises(ConfigError, match="Flatten was not built from a registered spec"):
        save(tmp_path, model, TABLE)
    assert not list(tmp_path.iterdir())


def test_a_model_that_was_changed_after_building_is_refused(tmp_path):
    model = FlatVAE(encoder=SMALL).build(event_shape=(5,))
    model.encoder = MLP(hidden=(9,)).encoder((5,))
    with pytest.raises(ConfigError, match=r"not what its spec builds.*encoder\.layers\.0\.bias"):
        save(tmp_path, model, TABLE)
    assert not list(tmp_path.iterdir())


def test_a_model_in_double_precision_is_refused(tmp_path):
    model = FlatVAE(encoder=SMALL).build(event_shape=(5,)).double()
    with pytest.raises(ConfigError, match=r"expected float32.*got float64.*model\.float\(\)"):
        save(tmp_path, model, TABLE)


class Anything(Spec, kind="network/test-anything"):
    inner: Annotated[Any, Role("network")] = SMALL

    def encoder(self, event_shape, *, context_dim=0):
        return self.inner.encoder(event_shape, context_dim=context_dim)

    def decoder(self, latent_shape, params_shape, *, context_dim=0):
        return self.inner.decoder(latent_shape, params_shape, context_dim=context_dim)


def test_specs_within_specs_come_back(tmp_path):
    spec = FlatVAE(encoder=Anything(inner=MLP(hidden=(4, 3))))
    assert_comes_back(tmp_path, spec.build(event_shape=(5,)), TABLE)


def test_a_codec_of_another_shape_is_refused(tmp_path):
    save(tmp_path, FlatVAE(encoder=SMALL).build(event_shape=(6,)), TABLE)
    with pytest.raises(ArtifactError, match=r"do not belong together.*\(6,\).*got \(5,\)"):
        load(tmp_path)
