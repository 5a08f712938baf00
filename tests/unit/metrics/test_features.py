"""Features of observations."""

import numpy as np
import pytest
import torch

from vaekit.errors import ConfigError, ShapeError
from vaekit.metrics import Pixels, features_of
from vaekit.metrics.features import name_of


def test_small_observations_are_flattened():
    x = torch.randn(5, 3, 8, 6)
    assert torch.equal(Pixels()(x), x.flatten(1))
    assert torch.equal(Pixels(most=2)(x[:, :, 0]), x[:, :, 0].flatten(1))


def test_large_images_are_averaged_down():
    x = torch.rand(2, 1, 8, 8)
    found = Pixels(most=16)(x)
    blocks = x.reshape(2, 4, 2, 4, 2).mean((2, 4)).flatten(1)
    np.testing.assert_allclose(found.numpy(), blocks.numpy(), rtol=1e-6)


def test_features_of_batches_are_joined_in_double_precision():
    rows = torch.rand(5, 4)
    found = features_of(Pixels(), rows.split(2))
    assert found.dtype == torch.float64
    assert torch.equal(found, rows.double())
    found = features_of(torch.nn.Linear(4, 3), rows.split(2))
    assert found.shape == (5, 3)
    assert not found.requires_grad


def test_names():
    assert name_of(Pixels()) == "pixels"
    assert name_of(torch.nn.Linear(1, 1)) == "Linear"
    assert name_of(torch.flatten) == "flatten"


def test_wrong_features_are_refused():
    with pytest.raises(ConfigError, match="got ndarray"):
        features_of(lambda x: x.numpy(), [torch.zeros(2, 3)])
    with pytest.raises(ShapeError, match=r"expected \(2, F\), got \(2,\)"):
        features_of(lambda x: x.sum(1), [torch.zeros(2, 3)])
