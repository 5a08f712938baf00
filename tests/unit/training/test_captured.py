"""A recorded step computes what the plain step computes, or is refused."""

import pytest
import torch
from torch import nn

from vaekit.data import Batch
from vaekit.errors import ConfigError
from vaekit.latents import IAF, VMF, FlowOfNormal, Full, MixtureOfNormals, UniformOnSphere, Vamp
from vaekit.likelihoods import Bernoulli, Gaussian
from vaekit.models import FlatVAE
from vaekit.networks import MLP, Conv, GaussianNoise, SaltAndPepper
from vaekit.objectives import ELBO, Autoencoding, ImportanceWeighted, Linear, Loss, Progress
from vaekit.training import Adam
from vaekit.training.captured import CapturedStep
from vaekit.training.players import flat_player, train_step


@pytest.fixture(autouse=True)
def eager(monkeypatch):
    """The recording alone, without the compiler behind it."""
    monkeypatch.setattr("vaekit.training.captured.compiled", lambda graph, inputs: graph)


class BatchNormEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU())

    def forward(self, x):
        return self.layers(x)


class Dropping(nn.Module):
    def forward(self, x):
        return nn.functional.dropout(x, 0.5, self.training)


def build(seed=0, shape=(6,), context_dim=0, **parts):
    torch.manual_seed(seed)
    parts = {"encoder": MLP(hidden=(8,)), **parts}
    return FlatVAE(latent_dim=2, **parts).build(event_shape=shape, context_dim=context_dim)


def rows(shape=(6,), context_dim=0, n=5, seed=3):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(n, *shape, generator=generator)
    c = torch.rand(n, context_dim, generator=generator) if context_dim else None
    return Batch(x, None, c)


def capture(model, loss, batch, samples=1):
    player = flat_player("model", model.parameters(), Adam(lr=1e-2), loss)
    import contextlib

    step = CapturedStep(model, player, batch, samples=samples, arithmetic=contextlib.nullcontext)
    return player, step


CASES = {
    "elbo": ({}, ELBO(), (6,), 0),
    "bernoulli, schedule": ({"likelihood": Bernoulli()}, ELBO(beta=Linear()), (6,), 0),
    "optimal sigma": ({"likelihood": Gaussian(scale="optimal")}, ELBO(samples=3), (6,), 0),
    "full posterior, free bits": ({"posterior": Full()}, ELBO(free_bits=0.2), (6,), 0),
    "a flow": ({"posterior": IAF(steps=2, hidden=(4,))}, ELBO(samples=2), (6,), 0),
    "a sphere": ({"posterior": VMF(), "prior": UniformOnSphere()}, ELBO(samples=2), (6,), 0),
    "sticking the landing, capacity": (
        {},
        ELBO(gradient="stl", capacity=Linear(end=3.0)),
        (6,),
        0,
    ),
    "importance weights": ({}, ImportanceWeighted(samples=3), (6,), 0),
    "doubly reparametrised": ({}, ImportanceWeighted(samples=3, gradient="dreg"), (6,), 0),
    "context": ({}, ELBO(), (6,), 2),
    "flow prior": ({"prior": FlowOfNormal(transforms=2, hidden=(8,))}, ELBO(), (6,), 2),
    "mixture prior": ({"prior": MixtureOfNormals(components=3)}, ELBO(), (6,), 0),
    "prior that shares the encoder": ({"prior": Vamp(components=3)}, ELBO(), (6,), 2),
    "contraction": ({}, Autoencoding(contraction=0.1), (6,), 0),
    "code, decay, smoothness": ({}, Autoencoding(code=0.1, decay=0.1, smoothness=0.1), (6,), 2),
    "corruptions": ({"corruption": SaltAndPepper()}, ELBO(), (6,), 2),
    "noise on images": (
        {"encoder": Conv(channels=(4, 4)), "corruption": GaussianNoise()},
        ELBO(),
        (1, 8, 8),
        0,
    ),
    "images": ({"encoder": Conv(channels=(4, 4))}, ELBO(), (1, 8, 8), 0),
}


