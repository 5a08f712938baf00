"""The flat VAE: any parts, typed errors, gradients everywhere, no dependence on batch mates."""

import math

import pytest
import torch
from torch import nn

from vaekit.distributions import shared_noise
from vaekit.errors import ConfigError, ShapeError
from vaekit.latents import ConditionalNormal, Diagonal, Full, Point, Standard
from vaekit.likelihoods import (
    Bernoulli,
    Categorical,
    ContinuousBernoulli,
    DiscretisedLogistic,
    Gaussian,
    Laplace,
)
from vaekit.models import FlatVAE, VAEModel
from vaekit.networks import MLP

SHAPE = (1, 4, 3)
LIKELIHOODS = [
    Bernoulli(),
    Categorical(categories=2),
    ContinuousBernoulli(),
    DiscretisedLogistic(levels=2),
    DiscretisedLogistic(levels=2, scale="per-element"),
    Gaussian(),
    Gaussian(scale="shared"),
    Gaussian(scale="per-element"),
    Gaussian(scale=0.5),
    Laplace(),
    Laplace(scale=0.5),
]


def name(spec):
    return f"{spec.kind.partition('/')[2]}-{getattr(spec, 'scale', '')}"


every_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=name)


def model(context_dim=0, **parts):
    spec = FlatVAE(encoder=MLP(hidden=(16,), activation="silu"), **parts)
    return spec.build(event_shape=SHAPE, context_dim=context_dim)


def binary(rows=6):
    return torch.randint(2, (rows, *SHAPE)).to(torch.get_default_dtype())


# --- combinations ------------------------------------------------------------------------------


@every_likelihood
@pytest.mark.parametrize("posterior", [Diagonal(), Full(), Point()], ids=lambda s: s.kind)
def test_every_parameter_gets_a_gradient(posterior, likelihood):
    vae = model(posterior=posterior, likelihood=likelihood, latent_dim=3)
    e = vae.evidence(binary(), samples=2)
    assert e.log_px_elements.shape == (2, 6, *SHAPE)
    assert e.elbo.shape == (2, 6)
    e.elbo.mean().backward()
    for key, parameter in vae.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
        assert parameter.grad.abs().sum() > 0, key


@pytest.mark.parametrize("likelihood", [Bernoulli(), Gaussian()], ids=name)
def test_every_parameter_gets_a_gradient_with_a_context(likelihood):
    vae = model(context_dim=2, prior=ConditionalNormal(), likelihood=likelihood)
    vae.evidence(binary(), torch.randn(6, 2)).elbo.mean().backward()
    assert all(p.grad.abs().sum() > 0 for p in vae.parameters())


@pytest.mark.parametrize("samples", [1, 3])
@every_likelihood
def test_samples_and_reconstructions_have_the_shape_of_x(likelihood, samples):
    vae = model(likelihood=likelihood).eval()
    x = binary()
    assert vae.reconstruct(x).shape == x.shape
    px = vae.sample(5)
    assert px.mean.shape == px.sample().shape == (5, *SHAPE)
    e = vae.evidence(x, samples=samples)
    torch.testing.assert_close(e.log_px, e.px.log_prob(x))
    torch.testing.assert_close(e.elbo, e.log_px - e.nodes[0].kl)


@pytest.mark.parametrize(
    ("likelihood", "training"),
    [*((likelihood, True) for likelihood in LIKELIHOODS), (Gaussian(), False)],
)
def test_compiles_without_graph_breaks(likelihood, training):
    torch.compiler.reset()
    vae, x = model(likelihood=likelihood).train(training), binary()

    def bounds(x):
        e = vae.evidence(x, samples=2)
        return e.elbo, e.log_weight, e.nodes[0].log_q_stopped

    compiled = torch.compile(bounds, fullgraph=True, backend="eager")
    torch.manual_seed(3)
    got = compiled(x)
    torch.manual_seed(3)
    torch.testing.assert_close(got, bounds(x))


@pytest.mark.parametrize("posterior", [Full(), Point()], ids=lambda s: s.kind)
def test_other_posteriors_compile_without_graph_breaks(posterior):
    torch.compiler.reset()
    vae, x = model(posterior=posterior, latent_dim=3), binary()
    compiled = torch.compile(
        lambda x: vae.evidence(x, samples=2).elbo, fullgraph=True, backend="eager"
    )
    assert compiled(x).isfinite().all()


