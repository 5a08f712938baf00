"""Kernel PCA against its eigenvalue problem, its linear limit, and curves that PCA cuts."""

import numpy as np
import pytest

from vaekit.baselines import PCA, KernelPCA
from vaekit.errors import DataError


def rows(n=60, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 4)) * [3.0, 2.0, 1.0, 0.5]


def test_codes_solve_the_eigenvalue_problem():
    x, new = rows(), rows(10, seed=1)
    fitted = KernelPCA(latent_dim=3, gamma=0.1).build().fit(x)

    def kernel(a, b):
        return np.exp(-0.1 * ((a[:, None] - b[None]) ** 2).sum(-1))

    gram = kernel(x, x)
    centred = gram - gram.mean(0) - gram.mean(1)[:, None] + gram.mean()
    values, vectors = np.linalg.eigh(centred)
    values, vectors = values[::-1][:3], vectors[:, ::-1][:, :3]
    late = kernel(new, x)
    late = late - late.mean(1)[:, None] - gram.mean(0) + gram.mean()
    for found, expected in (
        (fitted.encode(x), vectors * np.sqrt(values)),
        (fitted.encode(new), late @ vectors / np.sqrt(values)),
    ):
        signs = np.sign((found * expected).sum(0))
        np.testing.assert_allclose(found, expected * signs, atol=1e-10)


def test_a_wide_kernel_is_pca():
    x = rows()
    wide = KernelPCA(latent_dim=2, gamma=1e-8).build().fit(x).encode(x)
    linear = PCA(latent_dim=2).build().fit(x).encode(x)
    for i in range(2):
        assert abs(np.corrcoef(wide[:, i], linear[:, i])[0, 1]) > 0.999_99


def test_a_circle_is_followed_where_pca_cuts_it():
    angle = np.random.default_rng(0).uniform(0, 2 * np.pi, 300)
    x = np.stack([np.cos(angle), np.sin(angle), np.cos(2 * angle), np.sin(2 * angle)], 1)
    train, test = x[:200], x[200:]
    kernel, linear = (
        spec.build().fit(train).reconstruct(test)
        for spec in (KernelPCA(latent_dim=2), PCA(latent_dim=2))
    )
    assert ((kernel - test) ** 2).mean() < 0.2 * ((linear - test) ** 2).mean()


def test_far_codes_decode_to_the_mean():
    x = rows()
    fitted = KernelPCA(latent_dim=2).build().fit(x)
    np.testing.assert_allclose(fitted.decode([[1e6, 1e6]])[0], x.mean(0), atol=1e-12)


def test_too_few_distinct_rows_are_refused():
    with pytest.raises(DataError, match="span fewer than 2 components"):
        KernelPCA(latent_dim=2).build().fit(np.repeat(np.eye(2), 5, axis=0))
