"""The VampPrior: what it equals, what it shares, and where its pseudo-inputs stay."""

import copy
import math

import pytest
import torch
from torch.distributions import Independent, kl_divergence
from torch.distributions import Normal as TorchNormal
from torch.func import functional_call

from vaekit.artifacts import load, save
from vaekit.data import ArrayCodec, DataCodec
from vaekit.distributions import Normal
from vaekit.errors import ConfigError, ShapeError
from vaekit.latents import Diagonal, Full, Point, Vamp
from vaekit.metrics import score
from vaekit.models import FlatVAE, initialise
from vaekit.networks import MLP
from vaekit.objectives import ELBO
from vaekit.spec import Ref, from_json, to_json


def build(components=4, context_dim=0, seed=0, weighted=False, **parts):
    torch.manual_seed(seed)
    prior = Vamp(components=components, weighted=weighted)
    spec = FlatVAE(latent_dim=2, encoder=MLP(hidden=(8,)), prior=prior, **parts)
    return spec.build(event_shape=(5,), context_dim=context_dim)


def started(n=20, **options):
    model = build(**options).double()
    x = torch.rand(n, 5, dtype=torch.float64)
    initialise(model, x)
    return model, x


# --- what it equals ------------------------------------------------------------------------------


def test_one_pseudo_input_gives_the_kl_of_two_normals():
    model, x = started(components=1)
    q, at_u = model.encode(x), model.encode(model.prior.pseudo_inputs())
    normal = Independent(TorchNormal(q.loc, q.scale), 1)
    wanted = kl_divergence(normal, Independent(TorchNormal(at_u.loc, at_u.scale), 1))
    torch.testing.assert_close(model.evidence(x).rate[0], wanted, rtol=0, atol=1e-9)


@pytest.mark.parametrize("posterior", [Diagonal(), Full()])
def test_with_all_rows_it_is_the_aggregate_posterior(posterior):
    model, x = started(n=12, components=12, posterior=posterior)
    z = torch.randn(7, 2, dtype=torch.float64)
    q = model.encode(x)
    wanted = q.log_prob(z.unsqueeze(1)).logsumexp(1) - math.log(12)
    torch.testing.assert_close(model.prior().log_prob(z), wanted, rtol=1e-9, atol=1e-9)


def test_the_rate_under_the_aggregate_posterior_is_mutual_information():
    """Without a marginal gap, 0 ≤ KL ≤ log N; with well separated codes it is log N."""
    model, x = started(n=6, components=6)
    with torch.no_grad():
        model.posterior.head.weight[:2] *= 1e3
        model.posterior.head.bias[2:] = -3.0
    rate = score(model, x, samples=50, first_row=0).rate
    assert rate.mean().item() == pytest.approx(math.log(6), abs=0.05)


# --- what it shares ------------------------------------------------------------------------------


def test_nothing_is_registered_twice():
    model = build()
    own = {name for name, _ in model.prior.named_parameters()}
    assert own == {"inputs"}
    assert {name for name in model.state_dict() if name.startswith("prior.")} == {
        "prior.inputs",
        "prior.low",
        "prior.high",
        "prior.initialised",
    }


def test_the_encoder_learns_through_the_prior():
    model, _ = started()
    z = torch.randn(3, 2, dtype=torch.float64)
    model.prior().log_prob(z).sum().backward()
    for name in ("encoder.layers.0.weight", "posterior.head.weight", "prior.inputs"):
        assert model.get_parameter(name).grad.abs().sum() > 0, name


def test_a_copy_shares_with_itself():
    model, _ = started()
    other = copy.deepcopy(model)
    assert other.prior._shared[0] is other.encoder
    assert other.prior._shared[1] is other.posterior
    before = model.prior().mean
    with torch.no_grad():
        other.posterior.head.bias += 1
    torch.testing.assert_close(model.prior().mean, before)
    torch.testing.assert_close(other.prior().mean[:2], before[:2] + 1, rtol=1e-2, atol=1e-2)


def test_replaced_tensors_reach_the_prior():
    model, _ = started()
    state = {name: value.detach().clone() for name, value in model.named_parameters()}
    state["posterior.head.bias"][:2] += 3.0

    class Mean(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self):
            return self.model.prior().mean

    moved = functional_call(Mean(), {f"model.{name}": value for name, value in state.items()})
    torch.testing.assert_close(moved, model.prior().mean + 3.0)