@every_likelihood
def test_autocast_computes_densities_in_single_precision(likelihood):
    vae, x = model(likelihood=likelihood).eval(), binary()
    with shared_noise(0):
        wanted = vae.evidence(x).elbo
    with shared_noise(0), torch.autocast("cpu", dtype=torch.bfloat16):
        got = vae.evidence(x).elbo
    assert got.dtype == torch.float32
    assert not torch.equal(got, wanted)
    torch.testing.assert_close(got, wanted, rtol=0.03, atol=0.1)


# --- modules of the user's ---------------------------------------------------------------------


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(12, 7), nn.Tanh())

    def forward(self, x):
        return self.net(x)


class Decoder(nn.Module):
    def __init__(self, size=12):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, size), nn.Unflatten(1, (size // 12, 4, 3)))

    def forward(self, z):
        return self.net(z)


def test_plain_modules_stand_in_for_networks():
    spec = FlatVAE(encoder=Encoder(), decoder=Decoder(), likelihood=Bernoulli())
    vae = spec.build(event_shape=SHAPE)
    assert vae.posterior.head.in_features == 7
    vae.evidence(binary(), samples=2).elbo.mean().backward()
    assert all(p.grad.abs().sum() > 0 for p in vae.parameters())


def test_an_encoder_of_ones_own_needs_a_decoder():
    with pytest.raises(ConfigError, match=r"model/vae\.decoder: a decoder is needed"):
        FlatVAE(encoder=Encoder()).build(event_shape=SHAPE)


def test_a_decoder_of_the_wrong_size_is_refused():
    vae = model(likelihood=Bernoulli())
    vae.decoder = Decoder(24)
    expected = r"the decoder's output does not fit .*shape \(n, 1, 4, 3\), got \(6, 2, 4, 3\)"
    with pytest.raises(ShapeError, match=expected):
        vae.evidence(binary())


@pytest.mark.parametrize("which", ["encoder", "decoder"])
def test_networks_that_take_no_context_are_refused(which):
    own = Encoder() if which == "encoder" else Decoder()
    parts = {"encoder": MLP(), "decoder": MLP(), which: own}
    with pytest.raises(
        ConfigError, match=rf"has a context but {which.title()}.forward takes none"
    ):
        FlatVAE(**parts).build(event_shape=SHAPE, context_dim=2)


@pytest.mark.parametrize("which", ["encoder", "decoder"])
def test_a_hand_made_model_is_checked_for_its_context_too(which):
    good = model(context_dim=2)
    parts = {"encoder": good.encoder, "decoder": good.decoder, which: nn.Identity()}
    with pytest.raises(ConfigError, match=r"but Identity\.forward takes none; expected forward\("):
        VAEModel(
            parts["encoder"],
            parts["decoder"],
            good.prior,
            good.posterior,
            good.likelihood,
            context_dim=2,
        )


# --- wrong input -------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["encode", "evidence", "reconstruct"])
def test_x_of_the_wrong_shape(call):
    expected = r"x does not fit the model; expected shape \(n, 1, 4, 3\), got \(6, 12\)"
    with pytest.raises(ShapeError, match=expected):
        getattr(model(), call)(torch.zeros(6, 12))


def test_z_of_the_wrong_shape():
    with pytest.raises(
        ShapeError, match=r"z does not fit .*expected shape \(n, 2\), got \(6, 3\)"
    ):
        model().decode(torch.zeros(6, 3))
    with pytest.raises(ShapeError, match=r"z does not fit .*expected shape \(n, 2\)"):
        model().evidence(binary(), given=[torch.zeros(1, 6, 3)])


def test_a_target_of_the_wrong_shape_is_not_broadcast():
    with pytest.raises(ShapeError, match=r"the target does not fit .*got \(6, 1, 4, 1\)"):
        model().evidence(binary(), target=torch.zeros(6, 1, 4, 1))


@pytest.mark.parametrize(
    ("context_dim", "c", "message"),
    [
        (2, None, "context does not fit the model; expected 2 numbers per example, got none"),
        (2, torch.zeros(6, 3), "expected 2 numbers per example, got 3 numbers"),
        (0, torch.zeros(6, 3), "context does not fit the model; expected none, got 3 numbers"),
        (2, torch.zeros(5, 2), "one context for each row of x; expected 6, got 5"),
    ],
)
def test_a_missing_or_wrong_context(context_dim, c, message):
    with pytest.raises(ShapeError, match=message):
        model(context_dim=context_dim).evidence(binary(), c)


def test_one_context_for_each_sample():
    vae = model(context_dim=2)
    assert vae.sample(6, torch.zeros(6, 2)).mean.shape == (6, *SHAPE)
    with pytest.raises(ShapeError, match="one context for each sample; expected 6, got 1"):
        vae.sample(6, torch.zeros(1, 2))


# --- what evidence scores ----------------------------------------------------------------------


def test_observed_removes_elements_from_the_score():
    vae, x = model(likelihood=Bernoulli()), binary()
    observed = torch.rand(6, *SHAPE) < 0.5
    with shared_noise(0):
        full = vae.evidence(x).log_px_elements
    with shared_noise(0):
        part = vae.evidence(x, observed=observed).log_px_elements
    torch.testing.assert_close(part, full * observed)
    assert (part[0][~observed] == 0).all()
    corrupted = torch.where(observed, x, torch.full_like(x, math.nan))
    e = vae.evidence(torch.nan_to_num(corrupted), target=corrupted, observed=observed)
    assert e.elbo.isfinite().all()


def test_what_is_not_observed_has_no_gradient_whatever_its_value():
    vae, observed = model(likelihood=Gaussian(scale="shared")), torch.rand(6, *SHAPE) < 0.5
    x, gradients = torch.randn(6, *SHAPE), []
    for unseen in (0.0, math.nan):
        target = torch.where(observed, x, torch.full_like(x, unseen))
        with shared_noise(0):
            evidence = vae.evidence(x, target=target, observed=observed)
        loss = -evidence.elbo.mean()
        gradients.append(torch.autograd.grad(loss, list(vae.parameters())))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_an_optimal_scale_cannot_leave_elements_out_in_training():
    """It would be fitted to what was not observed."""
    vae, x = model(likelihood=Gaussian(scale="optimal")), torch.randn(6, *SHAPE)
    observed = torch.ones(SHAPE, dtype=torch.bool)
    with pytest.raises(ConfigError, match=r"cannot leave elements out.*scale=shared"):
        vae.train().evidence(x, observed=observed)
    assert vae.eval().evidence(x, observed=observed).elbo.isfinite().all()


def test_observed_of_one_column_broadcasts():
    vae, x = model(likelihood=Bernoulli()), binary()
    observed = torch.ones(SHAPE, dtype=torch.bool)
    observed[..., 0] = False
    assert (vae.evidence(x, observed=observed).log_px_elements[..., 0] == 0).all()


def test_target_is_scored_in_place_of_x():
    vae = model(likelihood=Bernoulli())
    x, target = binary(), binary()
    e = vae.evidence(x, target=target)
    torch.testing.assert_close(e.log_px, e.px.log_prob(target))
    assert not torch.equal(e.log_px, e.px.log_prob(x))
    torch.testing.assert_close(e.nodes[0].q.mean, vae.encode(x).mean)


def test_the_optimal_scale_fits_the_target():
    vae, target = model(likelihood=Gaussian()).train(), binary()
    e = vae.evidence(binary(), target=target)
    rmse = (e.px.mean - target).square().mean().sqrt()
    torch.testing.assert_close(e.px.scale, rmse)


def test_given_codes_are_used():
    vae, x = model(likelihood=Bernoulli()), binary()
    z = torch.randn(5, 6, 2)
    e = vae.evidence(x, given=[z])
    assert e.nodes[0].z is z
    torch.testing.assert_close(e.log_px[3], vae.decode(z[3]).log_prob(x))
    assert e.log_weight.shape == (5, 6)


# --- batch mates -------------------------------------------------------------------------------


@every_likelihood
@pytest.mark.parametrize("posterior", [Diagonal(), Full()], ids=lambda s: s.kind)
def test_scores_do_not_depend_on_batch_mates(likelihood, posterior):
    vae = model(likelihood=likelihood, posterior=posterior).double().eval()
    x = binary(32).double()

    def scores(rows):
        with shared_noise(5):
            e = vae.evidence(rows, samples=7)
        return torch.stack([e.log_weight, e.elbo, e.log_px])

    together = scores(x)
    for i in (0, 13, 31):
        torch.testing.assert_close(
            scores(x[i : i + 1])[..., 0], together[..., i], rtol=0, atol=1e-12
        )
    order = torch.randperm(32)
    torch.testing.assert_close(scores(x[order]), together[..., order], rtol=0, atol=1e-12)
    assert together[0].std(0).min() > 0


def test_samples_from_the_prior_differ_even_under_shared_noise():
    vae = model()
    with shared_noise(0):
        z = vae.sample_codes(6)
    assert z.unique(dim=0).shape == (6, 2)


def test_temperature_scales_the_spread_of_prior_samples():
    vae = model(context_dim=2, prior=ConditionalNormal())
    with torch.no_grad():
        vae.prior.net[-1].bias += 1.0
    c = torch.zeros(50_000, 2)
    hot, cold = vae.sample_codes(50_000, c), vae.sample_codes(50_000, c, temperature=0.5)
    torch.testing.assert_close(cold.mean(0), hot.mean(0), rtol=0, atol=0.1)
    torch.testing.assert_close(cold.std(0), 0.5 * hot.std(0), rtol=0.03, atol=0)


# --- context -----------------------------------------------------------------------------------


@pytest.mark.parametrize("prior", [Standard(), ConditionalNormal(hidden=(4,))])
def test_permuting_x_and_c_together_permutes_the_scores(prior):
    vae = model(context_dim=2, prior=prior, likelihood=Bernoulli()).double()
    with torch.no_grad():
        for parameter in vae.prior.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    x, c, order = binary(8).double(), torch.randn(8, 2).double(), torch.randperm(8)

    def scores(x, c):
        with shared_noise(0):
            return vae.evidence(x, c, samples=3).log_weight

    torch.testing.assert_close(scores(x[order], c[order]), scores(x, c)[:, order])
    assert (scores(x[order], c) - scores(x, c)[:, order]).abs().max() > 1e-3


def test_a_model_that_gives_the_context_no_weight_is_unconditional():
    conditional = model(context_dim=2, likelihood=Bernoulli()).double()
    plain = model(likelihood=Bernoulli()).double()
    state = conditional.state_dict()
    for key, size in (("encoder.layers.0.weight", 12), ("decoder.layers.0.weight", 2)):
        state[key][:, size:] = 0
        state[key] = state[key][:, :size]
    plain.load_state_dict(state)
    x = binary().double()
    with shared_noise(0):
        wanted = plain.evidence(x, samples=3).log_weight
    for c in (torch.zeros(6, 2).double(), torch.randn(6, 2).double()):
        with shared_noise(0):
            got = conditional.evidence(x, c, samples=3).log_weight
        torch.testing.assert_close(got, wanted, rtol=1e-13, atol=1e-13)


# --- an exact answer ---------------------------------------------------------------------------


def test_a_conjugate_model_made_of_plain_modules_knows_log_p():
    """z ~ N(0, 1), x|z ~ N(z, 1): with q(z|x) = N(x/2, 1/2) every weight is p(x) = N(x; 0, 2)."""
    posterior = Diagonal().build(features=1, latent_shape=(1,)).double()
    with torch.no_grad():
        posterior.head.weight.copy_(torch.tensor([[0.5], [0.0]]))
        raw = 10 * math.atanh(0.5 * math.log(0.5) / 10)
        posterior.head.bias.copy_(torch.tensor([0.0, raw], dtype=torch.float64))
    vae = VAEModel(
        nn.Identity(),
        nn.Identity(),
        Standard().build(latent_shape=(1,)).double(),
        posterior,
        Gaussian(scale=1.0).build(event_shape=(1,)),
    )
    x = torch.linspace(-3, 3, 7, dtype=torch.float64)[:, None]
    wanted = -0.25 * x[:, 0].square() - 0.5 * math.log(4 * math.pi)
    log_weight = vae.evidence(x, samples=20).log_weight
    torch.testing.assert_close(log_weight, wanted.expand(20, 7), rtol=1e-12, atol=1e-12)
    e = vae.evidence(x, samples=20_000)
    error = e.elbo.std(0) / 20_000**0.5
    assert ((e.elbo.mean(0) - wanted).abs() <= 4 * error).all()
