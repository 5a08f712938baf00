"""What every test shares: a device, a number type, seeds, and the optional real data."""

import random
from pathlib import Path

import hypothesis
import matplotlib as mpl
import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]

mpl.use("Agg")
torch.set_num_threads(1)  # the tests are small, and machines are shared
hypothesis.settings.register_profile("vaekit", derandomize=True, deadline=None)
hypothesis.settings.load_profile("vaekit")


def pytest_addoption(parser):
    parser.addoption("--device", default="cpu", help="where tensors live: cpu, cuda, mps")
    parser.addoption(
        "--dtype", default="float64", choices=["float32", "float64"], help="type of the numbers"
    )


@pytest.fixture(scope="session")
def device(request):
    return torch.device(request.config.getoption("--device"))


@pytest.fixture(scope="session")
def dtype(request):
    return getattr(torch, request.config.getoption("--dtype"))


@pytest.fixture(autouse=True)
def seeded():
    """The same random numbers in every test, whatever ran before it."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - scikit-learn reads the global generator
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def shared_data():
    """The folder of real data beside the checkout; tests that need it skip without it."""
    path = ROOT.parent / "shared" / "data"
    if not path.is_dir():
        pytest.skip("real data absent: expected at ../shared/data beside the repository")
    return path
