"""SSIM against its definition, window by window."""

import numpy as np
import pytest
import torch

from vaekit.errors import ConfigError, ShapeError
from vaekit.metrics import ssim, structural_similarity


def by_hand(x, y, peak):
    """One channel: the weighted moments under each window of 11 × 11, in a double loop."""
    offset = np.arange(11) - 5
    weight = np.exp(-(offset[:, None] ** 2 + offset[None] ** 2) / (2 * 1.5**2))
    weight /= weight.sum()
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    found = []
    for i in range(x.shape[0] - 10):
        for j in range(x.shape[1] - 10):
            a, b = x[i : i + 11, j : j + 11], y[i : i + 11, j : j + 11]
            ma, mb = (weight * a).sum(), (weight * b).sum()
            va, vb = (weight * (a - ma) ** 2).sum(), (weight * (b - mb) ** 2).sum()
            cov = (weight * (a - ma) * (b - mb)).sum()
            top = (2 * ma * mb + c1) * (2 * cov + c2)
            found.append(top / ((ma**2 + mb**2 + c1) * (va + vb + c2)))
    return np.mean(found)


@pytest.mark.parametrize("peak", [1.0, 255.0])
def test_every_window(peak):
    generator = np.random.default_rng(0)
    x = peak * generator.random((2, 3, 14, 12))
    y = np.clip(x + 0.1 * peak * generator.normal(size=x.shape), 0, peak)
    found = structural_similarity(torch.from_numpy(x), torch.from_numpy(y), peak=peak)
    for row in range(2):
        channels = [by_hand(x[row, c], y[row, c], peak) for c in range(3)]
        assert float(found[row]) == pytest.approx(np.mean(channels), rel=1e-10)
    assert 0.3 < float(found.min()) < float(found.max()) < 0.99


def test_it_sees_structure_where_the_squared_error_does_not():
    """Two errors of equal size: a shift of brightness keeps the pattern, noise does not."""
    x = 0.3 + 0.4 * torch.rand(4, 1, 20, 20, generator=torch.Generator().manual_seed(0))
    sign = torch.randint(0, 2, x.shape, generator=torch.Generator().manual_seed(1)) * 2 - 1
    assert ssim(x, x + 0.1) > ssim(x, x + 0.1 * sign) + 0.1
    assert ssim(x, x) == pytest.approx(1.0, abs=1e-12)


def test_wrong_inputs_are_refused():
    small = torch.zeros(1, 1, 10, 20)
    with pytest.raises(ShapeError, match="the window of SSIM; expected sides of at least 11"):
        ssim(small, small)
    with pytest.raises(ShapeError, match="images of one shape"):
        ssim(torch.zeros(2, 64), torch.zeros(2, 64))
    image = torch.zeros(1, 1, 12, 12)
    with pytest.raises(ConfigError, match="expected above 0, got 0"):
        ssim(image, image, peak=0)
