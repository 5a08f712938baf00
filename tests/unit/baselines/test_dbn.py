"""The stack of Boltzmann machines: what its unrolled networks compute, and that it learns."""

import numpy as np
import pytest
import torch

from vaekit.baselines import DBN
from vaekit.errors import ConfigError, DataError
from vaekit.training import Training

QUICK = DBN(hidden=(12, 6), epochs=3, batch_size=20)


def patterns(n=300):
    """Pixels that are on together, in [0, 1]."""
    rng = np.random.default_rng(0)
    on = rng.integers(0, 2, size=(n, 3)) @ np.kron(np.eye(3), np.ones(4))
    return np.clip(0.1 + 0.8 * on + 0.05 * rng.normal(size=on.shape), 0, 1)


def error(spec, x):
    return ((spec.build().fit(x).reconstruct(x) - x) ** 2).mean()


@pytest.mark.parametrize("visible", ["binary", "normal"])
def test_up_and_down_are_passes_through_the_machines(visible):
    x = patterns() * (1 if visible == "binary" else 5)
    made = QUICK.replace(visible=visible).build().fit(x)
    rows = torch.from_numpy(x).float()
    shift, scale = (0, 1) if visible == "binary" else (rows.mean(0), rows.std(0))
    up = (rows - shift) / scale
    for machine in made.machines:
        up = machine.up(up)
    np.testing.assert_allclose(made.encode(x), up, atol=1e-5)
    down = up
    for machine in reversed(made.machines):
        down = machine.down(down)
    np.testing.assert_allclose(made.reconstruct(x), shift + scale * down, atol=1e-4)


@pytest.mark.parametrize("visible", ["binary", "normal"])
def test_reconstruction_improves_over_epochs(visible):
    x = patterns()
    spec = QUICK.replace(latent_dim=3, hidden=(12,), visible=visible, rate=0.02)
    first, later = (error(spec.replace(epochs=epochs), x) for epochs in (1, 30))
    assert later < 0.5 * first
    assert later < 0.5 * x.var(0).mean()


def test_fine_tuning_goes_on_from_the_stack():
    x = patterns()
    before = error(QUICK.replace(epochs=30), x)
    after = QUICK.replace(epochs=30, fine_tuning=Training(epochs=20, batch_size=20))
    assert error(after, x) < before


def test_visible_units_follow_the_data():
    x = patterns()
    auto = QUICK.build().fit(x).encode(x)
    np.testing.assert_array_equal(auto, QUICK.replace(visible="binary").build().fit(x).encode(x))
    wide = QUICK.build().fit(3 * x).encode(3 * x)
    normal = QUICK.replace(visible="normal").build().fit(3 * x)
    np.testing.assert_array_equal(wide, normal.encode(3 * x))
    with pytest.raises(DataError, match=r"expected rows in \[0, 1\].*DBN\(visible='normal'\)"):
        QUICK.replace(visible="binary").build().fit(3 * x)


def test_a_constant_element_stays_as_it_is():
    x = 3 * patterns()
    x[:, 2] = 7.0
    np.testing.assert_allclose(QUICK.build().fit(x).reconstruct(x)[:, 2], 7.0, atol=0.5)


def test_a_stack_needs_a_layer():
    with pytest.raises(ConfigError, match="a stack needs a binary layer below its code"):
        DBN(hidden=())
