"""Non-negative matrix factorisation: exact on data made of parts, strict about signs."""

import numpy as np
import pytest
import scipy.optimize

from vaekit.baselines import NMF
from vaekit.errors import DataError


def parts_and_rows(n=200, dim=8):
    g = np.random.default_rng(0)
    parts = np.kron(np.eye(2), np.ones(dim // 2)) * g.uniform(0.5, 1.0, dim)
    return parts, g.exponential(size=(n, 2)) @ parts


def test_separable_parts_are_recovered():
    parts, x = parts_and_rows()
    fitted = NMF(latent_dim=2, max_iter=5_000, tolerance=1e-8).build().fit(x)
    assert ((fitted.reconstruct(x) - x) ** 2).mean() < 1e-6 * x.var()
    unit = [p / np.linalg.norm(p, axis=1, keepdims=True) for p in (parts, fitted.parts)]
    np.testing.assert_allclose(np.sort((unit[0] @ unit[1].T).max(1)), 1, atol=1e-4)


def test_codes_are_the_non_negative_least_squares():
    x = np.random.default_rng(0).uniform(size=(60, 6))
    fitted = NMF(latent_dim=3, max_iter=5_000, tolerance=1e-10).build().fit(x)
    expected = np.stack([scipy.optimize.nnls(fitted.parts.T, row)[0] for row in x[:10]])
    np.testing.assert_allclose(fitted.encode(x[:10]), expected, atol=1e-4)


def test_negative_values_are_refused_or_shifted():
    x = parts_and_rows()[1]
    x[7, 3] = -0.5
    with pytest.raises(
        DataError, match=r"row 7, element 3: .* negative value; got -0.5. .*shift='minimum'"
    ):
        NMF().build().fit(x)
    fitted = NMF(shift="minimum").build().fit(x)
    np.testing.assert_array_equal(fitted.origin, x.min(0))
    assert "elements are counted from their smallest training values" in fitted.notes
    below = x.min(0)[None] - 1.0
    np.testing.assert_allclose(fitted.reconstruct(below), x.min(0)[None], atol=1e-9)
    plain = NMF().build().fit(np.abs(x))
    with pytest.raises(DataError, match="negative value"):
        plain.encode(x)


def test_reaching_the_last_iteration_is_a_note():
    assert "stopped after 1 iterations" in NMF(max_iter=1).build().fit(parts_and_rows()[1]).notes
