"""What the loop measures with noise: no single draw decides for all rows."""

import numpy as np
import pytest
import torch

from vaekit.data import Batch, RawData, prepare
from vaekit.latents import Point
from vaekit.likelihoods import Gaussian
from vaekit.models import FlatVAE
from vaekit.networks import MLP
from vaekit.objectives import ELBO
from vaekit.training.freeze import freeze_scale
from vaekit.training.validation import held_out_terms


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    spec = FlatVAE(encoder=MLP(hidden=()), likelihood=Gaussian(scale="optimal"))
    return spec.build(event_shape=(3,))


@pytest.fixture(scope="module")
def data():
    x = np.random.default_rng(0).normal(size=(4_000, 3))
    return prepare(RawData(x), scaling="none")[1]["train"]


def test_the_noise_of_the_frozen_scale_averages_out_over_rows(model, data):
    found = [freeze_scale(model, data, seed=seed) for seed in range(6)]
    assert np.std(found) < 0.02 * np.mean(found)


def test_the_frozen_scale_does_not_depend_on_the_batches(model, data):
    found = [freeze_scale(model, data, batch_size=size) for size in (7, 1_000)]
    assert found[0] == pytest.approx(found[1], rel=1e-6)


class Elsewhere:
    """Rows whose target is 3x + 5."""

    def __init__(self, data):
        self.data = data

    def sample(self, n):
        return Elsewhere(self.data.sample(n))

    def batches(self, size):
        for batch in self.data.batches(size):
            yield Batch(batch.x, target=3 * batch.x + 5)


def test_the_frozen_scale_is_that_of_the_error_in_the_target(data):
    torch.manual_seed(1)
    spec = FlatVAE(encoder=MLP(hidden=()), posterior=Point(), likelihood=Gaussian(scale="optimal"))
    model = spec.build(event_shape=(3,))
    with torch.no_grad():
        expected = (3 * data.x + 5 - model.reconstruct(data.x)).square().mean().item()
    assert freeze_scale(model, Elsewhere(data)) == pytest.approx(expected, rel=1e-5)


def test_the_noise_of_the_held_out_bound_averages_out_over_rows(model, data):
    found = [
        held_out_terms(model, ELBO(), data, samples=1, seed=seed)["valid_elbo"]
        for seed in range(6)
    ]
    assert np.std(found) < 0.05
