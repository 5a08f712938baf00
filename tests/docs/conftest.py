"""What the tests of the documentation share."""

import importlib
import math
import pkgutil

import pytest
import torch

import vaekit.spec


@pytest.fixture
def own_registry(monkeypatch):
    """Parts that a page registers are forgotten after it; those of the package are all there."""
    for module in pkgutil.walk_packages(vaekit.__path__, "vaekit."):
        importlib.import_module(module.name)
    monkeypatch.setattr(vaekit.spec, "_registry", dict(vaekit.spec._registry))


@pytest.fixture
def quick(monkeypatch):
    """Coarse pictures, one thread, and no compilation, which a busy machine would seem to need."""
    monkeypatch.setattr(importlib.import_module("vaekit.plots.save"), "DPI", 30)
    monkeypatch.setattr("vaekit.training.policy.SHORT_RUN", math.inf)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