@pytest.mark.parametrize("case", CASES)
def test_it_makes_the_gradients_and_steps_of_the_plain_step(case):
    parts, loss, shape, context_dim = CASES[case]
    samples = getattr(loss, "samples", 1)
    batch = rows(shape, context_dim)
    model = build(shape=shape, context_dim=context_dim, **parts).train()
    plain = build(shape=shape, context_dim=context_dim, **parts).train()
    player, step = capture(model, loss, batch, samples)
    other = flat_player("model", plain.parameters(), Adam(lr=1e-2), loss)
    for number in range(4):
        batch, progress = rows(shape, context_dim, seed=number), Progress(number, 4)
        torch.manual_seed(number)
        found = step(batch, progress)
        player.step()
        torch.manual_seed(number)
        expected = train_step(plain, [[other]], batch, progress=progress, samples=samples)["model"]
        assert list(found.terms) == list(expected.terms)
        for name, value in expected.terms.items():
            torch.testing.assert_close(found.terms[name], value, rtol=1e-5, atol=1e-6, msg=name)
        torch.testing.assert_close(player.flat.weight, other.flat.weight, rtol=1e-4, atol=1e-6)


def test_running_statistics_move_as_they_would():
    parts = {"encoder": BatchNormEncoder(), "decoder": nn.Linear(2, 6)}
    model = build(**parts, likelihood=Gaussian(scale=1.0)).train()
    _, step = capture(model, ELBO(), rows())
    norm = model.encoder.layers[1]
    assert int(norm.num_batches_tracked) == 0
    assert norm.running_mean.abs().sum() == 0
    step(rows(), Progress(0, 2))
    with torch.no_grad():
        h = model.encoder.layers[0](rows().x)
    assert int(norm.num_batches_tracked) == 1
    torch.testing.assert_close(norm.running_mean, 0.1 * h.mean(0))


def test_it_can_be_bound_to_a_copy():
    model, copy = build(seed=0).train(), build(seed=1).train()
    player, step = capture(model, ELBO(), rows())
    other = flat_player("model", copy.parameters(), Adam(), ELBO())
    step.bind(copy, other)
    step(rows(), Progress(0, 2))
    assert player.flat.weight.grad is None
    assert other.flat.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("kind", ["expanded", "columns first"])
def test_batches_come_in_the_strides_of_the_recording(kind, monkeypatch):
    seen = []

    def noting(graph, inputs):
        def function(*values):
            seen.append([value.stride() for value in values])
            return graph(*values)

        return function

    monkeypatch.setattr("vaekit.training.captured.compiled", noting)
    first = torch.rand(1, 6).expand(5, 6) if kind == "expanded" else torch.rand(6, 5).t()
    model, plain = build().train(), build().train()
    player, step = capture(model, ELBO(), Batch(first))
    other = flat_player("model", plain.parameters(), Adam(lr=1e-2), ELBO())
    for number, batch in enumerate((Batch(first), rows(), rows(seed=4))):
        torch.manual_seed(number)
        step(batch, Progress(number, 4))
        player.step()
        torch.manual_seed(number)
        train_step(plain, [[other]], batch, progress=Progress(number, 4))
        torch.testing.assert_close(player.flat.weight, other.flat.weight, rtol=1e-4, atol=1e-6)
    assert len(seen) == 3
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.parametrize("x", [torch.rand(5, 6).double(), torch.rand(4, 6)])
def test_a_batch_of_another_type_or_shape_is_refused(x):
    _, step = capture(build().train(), ELBO(), rows())
    with pytest.raises(ConfigError, match=r"recorded with; expected torch.float32 of shape"):
        step(Batch(x), Progress(0, 2))


def test_a_loss_that_reads_the_step_is_refused():
    def loss(evidence, *, progress, **_):
        return Loss(-evidence.elbo.mean() * progress.step)

    with pytest.raises(ConfigError, match=r"reads progress\.step"):
        capture(build().train(), loss, rows())


def test_a_loss_that_computes_with_the_fraction_is_refused():
    def loss(evidence, *, progress, **_):
        return Loss(-evidence.elbo.mean() * progress.fraction)

    with pytest.raises(TypeError):
        capture(build().train(), loss, rows())


def test_a_model_that_draws_by_itself_is_refused():
    encoder = nn.Sequential(nn.Linear(6, 8), Dropping())
    model = build(encoder=encoder, decoder=nn.Linear(2, 6), likelihood=Gaussian(scale=1.0))
    with pytest.raises(ConfigError, match="draws random numbers by itself"):
        capture(model.train(), ELBO(), rows())


def test_a_model_that_looks_at_values_is_refused():
    class Looking(nn.Module):
        def forward(self, x):
            return x if x.sum().item() > 0 else -x

    encoder = nn.Sequential(Looking(), nn.Linear(6, 8))
    model = build(encoder=encoder, decoder=nn.Linear(2, 6), likelihood=Gaussian(scale=1.0))
    with pytest.raises(RuntimeError):
        capture(model.train(), ELBO(), rows())
