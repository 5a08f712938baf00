"""FastICA: the subspace of PCA, turned until the sources are found."""

import numpy as np
import pytest

from vaekit.baselines import ICA, PCA
from vaekit.errors import DataError


def mixed(n=4_000, seed=0):
    """Three independent sources of unit variance that are not normal, and their mixtures."""
    g = np.random.default_rng(seed)
    sources = np.stack(
        [
            g.uniform(-(3**0.5), 3**0.5, n),
            g.laplace(scale=0.5**0.5, size=n),
            g.choice([-1.0, 1.0], n),
        ]
    )
    return sources.T, sources.T @ g.normal(size=(3, 5)) + 2.0


def test_sources_are_recovered_up_to_order_and_sign():
    sources, x = mixed()
    codes = ICA(latent_dim=3).build().fit(x).encode(x)
    agreement = np.abs(np.corrcoef(sources.T, codes.T)[:3, 3:])
    assert sorted(agreement.argmax(1)) == [0, 1, 2]
    assert agreement.max(1).min() > 0.99
    pca = PCA(latent_dim=3).build().fit(x).encode(x)
    assert np.abs(np.corrcoef(sources.T, pca.T)[:3, 3:]).max(1).min() < 0.95


def test_components_are_white_and_span_the_subspace_of_pca():
    x = mixed(500)[1] + np.random.default_rng(1).normal(size=(500, 5))
    fitted = ICA(latent_dim=2).build().fit(x)
    codes = fitted.encode(x)
    np.testing.assert_allclose(codes.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(np.cov(codes.T, bias=True), np.eye(2), atol=1e-6)
    pca = PCA(latent_dim=2).build().fit(x)
    np.testing.assert_allclose(fitted.reconstruct(x), pca.reconstruct(x), atol=1e-6)


def test_samples_keep_the_sources_shapes():
    sources, x = mixed()
    fitted = ICA(latent_dim=3).build().fit(x)
    kurtosis = (fitted.encode(fitted.sample(20_000, seed=0)) ** 4).mean(0)
    np.testing.assert_allclose(np.sort(kurtosis), np.sort((sources**4).mean(0)), rtol=0.1)


def test_reaching_the_last_iteration_is_a_note():
    x = mixed()[1]
    assert ICA(latent_dim=3, max_iter=1).build().fit(x).notes == ("stopped after 1 iterations",)
    assert ICA(latent_dim=3).build().fit(x).notes == ()


def test_directions_without_variance_are_refused():
    g = np.random.default_rng(0)
    with pytest.raises(DataError, match=r"vary along fewer than 3 directions.*smaller latent_dim"):
        ICA(latent_dim=3).build().fit(g.normal(size=(50, 2)) @ g.normal(size=(2, 6)))
