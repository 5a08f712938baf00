"""Stacked models are the same models, computed together."""

import pytest
import torch

from vaekit.data import Batch
from vaekit.distributions import drawing_from
from vaekit.errors import ConfigError
from vaekit.likelihoods import Gaussian
from vaekit.models import FlatVAE, ModelStack
from vaekit.networks import MLP
from vaekit.objectives import ELBO, Stacked

SIZE = 3


def models(hidden=(8,), latent_dim=2):
    torch.manual_seed(0)
    spec = FlatVAE(
        latent_dim=latent_dim,
        encoder=MLP(hidden=hidden, activation="silu"),
        likelihood=Gaussian(scale="per-column"),
    )
    return [spec.build(event_shape=(4,)).train() for _ in range(SIZE)]


def of_one(noise):
    """Draws of one model where all models' noise is given, shape ``(S, K, B, k)``."""
    return lambda sampler, size, row, like: noise


def test_losses_and_gradients_are_those_of_each_alone():
    each = models()
    stack = ModelStack(each)
    x, noise = torch.randn(5, SIZE, 4), torch.randn(SIZE, 2, 5, 2)
    with drawing_from(lambda sampler, size, row, like: noise):
        loss = Stacked(ELBO(beta=0.5, samples=2))(stack.evidence(x, samples=2))
    loss.total.backward()
    gradients = {stack.names[n]: p.grad for n, p in stack.named_parameters()}
    total = 0.0
    for place, model in enumerate(each):
        with drawing_from(of_one(noise[place])):
            alone = ELBO(beta=0.5, samples=2)(model.evidence(x[:, place], samples=2))
        alone.total.backward()
        total += float(alone.total.detach())
        for name, parameter in model.named_parameters():
            expected = parameter.grad
            assert torch.allclose(gradients[name][place], expected, atol=1e-5), name
    assert float(loss.total.detach()) == pytest.approx(total, rel=1e-5)
    assert float(loss.terms["loss"]) == pytest.approx(total / SIZE, rel=1e-5)


def test_each_has_noise_of_its_own():
    one = models()[0]
    stack = ModelStack([one] * SIZE)
    x = torch.randn(5, 1, 4).expand(5, SIZE, 4)
    torch.manual_seed(0)
    elbos = stack.evidence(x).each(lambda evidence, model: evidence.elbo)
    assert len(elbos[:, 0, 0].unique()) == SIZE


def test_weights_come_back():
    each = models()
    stack = ModelStack(each)
    with torch.no_grad():
        for parameter in stack.parameters():
            parameter.add_(torch.arange(SIZE).reshape(SIZE, *[1] * (parameter.dim() - 1)))
    for place, model in enumerate(each):
        state = stack.unstacked(place)
        assert state.keys() == model.state_dict().keys()
        for name, parameter in model.named_parameters():
            assert torch.allclose(state[name], parameter + place)
        model.load_state_dict(state)


def test_a_batch_has_a_row_for_each_model():
    stack = ModelStack(models())
    with pytest.raises(ConfigError, match="read x alone"):
        stack.evidence(torch.zeros(5, SIZE, 4), torch.zeros(5, 1))
    batch = Batch(torch.zeros(5, SIZE, 4))
    assert len(batch) == 5


def test_other_structures_are_refused():
    with pytest.raises(ConfigError, match="one structure"):
        ModelStack([models()[0], models(hidden=(9,))[0]])
    with pytest.raises(ConfigError, match="one structure"):
        ModelStack([])


def test_modes_reach_the_models():
    stack = ModelStack(models())
    assert stack.eval().model[0].training is False
    assert stack.train().model[0].training is True