def test_it_follows_a_change_of_type():
    model = build()
    assert model.prior().log_prob(torch.zeros(2)).dtype == torch.float32
    assert model.double().prior().log_prob(torch.zeros(2).double()).dtype == torch.float64


def test_model_json_says_what_is_shared(tmp_path):
    model = build(weighted=True)
    initialise(model, torch.rand(20, 5))
    written = to_json(model)["prior"]
    assert written["encoder"] == {"$ref": "encoder"}
    assert written["posterior"] == {"$ref": "posterior"}
    codec = DataCodec(x=ArrayCodec(shape=(5,), columns=("a", "b", "c", "d", "e")))
    save(tmp_path / "vamp", model, codec)
    again = load(tmp_path / "vamp").model
    assert again.prior._shared[0] is again.encoder
    assert bool(again.prior.initialised)
    z = torch.randn(7, 2)
    assert torch.equal(again.prior().log_prob(z), model.prior().log_prob(z))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("encodr", "no part 'encodr' to refer to. Did you mean 'encoder'"),
        ("prior", "no part 'prior' to refer to"),
    ],
)
def test_a_reference_to_nothing_is_refused(name, message):
    written = to_json(FlatVAE(prior=Vamp()))
    written["prior"]["encoder"] = {"$ref": name}
    with pytest.raises(ConfigError, match=message):
        from_json(written).build(event_shape=(5,))


@pytest.mark.parametrize(
    ("references", "message"),
    [
        ({"posterior": Ref("encoder")}, r"prior/vamp.posterior: not a posterior"),
        ({"encoder": Ref("decoder")}, r"the network fails on x"),
        ({"encoder": Ref("likelihood")}, r"must return features"),
    ],
)
def test_a_reference_to_another_kind_of_part_is_refused(references, message):
    with pytest.raises((ConfigError, ShapeError), match=message):
        FlatVAE(prior=Vamp(**references)).build(event_shape=(5,))


# --- pseudo-inputs -------------------------------------------------------------------------------


def test_they_start_as_rows_once():
    model, x = started(n=20, components=4)
    torch.testing.assert_close(model.prior.pseudo_inputs(), x[::5], rtol=0, atol=0)
    initialise(model, torch.zeros_like(x))
    torch.testing.assert_close(model.prior.pseudo_inputs(), x[::5], rtol=0, atol=0)


def test_more_than_there_are_rows_are_all_different():
    model, x = started(n=5, components=13)
    inputs = model.prior.pseudo_inputs()
    torch.testing.assert_close(inputs[:5], x)
    assert len(inputs.unique(dim=0)) == 13


def test_they_stay_within_the_range_and_can_come_back():
    model, x = started()
    with torch.no_grad():
        model.prior.inputs += 10
    inputs = model.prior.pseudo_inputs()
    torch.testing.assert_close(inputs, x.amax(0).expand(4, 5))
    inputs.sum().backward()
    assert (model.prior.inputs.grad == 1).all()


def test_contexts_come_with_their_rows():
    model = build(context_dim=3)
    x, c = torch.rand(20, 5), torch.eye(3)[torch.arange(20) % 3]
    initialise(model, x, c)
    torch.testing.assert_close(model.prior.contexts, c[::5])
    q = model.encode(x[::5], c[::5])
    torch.testing.assert_close(model.prior(c).mean, q.mean.mean(0))
    assert model.sample(20, c).mean.shape == (20, 5)


# --- in a model ----------------------------------------------------------------------------------


def test_learned_weights():
    model, x = started(weighted=True)
    ELBO()(model.evidence(x)).total.backward()
    assert model.prior.logits.grad.abs().sum() > 0
    with torch.no_grad():
        model.prior.logits.copy_(torch.tensor([50.0, 0, 0, 0]))
    q = model.encode(model.prior.pseudo_inputs())
    z = torch.randn(7, 2, dtype=torch.float64)
    torch.testing.assert_close(model.prior().log_prob(z), Normal(q.loc[0], q.scale[0]).log_prob(z))


def test_a_score_does_not_depend_on_its_batch_mates():
    model, x = started()
    together = score(model, x, samples=20)
    alone = score(model, x[3:4], samples=20)
    torch.testing.assert_close(together.elbo[3:4], alone.elbo, rtol=1e-12, atol=1e-12)
    assert (together.log_marginal.mean() >= together.elbo.mean()).all()


def test_an_autoencoder_has_no_mixture_of_posteriors():
    with pytest.raises(ConfigError, match=r"prior/vamp: .*needs a posterior with a density"):
        build(posterior=Point())
