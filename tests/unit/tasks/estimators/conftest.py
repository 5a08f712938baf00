"""Small data with a known structure, and estimators that are quick to fit."""

import numpy as np
import pytest

from vaekit import VAE

QUICK = {"max_epochs": 3, "patience": None, "random_state": 0}


@pytest.fixture
def table():
    """120 rows of 5 columns in different units, driven by 2 factors."""
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(120, 2)) @ rng.normal(size=(2, 5))
    units = np.array([1.0, 50.0, 0.01, 3.0, 1000.0])
    return (factors + 0.3 * rng.normal(size=(120, 5))) * units + 7 * units


@pytest.fixture
def images():
    """40 grey 8-bit images of 6 x 5 pixels, bright on one side."""
    rng = np.random.default_rng(0)
    side = np.where(rng.random((40, 1, 1)) < 0.5, np.arange(5), np.arange(5)[::-1])
    return (side * 40 + rng.integers(0, 40, size=(40, 6, 5))).astype(np.uint8)


@pytest.fixture
def fitted(table):
    return VAE(**QUICK).fit(table)
