"""Autoencoders behind the protocol of the baselines."""

import numpy as np
import pytest
import torch

from vaekit.baselines import PCA, Representation
from vaekit.baselines.autoencoders import (
    Autoencoder,
    ContractiveAutoencoder,
    LinearAutoencoder,
    SparseAutoencoder,
)
from vaekit.errors import ConfigError, DataError, NotFittedError, NumericalError, ShapeError
from vaekit.networks import MLP
from vaekit.spec import from_json, to_json
from vaekit.training import Adam, Training

QUICK = Training(epochs=2, batch_size=50)
SPECS = [
    Autoencoder(network=MLP(hidden=(8,)), training=QUICK),
    LinearAutoencoder(training=QUICK),
    SparseAutoencoder(network=MLP(hidden=(8,)), training=QUICK),
    ContractiveAutoencoder(network=MLP(hidden=(8,)), training=QUICK),
]
every_one = pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.kind)


@pytest.fixture(scope="module")
def rows():
    """Rows near a plane in six dimensions."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(200, 2)) @ rng.normal(size=(2, 6)) + 0.1 * rng.normal(size=(200, 6))


@every_one
def test_the_protocol(spec, rows):
    made = spec.build()
    assert isinstance(made, Representation)
    assert made.fit(rows) is made
    codes = made.encode(rows)
    assert codes.shape == (200, 2)
    assert codes.dtype == np.float64
    assert np.array_equal(made.reconstruct(rows), made.decode(codes))
    assert made.sample(3, seed=0).shape == (3, 6)
    assert np.array_equal(made.sample(3, seed=0), made.sample(3, seed=0))
    assert made.score_samples(rows) is None


@every_one
def test_rows_of_any_shape(spec, rows):
    images = rows.reshape(-1, 1, 2, 3)
    assert spec.build().fit(images).reconstruct(images).shape == images.shape


@every_one
def test_specs_become_json_and_back(spec):
    assert from_json(to_json(spec)) == spec


@every_one
def test_the_seed_alone_determines_the_fit(spec, rows):
    torch.manual_seed(8)
    one = spec.build().fit(rows).encode(rows)
    torch.manual_seed(9)
    assert np.array_equal(spec.build().fit(rows).encode(rows), one)
    other = spec.replace(training=QUICK.replace(seed=1)).build().fit(rows)
    assert not np.array_equal(other.encode(rows), one)


def test_a_linear_autoencoder_comes_to_the_error_of_pca(rows):
    training = Training(epochs=150, batch_size=50, optimizer=Adam(lr=1e-2))
    linear = LinearAutoencoder(training=training).build().fit(rows)
    pca = PCA(latent_dim=2).build().fit(rows)
    errors = [((made.reconstruct(rows) - rows) ** 2).mean() for made in (linear, pca)]
    assert errors[1] <= errors[0] < 1.1 * errors[1]


def test_sparsity_draws_codes_to_zero(rows):
    training = QUICK.replace(epochs=30, optimizer=Adam(lr=1e-2))
    weak, strong = (
        SparseAutoencoder(network=MLP(hidden=(8,)), training=training, sparsity=s).build()
        for s in (0.0, 10.0)
    )
    sizes = [np.abs(made.fit(rows).encode(rows)).mean() for made in (weak, strong)]
    assert sizes[1] < 0.5 * sizes[0]


def test_contraction_makes_codes_move_less(rows):
    training = QUICK.replace(epochs=30, optimizer=Adam(lr=1e-2))
    moves = []
    for contraction in (0.0, 10.0):
        spec = ContractiveAutoencoder(
            network=MLP(hidden=(8,)), training=training, contraction=contraction
        )
        made = spec.build().fit(rows)
        moves.append(np.abs(made.encode(rows + 0.01) - made.encode(rows)).mean())
    assert moves[1] < 0.5 * moves[0]


@every_one
def test_use_before_fit(spec, rows):
    made = spec.build()
    for call in (made.encode, made.reconstruct, lambda x: made.sample(2, seed=0)):
        with pytest.raises(NotFittedError, match=r"has not been fitted. Call fit\(x\) first"):
            call(rows)


@every_one
def test_rows_that_make_no_sense(spec, rows):
    made = spec.build()
    bad = rows.copy()
    bad[3, 1] = np.nan
    with pytest.raises(DataError, match=r"row 3, element \(1,\): a value that is no finite"):
        made.fit(bad)
    with pytest.raises(ShapeError, match="not rows of data"):
        made.fit(rows[:, 0])
    with pytest.raises(DataError, match="too few rows"):
        made.fit(rows[:0])
    made.fit(rows)
    with pytest.raises(ShapeError, match=r"expected shape \(n, 6\), got \(200, 5\)"):
        made.encode(rows[:, :5])
    with pytest.raises(ShapeError, match=r"expected shape \(n, 2\)"):
        made.decode(np.zeros((4, 3)))
    with pytest.raises(DataError, match="no finite number"):
        made.encode(bad)


def test_settings_that_make_no_sense():
    with pytest.raises(ConfigError, match="between 1 and 65536"):
        Autoencoder(latent_dim=0)
    with pytest.raises(ConfigError, match="between 0"):
        SparseAutoencoder(sparsity=-1.0)
    with pytest.raises(ConfigError, match="not a network"):
        Autoencoder(network=QUICK)


def test_a_fit_that_diverges(rows):
    training = QUICK.replace(optimizer=Adam(lr=1000.0), epochs=20)
    with pytest.raises(NumericalError, match="no longer a finite number"):
        Autoencoder(network=MLP(hidden=(8, 8, 8, 8)), training=training).build().fit(rows * 1e15)
