"""Tiny data, tiny models, and runs of them that take milliseconds."""

import numpy as np
import pytest
import torch

from vaekit.data import DataCodec, RawData, TensorData
from vaekit.likelihoods import Bernoulli, Gaussian
from vaekit.models import FlatVAE
from vaekit.networks import MLP
from vaekit.objectives import ELBO
from vaekit.training import Adam, PolicySpec, Trainer, Training


def table(rows, seed=0):
    """Rows of five numbers near a plane."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 2)) @ np.array([[1.0, 0, 1, 0, 2], [0, 1, 1, -1, 0]])
    raw = RawData(x + 0.1 * rng.normal(size=x.shape))
    return TensorData.of(raw, DataCodec.fit(raw, scaling="none"))


def pictures(rows, seed=0):
    """Grey images of 3 x 3, binarised anew at every training step."""
    x = np.random.default_rng(seed).integers(0, 256, (rows, 3, 3), dtype=np.uint8)
    raw = RawData(x)
    return TensorData.of(raw, DataCodec.fit(raw, binarise="dynamic"))


@pytest.fixture
def data():
    return {"train": table(22), "validation": table(9, seed=1)}


@pytest.fixture
def images():
    return {"train": pictures(22), "validation": pictures(9, seed=1)}


@pytest.fixture
def make_model():
    def make(event_shape=(5,), seed=0, scale=1.0, likelihood=None):
        torch.manual_seed(seed)
        spec = FlatVAE(
            latent_dim=2, encoder=MLP(hidden=(8,)), likelihood=likelihood or Gaussian(scale=scale)
        )
        return spec.build(event_shape=event_shape)

    return make


@pytest.fixture
def settings():
    """Three epochs of three steps, not compiled, a checkpoint at every step."""

    def make(**changes):
        base = {
            "epochs": 3,
            "batch_size": 8,
            "optimizer": Adam(lr=1e-2),
            "lr_schedule": None,
            "checkpoint_seconds": 0.0,
            "speed": PolicySpec(precision="32-true", compile="off", threads=1),
        }
        return Training(**(base | changes))

    return make


@pytest.fixture
def make_trainer(make_model, data, settings):
    """A trainer of the tiny model on the tiny data; everything can be replaced."""

    def make(folder=None, *, model=None, parts=None, objective=None, callbacks=(), **changes):
        return Trainer(
            make_model() if model is None else model,
            data if parts is None else parts,
            settings(**changes),
            objective=ELBO() if objective is None else objective,
            folder=folder,
            callbacks=callbacks,
            accelerator="cpu",
        )

    return make


@pytest.fixture
def binary():
    return Bernoulli()


@pytest.fixture
def same_weights():
    """Whether two models are equal to the last bit."""

    def same(one, other):
        one, other = one.state_dict(), other.state_dict()
        assert one.keys() == other.keys()
        return all(torch.equal(one[name], other[name]) for name in one)

    return same


@pytest.fixture
def without_seconds():
    """Records of a history without what the clock says."""

    def strip(records):
        return [
            {name: value for name, value in record.items() if not name.endswith("seconds")}
            for record in records
        ]

    return strip
