"""Reconstruction errors against scikit-learn and by hand."""

import math

import pytest
import sklearn.metrics
import torch

from vaekit.errors import ConfigError, DataError, ShapeError
from vaekit.metrics import decibels, mse, psnr, squared_error


def test_mse_equals_scikit_learn():
    x, y = torch.randn(5, 2, 3, dtype=torch.float64), torch.randn(5, 2, 3, dtype=torch.float64)
    expected = sklearn.metrics.mean_squared_error(x.flatten(1).numpy(), y.flatten(1).numpy())
    assert mse(x, y) == pytest.approx(expected, rel=1e-14)
    assert float(squared_error(x, y)[3]) == pytest.approx(float(((x - y)[3] ** 2).mean()))


def test_float32_does_not_lose_small_errors():
    x = torch.zeros(4, 1000)
    assert mse(x, x + 1e-20) == pytest.approx(1e-40, rel=1e-6)


def test_psnr_averages_rows_in_decibels():
    x = torch.zeros(2, 4, dtype=torch.float64)
    y = torch.tensor([[0.1], [0.01]], dtype=torch.float64).expand(2, 4)
    assert psnr(x, y) == pytest.approx(30.0)
    assert psnr(255 * x, 255 * y, peak=255) == pytest.approx(30.0)
    assert psnr(x, x) == math.inf
    assert decibels(255 * x, 255 * y, peak=255).tolist() == pytest.approx([20.0, 40.0])


def test_wrong_inputs_are_refused():
    with pytest.raises(ShapeError, match=r"expected \(2, 3\), got \(3, 2\)"):
        mse(torch.zeros(2, 3), torch.zeros(3, 2))
    with pytest.raises(DataError, match=r"nothing to compare; got shape \(0, 3\)"):
        mse(torch.zeros(0, 3), torch.zeros(0, 3))
    with pytest.raises(ConfigError, match="expected above 0, got -1"):
        psnr(torch.zeros(1, 1), torch.ones(1, 1), peak=-1)


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_values_that_are_not_finite_are_refused_and_not_averaged(wrong):
    x, y = torch.zeros(4, 3), torch.ones(4, 3)
    y[2, 1] = wrong
    for measure in (mse, psnr):
        with pytest.raises(DataError, match=r"squared error is not finite; got 1 of 4.*row 2"):
            measure(x, y)
    assert squared_error(x, y).isfinite().tolist() == [True, True, False, True]
